import POSIX
import Testing

struct ProcessTests {
    @Test func `a process reads its own arguments`() throws {
        #expect(try processArguments() == CommandLine.arguments)
    }
}

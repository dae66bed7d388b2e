import Glibc
import POSIX
import Testing

struct PipeTests {
    @Test func `reading an empty pipe and writing a full one do not block`() throws {
        let pipe = try Pipe()
        var buffer = [UInt8](repeating: 0, count: 4096)
        func read() throws(Errno) -> Int {
            var span = buffer.mutableSpan
            return try pipe.readingEnd.read(into: &span)
        }
        #expect(throws: Errno.wouldBlock) { try read() }
        var written = 0
        do throws(Errno) {
            let block = [UInt8](repeating: 66, count: 4096)
            while written < 1 << 30 { written += try pipe.writingEnd.write(block.span) }
        } catch {
            #expect(error == .wouldBlock)
        }
        var count = 0
        while count < written { count += try read() }
        #expect(count == written)
        #expect(buffer.allSatisfy { $0 == 66 })
        #expect(throws: Errno.wouldBlock) { try read() }
    }

    @Test func `writeOnce writes to a pipe by its descriptor`() throws {
        let pipe = try Pipe()
        #expect(try writeOnce(pipe.writingEnd.rawValue, [1, 2, 3].span) == 3)
        #expect(try writeOnce(pipe.writingEnd.rawValue, [UInt8]().span) == 0)
        var buffer = [UInt8](repeating: 0, count: 10)
        var span = buffer.mutableSpan
        #expect(try pipe.readingEnd.read(into: &span) == 3)
        #expect(buffer.prefix(4) == [1, 2, 3, 0])
        #expect(throws: Errno(EBADF)) { try writeOnce(-1, [1].span) }
    }
}

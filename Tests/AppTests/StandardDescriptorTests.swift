import Auth
import Foundation
import JWT
import TestSupport
import Testing

@Suite("Standard input, output and error", .blocking, .serialized)
struct StandardDescriptorTests {
    private let folder = try! TemporaryFolder()
    private let settings = ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"]

    @Test(
        "that are closed are not taken for the log",
        arguments: ["2>&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-", "<&-", ">&-"])
    func closed(redirection: String) throws {
        let process = try House.start(in: folder, settings, [], redirection: redirection)
        #expect(try eventually { try folder.log().contains("sys_startup") })
        // Once it takes the signal, it has said all that it says at a start.
        process.kill(SIGTERM)
        let ending = try process.wait()
        #expect(ending == .exited(0) || ending == .killed(by: SIGTERM))
        let text = try folder.log()
        #expect(text.contains("sys_startup"))
        #expect(!text.contains("gatehouse:"))
        #expect(text.ranges(of: "key=login.mode").count == 1)
        let (verdict, report) = try House.verify(in: folder)
        #expect(verdict.isIntact, "\(report)")
    }
}

import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

struct LogFileSignatureTests {
    private let folder = try! TemporaryFolder()

    private func open(_ name: String = "app.log") throws {
        let options = LogOptions(path: folder.path(name))
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: devNull.rawValue)
        _ = logger.stop()
    }

    @Test(arguments: [
        "", "2026-11-21T07:00:00.123Z | INFO | app | sys_startup\n", "2026-11-21T07:00",
        "{\"time\":\"2026-11-21T07:00:00.123Z\",\"level\":\"INFO\"}\n", "{\"ti", "time=20\nx",
        "time=2026-11-21T07:00:00.123Z level=INFO area=app event=sys_startup\n", "2\n2026",
    ])
    func `a file is accepted as a log if it begins like one or a crash could have left it`(
        content: String
    ) throws {
        try folder.file("app.log", content)
        try open()
        // After a complete line of another format a new file is started.
        let name = folder.names.contains("app.log.000001") ? "app.log.000001" : "app.log"
        #expect(try folder.text(name).hasPrefix(content))
    }

    @Test(arguments: [
        "precious\n", "{\"users\":[]}", "a secret of thirty-two bytes and more\n", "\n", "\0",
        "2026-11-21 my diary\n", "2026-11-21T07:00:00Z | a log, and not ours\n", "time=now\n",
        "{\"time\":1}\n", " ",
    ])
    func `a file that does not begin like a log is refused and left unchanged`(content: String)
        throws
    {
        try folder.file("notes", content)
        #expect(throws: LogOpenError.notALog) { try open("notes") }
        #expect(try folder.text("notes") == content)
        #expect(folder.allNames == ["notes"])
        // The name `.log` is enough.
        try folder.file("app.log", content)
        try open()
        #expect(try folder.text("app.log").hasPrefix(content))
    }

    @Test func `a damaged file is accepted as a log if a state or lock file is beside it`() throws {
        let path = folder.path("security")
        for (state, isTaken) in [("gatehouse log state 1 turn=1", true), ("another", false)] {
            try folder.file("security", "\0\0\0\0")
            try folder.file(".security.state", state)
            #expect(try LogFileSignature.isLog(path) == isTaken)
        }
        // A log without seals has a lock and no state.
        try folder.file(".security.lock", "")
        #expect(try LogFileSignature.isLog(path))
    }
}

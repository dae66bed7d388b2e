import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

@Suite("A file at a log's path")
struct LogBeginningTests {
    private let folder = try! TemporaryFolder()

    private func open() throws {
        let options = LogOptions(path: folder.path("app.log"))
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: nowhere.number)
        _ = logger.stop()
    }

    @Test(
        "is taken for one if it begins like one, in whichever format, or if a crash could have left it",
        arguments: [
            "", "2026-11-21T07:00:00.123Z | INFO | app | sys_startup\n", "2026-11-21T07:00",
            "{\"time\":\"2026-11-21T07:00:00.123Z\",\"level\":\"INFO\"}\n", "{\"ti", "time=20\nx",
            "time=2026-11-21T07:00:00.123Z level=INFO area=app event=sys_startup\n", "2\n2026",
        ])
    func taken(content: String) throws {
        try folder.file("app.log", content)
        try open()
        #expect(try folder.text("app.log").hasPrefix(content))
    }

    @Test(
        "is nothing to write to, to rename or to remove, if it does not",
        arguments: [
            "precious\n", "{\"users\":[]}", "a secret of thirty-two bytes and more\n", "\n", "\0",
            "2026-11-21 my diary\n", "2026-11-21T07:00:00Z | a log, and not ours\n", "time=now\n",
            "{\"time\":1}\n", " ",
        ])
    func refused(content: String) throws {
        try folder.file("app.log", content)
        #expect(throws: LogOpenError.isNoLog) { try open() }
        #expect(try folder.text("app.log") == content)
        #expect(folder.allNames == ["app.log"])
    }

    @Test("is taken for a damaged one if the state or the lock of a log stands beside it")
    func damaged() throws {
        let options = LogOptions(path: folder.path("app.log"))
        for (state, isTaken) in [("gatehouse log state 1 turn=1", true), ("another", false)] {
            try folder.file("app.log", "\0\0\0\0")
            try folder.file(".app.log.state", state)
            #expect(try LogBeginning.isLog(options.path) == isTaken)
        }
        // One without seals has no state, and has a lock.
        try folder.file(".app.log.lock", "")
        #expect(try LogBeginning.isLog(options.path))
    }
}

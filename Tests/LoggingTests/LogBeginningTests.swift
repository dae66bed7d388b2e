import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

@Suite("A file at a log's path")
struct LogBeginningTests {
    private let folder = try! TemporaryFolder()

    private func open(_ name: String = "app.log") throws {
        let options = LogOptions(path: folder.path(name))
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: nowhere.rawValue)
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
        // A whole line of another format is followed by a new file.
        let name = folder.names.contains("app.log.000001") ? "app.log.000001" : "app.log"
        #expect(try folder.text(name).hasPrefix(content))
    }

    @Test(
        "is nothing to write to, to rename or to remove, if it does not",
        arguments: [
            "precious\n", "{\"users\":[]}", "a secret of thirty-two bytes and more\n", "\n", "\0",
            "2026-11-21 my diary\n", "2026-11-21T07:00:00Z | a log, and not ours\n", "time=now\n",
            "{\"time\":1}\n", " ",
        ])
    func refused(content: String) throws {
        try folder.file("notes", content)
        #expect(throws: LogOpenError.isNoLog) { try open("notes") }
        #expect(try folder.text("notes") == content)
        #expect(folder.allNames == ["notes"])
        // What is called a log is meant to be one.
        try folder.file("app.log", content)
        try open()
        #expect(try folder.text("app.log").hasPrefix(content))
    }

    @Test("is taken for a damaged one if the state or the lock of a log stands beside it")
    func damaged() throws {
        let path = folder.path("security")
        for (state, isTaken) in [("gatehouse log state 1 turn=1", true), ("another", false)] {
            try folder.file("security", "\0\0\0\0")
            try folder.file(".security.state", state)
            #expect(try LogFileSignature.isLog(path) == isTaken)
        }
        // One without seals has no state, and has a lock.
        try folder.file(".security.lock", "")
        #expect(try LogFileSignature.isLog(path))
    }
}

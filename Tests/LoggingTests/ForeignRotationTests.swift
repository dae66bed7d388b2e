import Foundation
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

@Suite("A log whose file somebody else takes away")
final class ForeignRotationTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let standardError: FileDescriptor
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        standardError = try FileDescriptor.open(folder.path("stderr"), 0o2101, mode: 0o600)
        options = .impatient(path: folder.path("logs/app.log"))
        options.maximumSize = 1 << 20
    }

    private func logger() throws -> Logger {
        try Logger(options, clock: clock.clock, standardErrorDescriptor: standardError.rawValue)
    }

    private func write(_ range: ClosedRange<Int>, to logger: Logger) {
        for number in range { logger.record(Note(number)) }
        #expect(logger.commit() == .written)
    }

    private func lines(_ name: String) throws -> [String] { try folder.lines("logs/" + name) }

    private func numbers(_ name: String) throws -> [Int] {
        LoggingTests.numbers(try lines(name))
    }

    /// That the log tells of it in its new file, and on standard error, once.
    private func expectTold(_ reason: String, _ logger: Logger) throws {
        #expect(
            try lines("app.log")[0]
                == someStamp + "WARNING | log | log_reopen reason=\(reason)")
        #expect(logger.stop() == 0)
        #expect(
            try folder.lines("stderr") == [
                someStamp + "WARNING | log | log_reopen reason=\(reason)"
            ])
        #expect(try lines("app.log").count { $0.contains("log_reopen") } == 1)
    }

    @Test("goes on in a new one when it was moved", arguments: [true, false])
    func moved(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1...2, to: logger)
        try folder.move("logs/app.log", to: "logs/app.log.1")
        write(3...4, to: logger)
        logger.performMaintenance()
        write(5...6, to: logger)
        logger.performMaintenance()
        #expect(try numbers("app.log.1") == [1, 2, 3, 4])
        #expect(try numbers("app.log") == [5, 6])
        try expectTold("moved", logger)
        if isSealed {
            #expect(try lines("app.log.1").last?.contains(" | log_seal ") == true)
            let log = SealedLog([
                try folder.bytes("logs/app.log.1"), try folder.bytes("logs/app.log"),
            ])
            #expect(log.faults == [])
            #expect(log.openCount == 0)
        }
    }

    @Test("goes on in a new one when it was removed", arguments: [true, false])
    func removed(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1...2, to: logger)
        try folder.remove("logs/app.log")
        logger.performMaintenance()
        #expect(try lines("app.log").count >= 1)
        write(3...4, to: logger)
        #expect(try numbers("app.log") == [3, 4])
        try expectTold("removed", logger)
        if isSealed { #expect(try SealedLog([folder.bytes("logs/app.log")]).faults == []) }
    }

    @Test(arguments: ["", "theirs\n", "to"])
    func `a file of others in its place is moved aside, and an empty one is used`(
        content: String
    ) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        try folder.move("logs/app.log", to: "logs/old")
        try folder.file("logs/app.log", content)
        logger.performMaintenance()
        write(3...4, to: logger)
        #expect(try numbers("old") == [1, 2])
        #expect(try lines("old").last?.contains(" | log_seal ") == true)
        #expect(try numbers("app.log") == [3, 4])
        let own = try lines("app.log")
        #expect(own[0] == someStamp + "WARNING | log | log_reopen reason=replaced")
        let told =
            "ERROR | log | log_foreign file=app.log.foreign.1 n=\(content.utf8.count) "
            + "reason=replaced"
        #expect(own.contains(someStamp + told) == !content.isEmpty)
        #expect(logger.stop() == 0)
        #expect(
            try folder.lines("stderr").contains { $0.hasSuffix(told) } == !content.isEmpty)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("logs"))
        #expect(names.contains("app.log.foreign.1") == !content.isEmpty)
        if !content.isEmpty { #expect(try folder.text("logs/app.log.foreign.1") == content) }
        let log = SealedLog([try folder.bytes("logs/old"), try folder.bytes("logs/app.log")])
        #expect(log.faults == [])
    }

    @Test func `each file of others gets a name of its own`() throws {
        options = options.sealed()
        let logger = try logger()
        try folder.file("logs/app.log.foreign.7", "older\n")
        for number in 1...3 {
            try folder.remove("logs/app.log")
            try folder.file("logs/app.log", "theirs \(number)\n")
            logger.performMaintenance()
            write(number...number, to: logger)
        }
        #expect(logger.stop() == 0)
        #expect(try folder.text("logs/app.log.foreign.7") == "older\n")
        for number in 1...3 {
            #expect(
                try folder.text("logs/app.log.foreign.\(7 + number)") == "theirs \(number)\n")
        }
    }

    @Test func `a copy of itself in its place is moved aside`() throws {
        options = options.sealed()
        let logger = try logger()
        for number in 1...3 {
            write(number...number, to: logger)
            clock.advance(.seconds(1))
            logger.performMaintenance()
        }
        write(4...4, to: logger)
        let bytes = try folder.bytes("logs/app.log")
        try folder.remove("logs/app.log")
        try folder.file("logs/app.log", String(decoding: bytes, as: UTF8.self))
        logger.performMaintenance()
        write(5...5, to: logger)
        #expect(logger.stop() == 0)
        #expect(try folder.bytes("logs/app.log.foreign.1") == bytes)
        #expect(try numbers("app.log") == [5])
        #expect(try SealedLog([folder.bytes("logs/app.log")]).faults == [])
    }

    @Test(arguments: ["pipe", "linked", "socket"])
    func `what is not an empty file with one name is moved aside`(kind: String) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...1, to: logger)
        try folder.move("logs/app.log", to: "logs/old")
        switch kind {
        case "pipe": #expect(mkfifo(options.path, 0o600) == 0)
        case "linked":
            try folder.file("target", "")
            #expect(link(folder.path("target"), options.path) == 0)
        default: #expect(mknod(options.path, S_IFSOCK | 0o600, 0) == 0)
        }
        logger.performMaintenance()
        write(2...2, to: logger)
        #expect(logger.stop() == 0)
        #expect(try numbers("app.log") == [2])
        if kind == "linked" { #expect(try folder.text("target") == "") }
        let reason = kind == "linked" ? "linked" : "replaced"
        #expect(
            try lines("app.log").contains {
                $0.hasSuffix("log_foreign file=app.log.foreign.1 n=0 reason=\(reason)")
            })
    }

    @Test(arguments: ["theirs\n", "to", "a\nb\n"])
    func `what others append is under no right seal, and what it writes then is`(
        content: String
    ) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        try append(content)
        logger.performMaintenance()
        write(3...4, to: logger)
        #expect(logger.stop() == 0)
        #expect(try numbers("app.log") == [1, 2, 3, 4])
        let told =
            "ERROR | log | log_foreign file=app.log n=\(content.utf8.count) reason=appended"
        #expect(try lines("app.log").contains(someStamp + told))
        // One segment fails, which is that with the bytes of others in it.
        let faults = try SealedLog([folder.bytes("logs/app.log")]).faults
        #expect(faults == ["file 0: the code of seal 2 is wrong"])
    }

    @Test func `what others append before a stop is told by the stop`() throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        try append("theirs\n")
        #expect(logger.stop() == 0)
        #expect(try lines("app.log").contains { $0.contains("log_foreign file=app.log n=7 ") })
        #expect(try lines("app.log").last?.contains("reason=stop") == true)
    }

    private func append(_ content: String) throws {
        let file = try FileDescriptor.open(options.path, O_WRONLY | O_APPEND)
        _ = try file.write(Array(content.utf8).span)
    }

    @Test(
        "stays with the old one where a symbolic link or a folder is in its place, and says so once",
        arguments: ["link", "folder"])
    func notAFile(kind: String) throws {
        let logger = try logger()
        write(1...1, to: logger)
        try folder.move("logs/app.log", to: "logs/old")
        if kind == "link" {
            try folder.file("target", "")
            try FileManager.default.createSymbolicLink(
                atPath: options.path, withDestinationPath: folder.path("target"))
        } else {
            try FileManager.default.createDirectory(
                atPath: options.path, withIntermediateDirectories: false)
        }
        for number in 2...5 {
            logger.performMaintenance()
            write(number...number, to: logger)
        }
        #expect(logger.isHealthy)
        #expect(try numbers("old") == [1, 2, 3, 4, 5])
        let words = kind == "link" ? "Too many levels of symbolic links" : "Is a directory"
        let told = try lines("old").filter { $0.contains("log_failed") }
        #expect(told == [someStamp + "ERROR | log | log_failed reason=\"cannot reopen: \(words)\""])
        if kind == "link" { #expect(try folder.text("target") == "") }
        try folder.remove("logs/app.log")
        logger.performMaintenance()
        write(6...6, to: logger)
        #expect(try numbers("app.log") == [6])
        #expect(logger.stop() == 0)
        #expect(try folder.lines("stderr").first == told[0])
        #expect(try folder.lines("stderr").count == 2)
    }

    @Test("goes on at the beginning when it was emptied in place", arguments: [true, false])
    func truncated(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1...2, to: logger)
        _ = try FileDescriptor.open(options.path, 0o1001)
        logger.performMaintenance()
        write(3...4, to: logger)
        #expect(try numbers("app.log") == [3, 4])
        try expectTold("truncated", logger)
        if isSealed { #expect(try SealedLog([folder.bytes("logs/app.log")]).faults == []) }
    }

    @Test("seals what was written between its being emptied and that being noticed")
    func truncatedUnnoticed() throws {
        options = options.sealed()
        let logger = try logger()
        write(1...9, to: logger)
        _ = try FileDescriptor.open(options.path, 0o1001)
        write(10...10, to: logger)
        logger.performMaintenance()
        write(11...11, to: logger)
        #expect(try numbers("app.log") == [10, 11])
        #expect(logger.stop() == 0)
        let log = SealedLog([try folder.bytes("logs/app.log")])
        #expect(log.faults == [])
        #expect(log.openCount == 0)
    }

    @Test("seals what is left when its end was cut off in place")
    func cut() throws {
        options = options.sealed()
        let logger = try logger()
        for number in 1...5 {
            write(number...number, to: logger)
            clock.advance(.seconds(1))
            logger.performMaintenance()
        }
        let bytes = try folder.bytes("logs/app.log")
        for size in [bytes.count * 2 / 3, bytes.count / 2, bytes.count / 3] {
            let copy = try TemporaryFolder()
            try copy.file("before", String(decoding: bytes, as: UTF8.self))
            #expect(truncate(options.path, off_t(size)) == 0)
            logger.performMaintenance()
            write(size...size, to: logger)
            clock.advance(.seconds(1))
            logger.performMaintenance()
        }
        #expect(logger.stop() == 0)
        let log = SealedLog([try folder.bytes("logs/app.log")])
        #expect(!log.faults.contains { $0.contains("the code") })
        #expect(log.openCount == 0)
    }

    @Test(
        "makes the folder again that was taken away with everything",
        arguments: ["removed", "moved"])
    func folderGone(how: String) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        if how == "removed" {
            try folder.remove("logs")
        } else {
            try folder.move("logs", to: "elsewhere")
        }
        logger.performMaintenance()
        write(3...4, to: logger)
        logger.performMaintenance()
        #expect(try numbers("app.log") == [3, 4])
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("logs"))
        #expect(names.sorted() == [".app.log.lock", ".app.log.state", "app.log"])
        // Nobody else gets in, and the state is that of this log.
        #expect(throws: LogOpenError.inUse(by: getpid())) { try Logger(options) }
        try expectTold(how, logger)
        let log = SealedLog([try folder.bytes("logs/app.log")])
        #expect(log.faults == [])
        let state = try LogState.read(from: LogState.path(of: options.path), sealKey)
        #expect(state?.head == log.seals.last?.head)
        if how == "moved" {
            #expect(LoggingTests.numbers(try folder.lines("elsewhere/app.log")) == [1, 2])
            #expect(try folder.lines("elsewhere/app.log").last?.contains("log_seal") == true)
        }
    }

    @Test("keeps its state where its folder is now, when a copy has taken the folder's place")
    func folderCopied() throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        logger.performMaintenance()
        try FileManager.default.copyItem(atPath: folder.path("logs"), toPath: folder.path("copy"))
        try folder.move("logs", to: "elsewhere")
        try folder.move("copy", to: "logs")
        logger.performMaintenance()
        write(3...4, to: logger)
        #expect(logger.stop() == 0)
        let last = try SealedLog([folder.bytes("logs/app.log")]).seals.last
        let state = try LogState.read(from: LogState.path(of: options.path), sealKey)
        #expect(state?.head == last?.head)
    }

    @Test("is opened again when the operator says so, and says that", arguments: [true, false])
    func signal(isMoved: Bool) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        if isMoved { try folder.move("logs/app.log", to: "logs/app.log.1") }
        logger.record(Note(3))
        try logger.reopen()
        write(4...4, to: logger)
        #expect(try numbers("app.log") == (isMoved ? [4] : [1, 2, 3, 4]))
        let told = try lines("app.log").filter { $0.contains("log_reopen") }
        #expect(told == [someStamp + "INFO | log | log_reopen reason=signal"])
        if isMoved {
            #expect(try numbers("app.log.1") == [1, 2, 3])
            #expect(try lines("app.log.1").last?.contains(" | log_seal ") == true)
            #expect(try lines("app.log")[0] == told[0])
        }
        #expect(logger.stop() == 0)
        #expect(try folder.text("stderr") == "")
        let old = isMoved ? [try folder.bytes("logs/app.log.1")] : []
        #expect(SealedLog(old + [try folder.bytes("logs/app.log")]).faults == [])
    }

    @Test("is still in place when nobody has touched it, however often that is looked at")
    func inPlace() throws {
        let logger = try logger()
        write(1...2, to: logger)
        let before = try folder.text("logs/app.log")
        for _ in 0..<10 { logger.performMaintenance() }
        #expect(try folder.text("logs/app.log") == before)
        #expect(logger.stop() == 0)
        #expect(try folder.text("stderr") == "")
    }
}

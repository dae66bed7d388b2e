import Foundation
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

final class ForeignRotationTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let standardError: FileDescriptor
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        standardError = try FileDescriptor.open(folder.path("stderr"), 0o2101, mode: 0o600)
        options = .retryingAtOnce(path: folder.path("logs/app.log"))
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

    /// Expects one report of the reason, in the new file and on standard error.
    private func expectReopened(_ reason: String, _ logger: Logger) throws {
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

    @Test(arguments: [true, false])
    func `a log continues in a new file after its file was moved`(isSealed: Bool) throws {
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
        try expectReopened("moved", logger)
        if isSealed {
            #expect(try lines("app.log.1").last?.contains(" | log_seal ") == true)
            let log = SealedLog([
                try folder.bytes("logs/app.log.1"), try folder.bytes("logs/app.log"),
            ])
            #expect(log.faults == [])
            #expect(log.openCount == 0)
        }
    }

    @Test(arguments: [true, false])
    func `a log continues in a new file after its file was removed`(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1...2, to: logger)
        try folder.remove("logs/app.log")
        logger.performMaintenance()
        #expect(try lines("app.log").count >= 1)
        write(3...4, to: logger)
        #expect(try numbers("app.log") == [3, 4])
        try expectReopened("removed", logger)
        if isSealed { #expect(try SealedLog([folder.bytes("logs/app.log")]).faults == []) }
    }

    @Test(arguments: ["", "theirs\n", "to"])
    func `a foreign file at the log's path is moved aside, and an empty one is used`(
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
        let report =
            "ERROR | log | log_foreign file=app.log.foreign.1 n=\(content.utf8.count) "
            + "reason=replaced"
        #expect(own.contains(someStamp + report) == !content.isEmpty)
        #expect(logger.stop() == 0)
        #expect(
            try folder.lines("stderr").contains { $0.hasSuffix(report) } == !content.isEmpty)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("logs"))
        #expect(names.contains("app.log.foreign.1") == !content.isEmpty)
        if !content.isEmpty { #expect(try folder.text("logs/app.log.foreign.1") == content) }
        let log = SealedLog([try folder.bytes("logs/old"), try folder.bytes("logs/app.log")])
        #expect(log.faults == [])
    }

    @Test func `each foreign file that is moved aside gets a name of its own`() throws {
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

    @Test func `a copy of the log at its path is moved aside`() throws {
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
    func `anything but an empty file with one name is moved aside from the log's path`(kind: String)
        throws
    {
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
    func `bytes that others append are under no valid seal, and later lines are`(
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
        let report =
            "ERROR | log | log_foreign file=app.log n=\(content.utf8.count) reason=appended"
        #expect(try lines("app.log").contains(someStamp + report))
        // Only the segment with the foreign bytes fails.
        let faults = try SealedLog([folder.bytes("logs/app.log")]).faults
        #expect(faults == ["file 0: the code of seal 2 is wrong"])
    }

    @Test func `bytes that others append before a stop are reported by the stop`() throws {
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

    @Test(arguments: ["link", "folder"])
    func `a symbolic link or folder at the path is reported once, and the old file kept`(
        kind: String
    ) throws {
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
        let description = kind == "link" ? "Too many levels of symbolic links" : "Is a directory"
        let reports = try lines("old").filter { $0.contains("log_failed") }
        #expect(
            reports == [
                someStamp + "ERROR | log | log_failed reason=\"cannot reopen: \(description)\""
            ])
        if kind == "link" { #expect(try folder.text("target") == "") }
        try folder.remove("logs/app.log")
        logger.performMaintenance()
        write(6...6, to: logger)
        #expect(try numbers("app.log") == [6])
        #expect(logger.stop() == 0)
        #expect(try folder.lines("stderr").first == reports[0])
        #expect(try folder.lines("stderr").count == 2)
    }

    @Test(arguments: [true, false])
    func `a log that was emptied in place starts again at its beginning`(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1...2, to: logger)
        _ = try FileDescriptor.open(options.path, 0o1001)
        logger.performMaintenance()
        write(3...4, to: logger)
        #expect(try numbers("app.log") == [3, 4])
        try expectReopened("truncated", logger)
        if isSealed { #expect(try SealedLog([folder.bytes("logs/app.log")]).faults == []) }
    }

    @Test func `lines written before a truncation is noticed are sealed`() throws {
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

    @Test func `the rest of a log that was cut in place is sealed`() throws {
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

    @Test(arguments: ["removed", "moved"])
    func `a folder that was removed or moved with the log is created again`(how: String) throws {
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
        // No other process can open the log, and the state is that of this log.
        #expect(throws: LogOpenError.inUse(by: getpid())) { try Logger(options) }
        try expectReopened(how, logger)
        let log = SealedLog([try folder.bytes("logs/app.log")])
        #expect(log.faults == [])
        let state = try LogState.read(from: LogState.path(of: options.path), sealKey)
        #expect(state?.head == log.seals.last?.head)
        if how == "moved" {
            #expect(LoggingTests.numbers(try folder.lines("elsewhere/app.log")) == [1, 2])
            #expect(try folder.lines("elsewhere/app.log").last?.contains("log_seal") == true)
        }
    }

    @Test func `the state is written to the current folder after a copy has replaced it`() throws {
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

    @Test(arguments: [true, false])
    func `reopening a log records log_reopen with reason signal`(isMoved: Bool) throws {
        options = options.sealed()
        let logger = try logger()
        write(1...2, to: logger)
        if isMoved { try folder.move("logs/app.log", to: "logs/app.log.1") }
        logger.record(Note(3))
        try logger.reopen()
        write(4...4, to: logger)
        #expect(try numbers("app.log") == (isMoved ? [4] : [1, 2, 3, 4]))
        let reports = try lines("app.log").filter { $0.contains("log_reopen") }
        #expect(reports == [someStamp + "INFO | log | log_reopen reason=signal"])
        if isMoved {
            #expect(try numbers("app.log.1") == [1, 2, 3])
            #expect(try lines("app.log.1").last?.contains(" | log_seal ") == true)
            #expect(try lines("app.log")[0] == reports[0])
        }
        #expect(logger.stop() == 0)
        #expect(try folder.text("stderr") == "")
        let old = isMoved ? [try folder.bytes("logs/app.log.1")] : []
        #expect(SealedLog(old + [try folder.bytes("logs/app.log")]).faults == [])
    }

    @Test func `maintenance does not change a log whose file is in place`() throws {
        let logger = try logger()
        write(1...2, to: logger)
        let before = try folder.text("logs/app.log")
        for _ in 0..<10 { logger.performMaintenance() }
        #expect(try folder.text("logs/app.log") == before)
        #expect(logger.stop() == 0)
        #expect(try folder.text("stderr") == "")
    }
}

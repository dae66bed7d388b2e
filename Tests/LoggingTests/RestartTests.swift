import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

final class RestartTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.retryingAtOnce(path: folder.path("app.log")).sealed()
        options.maximumFiles = 1000
    }

    private func logger(_ folder: TemporaryFolder? = nil) throws -> Logger {
        var options = options
        if let folder { options.path = folder.path("app.log") }
        return try Logger(options, clock: clock.clock, standardErrorDescriptor: devNull.rawValue)
    }

    private func write(_ range: Range<Int>, to logger: Logger) {
        for number in range {
            logger.record(Note(number, padding: 40))
            #expect(logger.commit() == .written)
        }
    }

    /// A short run with a clean stop.
    private func run(_ range: Range<Int>, _ folder: TemporaryFolder? = nil) throws {
        let logger = try logger(folder)
        write(range, to: logger)
        #expect(logger.stop() == 0)
    }

    /// The log's own events, except those of normal operation.
    private func problems(_ folder: TemporaryFolder) throws -> [String] {
        try #require(try folder.logLines()).filter { line in
            line.contains(" log_") && !line.contains(" log_open ") && !line.contains(" log_seal ")
                && !line.contains(" log_rotate ")
        }.map { String($0.dropFirst(27)) }
    }

    private func expectIntact(_ folder: TemporaryFolder, _ sequenceCount: Int? = nil) throws {
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        #expect(log.sequences == Array(1...UInt64(log.seals.count)))
        let state = try LogState.read(from: folder.path(".app.log.state"), sealKey)
        #expect(state?.head == log.seals.last?.head)
    }

    @Test(arguments: LogFormat.allCases)
    func `the chain of seals continues over runs and rotations`(format: LogFormat) throws {
        options.format = format
        options.maximumSize = 2000
        for number in 0..<10 { try run(number * 7..<number * 7 + 7) }
        #expect(folder.logFiles.count > 3)
        try expectIntact(folder)
    }

    @Test func `a start first seals the lines of a killed process`() throws {
        for number in 0..<5 {
            // Released without `stop`.
            let logger = try logger()
            write(number * 3..<number * 3 + 3, to: logger)
            if number % 2 == 0 { logger.performMaintenance() }
        }
        try run(15..<16)
        try expectIntact(folder)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<16))
        let reasons = try folder.sealedLog().seals.map(\.reason)
        // Each start seals what it has found, and then its own first lines.
        let expected = [.start] + (0..<5).flatMap { _ in [SealChain.Reason.found, .start] }
        #expect(reasons == expected + [.stop])
    }

    @Test func `a start continues after a power failure at any byte of the unsynced end`() throws {
        let logger = try logger()
        write(0..<2, to: logger)
        clock.advance(.seconds(1))
        logger.performMaintenance()
        let synced = try folder.bytes("app.log").count
        // From here on nothing is certain to be on disk.
        write(2..<4, to: logger)
        clock.advance(.seconds(1))
        write(4..<6, to: logger)
        let bytes = try folder.bytes("app.log")
        let state = try folder.bytes(".app.log.state")
        #expect(try folder.sealedLog().seals.map(\.reason) == [.start, .interval, .interval])
        for offset in synced...bytes.count {
            let other = try TemporaryFolder()
            try other.file("app.log", String(decoding: bytes[..<offset], as: UTF8.self))
            try other.file(".app.log.state", String(decoding: state, as: UTF8.self))
            try run(6..<7, other)
            try expectIntact(other)
            // A seal that only lacks its line end counts as complete.
            let lastLine = bytes[..<offset].split(separator: UInt8(ascii: "\n")).last ?? []
            let isTorn =
                bytes[offset - 1] != UInt8(ascii: "\n") && SealLine(lastLine.span) == nil
            // Without the rest of the torn line.
            let found = try problems(other).filter { $0.contains("=") }
            #expect(found == (isTorn ? ["INFO | log | log_recovered reason=torn_line"] : []))
            #expect(try numbers(#require(try other.logLines())).last == 6)
        }
    }

    @Test func `a log that ends before its state is reported with the missing seal`() throws {
        try run(0..<3)
        let bytes = try folder.bytes("app.log")
        let state = try folder.bytes(".app.log.state")
        let head = try #require(try folder.sealedLog().seals.last?.head)
        for offset in [1, bytes.count / 3, bytes.count / 2, bytes.count - 100] {
            let other = try TemporaryFolder()
            try other.file("app.log", String(decoding: bytes[..<offset], as: UTF8.self))
            try other.file(".app.log.state", String(decoding: state, as: UTF8.self))
            try run(3..<4, other)
            // A file without one of our seals is not known to be ours.
            let isKnown = SealedLog([Array(bytes[..<offset])]).seals.count > 0
            #expect(other.names.contains("app.log.foreign.1") == !isKnown)
            let expected =
                isKnown
                ? "ERROR | log | log_failed reason=missing_tail sequence=\(head.sequence)"
                : "WARNING | log | log_reopen reason=missing"
            if !isKnown { try other.remove("app.log.foreign.1") }
            #expect(try problems(other).contains(expected))
            let log = try other.sealedLog()
            #expect(!log.faults.contains { $0.contains("the code") })
            // The chain continues after the missing part: no sequence number is used twice.
            let newer = log.sequences.filter { $0 > head.sequence }
            #expect(newer == Array((head.sequence + 1)...(head.sequence + UInt64(newer.count))))
            #expect(log.seals.first { $0.sequence == head.sequence + 1 }?.previous == head.code)
        }
    }

    @Test(arguments: [true, false])
    func `a missing log is reported at the next start`(isEmptied: Bool) throws {
        try run(0..<3)
        let head = try #require(try folder.sealedLog().seals.last?.head)
        if isEmptied {
            #expect(truncate(options.path, 0) == 0)
        } else {
            try folder.remove("app.log")
        }
        try run(3..<4)
        #expect(try problems(folder) == ["WARNING | log | log_reopen reason=missing"])
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.sequences == [head.sequence + 1, head.sequence + 2])
        #expect(log.seals[0].previous == head.code)
        // The next start does not report it again.
        try run(4..<5)
        #expect(try problems(folder).count == 1)
    }

    @Test(arguments: ["missing", "empty", "garbage", "half", "other key"])
    func `the chain of seals continues without a usable state file`(kind: String) throws {
        options.maximumSize = 2000
        try run(0..<20)
        let state = try folder.text(".app.log.state")
        switch kind {
        case "missing": try folder.remove(".app.log.state")
        case "empty": try folder.file(".app.log.state", "")
        case "garbage": try folder.file(".app.log.state", String(repeating: "x\n", count: 512))
        case "half": try folder.file(".app.log.state", String(state.prefix(300)))
        default:
            try folder.remove(".app.log.state")
            let other = SealKey(secret: Array("another key".utf8).span)
            var file = try LogStateFile(folder.path(".app.log.state"), other)
            try file.write(
                LogState(
                    head: SealHead(sequence: 1000, code: .none), generation: 2, size: 10))
        }
        try run(20..<21)
        try expectIntact(folder)
        // A state file without a valid slot may belong to another key, and is not reported.
        let problems = try problems(folder)
        #expect(problems.count == (kind == "missing" ? 1 : 0))
        #expect(problems.allSatisfy { $0.contains("log_failed reason=missing_state ") })
    }

    @Test(arguments: [1, 5, 12])
    func `the chain of seals continues from an older state file`(runs: Int) throws {
        options.maximumSize = 2000
        var states: [String] = []
        for number in 0..<runs {
            try run(number * 3..<number * 3 + 3)
            states.append(try folder.text(".app.log.state"))
        }
        for state in states {
            let other = try copy(of: folder)
            try other.file(".app.log.state", state)
            try run(100..<101, other)
            try expectIntact(other)
            #expect(try problems(other) == [])
        }
    }

    @Test(arguments: 1...12)
    func `the chain of seals continues after a kill at any operation of a rotation`(operation: Int)
        throws
    {
        options.maximumSize = 2200
        // The files at the n-th operation are what a kill at that time leaves.
        let isArmed = Monitor(false)
        let count = Monitor(0)
        let snapshot = Monitor<TemporaryFolder?>(nil)
        let folder = folder
        let journal = FileSystemJournal { _ in
            guard isArmed.withLock({ $0 }) else { return nil }
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number == operation { snapshot.withLock { $0 = try? copy(of: folder) } }
            return nil
        }
        let logger = try Logger(
            options, clock: clock.clock, fileSystem: journal,
            standardErrorDescriptor: devNull.rawValue)
        var next = 0
        while try folder.bytes("app.log").count < 1500 {
            write(next..<next + 1, to: logger)
            next += 1
        }
        isArmed.withLock { $0 = true }
        write(next..<next + 4, to: logger)
        logger.performMaintenance()
        #expect(logger.stop() == 0)
        #expect(folder.logFiles.count == 2)
        let other = try #require(snapshot.withLock { $0 })
        let before = numbers(try #require(try other.logLines()))
        try run(100..<101, other)
        try expectIntact(other)
        #expect(try problems(other) == [])
        #expect(numbers(try #require(try other.logLines())) == before + [100])
    }

    @Test func `sequence numbers continue after a change of the key and back`() throws {
        try run(0..<3)
        let first = options
        let other = SealKey(secret: Array("another key".utf8).span)
        options.seal = LogOptions.Seal(key: other)
        try run(3..<6)
        options = first
        try run(6..<9)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.sequences == [1, 2, 3, 4, 5, 6])
        #expect(log.seals.map { $0.keyID == other.id } == [false, false, true, true, false, false])
        #expect(try problems(folder) == [])
    }

    @Test func `the first seal covers the lines of an earlier run without seals`() throws {
        let sealed = options
        options.seal = nil
        try run(0..<5)
        options = sealed
        try run(5..<6)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.seals.map(\.lineCount) == [6, 1, 1])
        #expect(log.sequences == [1, 2, 3])
    }

    // MARK: Foreign bytes

    @Test(arguments: [
        "theirs\n", "2026-11-21T07:00:00.123Z | INFO | log | log_open file=app.log\n",
    ])
    func `lines after the seal of a stop are moved out of the log`(content: String) throws {
        try run(0..<3)
        let bytes = try folder.text("app.log")
        try folder.file("app.log", bytes + content)
        try run(3..<4)
        #expect(try folder.text("app.log.foreign.1") == content)
        #expect(try folder.text("app.log").hasPrefix(bytes))
        try folder.remove("app.log.foreign.1")
        try expectIntact(folder)
        #expect(
            try problems(folder) == [
                "ERROR | log | log_foreign file=app.log.foreign.1 n=\(content.utf8.count) "
                    + "reason=after_stop"
            ])
    }

    @Test(arguments: [true, false])
    func `a file without one of our seals in the place of a sealed log is moved aside`(
        isKilled: Bool
    ) throws {
        if isKilled {
            let logger = try logger()
            write(0..<3, to: logger)
            clock.advance(.seconds(1))
            logger.performMaintenance()
        } else {
            try run(0..<3)
        }
        try folder.move("app.log", to: "app.log.000001")
        try folder.file("app.log", "\(someStamp)INFO | app | note n=77\n")
        try run(3..<4)
        #expect(try folder.text("app.log.foreign.1").contains("n=77"))
        try folder.remove("app.log.foreign.1")
        try expectIntact(folder)
        #expect(numbers(try #require(try folder.logLines())) == [0, 1, 2, 3])
    }

    @Test func `a sealed log that is restored under another inode is recognized`() throws {
        for isKilled in [true, false] {
            do {
                let logger = try logger()
                write(0..<3, to: logger)
                logger.performMaintenance()
                write(3..<4, to: logger)
                if !isKilled { #expect(logger.stop() == 0) }
            }
            let bytes = try folder.bytes("app.log")
            try folder.remove("app.log")
            try folder.file("app.log", String(decoding: bytes, as: UTF8.self))
            try run(4..<5)
            #expect(folder.names == ["app.log"])
            try expectIntact(folder)
        }
    }

    @Test func `lines of a killed process stay in the log`() throws {
        for round in 0..<3 {
            // Killed before the state is written in the first round, after it in the others.
            let logger = try logger()
            write(round * 10..<round * 10 + 3, to: logger)
            if round > 0 { logger.performMaintenance() }
            write(round * 10 + 3..<round * 10 + 4, to: logger)
        }
        try run(30..<31)
        #expect(folder.names == ["app.log"])
        try expectIntact(folder)
    }

    @Test func `lines with a seal of another key after a stop are moved out of the log`() throws {
        try run(0..<3)
        let bytes = try folder.text("app.log")
        let other = SealKey(secret: Array("another key".utf8).span)
        var chain = SealChain(
            after: try #require(try folder.sealedLog().seals.last).head)
        let line = LogLine.formatted(Note(9), at: someTime, .text)
        chain.update(line.span)
        let seal = chain.seal(.interval, key: other, at: someTime, .text).line
        try folder.file("app.log", bytes + String(decoding: line + seal, as: UTF8.self))
        try run(3..<4)
        #expect(
            try folder.text("app.log.foreign.1") == String(decoding: line + seal, as: UTF8.self))
        try folder.remove("app.log.foreign.1")
        try expectIntact(folder)
    }

    @Test func `lines of a run without seals stay in the log when seals are enabled again`()
        throws
    {
        let sealed = options
        try run(0..<3)
        options.seal = nil
        try run(3..<6)
        options = sealed
        try run(6..<9)
        #expect(folder.names == ["app.log"])
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<9))
        #expect(try folder.sealedLog().faults == [])
    }

    // MARK: Formats

    @Test(arguments: [true, false])
    func `a change of the format starts a new file`(isKilled: Bool) throws {
        var expected = 0
        for (round, format) in [LogFormat.text, .json, .logfmt, .logfmt, .text].enumerated() {
            options.format = format
            let logger = try logger()
            write(round..<round + 1, to: logger)
            if !isKilled { #expect(logger.stop() == 0) }
            if round > 0, round != 3 { expected += 1 }
            #expect(folder.logFiles.count == expected + 1)
        }
        for name in folder.logFiles {
            let starts = Set(try folder.lines(name).map { $0.first })
            #expect(starts.count == 1)
        }
        #expect(
            try folder.lines("app.log")[0].hasSuffix(
                "log_rotate file=app.log.000003 reason=format"))
        #expect(try folder.sealedLog().faults == [])
    }

    @Test(arguments: [
        "2", "2026-11-21T07:00:00.123Z | INFO | log | log_seal sequence=9", "{\n\nto",
    ])
    func `a torn line is repaired whatever it contains`(content: String) throws {
        try folder.file("app.log", content)
        try run(0..<1)
        #expect(try problems(folder) == ["INFO | log | log_recovered reason=torn_line"])
        try expectIntact(folder)
    }
}

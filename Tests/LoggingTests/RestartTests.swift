import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

@Suite("A sealed log that is opened again")
final class RestartTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.impatient(path: folder.path("app.log")).sealed()
        options.maximumFiles = 1000
    }

    private func logger(_ folder: TemporaryFolder? = nil) throws -> Logger {
        var options = options
        if let folder { options.path = folder.path("app.log") }
        return try Logger(options, clock: clock.clock, standardErrorDescriptor: nowhere.rawValue)
    }

    private func write(_ range: Range<Int>, to logger: Logger) {
        for number in range {
            logger.record(Note(number, padding: 40))
            #expect(logger.commit() == .written)
        }
    }

    /// A short run with an end.
    private func run(_ range: Range<Int>, _ folder: TemporaryFolder? = nil) throws {
        let logger = try logger(folder)
        write(range, to: logger)
        #expect(logger.stop() == 0)
    }

    /// Lines of the log itself that are no sign of anything wrong are left out.
    private func complaints(_ folder: TemporaryFolder) throws -> [String] {
        try #require(try folder.logLines()).filter { line in
            line.contains(" log_") && !line.contains(" log_open ") && !line.contains(" log_seal ")
                && !line.contains(" log_rotate ")
        }.map { String($0.dropFirst(27)) }
    }

    private func expectWhole(_ folder: TemporaryFolder, _ sequenceCount: Int? = nil) throws {
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        #expect(log.sequences == Array(1...UInt64(log.seals.count)))
        let state = try LogState.read(from: folder.path(".app.log.state"), sealKey)
        #expect(state?.head == log.seals.last?.head)
    }

    @Test("goes on with its chain, run after run, over rotations", arguments: LogFormat.allCases)
    func runs(format: LogFormat) throws {
        options.format = format
        options.maximumSize = 2000
        for number in 0..<10 { try run(number * 7..<number * 7 + 7) }
        #expect(folder.logFiles.count > 3)
        try expectWhole(folder)
    }

    @Test("seals what a process that was killed has left, as the first thing that it does")
    func killed() throws {
        for number in 0..<5 {
            // Let go without `stop`.
            let logger = try logger()
            write(number * 3..<number * 3 + 3, to: logger)
            if number % 2 == 0 { logger.performMaintenance() }
        }
        try run(15..<16)
        try expectWhole(folder)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<16))
        let reasons = try folder.sealedLog().seals.map(\.reason)
        // What each start has found, and then its own first lines.
        let expected = [.start] + (0..<5).flatMap { _ in [SealChain.Reason.found, .start] }
        #expect(reasons == expected + [.stop])
    }

    @Test("goes on behind whatever was written when the machine stopped, at any byte")
    func everyOffset() throws {
        let logger = try logger()
        write(0..<2, to: logger)
        clock.advance(.seconds(1))
        logger.performMaintenance()
        let synced = try folder.bytes("app.log").count
        // From here on nothing is on the disk for sure.
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
            try expectWhole(other)
            // A seal that only lacks its line end is as good as whole.
            let lastLine = bytes[..<offset].split(separator: UInt8(ascii: "\n")).last ?? []
            let isTorn =
                bytes[offset - 1] != UInt8(ascii: "\n") && SealLine(lastLine.span) == nil
            // Without what is left of the torn line.
            let found = try complaints(other).filter { $0.contains("=") }
            #expect(found == (isTorn ? ["INFO | log | log_recovered reason=torn_line"] : []))
            #expect(try numbers(#require(try other.logLines())).last == 6)
        }
    }

    @Test("says that its end is missing where it ends before its state, and up to which seal")
    func cut() throws {
        try run(0..<3)
        let bytes = try folder.bytes("app.log")
        let state = try folder.bytes(".app.log.state")
        let head = try #require(try folder.sealedLog().seals.last?.head)
        for offset in [1, bytes.count / 3, bytes.count / 2, bytes.count - 100] {
            let other = try TemporaryFolder()
            try other.file("app.log", String(decoding: bytes[..<offset], as: UTF8.self))
            try other.file(".app.log.state", String(decoding: state, as: UTF8.self))
            try run(3..<4, other)
            // What holds no seal of ours is not known to be ours.
            let isKnown = SealedLog([Array(bytes[..<offset])]).seals.count > 0
            #expect(other.names.contains("app.log.foreign.1") == !isKnown)
            let expected =
                isKnown
                ? "ERROR | log | log_failed reason=missing_tail sequence=\(head.sequence)"
                : "WARNING | log | log_reopen reason=missing"
            if !isKnown { try other.remove("app.log.foreign.1") }
            #expect(try complaints(other).contains(expected))
            let log = try other.sealedLog()
            #expect(!log.faults.contains { $0.contains("the code") })
            // It goes on behind what is missing: no number comes twice.
            let newer = log.sequences.filter { $0 > head.sequence }
            #expect(newer == Array((head.sequence + 1)...(head.sequence + UInt64(newer.count))))
            #expect(log.seals.first { $0.sequence == head.sequence + 1 }?.previous == head.code)
        }
    }

    @Test("says that it is missing", arguments: [true, false])
    func missing(isEmptied: Bool) throws {
        try run(0..<3)
        let head = try #require(try folder.sealedLog().seals.last?.head)
        if isEmptied {
            #expect(truncate(options.path, 0) == 0)
        } else {
            try folder.remove("app.log")
        }
        try run(3..<4)
        #expect(try complaints(folder) == ["WARNING | log | log_reopen reason=missing"])
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.sequences == [head.sequence + 1, head.sequence + 2])
        #expect(log.seals[0].previous == head.code)
        // And the next has nothing to say of it.
        try run(4..<5)
        #expect(try complaints(folder).count == 1)
    }

    @Test(
        "finds how far it had come without its state, too",
        arguments: ["missing", "empty", "garbage", "half", "other key"])
    func state(kind: String) throws {
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
        try expectWhole(folder)
        // One that is there and says nothing is another key's, as far as one can tell.
        let complaints = try complaints(folder)
        #expect(complaints.count == (kind == "missing" ? 1 : 0))
        #expect(complaints.allSatisfy { $0.contains("log_failed reason=missing_state ") })
    }

    @Test("goes on from an older state as if it were the last", arguments: [1, 5, 12])
    func olderState(runs: Int) throws {
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
            try expectWhole(other)
            #expect(try complaints(other) == [])
        }
    }

    @Test("goes on when it was killed at any operation of a rotation", arguments: 1...12)
    func killedInRotation(operation: Int) throws {
        options.maximumSize = 2200
        // What stands there when the n-th operation fails is what a kill at that time leaves.
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
            standardErrorDescriptor: nowhere.rawValue)
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
        let there = numbers(try #require(try other.logLines()))
        try run(100..<101, other)
        try expectWhole(other)
        #expect(try complaints(other) == [])
        #expect(numbers(try #require(try other.logLines())) == there + [100])
    }

    @Test("goes on with the next number when its key was changed, there and back")
    func otherKey() throws {
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
        #expect(try complaints(folder) == [])
    }

    @Test("begins a chain where it had none, behind the lines that are there")
    func firstSeal() throws {
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

    // MARK: What no server wrote

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
        try expectWhole(folder)
        #expect(
            try complaints(folder) == [
                "ERROR | log | log_foreign file=app.log.foreign.1 n=\(content.utf8.count) "
                    + "reason=after_stop"
            ])
    }

    @Test(arguments: [true, false])
    func `a file without a seal of ours in the place of a sealed one is moved aside`(
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
        try expectWhole(folder)
        #expect(numbers(try #require(try folder.logLines())) == [0, 1, 2, 3])
    }

    @Test func `the log itself is known under another inode, as in a restored backup`() throws {
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
            try expectWhole(folder)
        }
    }

    @Test func `lines of a process that was killed stay in place`() throws {
        for round in 0..<3 {
            // At once, and after the state was written.
            let logger = try logger()
            write(round * 10..<round * 10 + 3, to: logger)
            if round > 0 { logger.performMaintenance() }
            write(round * 10 + 3..<round * 10 + 4, to: logger)
        }
        try run(30..<31)
        #expect(folder.names == ["app.log"])
        try expectWhole(folder)
    }

    @Test func `a seal of another key behind a stop is no reason to keep lines`() throws {
        try run(0..<3)
        let bytes = try folder.text("app.log")
        let other = SealKey(secret: Array("another key".utf8).span)
        var chain = SealChain(
            after: try #require(try folder.sealedLog().seals.last).head)
        let line = LogLine.whole(Note(9), at: someTime, .text)
        chain.update(line.span)
        let seal = chain.seal(.interval, key: other, at: someTime, .text).line
        try folder.file("app.log", bytes + String(decoding: line + seal, as: UTF8.self))
        try run(3..<4)
        #expect(
            try folder.text("app.log.foreign.1") == String(decoding: line + seal, as: UTF8.self))
        try folder.remove("app.log.foreign.1")
        try expectWhole(folder)
    }

    @Test func `lines of a time without seals stay in place when seals are switched on again`()
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
    func `a change of the format begins a new file`(isKilled: Bool) throws {
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

    @Test(
        "mends a torn line with a seal's beginning in it, and with no line at all",
        arguments: ["2", "2026-11-21T07:00:00.123Z | INFO | log | log_seal sequence=9", "{\n\nto"])
    func torn(content: String) throws {
        try folder.file("app.log", content)
        try run(0..<1)
        #expect(try complaints(folder) == ["INFO | log | log_recovered reason=torn_line"])
        try expectWhole(folder)
    }
}

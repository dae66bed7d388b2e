import Glibc
import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

/// The sum of `log_recovered … dropped=…` and `log_dropped n=…`.
private func dropped(_ lines: [String]) -> Int {
    lines.reduce(0) { sum, line in
        let words = [" | log_dropped n=", " | log_recovered reason=writable dropped="]
        guard let start = words.compactMap({ line.firstRange(of: $0)?.upperBound }).first else {
            return sum
        }
        return sum + Int(line[start...].prefix { $0.isNumber })!
    }
}

final class RecoveryTests {
    let folder: TemporaryFolder
    var options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions(path: folder.path("app.log"))
        options.maximumSize = 1 << 30
    }

    @Test func `until the retry delay is over, commits fail without a system call`() throws {
        options.retryDelays = .seconds(3600)...TimeAmount.seconds(7200)
        let disk = Disk()
        let fileSystem = disk.fileSystem
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        disk.fail(with: .noSpace)
        logger.record(Note(0))
        #expect(logger.commit() == .failed(.noSpace))
        let writes = fileSystem.count(of: .write)
        disk.fail(with: nil)
        inThreads(4) { thread in
            for number in 0..<100 {
                logger.record(Note(1 + thread * 100 + number))
                if logger.commit() != .failed(.noSpace) { Issue.record("not failed") }
            }
        }
        logger.performMaintenance()
        #expect(fileSystem.count(of: .write) == writes)
        #expect(numbers(try folder.lines("app.log")) == [])
        // A stop does not wait for the delay.
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log")
        #expect(
            lines[1].hasSuffix(
                "INFO | log | log_recovered reason=writable dropped=0 "
                    + "error=\"No space left on device\""))
        #expect(numbers(lines).sorted() == Array(0...400))
    }

    @Test func `a failed write is retried once after each delay`() throws {
        options.retryDelays = TimeAmount(milliseconds: 20)...TimeAmount(milliseconds: 20)
        let disk = Disk()
        let fileSystem = disk.fileSystem
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        disk.fail(with: .noSpace)
        logger.record(Note(1))
        let start = MonotonicTime.now
        #expect(logger.commit() == .failed(.noSpace))
        let writes = fileSystem.count(of: .write)
        while fileSystem.count(of: .write) < writes + 5 { _ = logger.commit() }
        // Five attempts have taken five delays.
        #expect(MonotonicTime.now.since(start) >= TimeAmount(milliseconds: 100))
        disk.fail(with: nil)
        while logger.commit() != .written {}
        #expect(numbers(try folder.lines("app.log")) == [1])
    }

    @Test
    func `warnings go to standard error at any level while the file cannot be written`() throws {
        options.standardErrorLevel = .critical
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        let standardError = try FileDescriptor.open(folder.path("stderr"), 0o2101, mode: 0o600)
        let disk = Disk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: standardError.rawValue)
        logger.record(Note(1, level: .error))
        #expect(logger.commit() == .written)
        disk.fail(with: .noSpace)
        logger.record(Note(2, level: .error))
        #expect(logger.commit() == .failed(.noSpace))
        logger.record(Note(3, level: .info))
        logger.record(Note(4, level: .warning))
        logger.record(Note(5, level: .error))
        #expect(logger.commit() == .failed(.noSpace))
        disk.fail(with: nil)
        #expect(logger.commit() == .written)
        logger.record(Note(6, level: .error))
        #expect(logger.stop() == 0)
        let lines = try folder.lines("stderr")
        #expect(numbers(lines) == [4, 5])
        #expect(lines.first?.contains("log_failed reason=\"No space left on device\"") == true)
        #expect(lines.last?.contains("log_recovered reason=writable dropped=0") == true)
        #expect(lines.count == 4)
        #expect(numbers(try folder.lines("app.log")) == Array(1...6))
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `every line of eight threads is written or counted while the disk fails at times`(
        seed: UInt64
    ) throws {
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        let isRepaired = Atomic(false)
        let attempts = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .write, !isRepaired.load(ordering: .relaxed) else { return .done }
            let number = attempts.add(1, ordering: .relaxed).newValue
            // Long failures with a few writes between them, of which some are short.
            if number % 900 < 10 { return number % 3 == Int(seed) % 3 ? .short : .done }
            return .failed(.noSpace)
        }
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        let count = 1500
        inThreads(8) { thread in
            for number in 0..<count {
                logger.record(Note(thread * count + number, padding: 1800))
                if number % 8 == 7 { _ = logger.commit() }
                if number % 400 == 399 { logger.performMaintenance() }
            }
        }
        isRepaired.store(true, ordering: .relaxed)
        #expect(logger.stop() == 0)
        let lines = try #require(completeLines(folder.text("app.log")))
        let found = numbers(lines)
        #expect(found.count + dropped(lines) == 8 * count)
        #expect(Set(found).count == found.count)
        #expect(dropped(lines) > 0)
        for thread in 0..<8 {
            let own = found.filter { $0 / count == thread }
            #expect(own == own.sorted())
        }
    }

    // MARK: A torn line

    @Test(arguments: LogFormat.allCases)
    func `a partial line that cannot be undone is reported, in each format`(format: LogFormat)
        throws
    {
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        options.format = format
        options = options.sealed()
        let isBroken = Atomic(false)
        let hasTorn = Atomic(false)
        let fileSystem = FileSystemDouble { operation, _ in
            guard isBroken.load(ordering: .relaxed) else { return .done }
            switch operation {
            case .write:
                return hasTorn.exchange(true, ordering: .relaxed) ? .failed(.noSpace) : .short
            case .truncate: return .failed(.ioError)
            default: return .done
            }
        }
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        isBroken.store(true, ordering: .relaxed)
        logger.record(Note(1, padding: 200))
        #expect(logger.commit() == .failed(.noSpace))
        isBroken.store(false, ordering: .relaxed)
        #expect(logger.commit() == .written)
        #expect(logger.stop() == 0)
        let events = try folder.lines("app.log").map { line -> String in
            guard let parsed = ParsedLine(Array(line.utf8)[...], format) else { return "torn" }
            let event = String(decoding: parsed.text("event") ?? [], as: UTF8.self)
            let reason = String(decoding: parsed.text("reason") ?? [], as: UTF8.self)
            // In text format, half of a value is also a value.
            let isComplete = event != "note" || parsed.text("text")?.count == 200
            return isComplete ? event + (reason.isEmpty ? "" : " " + reason) : "torn"
        }
        #expect(
            events == [
                "log_open", "log_seal start", "torn", "log_recovered torn_line",
                "log_recovered writable", "note", "log_seal stop",
            ])
        #expect(try folder.sealedLog().faults == [])
    }
}

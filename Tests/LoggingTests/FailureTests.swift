import Dispatch
import Glibc
import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

/// How operations of the file system fail, from one operation on.
enum FailurePattern: CaseIterable, Sendable {
    /// This operation fails.
    case once
    /// A write is short, and the operation after it fails.
    case tornWrite
    /// This operation and the seven after it fail.
    case forAWhile
    /// A write is short, and the six operations after it fail: the partial line stays.
    case tornForAWhile

    func verdict(_ operation: FileSystemDouble.Operation, after count: Int)
        -> FileSystemDouble.Outcome
    {
        switch self {
        case .once: count == 0 ? .failed(.ioError) : .done
        case .tornWrite:
            switch count {
            case 0: operation == .write ? .short : .failed(.noSpace)
            case 1: operation == .write ? .failed(.noSpace) : .done
            default: .done
            }
        case .forAWhile: 0..<8 ~= count ? .failed(.noSpace) : .done
        case .tornForAWhile:
            switch count {
            case 0: operation == .write ? .short : .failed(.noSpace)
            case 1...6: .failed(.noSpace)
            default: .done
            }
        }
    }
}

final class FailureTests {
    let folder: TemporaryFolder
    var options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = .retryingAtOnce(path: folder.path("app.log"))
        options.maximumSize = 700
        options.maximumFiles = 1000
    }

    @Test(arguments: 1...40, FailurePattern.allCases)
    func `after file system failures every acknowledged line is there once, in order`(
        failing first: Int, pattern: FailurePattern
    ) throws {
        // Two files of an earlier run.
        try folder.file("app.log.000001", someStamp + "INFO | app | note n=0\n")
        try folder.file("app.log", someStamp + "INFO | app | note n=1\n")
        let fragments = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { operation, number in
            let verdict = pattern.verdict(operation, after: number - first)
            if operation == .truncate, case .failed = verdict {
                fragments.add(1, ordering: .relaxed)
            }
            return verdict
        }
        let logger: Logger
        do throws(LogOpenError) {
            logger = try Logger(
                options, clock: .fixed(someTime), fileSystem: fileSystem,
                standardErrorDescriptor: devNull.rawValue)
        } catch {
            // The start fails, and has changed nothing.
            #expect(first <= 6)
            #expect(numbers(try #require(try folder.logLines())) == [0, 1])
            return
        }

        var next = 2
        for round in 0..<16 {
            for _ in 0..<3 {
                logger.record(Note(next, padding: 40 + next % 9))
                next += 1
            }
            if round == 6 { try? logger.reopen() }
            let outcome = logger.commit()
            #expect(logger.isHealthy == (outcome == .written))
            if outcome == .written {
                let lines = try #require(try folder.logLines())
                #expect(numbers(lines.filter(isComplete)) == Array(0..<next))
            }
        }
        // A failure that lasts may not be over yet.
        var attempts = 0
        while logger.stop() > 0, attempts < 10 { attempts += 1 }
        #expect(attempts < 10)
        #expect(logger.isHealthy)

        let lines = try #require(try folder.logLines())
        let complete = lines.filter(isComplete)
        #expect(numbers(complete) == Array(0..<next))
        #expect(lines.count - complete.count <= fragments.load(ordering: .relaxed))
        #expect(!lines.contains { $0.contains("log_dropped") })
    }

    @Test func `the failure scenario without failures performs at least 40 operations`() throws {
        let operations = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { _, number in
            operations.store(number, ordering: .relaxed)
            return .done
        }
        let logger = try Logger(options, clock: .fixed(someTime), fileSystem: fileSystem)
        for round in 0..<16 {
            for number in 0..<3 { logger.record(Note(round * 3 + number, padding: 44)) }
            if round == 6 { try logger.reopen() }
            #expect(logger.commit() == .written)
        }
        #expect(operations.load(ordering: .relaxed) >= 40)
    }

    // A file that is emptied in place, as by logrotate's `copytruncate`.
    @Test
    func `a torn write is undone at the current end of the file, not the earlier one`() throws {
        options.maximumSize = 1 << 20
        let writes = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .write else { return .done }
            switch writes.wrappingAdd(1, ordering: .relaxed).newValue {
            case 2: return .short
            case 3: return .failed(.noSpace)
            default: return .done
            }
        }
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        #expect(logger.commit() == .written)
        _ = try FileDescriptor.open(options.path, O_WRONLY | O_TRUNC)
        logger.record(Note(1))
        #expect(logger.commit() == .failed(.noSpace))
        #expect(try folder.text("app.log") == "")
        #expect(logger.commit() == .written)
        let lines = try #require(completeLines(folder.text("app.log")))
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix(someStamp + "INFO | log | log_recovered reason=writable "))
        #expect(lines[1] == someStamp + "INFO | app | note n=1")
    }

    /// Whether a line has its last field, or is one of the log's own events.
    private func isComplete(_ line: String) -> Bool {
        guard line.hasPrefix(someStamp) else { return false }
        guard let number = numbers([line]).first else {
            return line.hasSuffix("\"") && line.contains("log_failed reason=\"cannot rotate: ")
                || line.hasSuffix("\"") && line.contains("reason=writable dropped=0 error=\"")
                || [
                    "log_open file=app.log", "reason=size", "reason=torn_line", "reason=signal",
                    "reason=moved",
                ].contains { line.hasSuffix($0) }
        }
        let padding = String(repeating: "x", count: 40 + number % 9)
        return number < 2 || line.hasSuffix(" n=\(number) text=\(padding)")
    }

    @Test func `log_recovered is recorded once the file can be written again`() throws {
        let disk = Disk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        #expect(logger.commit() == .written)
        disk.fail(with: .noSpace)
        logger.record(Note(1))
        #expect(logger.commit() == .failed(.noSpace))
        #expect(!logger.isHealthy)
        disk.fail(with: .ioError)
        #expect(logger.commit() == .failed(.ioError))
        disk.fail(with: nil)
        #expect(!logger.isHealthy)
        logger.record(Note(2))
        #expect(logger.commit() == .written)
        #expect(logger.isHealthy)
        let lines = try #require(completeLines(folder.text("app.log"))).map { $0.dropFirst(27) }
        #expect(
            lines == [
                "INFO | log | log_open file=app.log",
                "INFO | log | log_recovered reason=writable dropped=0 "
                    + "error=\"Input/output error\"",
                "INFO | app | note n=1", "INFO | app | note n=2",
            ])
    }

    // MARK: Memory

    /// The sum of `log_recovered … dropped=…` and `log_dropped n=…`.
    private func dropped(_ text: String) -> Int {
        text.split(separator: "\n").reduce(0) { sum, line in
            let words = [" | log_dropped n=", " | log_recovered reason=writable dropped="]
            guard let start = words.compactMap({ line.firstRange(of: $0)?.upperBound }).first else {
                return sum
            }
            return sum + Int(line[start...].prefix { $0.isNumber })!
        }
    }

    @Test
    func `lines beyond the buffer's capacity are dropped and counted while writes fail`() throws {
        options.maximumSize = 1 << 30
        let disk = Disk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        disk.fail(with: .noSpace)
        for number in 0..<40_000 {
            logger.record(Note(number, padding: 150))
            if number % 1000 == 0 { #expect(logger.commit() == .failed(.noSpace)) }
        }
        #expect(logger.commit() == .failed(.noSpace))
        disk.fail(with: nil)
        // The next commit reports the lost lines; after it the log is healthy.
        #expect(logger.commit() == .failed(.noSpace))
        #expect(logger.isHealthy)
        let text = try folder.text("app.log")
        let kept = numbers(try #require(completeLines(text)))
        #expect(kept == Array(0..<kept.count))
        #expect(kept.count > 15_000)
        #expect(text.utf8.count <= 4 * 1024 * 1024 + 512)
        #expect(dropped(text) == 40_000 - kept.count)

        logger.record(Note(40_000))
        #expect(logger.commit() == .written)
        let lines = try #require(completeLines(folder.text("app.log")))
        #expect(numbers(lines).last == 40_000)
        #expect(dropped(try folder.text("app.log")) == 40_000 - kept.count)
    }

    @Test
    func `each committer learns once that a line was dropped, whichever commits first`() throws {
        options.maximumSize = 1 << 30
        let disk = Disk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        var (one, other): (UInt64, UInt64) = (0, 0)
        #expect(logger.commit(since: &one) == .written)
        disk.fail(with: .noSpace)
        for number in 0..<40_000 { logger.record(Note(number, padding: 150)) }
        disk.fail(with: nil)
        // The first commit records the loss; the second committer's line may have been lost, too.
        #expect(logger.commit(since: &one) != .written)
        #expect(logger.commit(since: &other) != .written)
        #expect(logger.commit(since: &one) == .written)
        #expect(logger.commit(since: &other) == .written)
    }

    @Test func `the number of dropped lines is recorded whatever the levels are`() throws {
        options.maximumSize = 1 << 30
        options.level = .critical
        options.fileLevel = .critical
        let disk = Disk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        disk.fail(with: .noSpace)
        logger.record(Note(0, level: .critical))
        #expect(logger.commit() == .failed(.noSpace))
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 3800)
        for _ in 0..<1300 {
            var note = Note(bytes: long)
            note.level = .critical
            logger.record(note)
        }
        disk.fail(with: nil)
        _ = logger.stop()
        let text = try folder.text("app.log")
        let kept = text.split(separator: "\n").count { $0.hasSuffix("xxx") }
        #expect(kept < 1300)
        #expect(dropped(text) == 1300 - kept)
    }

    /// A disk that is slow once `isSlow` is set: each write signals `begun`, and waits for its
    /// result.
    private final class SlowDisk: Sendable {
        let isSlow = Atomic<Bool>(false)
        let begun = DispatchSemaphore(value: 0)
        private let end = DispatchSemaphore(value: 0)
        private let verdict = Monitor<FileSystemDouble.Outcome>(.done)

        func end(with verdict: FileSystemDouble.Outcome) {
            self.verdict.withLock { $0 = verdict }
            end.signal()
        }

        var fileSystem: FileSystemDouble {
            FileSystemDouble { operation, _ in
                guard operation == .write, self.isSlow.load(ordering: .relaxed) else {
                    return .done
                }
                self.begun.signal()
                self.end.wait()
                return self.verdict.withLock { $0 }
            }
        }
    }

    // Lines that wait and lines being written share the capacity; otherwise each failure would add
    // to it.
    @Test func `memory does not grow with each slow write that fails`() throws {
        options.maximumSize = 1 << 30
        let disk = SlowDisk()
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        disk.isSlow.store(true, ordering: .relaxed)
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 3800)
        var next = 0
        func record(_ count: Int) {
            for _ in 0..<count {
                var note = Note(bytes: long)
                note.number = next
                logger.record(note)
                next += 1
            }
        }
        record(1)
        for round in 0..<4 {
            let writer = TestThread { _ = logger.commit() }
            disk.begun.wait()
            // In the first round no write has failed yet, and recording too much would wait for the
            // writer.
            record(round == 0 ? 20 : 1300)
            disk.end(with: .failed(.noSpace))
            writer.join()
        }
        // The last write succeeds, while more lines are recorded than fit.
        let writer = TestThread { _ = logger.commit() }
        disk.begun.wait()
        // The write begins with the line that reports what was lost so far.
        disk.end(with: .done)
        disk.begun.wait()
        record(10)
        disk.end(with: .done)
        // The line that reports what was lost meanwhile.
        disk.begun.wait()
        disk.end(with: .done)
        writer.join()

        let text = try folder.text("app.log")
        #expect(text.utf8.count <= 4 * 1024 * 1024 + 512)
        let kept = numbers(try #require(completeLines(text)))
        #expect(kept == kept.sorted())
        #expect(Set(kept).count == kept.count)
        #expect(dropped(text) == next - kept.count)
    }
}

import Dispatch
import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

/// Tells whether its fields were formatted.
private final class FieldProbe: LogEvent {
    let level: Level
    let area: Area
    private let formatted = Atomic<Int>(0)

    init(_ level: Level, _ area: Area = .app) {
        self.level = level
        self.area = area
    }

    var name: StaticString { "probe" }
    func write(to line: inout LogLine) { formatted.add(1, ordering: .relaxed) }
    var wasFormatted: Bool { formatted.load(ordering: .relaxed) > 0 }
}

final class LoggerTests {
    let folder: TemporaryFolder
    var options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions(path: folder.path("app.log"))
    }

    private func logger(
        _ clock: WallClock = .fixed(someTime), _ fileSystem: any FileSystem = SystemFileSystem()
    ) throws -> Logger {
        try Logger(
            options, clock: clock, fileSystem: fileSystem, standardErrorDescriptor: devNull.rawValue
        )
    }

    @Test func `committed lines are in the file in the order of recording`() throws {
        let logger = try logger()
        let opened = someStamp + "INFO | log | log_open file=app.log\n"
        #expect(try folder.text("app.log") == opened)
        logger.record(Note(1))
        logger.record(Note("two"))
        logger.record(Note(3, level: .critical, area: .security))
        #expect(try folder.text("app.log") == opened)
        #expect(logger.commit() == .written)
        let expected = [
            "INFO | log | log_open file=app.log", "INFO | app | note n=1",
            "INFO | app | note text=two", "CRITICAL | security | note n=3",
        ].map { someStamp + $0 + "\n" }.joined()
        #expect(try folder.text("app.log") == expected)
        logger.record(Note(4))
        #expect(logger.commit() == .written)
        #expect(try folder.text("app.log") == expected + someStamp + "INFO | app | note n=4\n")
        #expect(logger.isHealthy)
    }

    @Test func `each line has the time at which it was recorded`() throws {
        let milliseconds = Atomic<Int64>(0)
        let logger = try logger(
            WallClock { someTime + TimeAmount(milliseconds: milliseconds.load(ordering: .relaxed)) }
        )
        for number in 1...2 {
            milliseconds.add(500, ordering: .relaxed)
            logger.record(Note(number))
        }
        #expect(logger.commit() == .written)
        let times = try #require(completeLines(try folder.text("app.log"))).map { $0.prefix(24) }
        #expect(
            times == [
                "2026-11-21T07:00:00.123Z", "2026-11-21T07:00:00.623Z", "2026-11-21T07:00:01.123Z",
            ])
    }

    @Test func `a new run appends to the lines of an earlier run`() throws {
        for number in 1...3 {
            let logger = try logger()
            logger.record(Note(number))
            #expect(logger.stop() == 0)
        }
        #expect(numbers(try #require(try folder.logLines())) == [1, 2, 3])
    }

    @Test(
        arguments: [
            (.text, "2026-11-21T07:00:00.123Z | WARNING | app | note n=1\n"),
            (
                .json,
                """
                {"time":"2026-11-21T07:00:00.123Z","level":"WARNING","area":"app","event":"note",\
                "n":1}

                """
            ),
            (.logfmt, "time=2026-11-21T07:00:00.123Z level=WARNING area=app event=note n=1\n"),
        ] as [(LogFormat, String)])
    func `the file and standard error have the same format`(format: LogFormat, line: String) throws
    {
        let standardError = try FileDescriptor.open(folder.path("stderr"), 0o1101, mode: 0o600)
        options.format = format
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: standardError.rawValue)
        logger.record(Note(1, level: .warning))
        #expect(logger.stop() == 0)
        #expect(try folder.text("stderr") == line)
        #expect(try folder.text("app.log").hasSuffix("\n" + line))
    }

    // MARK: Levels

    @Test func `an event below the level of its area is never formatted`() throws {
        options.level = .warning
        options.areas = [.http: .critical]
        let logger = try logger()
        let unwanted = [
            FieldProbe(.debug), FieldProbe(.info), FieldProbe(.error, .http),
            FieldProbe(.info, .security),
        ]
        let wanted = [
            FieldProbe(.warning), FieldProbe(.critical, .http), FieldProbe(.warning, .security),
        ]
        for event in unwanted + wanted { logger.record(event) }
        #expect(!unwanted.contains { $0.wasFormatted })
        #expect(wanted.allSatisfy { $0.wasFormatted })
        #expect(logger.commit() == .written)
        #expect(try folder.text("app.log").split(separator: "\n").count == 1 + wanted.count)
    }

    @Test func `an event below both sink levels is never formatted`() throws {
        options.fileLevel = .error
        options.standardErrorLevel = .critical
        let logger = try logger()
        let event = FieldProbe(.warning)
        logger.record(event)
        #expect(!event.wasFormatted)
    }

    @Test func `levels can be changed while the log is open`() throws {
        let logger = try logger()
        logger.record(Note(1, level: .debug))
        logger.levels.set(all: .debug, areas: [:])
        options.fileLevel = .debug
        logger.record(Note(2, level: .info))
        logger.levels.set(all: .error, areas: [.http: .info])
        logger.record(Note(3, level: .warning))
        logger.record(Note(4, level: .info, area: .http))
        #expect(logger.commit() == .written)
        #expect(numbers(try #require(try folder.logLines())) == [2, 4])
    }

    @Test
    func `each sink has the events of its level, and the file all security warnings`() throws {
        let errors = folder.path("stderr")
        let standardError = try FileDescriptor.open(errors, 0o1101, mode: 0o600)
        options.fileLevel = .critical
        options.standardErrorLevel = .error
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: standardError.rawValue)
        logger.record(Note(1, level: .warning))
        logger.record(Note(2, level: .error))
        logger.record(Note(3, level: .critical))
        logger.record(Note(4, level: .info, area: .security))
        logger.record(Note(5, level: .warning, area: .security))
        logger.record(Note(6, level: .error, area: .security))
        #expect(logger.stop() == 0)
        let inFile = numbers(try #require(try folder.logLines()))
        #expect(inFile == [3, 5, 6])
        let onError = try folder.text("stderr")
        #expect(numbers(try #require(completeLines(onError))) == [2, 3, 6])
        #expect(onError.hasPrefix(someStamp + "ERROR | app | note n=2\n"))
    }

    // MARK: Commit

    @Test func `a batch of any size is one write`() throws {
        let fileSystem = FileSystemDouble()
        let logger = try logger(.fixed(someTime), fileSystem)
        for count in [1, 10, 1000] {
            let before = fileSystem.count(of: .write)
            for number in 0..<count { logger.record(Note(number)) }
            #expect(fileSystem.count(of: .write) == before)
            #expect(logger.commit() == .written)
            #expect(fileSystem.count(of: .write) == before + 1)
        }
    }

    @Test func `nothing is written if nothing was recorded`() throws {
        options.level = .critical
        let fileSystem = FileSystemDouble()
        let logger = try logger(.fixed(someTime), fileSystem)
        // The line `log_open`.
        #expect(fileSystem.count(of: .write) == 1)
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        #expect(logger.stop() == 0)
        #expect(fileSystem.count(of: .write) == 1)
    }

    @Test func `a long batch is written before its commit`() throws {
        let fileSystem = FileSystemDouble()
        let logger = try logger(.fixed(someTime), fileSystem)
        // 2 MiB of lines.
        for number in 0..<2048 { logger.record(Note(number, padding: 1000)) }
        #expect(fileSystem.count(of: .write) >= 2)
        #expect(fileSystem.count(of: .write) <= 100)
        #expect(logger.commit() == .written)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<2048))
    }

    @Test func `a short write is continued`() throws {
        let logger = try logger(
            .fixed(someTime),
            FileSystemDouble { _, number in
                number % 7 == 0 ? .done : .short
            })
        for number in 0..<100 { logger.record(Note(number)) }
        #expect(logger.commit() == .written)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<100))
    }

    // MARK: Threads

    @Test func `all lines of eight threads are complete, and in order for each thread`() throws {
        options.maximumSize = 128 * 1024
        options.maximumFiles = 1000
        let logger = try logger(.system)
        inThreads(8) { thread in
            for number in 0..<2000 {
                logger.record(Note(thread * 2000 + number, padding: number % 80))
                if number % 50 == 49, logger.commit() != .written { Issue.record("not written") }
            }
        }
        let lines = try #require(try folder.logLines())
        let found = numbers(lines)
        #expect(found.count == 16_000)
        for thread in 0..<8 {
            #expect(
                found.filter { $0 / 2000 == thread } == Array(thread * 2000..<thread * 2000 + 2000))
        }
        for line in lines where line.contains(" | note n=") {
            let number = try #require(numbers([line]).first)
            let padding = String(repeating: "x", count: number % 2000 % 80)
            let text = padding.isEmpty ? "\"\"" : padding
            if line.dropFirst(24) != " | INFO | app | note n=\(number) text=\(text)" {
                Issue.record("torn: \(line)")
            }
        }
        #expect(lines.count == 16_000 + 1 + folder.logFiles.count - 1)
        let times = lines.filter { !$0.contains("log_rotate") }.map { $0.prefix(24) }
        #expect(times == times.sorted())
    }

    @Test func `a line is in the file when commit returns, whichever thread wrote it`() throws {
        let path = folder.path("app.log")
        let logger = try logger()
        inThreads(8) { thread in
            do throws(Errno) {
                let file = try FileDescriptor.open(path, 0)
                var text: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 65_536)
                for number in thread * 1000..<thread * 1000 + 100 {
                    logger.record(Note(number))
                    guard logger.commit() == .written else { throw .ioError }
                    // The bytes since the last read.
                    while true {
                        var span = buffer.mutableSpan
                        let count = try file.read(into: &span)
                        if count == 0 { break }
                        text += buffer[..<count]
                    }
                    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map(
                        String.init)
                    if !numbers(lines).contains(number) { Issue.record("\(number) is missing") }
                    text = []
                }
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test func `waiting commits are written together by the next writer`() throws {
        let entered = DispatchSemaphore(value: 0)
        let canContinue = DispatchSemaphore(value: 0)
        let isFirst = Atomic(false)
        let fileSystem = FileSystemDouble { operation, _ in
            // The first write waits for `canContinue`.
            if operation == .write, isFirst.exchange(false, ordering: .relaxed) {
                entered.signal()
                canContinue.wait()
            }
            return .done
        }
        let logger = try logger(.fixed(someTime), fileSystem)
        isFirst.store(true, ordering: .relaxed)
        let writesBefore = fileSystem.count(of: .write)
        logger.record(Note(7))
        let leader = TestThread { _ = logger.commit() }
        entered.wait()
        let recorded = DispatchSemaphore(value: 0)
        let followers = (0..<7).map { number in
            TestThread {
                logger.record(Note(number))
                recorded.signal()
                if logger.commit() != .written { Issue.record("not written") }
            }
        }
        for _ in followers { recorded.wait() }
        #expect(numbers(try #require(try folder.logLines())) == [])
        canContinue.signal()
        leader.join()
        for follower in followers { follower.join() }
        #expect(fileSystem.count(of: .write) == writesBefore + 2)
        #expect(numbers(try #require(try folder.logLines())).sorted() == Array(0...7))
    }

}

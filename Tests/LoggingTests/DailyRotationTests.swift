import Logging
import POSIX
import TestSupport
import Testing
import Time

@Suite("A log that begins a new file each day")
final class DailyRotationTests {
    let folder: TemporaryFolder
    var options: LogOptions
    /// A second before midnight, UTC.
    let clock = TestClock(Timestamp(seconds: 1_795_305_599))

    init() throws {
        folder = try TemporaryFolder()
        options = .impatient(path: folder.path("app.log"))
        options.rotatesDaily = true
    }

    private func logger(_ fileSystem: any FileSystem = SystemFileSystem()) throws -> Logger {
        try Logger(
            options, clock: clock.clock, fileSystem: fileSystem,
            standardErrorDescriptor: nowhere.rawValue)
    }

    private func write(_ number: Int, to logger: Logger) {
        logger.record(Note(number))
        #expect(logger.commit() == .written)
    }

    /// The fields of a line of a known event, in whatever format.
    private func fields(_ line: String, _ names: [String]) -> [String]? {
        guard let parsed = ParsedLine(Array(line.utf8)[...], options.format) else { return nil }
        return names.map { String(decoding: parsed.text($0) ?? [], as: UTF8.self) }
    }

    @Test("does so at midnight, between two batches", arguments: LogFormat.allCases, [true, false])
    func midnight(format: LogFormat, isSealed: Bool) throws {
        options.format = format
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1, to: logger)
        clock.advance(TimeAmount(milliseconds: 999))
        write(2, to: logger)
        #expect(folder.names == ["app.log"])
        clock.advance(TimeAmount(milliseconds: 1))
        write(3, to: logger)
        write(4, to: logger)
        #expect(folder.names == ["app.log", "app.log.000001"])
        let old = try folder.lines("app.log.000001")
        let new = try folder.lines("app.log")
        let last = try #require(fields(old.last ?? "", ["event", "reason", "n"]))
        #expect(
            isSealed ? last[..<2] == ["log_seal", "rotate"] : last[2] == "2" || last[0] == "note")
        let first = try #require(fields(new[0], ["time", "level", "event", "file", "reason"]))
        #expect(
            first == [
                "2026-11-22T00:00:00.000Z", "INFO", "log_rotate", "app.log.000001", "day",
            ])
        #expect(new.count { $0.contains("note") } == 2)
        #expect(old.count { $0.contains("note") } == 2)
        // Only once a day.
        clock.advance(.seconds(86_399))
        write(5, to: logger)
        #expect(folder.names.count == 2)
        clock.advance(.seconds(1))
        write(6, to: logger)
        #expect(folder.names == ["app.log", "app.log.000001", "app.log.000002"])
        if isSealed {
            #expect(logger.stop() == 0)
            #expect(try folder.sealedLog().faults == [])
        }
    }

    @Test("goes by the day in the first line that it finds", arguments: LogFormat.allCases)
    func found(format: LogFormat) throws {
        options.format = format
        var first: Logger? = try logger()
        write(1, to: first!)
        #expect(first?.stop() == 0)
        first = nil
        // The same day: it goes on.
        var second: Logger? = try logger()
        write(2, to: second!)
        #expect(second?.stop() == 0)
        second = nil
        #expect(folder.names == ["app.log"])
        clock.advance(.seconds(1))
        let third = try logger()
        write(3, to: third)
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(try folder.lines("app.log.000001").count { $0.contains("note") } == 2)
        let new = try folder.lines("app.log")
        #expect(fields(new[0], ["event", "reason"]) == ["log_rotate", "day"])
        #expect(fields(new[1], ["event"]) == ["log_open"])
        #expect(fields(new[2], ["event"]) == ["note"])
    }

    @Test(
        "takes a file whose first line has no day that it can read for an old one",
        arguments: [
            "2\n", "time=2026\n", "2026-11-2\n", "{\"time\":\"\n", "t\n", "2026-11-20T\n", "{",
        ])
    func unknownDay(content: String) throws {
        try folder.file("app.log", content)
        write(1, to: try logger())
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(try folder.text("app.log.000001").hasPrefix(content))
        #expect(try folder.text("app.log").contains(" log_rotate file=app.log.000001 reason=day\n"))
    }

    @Test("takes an empty file for today's")
    func empty() throws {
        try folder.file("app.log", "")
        write(1, to: try logger())
        #expect(folder.names == ["app.log"])
    }

    @Test("never puts away a file with nothing in it but its own first lines")
    func silentDays() throws {
        let logger = try logger()
        for _ in 0..<5 {
            clock.advance(.seconds(86_400))
            logger.performMaintenance()
        }
        #expect(folder.names == ["app.log"])
        #expect(try folder.lines("app.log").count == 1)
        // What comes at last is of one day, and stays together.
        for number in 1...3 { write(number, to: logger) }
        #expect(folder.names == ["app.log"])
        clock.advance(.seconds(86_400))
        logger.performMaintenance()
        #expect(folder.names == ["app.log", "app.log.000001"])
        for _ in 0..<5 {
            clock.advance(.seconds(86_400))
            logger.performMaintenance()
        }
        #expect(folder.names == ["app.log", "app.log.000001"])
        for number in 4...6 { write(number, to: logger) }
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(numbers(try folder.lines("app.log")) == [4, 5, 6])
    }

    @Test("does so though nobody writes", arguments: [true, false])
    func keepUp(isSealed: Bool) throws {
        if isSealed { options = options.sealed() }
        let logger = try logger()
        write(1, to: logger)
        logger.performMaintenance()
        #expect(folder.names == ["app.log"])
        clock.advance(.seconds(1))
        logger.performMaintenance()
        #expect(folder.names == ["app.log", "app.log.000001"])
        let first = try folder.lines("app.log")[0]
        #expect(
            first == "2026-11-22T00:00:00.000Z | INFO | log | log_rotate file=app.log.000001 "
                + "reason=day")
    }

    @Test("does so when the clock is put back to another day, too")
    func backwards() throws {
        let logger = try logger()
        write(1, to: logger)
        clock.advance(.seconds(-86_400))
        write(2, to: logger)
        write(3, to: logger)
        #expect(folder.names == ["app.log", "app.log.000001"])
    }

    @Test("goes on in the old file while it cannot, and does so later")
    func failing() throws {
        let isBroken = Monitor(true)
        let journal = FileSystemJournal { entry in
            entry.hasPrefix("rename") && isBroken.withLock { $0 } ? .noSpace : nil
        }
        options.maximumSize = 10_000
        let logger = try logger(journal)
        write(0, to: logger)
        clock.advance(.seconds(1))
        for number in 1...100 { write(number, to: logger) }
        #expect(folder.names == ["app.log"])
        // Not at each line.
        #expect(journal.take().count { $0.hasPrefix("rename") } <= 3)
        isBroken.withLock { $0 = false }
        for number in 101...200 { write(number, to: logger) }
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(numbers(try #require(try folder.logLines())) == Array(0...200))
    }

    @Test("does nothing of that unless it was told to")
    func off() throws {
        options.rotatesDaily = false
        for number in 1...3 {
            let logger = try logger()
            write(number, to: logger)
            clock.advance(.seconds(86_400))
            logger.performMaintenance()
            write(number, to: logger)
        }
        #expect(folder.names == ["app.log"])
    }
}

import Logging
import POSIX
import TestSupport
import Testing
import Time

final class DailyRotationTests: LogSuite {
    let folder: TemporaryFolder
    var options: LogOptions
    /// One second before midnight, UTC.
    let clock = TestClock(Timestamp(seconds: 1_795_305_599))

    init() throws {
        folder = try TemporaryFolder()
        options = .retryingAtOnce(path: folder.path("app.log"))
        options.rotatesDaily = true
    }

    private func write(_ number: Int, to logger: Logger) {
        logger.record(Note(number))
        #expect(logger.commit() == .written)
    }

    /// Fields of a line in the current format.
    private func fields(_ line: String, _ names: [String]) -> [String]? {
        guard let parsed = ParsedLine(Array(line.utf8)[...], options.format) else { return nil }
        return names.map { String(decoding: parsed.text($0) ?? [], as: UTF8.self) }
    }

    @Test(arguments: LogFormat.allCases, [true, false])
    func `a log that rotates daily does so at midnight, between two batches`(
        format: LogFormat, isSealed: Bool
    ) throws {
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

    @Test(arguments: LogFormat.allCases)
    func `the date of the first line decides whether an existing file is rotated`(format: LogFormat)
        throws
    {
        options.format = format
        var first: Logger? = try logger()
        write(1, to: first!)
        #expect(first?.stop() == 0)
        first = nil
        // The same day: the file continues.
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

    @Test(arguments: [
        "2\n", "time=2026\n", "2026-11-2\n", "{\"time\":\"\n", "t\n", "2026-11-20T\n", "{",
    ])
    func `a file whose first line has no readable date is rotated`(content: String) throws {
        try folder.file("app.log", content)
        write(1, to: try logger())
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(try folder.text("app.log.000001").hasPrefix(content))
        #expect(try folder.text("app.log").contains(" log_rotate file=app.log.000001 reason=day\n"))
    }

    @Test func `an empty file counts as a file of today`() throws {
        try folder.file("app.log", "")
        write(1, to: try logger())
        #expect(folder.names == ["app.log"])
    }

    @Test func `a file with only its own first lines is not rotated daily`() throws {
        let logger = try logger()
        for _ in 0..<5 {
            clock.advance(.seconds(86_400))
            logger.performMaintenance()
        }
        #expect(folder.names == ["app.log"])
        #expect(try folder.lines("app.log").count == 1)
        // The first notes are of one day, and stay in one file.
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

    @Test(arguments: [true, false])
    func `maintenance rotates at midnight without new lines`(isSealed: Bool) throws {
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

    @Test func `a clock that is set back to another day rotates the file`() throws {
        let logger = try logger()
        write(1, to: logger)
        clock.advance(.seconds(-86_400))
        write(2, to: logger)
        write(3, to: logger)
        #expect(folder.names == ["app.log", "app.log.000001"])
    }

    @Test func `a failed daily rotation continues the old file and is retried`() throws {
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
        // Not at every line.
        #expect(journal.take().count { $0.hasPrefix("rename") } <= 3)
        isBroken.withLock { $0 = false }
        for number in 101...200 { write(number, to: logger) }
        #expect(folder.names == ["app.log", "app.log.000001"])
        #expect(numbers(try #require(try folder.logLines())) == Array(0...200))
    }

    @Test func `without daily rotation a new day does not start a new file`() throws {
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

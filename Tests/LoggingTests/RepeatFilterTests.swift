import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

/// An event that may be repeated: `refused n=… address=…`.
private struct Refused: LogEvent {
    var reason: StaticString = "wrong_password"
    var address = "192.0.2.1"
    let number: Int
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "refused" }
    var repetition: Repetition? { Repetition(name, reason, from: Array(address.utf8).span) }

    func write(to line: inout LogLine) {
        line.field("n", Int64(number))
        line.field("reason", reason)
        line.field("address", address)
    }
}

@Suite("Events that are repeated")
final class RepeatFilterTests {
    let folder: TemporaryFolder
    let clock = TestClock(Timestamp(seconds: 1_795_244_400))

    init() throws { folder = try TemporaryFolder() }

    private func logger(_ clock: WallClock? = nil) throws -> Logger {
        var options = LogOptions(path: folder.path("app.log"))
        options.maximumSize = 1 << 30
        return try Logger(
            options, clock: clock ?? self.clock.clock, standardErrorDescriptor: nowhere.number)
    }

    private func lines(of logger: Logger) throws -> [String] {
        #expect(logger.commit() == .written)
        return try folder.lines("app.log").filter { $0.contains("refused") }
    }

    private func number(_ name: String, in line: String) -> Int? {
        line.firstRange(of: " \(name)=").flatMap {
            Int(line[$0.upperBound...].prefix { $0 != " " })
        }
    }

    @Test("are written twenty times a second; the rest of that second is one line, from the next")
    func next() throws {
        let logger = try logger()
        for number in 0..<100 { logger.record(Refused(number: number)) }
        #expect(try lines(of: logger).map { number("n", in: $0) } == Array(0..<20))
        clock.advance(.seconds(1))
        logger.record(Refused(number: 100))
        let lines = try lines(of: logger)
        #expect(lines.count == 22)
        #expect(
            lines[20].hasSuffix(
                "refused n=99 reason=wrong_password address=192.0.2.1 suppressed=80"))
        #expect(lines[21].hasSuffix("refused n=100 reason=wrong_password address=192.0.2.1"))
        // The next second has its own twenty.
        for number in 101..<130 { logger.record(Refused(number: number)) }
        #expect(try self.lines(of: logger).count == 22 + 19)
    }

    @Test(
        "are counted in a line when the second is over, though no other comes", arguments: [1, 9])
    func keepUp(seconds: Int64) throws {
        let logger = try logger()
        for number in 0..<21 { logger.record(Refused(number: number)) }
        logger.keepUp()
        #expect(try lines(of: logger).count == 20)
        clock.advance(.seconds(seconds))
        logger.keepUp()
        #expect(
            try lines(of: logger).last?.hasSuffix(
                " n=20 reason=wrong_password "
                    + "address=192.0.2.1 suppressed=1") == true)
        logger.keepUp()
        #expect(try lines(of: logger).count == 21)
    }

    @Test("are counted in a line before the log ends")
    func stop() throws {
        let logger = try logger()
        for number in 0..<1000 { logger.record(Refused(number: number)) }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log")
        #expect(lines.count == 22)
        #expect(lines.last?.hasSuffix(" suppressed=980") == true)
    }

    @Test("are all written where they are no more than twenty")
    func few() throws {
        let logger = try logger()
        for second in 0..<5 {
            for number in 0..<20 { logger.record(Refused(number: second * 20 + number)) }
            clock.advance(.seconds(1))
            logger.keepUp()
        }
        #expect(try lines(of: logger).map { number("n", in: $0) } == Array(0..<100))
    }

    @Test("are others' if their reason or their address is another")
    func kinds() throws {
        let logger = try logger()
        for number in 0..<30 {
            for reason in ["expired", "unknown"] as [StaticString] {
                for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
                    logger.record(Refused(reason: reason, address: address, number: number))
                }
            }
        }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log").filter { $0.contains("refused") }
        #expect(lines.count == 6 * 21)
        let summaries = lines.filter { $0.hasSuffix(" suppressed=10") }
        #expect(Set(summaries.map { $0.split(separator: " n=29 ")[1] }).count == 6)
    }

    @Test("are never held back where they have no repetition")
    func without() throws {
        let logger = try logger()
        for number in 0..<1000 { logger.record(Note(number, level: .warning)) }
        #expect(logger.commit() == .written)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<1000))
    }

    @Test("count for nothing below the level, and cost nobody a line")
    func levels() throws {
        let logger = try logger()
        logger.levels.set(all: .critical, areas: [:])
        // Security events at WARNING stay.
        for number in 0..<30 { logger.record(Refused(number: number)) }
        #expect(try lines(of: logger).count == 20)
    }

    @Test("are watched for so many addresses, and written as if there were no filter past that")
    func manyAddresses() throws {
        let logger = try logger()
        for number in 0..<100_000 {
            logger.record(Refused(address: "address-\(number)", number: number))
        }
        // Those that found a place are held back, the others are not.
        for number in 0..<100 {
            for address in ["address-0", "address-99999"] {
                logger.record(Refused(address: address, number: 100_000 + number))
            }
        }
        #expect(try lines(of: logger).count == 100_000 + 19 + 100)
        // Room is made as soon as a second is over.
        clock.advance(.seconds(1))
        for number in 0..<100 {
            logger.record(Refused(address: "address-99999", number: 200_000 + number))
        }
        #expect(try lines(of: logger).count == 100_000 + 19 + 100 + 20)
        #expect(logger.stop() == 0)
        let summaries = try folder.lines("app.log").compactMap { number("suppressed", in: $0) }
        #expect(summaries.sorted() == [80, 81])
    }

    @Test("are all accounted for, from many threads at once, over many seconds")
    func accounting() throws {
        let milliseconds = Atomic<Int64>(0)
        let logger = try logger(
            WallClock {
                // A second passes every few thousand looks at the clock.
                someTime + Milliseconds(milliseconds.add(1, ordering: .relaxed).newValue / 4)
            })
        inThreads(8) { thread in
            for number in 0..<4000 {
                logger.record(
                    Refused(address: "192.0.2.\(number % 3)", number: thread * 4000 + number))
                if number % 100 == 99 { logger.keepUp() }
            }
        }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log").filter { $0.contains("refused") }
        let held = lines.compactMap { number("suppressed", in: $0) }
        #expect(lines.count - held.count + held.reduce(0, +) == 32_000)
        #expect(held.count > 3)
        #expect(lines.count < 32_000)
    }
}

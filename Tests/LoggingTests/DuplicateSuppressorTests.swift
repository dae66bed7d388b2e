import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

final class DuplicateSuppressorTests {
    let folder: TemporaryFolder
    let clock = TestClock(Timestamp(seconds: 1_795_244_400))

    init() throws { folder = try TemporaryFolder() }

    private func logger(_ clock: WallClock? = nil) throws -> Logger {
        var options = LogOptions(path: folder.path("app.log"))
        options.maximumSize = 1 << 30
        return try Logger(
            options, clock: clock ?? self.clock.clock, standardErrorDescriptor: devNull.rawValue)
    }

    private func lines(of logger: Logger) throws -> [String] {
        #expect(logger.commit() == .written)
        return try folder.lines("app.log").filter { $0.contains("refused") }
    }

    /// Expects that each of `count` events has a line or is counted in a summary.
    private func expectAll(_ count: Int, _ lines: [String]) {
        let suppressed = lines.compactMap { number("suppressed", in: $0) }
        #expect(lines.count - suppressed.count + suppressed.reduce(0, +) == count)
    }

    @Test func `at most twenty lines of one kind and network are written in a second`() throws {
        let logger = try logger()
        for number in 0..<100 { logger.record(Refused(number)) }
        #expect(try lines(of: logger).map { number("n", in: $0) } == Array(0..<20))
        clock.advance(.seconds(1))
        for number in 100..<130 { logger.record(Refused(number)) }
        #expect(try lines(of: logger).map { number("n", in: $0) } == Array(0..<20) + (100..<120))
    }

    @Test(arguments: [1, 9])
    func `a summary reports the suppressed lines when their second is over`(
        seconds: Int64
    ) throws {
        let logger = try logger()
        for number in 0..<30 { logger.record(Refused(number, user: Int64(number % 5))) }
        logger.performMaintenance()
        #expect(try lines(of: logger).count == 20)
        clock.advance(.seconds(seconds))
        logger.performMaintenance()
        logger.performMaintenance()
        #expect(
            try lines(of: logger).dropFirst(20).map { $0.drop { $0 != "W" } } == [
                "WARNING | security | refused reason=wrong_password suppressed=10 networks=1 "
                    + "users=5"
            ])
    }

    @Test func `a stop writes the last summary of suppressed lines`() throws {
        let logger = try logger()
        for number in 0..<1000 { logger.record(Refused(number)) }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log").filter { $0.contains("refused") }
        #expect(lines.count == 21)
        expectAll(1000, lines)
    }

    @Test func `twenty refusals a second are all written`() throws {
        let logger = try logger()
        for second in 0..<5 {
            for number in 0..<20 { logger.record(Refused(second * 20 + number)) }
            clock.advance(.seconds(1))
            logger.performMaintenance()
        }
        #expect(try lines(of: logger).map { number("n", in: $0) } == Array(0..<100))
    }

    @Test func `each reason and each network has its own twenty lines a second`() throws {
        let logger = try logger()
        for number in 0..<30 {
            for reason in ["expired", "unknown"] as [StaticString] {
                for network in 1...3 as ClosedRange<UInt128> {
                    logger.record(Refused(number, reason: reason, from: [network]))
                }
            }
        }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log").filter { $0.contains("refused") }
        #expect(lines.count == 6 * 20 + 2)
        #expect(lines.suffix(2).allSatisfy { $0.hasSuffix(" suppressed=30 networks=3 users=0") })
    }

    @Test(
        arguments: [(64, 20), (56, 80), (48, 320)] as [(UInt128, Int)])
    func `a larger IPv6 network has 20, 80 or 320 lines however many addresses it uses`(
        length: UInt128, limit: Int
    ) throws {
        let logger = try logger()
        let start = UInt128(0x2001_0db8) << 96
        for number in 0..<1000 {
            // Each event from another /64 of the network, as far as there are enough.
            let address = start | UInt128(number) << 64 & ((1 << (128 - length)) - 1)
            logger.record(Refused(number, from: networks(of: address | UInt128(number))))
        }
        #expect(try lines(of: logger).count == limit)
    }

    @Test func `any number of networks causes at most 1,000 lines of a kind in a second`() throws {
        let logger = try logger()
        for number in 0..<100_000 {
            logger.record(Refused(number, from: [UInt128(number) + 1]))
        }
        #expect(try lines(of: logger).count == 1000)
        #expect(logger.stop() == 0)
        let summary = try #require(folder.lines("app.log").last)
        #expect(number("suppressed", in: summary) == 99_000)
        // The count is an estimate.
        #expect((85_000...113_000).contains(number("networks", in: summary) ?? 0))
    }

    @Test func `the first failure of each user in an hour is written beyond any limit`() throws {
        let logger = try logger()
        for number in 0..<48 * 3 { logger.record(Refused(number, user: Int64(number % 48))) }
        let lines = try lines(of: logger)
        #expect(Set(lines.compactMap { number("user", in: $0) }) == Set(0..<48))
        #expect(lines.count == 48)
        clock.advance(.seconds(3600))
        for number in 0..<48 { logger.record(Refused(number, user: Int64(number))) }
        #expect(try self.lines(of: logger).count == 48 + 48)
    }

    @Test func `a summary of suppressed lines names no user`() throws {
        let logger = try logger()
        for number in 0..<500 { logger.record(Refused(number, user: Int64(number % 50))) }
        #expect(logger.stop() == 0)
        let summaries = try folder.lines("app.log").filter { $0.contains("suppressed=") }
        #expect(summaries.count == 1)
        #expect(!summaries[0].contains(" user="))
        #expect(number("users", in: summaries[0]).map { (45...55).contains($0) } == true)
    }

    @Test
    func `the token of one user causes at most twenty lines a second from any networks`() throws {
        let logger = try logger()
        for number in 0..<200 {
            logger.record(
                Refused(number, from: [UInt128(number) + 1], user: 7, hasToken: true))
        }
        #expect(try lines(of: logger).count == 20)
    }

    @Test func `a repeated exchange of the same tokens has one line a second`() throws {
        struct Repeated: LogEvent {
            let number: Int
            let token: [UInt8]
            var level: Level { .info }
            var area: Area { .security }
            var name: StaticString { "repeated" }
            var source: LogSource? {
                LogSource("repeated", user: 1, about: token.span, and: token.span)
            }
            func write(to line: inout LogLine) { line.field("n", Int64(number)) }
        }
        let logger = try logger()
        for number in 0..<100 { logger.record(Repeated(number: number, token: [1])) }
        logger.record(Repeated(number: 100, token: [2]))
        clock.advance(.seconds(1))
        logger.record(Repeated(number: 101, token: [1]))
        #expect(logger.commit() == .written)
        let lines = try folder.lines("app.log").filter { $0.contains("repeated") }
        #expect(lines.map { number("n", in: $0) } == [0, 100, 101])
    }

    @Test func `an event without a source always has its line`() throws {
        let logger = try logger()
        for number in 0..<1000 { logger.record(Note(number, level: .warning)) }
        #expect(logger.commit() == .written)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<1000))
    }

    @Test func `no level suppresses a security event at WARNING`() throws {
        let logger = try logger()
        logger.levels.set(all: .critical, areas: [:])
        for number in 0..<30 { logger.record(Refused(number)) }
        #expect(try lines(of: logger).count == 20)
    }

    @Test func `a line of a refusal is shorter than 1 KiB`() throws {
        let logger = try logger()
        logger.record(Refused(1, padding: 3000))
        logger.record(Refused(2, padding: 800))
        let lines = try lines(of: logger)
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.utf8.count < 1024 })
        #expect(lines[0].hasSuffix(" cut=true"))
        #expect(!lines[1].contains("cut=true"))
    }

    @Test func `refusals from many threads are all written or counted`() throws {
        let milliseconds = Atomic<Int64>(0)
        let logger = try logger(
            WallClock {
                // The clock advances by a second every 4,000 reads.
                someTime
                    + TimeAmount(milliseconds: milliseconds.add(1, ordering: .relaxed).newValue / 4)
            })
        inThreads(8) { thread in
            for number in 0..<4000 {
                logger.record(
                    Refused(thread * 4000 + number, from: [UInt128(number % 3)]))
                if number % 100 == 99 { logger.performMaintenance() }
            }
        }
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log").filter { $0.contains("refused") }
        expectAll(32_000, lines)
        #expect(lines.count < 32_000)
    }
}

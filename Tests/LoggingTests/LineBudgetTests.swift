import TestSupport
import Testing
import Time

@testable import Logging

private let start: Int64 = 1_795_244_400_000
private let hour: Int64 = 3_600_000

extension LineBudget {
    /// Offers lines of one source until one is rejected, or `limit` are admitted.
    /// - Returns: The bytes that were written.
    fileprivate mutating func flood(
        _ source: LogSource, at now: Int64, limit: Int = .max, bytes: Int = LineBudget.maximumLine,
        isFirstOfUser: Bool = false, isReserved: Bool = false
    ) -> Int {
        var written = 0
        for _ in 0..<limit {
            guard
                let admission = admit(
                    "refused", source, .warning, .security, isFirstOfUser: isFirstOfUser,
                    isReserved: isReserved, at: now)
            else { break }
            charge(admission, source, byteCount: bytes, at: now)
            written += bytes
        }
        return written
    }
}

private func source(
    _ networks: [UInt128], _ reason: StaticString = "reason", user: Int64? = nil,
    hasToken: Bool = false
) -> LogSource {
    var source = LogSource(reason, user: user, hasToken: hasToken)
    for (index, network) in networks.enumerated() {
        source.add(network: network, factor: [1, 4, 16][index])
    }
    return source
}

struct LineBudgetTests {
    /// The ways in which clients without credentials can be distributed over networks.
    private enum Crowd: CaseIterable {
        case oneAddress, oneSite, onePrefix, manyAddresses, manyPrefixes, noAddress

        func networks(_ generator: inout SeededGenerator) -> [UInt128] {
            let number = UInt128(generator.next())
            let site = UInt128(0x2001_0db8) << 96
            return switch self {
            case .oneAddress: [1]
            case .oneSite: LoggingTests.networks(of: site | number)
            case .onePrefix: LoggingTests.networks(of: site | number % 65_536 << 64)
            case .manyAddresses: [number % 20_000 + 1]
            case .manyPrefixes: LoggingTests.networks(of: site | number << 32)
            case .noAddress: []
            }
        }
    }

    @Test
    func `seven days of any flood without credentials write at most 1 MiB and 500 bytes a second`()
    {
        var budget = LineBudget(at: start)
        var generator = SeededGenerator(seed: 7)
        let (step, steps): (Int64, Int) = (300_000, 7 * 24 * 12)
        let kinds: [StaticString] = ["a", "b", "c", "d", "e", "f"]
        var written = 0
        var summaries = 0
        for index in 0...steps {
            let now = start + Int64(index) * step
            // Far more lines than are admitted, of the maximum length.
            for _ in 0..<60 {
                let crowd = Crowd.allCases.randomElement(using: &generator)!
                let names = generator.next() % 4 == 0
                written += budget.flood(
                    source(
                        crowd.networks(&generator), kinds.randomElement(using: &generator)!,
                        user: names ? Int64(generator.next() % 100_000) : nil),
                    at: now, limit: 50, isFirstOfUser: names)
            }
            while budget.takeSummary(at: now) != nil {
                budget.charge(
                    .summary, nil, byteCount: LineBudget.maximumLine, at: now)
                written += LineBudget.maximumLine
                summaries += 1
            }
            let seconds = Int(now - start) / 1000
            #expect(written <= LineBudget.ofAll.burst + LineBudget.ofAll.rate * seconds)
        }
        // The budget limits the bytes, not the flood.
        #expect(written > 450 * 7 * 86_400)
        #expect(summaries > 7 * 24)
        #expect(budget.suppressed.total > 0)
    }

    @Test func `a token writes at most 256 KiB and 100 bytes a second from any networks`() {
        var budget = LineBudget(at: start)
        var generator = SeededGenerator(seed: 8)
        var written = 0
        for index in 0...(7 * 24 * 12) {
            let now = start + Int64(index) * 300_000
            for _ in 0..<20 {
                written += budget.flood(
                    source([UInt128(generator.next())], user: 7, hasToken: true), at: now,
                    limit: 400,
                    isFirstOfUser: generator.next() % 2 == 0)
            }
            let seconds = Int(now - start) / 1000
            #expect(written <= LineBudget.ofUser.burst + LineBudget.ofUser.rate * seconds)
        }
        #expect(written > 90 * 7 * 86_400)
    }

    @Test func `a flood without credentials does not reduce the budget of a client with a token`() {
        var budget = LineBudget(at: start)
        for network in 0..<5000 as Range<UInt128> {
            _ = budget.flood(source([network + 1]), at: start, limit: 40)
        }
        let token = source([1], "reuse", user: 7, hasToken: true)
        #expect(budget.flood(token, at: start) == LineBudget.ofUser.burst)
        // Nor does one user's flood reduce another user's budget.
        let other = source([1], "reuse", user: 8, hasToken: true)
        #expect(budget.flood(other, at: start) == LineBudget.ofUser.burst)
    }

    @Test func `users beyond the table's capacity share one user's budget`() {
        var budget = LineBudget(at: start)
        var written = 0
        for user in 0..<10_000 as Range<Int64> {
            written += budget.flood(source([1], user: user, hasToken: true), at: start, limit: 1)
        }
        #expect(written <= 1024 * LineBudget.maximumLine + LineBudget.ofUser.burst)
        #expect(written >= 1000 * LineBudget.maximumLine)
        // An entry whose bucket is full again is replaced.
        let later = start + hour
        #expect(
            budget.flood(source([1], user: 20_000, hasToken: true), at: later)
                == LineBudget.ofUser.burst)
    }

    @Test(arguments: [1, 10, 100])
    func `the first twenty lines of a network in a minute are written while others flood`(
        others: UInt128
    ) {
        var budget = LineBudget(at: start)
        for minute in 0..<30 as Range<Int64> {
            let now = start + minute * 60_000
            for other in 0..<others { _ = budget.flood(source([other + 1]), at: now, limit: 1000) }
        }
        let now = start + 30 * 60_000
        #expect(
            budget.flood(source([1_000_000]), at: now, limit: 20, bytes: 230, isReserved: true)
                == 20 * 230)
        // A line that `networks` rejects may be admitted by `rest`.
        #expect(budget.flood(source([2_000_000], "other"), at: now, limit: 20, bytes: 230) > 0)
    }

    @Test func `a /48 with 65,536 networks leaves budget for a network that comes later`() {
        var budget = LineBudget(at: start)
        let site = UInt128(0x2001_0db8) << 96
        for minute in 0..<30 as Range<Int64> {
            let now = start + minute * 60_000
            for number in 0..<3000 as Range<UInt128> {
                _ = budget.flood(
                    source(networks(of: site | number << 64)), at: now, limit: 30)
            }
        }
        let now = start + 30 * 60_000
        #expect(budget.flood(source([5]), at: now, limit: 20, bytes: 230) == 20 * 230)
    }

    @Test func `a flood that names no user leaves budget for each user's first failure`() {
        var budget = LineBudget(at: start)
        for network in 0..<20_000 as Range<UInt128> {
            _ = budget.flood(source([network + 1]), at: start, limit: 30)
        }
        for user in 0..<180 as Range<Int64> {
            #expect(
                budget.flood(
                    source([UInt128(user) + 1], user: user), at: start, limit: 1,
                    isFirstOfUser: true) > 0)
        }
    }

    @Test func `a flood of one kind of line leaves budget for another kind`() {
        var budget = LineBudget(at: start)
        for network in 0..<300 as Range<UInt128> {
            _ = budget.flood(source([network + 1], "frequent"), at: start, limit: 2000)
        }
        #expect(budget.flood(source([7], "rare"), at: start, limit: 1) > 0)
    }

    @Test func `summaries count every suppressed line once`() {
        var budget = LineBudget(at: start)
        var generator = SeededGenerator(seed: 9)
        var (offered, admitted, summarized) = (0, 0, 0)
        for second in 0..<600 as Range<Int64> {
            let now = start + second * 1000
            for _ in 0..<200 {
                offered += 1
                let bytes = budget.flood(
                    source([UInt128(generator.next() % 40)], user: Int64(generator.next() % 9)),
                    at: now,
                    limit: 1)
                admitted += bytes > 0 ? 1 : 0
            }
            while let summary = budget.takeSummary(at: now) { summarized += Int(summary.count) }
        }
        #expect(summarized > 0)
        while let summary = budget.takeLastSummary(at: start + 600_000) {
            summarized += Int(summary.count)
            #expect((38...42).contains(summary.networks))
            #expect(summary.users == 9)
        }
        #expect(admitted + summarized == offered)
    }

    @Test func `times that arrive out of order credit no interval twice`() {
        var bucket = TokenBucket(capacity: 1000, rate: 100, at: start)
        var taken = bucket.take(1000, at: start) ? 1000 : 0
        for second in 1...100 as ClosedRange<Int64> {
            let now = start + second * 1000
            // Threads have read the clock up to nine seconds earlier.
            for early in 0..<10 as Range<Int64> {
                for time in [now, now - early * 1000] {
                    while bucket.take(10, at: time) { taken += 10 }
                }
            }
            #expect(taken <= 1000 + 100 * Int(second))
        }
        #expect(taken == 1000 + 100 * 100)
    }

    @Test func `a flood whose threads read the clock out of order stays within the budget`() {
        var budget = LineBudget(at: start)
        var generator = SeededGenerator(seed: 10)
        var written = 0
        for index in 0..<2000 as Range<Int64> {
            let now = start + index * 1000
            for _ in 0..<10 {
                written += budget.flood(
                    source([UInt128(generator.next() % 5000)]),
                    at: now - Int64(generator.next() % 5000),
                    limit: 100)
                written += budget.flood(source([UInt128(generator.next())]), at: now, limit: 1)
            }
            #expect(written <= LineBudget.ofAll.burst + LineBudget.ofAll.rate * Int(index))
        }
    }

    @Test func `a clock that is set back neither traps nor admits more`() {
        var budget = LineBudget(at: start)
        var written = 0
        for now in [start, start - hour, 0, start - 1, start] {
            written += budget.flood(source([1]), at: now)
            _ = budget.takeSummary(at: now)
        }
        #expect(written <= LineBudget.ofAll.burst)
    }

    @Test func `the tables of a budget take less than one mebibyte`() {
        let tables =
            4096 * (MemoryLayout<UInt64>.stride + 64) + 1024
            * (MemoryLayout<UInt64>.stride + MemoryLayout<TokenBucket>.stride) + 8192 * (8 + 16)
            + 8192 * 16 + 4096 * 16
        #expect(tables < 1 << 20)
    }
}

struct DistinctCountTests {
    @Test func `a distinct count is exact up to 48, and within 20 percent above`() {
        for size in [0, 1, 2, 47, 48, 49, 60, 100, 500, 1000, 10_000, 1_000_000] {
            var count = DistinctCount()
            for number in 0..<size {
                let hash = LogSource.hash(number)
                count.add(hash)
                count.add(hash)
            }
            let estimate = Double(count.estimate)
            if size <= 48 {
                #expect(count.estimate == Int64(size))
            } else {
                #expect((0.8...1.2).contains(estimate / Double(size)), "\(size): \(estimate)")
            }
        }
    }
}

struct FileReportsTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)

    private func texts(_ reports: [FileReports.Report]) -> [String] {
        reports.map { report in
            let event = OtherLogEvent(
                event: report.event, log: "app.log", suppressed: report.suppressed)
            let line = LogLine.formatted(event, at: someTime, .text)
            return String(
                String(decoding: line, as: UTF8.self).dropLast().split(separator: "| ")[3])
        }
    }

    @Test func `four reports of one event pass in a minute, then one that counts the rest`() {
        var reports = FileReports()
        var texts: [String] = []
        for number in 0..<100 {
            let now = start + TimeAmount(milliseconds: Int64(number) * 500)
            reports.add(LogFailed(reason: "\(number)"), at: now)
            if number == 7 { reports.add(LogReopened(reason: "removed", level: .warning), at: now) }
            texts += self.texts(reports.take(at: now, all: false))
        }
        #expect(
            texts == (0..<4).map { "log_failed reason=\($0) log=app.log" }
                + ["log_reopen reason=removed log=app.log"])
        let early = reports.take(at: start + .seconds(59), all: false)
        #expect(early.isEmpty)
        let due = reports.take(at: start + .seconds(60), all: false)
        #expect(self.texts(due) == ["log_failed reason=99 log=app.log suppressed=95"])
        let none = reports.take(at: start + .seconds(200), all: true)
        #expect(none.isEmpty)
    }

    @Test func `reports of dropped lines are added up`() {
        var reports = FileReports()
        var taken: [FileReports.Report] = []
        for number in 1...100 as ClosedRange<Int64> {
            reports.add(LogDropped(dropped: number), at: start)
            taken += reports.take(at: start, all: false)
        }
        taken += reports.take(at: start, all: true)
        #expect(
            texts(taken) == [1, 2, 3, 4, 5050 - 10].map { "log_dropped n=\($0) log=app.log" })
    }
}

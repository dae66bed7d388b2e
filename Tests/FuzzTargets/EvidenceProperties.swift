import Foundation
import Logging
import POSIX
import Time

/// Events that clients cause in the audit log, four bytes each: an operation and three numbers. For
/// every input, the clients' lines stay within the budget, and every event has a line or is counted
/// in a summary.
enum EvidenceProperties {
    private struct Event: LogEvent {
        let number: Int
        var reason: StaticString = "reason"
        var networks: [UInt128] = []
        var user: Int64?
        var hasToken = false
        var isLimited = true
        var padding = 0
        var level: Level { .warning }
        var area: Area { .security }
        var name: StaticString { isLimited ? "refused" : "changed" }
        var source: LogSource? {
            guard isLimited else { return nil }
            var source = LogSource(reason, user: user, hasToken: hasToken)
            for (index, network) in networks.enumerated() {
                source.add(network: network, factor: [1, 4, 16][index])
            }
            return source
        }

        func write(to line: inout LogLine) {
            line.field("n", Int64(number))
            if let user { line.field("user", user) }
            line.field("token", hasToken)
            line.field("text", String(repeating: "x", count: padding))
        }
    }

    private static let start = Timestamp(seconds: 1_795_244_400)
    private static let reasons: [StaticString] = ["a", "b", "c", "d"]
    /// The maximum number of events that one input can cause.
    private static let limit = 5000

    static func check(_ bytes: [UInt8], _ folder: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder)
        where name.contains(".log") {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
        let now = Monitor(start)
        var options = LogOptions(path: "\(folder)/app.log")
        options.maximumSize = 1 << 30
        options.standardErrorLevel = .critical
        options.audit = LogOptions.Audit(path: "\(folder)/audit.log")
        options.audit?.maximumSize = 1 << 30
        // A thread reads the clock and may then wait. Every other time is late, by up to a minute.
        let delay = Monitor<(current: Int64, isNext: Bool)>((0, false))
        let clock = WallClock(
            now: { now.withLock { $0 } },
            monotonic: {
                let late = delay.withLock { delay in
                    delay.isNext.toggle()
                    return delay.isNext ? 0 : delay.current
                }
                let time = now.withLock { $0.milliseconds } - late
                return MonotonicTime(nanoseconds: time * 1_000_000)
            })
        let logger = try Logger(options, clock: clock)
        var run = Run(logger: logger)
        for index in stride(from: 0, to: bytes.count - 3, by: 4) {
            let (a, b, c) = (Int(bytes[index + 1]), Int(bytes[index + 2]), Int(bytes[index + 3]))
            switch bytes[index] % 8 {
            case 0:
                let unit: Int64 = [1, 1000, 60_000, 600_000][c % 4]
                now.withLock { $0 = $0 + TimeAmount(milliseconds: Int64(a + b) * unit) }
                delay.withLock { $0.current = 0 }
                logger.performMaintenance()
                delay.withLock { $0.current = [0, 1, 1000, 60_000][c / 4 % 4] }
            case let what: run.cause(Int(what), a, b, c, at: now.withLock { $0 })
            }
        }
        let end = now.withLock { $0 }
        try require(logger.stop() == 0, "lines are lost")
        try run.check(folder, seconds: Int(end.milliseconds - start.milliseconds) / 1000)
    }

    private struct Run {
        let logger: Logger
        var limited = 0
        var unlimited = 0
        /// The time of each user's first failure in the last hour; its keys are all users with one.
        var lastFirst: [Int64: Timestamp] = [:]
        var firsts = 0
        var tokens: Set<Int64> = []

        mutating func cause(_ what: Int, _ a: Int, _ b: Int, _ c: Int, at now: Timestamp) {
            for number in 0...(a * 4) where limited < EvidenceProperties.limit {
                var event = Event(number: limited, reason: reasons[c % 4], padding: b * 3)
                let site = UInt128(0x2001_0db8) << 96 | UInt128(b % 3) << 80
                let other = UInt128((number &* 40_503) & 0xFFFF)
                switch what {
                case 1: event.networks = [UInt128(b)]
                case 2: event.networks = networks(of: site | other)
                case 3: event.networks = networks(of: site | other << 64)
                case 4: event.networks = [other | 1 << 32]
                case 5:
                    event.networks = [UInt128(c)]
                    event.user = Int64(b + number % 16)
                case 6:
                    event.networks = [other]
                    event.user = Int64(b % 4)
                    event.hasToken = true
                    tokens.insert(Int64(b % 4))
                default:
                    event.isLimited = false
                    guard number < 3 else { return }
                }
                if event.isLimited { limited += 1 } else { unlimited += 1 }
                if let user = event.user,
                    lastFirst[user].map({ $0 + .seconds(3600) <= now }) ?? true
                {
                    lastFirst[user] = now
                    if !event.hasToken { firsts += 1 }
                }
                logger.record(event)
            }
        }

        private func networks(of address: UInt128) -> [UInt128] {
            [64, 56, 48].map { (address >> (128 - $0)) << (128 - $0) | UInt128($0) }
        }

        func check(_ folder: String, seconds: Int) throws {
            func lines(_ name: String) throws -> [Substring] {
                let url = URL(filePath: "\(folder)/\(name)")
                let text = try String(contentsOf: url, encoding: .utf8)
                return text.split(separator: "\n").filter { !$0.contains(" | log | ") }
            }
            let (log, audit) = (try lines("app.log"), try lines("audit.log"))
            for (name, lines) in [("app.log", log), ("audit.log", audit)] {
                try require(
                    lines.count { $0.contains(" | changed ") } == unlimited,
                    "\(name) lacks a line without a budget")
                let summaries = lines.filter { $0.contains(" suppressed=") }
                let suppressed = summaries.reduce(0) { sum, line in
                    sum + (line.firstMatch(of: /suppressed=([0-9]+)/).flatMap { Int($0.1) } ?? 0)
                }
                let single = lines.count { $0.contains(" | refused n=") }
                try require(
                    single + suppressed == limited,
                    "\(name) accounts for \(single + suppressed) events of \(limited)")
                try require(
                    !summaries.contains { $0.contains(" user=") }, "a summary names a user")
                try require(
                    lines.allSatisfy { $0.utf8.count < 1024 }, "a line of 1 KiB or more")
            }
            let all = Set(log)
            try require(
                audit.allSatisfy { $0.contains(" suppressed=") || all.contains($0) },
                "a line is only in the audit log")

            let refused = audit.filter { $0.contains(" | refused ") }
            let withToken = refused.filter { $0.contains(" token=true") }
            func size(_ lines: [Substring]) -> Int { lines.reduce(0) { $0 + $1.utf8.count + 1 } }
            let free = size(refused) - size(withToken)
            try require(
                free <= 1 << 20 + 500 * seconds,
                "\(free) bytes without credentials in \(seconds) s"
            )
            for user in tokens {
                let bytes = size(withToken.filter { $0.contains(" user=\(user) ") })
                try require(
                    bytes <= 256 << 10 + 100 * seconds, "\(bytes) bytes of user \(user)")
            }
            // The number of users that always fit at once.
            if firsts <= 190 {
                let named = audit.compactMap { line in
                    line.firstMatch(of: #/user=([0-9]+) /#).flatMap { Int64($0.1) }
                }
                try require(
                    Set(lastFirst.keys).subtracting(named).isEmpty, "a user is not named")
            }
        }
    }
}

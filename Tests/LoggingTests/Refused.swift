import Logging
import Time

/// A refusal for tests: `refused n=… user=… reason=…`.
struct Refused: LogEvent {
    var reason: StaticString = "wrong_password"
    /// The networks of the client, the smallest first; one for IPv4, three for IPv6.
    var networks: [UInt128] = [1]
    var user: Int64?
    var hasToken = false
    var level: Level = .warning
    var padding = 0
    let number: Int

    init(
        _ number: Int, reason: StaticString = "wrong_password", from networks: [UInt128] = [1],
        user: Int64? = nil, hasToken: Bool = false, level: Level = .warning, padding: Int = 0
    ) {
        self.number = number
        self.reason = reason
        self.networks = networks
        self.user = user
        self.hasToken = hasToken
        self.level = level
        self.padding = padding
    }

    var area: Area { .security }
    var name: StaticString { "refused" }
    var source: LogSource? {
        var source = LogSource(reason, user: user, hasToken: hasToken)
        for (index, network) in networks.enumerated() {
            source.add(network: network, factor: [1, 4, 16][index])
        }
        return source
    }

    func write(to line: inout LogLine) {
        line.field("n", Int64(number))
        if let user { line.field("user", user) }
        line.field("reason", reason)
        if padding > 0 { line.field("text", String(repeating: "x", count: padding)) }
    }
}

/// The networks of an IPv6 address: its /64, /56 and /48.
func networks(of address: UInt128) -> [UInt128] {
    [64, 56, 48].map { (address >> (128 - $0)) << (128 - $0) | UInt128($0) }
}

/// The integer value of a field in a line; nil if there is none.
func number(_ name: String, in line: String) -> Int? {
    line.firstRange(of: " \(name)=").flatMap {
        Int(line[$0.upperBound...].prefix { $0 != " " })
    }
}

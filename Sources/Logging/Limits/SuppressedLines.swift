import Time

/// Counts the suppressed lines of one file by kind: how many lines, from how many networks, and
/// about how many users. A kind is an event name and its reason.
struct SuppressedLines {
    /// The program has about half as many kinds. Further kinds would be counted together.
    private static let capacity = 128

    struct Kind {
        let hash: UInt64
        let name: StaticString
        let reason: StaticString
        var level: Level
        let area: Area
        /// Recent bytes of this kind that were charged to a budget.
        var usage = DecayingSum()

        fileprivate(set) var count: Int64 = 0
        /// When the first line since the last summary was suppressed.
        fileprivate(set) var since = Int64.max
        fileprivate var lastSummary: Int64?
        fileprivate var networks = DistinctCount()
        fileprivate var users = DistinctCount()
    }

    private(set) var kinds: [Kind] = []
    /// Lines suppressed since the start.
    private(set) var total: UInt64 = 0
    /// Lines that no summary has reported yet.
    private(set) var unreported: Int64 = 0

    /// The index of a kind, which is added if it is new.
    mutating func kind(
        _ name: StaticString, _ reason: StaticString, _ level: Level, _ area: Area
    ) -> Int {
        let hash = Self.hash(name, reason)
        for index in kinds.indices where kinds[index].hash == hash { return index }
        guard kinds.count < Self.capacity else { return Self.capacity - 1 }
        kinds.append(Kind(hash: hash, name: name, reason: reason, level: level, area: area))
        return kinds.count - 1
    }

    /// FNV-1a of the text: equal literals can have different addresses, so the address cannot be
    /// the key.
    static func hash(_ name: StaticString, _ reason: StaticString = "") -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for text in [name, reason] {
            text.withUTF8Buffer { bytes in
                // Sound: the indices are those of the literal.
                for index in bytes.indices {
                    hash = (hash ^ UInt64(unsafe bytes[index])) &* 0x100_0000_01b3
                }
            }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        return hash
    }

    subscript(kind: Int) -> Kind {
        get { kinds[kind] }
        _modify { yield &kinds[kind] }
    }

    /// Counts a suppressed line.
    mutating func add(_ kind: Int, _ source: LogSource, _ level: Level, at now: Int64) {
        total += 1
        unreported += 1
        kinds[kind].level = level
        kinds[kind].count += 1
        kinds[kind].since = min(kinds[kind].since, now)
        if source.networkCount > 0 { kinds[kind].networks.add(source.networks[0].hash) }
        if let user = source.user { kinds[kind].users.add(user) }
    }

    /// The kind whose summary is due and has waited longest; nil if there is none.
    /// - Parameter isDue: Gets when the first line was suppressed, and when the last summary of
    ///   this kind was written; nil if there was none.
    func due(_ isDue: (_ since: Int64, _ lastSummary: Int64?) -> Bool) -> Int? {
        guard unreported > 0 else { return nil }
        var found: Int?
        for (index, kind) in kinds.enumerated()
        where kind.count > 0 && kind.since < found.map({ kinds[$0].since }) ?? .max
            && isDue(kind.since, kind.lastSummary)
        {
            found = index
        }
        return found
    }

    /// The summary of a kind, whose counts start again at zero.
    mutating func take(_ index: Int, at now: Int64) -> LinesSuppressed {
        let kind = kinds[index]
        unreported -= kind.count
        kinds[index].count = 0
        kinds[index].since = .max
        kinds[index].lastSummary = now
        kinds[index].networks = DistinctCount()
        kinds[index].users = DistinctCount()
        return LinesSuppressed(
            level: kind.level, area: kind.area, name: kind.name, reason: kind.reason,
            count: kind.count, networks: kind.networks.estimate, users: kind.users.estimate)
    }
}

/// A summary of suppressed lines of one kind. It names no user, because the lines may be about
/// many.
struct LinesSuppressed: LogEvent {
    let level: Level
    let area: Area
    let name: StaticString
    let reason: StaticString
    let count: Int64
    let networks: Int64
    let users: Int64

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        line.field("suppressed", count)
        line.field("networks", networks)
        line.field("users", users)
    }
}

/// A sum whose terms count half after ten minutes, a quarter after twenty, and so on.
struct DecayingSum {
    private static let halfLife: Int64 = 600_000

    private var sum: Int64 = 0
    /// Milliseconds.
    private var time: Int64 = 0

    func value(at now: Int64) -> Int64 {
        let elapsed = max(0, now - time)
        let halvings = elapsed / Self.halfLife
        guard halvings < 40 else { return 0 }
        let halved = sum >> halvings
        // Linear between two halvings.
        return halved - halved * (elapsed % Self.halfLife) / (2 * Self.halfLife)
    }

    mutating func add(_ term: Int, at now: Int64) {
        sum = value(at: now) + Int64(term)
        time = max(time, now)
    }
}

import Time

/// Lines of one file that were not written, by kind: how many, from how many networks, and about how
/// many users. A kind is an event's name and its reason.
struct SuppressedLines {
    /// The program knows about half as many. Those past it are counted together.
    private static let capacity = 128

    struct Kind {
        let hash: UInt64
        let name: StaticString
        let reason: StaticString
        var level: Level
        let area: Area
        /// What this kind has spent of a budget.
        var usage = DecayingSum()

        fileprivate(set) var count: Int64 = 0
        /// When the first of them was not written.
        fileprivate(set) var since = Int64.max
        fileprivate var told: Int64?
        fileprivate var networks = DistinctCount()
        fileprivate var users = DistinctCount()
    }

    private(set) var kinds: [Kind] = []
    /// Lines that were not written, since the start.
    private(set) var total: UInt64 = 0
    /// Of those, how many no summary has told of yet.
    private(set) var untold: Int64 = 0

    mutating func kind(
        _ name: StaticString, _ reason: StaticString, _ level: Level, _ area: Area
    ) -> Int {
        let hash = Self.hash(name, reason)
        for index in kinds.indices where kinds[index].hash == hash { return index }
        guard kinds.count < Self.capacity else { return Self.capacity - 1 }
        kinds.append(Kind(hash: hash, name: name, reason: reason, level: level, area: area))
        return kinds.count - 1
    }

    /// FNV-1a: literals of one spelling may be at several places, so their addresses are no names.
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

    mutating func add(_ kind: Int, _ source: LogSource, _ level: Level, at now: Int64) {
        total += 1
        untold += 1
        kinds[kind].level = level
        kinds[kind].count += 1
        kinds[kind].since = min(kinds[kind].since, now)
        if source.networkCount > 0 { kinds[kind].networks.add(source.networks[0].hash) }
        if let user = source.user { kinds[kind].users.add(user) }
    }

    /// The kind that has waited longest for its summary, among those whose time has come.
    /// - Parameter isDue: given when the first of its lines was not written, and when its last summary
    ///   was; nil if there was none.
    func due(_ isDue: (_ since: Int64, _ told: Int64?) -> Bool) -> Int? {
        guard untold > 0 else { return nil }
        var found: Int?
        for (index, kind) in kinds.enumerated()
        where kind.count > 0 && kind.since < found.map({ kinds[$0].since }) ?? .max
            && isDue(kind.since, kind.told)
        {
            found = index
        }
        return found
    }

    /// The summary of a kind, which begins again from nothing.
    mutating func take(_ index: Int, at now: Int64) -> LinesSuppressed {
        let kind = kinds[index]
        untold -= kind.count
        kinds[index].count = 0
        kinds[index].since = .max
        kinds[index].told = now
        kinds[index].networks = DistinctCount()
        kinds[index].users = DistinctCount()
        return LinesSuppressed(
            level: kind.level, area: kind.area, name: kind.name, reason: kind.reason,
            count: kind.count, networks: kind.networks.estimate, users: kind.users.estimate)
    }
}

/// Stands for lines of one kind that were not written. It names no user: each of them may be another's.
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

/// A sum whose terms count half as much after ten minutes, and half of that after ten more.
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
        // Straight from one half to the next.
        return halved - halved * (elapsed % Self.halfLife) / (2 * Self.halfLife)
    }

    mutating func add(_ term: Int, at now: Int64) {
        sum = value(at: now) + Int64(term)
        time = max(time, now)
    }
}

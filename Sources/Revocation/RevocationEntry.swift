import Time

/// What an entry is about. The numbers stand in the journal.
enum EntryKind: UInt8, Sendable {
    case token = 1
    case spentToken = 2
    case session = 3
    case user = 4
    case everyone = 5
}

/// Which entry: there is one of each name and kind.
struct EntryKey: Sendable, Hashable {
    let name: SipHash13.Value
    let kind: EntryKind

    static let everyone = EntryKey(name: SipHash13.Value(low: 0, high: 0), kind: .everyone)

    /// The name is a keyed hash already; one word of it tells entries apart well enough.
    func hash(into hasher: inout Hasher) { hasher.combine(name.low) }
}

/// One thing that is good no longer.
struct RevocationEntry: Sendable, Equatable {
    let key: EntryKey
    /// When it was revoked or spent; for a user and for everyone, the cutoff.
    var time: Int64
    /// From when on it can be forgotten; see `Entry.clamp(until:)`.
    var forgetAfter: Int64

    /// A time that no entry has: it stands for one that is not in force.
    static let notInForce = Int64.min

    init(_ key: EntryKey, time: Int64, until: Int64) {
        self.key = key
        self.time = max(time, Self.notInForce + 1)
        self.forgetAfter = min(max(until, 0), Self.latestUntil)
    }

    /// `until` shares a word with the kind: 55 bits of milliseconds reach a million years.
    static let latestUntil = Int64(1) << 55 - 1

    /// `until` and kind in one word, as table and journal have it.
    var untilAndKind: UInt64 { UInt64(forgetAfter) << 8 | UInt64(key.kind.rawValue) }

    init?(name: SipHash13.Value, time: Int64, untilAndKind: UInt64) {
        guard let kind = EntryKind(rawValue: UInt8(truncatingIfNeeded: untilAndKind)) else {
            return nil
        }
        self.init(
            EntryKey(name: name, kind: kind), time: time, until: Int64(untilAndKind >> 8))
    }

    /// Both of two entries with the same key in one: it was spent and revoked when that happened first,
    /// a cutoff is the latest, and it is kept for as long as either is.
    func merged(with other: RevocationEntry) -> RevocationEntry {
        let time =
            switch key.kind {
            case .token, .spentToken, .session: min(time, other.time)
            case .user, .everyone: max(time, other.time)
            }
        return RevocationEntry(key, time: time, until: max(forgetAfter, other.forgetAfter))
    }
}

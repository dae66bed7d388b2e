import Time

/// What an entry is about. The raw values are stored in the journal.
enum EntryKind: UInt8, Sendable {
    case token = 1
    case spentToken = 2
    case session = 3
    case user = 4
    case everyone = 5
}

/// The key of an entry: each name has at most one entry of a kind.
struct EntryKey: Sendable, Hashable {
    let name: SipHash13.Value
    let kind: EntryKind

    static let everyone = EntryKey(name: SipHash13.Value(low: 0, high: 0), kind: .everyone)

    /// The name is already a keyed hash, so one of its words is enough.
    func hash(into hasher: inout Hasher) { hasher.combine(name.low) }
}

/// One revocation, or one token that was exchanged.
struct RevocationEntry: Sendable, Equatable {
    let key: EntryKey
    /// When it was revoked or exchanged; for a user and for everyone, the cutoff. Milliseconds
    /// since 1970.
    var time: Int64
    /// The time from which the entry may be forgotten, in milliseconds; from 0 to
    /// `latestForgetAfter`.
    var forgetAfter: Int64

    /// Reserved: marks an entry that is not in force. `init` never stores it.
    static let notInForce = Int64.min

    init(_ key: EntryKey, time: Int64, until: Int64) {
        self.key = key
        self.time = max(time, Self.notInForce + 1)
        self.forgetAfter = min(max(until, 0), Self.latestForgetAfter)
    }

    /// `forgetAfter` shares a word with the kind: 55 bits of milliseconds are a million years.
    static let latestForgetAfter = Int64(1) << 55 - 1

    /// `forgetAfter` and the kind in one word, as the table and the journal store them.
    var forgetAfterAndKind: UInt64 { UInt64(forgetAfter) << 8 | UInt64(key.kind.rawValue) }

    init?(name: SipHash13.Value, time: Int64, forgetAfterAndKind: UInt64) {
        guard let kind = EntryKind(rawValue: UInt8(truncatingIfNeeded: forgetAfterAndKind)) else {
            return nil
        }
        self.init(
            EntryKey(name: name, kind: kind), time: time, until: Int64(forgetAfterAndKind >> 8))
    }

    /// Combines two entries with the same key. Of two revocation or exchange times the earlier
    /// counts, of two cutoffs the later; the entry is kept for as long as either is needed.
    func merged(with other: RevocationEntry) -> RevocationEntry {
        let time =
            switch key.kind {
            case .token, .spentToken, .session: min(time, other.time)
            case .user, .everyone: max(time, other.time)
            }
        return RevocationEntry(key, time: time, until: max(forgetAfter, other.forgetAfter))
    }
}

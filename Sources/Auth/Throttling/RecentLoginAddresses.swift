import Time

/// The networks from which logins have succeeded recently, in a fixed amount of memory.
///
/// Set-associative like `AttemptTable`; a new key replaces the least recently used entry of its
/// set. Only successful logins are recorded, so guessing passwords evicts nothing.
///
/// - Precondition: keys are keyed hashes that a client cannot compute, and not 0.
struct RecentLoginAddresses {
    /// How long a login is remembered: long enough for a holiday of a few days.
    static let retention = TimeAmount.seconds(7 * 24 * 3600)
    private static let ways = 8

    private struct Entry {
        var key: UInt64 = 0
        var seen = Timestamp(milliseconds: .min)
    }

    private let sets: Int
    /// Allocated at the first successful login.
    private var entries: [Entry] = []

    /// - Parameter capacity: a power of two, at least 8.
    init(capacity: Int) {
        precondition(capacity >= Self.ways && capacity.nonzeroBitCount == 1)
        sets = capacity / Self.ways
    }

    mutating func record(_ key: UInt64, at now: Timestamp) {
        if entries.isEmpty { entries = Array(repeating: Entry(), count: sets * Self.ways) }
        let start = start(of: key)
        var chosen = start
        for index in start..<(start + Self.ways) {
            if entries[index].key == key {
                chosen = index
                break
            }
            if entries[index].seen < entries[chosen].seen { chosen = index }
        }
        entries[chosen] = Entry(key: key, seen: now)
    }

    func contains(_ key: UInt64, at now: Timestamp) -> Bool {
        guard !entries.isEmpty else { return false }
        let start = start(of: key)
        for index in start..<(start + Self.ways) where entries[index].key == key {
            return entries[index].seen + Self.retention > now
        }
        return false
    }

    private func start(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: key & UInt64(sets - 1)) * Self.ways
    }

    /// Bytes allocated.
    var memory: Int { entries.capacity * MemoryLayout<Entry>.stride }
}

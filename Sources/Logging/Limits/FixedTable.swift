/// A table of fixed size from 64-bit hashes to values, so that clients cannot make the log use more
/// memory.
///
/// The table is 4-way set-associative. A new key replaces the entry with the lowest worth if all
/// four slots of its set are in use. Callers must hash with a seed of this process, so that no
/// client can choose keys of the same set.
struct FixedTable<Value> {
    private static var ways: Int { 4 }

    /// 0 for an unused slot; no hash is 0.
    private var keys: [UInt64]
    private(set) var values: [Value]

    /// - Precondition: `capacity` is a power of two, at least four.
    init(capacity: Int, empty: Value) {
        precondition(capacity >= Self.ways && capacity & (capacity - 1) == 0)
        keys = Array(repeating: 0, count: capacity)
        values = Array(repeating: empty, count: capacity)
    }

    func index(of key: UInt64) -> Int? {
        places(of: key).first { keys[$0] == key }
    }

    /// The slot of the key. A new key gets a slot with `value`.
    /// - Parameter worth: The value of an entry, for choosing the one to replace; nil if it must
    ///   not be replaced.
    /// - Returns: Nil if all four slots of the set have entries that must not be replaced.
    mutating func slot(
        of key: UInt64, _ value: @autoclosure () -> Value, worth: (Value) -> Int64?
    ) -> Int? {
        var best: Int?
        var least = Int64.max
        for place in places(of: key) {
            if keys[place] == key { return place }
            if keys[place] == 0 {
                if least > .min { (best, least) = (place, .min) }
            } else if let worth = worth(values[place]), worth < least {
                (best, least) = (place, worth)
            }
        }
        guard let best else { return nil }
        keys[best] = key
        values[best] = value()
        return best
    }

    subscript(place: Int) -> Value {
        get { values[place] }
        _modify { yield &values[place] }
    }

    private func places(of key: UInt64) -> Range<Int> {
        let first = Int(truncatingIfNeeded: key >> 16) & (keys.count - 1) & ~(Self.ways - 1)
        return first..<(first + Self.ways)
    }
}

/// Tells which keys are the first of their kind within an hour. At capacity it forgets the oldest
/// key, and would then report that key as first again.
struct HourlySet {
    private static let hour: Int64 = 3600

    /// When each key last was the first, in seconds.
    private var table: FixedTable<Int64>

    init(capacity: Int) { table = FixedTable(capacity: capacity, empty: 0) }

    /// - Parameter now: Seconds of a monotonic clock.
    mutating func insert(_ key: UInt64, at now: Int64) -> Bool {
        if let place = table.index(of: key) {
            if now - table[place] < Self.hour { return false }
            table[place] = now
        } else {
            _ = table.slot(of: key, now) { $0 }
        }
        return true
    }
}

/// A table of fixed size from 64-bit hashes to values, so that no client decides how much memory the
/// log takes.
///
/// A key has four places, and takes the one whose value is worth least when all four are in use. The
/// caller hashes with a seed of this process: no client can choose keys that share their places.
struct FixedTable<Value> {
    private static var ways: Int { 4 }

    /// 0 for a place that is not in use; no hash is 0.
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

    /// The place of the key, which gets `value` if it had none.
    /// - Parameter worth: what is lost with a value; nil for one that has to stay.
    /// - Returns: nil if all four places have values that have to stay.
    mutating func place(
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

/// Which of some keys come for the first time in an hour. Past its capacity it forgets the oldest, and
/// then takes one that it has seen for new.
struct HourlySet {
    private static let hour: Int64 = 3600

    /// When each key last counted as new, in seconds.
    private var table: FixedTable<Int64>

    init(capacity: Int) { table = FixedTable(capacity: capacity, empty: 0) }

    /// - Parameter now: seconds of a monotonic clock.
    mutating func isFirst(_ key: UInt64, at now: Int64) -> Bool {
        if let place = table.index(of: key) {
            if now - table[place] < Self.hour { return false }
            table[place] = now
        } else {
            _ = table.place(of: key, now) { $0 }
        }
        return true
    }
}

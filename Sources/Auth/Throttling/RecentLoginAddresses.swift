import Time

/// From where somebody has logged in of late, in a fixed amount of memory however many there are.
///
/// Built as `AttemptTable` is, of sets of eight places; an address that is new takes the place of the one
/// that has not been seen for longest. Only good logins get in, so guessing pushes nobody out.
///
/// - Precondition: keys are hashes that a stranger cannot compute, and not 0.
struct RecentLoginAddresses {
    /// Over a holiday of a few days.
    static let memory = TimeAmount.seconds(7 * 24 * 3600)
    private static let ways = 8

    private struct Place {
        var key: UInt64 = 0
        var seen = Timestamp(milliseconds: .min)
    }

    private let sets: Int
    /// Empty until the first login.
    private var places: [Place] = []

    /// - Parameter capacity: a power of two, at least 8.
    init(capacity: Int) {
        precondition(capacity >= Self.ways && capacity.nonzeroBitCount == 1)
        sets = capacity / Self.ways
    }

    mutating func record(_ key: UInt64, at now: Timestamp) {
        if places.isEmpty { places = Array(repeating: Place(), count: sets * Self.ways) }
        let start = start(of: key)
        var chosen = start
        for index in start..<(start + Self.ways) {
            if places[index].key == key {
                chosen = index
                break
            }
            if places[index].seen < places[chosen].seen { chosen = index }
        }
        places[chosen] = Place(key: key, seen: now)
    }

    func contains(_ key: UInt64, at now: Timestamp) -> Bool {
        guard !places.isEmpty else { return false }
        let start = start(of: key)
        for index in start..<(start + Self.ways) where places[index].key == key {
            return places[index].seen + Self.memory > now
        }
        return false
    }

    private func start(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: key & UInt64(sets - 1)) * Self.ways
    }

    /// Bytes that the table has taken.
    var bytes: Int { places.capacity * MemoryLayout<Place>.stride }
}

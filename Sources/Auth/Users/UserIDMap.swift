import JWT

/// Values by user id, for lookups on every request. Open addressing; at least half of the entries
/// are free.
///
/// The hash has no secret seed and takes only a few instructions. That is safe: the ids in the map
/// come from the operator, and the ids looked up come from verified tokens, so no client can choose
/// ids that collide.
struct UserIDMap<Value: Sendable>: Sendable {
    /// 0, which is no valid id, marks a free entry. The number of entries is a power of two.
    private var ids: [Int64]
    private var values: [Value?]
    private let shift: UInt64

    /// - Precondition: ids differ.
    init(_ entries: [(id: UserID, value: Value)]) {
        var bits: UInt64 = 1
        while 1 << bits < 2 * entries.count { bits += 1 }
        shift = 64 - bits
        ids = Array(repeating: 0, count: 1 << bits)
        values = Array(repeating: nil, count: 1 << bits)
        for (id, value) in entries {
            let place = place(of: id)
            precondition(ids[place] == 0, "ids differ")
            ids[place] = id.rawValue
            values[place] = value
        }
    }

    subscript(id: UserID) -> Value? { values[place(of: id)] }

    /// The entry of this id, or the free entry where it would be inserted.
    private func place(of id: UserID) -> Int {
        // Multiplicative hashing with 2^64 divided by the golden ratio (odd).
        let hash = UInt64(bitPattern: id.rawValue) &* 0x9E37_79B9_7F4A_7C15
        var place = Int(truncatingIfNeeded: hash &>> shift)
        while ids[place] != 0, ids[place] != id.rawValue { place = (place + 1) & (ids.count - 1) }
        return place
    }
}

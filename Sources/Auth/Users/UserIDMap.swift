import JWT

/// Values by user id, for what each request asks. Open addressing, at least half of it free.
///
/// Unlike a dictionary it hashes without a secret, in a few instructions: the ids in it are the
/// operator's, and those that it is asked for come out of verified tokens, so nobody can choose them to
/// fall on one place.
struct UserIDMap<Value: Sendable>: Sendable {
    /// 0, which is nobody, where a place is free. Their count is a power of two.
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

    /// Where this id stands, or else the free place that it would get.
    private func place(of id: UserID) -> Int {
        // Odd, and without a pattern: 2^64 divided by the golden ratio.
        let hash = UInt64(bitPattern: id.rawValue) &* 0x9E37_79B9_7F4A_7C15
        var place = Int(truncatingIfNeeded: hash &>> shift)
        while ids[place] != 0, ids[place] != id.rawValue { place = (place + 1) & (ids.count - 1) }
        return place
    }
}

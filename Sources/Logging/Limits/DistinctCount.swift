import Glibc

/// Approximately how many different hashes were added, in at most a kilobyte. Exact up to 48, then
/// a HyperLogLog of 512 registers (Flajolet et al. 2007) with a standard error of 4.6 %.
struct DistinctCount {
    private static let exactLimit = 48
    private static let registerBits = 9

    private var exact: [UInt64] = []
    private var registers: [UInt8] = []

    mutating func add(_ hash: UInt64) {
        guard registers.isEmpty else { return addToRegister(hash) }
        guard !exact.contains(hash) else { return }
        guard exact.count == Self.exactLimit else { return exact.append(hash) }
        registers = Array(repeating: 0, count: 1 << Self.registerBits)
        for hash in exact { addToRegister(hash) }
        exact = []
        addToRegister(hash)
    }

    private mutating func addToRegister(_ hash: UInt64) {
        let index = Int(hash >> (64 - UInt64(Self.registerBits)))
        // The lowest bit of a hash is set, so the leading zeros are always fewer than the bits.
        let rank = UInt8((hash << UInt64(Self.registerBits) | 1).leadingZeroBitCount + 1)
        registers[index] = max(registers[index], rank)
    }

    /// The approximate number of different hashes.
    var estimate: Int64 {
        guard !registers.isEmpty else { return Int64(exact.count) }
        let count = Double(registers.count)
        let sum = registers.reduce(0.0) { $0 + exp2(-Double($1)) }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        let empty = Double(registers.count { $0 == 0 })
        // For small counts, linear counting over the empty registers is more accurate.
        return Int64((raw <= 2.5 * count && empty > 0 ? count * log(count / empty) : raw).rounded())
    }
}

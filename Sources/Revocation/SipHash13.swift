/// SipHash-1-3 with 128 bits of output, under a secret key: derives the names of identifiers.
///
/// Identifiers may be chosen by others: another issuer with the same key, for instance, because RFC
/// 7519 §4.1.7 sets no form. With a plain hash they could choose which entries collide. Under a
/// secret key SipHash is a pseudorandom function: 128 bits of it collide neither by chance (2^-88
/// among a million) nor by choice. That is why the identifiers themselves need not be stored. One
/// round per word and three at the end is what hash tables use (Swift's own, Rust's); the output is
/// never shown.
struct SipHash13: Sendable, Equatable {
    /// The size of a key, in bytes.
    static let keySize = 16

    /// The key's two words, mixed into the initial state of each hash.
    private let start: State

    struct Value: Sendable, Hashable {
        let low: UInt64
        let high: UInt64
    }

    init(_ first: UInt64, _ second: UInt64) {
        // The constants are SipHash's own; 0xee selects 128 bits of output.
        start = State(
            a: first ^ 0x736f_6d65_7073_6575, b: second ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            c: first ^ 0x6c79_6765_6e65_7261, d: second ^ 0x7465_6462_7974_6573)
    }

    @inline(__always)
    func callAsFunction(_ bytes: Span<UInt8>) -> Value {
        hash(bytes, wordRounds: 1, lastRounds: 3)
    }

    /// Takes the numbers of rounds as arguments, because the published vectors are for SipHash-2-4.
    @inline(__always)
    func hash(_ bytes: Span<UInt8>, wordRounds: Int, lastRounds: Int) -> Value {
        var state = start
        let count = bytes.count
        // Sound: every load is of eight bytes that end at or before `count`.
        let last: UInt64 = unsafe bytes.withUnsafeBytes { bytes in
            var index = 0
            while index &+ 8 <= count {
                let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                state.take(UInt64(littleEndian: word), rounds: wordRounds)
                index &+= 8
            }
            let rest = count &- index
            var last = UInt64(truncatingIfNeeded: count) &<< 56
            if rest > 0, count >= 8 {
                // Load the last eight bytes and shift out those already hashed.
                let word = unsafe bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
                last |= UInt64(littleEndian: word) &>> UInt64(truncatingIfNeeded: 64 &- rest &* 8)
            } else {
                for place in 0..<rest {
                    last |= UInt64(unsafe bytes[index &+ place]) &<< UInt64(place &* 8)
                }
            }
            return last
        }
        state.take(last, rounds: wordRounds)
        return state.finish(rounds: lastRounds)
    }

    private struct State: Equatable {
        var a: UInt64
        var b: UInt64
        var c: UInt64
        var d: UInt64

        @inline(__always)
        private mutating func round() {
            a = a &+ b
            c = c &+ d
            b = rotated(b, 13) ^ a
            d = rotated(d, 16) ^ c
            a = rotated(a, 32)
            c = c &+ b
            a = a &+ d
            b = rotated(b, 17) ^ c
            d = rotated(d, 21) ^ a
            c = rotated(c, 32)
        }

        @inline(__always)
        mutating func take(_ word: UInt64, rounds: Int) {
            d ^= word
            for _ in 0..<rounds { round() }
            a ^= word
        }

        @inline(__always)
        mutating func finish(rounds: Int) -> Value {
            c ^= 0xee
            for _ in 0..<rounds { round() }
            let low = a ^ b ^ c ^ d
            b ^= 0xdd
            for _ in 0..<rounds { round() }
            return Value(low: low, high: a ^ b ^ c ^ d)
        }
    }
}

/// Derives the names of user IDs: not a hash, because 64 bits fit, but a keyed permutation.
/// Consecutive IDs therefore do not occupy consecutive slots of the table, and an attacker cannot
/// choose IDs that do. Each step is invertible, so no two users have the same name.
struct UserIDScrambler: Sendable, Equatable {
    let first: UInt64
    let second: UInt64

    @inline(__always)
    func callAsFunction(_ user: Int64) -> SipHash13.Value {
        let low = mixed(UInt64(bitPattern: user) ^ first)
        return SipHash13.Value(low: low, high: mixed(low ^ second))
    }
}

/// The last steps of SplitMix64 (Steele, Lea, Flood 2014): each output bit depends on each input
/// bit.
@inline(__always)
private func mixed(_ word: UInt64) -> UInt64 {
    var word = (word ^ word &>> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word &>> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word &>> 31
}

@inline(__always)
private func rotated(_ x: UInt64, _ n: UInt64) -> UInt64 { (x &<< n) | (x &>> (64 &- n)) }

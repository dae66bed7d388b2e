import SHAInstructions

/// SHA-256 as defined by FIPS 180-4 (§4.1.2, §5.1.1, §6.2.2), over bytes that arrive in any pieces.
///
/// Theory: the state is eight 32-bit words. Each 64-byte block is expanded to a schedule of 64
/// words and mixed into the state in 64 rounds. Here only sixteen schedule words are alive at a
/// time. The rounds are written in groups of sixteen, with the eight working variables renamed
/// instead of moved, so that a group is straight-line code in registers.
///
/// If the processor has SHA instructions, they compute the rounds (`SHAInstructions`), with the
/// same result.
///
/// A copy is a midstate that can be continued any number of times, which HMAC does with its padded
/// key. Allocates nothing.
package struct SHA256: Sendable {
    /// The size of a block, in bytes.
    package static let blockSize = 64
    /// The size of a digest, in bytes.
    package static let digestSize = 32

    private(set) var state = SHA256State.initial
    private var partial = Block(repeating: 0)
    private var partialCount = 0
    /// The message's length until now. FIPS 180-4 allows 2^61 - 1 bytes; no input here comes near.
    private var byteCount: UInt64 = 0

    package init() {}

    /// The digest of one message.
    package static func digest(of message: Span<UInt8>) -> Digest {
        var hash = SHA256()
        hash.update(message)
        return hash.finalize()
    }

    /// Adds the next bytes of the message; may be empty.
    package mutating func update(_ bytes: Span<UInt8>) {
        byteCount &+= UInt64(bytes.count)
        // Sound: the pointers do not leave the closures, and every offset stays below a count that
        // was read from the same buffer.
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            var offset = 0
            if partialCount > 0 {
                let taken = min(Self.blockSize - partialCount, source.count)
                unsafe append(base, taken)
                offset = taken
                guard partialCount == Self.blockSize else { return }
                compressPartial()
            }
            let blockCount = (source.count - offset) / Self.blockSize
            if blockCount > 0 {
                unsafe state.compress(base + offset, blocks: blockCount)
                offset += blockCount * Self.blockSize
            }
            if offset < source.count { unsafe append(base + offset, source.count - offset) }
        }
    }

    /// Pads the message (§5.1.1: a one bit, zeros, the length in bits) and returns its digest.
    package consuming func finalize() -> Digest {
        let bitCount = byteCount &* 8
        partial[partialCount] = 0x80
        partialCount += 1
        if partialCount > Self.blockSize - 8 {
            for index in partialCount..<Self.blockSize { partial[index] = 0 }
            compressPartial()
        }
        for index in partialCount..<(Self.blockSize - 8) { partial[index] = 0 }
        for index in 0..<8 {
            partial[Self.blockSize - 1 - index] = UInt8(truncatingIfNeeded: bitCount >> (8 * index))
        }
        compressPartial()
        return Digest(state)
    }

    private mutating func append(_ source: UnsafeRawPointer, _ count: Int) {
        // Sound: callers pass at most the number of bytes left in the block.
        var bytes = partial.mutableSpan
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe (target.baseAddress! + partialCount).copyMemory(from: source, byteCount: count)
        }
        partialCount += count
    }

    private mutating func compressPartial() {
        // Sound: a block has exactly the 64 bytes that `compress` reads.
        unsafe partial.span.withUnsafeBytes { block in
            unsafe state.compress(block.baseAddress!, blocks: 1)
        }
        partialCount = 0
    }

    private typealias Block = InlineArray<64, UInt8>
}

/// Printing or dumping a hash shows nothing of its state. If the input began with a secret, as in a
/// key's midstates, the state is sufficient to sign.
extension SHA256: CustomReflectable {
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SHA256 {
    /// A SHA-256 digest: 32 bytes.
    package struct Digest: Sendable {
        package var bytes: InlineArray<32, UInt8>

        package init(bytes: InlineArray<32, UInt8>) { self.bytes = bytes }

        init(_ state: SHA256State) {
            let words: InlineArray<8, UInt32> = [
                state.a.bigEndian, state.b.bigEndian, state.c.bigEndian, state.d.bigEndian,
                state.e.bigEndian, state.f.bigEndian, state.g.bigEndian, state.h.bigEndian,
            ]
            // Sound: both are 32 bytes of plain data.
            bytes = unsafe unsafeBitCast(words, to: InlineArray<32, UInt8>.self)
        }

        /// The words that the bytes were made from.
        var state: SHA256State {
            // Sound: both are 32 bytes of plain data.
            let words = unsafe unsafeBitCast(bytes, to: InlineArray<8, UInt32>.self)
            return SHA256State(
                a: words[0].bigEndian, b: words[1].bigEndian, c: words[2].bigEndian,
                d: words[3].bigEndian, e: words[4].bigEndian, f: words[5].bigEndian,
                g: words[6].bigEndian, h: words[7].bigEndian)
        }

        package var span: Span<UInt8> { bytes.span }
    }
}

/// The eight words of the hash value (initial value: §5.3.3).
struct SHA256State: Sendable, Equatable {
    var a, b, c, d, e, f, g, h: UInt32

    static let initial = SHA256State(
        a: 0x6a09_e667, b: 0xbb67_ae85, c: 0x3c6e_f372, d: 0xa54f_f53a,
        e: 0x510e_527f, f: 0x9b05_688c, g: 0x1f83_d9ab, h: 0x5be0_cd19)

    /// §6.2.2 for each of `blocks` consecutive 64-byte blocks. Sound: the caller passes that many
    /// blocks.
    mutating func compress(_ source: UnsafeRawPointer, blocks: Int) {
        guard SHAInstructions.isSupported else {
            return unsafe compressPortable(source, blocks: blocks)
        }
        // Sound: eight consecutive words are the 32 bytes that `compress` expects.
        unsafe withUnsafeMutableBytes(of: &self) { state in
            unsafe SHAInstructions.compress(state.baseAddress!, source, blocks: blocks)
        }
    }

    /// As `compress`, without processor-specific instructions; sound under the same condition.
    mutating func compressPortable(_ source: UnsafeRawPointer, blocks: Int) {
        var source = unsafe source
        for _ in 0..<blocks {
            unsafe compress(source)
            unsafe source += SHA256.blockSize
        }
    }

    private mutating func compress(_ block: UnsafeRawPointer) {
        // Sound: the caller's block has 64 bytes.
        compressBlock(unsafe Schedule(block))
    }

    /// As `SHAInstructions.chain`: `count` codes, each the HMAC of the previous one, starting after
    /// `first`.
    /// - Parameters:
    ///   - inner: the state after the key's inner block.
    ///   - outer: the state after the key's outer block.
    /// - Returns: the exclusive or of `first` and these codes.
    static func iterate(
        inner: SHA256State, outer: SHA256State, first: SHA256State, count: Int
    ) -> SHA256State {
        guard SHAInstructions.isSupported else {
            return iteratePortable(inner: inner, outer: outer, first: first, count: count)
        }
        return SHA256State(
            words: SHAInstructions.iterate(
                inner: inner.words, outer: outer.words, first: first.words, count: count))
    }

    /// As `chain`, without processor-specific instructions.
    static func iteratePortable(
        inner: SHA256State, outer: SHA256State, first: SHA256State, count: Int
    ) -> SHA256State {
        var code = first
        var sum = first
        for _ in 0..<count {
            var hash = inner
            hash.compress(digest: code)
            code = hash
            hash = outer
            hash.compress(digest: code)
            code = hash
            sum.a ^= code.a
            sum.b ^= code.b
            sum.c ^= code.c
            sum.d ^= code.d
            sum.e ^= code.e
            sum.f ^= code.f
            sum.g ^= code.g
            sum.h ^= code.h
        }
        return sum
    }

    /// Compresses the block that ends a message of a key's block and a digest. Not inlined, so that
    /// both messages of an iteration run the same instructions, which are many.
    @inline(never)
    private mutating func compress(digest: SHA256State) { compressBlock(Schedule(digest: digest)) }

    @inline(__always)
    private mutating func compressBlock(_ schedule: Schedule) {
        var w = schedule
        var s = self
        s.rounds(&w, 0)
        w.advance()
        s.rounds(&w, 16)
        w.advance()
        s.rounds(&w, 32)
        w.advance()
        s.rounds(&w, 48)
        a &+= s.a
        b &+= s.b
        c &+= s.c
        d &+= s.d
        e &+= s.e
        f &+= s.f
        g &+= s.g
        h &+= s.h
    }

    /// Sixteen rounds. After eight of them every variable has its own name again.
    @inline(__always)
    private mutating func rounds(_ w: inout Schedule, _ t: Int) {
        let k = roundConstants
        round(a, b, c, &d, e, f, g, &h, k[t] &+ w.w0)
        round(h, a, b, &c, d, e, f, &g, k[t + 1] &+ w.w1)
        round(g, h, a, &b, c, d, e, &f, k[t + 2] &+ w.w2)
        round(f, g, h, &a, b, c, d, &e, k[t + 3] &+ w.w3)
        round(e, f, g, &h, a, b, c, &d, k[t + 4] &+ w.w4)
        round(d, e, f, &g, h, a, b, &c, k[t + 5] &+ w.w5)
        round(c, d, e, &f, g, h, a, &b, k[t + 6] &+ w.w6)
        round(b, c, d, &e, f, g, h, &a, k[t + 7] &+ w.w7)
        round(a, b, c, &d, e, f, g, &h, k[t + 8] &+ w.w8)
        round(h, a, b, &c, d, e, f, &g, k[t + 9] &+ w.w9)
        round(g, h, a, &b, c, d, e, &f, k[t + 10] &+ w.w10)
        round(f, g, h, &a, b, c, d, &e, k[t + 11] &+ w.w11)
        round(e, f, g, &h, a, b, c, &d, k[t + 12] &+ w.w12)
        round(d, e, f, &g, h, a, b, &c, k[t + 13] &+ w.w13)
        round(c, d, e, &f, g, h, a, &b, k[t + 14] &+ w.w14)
        round(b, c, d, &e, f, g, h, &a, k[t + 15] &+ w.w15)
    }
}

extension SHA256State {
    init(words: SIMD8<UInt32>) {
        self.init(
            a: words[0], b: words[1], c: words[2], d: words[3], e: words[4], f: words[5],
            g: words[6], h: words[7])
    }

    var words: SIMD8<UInt32> { SIMD8(a, b, c, d, e, f, g, h) }
}

/// One round of §6.2.2 step 3: T1 goes into `d`, T1 + T2 into `h`.
@inline(__always)
private func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
    _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ kw: UInt32
) {
    let sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    let choice = g ^ (e & (f ^ g))
    let t1 = h &+ sum1 &+ choice &+ kw
    let sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    let majority = (a & b) | (c & (a | b))
    d &+= t1
    h = t1 &+ sum0 &+ majority
}

@inline(__always)
private func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { (x &>> n) | (x &<< (32 &- n)) }

/// The sixteen message schedule words in use (§6.2.2 step 1).
private struct Schedule {
    var w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15: UInt32

    @inline(__always)
    init(_ block: UnsafeRawPointer) {
        @inline(__always) func word(_ index: Int) -> UInt32 {
            // Sound: the caller's block has 64 bytes, and 4 * 15 + 4 = 64.
            unsafe UInt32(
                bigEndian: block.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        }
        w0 = word(0)
        w1 = word(1)
        w2 = word(2)
        w3 = word(3)
        w4 = word(4)
        w5 = word(5)
        w6 = word(6)
        w7 = word(7)
        w8 = word(8)
        w9 = word(9)
        w10 = word(10)
        w11 = word(11)
        w12 = word(12)
        w13 = word(13)
        w14 = word(14)
        w15 = word(15)
    }

    /// The block that ends a message of a key's block and a digest: §5.1.1's one bit, and the
    /// length of both, 96 bytes.
    @inline(__always)
    init(digest: SHA256State) {
        (w0, w1, w2, w3) = (digest.a, digest.b, digest.c, digest.d)
        (w4, w5, w6, w7) = (digest.e, digest.f, digest.g, digest.h)
        (w8, w9, w10, w11) = (0x8000_0000, 0, 0, 0)
        (w12, w13, w14, w15) = (0, 0, 0, 96 * 8)
    }

    /// The next sixteen words: W(t) = s1(W(t-2)) + W(t-7) + s0(W(t-15)) + W(t-16).
    @inline(__always)
    mutating func advance() {
        extend(&w0, w1, w9, w14)
        extend(&w1, w2, w10, w15)
        extend(&w2, w3, w11, w0)
        extend(&w3, w4, w12, w1)
        extend(&w4, w5, w13, w2)
        extend(&w5, w6, w14, w3)
        extend(&w6, w7, w15, w4)
        extend(&w7, w8, w0, w5)
        extend(&w8, w9, w1, w6)
        extend(&w9, w10, w2, w7)
        extend(&w10, w11, w3, w8)
        extend(&w11, w12, w4, w9)
        extend(&w12, w13, w5, w10)
        extend(&w13, w14, w6, w11)
        extend(&w14, w15, w7, w12)
        extend(&w15, w0, w8, w13)
    }

    @inline(__always)
    private func extend(_ w16: inout UInt32, _ w15: UInt32, _ w7: UInt32, _ w2: UInt32) {
        let s0 = rotated(w15, 7) ^ rotated(w15, 18) ^ (w15 &>> 3)
        let s1 = rotated(w2, 17) ^ rotated(w2, 19) ^ (w2 &>> 10)
        w16 = w16 &+ s0 &+ w7 &+ s1
    }
}

/// §4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
private let roundConstants: InlineArray<64, UInt32> = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
]

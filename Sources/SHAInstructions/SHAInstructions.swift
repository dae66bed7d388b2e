/// SHA-256's compression with the processor's SHA instructions: the same function as the portable
/// one in `Crypto`, several times as fast.
///
/// Theory. The instructions keep the eight state words in two vectors, `a b e f` and `c d g h`.
/// SHA256RNDS2 does two rounds, after which the vectors change places. SHA256MSG1 and SHA256MSG2
/// compute the next four words of the message schedule from the last sixteen (Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 2B). This is a target of its own, because only
/// its code may be compiled for processors that not every machine has.
package enum SHAInstructions {
    /// Whether this machine has the instructions. The functions below require it.
    package static let isSupported = isListed()

    #if arch(x86_64)
        /// Whether the kernel lists them, which also means that programs may use them.
        private static func isListed() -> Bool {
            // Valgrind shows the machine's list, but does not support these instructions. Sound:
            // both strings are zero-terminated, and nothing in this program changes its
            // environment.
            if let preloaded = unsafe getenv("LD_PRELOAD"),
                unsafe strstr(preloaded, "vgpreload") != nil
            {
                return false
            }
            // Sound: the stream is closed once, at the end; fgets(3) gets the size of the buffer.
            guard let file = unsafe fopen("/proc/cpuinfo", "re") else { return false }
            defer { unsafe fclose(file) }
            var line = [CChar](repeating: 0, count: 8192)
            while unsafe fgets(&line, CInt(line.count), file) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
                guard text.hasPrefix("flags") else { continue }
                let flags = Set(text.split { $0 == " " || $0 == "\n" })
                return flags.isSuperset(of: ["sha_ni", "ssse3", "sse4_1"])
            }
            return false
        }

        /// FIPS 180-4 §6.2.2 for each of `blocks` consecutive 64-byte blocks.
        /// - Parameter state: eight words, a to h, of any alignment.
        @inline(never)
        package static func compress(
            _ state: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, blocks: Int
        ) {
            // Sound: the caller's state has 32 bytes, and each block 64.
            var s = unsafe State(words: state.loadUnaligned(as: SIMD8<UInt32>.self))
            for block in 0..<blocks { unsafe s.compress(source + 64 * block) }
            unsafe state.storeBytes(of: s.words, as: SIMD8<UInt32>.self)
        }

        /// Computes `count` codes of one key, each the HMAC of the previous one, starting after
        /// `first`. The states stay in vectors: through memory, each block would wait for the
        /// stores of the previous one.
        /// - Parameters:
        ///   - inner: the hash state after the key's inner block, a to h.
        ///   - outer: the hash state after the key's outer block, a to h.
        ///   - first: the first code, as eight words.
        /// - Returns: the exclusive or of `first` and these codes.
        @inline(never)
        package static func iterate(
            inner: SIMD8<UInt32>, outer: SIMD8<UInt32>, first: SIMD8<UInt32>, count: Int
        ) -> SIMD8<UInt32> {
            let inner = State(words: inner)
            let outer = State(words: outer)
            var code = first
            var sum = first
            for _ in 0..<count {
                var hash = inner
                hash.compress(digest: code.lowHalf, code.highHalf)
                code = hash.words
                hash = outer
                hash.compress(digest: code.lowHalf, code.highHalf)
                code = hash.words
                sum ^= code
            }
            return sum
        }
    #else
        private static func isListed() -> Bool { false }

        package static func iterate(
            inner: SIMD8<UInt32>, outer: SIMD8<UInt32>, first: SIMD8<UInt32>, count: Int
        ) -> SIMD8<UInt32> {
            preconditionFailure("SHAInstructions: not supported by this processor")
        }

        package static func compress(
            _ state: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, blocks: Int
        ) {
            preconditionFailure("SHAInstructions: not supported by this processor")
        }
    #endif
}

#if arch(x86_64)
    import Glibc
    import _Builtin_intrinsics.intel

    private typealias Words = SIMD4<UInt32>

    private struct State {
        var abef: Words
        var cdgh: Words

        @inline(__always)
        init(abef: Words, cdgh: Words) {
            self.abef = abef
            self.cdgh = cdgh
        }

        /// - Parameter words: a to h.
        @inline(__always)
        init(words: SIMD8<UInt32>) {
            abef = Words(words[5], words[4], words[1], words[0])
            cdgh = Words(words[7], words[6], words[3], words[2])
        }

        /// a to h.
        @inline(__always)
        var words: SIMD8<UInt32> {
            SIMD8(
                lowHalf: Words(abef[3], abef[2], cdgh[3], cdgh[2]),
                highHalf: Words(abef[1], abef[0], cdgh[1], cdgh[0]))
        }

        /// Sound: the caller's block has 64 bytes, which are four vectors.
        @inline(__always)
        mutating func compress(_ block: UnsafeRawPointer) {
            unsafe compress(
                Self.load(block), Self.load(block + 16), Self.load(block + 32),
                Self.load(block + 48))
        }

        /// Compresses the block that ends a message of a key's block and a digest: §5.1.1's one
        /// bit, and the length of both, 96 bytes.
        @inline(__always)
        mutating func compress(digest low: Words, _ high: Words) {
            compress(low, high, Words(0x8000_0000, 0, 0, 0), Words(0, 0, 0, 96 * 8))
        }

        /// Compresses one block, given as its sixteen words.
        @inline(__always)
        private mutating func compress(
            _ first: Words, _ second: Words, _ third: Words, _ fourth: Words
        ) {
            let before = self
            var (m0, m1, m2, m3) = (first, second, third, fourth)
            fourRounds(m0, Words(0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5))
            fourRounds(m1, Words(0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5))
            fourRounds(m2, Words(0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3))
            fourRounds(m3, Words(0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174))
            Self.advance(&m0, m1, m2, m3)
            fourRounds(m0, Words(0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc))
            Self.advance(&m1, m2, m3, m0)
            fourRounds(m1, Words(0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da))
            Self.advance(&m2, m3, m0, m1)
            fourRounds(m2, Words(0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7))
            Self.advance(&m3, m0, m1, m2)
            fourRounds(m3, Words(0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967))
            Self.advance(&m0, m1, m2, m3)
            fourRounds(m0, Words(0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13))
            Self.advance(&m1, m2, m3, m0)
            fourRounds(m1, Words(0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85))
            Self.advance(&m2, m3, m0, m1)
            fourRounds(m2, Words(0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3))
            Self.advance(&m3, m0, m1, m2)
            fourRounds(m3, Words(0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070))
            Self.advance(&m0, m1, m2, m3)
            fourRounds(m0, Words(0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5))
            Self.advance(&m1, m2, m3, m0)
            fourRounds(m1, Words(0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3))
            Self.advance(&m2, m3, m0, m1)
            fourRounds(m2, Words(0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208))
            Self.advance(&m3, m0, m1, m2)
            fourRounds(m3, Words(0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2))
            abef &+= before.abef
            cdgh &+= before.cdgh
        }

        @inline(__always)
        private mutating func fourRounds(_ words: Words, _ constants: Words) {
            let low = words &+ constants
            // The instruction reads only the lower two words.
            let high = Words(low[2], low[3], low[2], low[3])
            cdgh = Words(_mm_sha256rnds2_epu32(__m128i(cdgh), __m128i(abef), __m128i(low)))
            abef = Words(_mm_sha256rnds2_epu32(__m128i(abef), __m128i(cdgh), __m128i(high)))
        }

        /// W(t) = s1(W(t-2)) + W(t-7) + s0(W(t-15)) + W(t-16), four words at a time. `w16` contains
        /// W(t-16) and the three words after it, `w4` the last four.
        @inline(__always)
        private static func advance(_ w16: inout Words, _ w12: Words, _ w8: Words, _ w4: Words) {
            let sum =
                Words(_mm_sha256msg1_epu32(__m128i(w16), __m128i(w12)))
                &+ Words(w8[1], w8[2], w8[3], w4[0])
            w16 = Words(_mm_sha256msg2_epu32(__m128i(sum), __m128i(w4)))
        }

        /// Four words, most significant byte first.
        @inline(__always)
        private static func load(_ source: UnsafeRawPointer) -> Words {
            let order = SIMD16<UInt8>(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
            // Sound: sixteen bytes of a block; both vectors have the same size and are plain data.
            return unsafe Words(
                _mm_shuffle_epi8(
                    source.loadUnaligned(as: __m128i.self),
                    unsafeBitCast(order, to: __m128i.self)))
        }
    }

    extension __m128i {
        @inline(__always)
        // Sound: both vectors have the same size and are plain data.
        fileprivate init(_ words: Words) { self = unsafe unsafeBitCast(words, to: __m128i.self) }
    }

    extension Words {
        @inline(__always)
        // Sound: both vectors have the same size and are plain data.
        fileprivate init(_ vector: __m128i) { self = unsafe unsafeBitCast(vector, to: Words.self) }
    }
#endif

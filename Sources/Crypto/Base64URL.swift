/// base64url without padding (RFC 4648 §5, as profiled by RFC 7515 §2). Encoder and decoder are
/// strict.
///
/// Only canonical text is accepted: the 64 characters, no padding, no white space, and zeros in the
/// unused bits of a last partial group. So a byte string has exactly one encoding, and a token
/// cannot be changed into another text that also verifies.
package enum Base64URL {
    package enum DecodingError: Error, Equatable {
        /// The character at this offset is not in the alphabet.
        case invalidCharacter(at: Int)
        /// A length of 1 mod 4: the last character carries only six bits, which is less than a
        /// byte.
        case invalidLength
        /// The unused bits of the last character are not zero.
        case nonzeroTrailingBits
        /// The decoded bytes do not fit into the buffer.
        case tooLong
    }

    /// The number of bytes that `count` characters decode to.
    package static func decodedCount(_ count: Int) -> Int { count * 3 / 4 }

    /// The number of characters that `count` bytes encode to.
    package static func encodedCount(_ count: Int) -> Int { (count * 4 + 2) / 3 }

    /// Decodes all of `text` into the front of `output`.
    /// - Returns: the number of bytes.
    /// - Throws: `tooLong`, `invalidLength`, `invalidCharacter` for the first invalid one, or
    ///   `nonzeroTrailingBits`. The content of `output` is then unspecified.
    package static func decode(
        _ text: Span<UInt8>, into output: inout MutableSpan<UInt8>
    ) throws(DecodingError) -> Int {
        guard text.count % 4 != 1 else { throw .invalidLength }
        let count = decodedCount(text.count)
        guard count <= output.count else { throw .tooLong }
        // Sound: `count` bytes fit, as checked; the groups are counted from `text.count`.
        let isValid = unsafe text.withUnsafeBufferPointer { text in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe decodeGroups(text, output.extracting(0..<count))
            }
        }
        guard isValid else {
            for index in text.indices where sextets[Int(text[index])] == invalid {
                throw .invalidCharacter(at: index)
            }
            throw .nonzeroTrailingBits
        }
        return count
    }

    /// As `decode`, into a new array.
    package static func decoded(_ text: Span<UInt8>) throws(DecodingError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: decodedCount(text.count))
        var span = bytes.mutableSpan
        _ = try decode(text, into: &span)
        return bytes
    }

    /// Writes the encoding of `bytes` to the front of `text`.
    /// - Precondition: `text` has at least `encodedCount(bytes.count)` elements.
    package static func encode(_ bytes: Span<UInt8>, into text: inout MutableSpan<UInt8>) {
        let count = encodedCount(bytes.count)
        precondition(count <= text.count)
        // Sound: the target has exactly the characters that these bytes encode to.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe text.withUnsafeMutableBufferPointer { text in
                unsafe encodeGroups(bytes, text.extracting(0..<count))
            }
        }
    }

    /// Appends the encoding of `bytes`.
    package static func encode(_ bytes: Span<UInt8>, appendingTo text: inout [UInt8]) {
        let start = text.count
        text.append(contentsOf: repeatElement(0, count: encodedCount(bytes.count)))
        var target = text.mutableSpan
        // Sound: the target has exactly the characters that these bytes encode to.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe target.withUnsafeMutableBufferPointer { target in
                unsafe encodeGroups(bytes, target.extracting(start...))
            }
        }
    }

    /// The encoding of `bytes`.
    package static func encoded(_ bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        encode(bytes, appendingTo: &text)
        return text
    }

    /// Collects faults instead of stopping at the first: the high bits of invalid characters and
    /// the stray bits are combined in one word, which is tested once.
    ///
    /// Sound: callers provide exactly `decodedCount` bytes. Every four characters read produce
    /// three of them, and the last two or three produce one or two. The loop condition ensures that
    /// a store of eight bytes fits. The table has an element for each byte.
    /// store are counted before it. The table has a place for each byte.
    private static func decodeGroups(
        _ text: UnsafeBufferPointer<UInt8>, _ output: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        // Both base addresses are nil only for empty buffers: then there is nothing to decode.
        guard let source = text.baseAddress, let target = output.baseAddress else { return true }
        @inline(__always) func value(_ index: Int) -> UInt32 {
            // Sound: only called with an index below `text.count`.
            unsafe UInt32(sextets[Int(source[index])])
        }
        var fault: UInt32 = 0
        var read = 0
        var write = 0
        // Eight characters are six bytes. They are stored with two more, which the next group
        // overwrites.
        while read + 8 <= text.count, write + 8 <= output.count {
            let (a, b, c, d) = (value(read), value(read + 1), value(read + 2), value(read + 3))
            let (e, f, g, h) = (value(read + 4), value(read + 5), value(read + 6), value(read + 7))
            fault |= a | b | c | d | e | f | g | h
            let high = UInt64(a << 18 | b << 12 | c << 6 | d)
            let low = UInt64(e << 18 | f << 12 | g << 6 | h)
            let group = (high << 24 | low) << 16
            unsafe UnsafeMutableRawBufferPointer(output).storeBytes(
                of: group.bigEndian, toByteOffset: write, as: UInt64.self)
            read += 8
            write += 6
        }
        while read + 4 <= text.count {
            let (a, b, c, d) = (value(read), value(read + 1), value(read + 2), value(read + 3))
            fault |= a | b | c | d
            let group = a << 18 | b << 12 | c << 6 | d
            unsafe target[write] = UInt8(truncatingIfNeeded: group >> 16)
            unsafe target[write + 1] = UInt8(truncatingIfNeeded: group >> 8)
            unsafe target[write + 2] = UInt8(truncatingIfNeeded: group)
            read += 4
            write += 3
        }
        fault &= UInt32(invalid)
        switch text.count - read {
        case 2:
            let (a, b) = (value(read), value(read + 1))
            fault |= (a | b) & UInt32(invalid) | (b & 0b1111)
            unsafe target[write] = UInt8(truncatingIfNeeded: a << 2 | b >> 4)
        case 3:
            let (a, b, c) = (value(read), value(read + 1), value(read + 2))
            fault |= (a | b | c) & UInt32(invalid) | (c & 0b11)
            unsafe target[write] = UInt8(truncatingIfNeeded: a << 2 | b >> 4)
            unsafe target[write + 1] = UInt8(truncatingIfNeeded: b << 4 | c >> 2)
        default: break
        }
        return fault == 0
    }

    /// Sound: callers provide exactly `encodedCount` characters. Every three bytes read produce
    /// four of them, and the last one or two produce two or three.
    private static func encodeGroups(
        _ bytes: UnsafeBufferPointer<UInt8>, _ text: UnsafeMutableBufferPointer<UInt8>
    ) {
        let alphabet: StaticString =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let characters = unsafe alphabet.utf8Start
        var write = 0
        @inline(__always) func put(_ bits: UInt32) {
            // Sound: see above; six bits are an index of one of the 64 characters.
            unsafe text[write] = characters[Int(bits & 63)]
            write += 1
        }
        var read = 0
        while read + 3 <= bytes.count {
            let group =
                unsafe UInt32(bytes[read]) << 16 | UInt32(bytes[read + 1]) << 8
                | UInt32(bytes[read + 2])
            put(group >> 18)
            put(group >> 12)
            put(group >> 6)
            put(group)
            read += 3
        }
        switch bytes.count - read {
        case 1:
            let group = unsafe UInt32(bytes[read]) << 16
            put(group >> 18)
            put(group >> 12)
        case 2:
            let group = unsafe UInt32(bytes[read]) << 16 | UInt32(bytes[read + 1]) << 8
            put(group >> 18)
            put(group >> 12)
            put(group >> 6)
        default: break
        }
    }
}

/// The table's value for a byte outside the alphabet: a bit that no six-bit value has.
private let invalid: UInt8 = 0x80
private let xx = invalid

/// The six bits of each character (RFC 4648 table 2). A literal, so that the compiler lays it out
/// and it is read in place.
private let sextets: InlineArray<256, UInt8> = [
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, 62, xx, xx,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, xx, xx, xx, xx, xx, xx,
    xx, 00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, xx, xx, xx, xx, 63,
    xx, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
    xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx, xx,
]

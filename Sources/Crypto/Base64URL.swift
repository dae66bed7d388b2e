/// base64url without padding (RFC 4648 §5, as RFC 7515 §2 uses it), strict both ways.
///
/// Only canonical text is accepted: the 64 characters, no padding, no white space, and zero in the
/// bits that a last partial group leaves over. So one byte string has exactly one spelling, and a
/// token cannot be respelt into another that also verifies.
package enum Base64URL {
    package enum DecodingError: Error, Equatable {
        /// A character outside the alphabet stands at this offset.
        case invalidCharacter(at: Int)
        /// 1 mod 4 characters carry six bits, which is no byte.
        case invalidLength
        /// The last character has bits set that belong to no byte.
        case strayBits
        /// The bytes do not fit the buffer.
        case tooLong
    }

    /// How many bytes `count` characters decode to.
    package static func decodedCount(_ count: Int) -> Int { count * 3 / 4 }

    /// How many characters `count` bytes encode to.
    package static func encodedCount(_ count: Int) -> Int { (count * 4 + 2) / 3 }

    /// Decodes all of `text` into the front of `output` and returns how many bytes that were.
    /// After an error `output` holds nothing that may be used.
    package static func decode(
        _ text: Span<UInt8>, into output: inout MutableSpan<UInt8>
    ) throws(DecodingError) -> Int {
        guard text.count % 4 != 1 else { throw .invalidLength }
        let count = decodedCount(text.count)
        guard count <= output.count else { throw .tooLong }
        // Sound: `count` bytes fit, as checked, and groups are counted from `text.count`.
        let isValid = unsafe text.withUnsafeBufferPointer { text in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe decodeGroups(text, output.extracting(0..<count))
            }
        }
        guard isValid else {
            for index in text.indices where sextets[Int(text[index])] == invalid {
                throw .invalidCharacter(at: index)
            }
            throw .strayBits
        }
        return count
    }

    /// The decoded bytes as an array, for where that is handier than a buffer.
    package static func decoded(_ text: Span<UInt8>) throws(DecodingError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: decodedCount(text.count))
        var span = bytes.mutableSpan
        _ = try decode(text, into: &span)
        return bytes
    }

    /// Writes the canonical text of `bytes` to the front of `text`.
    /// - Precondition: it has room for `encodedCount` characters.
    package static func encode(_ bytes: Span<UInt8>, into text: inout MutableSpan<UInt8>) {
        let count = encodedCount(bytes.count)
        precondition(count <= text.count)
        // Sound: there is room for exactly the characters that these bytes make.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe text.withUnsafeMutableBufferPointer { text in
                unsafe encodeGroups(bytes, text.extracting(0..<count))
            }
        }
    }

    /// Appends the canonical text of `bytes`.
    package static func encode(_ bytes: Span<UInt8>, appendingTo text: inout [UInt8]) {
        let start = text.count
        text.append(contentsOf: repeatElement(0, count: encodedCount(bytes.count)))
        var target = text.mutableSpan
        // Sound: there is room for exactly the characters that these bytes make.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe target.withUnsafeMutableBufferPointer { target in
                unsafe encodeGroups(bytes, target.extracting(start...))
            }
        }
    }

    package static func encoded(_ bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        encode(bytes, appendingTo: &text)
        return text
    }

    /// Gathers what is wrong instead of stopping at it: the high bit of any invalid character and
    /// the stray bits end up in one word that is looked at once.
    ///
    /// Sound: callers give room for exactly `decodedCount` bytes. Every four characters that are read are
    /// three of those, and the two or three that may be left are one or two; the eight bytes of a longer
    /// store are counted before it. The table has a place for each byte.
    private static func decodeGroups(
        _ text: UnsafeBufferPointer<UInt8>, _ output: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        // Without a text there is nothing to decode; with one the buffer is not empty either.
        guard let source = text.baseAddress, let target = output.baseAddress else { return true }
        @inline(__always) func value(_ index: Int) -> UInt32 {
            // Sound: asked for below `text.count` alone.
            unsafe UInt32(sextets[Int(source[index])])
        }
        var fault: UInt32 = 0
        var read = 0
        var write = 0
        // Eight characters are six bytes, stored with two more that the next group overwrites.
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

    /// Sound: callers give room for exactly `encodedCount` characters. Every three bytes that are read are
    /// four of those, and the one or two that may be left are two or three.
    private static func encodeGroups(
        _ bytes: UnsafeBufferPointer<UInt8>, _ text: UnsafeMutableBufferPointer<UInt8>
    ) {
        let alphabet: StaticString =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let characters = unsafe alphabet.utf8Start
        var write = 0
        @inline(__always) func put(_ bits: UInt32) {
            // Sound: see above; and six bits are the number of one of the 64 characters.
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

/// What a byte outside the alphabet decodes to: a bit that no six-bit value has.
private let invalid: UInt8 = 0x80
private let xx = invalid

/// The six bits of each byte as a character (RFC 4648 table 2). A literal, so that it is laid out by
/// the compiler and read in place.
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

import Glibc

/// The functions are `mutating` only for speed. The compiler implements a borrow of a value that
/// can be neither copied nor stored as a copy of all its bytes, which costs more than the
/// comparison.
extension JSONReader {
    /// Whether the string's content is `literal` (ASCII), after escapes are resolved.
    package mutating func isEqual(_ text: JSONStringToken, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        if !text.hasEscapes {
            guard text.end - text.start == count else { return false }
            for index in 0..<count {
                // Sound: the index is below the literal's count.
                guard unsafe bytes[text.start + index] == literal.utf8Start[index] else {
                    return false
                }
            }
            return true
        }
        var index = 0
        var isEqual = true
        forEachByte(of: text) { byte in
            // Sound: the index is compared with the literal's count first.
            isEqual = unsafe isEqual && index < count && byte == literal.utf8Start[index]
            index += 1
        }
        return isEqual && index == count
    }

    /// Whether the string's content is exactly `utf8`, after escapes are resolved.
    package mutating func isEqual(_ text: JSONStringToken, _ utf8: Span<UInt8>) -> Bool {
        if !text.hasEscapes {
            guard text.end - text.start == utf8.count else { return false }
            let plain = bytes.extracting(text.start..<text.end)
            // Sound: both have `utf8.count` bytes.
            return unsafe plain.withUnsafeBytes { plain in
                unsafe utf8.withUnsafeBytes { utf8 in
                    unsafe utf8.isEmpty
                        || memcmp(plain.baseAddress!, utf8.baseAddress!, utf8.count) == 0
                }
            }
        }
        var index = 0
        var isEqual = true
        forEachByte(of: text) { byte in
            isEqual = isEqual && index < utf8.count && byte == utf8[index]
            index += 1
        }
        return isEqual && index == utf8.count
    }

    /// The string's content in place; nil if it contains an escape.
    @_lifetime(copy self)
    package mutating func plainBytes(of text: JSONStringToken) -> Span<UInt8>? {
        text.hasEscapes ? nil : bytes.extracting(text.start..<text.end)
    }

    /// The string's content as UTF-8.
    package mutating func bytes(of text: JSONStringToken) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(text.end - text.start)
        forEachByte(of: text) { copy.append($0) }
        return copy
    }

    package mutating func string(of text: JSONStringToken) -> String {
        String(decoding: bytes(of: text), as: UTF8.self)
    }

    /// Calls `body` with each byte of the content's UTF-8, escapes resolved.
    package mutating func forEachByte(of text: JSONStringToken, _ body: (UInt8) -> Void) {
        var index = text.start
        while index < text.end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\\"),
                let (scalar, length) = try? Self.escape(in: bytes, at: index)
            {
                JSONStringToken.forEachByte(of: scalar, body)
                index += length
            } else {
                body(byte)
                index += 1
            }
        }
    }

    /// Whether two names are equal. Allocates nothing: an object whose names were chosen to have
    /// equal keys causes half a million of these comparisons.
    mutating func isSameName(_ a: JSONStringToken, _ b: JSONStringToken) -> Bool {
        guard a.key == b.key, a.length == b.length else { return false }
        if a.length <= 8 { return true }
        var (first, second) = (a.start, b.start)
        while first < a.end, second < b.end {
            guard character(at: &first) == character(at: &second) else { return false }
        }
        return first == a.end && second == b.end
    }

    /// The scalar value at `index` of a validated string; moves the index after it.
    mutating func character(at index: inout Int) -> UInt32 {
        let byte = bytes[index]
        if byte == UInt8(ascii: "\\"),
            let (scalar, length) = try? Self.escape(in: bytes, at: index)
        {
            index += length
            return scalar
        }
        index += 1
        guard byte >= 0x80 else { return UInt32(byte) }
        // The payload of the lead byte: five, four or three bits, for one, two or three following
        // bytes.
        let followers = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3
        var scalar = UInt32(byte) & (0x3F >> UInt32(followers))
        for _ in 0..<followers {
            scalar = scalar << 6 | UInt32(bytes[index] & 0x3F)
            index += 1
        }
        return scalar
    }
}

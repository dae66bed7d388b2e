import Glibc

/// These are `mutating` in name only: the compiler answers a borrow of a value like this one, which
/// can be neither copied nor stored, with a copy of all its bytes, and that costs more than the
/// comparison.
extension JSONReader {
    /// Whether the text says `literal` (ASCII), however it is spelt.
    package mutating func isEqual(_ text: JSONStringToken, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        if !text.hasEscapes {
            guard text.end - text.start == count else { return false }
            for index in 0..<count {
                // Sound: the index is below the literal's own count.
                guard unsafe bytes[text.start + index] == literal.utf8Start[index] else {
                    return false
                }
            }
            return true
        }
        var index = 0
        var isEqual = true
        forEachByte(of: text) { byte in
            // Sound: compared with the literal's count first.
            isEqual = unsafe isEqual && index < count && byte == literal.utf8Start[index]
            index += 1
        }
        return isEqual && index == count
    }

    /// Whether the text says exactly `utf8`, however it is spelt.
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

    /// The text's characters as they stand, if none of them is an escape.
    @_lifetime(copy self)
    package mutating func plainBytes(of text: JSONStringToken) -> Span<UInt8>? {
        text.hasEscapes ? nil : bytes.extracting(text.start..<text.end)
    }

    /// The text's characters as UTF-8.
    package mutating func bytes(of text: JSONStringToken) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(text.end - text.start)
        forEachByte(of: text) { copy.append($0) }
        return copy
    }

    package mutating func string(of text: JSONStringToken) -> String {
        String(decoding: bytes(of: text), as: UTF8.self)
    }

    /// Calls `body` with each byte of the text's UTF-8, escapes resolved.
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

    /// Whether two names are the same. Allocates nothing: whoever sends names that were made to share
    /// a key gets half a million of these comparisons out of one object.
    mutating func isSameName(_ a: JSONStringToken, _ b: JSONStringToken) -> Bool {
        guard a.key == b.key, a.length == b.length else { return false }
        if a.length <= 8 { return true }
        var (first, second) = (a.start, b.start)
        while first < a.end, second < b.end {
            guard character(at: &first) == character(at: &second) else { return false }
        }
        return first == a.end && second == b.end
    }

    /// The scalar value at `index` of a text that was checked, and the index moved behind it.
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
        // The lead byte's own bits: five, four or three, below as many ones as there are bytes.
        let followers = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3
        var scalar = UInt32(byte) & (0x3F >> UInt32(followers))
        for _ in 0..<followers {
            scalar = scalar << 6 | UInt32(bytes[index] & 0x3F)
            index += 1
        }
        return scalar
    }
}

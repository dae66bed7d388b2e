/// The character classes of RFC 9110 §5.6, RFC 3986 and RFC 6750, as predicates of one byte.
package enum Grammar {
    /// tchar (RFC 9110 §5.6.2): `! # $ % & ' * + - . ^ _ ` | ~`, digits and letters.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        contains(0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE, byte)
    }

    /// The bytes of a path (RFC 3986 §3.3): pchar and `/`. The caller must check that each `%`
    /// begins a triplet.
    @inline(__always)
    static func isPath(_ byte: UInt8) -> Bool {
        contains(0x2FFF_FFF2_0000_0000, 0x47FF_FFFE_87FF_FFFF, byte)
    }

    /// The bytes of a query (RFC 3986 §3.4), and also `[ ] \ ^ ` { | }`: browsers send those
    /// unencoded, and the parser does not interpret a query.
    @inline(__always)
    static func isQuery(_ byte: UInt8) -> Bool {
        contains(0xAFFF_FFF2_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, byte)
    }

    /// The bytes of reg-name and IPv4address (RFC 3986 §3.2.2): unreserved, sub-delims, and `%`,
    /// which begins a triplet.
    @inline(__always)
    static func isHostName(_ byte: UInt8) -> Bool {
        contains(0x2BFF_7FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE, byte)
    }

    /// The bytes of b64token without its padding (RFC 6750 §2.1).
    @inline(__always)
    static func isBearerToken(_ byte: UInt8) -> Bool {
        contains(0x03FF_E800_0000_0000, 0x47FF_FFFE_87FF_FFFE, byte)
    }

    /// The bytes of a request id. All of them are safe in a field value and in a log line.
    @inline(__always)
    static func isRequestIDCharacter(_ byte: UInt8) -> Bool {
        contains(0x03FF_6000_0000_0000, 0x07FF_FFFE_87FF_FFFE, byte)
    }

    @inline(__always)
    static func isWhiteSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    @inline(__always)
    static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Looks up a set of ASCII characters: bit n of `low` is byte n, bit n of `high` is byte 64 +
    /// n.
    @inline(__always)
    private static func contains(_ low: UInt64, _ high: UInt64, _ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 == 1
    }
}

extension Span<UInt8> {
    /// True if the bytes equal the ASCII literal.
    @inline(__always)
    package func isEqual(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        for index in indices {
            // Sound: the counts are equal.
            guard unsafe self[index] == literal.utf8Start[index] else { return false }
        }
        return true
    }

    /// True if the bytes equal the literal, with ASCII letters compared without case.
    /// - Parameter lowercase: an ASCII literal in lower case.
    package func isEqualIgnoringCase(_ lowercase: StaticString) -> Bool {
        guard count == lowercase.utf8CodeUnitCount else { return false }
        for index in indices {
            // Sound: the counts are equal.
            guard unsafe Self.folded(self[index]) == lowercase.utf8Start[index] else {
                return false
            }
        }
        return true
    }

    /// True if the bytes are equal, with ASCII letters compared without case.
    func isEqualIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where Self.folded(self[index]) != Self.folded(other[index]) {
            return false
        }
        return true
    }

    @inline(__always)
    private static func folded(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// The bytes without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
    package var trimmed: Span<UInt8> {
        @_lifetime(copy self)
        get {
            var start = 0
            var end = count
            while start < end, Grammar.isWhiteSpace(self[start]) { start += 1 }
            while end > start, Grammar.isWhiteSpace(self[end - 1]) { end -= 1 }
            return extracting(start..<end)
        }
    }
}

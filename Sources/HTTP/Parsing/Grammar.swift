/// The character classes of RFC 9110 §5.6, RFC 3986 and RFC 6750, as questions about one byte.
package enum Grammar {
    /// tchar (RFC 9110 §5.6.2): `! # $ % & ' * + - . ^ _ ` | ~`, digits and letters.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        contains(0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE, byte)
    }

    /// What a path may have as it is (RFC 3986 §3.3): pchar and `/`. A `%` must begin a triplet,
    /// which is for the caller to see.
    @inline(__always)
    static func isPath(_ byte: UInt8) -> Bool {
        contains(0x2FFF_FFF2_0000_0000, 0x47FF_FFFE_87FF_FFFF, byte)
    }

    /// What a query may have (RFC 3986 §3.4), and `[ ] \ ^ ` { | }` besides: browsers send those
    /// as they are, and nothing here reads a query.
    @inline(__always)
    static func isQuery(_ byte: UInt8) -> Bool {
        contains(0xAFFF_FFF2_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, byte)
    }

    /// reg-name and IPv4address (RFC 3986 §3.2.2): unreserved, sub-delims, and `%` for triplets.
    @inline(__always)
    static func isHostName(_ byte: UInt8) -> Bool {
        contains(0x2BFF_7FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE, byte)
    }

    /// b64token without its padding (RFC 6750 §2.1).
    @inline(__always)
    static func isBearerToken(_ byte: UInt8) -> Bool {
        contains(0x03FF_E800_0000_0000, 0x47FF_FFFE_87FF_FFFE, byte)
    }

    /// What a request id may have, so that it can stand in a field and in a log line.
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

    /// A set of ASCII characters as two words, bit n of `low` for byte n, of `high` for 64 + n.
    @inline(__always)
    private static func contains(_ low: UInt64, _ high: UInt64, _ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 == 1
    }
}

extension Span<UInt8> {
    /// Byte for byte the same as an ASCII literal.
    @inline(__always)
    package func isEqual(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        for index in indices {
            // Sound: the counts are equal.
            guard unsafe self[index] == literal.utf8Start[index] else { return false }
        }
        return true
    }

    /// The same as an ASCII literal in lower case, letters compared without case.
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

    /// The same bytes, ASCII letters compared without case.
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

    /// Without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
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

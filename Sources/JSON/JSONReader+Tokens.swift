/// The grammar of RFC 8259 §2, §6 and §7, byte by byte: numbers, strings, white space.
extension JSONReader {
    struct NumberToken {
        let start: Int
        let end: Int
        /// Written without fraction and exponent.
        let isInteger: Bool
        /// The value, if it is an integer of 64 bits.
        let integer: Int64?
    }

    /// RFC 8259 §6: `[ "-" ] ( "0" / 1-9 *digit ) [ "." 1*digit ] [ ("e" / "E") [sign] 1*digit ]`.
    mutating func scanNumber() throws(JSONError) -> NumberToken {
        let start = offset
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let firstDigit = offset
        let (value, overflows) = scanInteger()
        guard offset > firstDigit else { throw fault() }
        if bytes[firstDigit] == UInt8(ascii: "0"), offset > firstDigit + 1 {
            throw JSONError(.unexpectedByte, at: firstDigit + 1)
        }
        var isInteger = true
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset += 1
            if offset < bytes.count,
                bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try scanDigits()
        }
        var integer: Int64?
        if isInteger, !overflows {
            if isNegative {
                integer = value
            } else if value != .min {
                integer = -value
            }
        }
        return NumberToken(start: start, end: offset, isInteger: isInteger, integer: integer)
    }

    /// The digits at `offset` as a negated number, because the negative range is larger by one.
    mutating func scanInteger() -> (negated: Int64, overflows: Bool) {
        var index = offset
        var value: Int64 = 0
        var overflows = false
        // Sound: indices stay below the count.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            // Eighteen digits always fit; only further ones need an overflow check.
            let safeEnd = min(bytes.count, index + 18)
            while index < safeEnd, unsafe bytes[index] &- 0x30 < 10 {
                value = unsafe value &* 10 &- Int64(bytes[index] &- 0x30)
                index += 1
            }
            while index < bytes.count, unsafe bytes[index] &- 0x30 < 10 {
                let (product, first) = value.multipliedReportingOverflow(by: 10)
                let (sum, second) = unsafe product.subtractingReportingOverflow(
                    Int64(bytes[index] &- 0x30))
                overflows = overflows || first || second
                value = overflows ? 0 : sum
                index += 1
            }
        }
        offset = index
        return (value, overflows)
    }

    mutating func scanDigits() throws(JSONError) {
        let start = offset
        while offset < bytes.count, Self.digit(bytes[offset]) != nil { offset += 1 }
        guard offset > start else { throw fault() }
    }

    @inline(__always)
    static func digit(_ byte: UInt8) -> Int64? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? Int64(value) : nil
    }

    /// The error for an invalid byte at `offset`, or for the end of the text.
    mutating func fault() -> JSONError {
        JSONError(offset < bytes.count ? .unexpectedByte : .unexpectedEnd, at: offset)
    }

    /// Skips a string, from its opening quotation mark to after its closing one, and validates it:
    /// no control characters, valid UTF-8, complete escapes, paired surrogates.
    /// - Parameter isName: whether to compute the key that names need.
    mutating func scanText(isName: Bool) throws(JSONError) -> JSONStringToken {
        offset += 1
        let start = offset
        var hasEscapes = false
        while true {
            offset = Self.plainEnd(in: bytes, from: offset)
            guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                let end = offset
                offset += 1
                return isName
                    ? name(start, end, hasEscapes)
                    : JSONStringToken(start: start, end: end, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                _ = try scanEscape()
            case 0x80...: offset += try scanMultibyteCharacter()
            default: throw JSONError(.unexpectedByte, at: offset)
            }
        }
    }

    /// The token of a name, with the key of its content after escapes are resolved.
    mutating func name(_ start: Int, _ end: Int, _ hasEscapes: Bool) -> JSONStringToken {
        guard hasEscapes else {
            return JSONStringToken(
                start: start, end: end, hasEscapes: false,
                key: JSONStringToken.key(bytes.extracting(start..<end)), length: end - start)
        }
        let resolved = self.bytes(of: JSONStringToken(start: start, end: end, hasEscapes: true))
        return JSONStringToken(
            start: start, end: end, hasEscapes: true, key: JSONStringToken.key(resolved.span),
            length: resolved.count)
    }

    /// The end of the run of printable ASCII without quotation marks and backslashes that begins at
    /// `start`: tested eight bytes at a time, and the last few one by one.
    static func plainEnd(in bytes: Span<UInt8>, from start: Int) -> Int {
        // Sound: `loadUnaligned` is called only where eight bytes are left.
        unsafe bytes.withUnsafeBytes { buffer in
            var index = start
            while index + 8 <= buffer.count {
                let word = unsafe UInt64(
                    littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                // The high bit of a byte is set if the subtraction borrows, or if it was set
                // before. A borrow can also mark bytes after the first match, but only the first
                // mark is used.
                let control = word &- 0x2020_2020_2020_2020
                let quote = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
                let escape = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
                let found = (control | quote | escape | word) & 0x8080_8080_8080_8080
                if found != 0 { return index + found.trailingZeroBitCount / 8 }
                index += 8
            }
            while index < buffer.count {
                // Sound: `index` is below the count.
                let byte = unsafe buffer[index]
                guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""),
                    byte != UInt8(ascii: "\\")
                else { break }
                index += 1
            }
            return index
        }
    }

    /// The length of the character at `offset`, validated by table 3-7 of the Unicode Standard.
    mutating func scanMultibyteCharacter() throws(JSONError) -> Int {
        let lead = bytes[offset]
        let (length, second): (Int, ClosedRange<UInt8>) =
            switch lead {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xE1...0xEF: (3, 0x80...0xBF)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: throw JSONError(.invalidUTF8, at: offset)
            }
        guard offset + length <= bytes.count, second.contains(bytes[offset + 1]) else {
            throw JSONError(.invalidUTF8, at: offset)
        }
        for index in (offset + 2)..<(offset + length) {
            guard bytes[index] & 0xC0 == 0x80 else { throw JSONError(.invalidUTF8, at: offset) }
        }
        return length
    }

    mutating func scanEscape() throws(JSONError) -> UInt32 {
        let start = offset
        guard let (scalar, length) = try Self.escape(in: bytes, at: start) else {
            throw JSONError(
                start + 2 > bytes.count ? .unexpectedEnd : .invalidEscape, at: start)
        }
        offset += length
        return scalar
    }

    /// The character that the escape at `start` represents, and the escape's length; nil if it is
    /// not an escape of RFC 8259 §7.
    static func escape(
        in bytes: Span<UInt8>, at start: Int
    ) throws(JSONError) -> (scalar: UInt32, length: Int)? {
        guard start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): return (0x22, 2)
        case UInt8(ascii: "\\"): return (0x5C, 2)
        case UInt8(ascii: "/"): return (0x2F, 2)
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "u"): break
        default: return nil
        }
        guard let unit = hexadecimalUnit(in: bytes, at: start + 2) else { return nil }
        switch unit {
        case 0xD800...0xDBFF:
            guard start + 7 < bytes.count, bytes[start + 6] == UInt8(ascii: "\\"),
                bytes[start + 7] == UInt8(ascii: "u"),
                let low = hexadecimalUnit(in: bytes, at: start + 8),
                (0xDC00...0xDFFF).contains(low)
            else { throw JSONError(.loneSurrogate, at: start) }
            return (0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00), 12)
        case 0xDC00...0xDFFF: throw JSONError(.loneSurrogate, at: start)
        default: return (unit, 6)
        }
    }

    static func hexadecimalUnit(in bytes: Span<UInt8>, at start: Int) -> UInt32? {
        guard start + 4 <= bytes.count else { return nil }
        var unit: UInt32 = 0
        for index in start..<(start + 4) {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt32(byte - 0x30)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): unit = unit << 4 | UInt32(byte - 0x57)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): unit = unit << 4 | UInt32(byte - 0x37)
            default: return nil
            }
        }
        return unit
    }

    /// The next byte that is not white space (RFC 8259 §2); it remains unread.
    @inline(__always)
    mutating func peek() throws(JSONError) -> UInt8 {
        if offset < bytes.count, bytes[offset] > 0x20 { return bytes[offset] }
        skipWhiteSpace()
        guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
        return bytes[offset]
    }

    mutating func skipWhiteSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }
}

/// UTF-8, one character at a time.
enum UTF8Scalar {
    /// The character that begins at `start` (not an ASCII one) and its length in bytes; nil if none
    /// does (table 3-7 of the Unicode Standard).
    static func decode(_ bytes: Span<UInt8>, at start: Int) -> (scalar: UInt32, length: Int)? {
        let lead = bytes[start]
        let (length, low, high): (Int, UInt8, UInt8) =
            switch lead {
            case 0xC2...0xDF: (2, 0x80, 0xBF)
            case 0xE0: (3, 0xA0, 0xBF)
            case 0xED: (3, 0x80, 0x9F)
            case 0xE1...0xEF: (3, 0x80, 0xBF)
            case 0xF0: (4, 0x90, 0xBF)
            case 0xF1...0xF3: (4, 0x80, 0xBF)
            case 0xF4: (4, 0x80, 0x8F)
            default: (0, 0, 0)
            }
        guard length > 0, start + length <= bytes.count else { return nil }
        let second = bytes[start + 1]
        guard second >= low, second <= high else { return nil }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for index in (start + 1)..<(start + length) {
            guard bytes[index] & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(bytes[index] & 0x3F)
        }
        return (scalar, length)
    }

    /// What a reader of the log would not see, or would see as something else: C1 controls, line
    /// and paragraph separators, bidirectional marks and embeddings, the byte order mark.
    static func isInvisible(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}

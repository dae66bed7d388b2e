/// Decodes UTF-8 one scalar at a time.
package enum UTF8Scalar {
    /// The scalar that begins at `start` (not an ASCII one) and its length in bytes. For an invalid
    /// sequence: nil, and the length of its maximal subpart, at least one byte (table 3-7 of the
    /// Unicode Standard).
    static func decode(_ bytes: Span<UInt8>, at start: Int) -> (scalar: UInt32?, length: Int) {
        let lead = bytes[start]
        var (length, low, high): (Int, UInt8, UInt8) =
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
        guard length > 0 else { return (nil, 1) }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            guard start + offset < bytes.count else { return (nil, offset) }
            let byte = bytes[start + offset]
            guard byte >= low, byte <= high else { return (nil, offset) }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
            // Only the second byte's range depends on the first.
            (low, high) = (0x80, 0xBF)
        }
        return (scalar, length)
    }

    /// Whether a terminal would not show the scalar, or would show something else: C1 controls,
    /// line and paragraph separators, bidirectional marks and embeddings, the byte order mark.
    package static func isInvisible(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}

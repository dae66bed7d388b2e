/// Finds the end of a line, and rejects bytes that a line must not contain. This is the only loop
/// that examines every byte of a head.
///
/// It examines eight bytes at a time: a few operations skip a word without control characters. That
/// test counts a tab as a control character, so the loop accepts tabs separately.
enum LineScanner {
    enum End: Equatable {
        /// The offset of a CR LF.
        case found(Int)
        /// There is no line end yet; the search can continue at this offset.
        case needsMore(Int)
        /// CR without LF, or LF without CR (RFC 9112 §2.2).
        case bareLineEnd
        /// A control character other than tab (RFC 9110 §5.5), or DEL.
        case controlCharacter
    }

    /// - Parameter limit: a CR LF must begin before this offset; otherwise the result is
    ///   `needsMore`.
    static func lineBreak(in bytes: Span<UInt8>, from start: Int, limit: Int) -> End {
        let end = min(bytes.count, limit)
        var index = start
        while index < end {
            // Sound: the condition guarantees eight bytes.
            while index + 8 <= end {
                let passed = unsafe countBeforeControl(load(bytes, index))
                index += passed
                if passed < 8 { break }
            }
            guard index < end else { break }
            let byte = bytes[index]
            if byte >= 0x20 && byte != 0x7F || byte == 0x09 {
                index += 1
                continue
            }
            switch byte {
            case UInt8(ascii: "\r"):
                guard index + 1 < bytes.count else { return .needsMore(index) }
                return bytes[index + 1] == UInt8(ascii: "\n") ? .found(index) : .bareLineEnd
            case UInt8(ascii: "\n"): return .bareLineEnd
            default: return .controlCharacter
            }
        }
        return .needsMore(end)
    }

    /// Sound if the caller guarantees eight bytes from `index`; this is not checked.
    @unsafe @inline(__always)
    private static func load(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe UInt64(
                littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        }
    }

    /// The number of bytes before the first one that is below 0x20 or is 0x7F: 0 to 8. The
    /// subtraction sets the high bit of a byte where it borrows; the mask clears it where the byte
    /// already had it. A borrow can also mark bytes after a real control character, but only the
    /// first mark counts.
    @inline(__always)
    private static func countBeforeControl(_ word: UInt64) -> Int {
        let low = (word &- 0x2020_2020_2020_2020) & ~word
        let deleted = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let del = (deleted &- 0x0101_0101_0101_0101) & ~deleted
        return ((low | del) & 0x8080_8080_8080_8080).trailingZeroBitCount / 8
    }
}

/// Finds the end of a line, and whatever may not stand in one: the only loop that looks at every
/// byte of a head.
///
/// Eight bytes at a time: a word without a control character is passed over with a few operations
/// on the whole of it. A tab is a control character to that test, and is let through by itself.
enum LineScanner {
    enum End: Equatable {
        /// A CR LF begins here.
        case found(Int)
        /// No line end before the end of the bytes; the search may go on from here.
        case needsMore(Int)
        /// CR without LF, or LF without CR (RFC 9112 §2.2).
        case bareLineEnd
        /// A control character other than tab (RFC 9110 §5.5), or DEL.
        case controlCharacter
    }

    /// - Parameter limit: where the search may end at the latest: what comes there is `needsMore`.
    static func lineBreak(in bytes: Span<UInt8>, from start: Int, limit: Int) -> End {
        let end = min(bytes.count, limit)
        var index = start
        while index < end {
            // Sound: eight bytes are there.
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

    /// Sound where the caller knows of eight bytes from `index` on, which is not looked at here.
    @unsafe @inline(__always)
    private static func load(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe UInt64(
                littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        }
    }

    /// How many of eight bytes stand before the first that is below 0x20 or is 0x7F: the high bit of a
    /// byte is set where subtracting borrows, and masked out where the byte had it to begin with. A
    /// borrow can make bytes behind a real control character look like one, and only the first counts.
    @inline(__always)
    private static func countBeforeControl(_ word: UInt64) -> Int {
        let low = (word &- 0x2020_2020_2020_2020) & ~word
        let deleted = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let del = (deleted &- 0x0101_0101_0101_0101) & ~deleted
        return ((low | del) & 0x8080_8080_8080_8080).trailingZeroBitCount / 8
    }
}

import Glibc

/// Searches shared by the scanners of this module. The C library examines many bytes at once.
extension Span<UInt8> {
    func isEqual(_ literal: StaticString) -> Bool {
        count == literal.utf8CodeUnitCount && has(literal, at: 0)
    }

    func isEqual(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        // Sound: both spans have `count` bytes.
        return unsafe withUnsafeBytes { bytes in
            unsafe other.withUnsafeBytes { other in
                unsafe count == 0 || memcmp(bytes.baseAddress!, other.baseAddress!, count) == 0
            }
        }
    }

    /// Whether the literal is at this position. The position may be out of range; then it is not.
    func has(_ literal: StaticString, at start: Int) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard start >= 0, count - start >= length else { return false }
        // Sound: `length` bytes are available at `start` and in the literal.
        return unsafe withUnsafeBytes { bytes in
            unsafe length == 0 || memcmp(bytes.baseAddress! + start, literal.utf8Start, length) == 0
        }
    }

    /// The first index of `byte` in `range`.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        let part = extracting(range)
        // Sound: memchr examines the bytes of `part` alone.
        return unsafe part.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress,
                let found = unsafe memchr(start, CInt(byte), bytes.count)
            else { return nil }
            return unsafe range.lowerBound + (UnsafeRawPointer(found) - start)
        }
    }

    /// The last index of `byte` in `range`.
    func lastIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        for index in range.reversed() where self[index] == byte { return index }
        return nil
    }

    /// The bytes as text, with U+FFFD for invalid UTF-8.
    var text: String {
        // Sound: the pointer does not leave the closure.
        unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

import Glibc

/// What the scanners of this module have in common. The C library looks at many bytes at once.
extension Span<UInt8> {
    func isEqual(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        // Sound: both have `count` bytes.
        return unsafe withUnsafeBytes { bytes in
            unsafe count == 0 || memcmp(bytes.baseAddress!, literal.utf8Start, count) == 0
        }
    }

    func isEqual(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        // Sound: both have `count` bytes.
        return unsafe withUnsafeBytes { bytes in
            unsafe other.withUnsafeBytes { other in
                unsafe count == 0 || memcmp(bytes.baseAddress!, other.baseAddress!, count) == 0
            }
        }
    }

    /// Where the first `byte` in `range` is.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        let part = extracting(range)
        // Sound: the search stays inside the part.
        return unsafe part.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress,
                let found = unsafe memchr(start, CInt(byte), bytes.count)
            else { return nil }
            return unsafe range.lowerBound + (UnsafeRawPointer(found) - start)
        }
    }

    /// Where the last `byte` in `range` is.
    func lastIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        for index in range.reversed() where self[index] == byte { return index }
        return nil
    }

    var array: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }
}

import Glibc

extension Span<UInt8> {
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count, count > 0 else { return count == other.count }
        // Sound: both have `count` bytes.
        return unsafe withUnsafeBytes { bytes in
            unsafe other.withUnsafeBytes { other in
                unsafe memcmp(bytes.baseAddress!, other.baseAddress!, bytes.count) == 0
            }
        }
    }

    /// The first index of this byte at or after `start`.
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count else { return nil }
        // Sound: memchr reads `count - start` bytes, and returns a pointer to one of them or nil.
        return unsafe withUnsafeBytes { bytes in
            let base = bytes.baseAddress!
            guard let found = unsafe memchr(base + start, CInt(byte), count - start) else {
                return nil
            }
            return unsafe UnsafeRawPointer(found) - base
        }
    }
}

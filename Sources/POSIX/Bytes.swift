import Glibc

extension [UInt8] {
    package init(copying bytes: Span<UInt8>) {
        self = []
        reserveCapacity(bytes.count)
        append(copying: bytes)
    }

    /// Appends a span's bytes.
    package mutating func append(copying bytes: Span<UInt8>) {
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}

/// Writes once to a descriptor that the caller owns.
/// - Returns: the number of bytes that the kernel accepted, which may be fewer than given.
package func writeOnce(_ descriptor: CInt, _ bytes: Span<UInt8>) throws(Errno) -> Int {
    // Sound: the kernel reads `bytes.count` bytes, during the call only.
    try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
        try retryingOnInterrupt { unsafe write(descriptor, bytes.baseAddress, bytes.count) }
    }
}

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

/// Writes to a descriptor that somebody else owns; returns what the kernel took.
package func writeOnce(_ descriptor: CInt, _ bytes: Span<UInt8>) throws(Errno) -> Int {
    // Sound: the kernel reads as many bytes as there are, during the call.
    try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
        try retryingOnInterrupt { unsafe write(descriptor, bytes.baseAddress, bytes.count) }
    }
}

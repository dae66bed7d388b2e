extension [UInt8] {
    /// Appends a span's bytes.
    @inline(__always)
    mutating func append(copying bytes: Span<UInt8>) {
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends the bytes of an ASCII literal.
    @inline(__always)
    mutating func append(literal: StaticString) {
        // Sound: a literal's bytes live as long as the program, and its count is correct.
        unsafe append(
            contentsOf: UnsafeBufferPointer(
                start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number in decimal.
    /// - Precondition: `number` is not negative.
    mutating func append(decimal number: Int) {
        append(addingCapacity: 20) { $0.append(decimal: number) }
    }
}

/// For output that is assembled from many pieces: the capacity is reserved once, and appending a
/// piece never reallocates.
extension OutputSpan<UInt8> {
    /// - Precondition: the free capacity suffices.
    @inline(__always)
    mutating func append(copying bytes: Span<UInt8>) {
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBytes { unsafe append(copying: $0) }
    }

    /// - Precondition: the free capacity suffices.
    @inline(__always)
    mutating func append(literal: StaticString) {
        // Sound: a literal's bytes live as long as the program, and its count is correct.
        unsafe append(
            copying: UnsafeRawBufferPointer(
                start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number in decimal.
    /// - Precondition: `number` is not negative, and the free capacity suffices.
    mutating func append(decimal number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    @unsafe @inline(__always)
    private mutating func append(copying bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= freeCapacity)
        guard let source = bytes.baseAddress else { return }
        // Sound: the precondition guarantees free capacity after the initialized bytes.
        unsafe withUnsafeMutableBufferPointer { buffer, count in
            let target = unsafe UnsafeMutableRawPointer(buffer.baseAddress! + count)
            unsafe target.copyMemory(from: source, byteCount: bytes.count)
            count += bytes.count
        }
    }
}

extension [UInt8] {
    /// Appends a span's bytes.
    @inline(__always)
    mutating func append(copying bytes: Span<UInt8>) {
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends an ASCII literal.
    @inline(__always)
    mutating func append(literal: StaticString) {
        // Sound: a literal's bytes live as long as the program, and are as many as it says.
        unsafe append(
            contentsOf: UnsafeBufferPointer(
                start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number that is not negative, in decimal.
    mutating func append(decimal number: Int) {
        append(addingCapacity: 20) { $0.append(decimal: number) }
    }
}

/// For what is put together of many pieces: room is made once, and each piece only has to fit.
extension OutputSpan<UInt8> {
    /// - Precondition: there is room.
    @inline(__always)
    mutating func append(copying bytes: Span<UInt8>) {
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBytes { unsafe append(copying: $0) }
    }

    /// - Precondition: there is room.
    @inline(__always)
    mutating func append(literal: StaticString) {
        // Sound: a literal's bytes live as long as the program, and are as many as it says.
        unsafe append(
            copying: UnsafeRawBufferPointer(
                start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number that is not negative, in decimal.
    /// - Precondition: there is room.
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
        // Sound: there is room for the bytes behind those that are here, as was checked.
        unsafe withUnsafeMutableBufferPointer { buffer, count in
            let target = unsafe UnsafeMutableRawPointer(buffer.baseAddress! + count)
            unsafe target.copyMemory(from: source, byteCount: bytes.count)
            count += bytes.count
        }
    }
}

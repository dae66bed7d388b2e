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
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}

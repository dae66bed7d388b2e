/// The position of a string in the text of a `JSONReader`. That reader returns the content.
package struct JSONStringToken: Sendable {
    private let first: UInt32
    private let last: UInt32
    /// For names: a hash of the content. Equal names have equal keys, whatever their escapes;
    /// different names of up to eight bytes have different keys.
    let key: UInt64
    /// The number of UTF-8 bytes of the content; for names only.
    let length: UInt32
    let hasEscapes: Bool

    /// - Parameters: offsets below 2^32; the reader ensures that.
    @inline(__always)
    init(start: Int, end: Int, hasEscapes: Bool, key: UInt64 = 0, length: Int = 0) {
        first = UInt32(truncatingIfNeeded: start)
        last = UInt32(truncatingIfNeeded: end)
        self.hasEscapes = hasEscapes
        self.key = key
        self.length = UInt32(truncatingIfNeeded: length)
    }

    /// The initial value of unused array elements.
    @inline(__always)
    init() { self.init(start: 0, end: 0, hasEscapes: false) }

    /// The offset after the opening quotation mark.
    var start: Int { Int(first) }
    /// The offset of the closing quotation mark.
    var end: Int { Int(last) }

    /// Six well-mixed bits of a key.
    @inline(__always)
    static func slot(_ key: UInt64) -> Int { Int((key &* multiplier) &>> 58) }

    /// The key of a name: the bytes themselves if there are at most eight, else a hash of them.
    static func key(_ name: Span<UInt8>) -> UInt64 {
        // Sound: every load is of bytes below the count.
        unsafe name.withUnsafeBytes { bytes in
            let count = bytes.count
            guard count > 8 else {
                var key: UInt64 = 0
                for index in 0..<count { key |= unsafe UInt64(bytes[index]) &<< UInt64(8 * index) }
                return key
            }
            func word(_ index: Int) -> UInt64 {
                // Sound: only called with at most `count - 8`.
                unsafe UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            }
            var key: UInt64 = 0
            for index in stride(from: 0, to: count - 8, by: 8) {
                key = (key ^ word(index)) &* multiplier
                key ^= key &>> 29
            }
            return (key ^ word(count - 8)) &* multiplier
        }
    }

    /// Odd and without a pattern: 2^64 divided by the golden ratio.
    private static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Calls `body` with the UTF-8 bytes of a Unicode scalar value.
    static func forEachByte(of scalar: UInt32, _ body: (UInt8) -> Void) {
        func part(_ shift: UInt32, _ lead: UInt32) -> UInt8 {
            UInt8(truncatingIfNeeded: lead | (scalar >> shift))
        }
        func tail(_ shift: UInt32) -> UInt8 {
            UInt8(truncatingIfNeeded: 0x80 | (scalar >> shift & 0x3F))
        }
        switch scalar {
        case ..<0x80: body(part(0, 0))
        case ..<0x800:
            body(part(6, 0xC0))
            body(tail(0))
        case ..<0x10000:
            body(part(12, 0xE0))
            body(tail(6))
            body(tail(0))
        default:
            body(part(18, 0xF0))
            body(tail(12))
            body(tail(6))
            body(tail(0))
        }
    }
}

/// A string inside a text that a `JSONReader` has read: where it stands, not what it says. Ask the
/// reader that made it.
package struct JSONText: Sendable {
    private let first: UInt32
    private let last: UInt32
    /// FNV-1a over the characters' UTF-8.
    let hash: UInt32
    let hasEscapes: Bool

    /// - Parameters: offsets below 2^32, which a reader sees to.
    @inline(__always)
    init(start: Int, end: Int, hasEscapes: Bool, hash: UInt32) {
        first = UInt32(truncatingIfNeeded: start)
        last = UInt32(truncatingIfNeeded: end)
        self.hasEscapes = hasEscapes
        self.hash = hash
    }

    /// No text: what an empty place holds.
    @inline(__always)
    init() { self.init(start: 0, end: 0, hasEscapes: false, hash: 0) }

    /// The first byte behind the opening quotation mark.
    var start: Int { Int(first) }
    /// The closing quotation mark.
    var end: Int { Int(last) }

    static let hashBasis: UInt32 = 0x811c_9dc5

    @inline(__always)
    static func hash(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte)) &* 0x0100_0193
    }

    /// The UTF-8 bytes of a Unicode scalar value.
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

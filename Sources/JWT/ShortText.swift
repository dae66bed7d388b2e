import JSON

/// A string of at most 64 bytes, stored inline without a heap allocation: an identifier from a
/// token.
package struct ShortText: Sendable, Equatable {
    package static let capacity = 64

    private var storage = InlineArray<64, UInt8>(repeating: 0)
    private var count: UInt8 = 0

    /// Nil if there are more than `capacity` bytes.
    package init?(_ utf8: Span<UInt8>) {
        guard utf8.count <= Self.capacity else { return nil }
        var target = storage.mutableSpan
        // Sound: the count was checked.
        unsafe utf8.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe $0.copyMemory(from: source) }
        }
        count = UInt8(utf8.count)
    }

    /// Nil if the string has more than `capacity` bytes.
    init?(_ text: JSONStringToken, in reader: inout JSONReader) {
        if let plain = reader.plainBytes(of: text) {
            self.init(plain)
        } else {
            let bytes = reader.bytes(of: text)
            self.init(bytes.span)
        }
    }

    package var utf8: Span<UInt8> { storage.span.extracting(0..<Int(count)) }

    package static func == (a: ShortText, b: ShortText) -> Bool {
        a.utf8.isEqual(to: b.utf8)
    }
}

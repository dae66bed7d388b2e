/// A short byte string stored inline, without a heap allocation.
package struct InlineText<let capacity: Int>: Sendable {
    private var storage = InlineArray<capacity, UInt8>(repeating: 0)
    private var count = 0

    /// Returns nil if there are more than `capacity` bytes.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count <= capacity else { return nil }
        for index in bytes.indices { storage[index] = bytes[index] }
        count = bytes.count
    }

    package var utf8: Span<UInt8> { storage.span.extracting(0..<count) }

    package var string: String { String(decoding: (0..<count).map { storage[$0] }, as: UTF8.self) }
}

/// The client's address as text: IPv4, or IPv6 in the form of RFC 5952.
package typealias ClientAddress = InlineText<45>

/// Identifies a request in the log and in X-Request-Id: 1 to 64 of `A-Za-z0-9._-`.
package typealias RequestID = InlineText<64>

extension InlineText where capacity == 64 {
    /// The id that the client sent. Returns nil unless it can be logged as it is: characters of a
    /// request id only, nothing that looks like a token, at most 64 bytes.
    init?(accepting bytes: Span<UInt8>) {
        guard bytes.count > 0, !bytes.looksLikeToken else { return nil }
        for index in bytes.indices where !Grammar.isRequestIDCharacter(bytes[index]) {
            return nil
        }
        self.init(bytes)
    }

    /// The number as sixteen hexadecimal digits.
    init(_ number: UInt64) {
        var digits = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * index)) & 15
            digits[index] =
                nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
        // Sixteen bytes are below the capacity of sixty-four.
        self.init(digits.span)!
    }
}

extension Span<UInt8> {
    /// True if the bytes contain `eyJ`, which begins the base64url encoding of a JSON object (`{"`
    /// and a letter). Such bytes may be a token in the wrong place and must not be logged.
    package var looksLikeToken: Bool {
        guard count >= 3 else { return false }
        for index in 0..<(count - 2)
        where self[index] == UInt8(ascii: "e") && self[index + 1] == UInt8(ascii: "y")
            && self[index + 2] == UInt8(ascii: "J")
        {
            return true
        }
        return false
    }
}

/// A short string that lives where it stands, without a heap allocation.
package struct InlineText<let capacity: Int>: Sendable {
    private var storage = InlineArray<capacity, UInt8>(repeating: 0)
    private var count = 0

    /// Nil if there are more than `capacity` bytes.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count <= capacity else { return nil }
        for index in bytes.indices { storage[index] = bytes[index] }
        count = bytes.count
    }

    package var utf8: Span<UInt8> { storage.span.extracting(0..<count) }

    package var string: String { String(decoding: (0..<count).map { storage[$0] }, as: UTF8.self) }
}

/// Where a connection comes from, as text: an IPv4 address, or an IPv6 address as RFC 5952 spells it.
package typealias ClientAddress = InlineText<45>

/// What a request is known by in the log and to the client: 1 to 64 of `A-Za-z0-9._-`.
package typealias RequestID = InlineText<64>

extension InlineText where capacity == 64 {
    /// The client's own, if it may stand in a log line as it is.
    init?(accepting bytes: Span<UInt8>) {
        guard bytes.count > 0, !bytes.looksLikeToken else { return nil }
        for index in bytes.indices where !Grammar.isRequestIDCharacter(bytes[index]) {
            return nil
        }
        self.init(bytes)
    }

    /// Sixteen hexadecimal digits.
    init(_ number: UInt64) {
        var digits = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * index)) & 15
            digits[index] =
                nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
        // Sixteen fit into sixty-four.
        self.init(digits.span)!
    }
}

extension Span<UInt8> {
    /// Whether `eyJ` is in it, which every JSON object begins with in base64url: what holds it may be a
    /// token in the wrong place, and must not get into a log.
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

import Crypto

/// Decodes the bytes as a text, and encodes them.
enum Base64URLProperties {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let decoded = try? Base64URL.decoded(bytes.span)
        try require(decoded == referenceDecoded(bytes), "the reference decoder has another result")
        if let decoded {
            try require(Base64URL.encoded(decoded.span) == bytes, "the encoding is not canonical")
        }
        let text = Base64URL.encoded(bytes.span)
        try require(text.count == Base64URL.encodedCount(bytes.count), "the count is wrong")
        try require((try? Base64URL.decoded(text.span)) == bytes, "decoding is not the inverse")
        try checkBounds(bytes)
    }

    /// Decoding writes nothing after its result, and fails if the buffer is too small.
    private static func checkBounds(_ text: [UInt8]) throws(PropertyFailure) {
        let count = Base64URL.decodedCount(text.count)
        var buffer = [UInt8](repeating: 0xA5, count: count + 16)
        var span = buffer.mutableSpan
        if let written = try? Base64URL.decode(text.span, into: &span) {
            try require(written == count, "the decoded count is wrong")
        }
        try require(buffer[count...].allSatisfy { $0 == 0xA5 }, "written after the result")
        guard count > 0 else { return }
        var small = [UInt8](repeating: 0, count: count - 1)
        var smallSpan = small.mutableSpan
        let fits = (try? Base64URL.decode(text.span, into: &smallSpan)) != nil
        try require(!fits, "written to a buffer that is too small")
    }

    /// A reference implementation of RFC 4648 §5, bit by bit.
    private static func referenceDecoded(_ text: [UInt8]) -> [UInt8]? {
        var bits: [Bool] = []
        for character in text {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            for bit in (0..<6).reversed() { bits.append(value >> bit & 1 == 1) }
        }
        let rest = bits.count % 8
        guard rest < 6, !bits.suffix(rest).contains(true) else { return nil }
        return stride(from: 0, to: bits.count - rest, by: 8).map { start in
            bits[start..<(start + 8)].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }
}

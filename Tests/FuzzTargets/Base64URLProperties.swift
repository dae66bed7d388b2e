import Crypto

/// The bytes are a text to decode, and then bytes to encode.
enum Base64URLProperties {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let decoded = try? Base64URL.decoded(bytes.span)
        try require(decoded == slowlyDecoded(bytes), "a slow decoder says something else")
        if let decoded {
            try require(Base64URL.encoded(decoded.span) == bytes, "it has another spelling")
        }
        let text = Base64URL.encoded(bytes.span)
        try require(text.count == Base64URL.encodedCount(bytes.count), "the count is wrong")
        try require((try? Base64URL.decoded(text.span)) == bytes, "encoded it is something else")
        try checkBorder(bytes)
    }

    /// Nothing is written behind what a text decodes to, and nothing to a buffer that is too small.
    private static func checkBorder(_ text: [UInt8]) throws(PropertyFailure) {
        let count = Base64URL.decodedCount(text.count)
        var buffer = [UInt8](repeating: 0xA5, count: count + 16)
        var span = buffer.mutableSpan
        if let written = try? Base64URL.decode(text.span, into: &span) {
            try require(written == count, "another count")
        }
        try require(buffer[count...].allSatisfy { $0 == 0xA5 }, "written behind the end")
        guard count > 0 else { return }
        var small = [UInt8](repeating: 0, count: count - 1)
        var smallSpan = small.mutableSpan
        let fits = (try? Base64URL.decode(text.span, into: &smallSpan)) != nil
        try require(!fits, "more than there is room for")
    }

    /// RFC 4648 §5 as it reads, bit by bit.
    private static func slowlyDecoded(_ text: [UInt8]) -> [UInt8]? {
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

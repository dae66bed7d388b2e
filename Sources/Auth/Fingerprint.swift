import Crypto

/// Sixteen hexadecimal digits that tell one untrusted token from another in the log, and tell
/// nothing else: HMAC-SHA256 of the token under a key made for this alone, cut to 64 bits.
struct Fingerprint: Sendable {
    let digits: InlineArray<16, UInt8>

    init(of token: Span<UInt8>, key: HMACSHA256.Key) {
        let code = HMACSHA256.code(for: token, key: key)
        var digits = InlineArray<16, UInt8>(repeating: 0)
        for index in digits.indices {
            let byte = code.bytes[index / 2]
            let nibble = index % 2 == 0 ? byte >> 4 : byte & 15
            digits[index] =
                nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
        self.digits = digits
    }
}

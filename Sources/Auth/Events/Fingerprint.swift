import Crypto

/// Identifies an untrusted token or name in the log and reveals nothing about it: HMAC-SHA256 under
/// a dedicated key, truncated to 64 bits, printed as 16 hexadecimal digits.
package struct Fingerprint: Sendable, Equatable {
    let rawValue: UInt64

    init(number: UInt64) { self.rawValue = number }

    init(of token: Span<UInt8>, key: HMACSHA256.Key) {
        let code = HMACSHA256.code(for: token, key: key)
        var number: UInt64 = 0
        for index in 0..<8 { number = number << 8 | UInt64(code.bytes[index]) }
        self.rawValue = number
    }

    var digits: InlineArray<16, UInt8> {
        InlineArray { index in
            let nibble = UInt8(truncatingIfNeeded: rawValue >> UInt64(60 - 4 * index)) & 15
            return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
    }

    package var text: String {
        let digits = digits
        return String(decoding: digits.indices.map { digits[$0] }, as: UTF8.self)
    }
}

import Crypto
import POSIX

/// The key that seals the log. It is derived and never a token key itself: knowing one of the two
/// does not reveal the other.
package struct SealKey: Sendable {
    let key: HMACSHA256.Key
    /// Eight hexadecimal digits that each seal carries, so that a wrong key can be told from a
    /// changed log. Reveals nothing about the key.
    package let id: String

    /// From a secret for this purpose only, as in `log.seal_secret_file`.
    package init(secret: Span<UInt8>) { self.init(derivedFrom: HMACSHA256.Key(secret)) }

    /// From a key that also serves another purpose.
    package init(derivedFrom key: HMACSHA256.Key) {
        let own = key.derived(label: "gatehouse log seal v1")
        self.key = own
        let name = HMACSHA256.code(for: Array("key id".utf8).span, key: own)
        id = hexadecimal(name.span.extracting(0..<4))
    }
}

/// The code of one seal: HMAC(key, previous code | sequence number | digest of the lines).
package struct SealMAC: Sendable, Equatable {
    let bytes: [UInt8]

    /// The code before the first seal.
    package static let none = SealMAC(bytes: [UInt8](repeating: 0, count: 32))

    private init(bytes: [UInt8]) { self.bytes = bytes }

    init(_ key: SealKey, previous: SealMAC, sequence: UInt64, digest: SHA256.Digest) {
        var code = HMACSHA256(key: key.key)
        code.update(previous.bytes.span)
        var number = InlineArray<8, UInt8>(repeating: 0)
        for index in 0..<8 {
            number[index] = UInt8(truncatingIfNeeded: sequence >> (56 - 8 * index))
        }
        code.update(number.span)
        code.update(digest.span)
        bytes = Array(copying: code.finalize().span)
    }

    /// From 64 characters; nil unless they are exactly what `text` returns for some code.
    package init?(_ text: Span<UInt8>) {
        guard text.count == Self.textCount else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for index in 0..<32 {
            guard let high = Self.digit(text[2 * index]), let low = Self.digit(text[2 * index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    package static let textCount = 64

    /// Hexadecimal, because base64url would sometimes look like the beginning of a token to a
    /// program that searches logs for tokens.
    package var text: String { hexadecimal(bytes.span) }

    package static func == (a: SealMAC, b: SealMAC) -> Bool {
        isEqualInConstantTime(a.bytes.span, b.bytes.span)
    }
}

/// How far a chain of seals has come. A head that is kept on another machine is an anchor: with it,
/// a verification proves that nothing before it has been changed or removed.
package struct SealHead: Sendable, Equatable {
    package let sequence: UInt64
    package let code: SealMAC

    package init(sequence: UInt64, code: SealMAC) {
        self.sequence = sequence
        self.code = code
    }

    /// The head before the first seal.
    package static let none = SealHead(sequence: 0, code: .none)

    /// `SEQUENCE.CODE`, as `log head` prints it.
    package var text: String { "\(sequence).\(code.text)" }

    /// From text; nil unless it is exactly what `text` returns for some head.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = UInt64(parts[0]), "\(sequence)" == parts[0],
            let code = SealMAC(Array(parts[1].utf8).span)
        else { return nil }
        self.init(sequence: sequence, code: code)
    }
}

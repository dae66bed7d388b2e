import Crypto
import POSIX

/// The key that the log is sealed with. Derived, never a token key itself: whoever learns one of the
/// two has not learnt the other.
package struct SealKey: Sendable {
    let key: HMACSHA256.Key
    /// Eight hexadecimal digits that each seal carries, so that a wrong key is told from a changed
    /// log. Tells nothing about the key.
    package let id: String

    /// From a secret made for this alone, as `log.seal_secret_file` holds it.
    package init(secret: Span<UInt8>) { self.init(derivedFrom: HMACSHA256.Key(secret)) }

    /// From a key that has another purpose, too.
    package init(derivedFrom key: HMACSHA256.Key) {
        let own = key.derived(label: "gatehouse log seal v1")
        self.key = own
        let name = HMACSHA256.code(for: Array("key id".utf8).span, key: own)
        id = hexadecimal(name.span.extracting(0..<4))
    }
}

/// The code of one seal: HMAC(key, code of the seal before | sequence number | digest of the lines).
package struct SealMAC: Sendable, Equatable {
    let bytes: [UInt8]

    /// What stands before the first seal.
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

    /// From its 64 characters; nil for anything that `text` would not have given.
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

    /// Hexadecimal: base64url would now and then look like the beginning of a token to whoever searches
    /// a log for those.
    package var text: String { hexadecimal(bytes.span) }

    package static func == (a: SealMAC, b: SealMAC) -> Bool {
        isEqualInConstantTime(a.bytes.span, b.bytes.span)
    }
}

/// How far a chain of seals has come. Kept outside of the machine, it is an anchor: whoever holds it
/// knows later that nothing before it has been changed or taken away.
package struct SealHead: Sendable, Equatable {
    package let sequence: UInt64
    package let code: SealMAC

    package init(sequence: UInt64, code: SealMAC) {
        self.sequence = sequence
        self.code = code
    }

    /// Before the first seal.
    package static let none = SealHead(sequence: 0, code: .none)

    /// `SEQUENCE.CODE`, as `log head` prints it.
    package var text: String { "\(sequence).\(code.text)" }

    /// Nil for anything that `text` would not have given.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = UInt64(parts[0]), "\(sequence)" == parts[0],
            let code = SealMAC(Array(parts[1].utf8).span)
        else { return nil }
        self.init(sequence: sequence, code: code)
    }
}

import Crypto
import JSON

/// The keys that tokens are signed and checked with. The first signs; all verify, so that a key can
/// be replaced without ending a session.
package struct KeyRing: Sendable {
    /// More keys than any change of keys needs; bounds the work for a token without `kid`.
    package static let maximumKeys = 16
    /// RFC 7518 §3.2: a key of at least the hash's size.
    package static let minimumSecretLength = 32

    package struct Entry: Sendable {
        /// `kid`: names the key in tokens and in the log.
        package let id: String
        let idBytes: [UInt8]
        package let key: HMACSHA256.Key
        /// The header of tokens that this key signs, in base64url: what most tokens that come back
        /// begin with, to the byte.
        let headerSegment: [UInt8]

        /// - Parameter id: 1 to 64 of `A-Za-z0-9._-`.
        package init?(id: String, secret: Span<UInt8>) {
            guard (1...64).contains(id.utf8.count), id.utf8.allSatisfy(Self.isAllowed),
                secret.count >= KeyRing.minimumSecretLength
            else { return nil }
            self.id = id
            idBytes = Array(id.utf8)
            key = HMACSHA256.Key(secret)
            var header = JSONWriter(capacity: 64 + id.utf8.count)
            header.beginObject()
            header.name("alg")
            header.string("HS256")
            header.name("typ")
            header.string("JWT")
            header.name("kid")
            header.string(id)
            header.endObject()
            headerSegment = Base64URL.encoded(header.bytes.span)
        }

        private static func isAllowed(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    package let entries: [Entry]

    /// Nil unless there are 1 to `maximumKeys` keys with different ids.
    package init?(_ entries: [Entry]) {
        guard (1...Self.maximumKeys).contains(entries.count),
            Set(entries.map(\.id)).count == entries.count
        else { return nil }
        self.entries = entries
    }

    package var signing: Entry { entries[0] }
}

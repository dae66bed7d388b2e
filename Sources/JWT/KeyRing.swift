import Crypto
import JSON

/// The keys that sign and verify tokens. The first one signs and all verify, so that a key can be
/// replaced without ending a session.
package struct KeyRing: Sendable {
    /// More keys than a key rotation needs. Bounds the work for a token without `kid`.
    package static let maximumKeys = 16
    /// In bytes. RFC 7518 §3.2: at least the size of the hash.
    package static let minimumSecretLength = 32

    package struct Entry: Sendable {
        /// `kid`: identifies the key in tokens and in the log.
        package let id: String
        let idBytes: [UInt8]
        package let key: HMACSHA256.Key
        /// The header of tokens signed with this key, in base64url. Most tokens begin with exactly
        /// these bytes.
        let headerSegment: [UInt8]

        /// Nil if the ID or the secret is not allowed.
        /// - Parameters:
        ///   - id: 1 to 64 of `A-Za-z0-9._-`.
        ///   - secret: at least `minimumSecretLength` bytes.
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

    /// Nil unless there are 1 to `maximumKeys` keys with different IDs.
    package init?(_ entries: [Entry]) {
        guard (1...Self.maximumKeys).contains(entries.count),
            Set(entries.map(\.id)).count == entries.count
        else { return nil }
        self.entries = entries
    }

    /// The key that signs.
    package var signing: Entry { entries[0] }
}

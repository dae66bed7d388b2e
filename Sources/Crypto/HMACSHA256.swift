/// HMAC-SHA256 (RFC 2104): shows that a message was authenticated by a holder of the key.
///
/// Theory: HMAC(K, m) = H(K ^ opad || H(K ^ ipad || m)). Each padded key fills exactly one block,
/// so the hash states after them depend only on the key. `Key` stores these two midstates; a code
/// then costs the message's own blocks and one more.
package struct HMACSHA256: Sendable {
    /// A prepared key. Stores only the two midstates, never the secret. Printing a key reveals
    /// nothing, because `SHA256` hides its state.
    package struct Key: Sendable {
        let inner: SHA256
        let outer: SHA256

        /// - Parameter secret: of any length. RFC 7518 §3.2 requires at least 32 bytes for HS256;
        ///   the caller must enforce that, because test vectors have shorter ones.
        package init(_ secret: Span<UInt8>) {
            var block = InlineArray<64, UInt8>(repeating: 0)
            if secret.count > SHA256.blockSize {
                let digest = SHA256.digest(of: secret)
                for index in 0..<SHA256.digestSize { block[index] = digest.bytes[index] }
            } else {
                for index in 0..<secret.count { block[index] = secret[index] }
            }
            var inner = SHA256()
            var outer = SHA256()
            for index in 0..<SHA256.blockSize { block[index] ^= 0x36 }
            inner.update(block.span)
            for index in 0..<SHA256.blockSize { block[index] ^= 0x36 ^ 0x5c }
            outer.update(block.span)
            self.inner = inner
            self.outer = outer
        }

        /// A key for another purpose that reveals nothing about this one: HMAC(this key, label).
        package func derived(label: StaticString) -> Key {
            let code = HMACSHA256.code(for: Array("\(label)".utf8).span, key: self)
            return Key(code.span)
        }
    }

    private var inner: SHA256
    private let outer: SHA256

    package init(key: Key) {
        inner = key.inner
        outer = key.outer
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        inner.update(bytes)
    }

    package consuming func finalize() -> SHA256.Digest {
        let digest = inner.finalize()
        var outer = self.outer
        outer.update(digest.span)
        return outer.finalize()
    }

    /// The 32-byte code of one message.
    package static func code(for message: Span<UInt8>, key: Key) -> SHA256.Digest {
        var hmac = HMACSHA256(key: key)
        hmac.update(message)
        return hmac.finalize()
    }

    /// Whether `code` is the message's code, in a time that does not depend on where they differ
    /// (RFC 7518 §3.2).
    package static func isValid(
        _ code: Span<UInt8>, for message: Span<UInt8>, key: Key
    ) -> Bool {
        isEqualInConstantTime(code, Self.code(for: message, key: key).span)
    }
}

/// PBKDF2-HMAC-SHA256 (RFC 8018 §5.2): derives a key from a password, at a cost that an attacker
/// must pay for each guess.
///
/// Theory: U(1) = HMAC(password, salt || 1), U(n) = HMAC(password, U(n-1)), and the key is the
/// exclusive or of all U. The password's two midstates are computed once. From U(2) on, each of the
/// two hashed messages is one digest, which fills one block with its padding. So an iteration is
/// two compressions of blocks whose second half is constant, and nothing is buffered, padded or
/// allocated.
package enum PBKDF2 {
    /// The first block of the derived key, T(1), 32 bytes: all that a password hash needs.
    /// - Parameters:
    ///   - password: of any length; more than 64 bytes are hashed first, as for every HMAC key.
    ///   - iterations: at least 1. The caller must ensure that, and an upper limit.
    package static func key(
        password: Span<UInt8>, salt: Span<UInt8>, iterations: Int
    ) -> SHA256.Digest {
        let key = HMACSHA256.Key(password)
        return SHA256.Digest(
            SHA256State.iterate(
                inner: key.inner.state, outer: key.outer.state, first: first(salt, key),
                count: iterations - 1))
    }

    /// As `key`, without processor-specific instructions except for the first code.
    static func portableKey(
        password: Span<UInt8>, salt: Span<UInt8>, iterations: Int
    ) -> SHA256.Digest {
        let key = HMACSHA256.Key(password)
        return SHA256.Digest(
            SHA256State.iteratePortable(
                inner: key.inner.state, outer: key.outer.state, first: first(salt, key),
                count: iterations - 1))
    }

    /// U(1) of the first block: the HMAC of the salt and the block's number (4 bytes, big-endian).
    private static func first(_ salt: Span<UInt8>, _ key: HMACSHA256.Key) -> SHA256State {
        var hmac = HMACSHA256(key: key)
        hmac.update(salt)
        let number: InlineArray<4, UInt8> = [0, 0, 0, 1]
        hmac.update(number.span)
        return hmac.finalize().state
    }
}

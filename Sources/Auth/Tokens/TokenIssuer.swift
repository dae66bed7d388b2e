import Crypto
import HTTP
import JWT
import Time

/// Creates tokens: sets their claims and their lifetimes, and signs them.
package struct TokenIssuer: Sendable {
    /// A token's bytes and its claims.
    package typealias Issued = (token: [UInt8], claims: Claims)

    private let tokens: HS256
    /// Lifetime of a token; never longer than `sessionLifetime`.
    package let lifetime: TimeAmount
    /// Lifetime of a session; no token of a session expires after the session's end.
    package let sessionLifetime: TimeAmount

    package init(_ tokens: HS256, lifetime: TimeAmount, sessionLifetime: TimeAmount) {
        self.tokens = tokens
        self.lifetime = min(lifetime, sessionLifetime)
        self.sessionLifetime = sessionLifetime
    }

    /// The `kid` of the tokens that this issuer signs.
    package var keyID: String { tokens.keys.signing.id }

    /// Creates a token for a new session of this user.
    /// - Parameters:
    ///   - cutoff: the user's revocation cutoff: sessions that began at or before it are revoked.
    ///     The new session begins after it.
    ///   - span: lifetime of both token and session, at most `sessionLifetime`; nil for the
    ///     configured lifetimes.
    package func issue(
        for user: UserID, at now: Timestamp, after cutoff: Timestamp? = nil,
        lasting span: TimeAmount? = nil
    ) -> Issued {
        // A NumericDate has whole seconds here, and so do all values derived from it.
        let second = Timestamp(seconds: now.seconds)
        var sessionStart = second
        // After a cutoff that is not in the past (`Revocations.revokeAll`), the session begins 1 ms
        // after it. That distinguishes it from the sessions that the cutoff covers. A NumericDate
        // may have a fraction (RFC 7519 §2).
        if let cutoff, sessionStart <= cutoff {
            sessionStart = cutoff + TimeAmount(milliseconds: 1)
        }
        let span = span.map { min($0, sessionLifetime) }
        var claims = Claims(user: user, expires: second + (span ?? lifetime))
        claims.issued = second
        claims.notBefore = second
        claims.tokenID = Self.newIdentifier()
        claims.sessionID = Self.newIdentifier()
        claims.authenticated = sessionStart
        claims.sessionExpires = second + (span ?? sessionLifetime)
        return (tokens.sign(claims), claims)
    }

    /// A token for the same session with a later expiry; nil if the session has ended.
    package func renew(_ old: Claims, at now: Timestamp) -> Issued? {
        successor(of: old, at: now, Self.newIdentifier())
    }

    /// The successor of a token that was exchanged at this time; nil if the session had ended by
    /// then.
    ///
    /// Deterministic: every worker computes the same successor for a given time of exchange, also
    /// after a restart, because nothing in it is random or read from a clock. Its `jti` is
    /// HMAC(key, `jti` of the old token), with a key derived from the one that signed the old
    /// token. The old token alone therefore does not reveal the `jti` of its successor.
    package func successor(of old: Claims, exchanged: Timestamp) -> Issued? {
        guard let oldID = old.tokenID else { return nil }
        let key = tokens.keys.entries[old.keyIndex].key.derived(label: "gatehouse successor v1")
        return successor(of: old, at: exchanged, Self.identifier(after: oldID, key))
    }

    private func successor(
        of old: Claims, at moment: Timestamp, _ id: ShortText?
    ) -> Issued? {
        let second = Timestamp(seconds: moment.seconds)
        let end = old.sessionExpires ?? old.expires
        guard second < end else { return nil }
        // Never an earlier expiry than the old token's: another issuer's token may have a longer
        // lifetime.
        var claims = Claims(
            user: old.user, expires: min(max(second + lifetime, old.expires), end))
        // If the old token does not say when its session began, the new one must not look as if it
        // began now: every cutoff must cover it (`Claims.sessionStart`).
        claims.issued = old.sessionStart == nil ? nil : second
        claims.notBefore = second
        claims.tokenID = id
        claims.sessionID = old.sessionID
        // A session that got its id here did not begin after now, whatever another issuer's clock
        // said.
        claims.authenticated =
            old.isSingleTokenSession
            ? old.sessionStart.map { min($0, moment) } : old.authenticated ?? old.issued
        claims.sessionExpires = old.sessionExpires
        return (tokens.sign(claims), claims)
    }

    /// 128 random bits as 22 characters. Never one that looks like the start of a token: a search
    /// of the logs for tokens must find nothing.
    private static func newIdentifier() -> ShortText? {
        while true {
            let bytes = RandomBytes.sixteen()
            let text = Base64URL.encoded(bytes.span)
            if !text.span.looksLikeToken { return ShortText(text.span) }
        }
    }

    /// 128 bits derived from another identifier, as 22 characters. A round number is part of the
    /// input, so that a result that looks like the start of a token can be replaced.
    private static func identifier(after old: ShortText, _ key: HMACSHA256.Key) -> ShortText? {
        var round: UInt8 = 0
        while true {
            var hmac = HMACSHA256(key: key)
            hmac.update(old.utf8)
            hmac.update([0, round].span)
            let code = hmac.finalize()
            let text = Base64URL.encoded(code.span.extracting(0..<16))
            if !text.span.looksLikeToken { return ShortText(text.span) }
            round &+= 1
        }
    }
}

/// Identifiers for tokens of other issuers that have no `jti` or `sid`.
package enum TokenIdentity {
    /// Returns the claims with a `jti` and a `sid`, filled in where the token has none: `jti` is
    /// the first 128 bits of the SHA-256 of the token's signature.
    ///
    /// A canonical token has only one encoding, so it has exactly one such identifier, which does
    /// not help to forge a token. Allocates nothing, because every request with such a token calls
    /// it.
    ///
    /// A token without `sid` is its own session and ends with it. If the token has a `sid` and no
    /// `sxp`, the session gets no end: other tokens of it may expire later.
    package static func fillingIdentifiers(_ claims: Claims, of token: Span<UInt8>) -> Claims {
        var claims = claims
        complete(&claims, of: token)
        return claims
    }

    /// Fills in the identifiers in place; see `fillingIdentifiers`.
    static func complete(_ claims: inout Claims, of token: Span<UInt8>) {
        if claims.tokenID == nil { claims.tokenID = name(of: token) }
        if claims.sessionID == nil {
            claims.sessionID = claims.tokenID
            claims.sessionExpires = claims.sessionExpires ?? claims.expires
        }
    }

    private static func name(of token: Span<UInt8>) -> ShortText? {
        var start = token.count
        while start > 0, token[start - 1] != UInt8(ascii: ".") { start -= 1 }
        let signature = token.extracting(start..<token.count)
        var round = InlineArray<1, UInt8>(repeating: 0)
        while true {
            var hash = SHA256()
            hash.update(signature)
            if round[0] > 0 { hash.update(round.span) }
            let digest = hash.finalize()
            var text = InlineArray<22, UInt8>(repeating: 0)
            var target = text.mutableSpan
            Base64URL.encode(digest.span.extracting(0..<16), into: &target)
            if !text.span.looksLikeToken { return ShortText(text.span) }
            round[0] &+= 1
        }
    }
}

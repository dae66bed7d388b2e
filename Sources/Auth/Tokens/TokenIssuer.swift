import Crypto
import HTTP
import JWT
import Time

/// Makes the tokens: which claims they have, and for how long they are good.
package struct TokenIssuer: Sendable {
    /// A token and what it says.
    package typealias Issued = (token: [UInt8], claims: Claims)

    private let tokens: HS256
    /// Of a token.
    package let lifetime: TimeAmount
    /// Of a session: no token of it outlives its end.
    package let sessionLifetime: TimeAmount

    package init(_ tokens: HS256, lifetime: TimeAmount, sessionLifetime: TimeAmount) {
        self.tokens = tokens
        self.lifetime = min(lifetime, sessionLifetime)
        self.sessionLifetime = sessionLifetime
    }

    /// `kid` of the tokens made here.
    package var keyID: String { tokens.keys.signing.id }

    /// A token for a new session of this user.
    /// - Parameters:
    ///   - cutoff: tokens of this user that began until then are revoked.
    ///   - span: for how long, at most `sessionLifetime`; the session ends with the token. Nil: as the
    ///     configuration has it.
    package func issue(
        for user: UserID, at now: Timestamp, after cutoff: Timestamp? = nil,
        lasting span: TimeAmount? = nil
    ) -> Issued {
        // NumericDates are whole seconds, and so is everything derived from them.
        let second = Timestamp(seconds: now.seconds)
        var began = second
        // After a cutoff that is not over yet (`Revocations.endAll`) a session begins right after it, which
        // tells this one from those that the cutoff covers. NumericDates may have fractions (RFC 7519 §2).
        if let cutoff, began <= cutoff { began = cutoff + TimeAmount(milliseconds: 1) }
        let span = span.map { min($0, sessionLifetime) }
        var claims = Claims(user: user, expires: second + (span ?? lifetime))
        claims.issued = second
        claims.notBefore = second
        claims.tokenID = Self.newIdentifier()
        claims.sessionID = Self.newIdentifier()
        claims.authenticated = began
        claims.sessionExpires = second + (span ?? sessionLifetime)
        return (tokens.sign(claims), claims)
    }

    /// A token for the same session that is good for longer; nil if the session is over.
    package func renew(_ old: Claims, at now: Timestamp) -> Issued? {
        successor(of: old, at: now, Self.newIdentifier())
    }

    /// The one token that takes the place of another that was exchanged at this moment: the same
    /// whenever it is asked for, by whichever worker, before and after a restart, because nothing in it
    /// is drawn or read from a clock. Nil if the session was over then.
    ///
    /// Its `jti` is HMAC(key, the old one's `jti`), under a key derived from the one that signed the
    /// old token: whoever holds the old token alone cannot say what comes after it.
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
        // Never earlier: a token from elsewhere may be good for longer than ours.
        var claims = Claims(
            user: old.user, expires: min(max(second + lifetime, old.expires), end))
        // Of a session that does not say when it began, no token may look as if it had begun now: every
        // cutoff covers it (`Claims.began`).
        claims.issued = old.sessionStart == nil ? nil : second
        claims.notBefore = second
        claims.tokenID = id
        claims.sessionID = old.sessionID
        // A session that got its name here did not begin later than now, whatever another clock says.
        claims.authenticated =
            old.isItsOwnSession
            ? old.sessionStart.map { min($0, moment) } : old.authenticated ?? old.issued
        claims.sessionExpires = old.sessionExpires
        return (tokens.sign(claims), claims)
    }

    /// 128 random bits as 22 characters, but none that look like the beginning of a token: whoever
    /// searches logs for tokens must find none.
    private static func newIdentifier() -> ShortText? {
        while true {
            let bytes = RandomBytes.sixteen()
            let text = Base64URL.encoded(bytes.span)
            if !text.span.looksLikeToken { return ShortText(text.span) }
        }
    }

    /// 128 bits that follow from another identifier; the same care as above, and so a number of tries
    /// that goes in.
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

/// What tokens from elsewhere are called, that have no name of their own.
package enum TokenIdentity {
    /// The claims with a `jti` and a `sid` where the token has none: the first 128 bits of the SHA-256
    /// of its signature. Canonical tokens have no second spelling, so each has one such name; it tells
    /// nothing that helps to make a token. Allocates nothing: with tokens from elsewhere every request
    /// asks for it. Without a session the token is its own, and ends with
    /// it. A session that has a name and no end stays without: others of its tokens may live longer.
    package static func fillingIdentifiers(_ claims: Claims, of token: Span<UInt8>) -> Claims {
        var claims = claims
        complete(&claims, of: token)
        return claims
    }

    /// The same, where they stand.
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

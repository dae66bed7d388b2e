import Crypto
import HTTP
import JWT
import Time

/// Makes the tokens: which claims they have, and for how long they are good.
package struct TokenIssuer: Sendable {
    private let tokens: HS256
    /// Of a token.
    package let lifetime: Milliseconds
    /// Of a session: no token of it outlives its end.
    package let sessionLifetime: Milliseconds

    package init(_ tokens: HS256, lifetime: Milliseconds, sessionLifetime: Milliseconds) {
        self.tokens = tokens
        self.lifetime = min(lifetime, sessionLifetime)
        self.sessionLifetime = sessionLifetime
    }

    /// `kid` of the tokens made here.
    package var keyID: String { tokens.keys.signing.id }

    /// A token for a new session of this user.
    package func issue(for user: UserID, at now: Timestamp) -> (token: [UInt8], claims: Claims) {
        // NumericDates are whole seconds, and so is everything derived from them.
        let issued = Timestamp(seconds: now.seconds)
        var claims = Claims(user: user, expires: issued + lifetime)
        claims.issued = issued
        claims.notBefore = issued
        claims.tokenID = Self.newIdentifier()
        claims.sessionID = Self.newIdentifier()
        claims.authenticated = issued
        claims.sessionExpires = issued + sessionLifetime
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
}

import Time

/// A user, as tokens name one: 1 to 2^53 - 1, so that every JSON reader in the world agrees on it
/// (RFC 8259 §6).
package struct UserID: Sendable, Hashable {
    package static let maximum: Int64 = (1 << 53) - 1

    package let rawValue: Int64

    /// Nobody, until a claim says who.
    static let placeholder = UserID(unchecked: 0)

    private init(unchecked number: Int64) { self.rawValue = number }

    package init?(_ number: Int64) {
        guard (1...Self.maximum).contains(number) else { return nil }
        self.rawValue = number
    }
}

/// What a token says (RFC 7519 §4.1, and this project's own). Where a verifier hands one out, the
/// signature over it has been checked.
package struct Claims: Sendable, Equatable {
    /// `user_id`, or else `sub`.
    package var user: UserID
    /// `exp`: the first moment at which the token is no longer good.
    package var expires: Timestamp
    /// `iat`
    package var issued: Timestamp?
    /// `nbf`
    package var notBefore: Timestamp?
    /// `jti`: names this token.
    package var tokenID: ShortText?
    /// `sid`: names the session, which outlives its tokens.
    package var sessionID: ShortText?
    /// `auth_time`: when the user last proved who they are.
    package var authenticated: Timestamp?
    /// `sxp`: the end of the session, which no renewal moves.
    package var sessionExpires: Timestamp?
    /// Which key of the ring made the signature.
    package var keyIndex = 0

    package init(user: UserID, expires: Timestamp) {
        self.user = user
        self.expires = expires
    }

    /// When the token was issued, as far as it says: `iat`, or else `auth_time`.
    package var issuedOrLogin: Timestamp? { issued ?? authenticated }

    /// Whether its session goes by its own name: it is a session of one token.
    package var isItsOwnSession: Bool {
        guard let tokenID, let sessionID else { return false }
        return tokenID == sessionID
    }
}

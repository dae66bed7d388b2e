import Time

/// A user ID as used in tokens: 1 to 2^53 - 1, the integers that every JSON implementation
/// represents exactly (RFC 8259 §6).
package struct UserID: Sendable, Hashable {
    package static let maximum: Int64 = (1 << 53) - 1

    package let rawValue: Int64

    package init?(_ number: Int64) {
        guard (1...Self.maximum).contains(number) else { return nil }
        self.rawValue = number
    }
}

/// The content of a token (RFC 7519 §4.1 and this project's own claims). A verifier returns claims
/// only after it has checked the signature over them.
package struct Claims: Sendable, Equatable {
    /// `user_id`, or `sub` if there is none.
    package var user: UserID
    /// `exp`: the first moment at which the token is expired.
    package var expires: Timestamp
    /// `iat`
    package var issued: Timestamp?
    /// `nbf`
    package var notBefore: Timestamp?
    /// `jti`: the ID of this token.
    package var tokenID: ShortText?
    /// `sid`: the ID of the session, which outlives its tokens.
    package var sessionID: ShortText?
    /// `auth_time`: the time of the user's last login.
    package var authenticated: Timestamp?
    /// `sxp`: the end of the session; renewal does not change it.
    package var sessionExpires: Timestamp?
    /// The index in the key ring of the key that signed the token.
    package var keyIndex = 0

    package init(user: UserID, expires: Timestamp) {
        self.user = user
        self.expires = expires
    }

    /// `iat`, or `auth_time` if there is none.
    package var issuedOrLogin: Timestamp? { issued ?? authenticated }

    /// Whether the session's ID is the token's: a session of only this token.
    package var isSingleTokenSession: Bool {
        guard let tokenID, let sessionID else { return false }
        return tokenID == sessionID
    }
}

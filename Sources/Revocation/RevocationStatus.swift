import Time

/// Why a token with a valid signature that has not expired is rejected.
package enum RevocationStatus: Sendable, Equatable {
    /// When the token, its session, or all tokens of its user or of everyone were revoked.
    case revoked(at: Timestamp)
    /// When the token was exchanged for another one.
    case alreadyUsed(at: Timestamp)
}

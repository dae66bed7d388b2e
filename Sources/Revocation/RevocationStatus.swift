import Time

/// Why a token that is well signed and in its time is not good.
package enum RevocationStatus: Sendable, Equatable {
    /// The token, its session, its user's tokens of that time or everybody's were revoked then.
    case revoked(at: Timestamp)
    /// The token was exchanged for another one then.
    case alreadyUsed(at: Timestamp)
}

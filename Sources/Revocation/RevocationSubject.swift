/// What can be revoked. Identifiers are bytes; whose they are is the caller's affair.
package enum RevocationSubject: Sendable, Equatable {
    case token([UInt8])
    case session([UInt8])
    /// All of this user's tokens that began at the cutoff or before it.
    case user(Int64)
    /// Everybody's.
    case everyone
}

/// What can be revoked. Identifiers are opaque bytes.
package enum RevocationSubject: Sendable, Equatable {
    case token([UInt8])
    case session([UInt8])
    /// All tokens of this user whose sessions started at or before the cutoff.
    case user(Int64)
    /// The tokens of all users, up to the cutoff.
    case everyone
}

import Time

/// Requirements for a token beyond its signature and dates; also the content of issued tokens.
package struct TokenPolicy: Sendable {
    /// RFC 7519 §4.1.4: "usually no more than a few minutes".
    package static let maximumLeeway = TimeAmount.seconds(300)

    /// `iss`; nil: neither written nor checked.
    package var issuer: String?
    /// `aud`; nil: neither written nor checked.
    package var audience: String?
    /// The tolerated difference between clocks: added to `exp`, subtracted from `nbf` and `iat`.
    package var leeway: TimeAmount
    /// Reject tokens without a session (`sid` and `sxp`).
    package var requiresSession: Bool

    package init(
        issuer: String? = nil, audience: String? = nil, leeway: TimeAmount = .seconds(5),
        requiresSession: Bool = false
    ) {
        self.issuer = issuer
        self.audience = audience
        self.leeway = leeway
        self.requiresSession = requiresSession
    }
    /// Checks claims whose signature was verified.
    /// - Throws: in this order: `wrongIssuer`, `wrongAudience`, `expired`, `notYetValid`,
    ///   `sessionExpired`, and `claims` if a session is required and missing.
    func check(_ payload: borrowing TokenPayload, at now: Timestamp) throws(TokenError) {
        // RFC 7519 §4.1.1 and §4.1.3: a token for another audience is rejected whatever its dates
        // are.
        if issuer != nil, !payload.issuerMatches { throw .wrongIssuer(payload.claims) }
        if audience != nil, !payload.audienceMatches { throw .wrongAudience(payload.claims) }
        // §4.1.4: the token is expired at `exp` itself.
        guard now < payload.claims.expires + leeway else { throw .expired(payload.claims) }
        if let notBefore = payload.claims.notBefore, notBefore > now + leeway {
            throw .notYetValid(payload.claims)
        }
        // Revocation cutoffs compare the time of issue, so it must not be in the future.
        if let issued = payload.claims.issuedOrLogin, issued > now + leeway {
            throw .notYetValid(payload.claims)
        }
        if let end = payload.claims.sessionExpires {
            guard now < end + leeway else { throw .sessionExpired(payload.claims) }
        }
        if requiresSession {
            guard payload.claims.sessionID != nil, payload.claims.sessionExpires != nil else {
                throw .claims
            }
        }
    }
}

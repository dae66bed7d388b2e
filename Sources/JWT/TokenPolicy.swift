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
}

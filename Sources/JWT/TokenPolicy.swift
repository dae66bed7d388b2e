import Time

/// What a token must say beyond being signed and in its time; also what issued tokens say.
package struct TokenPolicy: Sendable {
    /// RFC 7519 §4.1.4: "usually no more than a few minutes".
    package static let maximumLeeway = TimeAmount.seconds(300)

    /// `iss`; nil: neither written nor checked.
    package var issuer: String?
    /// `aud`; nil: neither written nor checked.
    package var audience: String?
    /// How far clocks may be apart: added to `exp`, taken off `nbf` and `iat`.
    package var leeway: TimeAmount
    /// Refuse tokens without a session (`sid` and `sxp`).
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

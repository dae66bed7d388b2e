/// Why a token is refused. The first group is found before or by the signature check, so that
/// nothing the token says may be repeated; the second carries the claims that the signature covers.
package enum TokenError: Error, Equatable {
    /// Longer than `HS256.maximumLength`.
    case tooLong
    /// Not three segments, or a header that is no JSON object with an `alg`.
    case malformed
    /// A segment that is not the canonical base64url of any bytes.
    case notCanonical
    /// `alg` is anything but HS256 (RFC 8725 §3.1: the algorithm is ours to choose).
    case algorithmNotAllowed
    /// `crit` is there; no extension is supported (RFC 7515 §4.1.11).
    case criticalExtension
    /// `kid` names no key of the ring.
    case unknownKey
    case badSignature
    /// The signature holds, but the payload is no JSON object, or a claim is missing, of a wrong
    /// type, out of range or at odds with another; or a session is required and the token has none.
    case claims

    case expired(Claims)
    case notYetValid(Claims)
    case wrongIssuer(Claims)
    case wrongAudience(Claims)
    /// The token's session has ended.
    case sessionExpired(Claims)

    /// The word in the log.
    package var reason: StaticString {
        switch self {
        case .tooLong: "too_long"
        case .malformed: "malformed"
        case .notCanonical: "not_canonical"
        case .algorithmNotAllowed: "alg_not_allowed"
        case .criticalExtension: "crit"
        case .unknownKey: "unknown_kid"
        case .badSignature: "bad_signature"
        case .claims: "claims"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .wrongIssuer: "wrong_issuer"
        case .wrongAudience: "wrong_audience"
        case .sessionExpired: "session_expired"
        }
    }

    /// What the token says, where its signature held.
    package var claims: Claims? {
        switch self {
        case .expired(let claims), .notYetValid(let claims), .wrongIssuer(let claims),
            .wrongAudience(let claims), .sessionExpired(let claims):
            claims
        default: nil
        }
    }
}

/// Why a token is rejected.
///
/// | check, in this order | errors |
/// | --- | --- |
/// | length | `tooLong` |
/// | segments | `malformed` |
/// | header: encoding, content | `notCanonical`, `malformed` |
/// | header: algorithm, key | `algorithmNotAllowed`, `criticalExtension`, `unknownKey` |
/// | signature | `notCanonical`, `badSignature` |
/// | payload | `notCanonical`, `claims` |
/// | policy: parties | `wrongIssuer`, `wrongAudience` |
/// | policy: dates, session | `expired`, `notYetValid`, `sessionExpired`, `claims` |
///
/// The errors of the policy carry the verified claims, except `claims`. With any other error
/// nothing from the token may be logged or repeated.
package enum TokenError: Error, Equatable {
    /// Longer than `HS256.maximumLength`.
    case tooLong
    /// Not three segments, or the header is not a JSON object with an `alg`.
    case malformed
    /// A segment is not canonical base64url.
    case notCanonical
    /// `alg` is not HS256 (RFC 8725 §3.1: the verifier chooses the algorithm).
    case algorithmNotAllowed
    /// `crit` is present; no extension is supported (RFC 7515 §4.1.11).
    case criticalExtension
    /// No key of the ring has this `kid`.
    case unknownKey
    case badSignature
    /// The signature is valid, but the payload is not. It is not a JSON object, or a claim is
    /// missing, of the wrong type, out of range or inconsistent with another; or a session is
    /// required and missing.
    case claims

    case expired(Claims)
    case notYetValid(Claims)
    case wrongIssuer(Claims)
    case wrongAudience(Claims)
    /// The token's session has ended.
    case sessionExpired(Claims)

    /// The value of `reason` in the log.
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

    /// The claims, if the signature was valid.
    package var claims: Claims? {
        switch self {
        case .expired(let claims), .notYetValid(let claims), .wrongIssuer(let claims),
            .wrongAudience(let claims), .sessionExpired(let claims):
            claims
        default: nil
        }
    }
}

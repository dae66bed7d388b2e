/// The credentials in an Authorization field (RFC 9110 §11.6.2). Only the Bearer scheme is parsed
/// (RFC 6750 §2.1).
package enum BearerCredentials: Equatable {
    /// Another scheme. The caller treats the request as one without credentials.
    case otherScheme
    /// The Bearer scheme without a space or without credentials after it.
    case malformed
    /// The Bearer scheme; its credentials are the bytes from offset `start` to the end of the
    /// field. Their grammar is not checked here; see `isToken`.
    case token(start: Int)

    /// `credentials = "Bearer" 1*SP b64token`. The scheme is compared without case (§11.1).
    package init(_ field: Span<UInt8>) {
        var schemeEnd = 0
        while schemeEnd < field.count, Grammar.isToken(field[schemeEnd]) { schemeEnd += 1 }
        guard field.extracting(0..<schemeEnd).isEqualIgnoringCase("bearer") else {
            self = .otherScheme
            return
        }
        var start = schemeEnd
        while start < field.count, field[start] == UInt8(ascii: " ") { start += 1 }
        self = start > schemeEnd && start < field.count ? .token(start: start) : .malformed
    }

    /// True if the bytes are a b64token:
    /// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        var end = 0
        while end < bytes.count, Grammar.isBearerToken(bytes[end]) { end += 1 }
        guard end > 0 else { return false }
        while end < bytes.count, bytes[end] == UInt8(ascii: "=") { end += 1 }
        return end == bytes.count
    }
}

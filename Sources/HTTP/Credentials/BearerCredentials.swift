/// What an Authorization field holds (RFC 9110 §11.6.2), to somebody who knows one scheme: Bearer
/// (RFC 6750 §2.1).
package enum BearerCredentials: Equatable {
    /// Another scheme: as if nothing had come.
    case otherScheme
    /// Bearer without anything behind it, or with no space before it.
    case malformed
    /// Bearer, and something from this offset to the end of the field. Whether that is a token at all
    /// is for `isToken` to say, to whom it matters.
    case token(start: Int)

    /// `credentials = "Bearer" 1*SP b64token`, the scheme compared without case (§11.1).
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

    /// Whether the bytes are a b64token: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        var end = 0
        while end < bytes.count, Grammar.isBearerToken(bytes[end]) { end += 1 }
        guard end > 0 else { return false }
        while end < bytes.count, bytes[end] == UInt8(ascii: "=") { end += 1 }
        return end == bytes.count
    }
}

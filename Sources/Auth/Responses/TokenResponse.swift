import HTTP
import JSON
import JWT
import POSIX
import Time

/// The answer with a token in it (RFC 6749 §5.1).
enum TokenResponse {
    /// - Parameter token: is overwritten; the response has the only copy.
    static func make(_ token: [UInt8], _ claims: Claims, at now: Timestamp) -> Response {
        // Whole seconds on both sides, so that a token's whole lifetime is told at its beginning.
        let end = claims.sessionExpires ?? claims.expires
        var writer = JSONWriter(capacity: token.count + 128)
        writer.beginObject()
        writer.name("token")
        writer.string(token.span)
        writer.name("token_type")
        writer.string("Bearer")
        writer.name("expires_in")
        writer.integer(max(0, claims.expires.seconds - now.seconds))
        writer.name("session_expires_in")
        writer.integer(max(0, end.seconds - now.seconds))
        writer.endObject()
        wipe(token)
        return template.with(json: writer.bytes)
    }

    /// `Cache-Control: no-store` is on every response; its HTTP/1.0 twin goes with tokens.
    private static let template = Response(.ok).adding("Pragma", "no-cache").heldUntilCommitted
        .secret
}

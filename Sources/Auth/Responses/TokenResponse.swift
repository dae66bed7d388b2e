import HTTP
import JSON
import JWT
import POSIX
import Time

/// The response to a successful login or refresh (RFC 6749 §5.1).
enum TokenResponse {
    /// - Parameter token: is overwritten afterwards; the response then has the only copy.
    static func make(_ token: [UInt8], _ claims: Claims, at now: Timestamp) -> Response {
        // Round both times down to seconds: right after a login the full lifetime is shown.
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

    /// Every response has `Cache-Control: no-store`; a token response also has its HTTP/1.0
    /// equivalent.
    private static let template = Response(.ok).adding("Pragma", "no-cache").heldUntilCommitted
        .secret
}

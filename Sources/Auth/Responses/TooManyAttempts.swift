import HTTP
import Time

/// 429 with the seconds to wait (RFC 6585 §4, RFC 9110 §10.2.3).
enum TooManyAttempts {
    static func response(retryAfter wait: TimeAmount) -> Response {
        Response.error(.tooManyRequests, "Too many attempts")
            .adding("Retry-After", "\(max(1, (wait.milliseconds + 999) / 1000))").heldUntilCommitted
    }
}

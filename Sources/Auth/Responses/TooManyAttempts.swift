import HTTP
import Time

/// 429 with Retry-After: the time to wait in seconds, rounded up, at least 1 (RFC 6585 §4, RFC 9110
/// §10.2.3).
enum TooManyAttempts {
    static func response(retryAfter wait: TimeAmount) -> Response {
        Response.error(.tooManyRequests, "Too many attempts")
            .adding("Retry-After", "\(max(1, (wait.milliseconds + 999) / 1000))").heldUntilCommitted
    }
}

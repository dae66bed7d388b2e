import HTTP
import JWT
import Logging
import POSIX

/// 503 for what has to be on the disk first, and cannot be put there.
enum StorageUnavailable {
    static let response = Response.error(.serviceUnavailable, "Storage unavailable")
        .adding("Retry-After", "1").heldUntilCommitted
}

/// 503 for what has to be in the log first, and cannot be written there.
enum LogUnavailable {
    static let response = Response.error(.serviceUnavailable, "Log unavailable")
        .adding("Retry-After", "1").heldUntilCommitted
}

/// `revocation_failed`: what was to be revoked or exchanged could not be put on the disk, or, before that,
/// into the log. Its client was told; what was revoked counts until the process ends, and what had to be in
/// the log first has not happened, whatever stands there by now.
struct RevocationNotStored: LogEvent {
    let error: Errno
    /// Whose token, where it was about one.
    var claims: Claims?
    let origin: Origin
    var level: Level { .error }
    var area: Area { .app }
    var name: StaticString { "revocation_failed" }
    var source: LogSource? {
        origin.source("storage", user: claims?.user, hasToken: claims != nil)
    }

    func write(to line: inout LogLine) {
        line.field("reason", error.description)
        if let claims {
            line.field("user", claims.user.rawValue)
            if let id = claims.sessionID { line.field("sid", id.utf8) }
        }
        line.fields(origin)
    }
}

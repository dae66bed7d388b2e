import HTTP
import JWT
import Logging
import POSIX

/// 503: a state change must be on disk before the response, and writing it failed.
enum StorageUnavailable {
    static let response = Response.error(.serviceUnavailable, "Storage unavailable")
        .adding("Retry-After", "1").heldUntilCommitted
}

/// 503: an event must be in the log before the state change, and writing it failed.
enum LogUnavailable {
    static let response = Response.error(.serviceUnavailable, "Log unavailable")
        .adding("Retry-After", "1").heldUntilCommitted
}

/// `revocation_failed`: a revocation or a token exchange could not be written to disk, or its event
/// could not be written to the log first.
///
/// The client got 503. A revocation stays in force until the process ends. If its event could not
/// be logged first, the state change was not made, even if that event reaches the log later.
struct RevocationNotStored: LogEvent {
    let error: Errno
    /// The claims of the request's token; nil if the request was not about one.
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

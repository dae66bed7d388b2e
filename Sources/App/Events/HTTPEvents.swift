import Auth
import HTTP
import JWT
import Logging
import Time

/// The http area of the log: requests, and what was none.

/// `http_request`, at DEBUG.
struct RequestCompleted: LogEvent {
    let request: Request
    let status: Status
    let byteCount: Int
    let microseconds: Int64
    var level: Level { .debug }
    var area: Area { .http }
    var name: StaticString { "http_request" }
    var isPerRequest: Bool { true }

    /// - Parameter start: when the request was handed to its handler.
    init(_ request: Request, _ response: Response, since start: MonotonicTime) {
        self.request = request
        status = response.status
        byteCount = response.content.count
        microseconds = (MonotonicTime.now.nanoseconds - start.nanoseconds) / 1000
    }

    func write(to line: inout LogLine) {
        line.field("method", request.method.name)
        if request.path.looksLikeToken {
            line.field("path", "hidden" as StaticString)
        } else {
            line.field("path", request.path)
        }
        line.field("status", Int64(status.code))
        line.field("bytes", Int64(byteCount))
        line.field("us", microseconds)
        line.fields(Origin(request))
    }
}

/// `http_refused`: bytes that were no request, limits, timeouts.
struct RequestRejected: LogEvent {
    let reason: StaticString
    let status: Status
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .http }
    var name: StaticString { "http_refused" }
    var source: LogSource? { origin.source(reason) }

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        line.field("status", Int64(status.code))
        line.fields(origin)
    }
}

/// `http_refused` without a request: no connection could be accepted.
struct AcceptFailed: LogEvent {
    let error: String
    var level: Level { .warning }
    var area: Area { .http }
    var name: StaticString { "http_refused" }
    /// Nobody knows whose connections there are too many of.
    var source: LogSource? { LogSource("accept_failed") }

    func write(to line: inout LogLine) {
        line.field("reason", "accept_failed")
        line.field("error", error)
    }
}

import Auth
import HTTP
import JWT
import Logging
import Time

/// Events of the http area: requests, and rejected input.

/// `http_request`, at DEBUG: a request was handled.
struct RequestCompleted: LogEvent {
    let request: Request
    let status: Status
    let byteCount: Int
    let microseconds: Int64
    var level: Level { .debug }
    var area: Area { .http }
    var name: StaticString { "http_request" }
    var isPerRequest: Bool { true }

    /// - Parameter start: the time at which the request was passed to its handler.
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

/// `http_refused`: input that is not a valid request, an exceeded limit, or a timeout.
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

/// `http_refused` without a request: accept(2) failed.
struct AcceptFailed: LogEvent {
    let error: String
    var level: Level { .warning }
    var area: Area { .http }
    var name: StaticString { "http_refused" }
    /// One source for all clients: the client of a connection that was not accepted is unknown.
    var source: LogSource? { LogSource("accept_failed") }

    func write(to line: inout LogLine) {
        line.field("reason", "accept_failed")
        line.field("error", error)
    }
}

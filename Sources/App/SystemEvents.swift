import Auth
import HTTP
import JWT
import Logging

/// `sys_startup`
struct Started: LogEvent {
    let version: String
    let processID: Int32
    let digest: String
    let url: String
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "sys_startup" }

    func write(to line: inout LogLine) {
        line.field("version", version)
        line.field("pid", Int64(processID))
        line.field("config", digest)
        line.field("url", url)
    }
}

/// `sys_shutdown`
struct Stopped: LogEvent {
    let isClean: Bool
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "sys_shutdown" }

    func write(to line: inout LogLine) { line.field("clean", isClean) }
}

/// `config_warning`: something that an operator should know about the configuration.
struct ConfigurationWarning: LogEvent {
    let problem: Problem
    var level: Level { .warning }
    var area: Area { .config }
    var name: StaticString { "config_warning" }

    func write(to line: inout LogLine) {
        line.field("key", problem.path)
        line.field("reason", problem.sentence)
    }
}

/// `http_request`, at DEBUG.
struct RequestAnswered: LogEvent {
    let request: Request
    let status: Status
    let byteCount: Int
    let microseconds: Int64
    var level: Level { .debug }
    var area: Area { .http }
    var name: StaticString { "http_request" }

    func write(to line: inout LogLine) {
        line.field("method", request.method.name)
        line.field("path", request.path)
        line.field("status", Int64(status.code))
        line.field("bytes", Int64(byteCount))
        line.field("us", microseconds)
        line.fields(Origin(request))
    }
}

/// `http_refused`: bytes that were no request, limits, timeouts.
struct RequestRefused: LogEvent {
    let reason: StaticString
    let status: Status
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .http }
    var name: StaticString { "http_refused" }
    var repetition: Repetition? { Repetition(name, reason, from: origin.address) }

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

    func write(to line: inout LogLine) {
        line.field("reason", "accept_failed")
        line.field("error", error)
    }
}

import HTTP
import JSON

/// GET /health/live and GET /health/ready, for whoever decides whether to send requests here. Not in
/// the security log: they say nothing about anybody.
package struct Health: Sendable {
    /// Something that has to be well for requests to be welcome: its name, and what is wrong with
    /// it, nil for nothing.
    package typealias Check = (name: String, problem: @Sendable () -> String?)

    private let checks: [Check]

    package init(checks: [Check]) { self.checks = checks }

    /// The process answers, which is all that this asks.
    package func live(_ request: Request) -> Response { Self.ok }

    /// 503 while any check has a problem; the answer names it.
    package func ready(_ request: Request) -> Response {
        var problems: [(String, String)] = []
        for check in checks {
            if let problem = check.problem() { problems.append((check.name, problem)) }
        }
        if problems.isEmpty { return Self.ok }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("status")
        writer.string("unavailable")
        writer.name("checks")
        writer.beginObject()
        for (name, problem) in problems {
            writer.name(escaping: name)
            writer.string(problem)
        }
        writer.endObject()
        writer.endObject()
        return Response(.serviceUnavailable, json: writer.bytes)
    }

    private static let ok = Response(.ok, json: Array(#"{"status":"ok"}"#.utf8))
}

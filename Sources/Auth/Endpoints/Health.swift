import HTTP
import JSON

/// GET /health/live and GET /health/ready, for load balancers and orchestrators. They name no user
/// and are not in the security log.
package struct Health: Sendable {
    /// A condition for readiness: its name, and a closure that returns the current problem, or nil
    /// if there is none.
    package typealias Check = (name: String, problem: @Sendable () -> String?)

    private let checks: [Check]

    package init(checks: [Check]) { self.checks = checks }

    /// Always 200: a response shows that the process is running.
    package func live(_ request: Request) -> Response { Self.ok }

    /// 200 if no check reports a problem, otherwise 503 with the name and text of each problem.
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

import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct LogFormatTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL"]

    private func startServer(_ settings: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(in: folder, quiet.merging(settings) { $1 })
    }

    private func lines() throws -> [String] {
        try folder.log().split(separator: "\n").map(String.init)
    }

    private func runRequests(_ server: ServerProcess) throws {
        let token = try server.ask(.login(1, "in")).token
        _ = try server.ask(.resource(token, "good"))
        _ = try server.ask(.resource(token + "x", "bad"))
        _ = try server.ask(.login(0, "zero"))
        server.process.kill(SIGUSR1)
        #expect(try server.stop() == .exited(0))
    }

    private let events = [
        "log_open", "config_warning", "config_warning", "sys_startup", "authn_login_success",
        "authn_token_created", "authn_token_verified", "authn_token_rejected", "authn_login_fail",
        "sys_shutdown",
    ]

    @Test
    func `in the json format each line is an object with the names of the text format`() throws {
        try runRequests(startServer(["LOG_FORMAT": "json"]))
        let objects = try lines().map { line in
            try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        let logged = objects.filter {
            !["log_seal", "log_reopen"].contains($0["event"] as? String)
        }
        #expect(logged.map { $0["event"] as? String } == events)
        for object in objects {
            for name in ["time", "level", "area"] { #expect(object[name] is String) }
        }
        let created = logged[5]
        #expect(created["user"] as? Int == 1)
        #expect(created["exp"] is Int)
        #expect((created["jti"] as? String)?.count == 22)
        #expect(created["rid"] as? String == "in")
        #expect(logged.last?["clean"] as? Bool == true)
        try expectIntact()
    }

    @Test func `in the logfmt format each line consists of name=value pairs`() throws {
        try runRequests(startServer(["LOG_FORMAT": "logfmt"]))
        let lines = try lines()
        let head = #/time=\S+ level=[A-Z]+ area=[a-z]+ event=[a-z_]+/#
        let fields = #/( [a-z_]+=("[^"]*"|[^ "=]+))*/#
        for line in lines {
            let rest = line.trimmingPrefix(head)
            #expect(rest.count < line.count && rest.wholeMatch(of: fields) != nil, "\(line)")
        }
        let logged = lines.compactMap { $0.firstMatch(of: #/ event=(\S+)/#).map { String($0.1) } }
            .filter { !["log_seal", "log_reopen"].contains($0) }
        #expect(logged == events)
        #expect(lines.contains { $0.contains(" event=authn_token_verified user=1 jti=") })
        try expectIntact()
    }

    @Test func `the format may change at a restart, and the log still verifies`() throws {
        for format in ["text", "json", "logfmt", "text"] {
            try runRequests(startServer(["LOG_FORMAT": format]))
        }
        try expectIntact()
        let (ending, output, _) = try ServerProcess.run(
            ["log", "stats", "--json"], in: folder, ["LOG_FILE_PATH": "app.log"])
        #expect(ending == .exited(0))
        #expect(output.contains(#"{"value":"authn_token_verified","count":4}"#))
        #expect(output.contains(#""unreadable":0"#))
    }

    private func expectIntact() throws {
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(0), "\(report)")
    }

    // MARK: Frequency

    @Test(arguments: [("all", 250), ("sample", 3), ("off", 0)])
    func `authn_token_verified decides how many successful verifications are logged`(
        setting: String, count: Int
    ) throws {
        let server = try startServer(["LOG_AUTHN_TOKEN_VERIFIED": setting])
        let client = try server.client()
        try client.send(.login(1))
        let token = try client.response().token
        // All at once: successful verifications are never suppressed as repeats.
        try client.send(String(repeating: .resource(token), count: 250))
        for _ in 0..<250 { #expect(try client.response().status == 200) }
        // A failure is always logged.
        try client.send(.resource(token + "x"))
        #expect(try client.response().status == 401)
        let lines = try lines()
        #expect(lines.count { $0.contains(" | authn_token_verified ") } == count)
        #expect(lines.count { $0.contains(" | authn_token_rejected ") } == 1)
        #expect(!lines.contains { $0.contains(" suppressed=") })
    }

    @Test
    func `repeated failures are at most twenty lines a second, and a summary counts the rest`()
        throws
    {
        let server = try startServer()
        let client = try server.client()
        try client.send(String(repeating: .resource("x.y.z"), count: 200))
        for _ in 0..<200 { #expect(try client.response().status == 401) }
        // Another reason is counted separately.
        try client.send(.get("/resource", "other"))
        _ = try client.response()
        #expect(try server.stop() == .exited(0))

        let entries = try LogEntry.all(in: folder.log()).map { try #require($0) }
        let rejected = entries.filter {
            $0.event == "authn_token_rejected" && $0["reason"] != "missing"
        }
        let (summaries, single) = (
            rejected.filter { $0["suppressed"] != nil },
            rejected.filter { $0["suppressed"] == nil }
        )
        let bySecond = Dictionary(grouping: single) { $0.time.prefix(19) }
        // The limit counts by the monotonic clock. Its seconds begin at other times than those of
        // the lines, so there can be one more of them.
        #expect(single.count <= 20 * (bySecond.count + 1))
        #expect(summaries.count <= bySecond.count + 1)
        let hidden = summaries.reduce(0) { $0 + (Int($1["suppressed"]!) ?? 0) }
        #expect(single.count + hidden == 200)
        #expect(entries.count { $0["rid"] == "other" } == 1)
        try expectIntact()
    }
}

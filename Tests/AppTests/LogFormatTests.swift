import Foundation
import TestSupport
import Testing

@Suite("What the log says of a request", .blocking, .serialized)
struct LogFormatTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL"]

    private func house(_ settings: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(in: folder, quiet.merging(settings) { $1 })
    }

    private func lines() throws -> [String] {
        try folder.log().split(separator: "\n").map(String.init)
    }

    private func tellAll(_ house: ServerProcess) throws {
        let token = try house.ask(.login(1, "in")).token
        _ = try house.ask(.resource(token, "good"))
        _ = try house.ask(.resource(token + "x", "bad"))
        _ = try house.ask(.login(0, "zero"))
        house.process.kill(SIGUSR1)
        #expect(try house.stop() == .exited(0))
    }

    private let events = [
        "log_open", "config_warning", "config_warning", "sys_startup", "authn_login_success",
        "authn_token_created", "authn_token_verified", "authn_token_rejected", "authn_login_fail",
        "sys_shutdown",
    ]

    @Test("is an object a line in JSON, with the names that the text has")
    func json() throws {
        try tellAll(house(["LOG_FORMAT": "json"]))
        let objects = try lines().map { line in
            try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        let told = objects.filter {
            !["log_seal", "log_reopen"].contains($0["event"] as? String)
        }
        #expect(told.map { $0["event"] as? String } == events)
        for object in objects {
            for name in ["time", "level", "area"] { #expect(object[name] is String) }
        }
        let created = told[5]
        #expect(created["user"] as? Int == 1)
        #expect(created["exp"] is Int)
        #expect((created["jti"] as? String)?.count == 22)
        #expect(created["rid"] as? String == "in")
        #expect(told.last?["clean"] as? Bool == true)
        try expectIntact()
    }

    @Test("is name=value all along in logfmt")
    func logfmt() throws {
        try tellAll(house(["LOG_FORMAT": "logfmt"]))
        let lines = try lines()
        for line in lines {
            #expect(
                line.wholeMatch(
                    of:
                        #/time=\S+ level=[A-Z]+ area=[a-z]+ event=[a-z_]+( [a-z_]+=("[^"]*"|[^ "=]+))*/#
                )
                    != nil,
                "\(line)")
        }
        let told = lines.compactMap { $0.firstMatch(of: #/ event=(\S+)/#).map { String($0.1) } }
            .filter { !["log_seal", "log_reopen"].contains($0) }
        #expect(told == events)
        #expect(lines.contains { $0.contains(" event=authn_token_verified user=1 jti=") })
        try expectIntact()
    }

    @Test("may change from one start to the next, in one file that can be believed")
    func formats() throws {
        for format in ["text", "json", "logfmt", "text"] {
            try tellAll(house(["LOG_FORMAT": format]))
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

    // MARK: How often

    @Test(
        "that succeeds is all, a sample or nothing, as the operator wants it",
        arguments: [("all", 250), ("sample", 3), ("off", 0)])
    func verified(setting: String, count: Int) throws {
        let house = try house(["LOG_AUTHN_TOKEN_VERIFIED": setting])
        let client = try house.client()
        try client.send(.login(1))
        let token = try client.response().token
        // All at once: success is never a repeat.
        try client.send(String(repeating: .resource(token), count: 250))
        for _ in 0..<250 { #expect(try client.response().status == 200) }
        // A failure always has its line.
        try client.send(.resource(token + "x"))
        #expect(try client.response().status == 401)
        let lines = try lines()
        #expect(lines.count { $0.contains(" | authn_token_verified ") } == count)
        #expect(lines.count { $0.contains(" | authn_token_rejected ") } == 1)
        #expect(!lines.contains { $0.contains(" suppressed=") })
    }

    @Test("that is refused in a loop is twenty lines a second, and how many more there were")
    func suppressed() throws {
        let house = try house()
        let client = try house.client()
        try client.send(String(repeating: .resource("x.y.z"), count: 200))
        for _ in 0..<200 { #expect(try client.response().status == 401) }
        // Another reason has lines of its own.
        try client.send(.get("/resource", "other"))
        _ = try client.response()
        #expect(try house.stop() == .exited(0))

        let entries = try LogEntry.all(in: folder.log()).map { try #require($0) }
        let rejected = entries.filter {
            $0.event == "authn_token_rejected" && $0["reason"] != "missing"
        }
        let (summaries, single) = (
            rejected.filter { $0["suppressed"] != nil },
            rejected.filter { $0["suppressed"] == nil }
        )
        let bySecond = Dictionary(grouping: single) { $0.time.prefix(19) }
        #expect(bySecond.values.allSatisfy { $0.count <= 20 })
        #expect(summaries.count <= bySecond.count)
        let hidden = summaries.reduce(0) { $0 + (Int($1["suppressed"]!) ?? 0) }
        #expect(single.count + hidden == 200)
        #expect(entries.count { $0["rid"] == "other" } == 1)
        try expectIntact()
    }
}

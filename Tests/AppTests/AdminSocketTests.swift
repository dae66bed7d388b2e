import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct AdminSocketTests {
    private let fixture = try! PasswordServerFixture()

    private func revoke(_ content: String) throws -> ServerResponse {
        try fixture.administer(.post("/revoke", content))
    }

    private func mode(_ name: String) -> mode_t? {
        var status = stat()
        return stat(fixture.folder.path(name), &status) == 0 ? status.st_mode & 0o777 : nil
    }

    @Test
    func `the socket has mode 0600, is removed at a stop, and replaces one of a killed server`()
        throws
    {
        let server = try fixture.startServer()
        #expect(mode("admin.sock") == 0o600)
        // A second server with its own log.
        let second = try ServerProcess.start(
            in: fixture.folder,
            [
                "SERVER_PORT": "0", "LOG_FILE_PATH": "second.log", "LOG_STDERR_LEVEL": "CRITICAL",
                "LOGIN_ITERATIONS": "1000",
            ], PasswordServerFixture.arguments)
        #expect(try second.wait() == .exited(69))
        #expect(second.standardError.contains("admin.sock"))
        #expect(try fixture.administer(.get("/log/head")).status == 200)
        server.process.kill(SIGKILL)
        try server.process.wait()
        #expect(mode("admin.sock") == 0o600)
        let next = try fixture.startServer()
        #expect(mode("admin.sock") == 0o600)
        #expect(try fixture.administer(.get("/log/head")).status == 200)
        #expect(try next.stop() == .exited(0))
        #expect(mode("admin.sock") == nil)
    }

    @Test
    func `introspection returns the claims of a valid token, and only inactive for others`() throws
    {
        let server = try fixture.startServer()
        let token = try server.login("bob").token
        let form = "Content-Type: application/x-www-form-urlencoded\r\n"
        let answers = try [
            fixture.administer(.post("/introspect", "token=\(token)", "form", form)),
            fixture.administer(.post("/introspect", #"{"token":"\#(token)"}"#, "json")),
        ]
        #expect(answers[0].content == answers[1].content)
        let content = try #require(
            try JSONSerialization.jsonObject(with: Data(answers[0].content.utf8))
                as? [String: Any])
        let parts = try #require(TokenParts(token))
        #expect(content["active"] as? Bool == true)
        #expect(content["username"] as? String == "bob")
        #expect(content["user_id"] as? Int == 2)
        for claim in ["sub", "iss", "jti", "sid"] {
            #expect(content[claim] as? String == parts.text(claim), "\(claim)")
        }
        for claim in ["iat", "nbf", "exp", "auth_time", "sxp"] {
            #expect(content[claim] as? Int == parts.number(claim), "\(claim)")
        }
        #expect(try server.ask(.logout(token)).status == 204)
        for bad in [token, token + "x", "", "a.b.c"] {
            for request in [
                String.post("/introspect", "token=\(bad)", "form", form),
                .post("/introspect", #"{"token":"\#(bad)"}"#),
            ] {
                let answer = try fixture.administer(request)
                #expect(answer.status == 200)
                #expect(answer.content == #"{"active":false}"#, "\(bad)")
            }
        }
        for nothing in ["", "{}", "[]", #"{"token":1}"#, "nonsense"] {
            #expect(try fixture.administer(.post("/introspect", nothing)).status == 400)
        }
        // The public listener does not have these endpoints.
        for path in ["/introspect", "/revoke", "/reload", "/log/head", "/sessions?user=1"] {
            #expect(try server.ask(.post(path, "{}")).status == 404)
        }
    }

    @Test
    func `tokens, sessions, users and everything can be revoked, also across a restart`() throws {
        var server = try fixture.startServer()
        func verdicts(_ tokens: [String]) throws -> [Bool] {
            try tokens.map { try server.ask(.resource($0)).status == 200 }
        }
        var tokens = try (0..<6).map { _ in try server.login("alice").token }
        tokens += try (0..<2).map { _ in try server.login("bob").token }
        let parts = try tokens.map { try #require(TokenParts($0)) }
        #expect(try verdicts(tokens) == Array(repeating: true, count: 8))

        // RFC 7009: the body is a form, and an invalid token is not an error.
        let form = "Content-Type: application/x-www-form-urlencoded\r\n"
        for content in ["token=\(tokens[0])", "token=\(tokens[0])", "token=nonsense"] {
            #expect(try fixture.administer(.post("/revoke", content, "f", form)).status == 200)
        }
        #expect(try revoke(#"{"token":"\#(tokens[1])"}"#).status == 200)
        #expect(try revoke(#"{"token_id":"\#(parts[2].text("jti")!)"}"#).status == 200)
        #expect(try revoke(#"{"session":"\#(parts[3].text("sid")!)"}"#).status == 200)
        #expect(
            try verdicts(tokens) == [false, false, false, false, true, true, true, true])
        #expect(try revoke(#"{"user":1}"#).status == 200)
        #expect(
            try verdicts(tokens) == [false, false, false, false, false, false, true, true])
        // Who comes back is let in.
        let again = try server.login("alice").token
        #expect(try verdicts([again]) == [true])
        for wrong in [
            "", "{}", #"{"user":0}"#, #"{"user":"1"}"#, #"{"all":false}"#, #"{"session":""}"#,
            #"{"user":1,"all":true}"#, #"{"nobody":1}"#, "[1]", #"{"token_id":1}"#,
        ] {
            #expect(try revoke(wrong).verdict == "400 Invalid request", "\(wrong)")
        }
        #expect(try verdicts([again, tokens[7]]) == [true, true])

        server.process.kill(SIGKILL)
        try server.process.wait()
        server = try fixture.startServer()
        #expect(
            try verdicts(tokens + [again])
                == [false, false, false, false, false, false, true, true, true])
        #expect(try revoke(#"{"all":true}"#).status == 200)
        #expect(try verdicts(tokens + [again]) == Array(repeating: false, count: 9))
        #expect(try verdicts([try server.login("alice").token]) == [true])
        server.process.kill(SIGKILL)
        try server.process.wait()
        server = try fixture.startServer()
        #expect(try verdicts(tokens + [again]) == Array(repeating: false, count: 9))

        let revoked = try fixture.entries().filter { $0.event == "authn_token_revoked" }
        #expect(revoked.allSatisfy { $0["by"] == "admin" })
        #expect(
            revoked.map { $0["scope"] ?? ($0["sid"] == nil ? "token" : "session") } == [
                // Revoking a token also revokes its session.
                "token", "session", "token", "session", "token", "session", "token", "session",
                "user", "all",
            ])
    }

    @Test func `the current sessions of a user are listed`() throws {
        let server = try fixture.startServer()
        struct Content: Decodable {
            struct Session: Decodable {
                let session, ip: String
                let began, ends, seen: Int
            }
            let user: Int
            let sessions: [Session]
        }
        func list(_ user: Int) throws -> [Content.Session] {
            let answer = try fixture.administer(.get("/sessions?user=\(user)"))
            let content = try JSONDecoder().decode(Content.self, from: Data(answer.content.utf8))
            #expect(content.user == user)
            return content.sessions
        }
        let tokens = try (0..<4).map { _ in try server.login("alice").token }
        let parts = try tokens.map { try #require(TokenParts($0)) }
        #expect(Set(try list(1).map(\.session)) == Set(parts.compactMap { $0.text("sid") }))
        #expect(try list(2).isEmpty)
        let session = try #require(try list(1).first { $0.session == parts[0].text("sid") })
        #expect(session.ip == "127.0.0.1")
        #expect(session.ends == parts[0].number("sxp"))
        #expect(session.began == parts[0].number("auth_time"))
        #expect(try server.ask(.refresh(tokens[0])).status == 200)
        #expect(try list(1).count == 4)
        #expect(try server.ask(.logout(tokens[1])).status == 204)
        #expect(try revoke(#"{"session":"\#(parts[2].text("sid")!)"}"#).status == 200)
        #expect(
            Set(try list(1).map(\.session))
                == Set([0, 3].compactMap { parts[$0].text("sid") }))
        #expect(try server.ask(.logout(tokens[0], all: true)).status == 204)
        #expect(try list(1).isEmpty)
        for query in ["", "?user=", "?user=x", "?user=0", "?user=1&user=2", "?users=1"] {
            #expect(try fixture.administer(.get("/sessions\(query)")).status == 400, "\(query)")
        }
    }

    @Test func `the level of one or all areas can be changed until the next reload`() throws {
        // The level of the file must not remove events whose level an operator has lowered.
        let server = try fixture.startServer()
        func set(_ content: String) throws -> ServerResponse {
            try fixture.administer(.post("/log-level", content, method: "PUT"))
        }
        func isRecorded(_ id: String) throws -> Bool {
            _ = try server.ask(.get("/health/live", id))
            return try fixture.entries().contains { $0["rid"] == id && $0.event == "http_request" }
        }
        #expect(try !isRecorded("before"))
        #expect(try set(#"{"area":"http","level":"DEBUG"}"#).status == 200)
        #expect(try isRecorded("debug"))
        #expect(try set(#"{"area":"http","level":"INFO"}"#).status == 200)
        #expect(try !isRecorded("info"))
        #expect(try set(#"{"level":"DEBUG"}"#).status == 200)
        #expect(try isRecorded("all"))
        for wrong in [
            "", "{}", #"{"level":"LOUD"}"#, #"{"level":1}"#, #"{"area":"x","level":"INFO"}"#,
            #"{"level":"INFO","x":1}"#,
        ] {
            #expect(try set(wrong).status == 400, "\(wrong)")
        }
        let changes = try fixture.entries().filter { $0.event == "log_level_changed" }
        #expect(
            changes.map { "\($0["key"]!) \($0["from"]!) \($0["to"]!)" } == [
                "log.areas.http INFO DEBUG", "log.areas.http DEBUG INFO", "log.level INFO DEBUG",
                "log.areas.http INFO DEBUG",
            ])
        #expect(changes.allSatisfy { $0.level == "WARNING" })
        #expect(try fixture.administer(.post("/reload")).status == 200)
        #expect(try !isRecorded("reloaded"))
    }

    @Test func `the head of the log is an anchor for a later verification`() throws {
        let server = try fixture.startServer()
        func ask() throws -> String {
            let answer = try fixture.administer(.get("/log/head"))
            let match = try #require(answer.content.wholeMatch(of: #/\{"head":"(.*)"\}/#))
            return String(match.1)
        }
        let first = try ask()
        _ = try server.login("alice")
        #expect(try eventually { try ask() != first })
        let second = try ask()
        #expect(try server.stop() == .exited(0))
        for anchor in [first, second] {
            let (ending, report, _) = try fixture.run(["log", "verify", "--anchor", anchor])
            #expect(ending == .exited(0), "\(report)")
        }
        let wrong = String(second.dropLast()) + (second.last == "0" ? "1" : "0")
        #expect(try fixture.run(["log", "verify", "--anchor", wrong]).ending == .exited(1))
    }
}

import Auth
import Crypto
import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct SessionTests {
    @Test func `login, refresh and logout work as documented and are logged`() throws {
        let fixture = try PasswordServerFixture(users: [])
        for (name, id) in [("alice", 1), ("bob", 2)] {
            let (ending, _, errors) = try fixture.run(
                ["user", "add", "--username", name, "--name", name.capitalized],
                typing: "\(PasswordServerFixture.password) of \(name)\n")
            #expect(ending == .exited(0), "\(id): \(errors)")
        }
        let server = try fixture.startServer()
        let client = try server.client()
        func ask(_ request: String) throws -> ServerResponse {
            try client.send(request)
            return try client.response()
        }
        // By name and by id.
        let byName = try ask(
            .login(named: "alice", "\(PasswordServerFixture.password) of alice", "by-name"))
        #expect(byName.status == 200)
        let byID = try ask(.login(withID: 2, "\(PasswordServerFixture.password) of bob", "by-id"))
        #expect(byID.status == 200)
        #expect(
            try ask(.login(named: "alice", "not hers", "wrong")).verdict
                == "401 Invalid credentials")
        #expect(
            try ask(.login(named: "eve", "not there", "none")).verdict == "401 Invalid credentials")

        let (first, bob) = (try byName.token, try byID.token)
        let resource = try ask(.resource(bob, "resource"))
        #expect(resource.content == #"{"user":{"id":2,"name":"Bob"}}"#)
        let verify = try ask(.verify(first, "verify"))
        #expect(verify.status == 204)
        #expect(verify["X-Auth-User-Id"] == "1")
        #expect(verify["X-Auth-User-Name"] == "Alice")

        let refreshed = try ask(.refresh(first, "refresh"))
        #expect(refreshed.status == 200)
        #expect(refreshed["Pragma"] == "no-cache")
        let second = try refreshed.token
        #expect(second != first)
        let (old, new) = (try #require(TokenParts(first)), try #require(TokenParts(second)))
        for claim in ["auth_time", "sxp", "user_id"] {
            #expect(old.number(claim) != nil && old.number(claim) == new.number(claim), "\(claim)")
        }
        #expect(old.text("sid") == new.text("sid"))
        #expect(old.text("jti") != new.text("jti"))
        #expect(try #require(old.number("exp")) <= (try #require(new.number("exp"))))
        // Within the grace period the old token is valid and gives the same successor.
        #expect(try ask(.resource(first, "old")).status == 200)
        #expect(try ask(.refresh(first, "again")).token == second)

        #expect(try ask(.logout(second, "logout")).status == 204)
        for token in [first, second] {
            #expect(try ask(.resource(token, "dead")).verdict == "401 Token revoked")
            #expect(try ask(.refresh(token, "dead")).verdict == "401 Token revoked")
            #expect(try ask(.logout(token, "dead")).verdict == "401 Token revoked")
            #expect(try ask(.verify(token, "dead")).verdict == "401 Token revoked")
        }
        #expect(try ask(.resource(bob)).status == 200)
        client.close()

        // Everything has been written by now.
        let events = try fixture.entries().filter { $0["rid"] != nil && $0["rid"] != "id" }
        #expect(
            events.map { "\($0["rid"]!) \($0.level) \($0.event) \($0["reason"] ?? "-")" } == [
                "by-name INFO authn_login_success -", "by-name INFO authn_token_created -",
                "by-id INFO authn_login_success -", "by-id INFO authn_token_created -",
                "wrong WARNING authn_login_fail wrong_password",
                "none WARNING authn_login_fail unknown_user",
                "resource INFO authn_token_verified -", "verify INFO authn_token_verified -",
                "refresh INFO authn_token_verified -", "refresh INFO authn_token_refreshed -",
                "old INFO authn_token_verified -", "again INFO authn_token_verified -",
                "again INFO authn_token_refreshed -", "logout INFO authn_token_verified -",
                "logout INFO session_logout -",
            ] + Array(repeating: "dead CRITICAL authn_token_reuse -", count: 8))
        let entry = { (id: String, name: String) in
            events.first { $0["rid"] == id && $0.event == name }
        }
        let success = try #require(entry("refresh", "authn_token_refreshed"))
        #expect(success["old_jti"] == old.text("jti"))
        #expect(success["jti"] == new.text("jti"))
        #expect(success["sid"] == new.text("sid"))
        #expect(success["user"] == "1")
        #expect(entry("logout", "session_logout")?["sid"] == new.text("sid"))
        #expect(entry("wrong", "authn_login_fail")?["user"] == "1")
        #expect(entry("wrong", "authn_login_fail")?["attempts"] == "1")
        // The name of an unknown user is not logged, because it may be a password.
        #expect(entry("none", "authn_login_fail")?["user"] == nil)
        #expect(entry("none", "authn_login_fail")?["fingerprint"]?.count == 16)

        #expect(try server.stop() == .exited(0))
        let (ending, report, _) = try fixture.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
    }

    @Test(.tags(.timing))
    func `a hundred concurrent refreshes get one successor, also after a restart`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        let size = try #require(fixture.folder.size("revocations.journal"))
        let clients = try (0..<100).map { _ in try server.client() }
        let began = Date()
        for (number, client) in clients.enumerated() {
            try client.send(.refresh(token, "r\(number)"))
        }
        let answers = try clients.map { try $0.response() }
        #expect(Set(answers.map(\.status)) == [200])
        let successors = Set(try answers.map { try $0.token })
        #expect(successors.count == 1)
        // One record of 44 bytes: the token was exchanged once.
        #expect(fixture.folder.size("revocations.journal") == size + 44)
        // Repeated lines of the same exchange are limited, and the suppressed ones are counted.
        let lines = try fixture.entries().filter { $0.event == "authn_token_refreshed" }
        let own = lines.filter { $0["suppressed"] == nil }
        // Each refresh in the millisecond of the exchange has its own line. Later repeats have one
        // line a second.
        #expect((1...99).contains(own.count))

        server.process.kill(SIGKILL)
        try server.process.wait()
        let next = try fixture.startServer()
        #expect(try next.ask(.resource(successors.first!)).status == 200)
        // On a slow machine the ten seconds may be over; another refresh would then be a replay.
        guard Date().timeIntervalSince(began) < 5 else { return }
        let again = try next.ask(.refresh(token))
        guard Date().timeIntervalSince(began) < 9 else { return }
        #expect(again.status == 200)
        #expect(successors.contains(try again.token))
        #expect(try next.ask(.resource(token)).status == 200)
    }

    // Runs only in long tests, because it waits ten seconds.
    @Test(.tags(.timing), .enabled(if: TestScale.isLong))
    func `an old token that returns after the grace period ends the session`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        let old = try server.login("alice").token
        let new = try server.ask(.refresh(old)).token
        let isOver = try eventually { try server.ask(.resource(old)).status == 401 }
        #expect(isOver)
        #expect(try server.ask(.resource(new)).verdict == "401 Token revoked")
        #expect(try server.ask(.refresh(new)).verdict == "401 Token revoked")
        let reuse = try #require(
            try fixture.entries().first { $0.event == "authn_token_reuse" })
        #expect(reuse.level == "CRITICAL")
        let sessions = try fixture.administer(.get("/sessions?user=1"))
        #expect(sessions.content == #"{"user":1,"sessions":[]}"#)
    }

    @Test func `a logout everywhere ends all tokens of its user and of no other user`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        let alice = try (0..<3).map { _ in try server.login("alice").token }
        let bob = try server.login("bob").token
        #expect(try server.ask(.logout(alice[1], all: true)).status == 204)
        for token in alice {
            #expect(try server.ask(.resource(token)).verdict == "401 Token revoked")
        }
        #expect(try server.ask(.resource(bob)).status == 200)
        // Valid at once, even if the clock has not advanced.
        let again = try server.login("alice").token
        #expect(try server.ask(.resource(again)).status == 200)
        server.process.kill(SIGKILL)
        try server.process.wait()
        let next = try fixture.startServer()
        for token in alice {
            #expect(try next.ask(.resource(token)).verdict == "401 Token revoked")
        }
        for token in [bob, again] { #expect(try next.ask(.resource(token)).status == 200) }
    }

    @Test func `with refresh set to extend, the old token stays valid`() throws {
        var options = PasswordServerFixture.Options()
        options.token += #","refresh":"extend""#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let first = try server.login("alice").token
        let tokens = try (0..<3).map { _ in try server.ask(.refresh(first)).token }
        #expect(Set(tokens + [first]).count == 4)
        let parts = try (tokens + [first]).map { try #require(TokenParts($0)) }
        #expect(Set(parts.map { $0.text("sid") }).count == 1)
        #expect(Set(parts.map { $0.number("sxp") }).count == 1)
        for token in tokens + [first] { #expect(try server.ask(.resource(token)).status == 200) }
        #expect(try server.ask(.logout(tokens[1])).status == 204)
        for token in tokens + [first] {
            #expect(try server.ask(.resource(token)).verdict == "401 Token revoked")
        }
    }

    @Test func `a refresh never moves the end of the session`() throws {
        var options = PasswordServerFixture.Options()
        options.token = #""ttl":"1h","session":"1h""#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let first = try server.login("alice").token
        let second = try server.ask(.refresh(first)).token
        let (old, new) = (try #require(TokenParts(first)), try #require(TokenParts(second)))
        #expect(new.number("sxp") == old.number("sxp"))
        #expect(try #require(new.number("exp")) <= (try #require(old.number("sxp"))))
    }

    @Test
    func `a login with a weak hash stores a stronger one, which the next login uses`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer([
            "LOGIN_ITERATIONS": "\(2 * PasswordServerFixture.iterations)"
        ]
        )
        let token = try server.login("alice").token
        func iterations() throws -> [Int?] {
            try UsersFile(fixture.folder.path("users.json")).read().map(\.password?.iterations)
        }
        #expect(
            try iterations() == [
                2 * PasswordServerFixture.iterations, PasswordServerFixture.iterations,
            ])
        #expect(try server.login("bob", "a wrong one").status == 401)
        #expect(
            try iterations() == [
                2 * PasswordServerFixture.iterations, PasswordServerFixture.iterations,
            ])
        for _ in 0..<2 { #expect(try server.login("alice").status == 200) }
        #expect(try server.ask(.resource(token)).status == 200)
        #expect(try server.login("alice", "a wrong one").status == 401)
    }

    @Test
    func `a login in progress completes while the server stops, and is valid afterwards`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer([
            "LOGIN_ITERATIONS": "\(5 * PasswordServerFixture.iterations)"
        ]
        )
        // The health response shows that the login on the same connection has been received.
        let clients = try (0..<4).map { _ in try server.client() }
        for client in clients {
            try client.send(
                .get("/health/live")
                    + .login(named: "alice", PasswordServerFixture.password, "last"))
        }
        for client in clients { #expect(try client.response().status == 200) }
        #expect(try server.stop() == .exited(0))
        let tokens = try clients.map { try $0.response().token }
        #expect(try fixture.events("authn_token_created").count { $0["rid"] == "last" } == 4)
        let last = try #require(try fixture.entries().last)
        #expect(last.event == "sys_shutdown")
        #expect(last["clean"] == "true")
        let (ending, report, _) = try fixture.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
        let next = try fixture.startServer()
        for token in tokens { #expect(try next.ask(.resource(token)).status == 200) }
    }

    // MARK: Foreign tokens

    /// A token that another program has signed with the same key.
    private func foreign(_ claims: String) -> String {
        let parts = [#"{"alg":"HS256","typ":"JWT"}"#, claims].map { part in
            let bytes = Array(part.utf8)
            return String(decoding: Base64URL.encoded(bytes.span), as: UTF8.self)
        }
        let message = Array(parts.joined(separator: ".").utf8)
        let secret = Array(PasswordServerFixture.secret(of: "k1").utf8)
        let code = HMACSHA256.code(for: message.span, key: HMACSHA256.Key(secret.span))
        let signature = Base64URL.encoded(code.bytes.span)
        return parts.joined(separator: ".") + "." + String(decoding: signature, as: UTF8.self)
    }

    @Test(arguments: [false, true])
    func `a foreign token is its own session, unless sessions are required`(isRequired: Bool) throws
    {
        var options = PasswordServerFixture.Options()
        options.token += #","issuer":null,"require_session":\#(isRequired)"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let now = Int(Date().timeIntervalSince1970)
        let token = foreign(#"{"user_id":1,"iat":\#(now - 10),"exp":\#(now + 600)}"#)
        let own = try server.login("alice").token
        #expect(try server.ask(.resource(own)).status == 200)
        guard isRequired else {
            #expect(try server.ask(.resource(token)).status == 200)
            #expect(try server.ask(.logout(token)).status == 204)
            #expect(try server.ask(.resource(token)).verdict == "401 Token revoked")
            #expect(try server.ask(.resource(own)).status == 200)
            return
        }
        #expect(try server.ask(.resource(token, "foreign")).verdict == "401 Invalid token")
        #expect(try server.ask(.refresh(token)).verdict == "401 Invalid token")
        let entry = try #require(try fixture.entries().first { $0["rid"] == "foreign" })
        #expect(entry["reason"] == "claims")
    }

    @Test(
        arguments: [("0s", "401 Token expired"), ("60s", "200")])
    func `a token stays valid for the leeway after its expiry, and no longer`(
        leeway: String, verdict: String
    ) throws {
        var options = PasswordServerFixture.Options()
        options.token += #","issuer":null,"leeway":"\#(leeway)""#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let now = Int(Date().timeIntervalSince1970)
        let token = foreign(#"{"user_id":1,"iat":\#(now - 100),"exp":\#(now)}"#)
        #expect(try server.ask(.resource(token)).verdict == verdict)
    }
}

import Auth
import Crypto
import Foundation
import TestSupport
import Testing

@Suite("A session", .blocking, .serialized)
struct SessionTests {
    @Test("begins with a password, is renewed, ends when asked, and all of that is on record")
    func story() throws {
        let estate = try PasswordServerFixture(users: [])
        for (name, id) in [("alice", 1), ("bob", 2)] {
            let (ending, _, errors) = try estate.run(
                ["user", "add", "--username", name, "--name", name.capitalized],
                typing: "\(PasswordServerFixture.password) of \(name)\n")
            #expect(ending == .exited(0), "\(id): \(errors)")
        }
        let house = try estate.house()
        let client = try house.client()
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
        // Within its grace the old one is good, too, and gives the same new one.
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

        // All of that is written by now.
        let events = try estate.entries().filter { $0["rid"] != nil && $0["rid"] != "id" }
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
        // A name that nobody has may be a password.
        #expect(entry("none", "authn_login_fail")?["user"] == nil)
        #expect(entry("none", "authn_login_fail")?["fingerprint"]?.count == 16)

        #expect(try house.stop() == .exited(0))
        let (ending, report, _) = try estate.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
    }

    @Test(
        "has one successor for a token, though a hundred ask for one at once, and after a restart")
    func refreshes() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
        let token = try house.login("alice").token
        let size = try #require(estate.folder.size("revocations.journal"))
        let clients = try (0..<100).map { _ in try house.client() }
        let began = Date()
        for (number, client) in clients.enumerated() {
            try client.send(.refresh(token, "r\(number)"))
        }
        let answers = try clients.map { try $0.response() }
        #expect(Set(answers.map(\.status)) == [200])
        let successors = Set(try answers.map { try $0.token })
        #expect(successors.count == 1)
        // One record of 44 bytes: it was spent once.
        #expect(estate.folder.size("revocations.journal") == size + 44)
        // The same exchange has one line a second, and what it stands for is counted.
        let lines = try estate.entries().filter { $0.event == "authn_token_refreshed" }
        let own = lines.filter { $0["suppressed"] == nil }
        // Each renewal in the millisecond of the exchange has its own line. Later repeats have one
        // line a second.
        #expect((1...99).contains(own.count))

        house.process.kill(SIGKILL)
        try house.process.wait()
        let next = try estate.house()
        #expect(try next.ask(.resource(successors.first!)).status == 200)
        // A machine may be so busy that the ten seconds are over; then asking again would be a replay.
        guard Date().timeIntervalSince(began) < 5 else { return }
        let again = try next.ask(.refresh(token))
        guard Date().timeIntervalSince(began) < 9 else { return }
        #expect(again.status == 200)
        #expect(successors.contains(try again.token))
        #expect(try next.ask(.resource(token)).status == 200)
    }

    // Ten seconds are long for a test, so that the clock is not waited for by default.
    @Test(
        "whose old token comes back after its grace has been stolen, and ends",
        .enabled(if: TestScale.isLong))
    func replay() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
        let old = try house.login("alice").token
        let new = try house.ask(.refresh(old)).token
        let isOver = try eventually { try house.ask(.resource(old)).status == 401 }
        #expect(isOver)
        #expect(try house.ask(.resource(new)).verdict == "401 Token revoked")
        #expect(try house.ask(.refresh(new)).verdict == "401 Token revoked")
        let reuse = try #require(
            try estate.entries().first { $0.event == "authn_token_reuse" })
        #expect(reuse.level == "CRITICAL")
        let sessions = try estate.administer(.get("/sessions?user=1"))
        #expect(sessions.content == #"{"user":1,"sessions":[]}"#)
    }

    @Test("that ends everywhere takes all tokens of its user along, and no one else's")
    func everywhere() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
        let alice = try (0..<3).map { _ in try house.login("alice").token }
        let bob = try house.login("bob").token
        #expect(try house.ask(.logout(alice[1], all: true)).status == 204)
        for token in alice {
            #expect(try house.ask(.resource(token)).verdict == "401 Token revoked")
        }
        #expect(try house.ask(.resource(bob)).status == 200)
        // At once, though the clock has perhaps not gone on.
        let again = try house.login("alice").token
        #expect(try house.ask(.resource(again)).status == 200)
        house.process.kill(SIGKILL)
        try house.process.wait()
        let next = try estate.house()
        for token in alice {
            #expect(try next.ask(.resource(token)).verdict == "401 Token revoked")
        }
        for token in [bob, again] { #expect(try next.ask(.resource(token)).status == 200) }
    }

    @Test("can go on with the old token, too, where refresh extends")
    func extend() throws {
        var plan = PasswordServerFixture.Options()
        plan.token += #","refresh":"extend""#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let first = try house.login("alice").token
        let tokens = try (0..<3).map { _ in try house.ask(.refresh(first)).token }
        #expect(Set(tokens + [first]).count == 4)
        let parts = try (tokens + [first]).map { try #require(TokenParts($0)) }
        #expect(Set(parts.map { $0.text("sid") }).count == 1)
        #expect(Set(parts.map { $0.number("sxp") }).count == 1)
        for token in tokens + [first] { #expect(try house.ask(.resource(token)).status == 200) }
        #expect(try house.ask(.logout(tokens[1])).status == 204)
        for token in tokens + [first] {
            #expect(try house.ask(.resource(token)).verdict == "401 Token revoked")
        }
    }

    @Test("is never renewed past its end")
    func end() throws {
        var plan = PasswordServerFixture.Options()
        plan.token = #""ttl":"1h","session":"1h""#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let first = try house.login("alice").token
        let second = try house.ask(.refresh(first)).token
        let (old, new) = (try #require(TokenParts(first)), try #require(TokenParts(second)))
        #expect(new.number("sxp") == old.number("sxp"))
        #expect(try #require(new.number("exp")) <= (try #require(old.number("sxp"))))
    }

    @Test("that begins with an old hash leaves a new one behind, and the next begins with that")
    func upgrade() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house(["LOGIN_ITERATIONS": "\(2 * PasswordServerFixture.iterations)"]
        )
        let token = try house.login("alice").token
        func costs() throws -> [Int?] {
            try UsersFile(estate.folder.path("users.json")).read().map(\.password?.iterations)
        }
        #expect(
            try costs() == [2 * PasswordServerFixture.iterations, PasswordServerFixture.iterations])
        #expect(try house.login("bob", "a wrong one").status == 401)
        #expect(
            try costs() == [2 * PasswordServerFixture.iterations, PasswordServerFixture.iterations])
        for _ in 0..<2 { #expect(try house.login("alice").status == 200) }
        #expect(try house.ask(.resource(token)).status == 200)
        #expect(try house.login("alice", "a wrong one").status == 401)
    }

    @Test("that somebody asks for while the server stops begins, and goes on at the next one")
    func stop() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house(["LOGIN_ITERATIONS": "\(5 * PasswordServerFixture.iterations)"]
        )
        // Its answer says that the others have been heard: they come on the same connection.
        let clients = try (0..<4).map { _ in try house.client() }
        for client in clients {
            try client.send(
                .get("/health/live")
                    + .login(named: "alice", PasswordServerFixture.password, "last"))
        }
        for client in clients { #expect(try client.response().status == 200) }
        #expect(try house.stop() == .exited(0))
        let tokens = try clients.map { try $0.response().token }
        #expect(try estate.events("authn_token_created").count { $0["rid"] == "last" } == 4)
        let last = try #require(try estate.entries().last)
        #expect(last.event == "sys_shutdown")
        #expect(last["clean"] == "true")
        let (ending, report, _) = try estate.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
        let next = try estate.house()
        for token in tokens { #expect(try next.ask(.resource(token)).status == 200) }
    }

    // MARK: Tokens from elsewhere

    /// A token that another program has made with the same key.
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

    @Test("is a foreign token itself, unless sessions are required", arguments: [false, true])
    func foreignTokens(isRequired: Bool) throws {
        var plan = PasswordServerFixture.Options()
        plan.token += #","issuer":null,"require_session":\#(isRequired)"#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let now = Int(Date().timeIntervalSince1970)
        let token = foreign(#"{"user_id":1,"iat":\#(now - 10),"exp":\#(now + 600)}"#)
        let own = try house.login("alice").token
        #expect(try house.ask(.resource(own)).status == 200)
        guard isRequired else {
            #expect(try house.ask(.resource(token)).status == 200)
            #expect(try house.ask(.logout(token)).status == 204)
            #expect(try house.ask(.resource(token)).verdict == "401 Token revoked")
            #expect(try house.ask(.resource(own)).status == 200)
            return
        }
        #expect(try house.ask(.resource(token, "foreign")).verdict == "401 Invalid token")
        #expect(try house.ask(.refresh(token)).verdict == "401 Invalid token")
        let entry = try #require(try estate.entries().first { $0["rid"] == "foreign" })
        #expect(entry["reason"] == "claims")
    }

    @Test(
        "goes on for the leeway after a token's end, and for not a second without one",
        arguments: [("0s", "401 Token expired"), ("60s", "200")])
    func leeway(leeway: String, verdict: String) throws {
        var plan = PasswordServerFixture.Options()
        plan.token += #","issuer":null,"leeway":"\#(leeway)""#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let now = Int(Date().timeIntervalSince1970)
        let token = foreign(#"{"user_id":1,"iat":\#(now - 100),"exp":\#(now)}"#)
        #expect(try house.ask(.resource(token)).verdict == verdict)
    }
}

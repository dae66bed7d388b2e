import Auth
import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct ReloadTests {
    /// Reloads through the administration socket, and returns when the reload is done.
    private func reload(_ fixture: PasswordServerFixture) throws -> (
        changed: [String], waiting: [String]
    ) {
        struct Content: Decodable { let changed, afterRestart: [String] }
        let answer = try fixture.administer(.post("/reload"))
        #expect(answer.status == 200, "\(answer.content)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let content = try decoder.decode(Content.self, from: Data(answer.content.utf8))
        return (content.changed, content.afterRestart)
    }

    private func keyID(_ token: String) throws -> String? { try #require(TokenParts(token)).keyID }

    @Test
    func `a reload changes keys without ending sessions, and a removed key invalidates its tokens`()
        throws
    {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let old = try server.login("alice").token
        #expect(try keyID(old) == "k1")

        options.keys = ["k2", "k1"]
        try fixture.configure(options)
        server.process.kill(SIGHUP)
        #expect(try fixture.waitForEvent("config_reload"))
        let new = try server.login("alice").token
        #expect(try keyID(new) == "k2")
        #expect(try server.ask(.resource(new)).status == 200)
        #expect(try server.ask(.resource(old)).status == 200)
        // A refresh issues a token of the same session under the new key.
        let renewed = try server.ask(.refresh(old)).token
        #expect(try keyID(renewed) == "k2")
        #expect(TokenParts(renewed)?.text("sid") == TokenParts(old)?.text("sid"))
        let other = try server.login("bob").token
        #expect(try fixture.run(["log", "verify"]).ending.isIntact)

        options.keys = ["k2"]
        try fixture.configure(options)
        let (changed, waiting) = try reload(fixture)
        #expect(changed.allSatisfy { $0.hasPrefix("token.keys") } && !changed.isEmpty)
        #expect(waiting == [])
        #expect(try server.ask(.resource(old, "gone")).verdict == "401 Invalid token")
        #expect(try server.ask(.refresh(old, "gone")).verdict == "401 Invalid token")
        for token in [new, renewed, other] {
            #expect(try server.ask(.resource(token)).status == 200)
        }
        let gone = try fixture.entries().filter { $0["rid"] == "gone" }
        #expect(gone.map { $0["reason"] } == ["unknown_kid", "unknown_kid"])
        #expect(try server.stop() == .exited(0))

        // The seal keys are derived from the token keys: both are needed to verify the log.
        options.keys = ["k2", "k1"]
        try fixture.configure(options)
        let (ending, report, _) = try fixture.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
        let log = try fixture.folder.log()
        for key in ["k1", "k2"] { #expect(!log.contains(PasswordServerFixture.secret(of: key))) }
    }

    @Test func `a reload applies disabled, removed and renamed users, and new passwords`() throws {
        let fixture = try PasswordServerFixture(users: ["alice", "bob", "carol", "dave"])
        let server = try fixture.startServer()
        let names = ["alice", "bob", "carol", "dave"]
        let tokens = try names.map { try server.login($0).token }
        let password = PasswordHash(
            of: Password("another horse")!, iterations: PasswordServerFixture.iterations)
        try fixture.changeUsers { users in
            users[0].isDisabled = true
            users[1] = User(
                id: users[1].id, username: "robert", name: "Robert", password: users[1].password)
            users[3].password = password
            users.remove(at: 2)
        }
        // Nothing changes before the reload.
        for token in tokens { #expect(try server.ask(.resource(token)).status == 200) }
        _ = try reload(fixture)
        for token in [tokens[0], tokens[2]] {
            #expect(try server.ask(.resource(token)).verdict == "404 User not found")
            #expect(try server.ask(.verify(token)).verdict == "404 User not found")
            #expect(try server.ask(.refresh(token)).verdict == "404 User not found")
        }
        #expect(
            try server.ask(.resource(tokens[1])).content == #"{"user":{"id":2,"name":"Robert"}}"#)
        #expect(try server.ask(.verify(tokens[1]))["X-Auth-User-Name"] == "Robert")
        #expect(try server.ask(.resource(tokens[3])).status == 200)
        for (name, password, status) in [
            ("alice", PasswordServerFixture.password, 401),
            ("carol", PasswordServerFixture.password, 401),
            ("bob", PasswordServerFixture.password, 401),
            ("robert", PasswordServerFixture.password, 200),
            ("dave", PasswordServerFixture.password, 401), ("dave", "another horse", 200),
        ] {
            #expect(try server.login(name, password).status == status, "\(name)")
        }
        let failure = try fixture.entries().first {
            $0.event == "authn_login_fail" && $0["user"] == "1"
        }
        #expect(failure?["reason"] == "disabled")
        try fixture.changeUsers { $0[0].isDisabled = false }
        _ = try reload(fixture)
        #expect(try server.ask(.resource(tokens[0])).status == 200)
    }

    @Test
    func `a reload of an invalid configuration changes nothing and reports every problem`() throws {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        let good = options
        let secret = "a secret in the wrong place, alas"
        options.keys = ["k2"]
        options.token = #""ttl":"10 apples","secret":"\#(secret)""#
        options.server = #""workers":2,"idle_timeout":true"#
        try fixture.configure(options)
        let answer = try fixture.administer(.post("/reload"))
        #expect(answer.status == 400)
        #expect(answer.errorMessage == "Invalid configuration")
        #expect(!answer.content.contains(secret))
        let paths = ["server.idle_timeout", "token.secret", "token.ttl"]
        for path in paths { #expect(answer.content.contains("\(path): "), "\(path)") }
        let failed = try fixture.entries().filter { $0.event == "config_reload_fail" }
        #expect(failed.compactMap { $0["key"] }.sorted() == paths)
        #expect(failed.allSatisfy { $0.level == "ERROR" && $0["reason"] != nil })
        #expect(try keyID(try server.login("alice").token) == "k1")
        #expect(try server.ask(.resource(token)).status == 200)

        // The same holds for valid settings with an invalid or missing file.
        let users = try fixture.folder.content("users.json")
        options = good
        options.keys = ["k2", "k1"]
        for (name, content) in [
            ("users.json", #"{"users":[{"id":0}]}"#), ("users.json", nil),
            ("gatehouse.json", "{"), ("gatehouse.json", nil), ("k2.key", "short"),
        ] {
            try fixture.folder.file("users.json", users)
            try fixture.configure(options)
            if let content {
                try fixture.folder.file(name, content)
            } else {
                try fixture.folder.remove(name)
            }
            let before = try fixture.entries().count { $0.event == "config_reload_fail" }
            server.process.kill(SIGHUP)
            #expect(try fixture.waitForEvent("config_reload_fail", count: before + 1), "\(name)")
            #expect(try keyID(try server.login("alice").token) == "k1")
            #expect(try server.ask(.resource(token)).status == 200)
        }
        #expect(try fixture.entries().allSatisfy { $0.event != "config_reload" })
        try fixture.folder.remove("k2.key")
        try fixture.configure(options)
        _ = try reload(fixture)
        #expect(try keyID(try server.login("alice").token) == "k2")
        #expect(!(try fixture.folder.log()).contains(secret))
    }

    @Test func `a reload reports settings that need a restart for as long as they differ`() throws {
        var options = PasswordServerFixture.Options()
        options.server = #""workers":2,"port":0"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer(port: nil)
        let started = options
        options.server = #""workers":1,"port":1,"host":"127.0.0.2","idle_timeout":"70s""#
        options.log += #","format":"json","durability":"synced","file":{"level":"DEBUG"}"#
        options.sections =
            #""admin":{"socket":"other.sock"},"state":{"revocations":"other.journal"}"#
        try fixture.configure(options)
        let waiting = [
            "admin.socket", "log.durability", "log.format", "server.host",
            "server.port", "server.workers", "state.revocations",
        ]
        for round in 0..<2 {
            let outcome = try reload(fixture)
            #expect(outcome.waiting == waiting)
            #expect(
                outcome.changed
                    == (round == 0 ? ["log.file.level", "server.idle_timeout"] : []))
        }
        let warnings = try fixture.entries().filter {
            $0.event == "config_warning" && $0["reason"] == "takes effect at the next start"
        }
        #expect(warnings.compactMap { $0["key"] } == waiting + waiting)
        #expect(try server.login("alice").status == 200)
        #expect(fixture.folder.size("other.sock") == nil)
        #expect(fixture.folder.size("other.journal") == nil)
        // With the original settings nothing needs a restart.
        try fixture.configure(started)
        let outcome = try reload(fixture)
        #expect(outcome.waiting == [])
        #expect(outcome.changed == ["log.file.level", "server.idle_timeout"])
        #expect(try server.stop() == .exited(0))
    }

    @Test
    func `a reload does not turn the demo into password mode, nor replace its random key`() throws {
        let folder = try TemporaryFolder()
        try folder.file("c.json", #"{"login":{"mode":"demo"},"log":{"file":{"path":"app.log"}}}"#)
        let server = try ServerProcess(in: folder, [:], ["--config", "c.json"])
        let token = try server.ask(.login(1)).token
        try folder.file("token.key", "a token key of thirty-two bytes!")
        try folder.file("users.json", #"{"users":[]}"#)
        try folder.file(
            "c.json",
            """
            {"login":{"mode":"password"},"log":{"file":{"path":"app.log"}},
             "token":{"ttl":"20m","keys":[{"id":"k","secret_file":"token.key"}]}}
            """)
        server.process.kill(SIGHUP)
        #expect(try eventually { try folder.log().contains("config_reload changed=token.ttl\n") })
        let log = try folder.log()
        for name in ["login.mode", "token.keys[0].id"] {
            #expect(
                log.contains(
                    "config_warning key=\(name) reason=\"takes effect at the next start\""))
        }
        #expect(try server.ask(.resource(token)).status == 200)
        let answer = try server.ask(.login(2))
        #expect(answer.status == 200)
        #expect(answer.content.contains(#""expires_in":1200"#))
    }

    @Test
    func `a reload applies to the administration socket, even if it is removed at the next start`()
        throws
    {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let old = try server.login("alice").token
        options.keys = ["k2"]
        options.sections = #""admin":{"socket":null}"#
        try fixture.configure(options)
        #expect(try reload(fixture).waiting == ["admin.socket"])
        let new = try server.login("alice").token
        for (token, isActive) in [(old, false), (new, true)] {
            let answer = try fixture.administer(.post("/introspect", #"{"token":"\#(token)"}"#))
            #expect(answer.content.hasPrefix(#"{"active":\#(isActive)"#))
        }
        #expect(try server.stop() == .exited(0))
        let next = try fixture.startServer()
        #expect(fixture.folder.size("admin.sock") == nil)
        #expect(try next.ask(.resource(new)).status == 200)
    }

    @Test func `a reload names the changed settings, but not their values`() throws {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        try fixture.folder.file("seal.key", "a key for seals alone, of 32 bytes and more")
        options.server += #","trusted_proxies":["127.0.0.0/8"]"#
        options.token = #""ttl":"11m","leeway":"1s""#
        options.login += #","lockout":"17m","max_attempts":2"#
        options.log += #","seal_secret_file":"seal.key","on_failure":"refuse""#
        // The key keeps its id, and gets another secret.
        try fixture.folder.file("k1.key", "yet another secret of 32 bytes and more")
        try fixture.configure(options)
        server.process.kill(SIGHUP)
        #expect(try fixture.waitForEvent("config_reload"))
        let entry = try #require(try fixture.entries().first { $0.event == "config_reload" })
        #expect(entry.level == "WARNING")
        let changed = entry["changed"]?.split(separator: ",").map(String.init)
        #expect(
            changed == [
                "log.on_failure", "log.seal_secret", "login.lockout", "login.max_attempts",
                "server.trusted_proxies", "token.keys[0]", "token.leeway", "token.ttl",
            ])
        let log = try fixture.folder.log()
        for secret in ["another secret", "seals alone", "17m", "1020"] {
            #expect(!log.contains(secret))
        }
        // The new settings are in effect, trusted proxies for new connections.
        for number in 1...3 {
            let answer = try server.ask(
                .login(named: "bob", "a wrong one", "id", "X-Forwarded-For: 192.0.2.1\r\n"))
            #expect(answer.status == (number < 3 ? 401 : 429))
        }
        let failures = try fixture.events("authn_login_fail")
        #expect(failures.map { $0["ip"] } == ["192.0.2.1", "192.0.2.1"])
        let answer = try server.login("alice")
        #expect(answer.content.contains(#""expires_in":660,"#))
    }

    @Test func `no request fails during reloads under load`() throws {
        var options = PasswordServerFixture.Options()
        options.login = #""mode":"demo""#
        let fixture = try PasswordServerFixture(options, users: [])
        let server = try fixture.startServer()
        let load = Load(server, clients: 4, name: "r")
        let rounds = TestScale.rounds(20, long: 100)
        for round in 0..<rounds {
            load.waitForMore(20)
            options.token = #""ttl":"\#(30 + round % 2)m""#
            options.keys = round.isMultiple(of: 2) ? ["k2", "k1"] : ["k1", "k2"]
            try fixture.configure(options)
            if round.isMultiple(of: 3) {
                server.process.kill(SIGHUP)
                #expect(try fixture.waitForEvent("config_reload", count: round + 1))
            } else {
                #expect(try !reload(fixture).changed.isEmpty)
            }
        }
        load.waitForMore(20)
        let answers = load.end()
        #expect(answers.statuses == [200])
        #expect(try server.stop() == .exited(0))
        #expect(answers.ids.isSubset(of: recordedIDs(in: try fixture.folder.log())))
        #expect(try fixture.events("config_reload").count == rounds)
        let (ending, report, _) = try fixture.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
    }

    @Test func `SIGUSR1 reopens the log without a reload`() throws {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        options.keys = ["k2"]
        try fixture.configure(options)
        try fixture.folder.move("app.log", to: "moved")
        server.process.kill(SIGUSR1)
        #expect(eventually { fixture.folder.size("app.log") ?? 0 > 0 })
        #expect(try keyID(try server.login("alice").token) == "k1")
        #expect(try server.stop() == .exited(0))
        let events = try fixture.entries().map(\.event)
        #expect(events.contains("log_reopen"))
        #expect(!events.contains("config_reload"))
    }

    @Test
    func `no password, token or key is in any file or output, even if everything is logged`() throws
    {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer([
            "LOG_LEVEL": "DEBUG", "LOG_FILE_LEVEL": "DEBUG", "LOG_STDERR_LEVEL": "DEBUG",
        ])
        let wrong = "a wrong password, but nearly hers"
        var tokens = [try server.login("alice").token, try server.login("alice").token]
        for _ in 0..<6 { _ = try server.login("alice", wrong) }
        for (name, password) in [
            (wrong, wrong), ("bob", wrong), (PasswordServerFixture.password, "x"),
        ] {
            _ = try server.login(name, password)
        }
        tokens.append(try server.ask(.refresh(tokens[0])).token)
        for token in tokens {
            for path in ["/resource", "/verify", "/nowhere", "/resource?access_token=\(token)"] {
                _ = try server.ask(.get(path, "id", "Authorization: Bearer \(token)\r\n"))
            }
            for body in [#"{"token":"\#(token)"}"#, token] {
                _ = try fixture.administer(.post("/introspect", body))
            }
            for body in [#"{"session":"\#(token)"}"#, #"{"token_id":"\#(token)"}"#] {
                _ = try fixture.administer(.post("/revoke", body))
            }
            _ = try fixture.administer(.get("/sessions?user=\(token)"))
            _ = try fixture.administer(.post("/log-level", #"{"area":"\#(token)"}"#, method: "PUT"))
        }
        _ = try fixture.administer(.post("/revoke", #"{"token":"\#(tokens[1])"}"#))
        options.keys = ["k2", "k1"]
        try fixture.configure(options)
        _ = try reload(fixture)
        options.token += #","secret":"\#(wrong)""#
        try fixture.configure(options)
        #expect(try fixture.administer(.post("/reload")).status == 400)
        _ = try server.ask(.logout(tokens[2]))
        #expect(try server.stop() == .exited(0))

        let said = server.process.standardError + server.process.standardOutput
        let names = fixture.folder.allNames.filter {
            !$0.hasSuffix(".key") && !["gatehouse.json", "users.json"].contains($0)
        }
        #expect(names.contains("revocations.journal"))
        let written = try names.map { try fixture.folder.content($0) }.joined()
        #expect(written.contains("http_request") && written.contains("config_reload_fail"))
        let secrets =
            ["eyJ", "correct horse", "nearly hers", "a secret of k"]
            + tokens.flatMap { $0.split(separator: ".").map { String($0.suffix(20)) } }
        for secret in secrets {
            #expect(!written.contains(secret), "\(secret)")
            #expect(!said.contains(secret), "\(secret)")
        }
    }
}

import Auth
import Foundation
import TestSupport
import Testing

@Suite("A reload", .blocking, .serialized)
struct ReloadTests {
    /// The administrator's way, which returns when it is done.
    private func reload(_ estate: PasswordServerFixture) throws -> (
        changed: [String], waiting: [String]
    ) {
        struct Content: Decodable { let changed, afterRestart: [String] }
        let answer = try estate.administer(.post("/reload"))
        #expect(answer.status == 200, "\(answer.content)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let content = try decoder.decode(Content.self, from: Data(answer.content.utf8))
        return (content.changed, content.afterRestart)
    }

    private func keyID(_ token: String) throws -> String? { try #require(TokenParts(token)).keyID }

    @Test("changes keys without logging anyone out, and with the old key its tokens go")
    func keys() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let old = try house.login("alice").token
        #expect(try keyID(old) == "k1")

        plan.keys = ["k2", "k1"]
        try estate.configure(plan)
        house.process.kill(SIGHUP)
        #expect(try estate.waitForEvent("config_reload"))
        let new = try house.login("alice").token
        #expect(try keyID(new) == "k2")
        #expect(try house.ask(.resource(new)).status == 200)
        #expect(try house.ask(.resource(old)).status == 200)
        // Who renews is on the new key, and stays in the session.
        let renewed = try house.ask(.refresh(old)).token
        #expect(try keyID(renewed) == "k2")
        #expect(TokenParts(renewed)?.text("sid") == TokenParts(old)?.text("sid"))
        let other = try house.login("bob").token
        #expect(try estate.run(["log", "verify"]).ending.isIntact)

        plan.keys = ["k2"]
        try estate.configure(plan)
        let (changed, waiting) = try reload(estate)
        #expect(changed.allSatisfy { $0.hasPrefix("token.keys") } && !changed.isEmpty)
        #expect(waiting == [])
        #expect(try house.ask(.resource(old, "gone")).verdict == "401 Invalid token")
        #expect(try house.ask(.refresh(old, "gone")).verdict == "401 Invalid token")
        for token in [new, renewed, other] {
            #expect(try house.ask(.resource(token)).status == 200)
        }
        let gone = try estate.entries().filter { $0["rid"] == "gone" }
        #expect(gone.map { $0["reason"] } == ["unknown_kid", "unknown_kid"])
        #expect(try house.stop() == .exited(0))

        // The log's seals come from the keys, too: with both of them all of it can be checked.
        plan.keys = ["k2", "k1"]
        try estate.configure(plan)
        let (ending, report, _) = try estate.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
        let log = try estate.folder.log()
        for key in ["k1", "k2"] { #expect(!log.contains(PasswordServerFixture.secret(of: key))) }
    }

    @Test("takes the users anew: the disabled, the removed, the renamed, and passwords")
    func users() throws {
        let estate = try PasswordServerFixture(users: ["alice", "bob", "carol", "dave"])
        let house = try estate.house()
        let names = ["alice", "bob", "carol", "dave"]
        let tokens = try names.map { try house.login($0).token }
        let password = PasswordHash(
            of: Password("another horse")!, iterations: PasswordServerFixture.iterations)
        try estate.changeUsers { users in
            users[0].isDisabled = true
            users[1] = User(
                id: users[1].id, username: "robert", name: "Robert", password: users[1].password)
            users[3].password = password
            users.remove(at: 2)
        }
        // Not before it is asked for.
        for token in tokens { #expect(try house.ask(.resource(token)).status == 200) }
        _ = try reload(estate)
        for token in [tokens[0], tokens[2]] {
            #expect(try house.ask(.resource(token)).verdict == "404 User not found")
            #expect(try house.ask(.verify(token)).verdict == "404 User not found")
            #expect(try house.ask(.refresh(token)).verdict == "404 User not found")
        }
        #expect(
            try house.ask(.resource(tokens[1])).content == #"{"user":{"id":2,"name":"Robert"}}"#)
        #expect(try house.ask(.verify(tokens[1]))["X-Auth-User-Name"] == "Robert")
        #expect(try house.ask(.resource(tokens[3])).status == 200)
        for (name, password, status) in [
            ("alice", PasswordServerFixture.password, 401),
            ("carol", PasswordServerFixture.password, 401),
            ("bob", PasswordServerFixture.password, 401),
            ("robert", PasswordServerFixture.password, 200),
            ("dave", PasswordServerFixture.password, 401), ("dave", "another horse", 200),
        ] {
            #expect(try house.login(name, password).status == status, "\(name)")
        }
        let failure = try estate.entries().first {
            $0.event == "authn_login_fail" && $0["user"] == "1"
        }
        #expect(failure?["reason"] == "disabled")
        try estate.changeUsers { $0[0].isDisabled = false }
        _ = try reload(estate)
        #expect(try house.ask(.resource(tokens[0])).status == 200)
    }

    @Test("of something that is wrong changes nothing, and says everything that is")
    func invalid() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let token = try house.login("alice").token
        let good = plan
        let secret = "a secret in the wrong place, alas"
        plan.keys = ["k2"]
        plan.token = #""ttl":"10 apples","secret":"\#(secret)""#
        plan.server = #""workers":2,"idle_timeout":true"#
        try estate.configure(plan)
        let answer = try estate.administer(.post("/reload"))
        #expect(answer.status == 400)
        #expect(answer.sentence == "Invalid configuration")
        #expect(!answer.content.contains(secret))
        let paths = ["server.idle_timeout", "token.secret", "token.ttl"]
        for path in paths { #expect(answer.content.contains("\(path): "), "\(path)") }
        let failed = try estate.entries().filter { $0.event == "config_reload_fail" }
        #expect(failed.compactMap { $0["key"] }.sorted() == paths)
        #expect(failed.allSatisfy { $0.level == "ERROR" && $0["reason"] != nil })
        #expect(try keyID(try house.login("alice").token) == "k1")
        #expect(try house.ask(.resource(token)).status == 200)

        // Good settings and bad users are no better, nor is a file that is not JSON, or not there.
        let users = try estate.folder.content("users.json")
        plan = good
        plan.keys = ["k2", "k1"]
        for (name, content) in [
            ("users.json", #"{"users":[{"id":0}]}"#), ("users.json", nil),
            ("gatehouse.json", "{"), ("gatehouse.json", nil), ("k2.key", "short"),
        ] {
            try estate.folder.file("users.json", users)
            try estate.configure(plan)
            if let content {
                try estate.folder.file(name, content)
            } else {
                try estate.folder.remove(name)
            }
            let before = try estate.entries().count { $0.event == "config_reload_fail" }
            house.process.kill(SIGHUP)
            #expect(try estate.waitForEvent("config_reload_fail", count: before + 1), "\(name)")
            #expect(try keyID(try house.login("alice").token) == "k1")
            #expect(try house.ask(.resource(token)).status == 200)
        }
        #expect(try estate.entries().allSatisfy { $0.event != "config_reload" })
        try estate.folder.remove("k2.key")
        try estate.configure(plan)
        _ = try reload(estate)
        #expect(try keyID(try house.login("alice").token) == "k2")
        #expect(!(try estate.folder.log()).contains(secret))
    }

    @Test("says what waits for a restart, as long as it does, and does not do it")
    func restart() throws {
        var plan = PasswordServerFixture.Options()
        plan.server = #""workers":2,"port":0"#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house(port: nil)
        let started = plan
        plan.server = #""workers":1,"port":1,"host":"127.0.0.2","idle_timeout":"70s""#
        plan.log += #","format":"json","durability":"synced","file":{"level":"DEBUG"}"#
        plan.more = #""admin":{"socket":"other.sock"},"state":{"revocations":"other.journal"}"#
        try estate.configure(plan)
        let waiting = [
            "admin.socket", "log.durability", "log.format", "server.host",
            "server.port", "server.workers", "state.revocations",
        ]
        for round in 0..<2 {
            let outcome = try reload(estate)
            #expect(outcome.waiting == waiting)
            #expect(
                outcome.changed
                    == (round == 0 ? ["log.file.level", "server.idle_timeout"] : []))
        }
        let warnings = try estate.entries().filter {
            $0.event == "config_warning" && $0["reason"] == "takes effect at the next start"
        }
        #expect(warnings.compactMap { $0["key"] } == waiting + waiting)
        #expect(try house.login("alice").status == 200)
        #expect(estate.folder.size("other.sock") == nil)
        #expect(estate.folder.size("other.journal") == nil)
        // Taken back, nothing waits any more.
        try estate.configure(started)
        let outcome = try reload(estate)
        #expect(outcome.waiting == [])
        #expect(outcome.changed == ["log.file.level", "server.idle_timeout"])
        #expect(try house.stop() == .exited(0))
    }

    @Test("does not turn a demo into more, nor a key for one run into one that lasts")
    func demo() throws {
        let folder = try TemporaryFolder()
        try folder.file("c.json", #"{"login":{"mode":"demo"},"log":{"file":{"path":"app.log"}}}"#)
        let house = try ServerProcess(in: folder, [:], ["--config", "c.json"])
        let token = try house.ask(.login(1)).token
        try folder.file("token.key", "a token key of thirty-two bytes!")
        try folder.file("users.json", #"{"users":[]}"#)
        try folder.file(
            "c.json",
            """
            {"login":{"mode":"password"},"log":{"file":{"path":"app.log"}},
             "token":{"ttl":"20m","keys":[{"id":"k","secret_file":"token.key"}]}}
            """)
        house.process.kill(SIGHUP)
        #expect(try eventually { try folder.log().contains("config_reload changed=token.ttl\n") })
        let log = try folder.log()
        for name in ["login.mode", "token.keys[0].id"] {
            #expect(
                log.contains(
                    "config_warning key=\(name) reason=\"takes effect at the next start\""))
        }
        #expect(try house.ask(.resource(token)).status == 200)
        let answer = try house.ask(.login(2))
        #expect(answer.status == 200)
        #expect(answer.content.contains(#""expires_in":1200"#))
    }

    @Test("reaches the administrator's socket, too, though it takes it away at the next start")
    func admin() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let old = try house.login("alice").token
        plan.keys = ["k2"]
        plan.more = #""admin":{"socket":null}"#
        try estate.configure(plan)
        #expect(try reload(estate).waiting == ["admin.socket"])
        let new = try house.login("alice").token
        for (token, isActive) in [(old, false), (new, true)] {
            let answer = try estate.administer(.post("/introspect", #"{"token":"\#(token)"}"#))
            #expect(answer.content.hasPrefix(#"{"active":\#(isActive)"#))
        }
        #expect(try house.stop() == .exited(0))
        let next = try estate.house()
        #expect(estate.folder.size("admin.sock") == nil)
        #expect(try next.ask(.resource(new)).status == 200)
    }

    @Test("names what has changed, and never says its value")
    func names() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        try estate.folder.file("seal.key", "a key for seals alone, of 32 bytes and more")
        plan.server += #","trusted_proxies":["127.0.0.0/8"]"#
        plan.token = #""ttl":"11m","leeway":"1s""#
        plan.login += #","lockout":"17m","max_attempts":2"#
        plan.log += #","seal_secret_file":"seal.key","on_failure":"refuse""#
        // The same key under the same name, with another secret.
        try estate.folder.file("k1.key", "yet another secret of 32 bytes and more")
        try estate.configure(plan)
        house.process.kill(SIGHUP)
        #expect(try estate.waitForEvent("config_reload"))
        let entry = try #require(try estate.entries().first { $0.event == "config_reload" })
        #expect(entry.level == "WARNING")
        let changed = entry["changed"]?.split(separator: ",").map(String.init)
        #expect(
            changed == [
                "log.on_failure", "log.seal_secret", "login.lockout", "login.max_attempts",
                "server.trusted_proxies", "token.keys[0]", "token.leeway", "token.ttl",
            ])
        let log = try estate.folder.log()
        for secret in ["another secret", "seals alone", "17m", "1020"] {
            #expect(!log.contains(secret))
        }
        // What was said counts; for the proxies on connections that are made from now on.
        for number in 1...3 {
            let answer = try house.ask(
                .login(named: "bob", "a wrong one", "id", "X-Forwarded-For: 192.0.2.1\r\n"))
            #expect(answer.status == (number < 3 ? 401 : 429))
        }
        let failures = try estate.events("authn_login_fail")
        #expect(failures.map { $0["ip"] } == ["192.0.2.1", "192.0.2.1"])
        let answer = try house.login("alice")
        #expect(answer.content.contains(#""expires_in":660,"#))
    }

    @Test("under load lets no request fail")
    func load() throws {
        var plan = PasswordServerFixture.Options()
        plan.login = #""mode":"demo""#
        let estate = try PasswordServerFixture(plan, users: [])
        let house = try estate.house()
        let load = Load(house, clients: 4, name: "r")
        let rounds = TestScale.rounds(20, long: 100)
        for round in 0..<rounds {
            load.waitForMore(20)
            plan.token = #""ttl":"\#(30 + round % 2)m""#
            plan.keys = round.isMultiple(of: 2) ? ["k2", "k1"] : ["k1", "k2"]
            try estate.configure(plan)
            if round.isMultiple(of: 3) {
                house.process.kill(SIGHUP)
                #expect(try estate.waitForEvent("config_reload", count: round + 1))
            } else {
                #expect(try !reload(estate).changed.isEmpty)
            }
        }
        load.waitForMore(20)
        let answers = load.end()
        #expect(answers.statuses == [200])
        #expect(try house.stop() == .exited(0))
        #expect(answers.ids.isSubset(of: recordedIDs(in: try estate.folder.log())))
        #expect(try estate.events("config_reload").count == rounds)
        let (ending, report, _) = try estate.run(["log", "verify"])
        #expect(ending == .exited(0), "\(report)")
    }

    @Test("is not what SIGUSR1 asks for, which opens the log again and no more")
    func reopen() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        plan.keys = ["k2"]
        try estate.configure(plan)
        try estate.folder.move("app.log", to: "moved")
        house.process.kill(SIGUSR1)
        #expect(eventually { estate.folder.size("app.log") ?? 0 > 0 })
        #expect(try keyID(try house.login("alice").token) == "k1")
        #expect(try house.stop() == .exited(0))
        let events = try estate.entries().map(\.event)
        #expect(events.contains("log_reopen"))
        #expect(!events.contains("config_reload"))
    }

    @Test("leaves nobody's password, token or key anywhere, however much is logged")
    func secrecy() throws {
        var plan = PasswordServerFixture.Options()
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house([
            "LOG_LEVEL": "DEBUG", "LOG_FILE_LEVEL": "DEBUG", "LOG_STDERR_LEVEL": "DEBUG",
        ])
        let wrong = "a wrong password, but nearly hers"
        var tokens = [try house.login("alice").token, try house.login("alice").token]
        for _ in 0..<6 { _ = try house.login("alice", wrong) }
        for (name, password) in [
            (wrong, wrong), ("bob", wrong), (PasswordServerFixture.password, "x"),
        ] {
            _ = try house.login(name, password)
        }
        tokens.append(try house.ask(.refresh(tokens[0])).token)
        for token in tokens {
            for path in ["/resource", "/verify", "/nowhere", "/resource?access_token=\(token)"] {
                _ = try house.ask(.get(path, "id", "Authorization: Bearer \(token)\r\n"))
            }
            for body in [#"{"token":"\#(token)"}"#, token] {
                _ = try estate.administer(.post("/introspect", body))
            }
            for body in [#"{"session":"\#(token)"}"#, #"{"token_id":"\#(token)"}"#] {
                _ = try estate.administer(.post("/revoke", body))
            }
            _ = try estate.administer(.get("/sessions?user=\(token)"))
            _ = try estate.administer(.post("/log-level", #"{"area":"\#(token)"}"#, method: "PUT"))
        }
        _ = try estate.administer(.post("/revoke", #"{"token":"\#(tokens[1])"}"#))
        plan.keys = ["k2", "k1"]
        try estate.configure(plan)
        _ = try reload(estate)
        plan.token += #","secret":"\#(wrong)""#
        try estate.configure(plan)
        #expect(try estate.administer(.post("/reload")).status == 400)
        _ = try house.ask(.logout(tokens[2]))
        #expect(try house.stop() == .exited(0))

        let said = house.process.standardError + house.process.standardOutput
        let names = estate.folder.allNames.filter {
            !$0.hasSuffix(".key") && !["gatehouse.json", "users.json"].contains($0)
        }
        #expect(names.contains("revocations.journal"))
        let written = try names.map { try estate.folder.content($0) }.joined()
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

import Foundation
import POSIX
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct ThrottleTests {
    private func forwarded(_ address: String) -> String { "X-Forwarded-For: \(address)\r\n" }

    @Test func `a few failures lock the account, and the log has each client's address`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        options.login += #","max_attempts":3"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        for number in 1...3 {
            let answer = try server.ask(
                .login(named: "alice", "a wrong one", "g\(number)", forwarded("192.0.2.\(number)")))
            #expect(answer.verdict == "401 Invalid credentials")
        }
        // By the id of the same user the answer is that for any id, even with the right password.
        for id in [1, 77] {
            let answer = try server.ask(.login(withID: id, PasswordServerFixture.password))
            #expect(answer.verdict == "401 Invalid credentials")
        }
        // By the locked name, every password is refused, from every address.
        for request in [
            String.login(
                named: "alice", PasswordServerFixture.password, "locked", forwarded("192.0.2.9")),
            .login(named: "alice", "a wrong one"),
        ] {
            let answer = try server.ask(request)
            #expect(answer.verdict == "429 Too many attempts")
            let wait = try #require(Int(answer["Retry-After"] ?? ""))
            #expect((1...900).contains(wait))
        }
        for number in 1...4 {
            let answer = try server.ask(.login(named: "nobody", "a wrong one"))
            #expect(answer.status == (number < 4 ? 401 : 429))
        }
        #expect(try server.ask(.resource(token)).status == 200)
        #expect(try server.login("bob").status == 200)
        // Locks survive a reload, but not a restart.
        server.process.kill(SIGHUP)
        #expect(try fixture.waitForEvent("config_reload"))
        #expect(try server.login("alice").status == 429)
        #expect(try server.stop() == .exited(0))
        let next = try fixture.startServer()
        #expect(try next.login("alice").status == 200)

        let entries = try fixture.entries()
        let guesses = entries.filter { $0.event == "authn_login_fail" && $0["user"] == "1" }
        #expect(guesses.map { $0["ip"] } == ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        #expect(guesses.map { $0["attempts"] } == ["1", "2", "3"])
        let lock = try #require(entries.first { $0.event == "authn_login_lock" })
        #expect(lock["user"] == "1")
        #expect(lock["reason"] == "account")
        #expect(lock["attempts"] == "3")
        #expect(lock["rid"] == "g3")
        let refusal = try #require(entries.first { $0["rid"] == "locked" })
        #expect(refusal["ip"] == "192.0.2.9")
        #expect(refusal["until"] == lock["until"])
    }

    @Test func `an operator can list and end locks`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        func command(_ arguments: String...) throws -> String {
            let (ending, output, errors) = try fixture.run(arguments)
            #expect(ending == .exited(0), "\(errors)")
            return output
        }
        func lock(_ name: String) throws {
            for number in 1...5 {
                let field = forwarded("192.0.2.\(number)")
                let request = String.login(named: name, "a wrong one", "g", field)
                #expect(try server.ask(request).status == 401)
            }
        }
        #expect(try command("locks") == "nothing is locked\n")
        try lock("alice")
        try lock("mallory")
        let table = try command("locks")
        #expect(table.contains("name     alice (id 1)"))
        #expect(table.contains("account  alice (id 1)"))
        #expect(table.contains("unknown  "))
        #expect(!table.contains("mallory"))
        #expect(try command("locks", "--json").hasPrefix(#"{"locks":[{"kind":"#))
        #expect(
            try command("unlock", "--username", "mallory")
                == "mallory: 1 lock has ended; failed logins are no longer counted\n")
        #expect(try server.login("alice").status == 429)
        #expect(try command("unlock", "--user", "1").hasPrefix("user 1: 2 locks have ended"))
        #expect(try server.login("alice").status == 200)
        #expect(try command("unlock", "--address", "192.0.2.1").contains("nothing was locked"))
        #expect(try command("unlock", "--all").contains("nothing was locked"))
        for arguments in [
            ["unlock"], ["unlock", "--address", "alice"], ["unlock", "--all", "--user", "1"],
            ["locks", "alice"],
        ] {
            #expect(try fixture.run(arguments).ending == .exited(64))
        }
        let unlocks = try fixture.events("authn_unlock")
        #expect(unlocks.map { $0["locks"] } == ["1", "2", "0", "0"])
        #expect(unlocks.allSatisfy { $0["by"] == "admin" })
        // A new password ends the lock that failures with the old one caused.
        try lock("alice")
        let (ending, _, errors) = try fixture.run(
            ["user", "set-password", "--username", "alice"], typing: "another staple horse\n")
        #expect(ending == .exited(0), "\(errors)")
        #expect(try server.login("alice", "another staple horse").status == 200)
        #expect(try fixture.events("authn_unlock").last?["by"] == "set-password")
    }

    @Test func `IPv6 clients are limited by network, with either forwarding header`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        options.login += #","max_attempts":1"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        for number in 0..<12 {
            let address = "2001:db8:0:1::\(number + 1)"
            let field =
                number.isMultiple(of: 2)
                ? forwarded(address) : "Forwarded: for=\"[\(address)]\"\r\n"
            let answer = try server.ask(.login(named: "u\(number)", "a wrong one", "n", field))
            #expect(answer.status == (number < 10 ? 401 : 429))
        }
        let otherNetwork = String.login(
            named: "alice", PasswordServerFixture.password, "id", forwarded("2001:db8:0:2::1"))
        #expect(try server.ask(otherNetwork).status == 200)
        #expect(
            try fixture.events("authn_login_lock").contains {
                $0["reason"] == "address" && $0["ip"] == "2001:db8:0:1::10"
            })
    }

    @Test func `the address in the PROXY header counts, whatever the header fields say`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"],"proxy_protocol":true"#
        options.login += #","max_attempts":1"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        func header(_ address: String) -> String { "PROXY TCP4 \(address) 192.0.2.99 1 443\r\n" }
        // An address may fail ten times as often as an account.
        for number in 0..<12 {
            let fields =
                forwarded("198.51.100.\(number)") + "Forwarded: for=198.51.100.\(number)\r\n"
            let answer = try server.ask(
                header("192.0.2.1") + .login(named: "u\(number)", "a wrong one", "s", fields))
            #expect(answer.status == (number < 10 ? 401 : 429))
        }
        #expect(
            try server.ask(header("192.0.2.2") + .login(named: "alice")).status == 200)
        #expect(try server.ask(.login(named: "alice")).status == 400)
        let entries = try fixture.entries().filter { $0["rid"] == "s" }
        #expect(entries.allSatisfy { $0["ip"] == "192.0.2.1" })
        #expect(entries.contains { $0.event == "authn_login_lock" && $0["reason"] == "address" })
        #expect(
            try fixture.events("http_refused").map { "\($0["reason"] ?? "") \($0["ip"] ?? "")" }
                == ["no_proxy_header 127.0.0.1"])
    }

    @Test
    func `without a trusted proxy the peer's address counts, whatever the fields say`() throws {
        var options = PasswordServerFixture.Options()
        options.login += #","max_attempts":1"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        // An address may fail ten times as often as an account.
        for number in 0..<12 {
            let answer = try server.ask(
                .login(named: "u\(number)", "a wrong one", "s", forwarded("192.0.2.\(number)")))
            #expect(answer.status == (number < 10 ? 401 : 429))
        }
        let entries = try fixture.entries().filter { $0["rid"] == "s" }
        #expect(entries.allSatisfy { $0["ip"] == "127.0.0.1" })
        #expect(entries.contains { $0.event == "authn_login_lock" && $0["reason"] == "address" })
    }

    @Test
    func `guesses from a thousand addresses use no memory and lock no other user out`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let addresses = TestScale.rounds(200, long: 1000)
        let failures = Monitor([String]())
        @Sendable func guess(_ round: Int) {
            let names = ["bob", "root", "admin", "r\(round)"]
            inThreads(2) { thread in
                do {
                    let client = try server.client()
                    for number in stride(from: thread, to: addresses, by: 2) {
                        let address = "10.\(round).\(number / 250).\(number % 250 + 1)"
                        try client.send(
                            .login(
                                named: names[number % names.count], "a wrong one", "g",
                                "X-Forwarded-For: \(address)\r\n"))
                        let status = try client.response().status
                        guard [401, 429].contains(status) else {
                            failures.withLock { $0.append("\(status)") }
                            continue
                        }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        guess(0)
        let before = try memory(of: server)
        for round in 1...TestScale.rounds(3, long: 10) {
            let attack = TestThread { guess(round) }
            // Another user from another address logs in meanwhile.
            for _ in 0..<5 {
                let answer = try server.ask(
                    .login(
                        named: "alice", PasswordServerFixture.password, "good",
                        forwarded("203.0.113.7")))
                #expect(answer.status == 200)
            }
            attack.join()
        }
        let after = try memory(of: server)
        #expect(failures.withLock { $0 } == [])
        // The tables have a fixed size; memory of the threads grows a little.
        #expect(
            TestScale.isSanitized || after - before < 8 * 1024, "\(before) kB, then \(after) kB")
        let good = try fixture.entries().filter { $0["rid"] == "good" }
        #expect(good.allSatisfy { $0["ip"] == "203.0.113.7" })
        #expect(
            good.count { $0.event == "authn_login_success" } == 5 * TestScale.rounds(3, long: 10))
    }

    @Test(.tags(.timing))
    func `a client with a recent login is served while new addresses flood the queue`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer(["LOGIN_ITERATIONS": "\(slowIterations)"])
        let good = String.login(
            named: "alice", PasswordServerFixture.password, "good", forwarded("203.0.113.7"))
        #expect(try server.ask(good).status == 200)

        let (isOver, guesses) = (Monitor(false), Monitor((refused: 0, failed: 0)))
        let isFull = DispatchSemaphore(value: 0)
        let flood = TestThread {
            // Release the test if this thread ends early.
            defer { isFull.signal() }
            // More than twice the capacity of the queue.
            guard let clients = try? (0..<150).map({ _ in try server.client() }) else { return }
            for number in 0... {
                if isOver.withLock({ $0 }) { return }
                let client = clients[number % clients.count]
                if number >= clients.count {
                    guard let status = try? client.response().status else { return }
                    if status == 503 { isFull.signal() }
                    guesses.withLock {
                        if status == 503 { $0.refused += 1 }
                        if status == 401 { $0.failed += 1 }
                    }
                }
                let address = "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"
                let guess = String.login(
                    named: "n\(number)", "a wrong one", "g", "X-Forwarded-For: \(address)\r\n")
                guard (try? client.send(guess)) != nil else { return }
            }
        }
        isFull.wait()
        let answers = try (0..<10).map { _ in try server.ask(good).status }
        isOver.withLock { $0 = true }
        flood.join()
        #expect(answers == Array(repeating: 200, count: 10))
        let (refused, failed) = guesses.withLock { $0 }
        #expect(refused > 0, "the queue was full")
        #expect(failed > 0, "guesses were checked")
    }

    /// Resident memory in KiB.
    private func memory(of server: ServerProcess) throws -> Int {
        let status = try String(
            contentsOfFile: "/proc/\(server.process.processID)/status", encoding: .utf8)
        return Int(try #require(status.firstMatch(of: #/VmRSS:\s+(\d+) kB/#)).1)!
    }

    @Test(.tags(.timing))
    func `a login gets 503 while the queue is full, and other requests are served`() throws {
        var options = PasswordServerFixture.Options()
        // From an address each, so that each failure gets a line.
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        options.login += #","max_attempts":1000"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer(["LOGIN_ITERATIONS": "\(slowIterations)"])
        let token = try server.login("bob").token
        // Send all requests before many of them have been hashed.
        let capacity = ProcessInfo.processInfo.activeProcessorCount + 64
        let clients = try (0..<(2 * capacity)).map { _ in try server.client() }
        for (number, client) in clients.enumerated() {
            try client.send(
                .login(
                    named: "alice", "a wrong one", "b\(number)",
                    forwarded("10.0.\(number / 250).\(number % 250)")))
        }
        // Some requests wait, while others are served.
        let asked = try (0..<20).map { _ in try server.ask(.resource(token)).status }
        #expect(asked.allSatisfy { $0 == 200 })
        let isWaiting = clients.contains { !$0.hasReceived() }
        #expect(isWaiting)
        let answers = try clients.map { try $0.response() }
        let refused = answers.filter { $0.status == 503 }
        #expect(!refused.isEmpty)
        for answer in refused {
            #expect(answer.verdict == "503 Busy")
            #expect(Int(answer["Retry-After"] ?? "") ?? 0 >= 1)
        }
        let tried = answers.filter { $0.status == 401 }
        #expect(tried.count >= 65)
        #expect(tried.count + refused.count == answers.count)

        // A rejected request does not count as a failure.
        let failures = try fixture.entries().filter { $0.event == "authn_login_fail" }
        let ids = Set(refused.compactMap { $0["X-Request-Id"] })
        #expect(ids.count == refused.count)
        #expect(ids.isDisjoint(with: failures.compactMap { $0["rid"] }))
        #expect(failures.count == tried.count)
        #expect(failures.compactMap { $0["attempts"].flatMap { Int($0) } }.max() == tried.count)
        #expect(try server.login("alice").status == 200)
        let busy = try fixture.entries().filter { $0["reason"] == "busy" }
        #expect(!busy.isEmpty)
        #expect(busy.allSatisfy { $0.event == "http_refused" })
    }

    /// Enough for a queue to form, in debug and in release builds.
    private var slowIterations: Int {
        if TestScale.isSanitized { return 1000 }
        return Self.isDebug ? 3000 : 50_000
    }
    #if DEBUG
        private static let isDebug = true
    #else
        private static let isDebug = false
    #endif
}

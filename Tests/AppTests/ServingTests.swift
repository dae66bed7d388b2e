import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct ServingTests {
    private let folder = try! TemporaryFolder()

    @Test func `the server prints its address and serves there`() throws {
        let server = try ServerProcess(in: folder)
        #expect(
            server.process.standardError.contains(
                "gatehouse: listening on http://127.0.0.1:\(server.port)\n"))
        #expect(try server.ask(.get("/health/live")).content == "{\"status\":\"ok\"}")
        #expect(try server.ask(.get("/health/ready")).content == "{\"status\":\"ok\"}")
        #expect(try server.stop() == .exited(0))
    }

    @Test func `the default log is in the folder logs of the working directory`() throws {
        let server = try ServerProcess(in: folder, ["LOG_FILE_PATH": "logs/app.log"])
        #expect(try server.stop() == .exited(0))
        #expect(try folder.content("logs/app.log").contains(" | sys_startup "))
    }

    @Test func `every event is logged in order before its response is sent`() throws {
        let server = try ServerProcess(in: folder)
        let client = try server.client()
        try client.send(.login(1, "login-1"))
        let login = try client.response()
        #expect(login.status == 200)
        #expect(login["Pragma"] == "no-cache")
        let token = try login.token
        try client.send(.resource(token, "resource-1"))
        let resource = try client.response()
        #expect(resource.status == 200)
        #expect(resource.content == "{\"user\":{\"id\":1,\"name\":\"Alice\"}}")
        try client.send(.resource(token + "x", "bad-1"))
        let bad = try client.response()
        #expect(bad.status == 401)
        #expect(bad.content == "{\"error\":\"Invalid token\"}")
        #expect(
            bad["WWW-Authenticate"]
                == #"Bearer realm="gatehouse", error="invalid_token", "#
                + #"error_description="The token is invalid""#)
        try client.send(.get("/resource", "none-1"))
        let none = try client.response()
        #expect(none.content == "{\"error\":\"Unauthorized\"}")
        #expect(none["WWW-Authenticate"] == #"Bearer realm="gatehouse""#)
        try client.send(.login(0, "fail-1"))
        #expect(try client.response().content == "{\"error\":\"Invalid user_id\"}")
        try client.send("GET\r\n\r\n")
        let refused = try client.response()
        #expect(refused.status == 400)
        client.close()

        // Every event of a response is in the file, although the server is still running.
        let written = try folder.content("app.log")
        let entries = try LogEntry.all(in: written).map { try #require($0) }
        #expect(
            entries.map { "\($0.level) \($0.area) \($0.event) \($0["reason"] ?? "-")" } == [
                "INFO log log_open -",
                "WARNING config config_warning none configured: this run uses a random key, "
                    + "and a restart invalidates its tokens",
                "WARNING config config_warning demo: anyone who can connect can log in as anyone",
                "INFO app sys_startup -",
                "INFO security authn_login_success -",
                "INFO security authn_token_created -",
                "INFO security authn_token_verified -",
                "WARNING security authn_token_rejected bad_signature",
                "WARNING security authn_token_rejected missing",
                "WARNING security authn_login_fail invalid_user_id",
                "WARNING http http_refused bad_request_line",
            ])
        #expect(
            entries.dropFirst(4).map { $0["rid"] } == [
                "login-1", "login-1", "resource-1", "bad-1", "none-1", "fail-1",
                refused["X-Request-Id"],
            ])
        #expect(entries.dropFirst(4).allSatisfy { $0["ip"] == "127.0.0.1" })
        let (created, verified) = (entries[5], entries[6])
        for name in ["user", "jti", "sid", "exp", "kid"] {
            #expect(created[name] != nil && created[name] == verified[name], "\(name)")
        }
        #expect(created["user"] == "1")
        #expect(created["jti"]?.count == 22)
        #expect(entries[7]["fingerprint"]?.count == 16)
        #expect(entries[3]["pid"] == "\(server.process.processID)")
        #expect(entries[3]["url"] == "http://127.0.0.1:\(server.port)")
        #expect(entries.map(\.time) == entries.map(\.time).sorted())
        #expect(!written.contains(token))
        #expect(!written.contains(token.split(separator: ".").last!))

        #expect(try server.stop() == .exited(0))
        let last = try #require(LogEntry.all(in: folder.content("app.log")).last!)
        #expect(last.event == "sys_shutdown")
        #expect(last["clean"] == "true")
    }

    @Test func `every response has the common header fields`() throws {
        let server = try ServerProcess(in: folder)
        let requests: [(String, Int, String?)] = [
            (.login(2), 200, nil), (.login(-2), 400, nil), (.resource("x.y.z"), 401, nil),
            (.get("/resource"), 401, nil), (.get("/nowhere"), 404, nil),
            (.get("/login"), 405, "OPTIONS, POST"), (.get("/health/live"), 200, nil),
            ("DELETE /resource HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "GET, HEAD, OPTIONS"),
            ("OPTIONS /login HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, "OPTIONS, POST"),
            ("HEAD /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, nil),
            ("HEAD /resource HTTP/1.1\r\nHost: localhost\r\n\r\n", 401, nil),
            ("POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n", 411, nil),
            ("nonsense\r\n\r\n", 400, nil),
        ]
        for (request, status, allow) in requests {
            let response = try server.ask(request)
            #expect(response.status == status, "\(request)")
            #expect(response["Allow"] == allow, "\(request)")
            #expect(response["X-Content-Type-Options"] == "nosniff")
            #expect(response["Cache-Control"] == "no-store")
            #expect(response["X-Request-Id"]?.isEmpty == false)
            let date = try #require(response["Date"])
            let format = DateFormatter()
            format.locale = Locale(identifier: "en_US_POSIX")
            format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
            let moment = try #require(format.date(from: date))
            #expect(abs(moment.timeIntervalSinceNow) < 60)
            if status >= 400, !request.hasPrefix("HEAD") {
                #expect(response.content.wholeMatch(of: #/\{"error":"[^"]+"\}/#) != nil)
                #expect(response["Content-Type"] == "application/json")
            }
        }
    }

    @Test func `tokens stay valid across a restart with a configured key`() throws {
        try folder.file("token.key", "0123456789abcdef0123456789ABCDEF\n")
        try folder.file(
            "gatehouse.json",
            #"{"login":{"mode":"demo"},"token":{"keys":[{"id":"k","secret_file":"token.key"}]}}"#)
        let first = try ServerProcess(in: folder, [:], ["--config", "gatehouse.json"])
        let token = try first.ask(.login(2)).token
        try first.stop()
        let second = try ServerProcess(in: folder, [:], ["serve", "--config", "gatehouse.json"])
        #expect(
            try second.ask(.resource(token)).content == "{\"user\":{\"id\":2,\"name\":\"Bob\"}}")
    }

    @Test func `each request is logged if the http area is at DEBUG`() throws {
        let server = try ServerProcess(
            in: folder, ["LOG_AREAS_HTTP": "DEBUG", "LOG_FILE_LEVEL": "DEBUG"])
        _ = try server.ask(.get("/nowhere", "r1"))
        let lines = LogEntry.all(in: try folder.content("app.log"))
        let request = try #require(lines.compactMap { $0 }.first { $0.event == "http_request" })
        #expect(request["method"] == "GET")
        #expect(request["path"] == "/nowhere")
        #expect(request["status"] == "404")
        #expect(request["rid"] == "r1")
    }

    @Test func `without free descriptors new connections wait and are served later`() throws {
        // One worker accepts connections in their order.
        let server = try ServerProcess(in: folder, ["SERVER_WORKERS": "1"], descriptorLimit: 48)
        // More than there are descriptors for: the last ones wait in the kernel's queue.
        let clients = try (0..<64).map { _ in try server.client() }
        // An unfinished request keeps each accepted connection from being evicted as idle.
        for client in clients { try client.send(.get("/health/live") + "GET /health/l") }
        _ = try server.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        // Accepted connections are served.
        #expect(try clients[0].response().status == 200)
        try clients[0].send("ive HTTP/1.1\r\nHost: localhost\r\n\r\nGET")
        #expect(try clients[0].response().status == 200)
        #expect(!clients[63].hasReceived())

        for client in clients.prefix(40) { client.close() }
        for client in clients.suffix(24) { #expect(try client.response().status == 200) }
        #expect(try folder.content("app.log").contains("http_refused reason=accept_failed"))
    }

    @Test func `without free descriptors idle connections of any worker are evicted`() throws {
        let server = try ServerProcess(in: folder, ["SERVER_WORKERS": "3"], descriptorLimit: 64)
        var clients: [Client] = []
        for _ in 0..<150 {
            clients.append(try server.client())
            try clients.last?.send(.get("/health/live"))
            #expect(try clients.last?.response().status == 200)
        }
        _ = try server.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        #expect(try clients[0].readToEnd() == "")
    }

    @Test
    func `waiting clients are served although others leave their requests unfinished`() throws {
        let server = try ServerProcess(
            in: folder, ["SERVER_WORKERS": "2", "SERVER_HEADER_TIMEOUT": "10m"],
            descriptorLimit: 64)
        // No client closes its connection.
        for client in try crowd(server) { #expect(try client.response().status == 200) }
    }

    /// More clients than there are descriptors for. None is idle, so none can be evicted
    /// immediately.
    private func crowd(_ server: ServerProcess) throws -> [Client] {
        let clients = try (0..<100).map { _ in try server.client() }
        for client in clients { try client.send(.get("/health/live") + "GET /health/l") }
        _ = try server.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        return clients
    }

    /// Calls `body` for each client once it has received something, and closes it then.
    private func each(of clients: [Client], do body: (Client) throws -> Void) throws {
        var waiting = clients
        while !waiting.isEmpty {
            let isServed = eventually { waiting.contains { $0.hasReceived() } }
            try #require(isServed, "\(waiting.count) clients received no response")
            for client in waiting where client.hasReceived() {
                try body(client)
                client.close()
            }
            waiting.removeAll { !$0.isOpen }
        }
    }

    @Test func `without free descriptors each client is served in turn by any worker`() throws {
        let server = try ServerProcess(
            in: folder, ["SERVER_WORKERS": "2", "SERVER_HEADER_TIMEOUT": "10m"],
            descriptorLimit: 64)
        try each(of: try crowd(server)) { client in
            let answer = try client.response()
            #expect(answer.status == 200)
        }
        #expect(try server.ask(.get("/health/live")).status == 200)
    }

    @Test(arguments: [1, 2])
    func `a stop without free descriptors still serves the waiting clients`(workers: Int) throws {
        let server = try ServerProcess(
            in: folder,
            [
                "SERVER_WORKERS": "\(workers)", "SERVER_DRAIN_TIMEOUT": "10m",
                "SERVER_HEADER_TIMEOUT": "10m",
                // Unfinished requests of a trusted proxy are not evicted.
                "SERVER_TRUSTED_PROXIES": "[\"127.0.0.1\"]",
            ], descriptorLimit: 64)
        var clients = try crowd(server)
        #expect(eventually { clients.contains { $0.hasReceived() } })
        let first = clients.remove(at: try #require(clients.firstIndex { $0.hasReceived() }))
        _ = try first.response()
        let rest = "ive HTTP/1.1\r\nHost: localhost\r\n\r\n"
        server.process.kill(SIGTERM)
        // It sends requests until a response says that the server stops.
        repeat {
            try first.send(rest + "GET /health/l")
        } while try first.response()["Connection"] != "close"
        first.close()
        for client in clients { try client.send(rest) }
        try each(of: clients) { client in
            let answers = ServerResponse.all(in: try client.readToEnd())
            #expect(answers.map(\.status).allSatisfy { $0 == 200 })
            // Other workers may learn of the stop later than the first client's.
            if workers == 1 { #expect(answers.last?["Connection"] == "close") }
        }
        #expect(try server.process.wait() == .exited(0))
    }

    #if !DEBUG
        @Test
        func `the process needs less than 25 MiB after thousands of requests of all kinds`() throws
        {
            let server = try ServerProcess(in: folder)
            let token = try server.ask(.login(1)).token
            for _ in 0..<50 {
                let client = try server.client()
                let requests =
                    (0..<100).map { .login($0) }.joined() + String.resource(token)
                    + .resource(token + "x") + .get("/nowhere") + .get("/resource")
                try client.send(String(repeating: requests, count: 2) + "nonsense\r\n\r\n")
                client.endSending()
                _ = try client.untilEnd()
            }
            let status = try String(
                contentsOfFile: "/proc/\(server.process.processID)/status", encoding: .utf8)
            let resident = try #require(status.firstMatch(of: #/VmRSS:\s+(\d+) kB/#))
            #expect(Int(resident.1)! < 25 * 1024)
        }
    #endif
}

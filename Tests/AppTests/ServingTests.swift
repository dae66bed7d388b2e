import Foundation
import TestSupport
import Testing

@Suite("Gatehouse without a configuration", .blocking, .serialized)
struct ServingTests {
    private let folder = try! TemporaryFolder()

    @Test("says where it listens, and answers there")
    func readyLine() throws {
        let house = try ServerProcess(in: folder)
        #expect(
            house.process.standardError.contains(
                "gatehouse: listening on http://127.0.0.1:\(house.port)\n"))
        #expect(try house.ask(.get("/health/live")).content == "{\"status\":\"ok\"}")
        #expect(try house.ask(.get("/health/ready")).content == "{\"status\":\"ok\"}")
        #expect(try house.stop() == .exited(0))
    }

    @Test("makes logs/app.log where it starts")
    func defaultLog() throws {
        let house = try ServerProcess(in: folder, ["LOG_FILE_PATH": "logs/app.log"])
        #expect(try house.stop() == .exited(0))
        #expect(try folder.content("logs/app.log").contains(" | sys_startup "))
    }

    @Test("lets a user in, and writes down everything, in order, before it answers")
    func story() throws {
        let house = try ServerProcess(in: folder)
        let client = try house.client()
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

        // The process has not been asked to write anything since; what was answered is there.
        let written = try folder.content("app.log")
        let entries = try LogEntry.all(in: written).map { try #require($0) }
        #expect(
            entries.map { "\($0.level) \($0.area) \($0.event) \($0["reason"] ?? "-")" } == [
                "INFO log log_open -",
                "WARNING config config_warning none: a random key for this run; its tokens end with it",
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
        #expect(entries[3]["pid"] == "\(house.process.processID)")
        #expect(entries[3]["url"] == "http://127.0.0.1:\(house.port)")
        #expect(entries.map(\.time) == entries.map(\.time).sorted())
        #expect(!written.contains(token))
        #expect(!written.contains(token.split(separator: ".").last!))

        #expect(try house.stop() == .exited(0))
        let last = try #require(LogEntry.all(in: folder.content("app.log")).last!)
        #expect(last.event == "sys_shutdown")
        #expect(last["clean"] == "true")
    }

    @Test("has the same fields in every answer, whatever it is")
    func fields() throws {
        let house = try ServerProcess(in: folder)
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
            let response = try house.ask(request)
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

    @Test("takes the tokens of a key from its file again after a restart")
    func restart() throws {
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

    @Test("writes a line for each request, where somebody asks for them")
    func requestLines() throws {
        let house = try ServerProcess(
            in: folder, ["LOG_AREAS_HTTP": "DEBUG", "LOG_FILE_LEVEL": "DEBUG"])
        _ = try house.ask(.get("/nowhere", "r1"))
        let lines = LogEntry.all(in: try folder.content("app.log"))
        let request = try #require(lines.compactMap { $0 }.first { $0.event == "http_request" })
        #expect(request["method"] == "GET")
        #expect(request["path"] == "/nowhere")
        #expect(request["status"] == "404")
        #expect(request["rid"] == "r1")
    }

    @Test("waits with new connections while there are no descriptors, and goes on when there are")
    func descriptors() throws {
        // One worker, so that those who come first are in first.
        let house = try ServerProcess(in: folder, ["SERVER_WORKERS": "1"], descriptorLimit: 48)
        // More than there is room for: the last ones wait in the kernel's queue.
        let clients = try (0..<64).map { _ in try house.client() }
        // And of those who are in nobody is idle, and makes room.
        for client in clients { try client.send(.get("/health/live") + "GET /health/l") }
        _ = try house.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        // Those who are in are served.
        #expect(try clients[0].response().status == 200)
        try clients[0].send("ive HTTP/1.1\r\nHost: localhost\r\n\r\nGET")
        #expect(try clients[0].response().status == 200)
        #expect(!clients[63].hasReceived())

        for client in clients.prefix(40) { client.close() }
        for client in clients.suffix(24) { #expect(try client.response().status == 200) }
        #expect(try folder.content("app.log").contains("http_refused reason=accept_failed"))
    }

    @Test(
        "has idle connections make room where there are no descriptors, whichever worker has them")
    func idleDescriptors() throws {
        let house = try ServerProcess(in: folder, ["SERVER_WORKERS": "3"], descriptorLimit: 64)
        var clients: [Client] = []
        for _ in 0..<150 {
            clients.append(try house.client())
            try clients.last?.send(.get("/health/live"))
            #expect(try clients.last?.response().status == 200)
        }
        _ = try house.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        #expect(try clients[0].untilEnd() == "")
    }

    @Test("serves those who wait for a descriptor when others have left requests unfinished")
    func unfinishedDescriptors() throws {
        let house = try ServerProcess(
            in: folder, ["SERVER_WORKERS": "2", "SERVER_HEADER_TIMEOUT": "10m"],
            descriptorLimit: 64)
        // None of them closes.
        for client in try crowd(house) { #expect(try client.response().status == 200) }
    }

    /// More clients than there are descriptors for; none of them is idle, and makes room at once.
    private func crowd(_ house: ServerProcess) throws -> [Client] {
        let clients = try (0..<100).map { _ in try house.client() }
        for client in clients { try client.send(.get("/health/live") + "GET /health/l") }
        _ = try house.process.errorLine(containing: "accept_failed error=\"Too many open files\"")
        return clients
    }

    /// Takes out one after the other as it is answered.
    private func each(of clients: [Client], do body: (Client) throws -> Void) throws {
        var waiting = clients
        while !waiting.isEmpty {
            let heard = eventually { waiting.contains { $0.hasReceived() } }
            try #require(heard, "\(waiting.count) were not answered")
            for client in waiting where client.hasReceived() {
                try body(client)
                client.close()
            }
            waiting.removeAll { !$0.isOpen }
        }
    }

    @Test("serves each client in turn where there are no descriptors, whichever worker has them")
    func descriptorsOfTwo() throws {
        let house = try ServerProcess(
            in: folder, ["SERVER_WORKERS": "2", "SERVER_HEADER_TIMEOUT": "10m"],
            descriptorLimit: 64)
        try each(of: try crowd(house)) { client in
            let answer = try client.response()
            #expect(answer.status == 200)
        }
        #expect(try house.ask(.get("/health/live")).status == 200)
    }

    @Test(
        "that stops without descriptors answers those who wait, when there are some",
        arguments: [1, 2])
    func stopWithoutDescriptors(workers: Int) throws {
        let house = try ServerProcess(
            in: folder,
            [
                "SERVER_WORKERS": "\(workers)", "SERVER_DRAIN_TIMEOUT": "10m",
                "SERVER_HEADER_TIMEOUT": "10m",
                // Its unfinished requests make no room.
                "SERVER_TRUSTED_PROXIES": "[\"127.0.0.1\"]",
            ], descriptorLimit: 64)
        var clients = try crowd(house)
        #expect(eventually { clients.contains { $0.hasReceived() } })
        let first = clients.remove(at: try #require(clients.firstIndex { $0.hasReceived() }))
        _ = try first.response()
        let rest = "ive HTTP/1.1\r\nHost: localhost\r\n\r\n"
        house.process.kill(SIGTERM)
        // It goes on asking until it hears that the server stops.
        repeat {
            try first.send(rest + "GET /health/l")
        } while try first.response()["Connection"] != "close"
        first.close()
        for client in clients { try client.send(rest) }
        try each(of: clients) { client in
            let answers = ServerResponse.all(in: try client.untilEnd())
            #expect(answers.map(\.status).allSatisfy { $0 == 200 })
            // Of several workers another may have heard of the stop later than the first's.
            if workers == 1 { #expect(answers.last?["Connection"] == "close") }
        }
        #expect(try house.process.wait() == .exited(0))
    }

    #if !DEBUG
        @Test("needs less than 25 MiB after thousands of requests of all kinds")
        func memory() throws {
            let house = try House(in: folder)
            let token = try house.ask(.login(1)).token
            for _ in 0..<50 {
                let client = try house.client()
                let requests =
                    (0..<100).map { .login($0) }.joined() + String.resource(token)
                    + .resource(token + "x") + .get("/nowhere") + .get("/resource")
                try client.send(String(repeating: requests, count: 2) + "nonsense\r\n\r\n")
                client.endSending()
                _ = try client.untilEnd()
            }
            let status = try String(
                contentsOfFile: "/proc/\(house.process.processID)/status", encoding: .utf8)
            let resident = try #require(status.firstMatch(of: #/VmRSS:\s+(\d+) kB/#))
            #expect(Int(resident.1)! < 25 * 1024)
        }
    #endif
}

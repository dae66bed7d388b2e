import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite("A server", .blocking, .serialized)
struct AnsweringTests {
    @Test("answers over IPv4, with what every response has")
    func ipv4() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(.get("/hello", "abc"))
        let response = try client.response()
        #expect(response.status == 200)
        #expect(response.content == "hello")
        #expect(response["X-Request-Id"] == "abc")
        #expect(response["Date"]?.hasSuffix(" GMT") == true)
        #expect(response["X-Content-Type-Options"] == "nosniff")
        #expect(response["Cache-Control"] == "no-store")
        #expect(response["Connection"] == nil)
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test("answers over IPv6")
    func ipv6() throws {
        let server = try TestServer(
            .forTests { $0.address = SocketAddress("::1", port: 0)! })
        let client = try Client("::1", port: server.port)
        try client.send(.get("/client"))
        #expect(try client.response().content == "::1")
    }

    @Test("that listens on every address knows an IPv4 client by its IPv4 address")
    func mapped() throws {
        let server = try TestServer(.forTests { $0.address = SocketAddress("::", port: 0)! })
        let client = try server.client()
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test("serves one request after the other on a connection")
    func keepAlive() throws {
        let server = try TestServer()
        let client = try server.client()
        for number in 0..<5 {
            try client.send(.get("/hello", "\(number)"))
            #expect(try client.response()["X-Request-Id"] == "\(number)")
        }
    }

    @Test("ends the connection when the client asks for it, after the answer")
    func close() throws {
        let server = try TestServer()
        for request in [
            String.get("/hello", "a", "Connection: close\r\n"), "GET /hello HTTP/1.0\r\n\r\n",
        ] {
            let client = try server.client()
            try client.send(request + .get("/other"))
            let responses = ServerResponse.all(in: try client.untilEnd())
            #expect(responses.map(\.content) == ["hello"])
            #expect(responses.first?["Connection"] == "close")
        }
    }

    @Test("answers HEAD as GET, without the content")
    func head() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n" + .get("/hello"))
        let head = try client.response(toHead: true)
        #expect(head.status == 200)
        #expect(head["Content-Length"] == "\(String.large.utf8.count)")
        #expect(try client.response().content == "hello")
    }

    @Test("answers two thousand requests that come at once, in their order")
    func pipeline() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            (0..<2000).map { .get($0.isMultiple(of: 3) ? "/other" : "/hello", "r\($0)") }.joined())
        for number in 0..<2000 {
            let response = try client.response()
            #expect(response["X-Request-Id"] == "r\(number)")
            #expect(response.content == (number.isMultiple(of: 3) ? "other" : "hello"))
        }
    }

    // More batches than a worker serves before it turns to Dispatch, and no event in between: all
    // the requests came with one read.
    @Test("answers every request that is here, though nothing else happens")
    func manyBatches() throws {
        let server = try TestServer()
        let client = try server.client()
        let request = "GET /large HTTP/1.1\r\nHost: h\r\n"
        try client.send(request + "\r\n")
        let length = try client.response().head.utf8.count + 2 + String.large.utf8.count
        // As many as one read takes, and then nothing but reading, so that it is rarely the client
        // that the worker waits for.
        let close = "Connection: close\r\n"
        try client.send(
            String(repeating: request + "\r\n", count: 1699) + request + close + "\r\n")
        #expect(try client.countUntilEnd() == 1700 * length + close.utf8.count)
    }

    @Test("understands a request that comes in single bytes")
    func singleBytes() throws {
        let server = try TestServer()
        let client = try server.client()
        for byte in (String.post("/echo", "{\"user_id\":1}") + .get("/hello")).utf8 {
            try client.send([byte])
        }
        #expect(try client.response().content == "{\"user_id\":1}")
        #expect(try client.response().content == "hello")
    }

    @Test("takes a large content in pieces, whatever says how long it is")
    func largeContent() throws {
        let server = try TestServer()
        let client = try server.client()
        let content = String.large
        let chunks = stride(from: 0, to: content.utf8.count, by: 4096).map { _ in
            "1000\r\n\(content.prefix(4096))\r\n"
        }
        let requests = [
            String.post("/echo", content),
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunks.joined() + "0\r\n\r\n",
        ]
        for request in requests {
            let bytes = Array(request.utf8)
            for start in stride(from: 0, to: bytes.count, by: 999) {
                try client.send(Array(bytes[start..<min(start + 999, bytes.count)]))
            }
            #expect(try client.response().content == content)
        }
    }

    @Test("says that it will read the content to a client that asks first")
    func expectation() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.response().status == 100)
        try client.send("{}")
        #expect(try client.response().content == "{}")
    }

    @Test("refuses what is no request, says so to the hook, and ends the connection")
    func parseErrors() throws {
        let server = try TestServer()
        let cases = [
            ("GET\r\n\r\n", 400, "bad_request_line"),
            ("GET / HTTP/1.1\r\n\r\n", 400, "missing_host"),
            ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "unsupported_version"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
                431, "head_too_large"
            ),
            (
                "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n", 413,
                "body_too_large"
            ),
        ]
        for (bytes, status, reason) in cases {
            let client = try server.client()
            try client.send(.get("/hello") + bytes + .get("/other"))
            #expect(try client.response().content == "hello")
            let refusal = try client.response()
            #expect(refusal.status == status)
            #expect(refusal["Connection"] == "close")
            #expect(try client.untilEnd() == "")
            #expect(
                server.events.all.contains("refuse \(reason) \(status) \(refusal["X-Request-Id"]!)")
            )
        }
        #expect(server.events.count("handle /other") == 0)
    }

    @Test("lets a client read its refusal, though it goes on sending")
    func lingering() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET\r\n\r\n")
        try client.send([UInt8](repeating: 0x78, count: 1 << 20))
        #expect(try client.response().status == 400)
        #expect(try client.untilEnd() == "")
    }

    @Test("cuts a client off that was refused and never stops sending")
    func endlessSender() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET\r\n\r\n")
        #expect(throws: Client.Failure.reset) {
            for _ in 0..<1024 { try client.send([UInt8](repeating: 0x78, count: 1 << 16)) }
        }
    }

    @Test("with several workers gives each of many clients its own answers")
    func workers() throws {
        let server = try TestServer(.forTests { $0.workers = 4 })
        let clients = try (0..<64).map { _ in try server.client() }
        for round in 0..<10 {
            for (number, client) in clients.enumerated() {
                try client.send(.post("/echo", "\(number)-\(round)") + .get("/hello", "c\(number)"))
            }
            for (number, client) in clients.enumerated() {
                #expect(try client.response().content == "\(number)-\(round)")
                #expect(try client.response()["X-Request-Id"] == "c\(number)")
            }
        }
    }
}

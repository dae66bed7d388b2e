import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized, .tags(.timing))
struct HTTPServerTests {
    @Test func `a response over IPv4 has the common header fields`() throws {
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

    @Test func `a server on an IPv6 address responds`() throws {
        let server = try TestServer(
            .forTests { $0.address = SocketAddress("::1", port: 0)! })
        let client = try Client("::1", port: server.port)
        try client.send(.get("/client"))
        #expect(try client.response().content == "::1")
    }

    @Test func `a server on all addresses sees an IPv4 client by its IPv4 address`() throws {
        let server = try TestServer(.forTests { $0.address = SocketAddress("::", port: 0)! })
        let client = try server.client()
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test func `a connection serves one request after another`() throws {
        let server = try TestServer()
        let client = try server.client()
        for number in 0..<5 {
            try client.send(.get("/hello", "\(number)"))
            #expect(try client.response()["X-Request-Id"] == "\(number)")
        }
    }

    @Test func `the connection ends after the response if the client asks for it`() throws {
        let server = try TestServer()
        for request in [
            String.get("/hello", "a", "Connection: close\r\n"), "GET /hello HTTP/1.0\r\n\r\n",
        ] {
            let client = try server.client()
            try client.send(request + .get("/other"))
            let responses = ServerResponse.all(in: try client.readToEnd())
            #expect(responses.map(\.content) == ["hello"])
            #expect(responses.first?["Connection"] == "close")
        }
    }

    @Test func `HEAD is answered like GET, without the content`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n" + .get("/hello"))
        let head = try client.response(toHead: true)
        #expect(head.status == 200)
        #expect(head["Content-Length"] == "\(String.large.utf8.count)")
        #expect(try client.response().content == "hello")
    }

    @Test func `two thousand pipelined requests are answered in order`() throws {
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

    // More batches than a worker serves before it returns to Dispatch, without an event in between:
    // all requests arrive with one read.
    @Test func `all requests of one read are answered without further events`() throws {
        let server = try TestServer()
        let client = try server.client()
        let request = "GET /large HTTP/1.1\r\nHost: h\r\n"
        try client.send(request + "\r\n")
        let length = try client.response().head.utf8.count + 2 + String.large.utf8.count
        // As many requests as one read takes. The client then only reads, so that the worker rarely
        // waits for it.
        let close = "Connection: close\r\n"
        try client.send(
            String(repeating: request + "\r\n", count: 1699) + request + close + "\r\n")
        #expect(try client.countUntilEnd() == 1700 * length + close.utf8.count)
    }

    @Test func `a request that arrives in single bytes is parsed`() throws {
        let server = try TestServer()
        let client = try server.client()
        for byte in (String.post("/echo", "{\"user_id\":1}") + .get("/hello")).utf8 {
            try client.send([byte])
        }
        #expect(try client.response().content == "{\"user_id\":1}")
        #expect(try client.response().content == "hello")
    }

    @Test func `large content arrives in pieces, with a length or chunked`() throws {
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

    @Test func `a client that expects 100-continue gets it before it sends the content`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.response().status == 100)
        try client.send("{}")
        #expect(try client.response().content == "{}")
    }

    @Test func `an invalid request is rejected and reported, and its connection ends`() throws {
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
            #expect(try client.readToEnd() == "")
            #expect(
                server.events.all.contains("refuse \(reason) \(status) \(refusal["X-Request-Id"]!)")
            )
        }
        #expect(server.events.count("handle /other") == 0)
    }

    @Test func `a client can read its rejection while it is still sending`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET\r\n\r\n")
        try client.send([UInt8](repeating: 0x78, count: 1 << 20))
        #expect(try client.response().status == 400)
        #expect(try client.readToEnd() == "")
    }

    @Test func `a rejected client that never stops sending is cut off`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET\r\n\r\n")
        #expect(throws: Client.Failure.reset) {
            for _ in 0..<1024 { try client.send([UInt8](repeating: 0x78, count: 1 << 16)) }
        }
    }

    @Test func `several workers give each of many clients its own responses`() throws {
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

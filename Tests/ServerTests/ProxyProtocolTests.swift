import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

private let line = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"

/// Version 2, from 192.0.2.1.
private let block: [UInt8] =
    [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
    + [192, 0, 2, 1, 192, 0, 2, 2, 0xDC, 0x04, 0x01, 0xBB]

@Suite(.blocking)
struct ProxyProtocolTests {
    private func options(
        trusting texts: [String] = ["127.0.0.1"], _ change: (inout ServerOptions) -> Void = { _ in }
    ) throws -> ServerOptions {
        var options = ServerOptions.forTests
        options.trustedProxies = try TrustedProxies(parsing: texts)
        options.expectsProxyHeader = true
        change(&options)
        return options
    }

    private let spoofing = String.get(
        "/client", "id", "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n")

    @Test func `the client is the address in the PROXY header, whatever its fields say`() throws {
        let server = try TestServer(options())
        for header in [Array(line.utf8), block] {
            let client = try server.client()
            try client.send(header + Array((spoofing + .get("/client")).utf8))
            #expect(try client.response().content == "192.0.2.1")
            #expect(try client.response().content == "192.0.2.1")
            try client.send(spoofing)
            #expect(try client.response().content == "192.0.2.1")
        }
    }

    @Test func `a PROXY header can arrive in pieces`() throws {
        let server = try TestServer(options())
        for header in [Array(line.utf8), block] {
            let client = try server.client()
            for byte in header { try client.send([byte]) }
            #expect(!client.hasReceived(within: 20))
            try client.send(.get("/client"))
            #expect(try client.response().content == "192.0.2.1")
        }
    }

    @Test func `a missing or invalid PROXY header is rejected and reported`() throws {
        let server = try TestServer(options())
        let cases = [
            (.get("/client"), "no_proxy_header"), ("\r\n" + line, "no_proxy_header"),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 0443\r\n", "bad_proxy_header"),
            ("PROXY UNKNOWN" + String(repeating: " ", count: 94), "bad_proxy_header"),
            (line + line + .get("/client"), "bad_request_line"),
        ]
        for (bytes, reason) in cases {
            let client = try server.client()
            try client.send(bytes)
            let response = try client.response()
            #expect(response.status == 400)
            #expect(response["Connection"] == "close")
            #expect(try client.readToEnd() == "")
            let id = response["X-Request-Id"] ?? "none"
            #expect(server.events.all.contains("refuse \(reason) 400 \(id)"))
        }
        #expect(server.server.statistics.refused == UInt64(cases.count))
        #expect(!server.events.all.contains { $0.hasPrefix("handle") })
    }

    @Test
    func `a rejection reports the address in the header, or the proxy's before it arrives`() throws
    {
        let refused = Monitor<[String]>([])
        let server = try HTTPServer(
            options { $0.headTimeout = .seconds(60) }, routes: Router().routes(),
            hooks: ServerHooks(
                commit: { _ in true },
                refused: { refusal in
                    refused.withLock { $0.append("\(refusal.reason) \(refusal.client.string)") }
                },
                acceptFailed: { _ in }))
        server.start()
        defer { server.stop() }
        for bytes in [line + "nonsense\r\n", "nonsense", line + "GET / HT", "PROXY TCP"] {
            let client = try Client(port: server.address.port)
            try client.send(bytes)
            client.closeWrite()
            #expect(try client.response().status == 400)
        }
        #expect(
            refused.withLock { $0 } == [
                "bad_request_line 192.0.2.1", "no_proxy_header 127.0.0.1", "incomplete 192.0.2.1",
                "incomplete 127.0.0.1",
            ])
    }

    @Test func `a health check of a proxy gets no response`() throws {
        let server = try TestServer(options())
        let local = Array(block[..<12]) + [0x20, 0, 0, 0]
        for bytes in [[], Array(line.utf8), local] {
            let client = try server.client()
            if !bytes.isEmpty { try client.send(bytes) }
            client.closeWrite()
            #expect(try client.readToEnd() == "")
        }
        let client = try server.client()
        try client.send(local + Array(String.get("/client").utf8))
        #expect(try client.response().content == "127.0.0.1")
        #expect(server.events.all == ["handle /client", "commit"])
    }

    @Test func `a PROXY header is not accepted from a peer that is not a trusted proxy`() throws {
        let untrusted = try options(trusting: ["10.0.0.0/8", "::1"])
        let disabled = try options { $0.expectsProxyHeader = false }
        for options in [untrusted, disabled] {
            let server = try TestServer(options)
            let client = try server.client()
            try client.send(.get("/client"))
            #expect(try client.response().content == "127.0.0.1")
            for header in [Array(line.utf8), block] {
                let client = try server.client()
                try client.send(header + Array(String.get("/client").utf8))
                let response = try client.response()
                #expect(response.status == 400)
                let id = response["X-Request-Id"] ?? "none"
                #expect(server.events.all.contains("refuse bad_request_line 400 \(id)"))
            }
        }
    }

    @Test func `PROXY headers are expected on connections made after the option is set`() throws {
        var router = Router()
        TestServer.commonRoutes(&router)
        let plain = try options { $0.expectsProxyHeader = false }
        let server = try TestServer(plain)
        let old = try server.client()
        try old.send(.get("/client"))
        #expect(try old.response().content == "127.0.0.1")
        #expect(server.replace(routes: router.routes(), options: try options()))
        let new = try server.client()
        try new.send(line + .get("/client"))
        #expect(try new.response().content == "192.0.2.1")
        try old.send(.get("/client"))
        #expect(try old.response().content == "127.0.0.1")
        #expect(server.replace(routes: router.routes(), options: plain))
        try new.send(.get("/client"))
        #expect(try new.response().content == "192.0.2.1")
    }

    @Test(.tags(.timing)) func `a PROXY header and the first head share the head timeout`() throws {
        let server = try TestServer(
            options {
                $0.headTimeout = TimeAmount(milliseconds: 200)
                $0.idleTimeout = .seconds(600)
            })
        let clients = try (0..<5).map { _ in try server.client() }
        try clients[1].send("PROXY TCP4 192.0.2")
        try clients[2].send(Array(block[..<20]))
        try clients[3].send(line)
        try clients[4].send(line + "GET /hello HTTP/1.1\r\n")
        // A client that has sent part of a message gets 408; the others are closed without a
        // response.
        #expect(try clients[0].readToEnd() == "")
        #expect(try clients[1].response().status == 408)
        #expect(try clients[2].response().status == 408)
        #expect(try clients[3].readToEnd() == "")
        #expect(try clients[4].response().status == 408)
        #expect(server.server.statistics.timeouts.head == 5)
    }

    @Test(.tags(.timing))
    func `further bytes of a PROXY header do not extend the head timeout`() throws {
        let server = try TestServer(options { $0.headTimeout = TimeAmount(milliseconds: 200) })
        let client = try server.client()
        try client.send("PROXY UNKNOWN ")
        var count = 0
        // A byte every 20 ms: the line may have 93 of them, nine times the timeout.
        while !client.hasReceived(within: 20), count < 90 {
            try client.send("x")
            count += 1
        }
        #expect(try client.response().status == 408)
    }

    @Test func `a stop does not wait for a PROXY header`() throws {
        let server = try TestServer(options { $0.drainTimeout = .seconds(60) })
        let silent = try server.client()
        let named = try server.client()
        try named.send(line)
        let served = try server.client()
        try served.send(line + .get("/client"))
        #expect(try served.response().content == "192.0.2.1")
        #expect(server.server.stop())
        #expect(try silent.readToEnd() == "")
        #expect(try named.readToEnd() == "")
    }
}

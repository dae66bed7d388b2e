import HTTP
import POSIX
import Server
import TestSupport
import Testing

@Suite(.blocking, .tags(.timing))
struct TrustedProxyTests {
    private static let fields = "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n"

    @Test func `the client is the address that a trusted proxy forwards`() throws {
        let proxies = try TrustedProxies(parsing: ["127.0.0.0/8"])
        let server = try TestServer(.forTests { $0.trustedProxies = proxies })
        let client = try server.client()
        try client.send(.get("/client", "id", Self.fields))
        #expect(try client.response().content == "192.0.2.1")
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test func `a request rejected as busy is reported with its forwarded address`() throws {
        var options = ServerOptions.forTests
        options.trustedProxies = try TrustedProxies(parsing: ["127.0.0.1"])
        options.cpuBoundWork.maximumConcurrent = 1
        options.cpuBoundWork.maximumQueued = 0
        let gate = Gate()
        var router = Router()
        router.on(
            .get, "/slow",
            inTwoSteps: offloading { _ in
                gate.pass()
                return Response(.ok)
            })
        let refused = Monitor<[String]>([])
        let server = try HTTPServer(
            options, routes: router.routes(),
            hooks: ServerHooks(
                commit: { _ in true },
                refused: { refusal in
                    refused.withLock { $0.append("\(refusal.reason) \(refusal.client.string)") }
                },
                acceptFailed: { _ in }))
        server.start()
        defer { server.stop() }
        let clients = try (0..<3).map { _ in try Client(port: server.address.port) }
        try clients[0].send(.get("/slow"))
        #expect(gate.waitForArrival())
        try clients[1].send(.get("/slow", "id", Self.fields))
        #expect(try clients[1].response().status == 503)
        // The fields of an invalid request are not trusted.
        try clients[2].send("GET / HTTP/1.1\r\n\(Self.fields)nonsense\r\n\r\n")
        #expect(try clients[2].response().status == 400)
        gate.open()
        #expect(try clients[0].response().status == 200)
        #expect(refused.withLock { $0 } == ["busy 192.0.2.1", "bad_field 127.0.0.1"])
    }

    @Test func `forwarding fields of an untrusted peer are ignored`() throws {
        let proxies = try TrustedProxies(parsing: ["10.0.0.0/8", "::1"])
        for options in [.forTests, ServerOptions.forTests { $0.trustedProxies = proxies }] {
            let server = try TestServer(options)
            let client = try server.client()
            try client.send(.get("/client", "id", Self.fields))
            #expect(try client.response().content == "127.0.0.1")
        }
    }
}

import HTTP
import POSIX
import Server
import TestSupport
import Testing

@Suite("A server behind a proxy", .blocking)
struct TrustedProxyTests {
    private static let fields = "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n"

    @Test("knows its clients from what a trusted proxy says")
    func trusted() throws {
        let proxies = try TrustedProxies(parsing: ["127.0.0.0/8"])
        let server = try TestServer(.forTests { $0.trustedProxies = proxies })
        let client = try server.client()
        try client.send(.get("/client", "id", Self.fields))
        #expect(try client.response().content == "192.0.2.1")
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test("tells its log who found no room to wait")
    func busy() throws {
        var options = ServerOptions.forTests
        options.trustedProxies = try TrustedProxies(parsing: ["127.0.0.1"])
        options.cpuBoundWork.maximumConcurrent = 1
        options.cpuBoundWork.maximumQueued = 0
        let gate = Gate()
        var router = Router()
        router.on(
            .get, "/slow",
            inTwoSteps: slowly { _ in
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
        // Of half a request nothing is believed.
        try clients[2].send("GET / HTTP/1.1\r\n\(Self.fields)nonsense\r\n\r\n")
        #expect(try clients[2].response().status == 400)
        gate.open()
        #expect(try clients[0].response().status == 200)
        #expect(refused.withLock { $0 } == ["busy 192.0.2.1", "bad_field 127.0.0.1"])
    }

    @Test("does not take a stranger's word")
    func stranger() throws {
        let proxies = try TrustedProxies(parsing: ["10.0.0.0/8", "::1"])
        for options in [.forTests, ServerOptions.forTests { $0.trustedProxies = proxies }] {
            let server = try TestServer(options)
            let client = try server.client()
            try client.send(.get("/client", "id", Self.fields))
            #expect(try client.response().content == "127.0.0.1")
        }
    }
}

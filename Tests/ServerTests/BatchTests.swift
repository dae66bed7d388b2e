import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite("A worker with more to do than a batch holds", .blocking, .serialized)
struct BatchTests {
    /// No time at all for a head, of which a part is here.
    private static let impatient = ServerOptions.forTests {
        $0.headTimeout = TimeAmount(milliseconds: 0)
    }

    private static let routes: RouteTable = {
        var router = Router()
        TestServer.commonRoutes(&router)
        return router.routes()
    }()

    // One of these answers is as much as is made for a connection in a batch. After 256 of them Dispatch
    // has its turn, and a deadline that was due meanwhile comes before the next.
    @Test("is late with requests that are whole, and does not say that their client is")
    func unfinished() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        server.replace(routes: Self.routes, options: Self.impatient)

        let count = TestScale.isSanitized ? 600 : 1500
        try client.send(
            String(repeating: .get("/large"), count: count - 1)
                + .get("/large", "id", "Connection: close\r\n"))
        #expect(try client.countUntilEnd() > count * String.large.utf8.count)
        #expect(server.server.statistics.timeouts.head == 0)
    }

    // 256 connections are told at a time. Those of the first batch have a part of their second request
    // here, whose time is over in the next; and the rest of it has come, but not all are told.
    @Test("reads from everybody whose time is over, before it says so")
    func manyAtOneDeadline() throws {
        let (gate, gated) = (Gate(), Events())
        let server = try TestServer(
            commit: {
                if gated.count("on") > gated.count("off") { gate.pass() }
                return true
            })
        let first = try server.client()
        let clients = try (0..<300).map { _ in try server.client() }
        for client in clients + [first] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        server.replace(routes: Self.routes, options: Self.impatient)
        gated.add("on")
        try first.send(.get("/hello"))
        #expect(gate.waitForArrival())
        for client in clients { try client.send(.get("/hello") + "GET /oth") }
        gate.open()
        #expect(gate.waitForArrival())
        for client in clients { try client.send("er HTTP/1.1\r\nHost: h\r\n\r\n") }
        gated.add("off")
        gate.open()
        for client in clients {
            #expect(try client.response().content == "hello")
            #expect(try client.response().content == "other")
        }
        #expect(server.server.statistics.timeouts.head == 0)
    }
}

import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized, .tags(.timing))
struct BatchTests {
    /// An incomplete head expires at once.
    private static let withoutHeadTime = ServerOptions.forTests {
        $0.headTimeout = TimeAmount(milliseconds: 0)
    }

    private static let routes: RouteTable = {
        var router = Router()
        TestServer.commonRoutes(&router)
        return router.routes()
    }()

    // One of these responses is as much as a connection gets in a batch. After 256 batches Dispatch
    // gets its turn, and a deadline that is due by then expires before the next batch.
    @Test func `a complete request that waits for its turn is not a head timeout`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        server.replace(routes: Self.routes, options: Self.withoutHeadTime)

        let count = TestScale.isSanitized ? 600 : 1500
        try client.send(
            String(repeating: .get("/large"), count: count - 1)
                + .get("/large", "id", "Connection: close\r\n"))
        #expect(try client.countUntilEnd() > count * String.large.utf8.count)
        #expect(server.server.statistics.timeouts.head == 0)
    }

    // epoll reports 256 connections at a time. Those of the first batch have sent part of their
    // second request, whose time is over in the next batch. The rest has arrived by then, but not
    // all events are reported.
    @Test func `an expired connection is read once more before it is rejected`() throws {
        let (server, pause) = try TestServer.pausable()
        let first = try server.client()
        let clients = try (0..<300).map { _ in try server.client() }
        for client in clients + [first] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        server.replace(routes: Self.routes, options: Self.withoutHeadTime)
        pause.enable()
        try first.send(.get("/hello"))
        #expect(pause.waitForArrival())
        for client in clients { try client.send(.get("/hello") + "GET /oth") }
        pause.open()
        #expect(pause.waitForArrival())
        for client in clients { try client.send("er HTTP/1.1\r\nHost: h\r\n\r\n") }
        pause.disable()
        pause.open()
        for client in clients {
            #expect(try client.response().content == "hello")
            #expect(try client.response().content == "other")
        }
        #expect(server.server.statistics.timeouts.head == 0)
    }
}

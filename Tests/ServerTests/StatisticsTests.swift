import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized, .tags(.timing))
struct StatisticsTests {
    @Test func `statistics count open and accepted connections`() throws {
        let server = try TestServer(.forTests { $0.workers = 2 })
        #expect(server.server.statistics.accepted == 0)
        var clients = try (0..<5).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        #expect(server.server.statistics.connections == 5)
        for client in clients.prefix(3) { client.closeWrite() }
        for client in clients.prefix(3) { _ = try client.readToEnd() }
        clients.removeFirst(3)
        #expect(eventually { server.server.statistics.connections == 2 })
        #expect(server.server.statistics.accepted == 5)
        #expect(server.server.statistics.tooMany == 0)
        #expect(server.server.statistics.refused == 0)
        withExtendedLifetime(clients) {}
    }

    @Test func `statistics count connections above the limit`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 1 })
        let busy = try server.client()
        try busy.send(.get("/hello") + "GET")
        _ = try busy.response()
        for _ in 0..<3 { #expect(try server.client().response().status == 503) }
        #expect(server.server.statistics.tooMany == 3)
        #expect(server.server.statistics.refused == 3)
        #expect(server.server.statistics.responsesWithoutRequest == [.serviceUnavailable: 3])
    }

    @Test func `statistics count timeouts by kind`() throws {
        let server = try TestServer(
            .forTests {
                $0.headTimeout = TimeAmount(milliseconds: 1)
                $0.bodyTimeout = TimeAmount(milliseconds: 1)
                $0.idleTimeout = TimeAmount(milliseconds: 1)
            })
        let silent = try server.client()
        #expect(try silent.readToEnd() == "")
        #expect(server.server.statistics.timeouts.head == 1)
        let options = ServerOptions.forTests {
            $0.bodyTimeout = TimeAmount(milliseconds: 1)
            $0.idleTimeout = TimeAmount(milliseconds: 1)
        }
        server.server.replace(routes: Router().routes(), options: options)
        let (half, idle) = (try server.client(), try server.client())
        try half.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
        #expect(try half.response().status == 408)
        try idle.send(.get("/"))
        _ = try idle.response()
        #expect(try idle.readToEnd() == "")
        let statistics = server.server.statistics
        #expect(statistics.timeouts.head == 1)
        #expect(statistics.timeouts.body == 1)
        #expect(statistics.timeouts.idle == 1)
        #expect(statistics.timeouts.write == 0)
        #expect(statistics.refused == 1)
        // A connection that is closed without a response does not count.
        #expect(statistics.responsesWithoutRequest == [.requestTimeout: 1])
    }

    @Test func `statistics count clients that do not read their response`() throws {
        let server = try TestServer(.forTests { $0.writeTimeout = TimeAmount(milliseconds: 1) })
        let client = try server.client(receiveBuffer: 4096)
        _ = try client.sendWithoutBlocking(String(repeating: .get("/large"), count: 2000))
        #expect(eventually { server.server.statistics.timeouts.write == 1 })
    }

    @Test func `statistics count rejected requests and unrecorded responses`() throws {
        let server = try TestServer(commit: { false })
        let (nonsense, audited) = (try server.client(), try server.client())
        try nonsense.send("nonsense\r\n")
        #expect(try nonsense.response().status == 400)
        try audited.send(.get("/audited"))
        #expect(try audited.response().status == 503)
        #expect(server.server.statistics.refused == 1)
        #expect(server.server.statistics.replaced == 1)
        #expect(
            server.server.statistics.responsesWithoutRequest
                == [.badRequest: 1, .serviceUnavailable: 1])
    }

    @Test func `statistics show the queue of offloaded work`() throws {
        let gate = Gate()
        let server = try TestServer(
            .forTests {
                $0.cpuBoundWork.maximumConcurrent = 1
                $0.cpuBoundWork.maximumQueued = 2
            },
            routes: { router in
                router.on(
                    .get, "/slow",
                    inTwoSteps: offloading { _ in
                        gate.pass()
                        return Response(.ok)
                    })
            })
        let clients = try (0..<5).map { _ in try server.client() }
        for client in clients { try client.send(.get("/slow")) }
        #expect(gate.waitForArrival())
        #expect(eventually { server.server.statistics.cpuBound.rejected == 2 })
        #expect(server.server.statistics.cpuBound.running == 1)
        #expect(server.server.statistics.cpuBound.waiting == 2)
        // The 503 of a full queue answers a request that was routed, so it does not count below.
        #expect(eventually { server.server.statistics.refused == 2 })
        #expect(server.server.statistics.responsesWithoutRequest == [:])
        gate.open(for: 3)
        #expect(eventually { server.server.statistics.cpuBound.running == 0 })
        #expect(server.server.statistics.cpuBound.waiting == 0)
        for client in clients { _ = try client.response() }
    }
}

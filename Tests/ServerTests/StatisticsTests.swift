import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite("A server's statistics", .blocking, .serialized)
struct StatisticsTests {
    @Test("count connections, those that are and those that were")
    func connections() throws {
        let server = try TestServer(.forTests { $0.workers = 2 })
        #expect(server.server.statistics.accepted == 0)
        var clients = try (0..<5).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        #expect(server.server.statistics.connections == 5)
        for client in clients.prefix(3) { client.endSending() }
        for client in clients.prefix(3) { _ = try client.untilEnd() }
        clients.removeFirst(3)
        #expect(eventually { server.server.statistics.connections == 2 })
        #expect(server.server.statistics.accepted == 5)
        #expect(server.server.statistics.tooMany == 0)
        #expect(server.server.statistics.refused == 0)
        withExtendedLifetime(clients) {}
    }

    @Test("count connections that were too many")
    func tooMany() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 1 })
        let busy = try server.client()
        try busy.send(.get("/hello") + "GET")
        _ = try busy.response()
        for _ in 0..<3 { #expect(try server.client().response().status == 503) }
        #expect(server.server.statistics.tooMany == 3)
        #expect(server.server.statistics.refused == 3)
        #expect(server.server.statistics.answersToNoRequest == [.serviceUnavailable: 3])
    }

    @Test("count timeouts by their kind")
    func timeouts() throws {
        let server = try TestServer(
            .forTests {
                $0.headTimeout = TimeAmount(milliseconds: 1)
                $0.bodyTimeout = TimeAmount(milliseconds: 1)
                $0.idleTimeout = TimeAmount(milliseconds: 1)
            })
        let silent = try server.client()
        #expect(try silent.untilEnd() == "")
        #expect(server.server.statistics.timeouts.head == 1)
        let patient = ServerOptions.forTests {
            $0.bodyTimeout = TimeAmount(milliseconds: 1)
            $0.idleTimeout = TimeAmount(milliseconds: 1)
        }
        server.server.replace(routes: Router().routes(), options: patient)
        let (half, idle) = (try server.client(), try server.client())
        try half.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
        #expect(try half.response().status == 408)
        try idle.send(.get("/"))
        _ = try idle.response()
        #expect(try idle.untilEnd() == "")
        let statistics = server.server.statistics
        #expect(statistics.timeouts.head == 1)
        #expect(statistics.timeouts.body == 1)
        #expect(statistics.timeouts.idle == 1)
        #expect(statistics.timeouts.write == 0)
        #expect(statistics.refused == 1)
        // Who is let go without a word had no answer.
        #expect(statistics.answersToNoRequest == [.requestTimeout: 1])
    }

    @Test("count clients that do not take their response")
    func writeTimeouts() throws {
        let server = try TestServer(.forTests { $0.writeTimeout = TimeAmount(milliseconds: 1) })
        let client = try server.client(receiveBuffer: 4096)
        _ = try client.sendWhatFits(String(repeating: .get("/large"), count: 2000))
        #expect(eventually { server.server.statistics.timeouts.write == 1 })
    }

    @Test("count what was refused, and what could not be put on record")
    func refusals() throws {
        let server = try TestServer(commit: { false })
        let (nonsense, audited) = (try server.client(), try server.client())
        try nonsense.send("nonsense\r\n")
        #expect(try nonsense.response().status == 400)
        try audited.send(.get("/audited"))
        #expect(try audited.response().status == 503)
        #expect(server.server.statistics.refused == 1)
        #expect(server.server.statistics.retracted == 1)
        #expect(
            server.server.statistics.answersToNoRequest
                == [.badRequest: 1, .serviceUnavailable: 1])
    }

    @Test("show the queue of slow work")
    func offload() throws {
        let gate = Gate()
        let server = try TestServer(
            .forTests {
                $0.cpuBoundWork.maximumConcurrent = 1
                $0.cpuBoundWork.maximumQueued = 2
            },
            routes: { router in
                router.on(
                    .get, "/slow",
                    inTwoSteps: slowly { _ in
                        gate.pass()
                        return Response(.ok)
                    })
            })
        let clients = try (0..<5).map { _ in try server.client() }
        for client in clients { try client.send(.get("/slow")) }
        #expect(gate.waitForArrival())
        #expect(eventually { server.server.statistics.computing.refused == 2 })
        #expect(server.server.statistics.computing.running == 1)
        #expect(server.server.statistics.computing.waiting == 2)
        // What is told Busy was a request; whoever counts those has been told.
        #expect(eventually { server.server.statistics.refused == 2 })
        #expect(server.server.statistics.answersToNoRequest == [:])
        gate.open(for: 3)
        #expect(eventually { server.server.statistics.computing.running == 0 })
        #expect(server.server.statistics.computing.waiting == 0)
        for client in clients { _ = try client.response() }
    }
}

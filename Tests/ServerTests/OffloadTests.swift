import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@Suite("An offloaded handler", .blocking, .serialized)
struct OffloadTests {
    /// A server whose `POST /slow` answers with the request's content when the gate lets it.
    private func slowServer(
        _ gate: Gate, _ options: ServerOptions = .forTests,
        commit: @escaping @Sendable () -> Bool = { true }
    ) throws -> TestServer {
        try TestServer(
            options, commit: commit,
            routes: { router in
                router.on(
                    .post, "/slow",
                    inTwoSteps: slowly { request in
                        gate.pass()
                        return Response(.ok, json: Array(text(request.body).utf8))
                            .heldUntilCommitted
                    })
            })
    }

    @Test("leaves the worker to others meanwhile")
    func others() throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let (slow, quick) = (try server.client(), try server.client())
        try slow.send(.post("/slow", "late"))
        #expect(gate.waitForArrival())
        for _ in 0..<10 {
            try quick.send(.get("/hello"))
            #expect(try quick.response().content == "hello")
        }
        #expect(!slow.hasReceived())
        gate.open()
        #expect(try slow.response().content == "late")
    }

    @Test("keeps the order of the requests on its connection, and their bytes")
    func order() throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let client = try server.client()
        try client.send(.get("/hello") + .post("/slow", "first") + .get("/other"))
        #expect(try client.response().content == "hello")
        #expect(gate.waitForArrival())
        // Comes while the worker awaits the response, and must not disturb the request that is out.
        try client.send(.post("/slow", "2nd") + .get("/hello"))
        #expect(server.events.count("handle /other") == 0)
        gate.open(for: 2)
        #expect(try client.response().content == "first")
        #expect(try client.response().content == "other")
        #expect(try client.response().content == "2nd")
        #expect(try client.response().content == "hello")
    }

    @Test("has its answer put on record before it leaves")
    func commit() throws {
        let (gate, commitGate) = (Gate(), Gate())
        let server = try slowServer(gate) {
            commitGate.pass()
            return true
        }
        let client = try server.client()
        try client.send(.post("/slow", ""))
        #expect(gate.waitForArrival())
        gate.open()
        #expect(commitGate.waitForArrival())
        #expect(!client.hasReceived(within: 20))
        commitGate.open()
        #expect(try client.response().status == 200)
    }

    @Test("may be one too many; its client is told when to come again")
    func busy() throws {
        let gate = Gate()
        let server = try slowServer(
            gate,
            .forTests {
                $0.cpuBoundWork.maximumConcurrent = 1
                $0.cpuBoundWork.maximumQueued = 1
            })
        let clients = try (0..<3).map { _ in try server.client() }
        try clients[0].send(.post("/slow", "runs"))
        #expect(gate.waitForArrival())
        try clients[1].send(.post("/slow", "waits") + .get("/hello"))
        // An answer on another connection, served after that one's bytes were here.
        let other = try server.client()
        try other.send(.get("/hello"))
        _ = try other.response()

        try clients[2].send(.post("/slow", "is one too many") + .get("/hello"))
        let refusal = try clients[2].response()
        #expect(refusal.status == 503)
        #expect(refusal.content == "{\"error\":\"Busy\"}")
        #expect(refusal["Retry-After"] == "1")
        #expect(try clients[2].response().content == "hello")

        gate.open(for: 2)
        #expect(try clients[0].response().content == "runs")
        #expect(try clients[1].response().content == "waits")
        #expect(try clients[1].response().content == "hello")
    }

    @Test("may have to make room; its client is told so, and what it asked for then is answered")
    func displaced() throws {
        let (gate, refused) = (Gate(), Events())
        let server = try TestServer(
            .forTests { $0.cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 1) },
            routes: { router in
                for (name, priority) in [("last", OffloadedWork.Priority.last), ("first", .first)] {
                    router.on(.post, "/\(name)") { request in
                        let content = Array(text(request.body).utf8)
                        return .slow(
                            OffloadedWork(
                                .cpuBound, priority: priority,
                                {
                                    gate.pass()
                                    return Response(.ok, json: content)
                                }, refused: { refused.add(name) }))
                    }
                }
            })
        let clients = try (0..<3).map { _ in try server.client() }
        try clients[0].send(.post("/last", "runs"))
        #expect(gate.waitForArrival())
        try clients[1].send(.post("/last", "waits") + .get("/hello"))
        // Served after that one's bytes were here.
        let other = try server.client()
        try other.send(.get("/hello"))
        _ = try other.response()

        try clients[2].send(.post("/first", "comes first"))
        let refusal = try clients[1].response()
        #expect(refusal.status == 503)
        #expect(refusal.content == "{\"error\":\"Busy\"}")
        #expect(refusal["Retry-After"] == "1")
        #expect(try clients[1].response().content == "hello")
        #expect(refused.count("last") == 1)
        gate.open(for: 2)
        #expect(try clients[0].response().content == "runs")
        #expect(try clients[2].response().content == "comes first")
        #expect(refused.count("first") == 0)
    }

    @Test("of another kind does not wait for it, and a refused one is told so")
    func kinds() throws {
        let (gate, refused) = (Gate(), Events())
        let server = try TestServer(
            .forTests {
                $0.cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 0)
                $0.ioBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 0)
            },
            routes: { router in
                for kind in OffloadedWork.Kind.allCases {
                    router.on(.post, "/\(kind)") { _ in
                        .slow(
                            OffloadedWork(
                                kind,
                                {
                                    gate.pass()
                                    return Response(.ok, json: Array("\(kind)".utf8))
                                }, refused: { refused.add("\(kind)") }))
                    }
                }
            })
        let clients = try (0..<3).map { _ in try server.client() }
        try clients[0].send(.post("/cpuBound", ""))
        #expect(gate.waitForArrival())
        try clients[1].send(.post("/ioBound", ""))
        #expect(gate.waitForArrival())
        try clients[2].send(.post("/cpuBound", ""))
        #expect(try clients[2].response().status == 503)
        #expect(refused.count("cpuBound") == 1)
        gate.open(for: 2)
        #expect(try clients[0].response().content == "cpuBound")
        #expect(try clients[1].response().content == "ioBound")
    }

    @Test("does nobody harm when its client goes away meanwhile", arguments: [true, false])
    func goneClient(resets: Bool) throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let (gone, other) = (try server.client(), try server.client())
        try gone.send(.post("/slow", "for nobody"))
        #expect(gate.waitForArrival())
        if resets { gone.reset() } else { gone.close() }
        try other.send(.get("/hello"))
        #expect(try other.response().content == "hello")
        gate.open(for: 2)
        try other.send(.post("/slow", "for somebody"))
        #expect(try other.response().content == "for somebody")
    }

    // A reset is told again and again until the socket is closed, however little the worker asks
    // for: it must not wait for the response.
    @Test("does not hold on to a connection that was reset")
    func resetConnection() throws {
        let gate = Gate()
        let server = try slowServer(gate, .forTests { $0.maximumConnections = 1 })
        let gone = try server.client()
        try gone.send(.post("/slow", "for nobody"))
        #expect(gate.waitForArrival())
        // The worker stops reading when it finds bytes that it cannot handle yet.
        try gone.send(.get("/hello"))
        gone.reset()
        // It may take a moment until the reset is seen.
        let isFree = try eventually {
            let other = try server.client()
            try other.send(.get("/hello"))
            return try other.response().status == 200
        }
        #expect(isFree)
        gate.open()
    }

    @Test("answers a client that has ended its side")
    func halfClosed() throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let client = try server.client()
        try client.send(.post("/slow", "late"))
        client.endSending()
        #expect(gate.waitForArrival())
        gate.open()
        #expect(ServerResponse.all(in: try client.untilEnd()).map(\.content) == ["late"])
    }

    // Its connection was refused meanwhile: the log could not be written when the response before
    // it was about to leave.
    @Test("may answer to nobody, because what came before it was taken back")
    func retracted() throws {
        let gate = Gate()
        let isBroken = Monitor(true)
        let server = try slowServer(gate) { isBroken.withLock { !$0 } }
        let client = try server.client()
        try client.send(.get("/audited") + .post("/slow", "too late"))
        #expect(gate.waitForArrival())
        #expect(try client.response().status == 503)
        isBroken.withLock { $0 = false }
        gate.open()
        // Through the same queue and mailbox, so after the answer to nobody.
        let other = try server.client()
        gate.open()
        try other.send(.post("/slow", "in time"))
        #expect(try other.response().content == "in time")
        #expect(try client.untilEnd() == "")
    }
}

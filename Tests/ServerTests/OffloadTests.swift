import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized, .tags(.timing))
struct OffloadTests {
    /// A server whose `POST /slow` returns the request's content once the gate is opened.
    private func slowServer(
        _ gate: Gate, _ options: ServerOptions = .forTests,
        commit: @escaping @Sendable () -> Bool = { true }
    ) throws -> TestServer {
        try TestServer(
            options, commit: commit,
            routes: { router in
                router.on(
                    .post, "/slow",
                    inTwoSteps: offloading { request in
                        gate.pass()
                        return Response(.ok, json: Array(text(request.body).utf8))
                            .heldUntilCommitted
                    })
            })
    }

    @Test func `an offloaded handler does not block the worker`() throws {
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

    @Test func `an offloaded handler keeps the order of the requests on its connection`() throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let client = try server.client()
        try client.send(.get("/hello") + .post("/slow", "first") + .get("/other"))
        #expect(try client.response().content == "hello")
        #expect(gate.waitForArrival())
        // Arrives while the worker awaits the response, and must not change the offloaded request.
        try client.send(.post("/slow", "2nd") + .get("/hello"))
        #expect(server.events.count("handle /other") == 0)
        gate.open(for: 2)
        #expect(try client.response().content == "first")
        #expect(try client.response().content == "other")
        #expect(try client.response().content == "2nd")
        #expect(try client.response().content == "hello")
    }

    @Test func `the response of an offloaded handler is committed before it is sent`() throws {
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

    @Test
    func `a request that does not fit into the offload queue gets 503 with Retry-After`() throws {
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
        // A response on another connection shows that those bytes were read.
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

    @Test
    func `a request evicted from the offload queue gets 503, and the next is answered`() throws {
        let (gate, refused) = (Gate(), Events())
        let server = try TestServer(
            .forTests { $0.cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 1) },
            routes: { router in
                for (name, priority) in [("last", OffloadedWork.Priority.last), ("first", .first)] {
                    router.on(.post, "/\(name)") { request in
                        let content = Array(text(request.body).utf8)
                        return .offloaded(
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
        // The response shows that those bytes were read.
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

    @Test
    func `each kind of offloaded work has its own queue, and rejected work is notified`() throws {
        let (gate, refused) = (Gate(), Events())
        let server = try TestServer(
            .forTests {
                $0.cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 0)
                $0.ioBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 0)
            },
            routes: { router in
                for kind in OffloadedWork.Kind.allCases {
                    router.on(.post, "/\(kind)") { _ in
                        .offloaded(
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

    @Test(arguments: [true, false])
    func `an offloaded handler whose client disconnects does not affect others`(resets: Bool) throws
    {
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

    // epoll reports a reset until the socket is closed, whatever the interest is: closing must not
    // wait for the response.
    @Test func `a reset connection is closed while its handler runs`() throws {
        let gate = Gate()
        let server = try slowServer(gate, .forTests { $0.maximumConnections = 1 })
        let gone = try server.client()
        try gone.send(.post("/slow", "for nobody"))
        #expect(gate.waitForArrival())
        // The worker stops reading when it finds bytes that it cannot handle yet.
        try gone.send(.get("/hello"))
        gone.reset()
        // The reset may take a moment to arrive.
        let isFree = try eventually {
            let other = try server.client()
            try other.send(.get("/hello"))
            return try other.response().status == 200
        }
        #expect(isFree)
        gate.open()
    }

    @Test func `an offloaded handler answers a client that has closed its sending side`() throws {
        let gate = Gate()
        let server = try slowServer(gate)
        let client = try server.client()
        try client.send(.post("/slow", "late"))
        client.closeWrite()
        #expect(gate.waitForArrival())
        gate.open()
        #expect(ServerResponse.all(in: try client.readToEnd()).map(\.content) == ["late"])
    }

    // The connection was rejected meanwhile: the log could not be written when the response before
    // was to be sent.
    @Test
    func `the response of an offloaded handler is dropped if its connection was rejected`() throws {
        let gate = Gate()
        let isBroken = Monitor(true)
        let server = try slowServer(gate) { isBroken.withLock { !$0 } }
        let client = try server.client()
        try client.send(.get("/audited") + .post("/slow", "too late"))
        #expect(gate.waitForArrival())
        #expect(try client.response().status == 503)
        isBroken.withLock { $0 = false }
        gate.open()
        // Through the same queue and mailbox, so after the dropped response.
        let other = try server.client()
        gate.open()
        try other.send(.post("/slow", "in time"))
        #expect(try other.response().content == "in time")
        #expect(try client.readToEnd() == "")
    }
}

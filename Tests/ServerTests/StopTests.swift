import Dispatch
import HTTP
import TestSupport
import Testing
import Time

@testable import Server

/// Stops a server on another thread, and tells when that is done.
private struct Stopping {
    private let done = DispatchSemaphore(value: 0)

    init(_ server: HTTPServer) {
        let done = done
        DispatchQueue(label: "stop").async {
            server.stop()
            done.signal()
        }
    }

    func isDone(within seconds: Double = 20) -> Bool {
        done.wait(timeout: .now() + seconds) == .success
    }
}

@Suite("A server that stops", .blocking, .serialized)
struct StopTests {
    /// What is begun has time to end, far more than `Stopping.isDone` has patience.
    private static let patient = ServerOptions.forTests { $0.drainTimeout = .seconds(300) }

    @Test("lets idle connections go and takes no new ones")
    func idle() throws {
        let server = try TestServer(Self.patient)
        let (used, unused) = (try server.client(), try server.client())
        try used.send(.get("/hello"))
        _ = try used.response()
        #expect(Stopping(server.server).isDone())
        #expect(try used.untilEnd() == "")
        // Perhaps it was never accepted: then it is reset.
        #expect((try? unused.untilEnd()) ?? "" == "")
        #expect(throws: Client.Failure.self) { try server.client() }
    }

    @Test("answers what comes to an idle connection while it stops, and says that it was the last")
    func requestAtTheEnd() throws {
        let server = try TestServer(
            .forTests {
                $0.drainTimeout = .seconds(3000)
                $0.lastRequestTimeout = .seconds(300)
            })
        let clients = [try server.client(), try server.client()]
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        let stopping = Stopping(server.server)
        // It stops once it takes no connections.
        while let client = try? server.client() { client.close() }
        for client in clients {
            try client.send(.get("/hello"))
            let response = try client.response()
            #expect(response.content == "hello")
            #expect(response["Connection"] == "close")
            #expect(try client.untilEnd() == "")
            client.close()
        }
        #expect(stopping.isDone())
    }

    @Test("may never have started")
    func neverStarted() throws {
        let server = try HTTPServer(
            Self.patient, routes: Router().routes(),
            hooks: ServerHooks(commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in }))
        #expect(Stopping(server).isDone())
    }

    @Test("may be stopped twice")
    func twice() throws {
        let server = try TestServer(Self.patient)
        #expect(Stopping(server.server).isDone())
        #expect(Stopping(server.server).isDone())
    }

    @Test("answers the request that a handler is at, and says that it was the last")
    func slowHandler() throws {
        let gate = Gate()
        let server = try TestServer(
            Self.patient,
            routes: { router in
                router.on(
                    .get, "/slow",
                    inTwoSteps: slowly { _ in
                        gate.pass()
                        return Response(.ok, json: Array("slow".utf8))
                    })
            })
        let (client, idle) = (try server.client(), try server.client())
        try idle.send(.get("/hello"))
        _ = try idle.response()
        try client.send(.get("/slow") + .get("/hello"))
        #expect(gate.waitForArrival())
        let stopping = Stopping(server.server)
        // That this one ends tells that the stop has begun.
        #expect(try idle.untilEnd() == "")
        gate.open()
        let responses = ServerResponse.all(in: try client.untilEnd())
        #expect(responses.map(\.content) == ["slow"])
        #expect(responses.first?["Connection"] == "close")
        client.close()
        #expect(stopping.isDone())
    }

    @Test("lets a client finish the request that it has begun")
    func halfRequest() throws {
        let server = try TestServer(Self.patient)
        let (client, idle) = (try server.client(), try server.client())
        try client.send("GET /hello HTTP/1.1\r\n")
        try idle.send(.get("/hello"))
        _ = try idle.response()
        let stopping = Stopping(server.server)
        #expect(try idle.untilEnd() == "")
        try client.send("Host: h\r\n\r\n")
        let response = try client.response()
        #expect(response.content == "hello")
        #expect(response["Connection"] == "close")
        #expect(try client.untilEnd() == "")
        client.close()
        #expect(stopping.isDone())
    }

    // The request and the wish to stop are in one batch, in this order: the response was made
    // before anybody knew that it would be the last one.
    @Test("does not wait for another request on a connection that it has just answered")
    func answeredInTheSameBatch() throws {
        let (gate, gated) = (Gate(), Events())
        let server = try TestServer(
            Self.patient,
            commit: {
                if gated.count("on") > gated.count("off") { gate.pass() }
                return true
            })
        let (first, second) = (try server.client(), try server.client())
        for client in [first, second] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        gated.add("on")
        try first.send(.get("/hello"))
        #expect(gate.waitForArrival())
        try second.send(.get("/other"))
        let stopping = Stopping(server.server)
        #expect(eventually { server.server.hasUnreadMail })
        gated.add("off")
        gate.open()
        #expect(try first.response().content == "hello")
        #expect(try second.response().content == "other")
        #expect(try first.untilEnd() == "")
        #expect(try second.untilEnd() == "")
        first.close()
        second.close()
        #expect(stopping.isDone())
    }

    @Test("sends a slow reader all that was answered, and then ends the connection")
    func slowReader() throws {
        let server = try TestServer(Self.patient)
        let (client, idle) = (try server.client(receiveBuffer: 4096), try server.client())
        try idle.send(.get("/hello"))
        _ = try idle.response()
        try client.send(String(repeating: .get("/large"), count: 200))
        #expect(client.hasReceived(within: 20_000))
        let stopping = Stopping(server.server)
        #expect(try idle.untilEnd() == "")
        let responses = ServerResponse.all(in: try client.untilEnd())
        #expect(responses.count > 0)
        #expect(responses.allSatisfy { $0.content == .large })
        client.close()
        #expect(stopping.isDone())
    }

    @Test("cuts off what is left when its time is over")
    func drainTimeout() throws {
        let gate = Gate()
        let server = try TestServer(routes: { router in
            router.on(
                .get, "/slow",
                inTwoSteps: slowly { _ in
                    gate.pass()
                    return Response(.ok)
                })
        })
        let (half, slow) = (try server.client(), try server.client())
        try half.send("GET /hel")
        try slow.send(.get("/slow"))
        #expect(gate.waitForArrival())
        #expect(Stopping(server.server).isDone())
        #expect(try half.untilEnd() == "")
        #expect(try slow.untilEnd() == "")
        // The handler's answer comes to a worker that has stopped.
        gate.open()
    }

    @Test("with several workers stops all of them")
    func workers() throws {
        let server = try TestServer(
            .forTests {
                $0.workers = 4
                $0.drainTimeout = .seconds(300)
            })
        let clients = try (0..<32).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        #expect(Stopping(server.server).isDone())
        for client in clients { #expect(try client.untilEnd() == "") }
    }
}

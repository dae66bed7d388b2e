import Dispatch
import HTTP
import TestSupport
import Testing
import Time

@testable import Server

/// Stops a server on another thread, and reports when it has stopped.
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

@Suite(.blocking, .serialized, .tags(.timing))
struct StopTests {
    /// Requests in progress have far more time to finish than `Stopping.isDone` waits.
    private static let withLongDrain = ServerOptions.forTests { $0.drainTimeout = .seconds(300) }

    @Test func `a stop closes idle connections and accepts no new ones`() throws {
        let server = try TestServer(Self.withLongDrain)
        let (used, unused) = (try server.client(), try server.client())
        try used.send(.get("/hello"))
        _ = try used.response()
        #expect(Stopping(server.server).isDone())
        #expect(try used.readToEnd() == "")
        // It may never have been accepted, and is then reset.
        #expect((try? unused.readToEnd()) ?? "" == "")
        #expect(throws: Client.Failure.self) { try server.client() }
    }

    @Test func `a request on an idle connection during a stop is answered as its last`() throws {
        let server = try TestServer(
            .forTests {
                $0.drainTimeout = .seconds(3000)
                $0.idleDrainTimeout = .seconds(300)
            })
        let clients = [try server.client(), try server.client()]
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        let stopping = Stopping(server.server)
        // The stop has begun once connections are refused.
        while let client = try? server.client() { client.close() }
        for client in clients {
            try client.send(.get("/hello"))
            let response = try client.response()
            #expect(response.content == "hello")
            #expect(response["Connection"] == "close")
            #expect(try client.readToEnd() == "")
            client.close()
        }
        #expect(stopping.isDone())
    }

    @Test func `a server that was never started can be stopped`() throws {
        let server = try HTTPServer(
            Self.withLongDrain, routes: Router().routes(),
            hooks: ServerHooks(commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in }))
        #expect(Stopping(server).isDone())
    }

    @Test func `a server can be stopped twice`() throws {
        let server = try TestServer(Self.withLongDrain)
        #expect(Stopping(server.server).isDone())
        #expect(Stopping(server.server).isDone())
    }

    @Test func `a stop waits for an offloaded handler, and its response is the last`() throws {
        let gate = Gate()
        let server = try TestServer(
            Self.withLongDrain,
            routes: { router in
                router.on(
                    .get, "/slow",
                    inTwoSteps: offloading { _ in
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
        // The end of this connection shows that the stop has begun.
        #expect(try idle.readToEnd() == "")
        gate.open()
        let responses = ServerResponse.all(in: try client.readToEnd())
        #expect(responses.map(\.content) == ["slow"])
        #expect(responses.first?["Connection"] == "close")
        client.close()
        #expect(stopping.isDone())
    }

    @Test func `a stop lets a client finish the request that it has begun`() throws {
        let server = try TestServer(Self.withLongDrain)
        let (client, idle) = (try server.client(), try server.client())
        try client.send("GET /hello HTTP/1.1\r\n")
        try idle.send(.get("/hello"))
        _ = try idle.response()
        let stopping = Stopping(server.server)
        #expect(try idle.readToEnd() == "")
        try client.send("Host: h\r\n\r\n")
        let response = try client.response()
        #expect(response.content == "hello")
        #expect(response["Connection"] == "close")
        #expect(try client.readToEnd() == "")
        client.close()
        #expect(stopping.isDone())
    }

    // The request and the stop are in one batch, in this order: the response was made before the
    // stop was known.
    @Test func `a stop does not wait for another request on a connection just answered`() throws {
        let (server, pause) = try TestServer.pausable(Self.withLongDrain)
        let (first, second) = (try server.client(), try server.client())
        for client in [first, second] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        pause.enable()
        try first.send(.get("/hello"))
        #expect(pause.waitForArrival())
        try second.send(.get("/other"))
        let stopping = Stopping(server.server)
        #expect(eventually { server.server.hasUnreadMessages })
        pause.disable()
        pause.open()
        #expect(try first.response().content == "hello")
        #expect(try second.response().content == "other")
        #expect(try first.readToEnd() == "")
        #expect(try second.readToEnd() == "")
        first.close()
        second.close()
        #expect(stopping.isDone())
    }

    @Test
    func `a stop sends a slow reader all its responses and then closes the connection`() throws {
        let server = try TestServer(Self.withLongDrain)
        let (client, idle) = (try server.client(receiveBuffer: 4096), try server.client())
        try idle.send(.get("/hello"))
        _ = try idle.response()
        try client.send(String(repeating: .get("/large"), count: 200))
        #expect(client.hasReceived(within: 20_000))
        let stopping = Stopping(server.server)
        #expect(try idle.readToEnd() == "")
        let responses = ServerResponse.all(in: try client.readToEnd())
        #expect(responses.count > 0)
        #expect(responses.allSatisfy { $0.content == .large })
        client.close()
        #expect(stopping.isDone())
    }

    @Test func `connections that are left at the drain timeout are closed`() throws {
        let gate = Gate()
        let server = try TestServer(routes: { router in
            router.on(
                .get, "/slow",
                inTwoSteps: offloading { _ in
                    gate.pass()
                    return Response(.ok)
                })
        })
        let (half, slow) = (try server.client(), try server.client())
        try half.send("GET /hel")
        try slow.send(.get("/slow"))
        #expect(gate.waitForArrival())
        #expect(Stopping(server.server).isDone())
        #expect(try half.readToEnd() == "")
        #expect(try slow.readToEnd() == "")
        // The handler's response arrives at a worker that has stopped.
        gate.open()
    }

    @Test func `a stop stops all workers`() throws {
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
        for client in clients { #expect(try client.readToEnd() == "") }
    }
}

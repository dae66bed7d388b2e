import HTTP
import Server
import TestSupport
import Testing

@Suite("A response", .blocking, .serialized)
struct CommitTests {
    @Test("leaves only when what it is about is on record")
    func afterCommit() throws {
        let gate = Gate()
        let server = try TestServer(commit: {
            gate.pass()
            return true
        })
        let client = try server.client()
        try client.send(.get("/hello") + .get("/other"))
        #expect(gate.waitForArrival())
        #expect(!client.hasReceived(within: 50))
        #expect(server.events.all == ["handle /hello", "handle /other", "commit"])
        gate.open()
        #expect(try client.response().content == "hello")
        #expect(try client.response().content == "other")
    }

    @Test("shares one commit with all that are ready at the same time")
    func batch() throws {
        let (gate, isGated) = (Gate(), Events())
        let server = try TestServer(commit: {
            if isGated.count("gated") == 1 { gate.pass() }
            return true
        })
        let clients = try (0..<20).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        // While the worker waits for the log with one response, the other requests come.
        isGated.add("gated")
        try clients[0].send(.get("/hello"))
        #expect(gate.waitForArrival())
        for client in clients.dropFirst() { try client.send(.get("/other")) }
        let before = server.events.all.count
        isGated.add("not any more")
        isGated.add("gated")
        gate.open()
        for client in clients { _ = try client.response() }
        #expect(
            Array(server.events.all[before...])
                == [String](repeating: "handle /other", count: 19) + ["commit"])
    }

    @Test("that cannot be put on record becomes a refusal, and the connection ends")
    func refused() throws {
        let server = try TestServer(commit: { false })
        let client = try server.client()
        try client.send(.get("/hello", "a") + .get("/audited", "b") + .get("/hello", "c"))
        let responses = ServerResponse.all(in: try client.untilEnd())
        #expect(responses.map(\.status) == [200, 503])
        #expect(responses.map { $0["X-Request-Id"] } == ["a", "b"])
        #expect(responses.last?.content == "{\"error\":\"Log unavailable\"}")
        #expect(responses.last?["Retry-After"] == "1")
        #expect(responses.last?["Connection"] == "close")
    }

    @Test("that has nothing on record stays, whatever becomes of the log")
    func unaudited() throws {
        let server = try TestServer(commit: { false })
        let client = try server.client()
        for _ in 0..<3 {
            try client.send(.get("/hello"))
            #expect(try client.response().content == "hello")
        }
    }

    @Test("is refused only for as long as the log is")
    func recovery() throws {
        let log = Events()
        let server = try TestServer(commit: { log.count("works") > 0 })
        let first = try server.client()
        try first.send(.get("/audited"))
        #expect(try first.response().status == 503)
        log.add("works")
        let second = try server.client()
        try second.send(.get("/audited"))
        #expect(try second.response().content == "audited")
    }

    @Test("to bytes that were refused waits for its line, too")
    func refusal() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET\r\n\r\n")
        let response = try client.response()
        #expect(
            server.events.all == [
                "refuse bad_request_line 400 \(response["X-Request-Id"]!)", "commit",
            ])
    }
}

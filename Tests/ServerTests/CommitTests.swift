import HTTP
import Server
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct CommitTests {
    @Test func `a response is sent only after its commit`() throws {
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

    @Test func `responses of one batch share one commit`() throws {
        let (server, pause) = try TestServer.pausable()
        let clients = try (0..<20).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        // The other requests arrive while the worker is in the commit of one response.
        pause.enable()
        try clients[0].send(.get("/hello"))
        #expect(pause.waitForArrival())
        for client in clients.dropFirst() { try client.send(.get("/other")) }
        let before = server.events.all.count
        pause.disable()
        pause.open()
        for client in clients { _ = try client.response() }
        #expect(
            Array(server.events.all[before...])
                == [String](repeating: "handle /other", count: 19) + ["commit"])
    }

    @Test func `a response that cannot be recorded becomes 503, and its connection ends`() throws {
        let server = try TestServer(commit: { false })
        let client = try server.client()
        try client.send(.get("/hello", "a") + .get("/audited", "b") + .get("/hello", "c"))
        let responses = ServerResponse.all(in: try client.readToEnd())
        #expect(responses.map(\.status) == [200, 503])
        #expect(responses.map { $0["X-Request-Id"] } == ["a", "b"])
        #expect(responses.last?.content == "{\"error\":\"Log unavailable\"}")
        #expect(responses.last?["Retry-After"] == "1")
        #expect(responses.last?["Connection"] == "close")
    }

    @Test func `a response without a recorded event is sent although the log fails`() throws {
        let server = try TestServer(commit: { false })
        let client = try server.client()
        for _ in 0..<3 {
            try client.send(.get("/hello"))
            #expect(try client.response().content == "hello")
        }
    }

    @Test func `responses are refused only while the log fails`() throws {
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

    @Test func `the response to an invalid request is sent after its commit`() throws {
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

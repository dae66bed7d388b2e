import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@Suite("A connection", .blocking, .serialized)
struct ConnectionTests {
    @Test("whose client has ended its side is still answered, then ends")
    func halfClosed() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(.get("/hello") + .get("/large") + .get("/other"))
        client.endSending()
        let responses = ServerResponse.all(in: try client.untilEnd())
        #expect(responses.map(\.content) == ["hello", .large, "other"])
    }

    @Test("that ends inside a request is refused")
    func halfRequest() throws {
        let server = try TestServer()
        let halves = [
            "G", "GET /hello HTTP/1.1\r\n", "GET /hello HTTP/1.1\r\nHost: h\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n1",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        ]
        for half in halves {
            let client = try server.client()
            try client.send(.get("/hello") + half)
            client.endSending()
            let responses = ServerResponse.all(in: try client.untilEnd())
            #expect(responses.map(\.status) == [200, 400])
            #expect(
                server.events.all.contains(
                    "refuse incomplete 400 \(responses.last?["X-Request-Id"] ?? "")"))
        }
    }

    @Test("that ends between two requests ends without a word")
    func emptyEnd() throws {
        let server = try TestServer()
        let client = try server.client()
        client.endSending()
        #expect(try client.untilEnd() == "")
        #expect(server.events.all == [])
    }

    @Test("that is reset takes nothing with it")
    func resets() throws {
        let server = try TestServer()
        let lasting = try server.client()
        for bytes in ["", "GET /hel", .get("/hello"), .get("/large") + .get("/large"), "\r\r\r"] {
            for _ in 0..<20 {
                let client = try server.client()
                try client.send(bytes)
                client.reset()
            }
            try lasting.send(.get("/hello"))
            #expect(try lasting.response().content == "hello")
        }
    }

    @Test("makes room for a new one if it is the one that has been idle longest")
    func oldestGoes() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 3 })
        let clients = try (0..<3).map { _ in try server.client() }
        for index in [1, 0, 2] {
            try clients[index].send(.get("/hello"))
            _ = try clients[index].response()
        }
        let new = try server.client()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
        #expect(try clients[1].untilEnd() == "")
        for index in [0, 2] {
            try clients[index].send(.get("/hello"))
            #expect(try clients[index].response().status == 200)
        }
    }

    // The worker is held up until a new connection and, behind it, the request have come.
    @Test("does not make room if it has just asked, though nobody has read that yet")
    func asksAndStays() throws {
        let (gate, gated) = (Gate(), Events())
        let server = try TestServer(
            .forTests { $0.maximumConnections = 3 },
            commit: {
                if gated.count("on") > gated.count("off") { gate.pass() }
                return true
            })
        let (oldest, second, last) = (
            try server.client(), try server.client(), try server.client()
        )
        for client in [oldest, second, last] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        gated.add("on")
        try last.send(.get("/hello"))
        #expect(gate.waitForArrival())
        let new = try server.client()
        try oldest.send(.get("/other"))
        gated.add("off")
        gate.open()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
        #expect(try oldest.response().content == "other")
        #expect(try second.untilEnd() == "")
    }

    @Test("that asks in the very moment when room is wanted stays, and another makes room")
    func asksInTheSameBatch() throws {
        let (gate, gated) = (Gate(), Events())
        let server = try TestServer(
            .forTests { $0.maximumConnections = 3 },
            commit: {
                if gated.count("on") > gated.count("off") { gate.pass() }
                return true
            })
        let (oldest, second, last) = (
            try server.client(), try server.client(), try server.client()
        )
        for client in [oldest, second, last] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        gated.add("on")
        try last.send(.get("/hello"))
        #expect(gate.waitForArrival())
        // Before the connection, so that both come in this order in one batch; and the client's half of
        // the connection ends behind its request.
        try oldest.send(.get("/other"))
        oldest.endSending()
        let new = try server.client()
        try new.send(.get("/hello"))
        gated.add("off")
        gate.open()
        #expect(try new.response().status == 200)
        #expect(try oldest.response().content == "other")
        #expect(try second.untilEnd() == "")
        #expect(server.events.all.filter { $0.hasPrefix("refuse") } == [])
    }

    @Test("of one worker makes room for one of another", arguments: [1, 2, 5])
    func neighbours(maximum: Int) throws {
        let server = try TestServer(
            .forTests {
                $0.workers = 4
                $0.maximumConnections = maximum
            })
        var clients: [Client] = []
        for _ in 0..<40 {
            let client = try server.client()
            try client.send(.get("/hello"))
            #expect(try client.response().status == 200)
            clients.append(client)
        }
        #expect(server.server.statistics.tooMany == 0)
        #expect(eventually { server.server.statistics.connections == maximum })
        for client in clients { client.endSending() }
        #expect(eventually { server.server.statistics.connections == 0 })
    }

    @Test("is refused by every worker if there are too many and none is idle anywhere")
    func tooManyForAll() throws {
        let server = try TestServer(
            .forTests {
                $0.workers = 4
                $0.maximumConnections = 3
            })
        let busy = try (0..<3).map { _ in try server.client() }
        for client in busy {
            try client.send(.get("/hello") + "GET /oth")
            _ = try client.response()
        }
        // More than there may be at a time, of whom nobody goes by himself.
        let refused = try (0..<100).map { _ in try server.client() }
        for client in refused { #expect(try client.response().status == 503) }
        for client in busy {
            try client.send("er HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "other")
        }
        // Those that are refused take nobody's place.
        let new = try server.client()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
    }

    @Test("is refused if there are too many and none is idle")
    func tooMany() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 2 })
        let busy = try (0..<2).map { _ in try server.client() }
        for client in busy { try client.send(.get("/hello") + "GET /oth") }
        for client in busy { _ = try client.response() }

        let refused = try server.client()
        let response = try refused.response()
        #expect(response.status == 503)
        #expect(response.content == "{\"error\":\"Too many connections\"}")
        #expect(response["Retry-After"] == "1")
        #expect(response["Connection"] == "close")
        #expect(
            server.events.all.contains(
                "refuse too_many_connections 503 \(response["X-Request-Id"]!)"))
        for client in busy {
            try client.send("er HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "other")
        }
    }

    @Test("has a number of its own, even where another used its place before")
    func reusedPlaces() throws {
        let server = try TestServer()
        for round in 0..<200 {
            let client = try server.client()
            try client.send(.post("/echo", "\(round)"))
            #expect(try client.response().content == "\(round)")
        }
    }
}

@Suite("A listener", .blocking)
struct ListenerTests {
    @Test("takes no address that is in use, not even by another server of this program")
    func addressInUse() throws {
        let server = try TestServer()
        let options = ServerOptions.forTests { $0.address = server.server.address }
        #expect(throws: Errno.addressInUse) { try TestServer(options) }
    }

    @Test("takes an address again that was just in use")
    func reuse() throws {
        // At once, or somebody else has it.
        let first = try TestServer(
            .forTests { $0.lastRequestTimeout = TimeAmount(milliseconds: 0) })
        let client = try first.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        first.server.stop()
        let second = try TestServer(.forTests { $0.address = first.server.address })
        let other = try second.client()
        try other.send(.get("/hello"))
        #expect(try other.response().content == "hello")
    }

    @Test("needs an address of this machine")
    func foreignAddress() {
        // RFC 5737: for documentation.
        let options = ServerOptions.forTests { $0.address = SocketAddress("192.0.2.1", port: 0)! }
        #expect(throws: Errno.self) { try TestServer(options) }
    }
}

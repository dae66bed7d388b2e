import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized, .tags(.timing))
struct ConnectionTests {
    @Test func `a client that has closed its sending side still gets its responses`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(.get("/hello") + .get("/large") + .get("/other"))
        client.closeWrite()
        let responses = ServerResponse.all(in: try client.readToEnd())
        #expect(responses.map(\.content) == ["hello", .large, "other"])
    }

    @Test func `a connection that ends inside a request is rejected`() throws {
        let server = try TestServer()
        let halves = [
            "G", "GET /hello HTTP/1.1\r\n", "GET /hello HTTP/1.1\r\nHost: h\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n1",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        ]
        for half in halves {
            let client = try server.client()
            try client.send(.get("/hello") + half)
            client.closeWrite()
            let responses = ServerResponse.all(in: try client.readToEnd())
            #expect(responses.map(\.status) == [200, 400])
            #expect(
                server.events.all.contains(
                    "refuse incomplete 400 \(responses.last?["X-Request-Id"] ?? "")"))
        }
    }

    @Test func `a connection that ends between two requests gets no response`() throws {
        let server = try TestServer()
        let client = try server.client()
        client.closeWrite()
        #expect(try client.readToEnd() == "")
        #expect(server.events.all == [])
    }

    @Test func `a reset connection does not affect others`() throws {
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

    @Test func `the longest idle connection is evicted for a new one`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 3 })
        let clients = try (0..<3).map { _ in try server.client() }
        for index in [1, 0, 2] {
            try clients[index].send(.get("/hello"))
            _ = try clients[index].response()
        }
        let new = try server.client()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
        #expect(try clients[1].readToEnd() == "")
        for index in [0, 2] {
            try clients[index].send(.get("/hello"))
            #expect(try clients[index].response().status == 200)
        }
    }

    // The worker is paused until a new connection and then the request have arrived.
    @Test func `a connection with an unread request is not evicted`() throws {
        let (server, pause) = try TestServer.pausable(.forTests { $0.maximumConnections = 3 })
        let (oldest, second, last) = (
            try server.client(), try server.client(), try server.client()
        )
        for client in [oldest, second, last] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        pause.enable()
        try last.send(.get("/hello"))
        #expect(pause.waitForArrival())
        let new = try server.client()
        try oldest.send(.get("/other"))
        pause.disable()
        pause.open()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
        #expect(try oldest.response().content == "other")
        #expect(try second.readToEnd() == "")
    }

    @Test func `a connection whose request arrives in the same batch is not evicted`() throws {
        let (server, pause) = try TestServer.pausable(.forTests { $0.maximumConnections = 3 })
        let (oldest, second, last) = (
            try server.client(), try server.client(), try server.client()
        )
        for client in [oldest, second, last] {
            try client.send(.get("/hello"))
            _ = try client.response()
        }
        pause.enable()
        try last.send(.get("/hello"))
        #expect(pause.waitForArrival())
        // Before the connection, so that both events come in this order in one batch. The client
        // closes its sending side after the request.
        try oldest.send(.get("/other"))
        oldest.closeWrite()
        let new = try server.client()
        try new.send(.get("/hello"))
        pause.disable()
        pause.open()
        #expect(try new.response().status == 200)
        #expect(try oldest.response().content == "other")
        #expect(try second.readToEnd() == "")
        #expect(server.events.all.filter { $0.hasPrefix("refuse") } == [])
    }

    @Test(arguments: [1, 2, 5])
    func `a connection of one worker is evicted for one of another`(maximum: Int) throws {
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
        for client in clients { client.closeWrite() }
        #expect(eventually { server.server.statistics.connections == 0 })
    }

    @Test func `every worker rejects connections above the limit if none is idle`() throws {
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
        // More than may be open at a time, and no client closes its connection.
        let refused = try (0..<100).map { _ in try server.client() }
        for client in refused { #expect(try client.response().status == 503) }
        for client in busy {
            try client.send("er HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "other")
        }
        // Rejected connections do not count.
        let new = try server.client()
        try new.send(.get("/hello"))
        #expect(try new.response().status == 200)
    }

    @Test func `a connection above the limit is rejected if none is idle`() throws {
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

    @Test func `a connection that reuses a slot has an ID of its own`() throws {
        let server = try TestServer()
        for round in 0..<200 {
            let client = try server.client()
            try client.send(.post("/echo", "\(round)"))
            #expect(try client.response().content == "\(round)")
        }
    }
}

@Suite(.blocking)
struct ListenerTests {
    @Test func `an address in use is refused, also to a second server of this program`() throws {
        let server = try TestServer()
        let options = ServerOptions.forTests { $0.address = server.server.address }
        #expect(throws: Errno.addressInUse) { try TestServer(options) }
    }

    @Test func `an address that was just in use can be bound again`() throws {
        // At once, before another process takes the port.
        let first = try TestServer(
            .forTests { $0.idleDrainTimeout = TimeAmount(milliseconds: 0) })
        let client = try first.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        first.server.stop()
        let second = try TestServer(.forTests { $0.address = first.server.address })
        let other = try second.client()
        try other.send(.get("/hello"))
        #expect(try other.response().content == "hello")
    }

    @Test func `an address of another machine is refused`() {
        // RFC 5737: reserved for documentation.
        let options = ServerOptions.forTests { $0.address = SocketAddress("192.0.2.1", port: 0)! }
        #expect(throws: Errno.self) { try TestServer(options) }
    }
}

import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized)
struct ConnectionSharesTests {
    private static let halfHead = "GET /hello HTTP/1.1\r\nX: "
    private static let halfBody = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1"

    /// Connections of one network that have sent these bytes, which the server has read.
    private func hold(
        _ count: Int, _ bytes: String, on server: TestServer, from source: String = "127.8.0.1"
    ) throws -> [Client] {
        try (0..<count).map { _ in
            let client = try server.client(from: source)
            try client.send(.get("/hello") + bytes)
            _ = try client.response()
            return client
        }
    }

    @Test(arguments: [1, 4], [halfHead, halfBody])
    func `other clients are served while one network holds all connections`(
        workers: Int, bytes: String
    ) throws {
        let server = try TestServer(
            .forTests {
                $0.workers = workers
                $0.maximumConnections = 20
            })
        let held = try hold(20, bytes, on: server)
        for index in 0..<30 {
            let other = try server.client(from: "127.9.0.\(1 + index % 3)")
            try other.send(.get("/other"))
            #expect(try other.response().content == "other")
        }
        let evicted = server.server.statistics.evicted
        #expect(evicted.head + evicted.body > 0)
        withExtendedLifetime(held) {}
    }

    @Test func `a client whose unfinished request is evicted gets 503`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 2 })
        let held = try hold(2, Self.halfHead, on: server)
        let other = try server.client(from: "127.9.0.1")
        try other.send(.get("/other"))
        #expect(try other.response().status == 200)
        // The oldest of the two.
        let response = try held[0].response()
        #expect(response.status == 503)
        #expect(response.content == "{\"error\":\"Too many connections\"}")
        try held[1].send("x\r\nHost: h\r\n\r\n")
        #expect(try held[1].response().status == 200)
    }

    @Test func `idle connections of a network are evicted first, then heads, then bodies`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 6 })
        let bodies = try hold(2, Self.halfBody, on: server)
        let heads = try hold(2, Self.halfHead, on: server)
        let idle = try hold(2, "", on: server)
        var others: [Client] = []
        func evicted() -> [UInt64] {
            let evicted = server.server.statistics.evicted
            return [evicted.idle, evicted.head, evicted.body]
        }
        var counts: [[UInt64]] = []
        for index in 1...5 {
            let other = try server.client(from: "127.9.0.\(index)")
            try other.send(.get("/hello") + Self.halfHead)
            #expect(try other.response().status == 200)
            others.append(other)
            counts.append(evicted())
        }
        #expect(counts == [[1, 0, 0], [2, 0, 0], [2, 1, 0], [2, 2, 0], [2, 2, 1]])
        // Each network now has one connection, and none is idle.
        let refused = try server.client(from: "127.9.0.6")
        #expect(try refused.response().status == 503)
        withExtendedLifetime((bodies, heads, idle, others)) {}
    }

    @Test func `connections of a network that reads no responses are evicted`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 3 })
        var held: [Client] = []
        for _ in 0..<3 {
            let client = try server.client(receiveBuffer: 4096, from: "127.8.0.1")
            try client.send(String(repeating: .get("/large"), count: 100))
            #expect(eventually { client.hasReceived() })
            held.append(client)
        }
        let other = try server.client(from: "127.9.0.1")
        #expect(
            eventually {
                // From a third network: that of `other` may have as many connections as the first
                // by now.
                guard let client = try? server.client(from: "127.9.0.2") else { return false }
                try? client.send(.get("/other"))
                return (try? client.response())?.status == 200
            })
        #expect(server.server.statistics.evicted.response > 0, "\(server.server.statistics)")
        withExtendedLifetime((held, other)) {}
    }

    @Test func `a client that waits for an eviction gets 503 if it is evicted itself`() throws {
        let gate = Gate()
        let server = try TestServer(
            .forTests { $0.maximumConnections = 3 },
            routes: { router in
                router.on(
                    .get, "/slow",
                    inTwoSteps: offloading { _ in
                        gate.pass()
                        return Response(.ok, json: Array("slow".utf8))
                    })
            })
        let busy = try (0..<3).map { _ in
            let client = try server.client(from: "127.8.0.1")
            try client.send(.get("/slow"))
            return client
        }
        #expect(gate.waitForArrival())
        #expect(
            eventually {
                let computing = server.server.statistics.cpuBound
                return computing.running + computing.waiting == 3
            })
        let waiting = try (0..<2).map { _ in
            let client = try server.client(from: "127.8.0.2")
            try client.send(.get("/hello"))
            return client
        }
        let other = try server.client(from: "127.8.0.3")
        try other.send(.get("/other"))
        #expect(try other.response().content == "other")
        // The second one may have taken the place of `other`, once that was idle.
        gate.open(for: 3)
        let statuses = try waiting.map { try $0.response().status }
        #expect(statuses == [503, 200])
        for client in busy { #expect(try client.response().content == "slow") }
    }

    @Test func `a new connection of the network with the most connections is rejected`() throws {
        let server = try TestServer(.forTests { $0.maximumConnections = 4 })
        let others = try hold(1, Self.halfHead, on: server, from: "127.9.0.1")
        let held = try hold(3, Self.halfHead, on: server)
        for _ in 0..<10 {
            #expect(try server.client(from: "127.8.0.1").response().status == 503)
        }
        for client in others + held {
            try client.send("x\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "hello")
        }
    }

    @Test
    func `no request of a trusted proxy is evicted, however many connections it has`() throws {
        let proxies = try TrustedProxies(parsing: ["127.8.0.0/16"])
        let server = try TestServer(
            .forTests {
                $0.maximumConnections = 4
                $0.trustedProxies = proxies
            })
        let held = try hold(4, Self.halfHead, on: server)
        #expect(try server.client(from: "127.9.0.1").response().status == 503)
        for client in held {
            try client.send("x\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "hello")
        }
        // Now they are idle.
        let other = try server.client(from: "127.9.0.1")
        try other.send(.get("/other"))
        #expect(try other.response().content == "other")
    }

    @Test func `requests that are unfinished for long are evicted when descriptors run out`() {
        var shares = ConnectionShares()
        let networks = ClientNetworks(ClientAddress(Array("127.8.0.1".utf8).span)!)
        for (index, kind) in [ConnectionActivity.Kind.busy, .body, .head, .head].enumerated() {
            let since = MonotonicTime(nanoseconds: Int64(10 - index))
            _ = shares.add(
                networks, worker: 0, token: UInt64(index), ConnectionActivity(kind, since: since))
        }
        func victim(since nanoseconds: Int64) -> UInt64? {
            let start = MonotonicTime(nanoseconds: nanoseconds)
            let choice = shares.takeVictim(unfinishedSince: start, worker: 0)
            guard case .victim(let victim) = choice else { return nil }
            return victim.connectionID
        }
        #expect(victim(since: 6) == nil)
        #expect(victim(since: 7) == 3)
        #expect(victim(since: 7) == nil)
        #expect(victim(since: 9) == 2)
        #expect(victim(since: 9) == 1)
        #expect(victim(since: 100) == nil)
    }
}

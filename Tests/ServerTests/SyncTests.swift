import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

/// A disk whose syncs complete when a test calls `finish`.
private final class SlowDisk: Sendable {
    private let waiting = Monitor<[@Sendable (Bool) -> Void]>([])

    var count: Int { waiting.withLock(\.count) }

    func synchronize(_ done: @escaping @Sendable (Bool) -> Void) {
        waiting.withLock { $0.append(done) }
    }

    func finish(_ isOnDisk: Bool = true) {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for done in all { done(isOnDisk) }
    }
}

@Suite(.blocking, .serialized, .tags(.timing))
struct SyncTests {
    private let disk = SlowDisk()

    private func server(_ options: ServerOptions = .forTests) throws -> TestServer {
        try TestServer(options, synchronize: disk.synchronize)
    }

    @Test
    func `a response that waits for a sync does not delay other clients of its worker`() throws {
        let server = try server()
        let (client, other) = (try server.client(), try server.client())
        try client.send(.get("/synced") + .get("/hello"))
        #expect(eventually { disk.count == 1 })
        for _ in 0..<20 {
            try other.send(.get("/audited"))
            #expect(try other.response().content == "audited")
        }
        // None of it was sent, and the next request was not handled.
        #expect(server.events.count("handle /hello") == 0)
        disk.finish()
        #expect(try client.response().content == "synced")
        #expect(try client.response().content == "hello")
    }

    @Test func `a response is replaced by 503 if its sync fails`() throws {
        let server = try server()
        let client = try server.client()
        try client.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        disk.finish(false)
        let response = try client.response()
        #expect(response.status == 503)
        #expect(response.content == "{\"error\":\"Log unavailable\"}")
        #expect(try client.readToEnd() == "")
    }

    @Test func `a grant is refused if too many wait for a sync, but a refusal is sent`() throws {
        let server = try server(.forTests { $0.maximumConnections = 16 })
        // Waiting refusals do not count against responses that grant something.
        let refused = try (0..<2).map { _ in try server.client() }
        for client in refused { try client.send(.get("/refused")) }
        #expect(eventually { server.events.count("handle /refused") == 2 })
        let held = try (0..<2).map { _ in try server.client() }
        for client in held { try client.send(.get("/synced")) }
        #expect(eventually { server.events.count("handle /synced") == 2 })
        let client = try server.client()
        try client.send(.get("/refused"))
        #expect(try client.response().content == "refused")
        try client.send(.get("/synced"))
        #expect(try client.response().status == 503)
        #expect((held + refused).allSatisfy { !$0.hasReceived() })
        disk.finish()
        for client in refused { #expect(try client.response().content == "refused") }
        for client in held { #expect(try client.response().content == "synced") }
        // Another response can wait again.
        let last = try server.client()
        try last.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        disk.finish()
        #expect(try last.response().content == "synced")
    }

    @Test func `a response is replaced if its sync fails, although its event is written`() throws {
        let response = Response(.ok, json: []).synced.alreadyCommitted
        let server = try TestServer(
            synchronize: disk.synchronize,
            routes: { $0.on(.get, "/settled") { _ in response } })
        let client = try server.client()
        try client.send(.get("/settled"))
        #expect(eventually { disk.count == 1 })
        disk.finish(false)
        #expect(try client.response().status == 503)
    }

    @Test func `a response that waits for a sync is not evicted`() throws {
        let server = try server(.forTests { $0.maximumConnections = 16 })
        let held = try (0..<2).map { _ in try server.client(from: "127.8.0.1") }
        for client in held { try client.send(.get("/synced") + "GET /h") }
        #expect(eventually { server.events.count("handle /synced") == 2 })
        let others = try (0..<14).map { index in
            let client = try server.client(from: "127.9.0.\(index + 1)")
            try client.send(.get("/hello") + "GET /h")
            #expect(try client.response().content == "hello")
            return client
        }
        let newClient = try server.client(from: "127.10.0.1")
        try newClient.send(.get("/hello"))
        #expect(!newClient.hasReceived(within: 20))
        disk.finish()
        for client in held { #expect(try client.response().content == "synced") }
        #expect(try newClient.response().content == "hello")
        withExtendedLifetime(others) {}
    }

    @Test func `a client that disconnects while its response waits is no longer counted`() throws {
        let server = try server(.forTests { $0.maximumConnections = 8 })
        for round in 1...3 {
            let client = try server.client()
            try client.send(.get("/synced"))
            #expect(eventually { disk.count == round })
            client.reset()
            #expect(eventually { server.server.statistics.connections == 0 })
        }
        let client = try server.client()
        try client.send(.get("/synced"))
        #expect(eventually { disk.count == 4 })
        disk.finish()
        #expect(try client.response().content == "synced")
    }

    @Test func `a stop waits for a response that is held until a sync`() throws {
        let server = try server(.forTests { $0.drainTimeout = .seconds(60) })
        let client = try server.client()
        try client.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        let isClean = Monitor(false)
        let stop = TestThread {
            let stopped = server.server.stop()
            isClean.withLock { $0 = stopped }
        }
        // The stop has begun once connections are refused.
        while let client = try? server.client() { client.close() }
        disk.finish()
        #expect(try client.response().content == "synced")
        stop.join()
        #expect(isClean.withLock { $0 })
    }
}

import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

/// A disk whose syncs end when a test says so.
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

@Suite("A response whose event must be on the disk", .blocking, .serialized)
struct SyncTests {
    private let disk = SlowDisk()

    private func server(_ options: ServerOptions = .forTests) throws -> TestServer {
        try TestServer(options, synchronize: disk.synchronize)
    }

    @Test func `waits for the sync, and lets the other clients of its worker not wait`() throws {
        let server = try server()
        let (client, other) = (try server.client(), try server.client())
        try client.send(.get("/synced") + .get("/hello"))
        #expect(eventually { disk.count == 1 })
        for _ in 0..<20 {
            try other.send(.get("/audited"))
            #expect(try other.response().content == "audited")
        }
        // Nothing of it has left, and what came after it was not handled.
        #expect(server.events.count("handle /hello") == 0)
        disk.finish()
        #expect(try client.response().content == "synced")
        #expect(try client.response().content == "hello")
    }

    @Test func `is taken back if the sync fails`() throws {
        let server = try server()
        let client = try server.client()
        try client.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        disk.finish(false)
        let response = try client.response()
        #expect(response.status == 503)
        #expect(response.content == "{\"error\":\"Log unavailable\"}")
        #expect(try client.untilEnd() == "")
    }

    @Test func `is refused if too many wait, but a refusal is sent`() throws {
        let server = try server(.forTests { $0.maximumConnections = 16 })
        // Refusals take no room from what grants something.
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
        // There is room again.
        let last = try server.client()
        try last.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        disk.finish()
        #expect(try last.response().content == "synced")
    }

    @Test func `is taken back if the sync fails, although its line is written already`() throws {
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

    @Test func `is sent although its network is to make room meanwhile`() throws {
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
        let newcomer = try server.client(from: "127.10.0.1")
        try newcomer.send(.get("/hello"))
        #expect(!newcomer.hasReceived(within: 20))
        disk.finish()
        for client in held { #expect(try client.response().content == "synced") }
        #expect(try newcomer.response().content == "hello")
        withExtendedLifetime(others) {}
    }

    @Test func `leaves room for others when its client goes`() throws {
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

    @Test func `is awaited by a stop`() throws {
        let server = try server(.forTests { $0.drainTimeout = .seconds(60) })
        let client = try server.client()
        try client.send(.get("/synced"))
        #expect(eventually { disk.count == 1 })
        let isClean = Monitor(false)
        let stop = Running {
            let stopped = server.server.stop()
            isClean.withLock { $0 = stopped }
        }
        // It stops once it takes no connections.
        while let client = try? server.client() { client.close() }
        disk.finish()
        #expect(try client.response().content == "synced")
        stop.join()
        #expect(isClean.withLock { $0 })
    }
}

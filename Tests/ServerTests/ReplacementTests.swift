import Dispatch
import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

private func routes(_ answer: String) -> RouteTable {
    var router = Router()
    let response = Response(.ok, json: Array(answer.utf8))
    router.on(.get, "/answer") { _ in response }
    router.on(.post, "/answer") { _ in response }
    return router.routes()
}

@Suite(.blocking, .serialized, .tags(.timing))
struct ReplacementTests {
    @Test func `new routes apply to all workers, on old and new connections`() throws {
        let server = try TestServer(.forTests { $0.workers = 4 })
        var clients = try (0..<16).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/hello"))
            #expect(try client.response().content == "hello")
        }
        #expect(server.replace(routes: ServerTests.routes("new"), options: .forTests))
        clients += try (0..<16).map { _ in try server.client() }
        for client in clients {
            try client.send(.get("/answer") + .get("/hello"))
            #expect(try client.response().content == "new")
            #expect(try client.response().status == 404)
        }
    }

    @Test func `new limits apply to new connections only`() throws {
        let server = try TestServer()
        let old = try server.client()
        try old.send(.get("/hello"))
        _ = try old.response()
        let options = ServerOptions.forTests { $0.limits = Conversation.Limits(body: 3) }
        #expect(server.replace(routes: ServerTests.routes("new"), options: options))
        let new = try server.client()
        for client in [old, new] { try client.send(.post("/answer", "1234")) }
        #expect(try old.response().content == "new")
        #expect(try new.response().status == 413)
    }

    @Test func `new timeouts apply after a replacement`() throws {
        let server = try TestServer()
        let options = ServerOptions.forTests { $0.idleTimeout = TimeAmount(milliseconds: 1) }
        #expect(server.replace(routes: ServerTests.routes("new"), options: options))
        let client = try server.client()
        try client.send(.get("/answer"))
        _ = try client.response()
        #expect(try client.readToEnd() == "")
        #expect(server.server.statistics.timeouts.idle == 1)
    }

    @Test func `a new connection limit applies without closing connections`() throws {
        let server = try TestServer()
        let busy = try (0..<3).map { _ in try server.client() }
        for client in busy { try client.send(.get("/hello") + "GET /answer HT") }
        for client in busy { _ = try client.response() }
        let options = ServerOptions.forTests { $0.maximumConnections = 2 }
        #expect(server.replace(routes: ServerTests.routes("new"), options: options))
        #expect(try server.client().response().status == 503)
        for client in busy {
            try client.send("TP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.response().content == "new")
        }
    }

    @Test func `a request in progress is finished by the old routes`() throws {
        let gate = Gate()
        let server = try TestServer(routes: { router in
            router.on(
                .get, "/slow",
                inTwoSteps: offloading { _ in
                    gate.pass()
                    return Response(.ok, json: Array("old".utf8))
                })
        })
        let client = try server.client()
        try client.send(.get("/slow") + .get("/answer"))
        #expect(gate.waitForArrival())
        #expect(server.replace(routes: ServerTests.routes("new"), options: .forTests))
        gate.open()
        #expect(try client.response().content == "old")
        #expect(try client.response().content == "new")
    }

    @Test
    func `replace returns false while a worker is blocked, which applies the update later`() throws
    {
        let gate = Gate()
        let server = try TestServer(routes: { router in
            router.on(.get, "/blocking") { _ in
                gate.pass()
                return Response(.ok)
            }
        })
        let client = try server.client()
        try client.send(.get("/blocking"))
        #expect(gate.waitForArrival())
        #expect(
            !server.server.replace(
                routes: ServerTests.routes("new"), options: .forTests, within: 0.1))
        gate.open()
        _ = try client.response()
        #expect(server.replace(routes: ServerTests.routes("newer"), options: .forTests))
        try client.send(.get("/answer"))
        #expect(try client.response().content == "newer")
    }

    @Test func `the new drain timeout applies to a stop`() throws {
        let server = try TestServer(.forTests { $0.drainTimeout = .seconds(3600) })
        let half = try server.client()
        try half.send(.get("/hello") + "GET /ans")
        _ = try half.response()
        server.replace(routes: ServerTests.routes("new"), options: .forTests)
        #expect(!server.server.stop())
    }

    @Test func `replacing routes under load loses no request and never uses older routes`() throws {
        let server = try TestServer(.forTests { $0.workers = 2 })
        #expect(server.replace(routes: ServerTests.routes("0"), options: .forTests))
        let (latest, isDone) = (Monitor(0), Monitor(false))
        let (answers, failures) = (Monitor(0), Events())
        let (port, limit) = (server.port, TestScale.rounds(100, long: 3000))
        let clients = (0..<4).map { number in
            TestThread {
                do {
                    var client = try Client(port: port)
                    repeat {
                        // One client reconnects for each request, and one sends eight at once.
                        if number == 3 { client = try Client(port: port) }
                        let count = number == 2 ? 8 : 1
                        let oldest = latest.withLock { $0 }
                        try client.send(String(repeating: .get("/answer"), count: count))
                        for _ in 0..<count {
                            let response = try client.response()
                            if response.status != 200 || Int(response.content) ?? -1 < oldest {
                                failures.add("\(response) after \(oldest)")
                            }
                        }
                        answers.withLock { $0 += count }
                    } while !isDone.withLock { $0 }
                } catch {
                    failures.add("\(error)")
                }
            }
        }
        for number in 1...limit {
            #expect(
                server.replace(
                    routes: ServerTests.routes("\(number)"),
                    options: .forTests { $0.idleTimeout = .seconds(Int64(60 + number % 3)) }))
            latest.withLock { $0 = number }
        }
        isDone.withLock { $0 = true }
        for client in clients { client.join() }
        #expect(failures.all == [])
        #expect(answers.withLock { $0 } > 0)
    }
}

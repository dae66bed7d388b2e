import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite("A client that takes its time", .blocking, .serialized)
struct TimeoutTests {
    private func server(_ change: (inout ServerOptions) -> Void) throws -> TestServer {
        try TestServer(.forTests(change))
    }

    @Test("and says nothing is let go without a word")
    func silent() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 100) }
        #expect(try server.client().untilEnd() == "")
        #expect(server.events.all == [])
    }

    @Test("cannot put the end off with an empty line either")
    func emptyLine() throws {
        let server = try server {
            $0.headTimeout = TimeAmount(milliseconds: 100)
            $0.idleTimeout = .seconds(600)
        }
        let client = try server.client()
        try client.send("\r\n")
        #expect(try client.untilEnd() == "")
        #expect(server.server.statistics.timeouts.head == 1)
    }

    @Test("with its head is refused")
    func head() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 100) }
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost:")
        let response = try client.response()
        #expect(response.status == 408)
        #expect(response["Connection"] == "close")
        #expect(try client.untilEnd() == "")
        #expect(
            server.events.all == [
                "refuse head_timeout 408 \(response["X-Request-Id"]!)", "commit",
            ])
    }

    @Test("cannot put the end off with another byte")
    func trickle() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 200) }
        let start = MonotonicTime.now
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: h\r\nX: ")
        var count = 0
        // A byte every 20 ms; each would be in time if it counted from the one before.
        while !client.hasReceived(within: 20), count < 500 {
            try client.send("x")
            count += 1
        }
        #expect(try client.response().status == 408)
        #expect(MonotonicTime.now.since(start) >= TimeAmount(milliseconds: 200))
        #expect(count < 100)
    }

    @Test("with its content is refused, after another time than with its head")
    func body() throws {
        let server = try server {
            $0.headTimeout = .seconds(60)
            $0.bodyTimeout = TimeAmount(milliseconds: 100)
        }
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1234")
        let response = try client.response()
        #expect(response.status == 408)
        #expect(try client.untilEnd() == "")
        #expect(
            server.events.all.first == "refuse body_timeout 408 \(response["X-Request-Id"]!)")
    }

    @Test("between two requests is let go without a word")
    func idle() throws {
        let server = try server {
            $0.headTimeout = .seconds(60)
            $0.idleTimeout = TimeAmount(milliseconds: 100)
        }
        let client = try server.client()
        try client.send(.get("/hello"))
        #expect(try client.response().status == 200)
        #expect(try client.untilEnd() == "")
        #expect(server.events.all == ["handle /hello", "commit"])
    }

    @Test(
        "with the second request has the time of a head for it, not what is left of the idle time")
    func secondHead() throws {
        let server = try server {
            $0.headTimeout = TimeAmount(milliseconds: 100)
            $0.idleTimeout = .seconds(60)
        }
        let client = try server.client()
        try client.send(.get("/hello") + "GET /oth")
        #expect(try client.response().status == 200)
        #expect(try client.response().status == 408)
    }

    @Test("to take its answers is cut off, and held nobody up")
    func write() throws {
        let server = try server {
            $0.writeTimeout = TimeAmount(milliseconds: 150)
            $0.maximumConnections = 1
        }
        let client = try server.client(receiveBuffer: 4096)
        try client.send(String(repeating: .get("/large"), count: 200))
        #expect(client.hasReceived(within: 20_000))
        // There is room for another client only once this one is gone.
        var isServed = false
        while !isServed {
            let other = try server.client()
            try other.send(.get("/hello"))
            // A reset: it was refused before it had asked.
            isServed = (try? other.response().status) == 200
        }
        let received = (try? client.untilEnd()) ?? ""
        #expect(received.utf8.count < 200 * String.large.utf8.count)
    }

    @Test("does not cost others theirs")
    func others() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 500) }
        let (slow, quick) = (try server.client(), try server.client())
        try slow.send("GET /hel")
        var count = 0
        while !slow.hasReceived() {
            try quick.send(.get("/hello"))
            #expect(try quick.response().status == 200)
            count += 1
        }
        #expect(try slow.response().status == 408)
        #expect(count > 1)
        try quick.send(.get("/hello"))
        #expect(try quick.response().status == 200)
    }
}

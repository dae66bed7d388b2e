import HTTP
import Server
import TestSupport
import Testing
import Time

@Suite(.blocking, .serialized)
struct TimeoutTests {
    private func server(_ change: (inout ServerOptions) -> Void) throws -> TestServer {
        try TestServer(.forTests(change))
    }

    @Test func `a client that sends nothing is closed without a response`() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 100) }
        #expect(try server.client().readToEnd() == "")
        #expect(server.events.all == [])
    }

    @Test(.tags(.timing)) func `an empty line does not extend the head timeout`() throws {
        let server = try server {
            $0.headTimeout = TimeAmount(milliseconds: 100)
            $0.idleTimeout = .seconds(600)
        }
        let client = try server.client()
        try client.send("\r\n")
        #expect(try client.readToEnd() == "")
        #expect(server.server.statistics.timeouts.head == 1)
    }

    @Test(.tags(.timing)) func `an incomplete head is rejected after the head timeout`() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 100) }
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost:")
        let response = try client.response()
        #expect(response.status == 408)
        #expect(response["Connection"] == "close")
        #expect(try client.readToEnd() == "")
        #expect(
            server.events.all == [
                "refuse head_timeout 408 \(response["X-Request-Id"]!)", "commit",
            ])
    }

    @Test(.tags(.timing)) func `further bytes do not extend the head timeout`() throws {
        let server = try server { $0.headTimeout = TimeAmount(milliseconds: 200) }
        let start = MonotonicTime.now
        let client = try server.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: h\r\nX: ")
        var count = 0
        // A byte every 20 ms; each would be in time if the timeout counted from the previous byte.
        while !client.hasReceived(within: 20), count < 500 {
            try client.send("x")
            count += 1
        }
        #expect(try client.response().status == 408)
        #expect(MonotonicTime.now.since(start) >= TimeAmount(milliseconds: 200))
        #expect(count < 100)
    }

    @Test func `an incomplete body is rejected after the body timeout`() throws {
        let server = try server {
            $0.headTimeout = .seconds(60)
            $0.bodyTimeout = TimeAmount(milliseconds: 100)
        }
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1234")
        let response = try client.response()
        #expect(response.status == 408)
        #expect(try client.readToEnd() == "")
        #expect(
            server.events.all.first == "refuse body_timeout 408 \(response["X-Request-Id"]!)")
    }

    @Test func `an idle connection is closed without a response after the idle timeout`() throws {
        let server = try server {
            $0.headTimeout = .seconds(60)
            $0.idleTimeout = TimeAmount(milliseconds: 100)
        }
        let client = try server.client()
        try client.send(.get("/hello"))
        #expect(try client.response().status == 200)
        #expect(try client.readToEnd() == "")
        #expect(server.events.all == ["handle /hello", "commit"])
    }

    @Test(.tags(.timing))
    func `the second head has the head timeout, not the rest of the idle timeout`() throws {
        let server = try server {
            $0.headTimeout = TimeAmount(milliseconds: 100)
            $0.idleTimeout = .seconds(60)
        }
        let client = try server.client()
        try client.send(.get("/hello") + "GET /oth")
        #expect(try client.response().status == 200)
        #expect(try client.response().status == 408)
    }

    @Test func `a client that does not read is cut off and delays no other`() throws {
        let server = try server {
            $0.writeTimeout = TimeAmount(milliseconds: 150)
            $0.maximumConnections = 1
        }
        let client = try server.client(receiveBuffer: 4096)
        try client.send(String(repeating: .get("/large"), count: 200))
        #expect(client.hasReceived(within: 20_000))
        // Another client is served only after this one is closed.
        var isServed = false
        while !isServed {
            let other = try server.client()
            try other.send(.get("/hello"))
            // A reset: the connection was rejected before its request.
            isServed = (try? other.response().status) == 200
        }
        let received = (try? client.readToEnd()) ?? ""
        #expect(received.utf8.count < 200 * String.large.utf8.count)
    }

    @Test(.tags(.timing)) func `a slow client does not use up the time of others`() throws {
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

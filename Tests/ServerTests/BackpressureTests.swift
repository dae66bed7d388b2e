import HTTP
import Server
import TestSupport
import Testing

@Suite("A client that asks and does not read", .blocking, .serialized)
struct BackpressureTests {
    // 64 MiB are asked for. What is made of them is what the kernel holds for the two sockets (at
    // most net.ipv4.tcp_wmem, 4 MiB, and the small receive buffer) and the worker's own limit.
    @Test("makes no more answers than fit on the way, holds nobody up, and gets all when it reads")
    func doesNotRead() throws {
        let server = try TestServer()
        let lazy = try server.client(receiveBuffer: 4096)
        let requests = (0..<1000).map { String.get("/large", "\($0)") }.joined()
        var sent = 0
        let other = try server.client()
        for _ in 0..<200 {
            sent += try lazy.sendWhatFits(String(requests.dropFirst(sent)))
            try other.send(.get("/hello"))
            #expect(try other.response().content == "hello")
        }
        let made = server.events.count("handle /large")
        #expect(made > 0)
        #expect(made * String.large.utf8.count < 16 << 20)

        try lazy.send(String(requests.dropFirst(sent)))
        for number in 0..<1000 {
            let response = try lazy.response()
            #expect(response["X-Request-Id"] == "\(number)")
            #expect(response.content == .large)
        }
    }
}

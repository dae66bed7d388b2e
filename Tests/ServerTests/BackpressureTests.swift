import HTTP
import Server
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct BackpressureTests {
    // The requests ask for 64 MiB. The server makes as many responses as fit into the kernel's
    // buffers of the two sockets (at most net.ipv4.tcp_wmem, 4 MiB, and the small receive buffer)
    // and the worker's own limit.
    @Test
    func `a client that does not read delays no other and gets all responses once it reads`() throws
    {
        let server = try TestServer()
        let slow = try server.client(receiveBuffer: 4096)
        let requests = (0..<1000).map { String.get("/large", "\($0)") }.joined()
        var sent = 0
        let other = try server.client()
        for _ in 0..<200 {
            sent += try slow.sendWithoutBlocking(String(requests.dropFirst(sent)))
            try other.send(.get("/hello"))
            #expect(try other.response().content == "hello")
        }
        let handled = server.events.count("handle /large")
        #expect(handled > 0)
        #expect(handled * String.large.utf8.count < 16 << 20)

        try slow.send(String(requests.dropFirst(sent)))
        for number in 0..<1000 {
            let response = try slow.response()
            #expect(response["X-Request-Id"] == "\(number)")
            #expect(response.content == .large)
        }
    }
}

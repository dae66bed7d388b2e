import HTTP
import Testing

private func end(_ fields: String, version: String = "1.1") -> Reading.End {
    reading(of: "GET / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n\r\n").end
}

// RFC 9112 §9.3.
struct PersistenceTests {
    @Test(arguments: [
        "Connection: close", "Connection: CLOSE", "connection:Close", "Connection:\tclose ",
        "Connection: foo, close", "Connection: close,foo", "Connection: a,b , close ,c",
        "Connection: ,close", "Connection: close,", "Connection: foo\r\nConnection: close",
        "Connection: close\r\nX: y\r\nConnection: foo", "Connection: keep-alive, close",
        "Connection: close, keep-alive", "Connection: keep-alive\r\nConnection: close",
    ])
    func `a connection closes if the client sends Connection: close`(fields: String) {
        #expect(end(fields) == .closed)
        #expect(end(fields, version: "1.0") == .closed)
    }

    @Test(arguments: [
        "X: close", "Connection: closed", "Connection: clos", "Connection: close x",
        "Connection: x-close", "Connection: \"close\"", "Connection: foo;close", "Connection:",
        "Connection: ,", "Connection: upgrade\r\nUpgrade: h2c", "Connection: keep-alive",
        "Keep-Alive: timeout=1", "Proxy-Connection: close",
    ])
    func `a connection stays open if the client sends no close option`(fields: String) {
        #expect(end(fields) == .idle)
    }

    @Test func `an HTTP/1.0 connection stays open only with the keep-alive option`() {
        #expect(end("X: y", version: "1.0") == .closed)
        #expect(end("Connection: keep-alive", version: "1.0") == .idle)
        #expect(end("Connection: Keep-Alive", version: "1.0") == .idle)
        #expect(end("Connection: foo, keep-alive", version: "1.0") == .idle)
        #expect(end("Connection: keep-alives", version: "1.0") == .closed)
        #expect(end("Keep-Alive: timeout=1", version: "1.0") == .closed)
    }

    @Test func `a closed connection serves no further request`() throws {
        let next = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        let last = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        #expect(reading(of: next + last + next).paths == ["/b", "/a"])
        #expect(reading(of: last + "\0\0\0").end == .closed)

        let peer = Peer()
        peer.send(next + next)
        #expect(try peer.answer(closing: true)?.path == "/b")
        #expect(try peer.answer() == nil)
        peer.send(next)
        #expect(try peer.answer() == nil)
    }

    @Test func `pipelined requests are served in order`() {
        let paths = (0..<50).map { "/\($0)" }
        let requests = paths.map {
            "GET \($0) HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\($0.dropFirst())\r\n\r\n"
        }
        let served = reading(of: requests.joined())
        #expect(served.paths == paths)
        let ids = served.responses.split(separator: "X-Request-Id: ").dropFirst().map { part in
            String(part.prefix { $0 != "\r\n" })
        }
        #expect(ids == (0..<50).map { "r\($0)" })
    }

    @Test func `the state tells which part of a message is awaited`() throws {
        let peer = Peer()
        func wants() -> Conversation.State.Awaiting { peer.conversation.state.wants }
        #expect(wants() == .message)
        peer.send("P")
        #expect(wants() == .head)
        #expect(try peer.answer() == nil)
        #expect(wants() == .head)
        peer.send("OST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
        #expect(try peer.answer() == nil)
        #expect(wants() == .body)
        peer.send("{}")
        _ = try peer.conversation.next()
        #expect(wants() == .response)
        peer.conversation.complete(Response(.ok), date: someDate)
        #expect(wants() == .message)
        peer.conversation.close()
        #expect(wants() == .nothing)
    }
}

import HTTP
import Testing

private let interim = "HTTP/1.1 100 Continue\r\n\r\n"

private func head(_ fields: String, version: String = "1.1") -> String {
    "POST /a HTTP/\(version)\r\nHost: h\r\nExpect: 100-continue\r\n\(fields)\r\n\r\n"
}

// RFC 9110 §10.1.1.
struct ExpectTests {
    @Test(arguments: [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ])
    func `100-continue is answered once, before the body`(fields: String, body: String) throws {
        let peer = Peer()
        peer.send(head(fields))
        #expect(try peer.answer() == nil)
        #expect(peer.drain() == interim)
        for byte in wire(body) {
            #expect(try peer.answer() == nil)
            #expect(peer.drain() == "")
            peer.send([byte])
        }
        #expect(try peer.answer()?.body == "hello")
        #expect(peer.drain().hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test(arguments: [
        "100-Continue", "100-CONTINUE", " 100-continue ", "100-continue, 100-continue",
        // RFC 9110 §5.6.1.2: empty elements are ignored.
        ",100-continue", "100-continue , ",
    ])
    func `100-continue is matched without case and ignores empty list elements`(value: String)
        throws
    {
        let peer = Peer()
        peer.send("POST / HTTP/1.1\r\nHost: h\r\nExpect:\(value)\r\nContent-Length: 5\r\n\r\n")
        #expect(try peer.answer() == nil)
        #expect(peer.drain() == interim)
    }

    @Test(arguments: [
        // Part of the body has arrived.
        head("Content-Length: 5") + "h",
        head("Transfer-Encoding: chunked") + "5",
        // There is no body.
        head("X: y"),
        head("Content-Length: 0"),
        // RFC 9110 §15.2: HTTP/1.0 has no 1xx responses.
        head("Content-Length: 5", version: "1.0"),
    ])
    func `100-continue is not answered if no content is awaited`(text: String) throws {
        let peer = Peer()
        peer.send(text)
        _ = try peer.conversation.next()
        #expect(peer.drain() == "")
    }

    @Test func `100-continue is not answered before a body that is rejected`() {
        let peer = Peer()
        peer.send(head("Content-Length: 70000"))
        #expect(throws: ParseError.bodyTooLarge) { try peer.answer() }
        #expect(peer.drain() == "")
    }

    @Test func `the interim response follows the responses to earlier requests`() throws {
        let peer = Peer()
        peer.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n" + head("Content-Length: 5"))
        #expect(try peer.answer()?.path == "/a")
        #expect(try peer.answer() == nil)
        let sent = peer.drain()
        #expect(sent.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(sent.hasSuffix("\r\n\r\n\(interim)"))
    }

    @Test func `100-continue does not change how the request is parsed`() {
        #expect(reading(of: head("Content-Length: 5") + "hello").only?.body == "hello")
        #expect(reading(of: head("X: y")).only?.path == "/a")
        #expect(reading(of: head("X: y", version: "1.0")).only?.path == "/a")
    }

    @Test(arguments: [
        "fish", ",fish", "100", "100-continue, fish", "100-continue;q=1", "200-ok",
        "100 continue", "100-continue=1",
    ])
    func `any other expectation is rejected, and an empty one is ignored`(value: String) {
        let fields = "Host: h\r\nExpect: \(value)\r\nContent-Length: 5\r\n\r\nhello"
        #expect(reading(of: "POST / HTTP/1.1\r\n\(fields)").refusal == .unknownExpectation)
        #expect(reading(of: "POST / HTTP/1.0\r\n\(fields)").only?.body == "hello")
        #expect(ParseError.unknownExpectation.status.code == 417)
        for nothing in ["", ",", " , ,"] {
            let empty = "Host: h\r\nExpect:\(nothing)\r\nContent-Length: 5\r\n\r\nhello"
            #expect(reading(of: "POST / HTTP/1.1\r\n\(empty)").only?.body == "hello")
        }
    }
}

import HTTP
import Testing

private let interim = "HTTP/1.1 100 Continue\r\n\r\n"

private func head(_ fields: String, version: String = "1.1") -> String {
    "POST /a HTTP/\(version)\r\nHost: h\r\nExpect: 100-continue\r\n\(fields)\r\n\r\n"
}

// RFC 9110 §10.1.1.
@Suite("Expect: 100-continue")
struct ExpectTests {
    @Test(
        "is answered once, before the body",
        arguments: [
            ("Content-Length: 5", "hello"),
            ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ])
    func once(fields: String, body: String) throws {
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

    @Test(
        "may be written in any case, and with more commas than it needs",
        arguments: [
            "100-Continue", "100-CONTINUE", " 100-continue ", "100-continue, 100-continue",
            // RFC 9110 §5.6.1.2: empty members are ignored.
            ",100-continue", "100-continue , ",
        ])
    func anyCase(value: String) throws {
        let peer = Peer()
        peer.send("POST / HTTP/1.1\r\nHost: h\r\nExpect:\(value)\r\nContent-Length: 5\r\n\r\n")
        #expect(try peer.answer() == nil)
        #expect(peer.drain() == interim)
    }

    @Test(
        "is not answered where nothing is waited for",
        arguments: [
            // Some of the body is here.
            head("Content-Length: 5") + "h",
            head("Transfer-Encoding: chunked") + "5",
            // There is none.
            head("X: y"),
            head("Content-Length: 0"),
            // RFC 9110 §15.2: there was no 1xx in HTTP/1.0.
            head("Content-Length: 5", version: "1.0"),
        ])
    func notAnswered(text: String) throws {
        let peer = Peer()
        peer.send(text)
        _ = try peer.conversation.next()
        #expect(peer.drain() == "")
    }

    @Test("is not answered before a body that is refused")
    func refused() {
        let peer = Peer()
        peer.send(head("Content-Length: 70000"))
        #expect(throws: ParseError.bodyTooLarge) { try peer.answer() }
        #expect(peer.drain() == "")
    }

    @Test("is answered behind the responses that come before it")
    func order() throws {
        let peer = Peer()
        peer.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n" + head("Content-Length: 5"))
        #expect(try peer.answer()?.path == "/a")
        #expect(try peer.answer() == nil)
        let sent = peer.drain()
        #expect(sent.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(sent.hasSuffix("\r\n\r\n\(interim)"))
    }

    @Test("does not change what is read")
    func reads() {
        #expect(reading(of: head("Content-Length: 5") + "hello").only?.body == "hello")
        #expect(reading(of: head("X: y")).only?.path == "/a")
        #expect(reading(of: head("X: y", version: "1.0")).only?.path == "/a")
    }

    @Test(
        "is the only expectation there is, and there may be none",
        arguments: [
            "fish", ",fish", "100", "100-continue, fish", "100-continue;q=1", "200-ok",
            "100 continue", "100-continue=1",
        ])
    func unknown(value: String) {
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

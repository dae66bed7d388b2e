import Foundation
import HTTP
import Testing

struct RejectionTests {
    @Test(arguments: ParseError.allCases)
    func `a parse error is answered with its status and ends the connection`(error: ParseError)
        throws
    {
        let peer = Peer()
        peer.send("GET ")
        #expect(try peer.answer() == nil)
        peer.reject(error)

        let id = peer.conversation.currentID.string
        let sent = peer.drain()
        let content = try #require(sent.split(separator: "\r\n\r\n").last)
        #expect(sent.hasPrefix("HTTP/1.1 \(error.status.code) "))
        #expect(sent.contains("\r\nX-Request-Id: \(id)\r\n"))
        #expect(sent.contains("\r\nConnection: close\r\n\r\n"))
        #expect(sent.contains("\r\nContent-Type: application/json\r\n"))
        #expect(sent.contains("\r\nContent-Length: \(content.utf8.count)\r\n"))
        #expect(content.wholeMatch(of: /\{"error":"[A-Z][A-Za-z ]+"\}/) != nil)

        peer.send("/ HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try peer.answer() == nil)
        peer.reject(.incomplete)
        #expect(peer.drain() == "")
    }

    @Test(
        arguments: [
            (.badRequestLine, 400), (.badTarget, 400), (.unsupportedVersion, 505),
            (.bareLineEnd, 400), (.controlCharacter, 400), (.badField, 400),
            (.obsoleteFolding, 400),
            (.missingHost, 400), (.badHost, 400), (.repeatedField, 400), (.badLength, 400),
            (.lengthWithCoding, 400), (.badCoding, 400), (.unsupportedCoding, 501),
            (.badChunk, 400),
            (.unknownExpectation, 417), (.misdirected, 421), (.targetTooLong, 414),
            (.methodTooLong, 501),
            (.headTooLarge, 431),
            (.tooManyFields, 431), (.bodyTooLarge, 413), (.headTimeout, 408), (.bodyTimeout, 408),
            (.incomplete, 400),
        ] as [(ParseError, Int)])
    func `each parse error has the status that RFC 9110 gives it`(error: ParseError, code: Int) {
        #expect(error.status.code == code)
    }

    @Test func `each parse error has a reason of its own in the log`() {
        let reasons = ParseError.allCases.map { "\($0.reason)" }
        #expect(Set(reasons).count == ParseError.allCases.count)
        #expect(reasons.allSatisfy { $0.wholeMatch(of: /[a-z_]+/) != nil })
    }

    @Test func `a rejection consists of exactly these bytes`() {
        let peer = Peer()
        peer.send("GET / HTTP/2.0\r\n")
        #expect(throws: ParseError.unsupportedVersion) { try peer.answer() }
        peer.reject(.unsupportedVersion)
        let id = peer.conversation.currentID.string
        #expect(
            peer.drain() == """
                HTTP/1.1 505 HTTP Version Not Supported\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                X-Request-Id: \(id)\r
                X-Content-Type-Options: nosniff\r
                Cache-Control: no-store\r
                Content-Type: application/json\r
                Content-Length: 38\r
                Connection: close\r
                \r
                {"error":"HTTP version not supported"}
                """)
    }

    @Test func `a rejection follows the responses to earlier requests`() throws {
        let two = "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
        let responses = reading(of: two).responses
        #expect(responses.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(responses.contains("{}HTTP/1.1 400 Bad Request\r\n"))
    }

    @Test
    func `the rejection of a HEAD request has no content, unlike that of a later message`() {
        let refused = "HEAD / HTTP/1.1\r\n\r\n"
        #expect(reading(of: refused).refusal == .missingHost)
        #expect(reading(of: refused).responses.hasSuffix("Connection: close\r\n\r\n"))

        // RFC 9110 §9.3.2 makes no exception for a malformed request line.
        for line in [
            "HEAD /%zz HTTP/1.1", "HEAD /a#b HTTP/1.1", "HEAD / HTTP/2.0", "HEAD / HTTP/1.1 x",
            "HEAD  / HTTP/1.1", "HEAD /\u{0}", "HEAD / HTTP/1.1\n",
            "HEAD /" + String(repeating: "a", count: 20_000),
        ] {
            let reading = reading(of: "\(line)\r\nHost: h\r\n\r\n")
            #expect(reading.refusal != nil)
            #expect(reading.responses.hasSuffix("Connection: close\r\n\r\n"), "\(line.prefix(20))")
        }
        for line in ["HEADER /%zz HTTP/1.1", "head /%zz HTTP/1.1", "HEAD", " HEAD / HTTP/1.1"] {
            #expect(
                reading(of: "\(line)\r\n\r\n").responses.hasSuffix("{\"error\":\"Bad request\"}"))
        }

        let good = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
        for bad in ["\rX", "\0\r\n", "GET\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            #expect(reading(of: good + bad).responses.hasSuffix("{\"error\":\"Bad request\"}"))
        }
    }

    @Test func `a rejection without a request has content, even after a HEAD request`() throws {
        let peer = Peer()
        peer.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        try peer.answer()
        peer.conversation.reject(.error(.serviceUnavailable), date: someDate)
        #expect(peer.drain().hasSuffix("\r\n\r\n{\"error\":\"Service unavailable\"}"))
    }

    @Test func `the rejection of a body has the id of its request`() throws {
        let peer = Peer()
        peer.send("POST / HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\nContent-Length: 5\r\n\r\n")
        #expect(try peer.answer() == nil)
        peer.reject(.bodyTimeout)
        #expect(peer.drain().contains("\r\nX-Request-Id: r\r\n"))
    }

    @Test func `a rejection does not have the id of the previous request`() throws {
        let peer = Peer()
        peer.send("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\n\r\nGET ")
        try peer.answer()
        #expect(try peer.answer() == nil)
        _ = peer.drain()
        peer.reject(.headTimeout)
        #expect(!peer.drain().contains("X-Request-Id: r\r\n"))
    }
}

struct RejectedHeadTests {
    // Client and log must use the same id, even for a rejected request.
    @Test(arguments: [
        ("Content-Length: 70000", "413"), ("Transfer-Encoding: gzip, chunked", "501"),
        ("Expect: fish", "417"), ("Host: twice", "400"), ("Content-Length: x", "400"),
        ("no colon", "400"),
    ])
    func `a rejected head is answered with the id that the client sent`(
        field: String, status: String
    ) {
        let given = reading(
            of: "POST / HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n\(field)\r\n\r\n")
        #expect(given.responses.hasPrefix("HTTP/1.1 \(status) "))
        #expect(given.responses.contains("\r\nX-Request-Id: mine\r\n"))
    }

    @Test func `a rejected head is not answered with the id of the previous request`() {
        let two = reading(
            of: "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: first\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        #expect(two.responses.components(separatedBy: "X-Request-Id: first").count == 2)
        #expect(two.responses.contains("HTTP/1.1 400 Bad Request"))
    }
}

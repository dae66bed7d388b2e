import HTTP
import TestSupport
import Testing

struct RequestLineTests {
    @Test(
        arguments: [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("PATCH", .patch),
            ("DELETE", .delete), ("OPTIONS", .options), ("TRACE", .trace),
        ] as [(String, HTTP.Method)])
    func `a request line names its method`(name: String, method: HTTP.Method) {
        let request = reading(of: "\(name) /a HTTP/1.1\r\nHost: h\r\n\r\n").only
        #expect(request?.method == method)
        #expect(request?.path == "/a")
        #expect("\(method.name)" == name)
    }

    @Test(arguments: [
        "FOO", "get", "Get", "GETS", "GE", "M-SEARCH", "-", "PRI", "0", "!#$%&'*+-.^_`|~",
    ])
    func `an unknown method is accepted, and case matters`(name: String) {
        let request = reading(of: "\(name) /a HTTP/1.1\r\nHost: h\r\n\r\n").only
        #expect(request?.method == .other)
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func `a method consists of tchar only`(byte: UInt8) {
        let line = wire("G") + [byte] + wire("T /a HTTP/1.1\r\nHost: h\r\n\r\n")
        let tchar =
            "!#$%&'*+-.^_`|~0123456789"
            + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        #expect((reading(of: line).only != nil) == wire(tchar).contains(byte))
    }

    @Test(
        arguments: [
            (" /a HTTP/1.1", .badRequestLine), (" GET /a HTTP/1.1", .badRequestLine),
            ("\tGET /a HTTP/1.1", .badRequestLine), ("GET  /a HTTP/1.1", .badTarget),
            ("GET /a  HTTP/1.1", .badTarget), ("GET /a HTTP/1.1 ", .badRequestLine),
            ("GET /a HTTP/1.1\t", .badRequestLine), ("GET\t/a\tHTTP/1.1", .badRequestLine),
            ("GET\t/a HTTP/1.1", .badRequestLine), ("GET /a\tHTTP/1.1", .badRequestLine),
            ("GET /a b HTTP/1.1", .badTarget), ("GET /a HTTP/1.1 HTTP/1.1", .badTarget),
            ("GET  HTTP/1.1", .badRequestLine), ("GET HTTP/1.1", .badRequestLine),
            ("GET /a", .badRequestLine), ("GET ", .badRequestLine),
            ("GET", .badRequestLine), ("HTTP/1.1", .badRequestLine),
            ("GET: /a HTTP/1.1", .badRequestLine), ("(GET) /a HTTP/1.1", .badRequestLine),
            ("GET\u{C3}\u{9F} /a HTTP/1.1", .badRequestLine),
            ("GET\0 /a HTTP/1.1", .controlCharacter), ("GET /a\0 HTTP/1.1", .controlCharacter),
            ("GET /a HTTP/1.1\0", .controlCharacter), ("Host: h", .badRequestLine),
            (" ", .badRequestLine),
        ] as [(String, ParseError)])
    func `a request line is three parts with one space between them`(
        line: String, error: ParseError
    ) {
        #expect(reading(of: "\(line)\r\nHost: h\r\n\r\n").refusal == error)
    }

    @Test(arguments: [
        "HTTP/1.1.1", "HTTP/11.1", "HTTP/1.10", "HTTP/1.x", "HTTP/-1.1", "HTTP/1,1", "HTP/1.1",
        "HTTP/ 1.1", "HTTP 1.1", "HTTPS/1.1", "HTTP/1", "HTTP/", "FTP/1.1", "HTTP/1.1x",
        "HTTP/+1.1", "HTTP/1.", "HTTP/.1", "HTTP/x.1", "http/1.1", "Http/1.1", "HTTP/111",
        "HTTP/0.99", "HTTP/01.1", "HTTP/1.01", "HTTP\\1.1", "HTTP/1.\u{B9}", "\u{C8}TTP/1.1",
        "1.1",
    ])
    func `a malformed version is rejected`(version: String) {
        #expect(reading(of: "GET / \(version)\r\nHost: h\r\n\r\n").refusal == .badRequestLine)
        #expect(reading(of: "GET /abc \(version)\r\nHost: h\r\n\r\n").refusal == .badRequestLine)
    }

    @Test(arguments: [0, 2, 3, 4, 5, 6, 7, 8, 9])
    func `a major version other than 1 is rejected`(major: Int) {
        for minor in 0...9 {
            let refusal = reading(of: "GET / HTTP/\(major).\(minor)\r\nHost: h\r\n\r\n").refusal
            #expect(refusal == .unsupportedVersion)
        }
    }

    // RFC 9110 §2.5: a minor version states the sender's capabilities; it does not change the
    // syntax.
    @Test(arguments: 1...9)
    func `a later 1.x version is served as 1.1`(minor: Int) {
        let served = reading(of: "GET /a HTTP/1.\(minor)\r\nHost: h\r\n\r\n")
        #expect(served.only?.path == "/a")
        #expect(served.end == .idle)
        #expect(reading(of: "GET /a HTTP/1.\(minor)\r\n\r\n").refusal == .missingHost)
    }

    @Test func `an HTTP/1.0 request needs no Host, and its connection closes`() {
        let served = reading(of: "GET /a HTTP/1.0\r\n\r\n")
        #expect(served.only?.path == "/a")
        #expect(served.end == .closed)
    }

    @Test func `the HTTP/2 preface is rejected for its version`() {
        #expect(
            reading(of: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").refusal == .unsupportedVersion)
    }

    // RFC 9112 §2.2.
    @Test func `one empty line before a request line is ignored`() {
        #expect(reading(of: "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n").only?.path == "/a")
        let two = "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(reading(of: two).paths == ["/a", "/b"])
    }

    @Test(
        arguments: [
            ("\r\n\r\n", .badRequestLine), (" \r\n", .badRequestLine), ("\n", .bareLineEnd),
            ("\r", .bareLineEnd), ("\r\r\n", .bareLineEnd), ("\n\r\n", .bareLineEnd),
            ("\r\n\n", .bareLineEnd), ("\0", .controlCharacter),
            ("\u{EF}\u{BB}\u{BF}", .badRequestLine),
        ] as [(String, ParseError)])
    func `anything else before a request line is rejected`(prefix: String, error: ParseError) {
        #expect(reading(of: "\(prefix)GET /a HTTP/1.1\r\nHost: h\r\n\r\n").refusal == error)
    }

    @Test func `a second empty line before a request line is rejected`() {
        #expect(reading(of: String(repeating: "\r\n", count: 500)).refusal == .badRequestLine)
        #expect(reading(of: "\r\n").end == .idle)
        #expect(reading(of: "\r").end == .unfinished)
    }

    @Test func `a request line with its line end may have exactly the size of the head limit`() {
        let limits = Conversation.Limits(head: 100)
        let fits = "GET /\(String(repeating: "a", count: 84)) HTTP/1.0\r\n"
        let over = "GET /\(String(repeating: "a", count: 85)) HTTP/1.0\r\n"
        #expect(fits.utf8.count == 100)
        // The line fits, but no room is left for the empty line that ends the head.
        #expect(reading(of: fits, limits: limits).refusal == .headTooLarge)
        #expect(reading(of: over, limits: limits).refusal == .targetTooLong)
    }

    // RFC 9112 §3: 501 for the method, 414 for the rest.
    @Test func `a request line over the limit is rejected, whichever part is too long`() {
        let long = String(repeating: "a", count: 20_000)
        #expect(reading(of: "GET /\(long) HTTP/1.1\r\n").refusal == .targetTooLong)
        #expect(reading(of: "GET /?\(long) HTTP/1.1\r\n").refusal == .targetTooLong)
        #expect(reading(of: "\(long) / HTTP/1.1\r\n").refusal == .methodTooLong)
        #expect(reading(of: "GET / \(long)").refusal == .targetTooLong)
    }

    @Test(arguments: 0..<100)
    func `random bytes are never parsed as a request`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let noise = (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
        #expect(reading(of: noise + wire("\r\n\r\n")).refusal != nil)
    }
}

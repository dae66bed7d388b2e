import HTTP
import Testing

private let unreserved =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
private let subDelimiters = "!$&'()*+,;="

private func target(_ target: String, method: String = "GET") -> Reading {
    reading(of: "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
}

struct TargetTests {
    @Test(arguments: [
        "/", "/a", "/a/b", "/a/", "//", "///a", "//a/b", "/.", "/..", "/a/../b", "/a;b=c",
        "/@:", "/%20", "/%2F", "/%2f", "/%00", "/%ff%FE", "/..%2f..%2fetc%2fpasswd", "/%c0%af",
        "/x%0d%0aX-Injected:%201", "/~a!$&'()*+,;=:@-._",
    ])
    func `a path is passed on as it was sent`(path: String) {
        #expect(target(path).only?.path == path)
        #expect(target(path).only?.form == .path)
    }

    // RFC 3986 §3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@".
    @Test(arguments: UInt8.min...UInt8.max)
    func `a path contains only the bytes of RFC 3986`(byte: UInt8) {
        let allowed = wire(unreserved + subDelimiters + ":@/").contains(byte)
        let line = wire("GET /a") + [byte] + wire("c HTTP/1.1\r\nHost: h\r\n\r\n")
        switch byte {
        case UInt8(ascii: "?"): #expect(reading(of: line).only?.path == "/a")
        case UInt8(ascii: "\r"), UInt8(ascii: "\n"):
            #expect(reading(of: line).refusal == .bareLineEnd)
        case 0..<9, 11..<32, 127: #expect(reading(of: line).refusal == .controlCharacter)
        case _ where allowed: #expect(reading(of: line).only != nil)
        default: #expect(reading(of: line).refusal == .badTarget)
        }
    }

    // RFC 3986 §3.4, and the bytes that browsers send unencoded.
    @Test(arguments: UInt8.min...UInt8.max)
    func `a query contains only the bytes of RFC 3986 and those that browsers send`(byte: UInt8) {
        let allowed = wire(unreserved + subDelimiters + ":@/?" + "[]\\^`{|}").contains(byte)
        let line = wire("GET /a?b") + [byte] + wire("c HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(reading(of: line).only?.path == (allowed ? "/a" : nil))
    }

    @Test(arguments: ["/a?", "/a?b", "/a?b=c&d=%20&e", "/a??", "/a?/b?c", "/a?[]=1|2", "/a?%5B"])
    func `a path ends where the query begins`(text: String) {
        #expect(target(text).only?.path == "/a")
    }

    @Test(arguments: [
        "/%", "/%2", "/%2g", "/%g2", "/%%20", "/%u0041", "/% 20", "/a%", "/a%2", "/%2%30",
        "/?%", "/?%2", "/?%2g", "/?%g2", "/?a=%%", "http://h/%", "http://h/?%4",
    ])
    func `two hexadecimal digits must follow every percent sign`(text: String) {
        #expect(target(text).refusal == .badTarget)
    }

    @Test(arguments: [
        "/a#f", "/#", "/a?b#c", "/\"", "/<a>", "/a\\b", "/a^b", "/a`b", "/{a}", "/a|b", "/[a]",
        "/\u{C3}\u{A9}", "/\u{FF}\u{FE}", "/?\u{C3}\u{A9}", "a", "a/b", "?a", "./a", "h:80",
        "h:443/a",
    ])
    func `fragments, quotation marks and raw bytes above ASCII are rejected`(text: String) {
        #expect(target(text).refusal == .badTarget)
    }

    // RFC 9112 §3.2.2.
    @Test(arguments: [
        ("http://h/a", "/a"), ("HTTP://H/a", "/a"),
        ("http://h:80/a", "/a"), ("http://h:/a", "/a"), ("http://other.example/a", "/a"),
        ("http://[::1]/a", "/a"), ("http://[::1]:8080/a?b", "/a"), ("http://127.0.0.1:1/", "/"),
        ("http://h/a?b=c", "/a"), ("http://%41.example/a", "/a"), ("http://h//a", "//a"),
        ("http://h", ""), ("http://h?a", ""), ("http://h:80", ""),
    ])
    func `an absolute target counts as its path`(text: String, path: String) {
        #expect(target(text).only?.path == path)
        #expect(target(text).only?.form == .path)
    }

    // RFC 9110 §4.2.1 and §4.2.4: no empty host, no user information.
    @Test(arguments: [
        "http://", "http:///a", "http://?a", "http://:80/a", "http://:80", "http:/a", "http:a",
        "http:", "https:///a", "https://", "ftp://h/a", "ws://h/a", "urn:a", "file:///a",
        "http//h/a", "http://u@h/a", "http://u:p@h/a", "http://@h/a", "http://h:p/a",
        "http://h:8a/a", "http://h:80:80/a", "http://[::1/a", "http://::1/a", "http://[]/a",
        "http://[::1]a/b", "http://h\\a/b", "http://h#a", "http://h/a#b", "http://h<b>/a",
        "http://%4/a", "http://%/a", "http://\u{E9}/a", "http://h|/a", "s://]ufd/:",
    ])
    func `an absolute target without a valid host or with another scheme is rejected`(text: String)
    {
        #expect(target(text).refusal == .badTarget)
    }

    // RFC 9110 §7.4.
    @Test(arguments: ["https://h/resource", "hTTps://h/resource", "https://h:443/resource?a=b"])
    func `an https target is served only if a trusted proxy secured the connection`(text: String)
        throws
    {
        let message = "GET \(text) HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(reading(of: message).refusal == .misdirected)
        #expect(ParseError.misdirected.status.code == 421)

        let proxies = try TrustedProxies(parsing: ["127.0.0.1"])
        let peer = Peer(proxies: proxies)
        peer.send(message)
        #expect(try peer.answer()?.path == "/resource")
    }

    // 421 is for requests that another server could serve; a malformed one is not.
    @Test func `a malformed message with an https target is rejected for its own error`() {
        #expect(reading(of: "GET https://h/ HTTP/1.1\r\n\r\n").refusal == .missingHost)
        #expect(target("https://h", method: "OPTIONS").refusal == .misdirected)
        #expect(target("https://h?a").refusal == .misdirected)
        #expect(target("https:///a").refusal == .badTarget)
    }

    @Test func `an absolute target does not replace a missing Host`() {
        #expect(reading(of: "GET http://h/a HTTP/1.1\r\n\r\n").refusal == .missingHost)
    }

    // RFC 9112 §3.2.4.
    @Test func `only OPTIONS may have the target *`() {
        #expect(target("*", method: "OPTIONS").only?.form == .asterisk)
        #expect(target("*", method: "OPTIONS").only?.path == "")
        #expect(target("http://h", method: "OPTIONS").only?.form == .asterisk)
        #expect(target("http://h/", method: "OPTIONS").only?.form == .path)
        #expect(target("http://h?a", method: "OPTIONS").only?.form == .path)
        for method in ["GET", "HEAD", "POST", "CONNECT", "FOO", "options"] {
            #expect(target("*", method: method).refusal == .badTarget)
        }
        for text in ["**", "*/", "*?a", "/*#"] {
            #expect(target(text, method: "OPTIONS").refusal == .badTarget)
        }
        #expect(target("/*").only?.path == "/*")
    }

    // RFC 9112 §3.2.3.
    @Test(arguments: ["h:443", "h.example:1", "127.0.0.1:65535", "[::1]:443", "[v1.a]:1"])
    func `only CONNECT may have a host and a port as its target`(text: String) {
        let request = target(text, method: "CONNECT").only
        #expect(request?.method == .connect)
        #expect(request?.form == .authority)
        #expect(request?.path == "")
        #expect(target(text).refusal == .badTarget)
        #expect(target(text, method: "OPTIONS").refusal == .badTarget)
    }

    @Test(arguments: [
        "h", "h:", ":443", ":", "h:443/", "h:443?a", "/a", "http://h/", "http://h:80",
        "u@h:443", "h:x", "h:4 43", "[::1]", "[::1]:", "[::1", "[]:443", "h:443:443",
        "h:123456", "a/b:80",
    ])
    func `the target of CONNECT must be a host and a port`(text: String) {
        #expect(target(text, method: "CONNECT").refusal == .badTarget)
    }
}

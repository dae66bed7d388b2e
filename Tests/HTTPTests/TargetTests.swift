import HTTP
import Testing

private let unreserved =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
private let subDelimiters = "!$&'()*+,;="

private func target(_ target: String, method: String = "GET") -> Reading {
    reading(of: "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
}

@Suite("A request target")
struct TargetTests {
    @Test(
        "is a path, given as it was sent",
        arguments: [
            "/", "/a", "/a/b", "/a/", "//", "///a", "//a/b", "/.", "/..", "/a/../b", "/a;b=c",
            "/@:", "/%20", "/%2F", "/%2f", "/%00", "/%ff%FE", "/..%2f..%2fetc%2fpasswd", "/%c0%af",
            "/x%0d%0aX-Injected:%201", "/~a!$&'()*+,;=:@-._",
        ])
    func paths(path: String) {
        #expect(target(path).only?.path == path)
        #expect(target(path).only?.form == .path)
    }

    // RFC 3986 §3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@".
    @Test("has in its path what RFC 3986 has, and no other byte", arguments: UInt8.min...UInt8.max)
    func pathCharacters(byte: UInt8) {
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

    // RFC 3986 §3.4, and what browsers send there all the same.
    @Test("has a wider query, but no byte of it is a wild one", arguments: UInt8.min...UInt8.max)
    func queryCharacters(byte: UInt8) {
        let allowed = wire(unreserved + subDelimiters + ":@/?" + "[]\\^`{|}").contains(byte)
        let line = wire("GET /a?b") + [byte] + wire("c HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(reading(of: line).only?.path == (allowed ? "/a" : nil))
    }

    @Test(
        "ends its path where its query begins",
        arguments: ["/a?", "/a?b", "/a?b=c&d=%20&e", "/a??", "/a?/b?c", "/a?[]=1|2", "/a?%5B"])
    func queries(text: String) {
        #expect(target(text).only?.path == "/a")
    }

    @Test(
        "has two hexadecimal digits behind every percent sign",
        arguments: [
            "/%", "/%2", "/%2g", "/%g2", "/%%20", "/%u0041", "/% 20", "/a%", "/a%2", "/%2%30",
            "/?%", "/?%2", "/?%2g", "/?%g2", "/?a=%%", "http://h/%", "http://h/?%4",
        ])
    func triplets(text: String) {
        #expect(target(text).refusal == .badTarget)
    }

    @Test(
        "has no fragment, no quotation marks, no raw byte above ASCII",
        arguments: [
            "/a#f", "/#", "/a?b#c", "/\"", "/<a>", "/a\\b", "/a^b", "/a`b", "/{a}", "/a|b", "/[a]",
            "/\u{C3}\u{A9}", "/\u{FF}\u{FE}", "/?\u{C3}\u{A9}", "a", "a/b", "?a", "./a", "h:80",
            "h:443/a",
        ])
    func badTargets(text: String) {
        #expect(target(text).refusal == .badTarget)
    }

    // RFC 9112 §3.2.2.
    @Test(
        "may be absolute, and is then the path it names",
        arguments: [
            ("http://h/a", "/a"), ("HTTP://H/a", "/a"),
            ("http://h:80/a", "/a"), ("http://h:/a", "/a"), ("http://other.example/a", "/a"),
            ("http://[::1]/a", "/a"), ("http://[::1]:8080/a?b", "/a"), ("http://127.0.0.1:1/", "/"),
            ("http://h/a?b=c", "/a"), ("http://%41.example/a", "/a"), ("http://h//a", "//a"),
            ("http://h", ""), ("http://h?a", ""), ("http://h:80", ""),
        ])
    func absolute(text: String, path: String) {
        #expect(target(text).only?.path == path)
        #expect(target(text).only?.form == .path)
    }

    // RFC 9110 §4.2.1 and §4.2.4: no empty host, no user information.
    @Test(
        "that is absolute names a host, by http or https",
        arguments: [
            "http://", "http:///a", "http://?a", "http://:80/a", "http://:80", "http:/a", "http:a",
            "http:", "https:///a", "https://", "ftp://h/a", "ws://h/a", "urn:a", "file:///a",
            "http//h/a", "http://u@h/a", "http://u:p@h/a", "http://@h/a", "http://h:p/a",
            "http://h:8a/a", "http://h:80:80/a", "http://[::1/a", "http://::1/a", "http://[]/a",
            "http://[::1]a/b", "http://h\\a/b", "http://h#a", "http://h/a#b", "http://h<b>/a",
            "http://%4/a", "http://%/a", "http://\u{E9}/a", "http://h|/a", "s://]ufd/:",
        ])
    func badAbsolute(text: String) {
        #expect(target(text).refusal == .badTarget)
    }

    // RFC 9110 §7.4.
    @Test(
        "that is https is served where a trusted proxy has secured the connection, and nowhere else",
        arguments: ["https://h/resource", "hTTps://h/resource", "https://h:443/resource?a=b"])
    func secured(text: String) throws {
        let message = "GET \(text) HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(reading(of: message).refusal == .misdirected)
        #expect(ParseError.misdirected.status.code == 421)

        let proxies = try TrustedProxies(parsing: ["127.0.0.1"])
        let peer = Peer(proxies: proxies)
        peer.send(message)
        #expect(try peer.answer()?.path == "/resource")
    }

    // What cannot be read is no request that somebody else could serve.
    @Test("that is https, of a message that is malformed, is refused for that")
    func securedAndMalformed() {
        #expect(reading(of: "GET https://h/ HTTP/1.1\r\n\r\n").refusal == .missingHost)
        #expect(target("https://h", method: "OPTIONS").refusal == .misdirected)
        #expect(target("https://h?a").refusal == .misdirected)
        #expect(target("https:///a").refusal == .badTarget)
    }

    @Test("that is absolute does not make up for a missing Host")
    func absoluteWithoutHost() {
        #expect(reading(of: "GET http://h/a HTTP/1.1\r\n\r\n").refusal == .missingHost)
    }

    // RFC 9112 §3.2.4.
    @Test("is an asterisk for OPTIONS and for nothing else")
    func asterisk() {
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
    @Test(
        "is a host and a port for CONNECT and for nothing else",
        arguments: ["h:443", "h.example:1", "127.0.0.1:65535", "[::1]:443", "[v1.a]:1"])
    func authority(text: String) {
        let request = target(text, method: "CONNECT").only
        #expect(request?.method == .connect)
        #expect(request?.form == .authority)
        #expect(request?.path == "")
        #expect(target(text).refusal == .badTarget)
        #expect(target(text, method: "OPTIONS").refusal == .badTarget)
    }

    @Test(
        "of CONNECT is nothing but a host and a port",
        arguments: [
            "h", "h:", ":443", ":", "h:443/", "h:443?a", "/a", "http://h/", "http://h:80",
            "u@h:443", "h:x", "h:4 43", "[::1]", "[::1]:", "[::1", "[]:443", "h:443:443",
            "h:123456", "a/b:80",
        ])
    func badAuthority(text: String) {
        #expect(target(text, method: "CONNECT").refusal == .badTarget)
    }
}

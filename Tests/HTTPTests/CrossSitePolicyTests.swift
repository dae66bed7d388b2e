import HTTP
import Testing

/// The verdict of the policy on a request with these field lines.
private func verdict(
    _ fields: String..., host: String? = "h.example:8080", line: String = "POST /login HTTP/1.1",
    allowing origins: [String] = [], isFromProxy: Bool = false
) throws -> CrossSitePolicy.Refusal? {
    let proxies = isFromProxy ? try TrustedProxies(parsing: ["127.0.0.1"]) : nil
    let peer = Peer(proxies: proxies)
    let lines = (host.map { ["Host: \($0)"] } ?? []) + fields
    peer.send("\(line)\r\n" + lines.map { "\($0)\r\n" }.joined() + "\r\n")
    let request = try #require(try peer.conversation.next())
    return CrossSitePolicy(allowing: try AllowedOrigins(parsing: origins)).refusal(of: request)
}

struct CrossSitePolicyTests {
    @Test func `a request without Origin and Sec-Fetch-Site is accepted`() throws {
        #expect(try verdict() == nil)
        #expect(try verdict("Referer: https://evil.example/") == nil)
        #expect(try verdict("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty") == nil)
    }

    @Test(arguments: [
        "http://h.example:8080", "https://h.example:8080", "HTTP://H.EXAMPLE:8080",
        "http://h.example:08080",
    ])
    func `a page of the same host and port is accepted`(origin: String) throws {
        #expect(try verdict("Origin: \(origin)") == nil)
    }

    @Test(arguments: [
        ("https://example.com", "example.com"), ("https://example.com", "example.com:443"),
        ("https://example.com:443", "example.com"), ("http://example.com", "example.com"),
        ("http://example.com", "example.com:80"), ("http://example.com:80", "example.com:"),
        ("https://example.com", "Example.COM"), ("https://[::1]:8443", "[::1]:8443"),
        ("https://[2001:db8::a]", "[2001:DB8::A]"), ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ])
    func `a missing port is the default port of the origin's scheme`(
        origin: String, host: String
    ) throws {
        #expect(try verdict("Origin: \(origin)", host: host) == nil)
    }

    @Test(arguments: [
        // Another host, another port, or another name of the same host.
        ("https://evil.example", "example.com"), ("https://example.com:8443", "example.com"),
        ("https://example.com", "example.com:8443"), ("http://example.com", "example.com:443"),
        ("https://example.com", "example.com:80"), ("https://sub.example.com", "example.com"),
        ("https://example.com", "sub.example.com"), ("https://example.com.", "example.com"),
        ("https://example.com.evil.example", "example.com"),
        ("https://evilexample.com", "example.com"), ("https://[::1]", "[::2]"),
        ("https://example.com", ":443"),
        ("https://example.com", ""),
        // Not the origin of a web page.
        ("null", "null"), ("", "example.com"), ("example.com", "example.com"),
        ("//example.com", "example.com"), ("https:example.com", "example.com"),
        ("https:/example.com", "example.com"), ("https://", "example.com"),
        ("https://example.com/", "example.com"), ("https://example.com:", "example.com"),
        ("https://u@example.com", "example.com"), ("https://example.com?a", "example.com"),
        ("https://example.com https://example.com", "example.com"),
        ("https://example.com, https://example.com", "example.com"),
        ("file://example.com", "example.com"), ("ftp://example.com:80", "example.com:80"),
        ("chrome-extension://example.com", "example.com"), ("*", "example.com"),
        ("https://example.com:443443", "example.com"), ("https://example.com:x", "example.com"),
    ])
    func `every other origin is rejected`(origin: String, host: String) throws {
        #expect(try verdict("Origin: \(origin)", host: host) == .origin)
        #expect(try verdict("origin:\(origin)", host: host) == .origin)
    }

    @Test func `Sec-Fetch-Site takes precedence over Origin`() throws {
        for site in ["same-origin", "none"] {
            #expect(try verdict("Sec-Fetch-Site: \(site)") == nil)
            #expect(try verdict("Sec-Fetch-Site:\t\(site) ", "Origin: null") == nil)
            #expect(try verdict("Origin: https://evil.example", "Sec-Fetch-Site: \(site)") == nil)
        }
        let others = [
            "cross-site", "same-site", "", "Same-Origin", "NONE", "same-origin, cross-site",
            "same-origin;a", "\"none\"", "none none", "x",
        ]
        for site in others {
            #expect(try verdict("Sec-Fetch-Site: \(site)") == .fetchSite, "\(site)")
            #expect(
                try verdict("Sec-Fetch-Site: \(site)", "Origin: http://h.example:8080")
                    == .fetchSite, "\(site)")
        }
    }

    @Test func `an allowed origin takes precedence over Sec-Fetch-Site`() throws {
        let allowed = ["https://app.example.com", "http://localhost:3000", "capacitor://localhost"]
        for origin in allowed + ["HTTPS://App.Example.com"] {
            #expect(try verdict("Origin: \(origin)", allowing: allowed) == nil)
            #expect(
                try verdict("Sec-Fetch-Site: cross-site", "Origin: \(origin)", allowing: allowed)
                    == nil)
        }
        for origin in [
            "https://app.example.com:8443", "http://app.example.com", "https://app.example.co",
            "https://app.example.com.evil.example", "https://app.example.com, null", "null",
        ] {
            #expect(try verdict("Origin: \(origin)", allowing: allowed) == .origin)
        }
        // A same-origin page needs no entry.
        #expect(try verdict("Origin: http://h.example:8080", allowing: allowed) == nil)
    }

    @Test
    func `repeated Origin or Sec-Fetch-Site fields are rejected, even with equal values`() throws {
        let own = "Origin: http://h.example:8080"
        #expect(try verdict(own, own) == .repeatedField)
        #expect(try verdict(own, "Origin: null") == .repeatedField)
        let site = "Sec-Fetch-Site: same-origin"
        #expect(try verdict(site, site) == .repeatedField)
        #expect(try verdict(own, site, "SEC-FETCH-SITE: cross-site") == .repeatedField)
        let allowed = ["http://a.example"]
        #expect(
            try verdict("Origin: http://a.example", own, allowing: allowed) == .repeatedField)
    }

    @Test func `X-Forwarded-Host is compared only if a trusted proxy sent the request`() throws {
        let origin = "Origin: https://public.example"
        let forwarded = "X-Forwarded-Host: public.example"
        #expect(try verdict(origin, forwarded) == .origin)
        #expect(try verdict(origin, forwarded, isFromProxy: true) == nil)
        #expect(try verdict(origin, host: "public.example", isFromProxy: true) == nil)
        // Both names then are the server's own.
        #expect(
            try verdict(
                origin, "X-Forwarded-Host: other.example", host: "public.example",
                isFromProxy: true) == nil)
        for lines in [
            "X-Forwarded-Host: public.example, evil.example",
            "X-Forwarded-Host: evil.example, public.example",
            "X-Forwarded-Host: public.example\r\nX-Forwarded-Host: public.example",
            "X-Forwarded-Host: https://public.example", "X-Forwarded-Host:",
            "X-Forwarded-Host: evil.example", "Forwarded: host=public.example",
            "X-Forwarded-Server: public.example",
        ] {
            #expect(try verdict(origin, lines, isFromProxy: true) == .origin, "\(lines)")
        }
    }

    // RFC 9112 §3.2.2: the target's authority replaces Host.
    @Test func `an origin is compared with the authority of an absolute target`() throws {
        let line = "POST http://a.example:1/login HTTP/1.1"
        #expect(try verdict("Origin: http://a.example:1", host: "b.example", line: line) == nil)
        #expect(
            try verdict("Origin: http://b.example", host: "b.example", line: line) == .origin)
        #expect(
            try verdict(
                "Origin: http://c.example", host: "b.example",
                line: "CONNECT c.example:80 HTTP/1.1") == nil)
        // HTTP/1.0 may have no host at all.
        let old = "POST /login HTTP/1.0"
        #expect(try verdict(host: nil, line: old) == nil)
        #expect(try verdict("Origin: http://a.example", host: nil, line: old) == .origin)
    }
}

struct AllowedOriginsTests {
    @Test(arguments: [
        "https://app.example.com", "http://localhost:3000", "http://[::1]:8080",
        "https://xn--bcher-kva.example", "capacitor://localhost", "https://a", "http://1.2.3.4",
        "https://example.com:80", "http://example.com:443", "moz-extension://0a-1b:1",
    ])
    func `an origin in the form that browsers send is valid`(text: String) throws {
        #expect(throws: Never.self) { try AllowedOrigins(parsing: [text]) }
    }

    @Test(arguments: [
        ("", "is not an origin"), ("*", "is not an origin"), ("null", "is not an origin"),
        ("example.com", "is not an origin"), ("https://", "is not an origin"),
        ("https://*.example.com/", "is not an origin"), ("https://a/", "is not an origin"),
        ("https://a/b", "is not an origin"), ("https://u@a", "is not an origin"),
        ("https://a:", "is not an origin"), ("https://a b", "is not an origin"),
        ("https://b\u{FC}cher.example", "is not an origin"), ("1a://b", "is not an origin"),
        ("https://A.example", "write https://a.example"),
        ("HTTPS://a.example", "write https://a.example"),
        ("https://a.example:443", "write https://a.example"),
        ("http://[::1]:80", "write http://[::1]"),
        ("https://a:70000", "has an invalid port"),
        ("https://a:0", "has an invalid port"),
        ("https://a:08443", "has an invalid port"),
    ])
    func `an origin in a form that no browser sends is rejected with its problem`(
        text: String, problem: String
    ) {
        do throws(AllowedOrigins.Problems) {
            _ = try AllowedOrigins(parsing: ["https://good.example", text])
            Issue.record("accepted: \(text)")
        } catch {
            #expect(error.all.map(\.index) == [1])
            #expect(error.all.allSatisfy { $0.sentence.contains(problem) })
        }
    }

    @Test func `duplicate origins and too many origins are rejected`() {
        let twice = ["https://a", "https://b", "https://a"]
        #expect(throws: AllowedOrigins.Problems.self) { try AllowedOrigins(parsing: twice) }
        let many = (0...AllowedOrigins.maximumCount).map { "https://a\($0)" }
        #expect(throws: AllowedOrigins.Problems.self) { try AllowedOrigins(parsing: many) }
        #expect(throws: Never.self) { try AllowedOrigins(parsing: Array(many.dropLast())) }
    }
}

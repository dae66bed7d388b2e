import Foundation
import TestSupport
import Testing

@Suite(.blocking)
struct WebPolicyTests {
    private static let evil =
        "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"

    private func crossSite(_ request: String, _ fields: String = evil) -> String {
        request.replacing("Host: localhost\r\n", with: "Host: sso.intranet\r\n" + fields)
    }

    @Test func `pages of other sites cannot lock an account`() throws {
        var options = PasswordServerFixture.Options()
        options.login += #","max_attempts":2"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let shapes = [
            Self.evil, "Sec-Fetch-Site: same-site\r\n", "Sec-Fetch-Site: cross-site\r\n",
            "Origin: null\r\n", "Origin: https://evil.example\r\n",
            "Origin: http://sso.intranet\r\nOrigin: http://sso.intranet\r\n",
            "Content-Type: text/plain\r\nOrigin: http://localhost\r\n",
        ]
        for number in 0..<30 {
            let guess = String.login(named: "alice", "a wrong one", "x\(number)")
            let answer = try server.ask(crossSite(guess, shapes[number % shapes.count]))
            #expect(answer.verdict == "403 Cross-site request")
        }
        #expect(try server.login("alice").status == 200)
        #expect(try server.login("bob").status == 200)
        // The same request from a page of this host is handled.
        let own = "Origin: http://sso.intranet\r\nSec-Fetch-Site: same-origin\r\n"
        #expect(try server.ask(crossSite(.login(named: "alice"), own)).status == 200)
        for path in ["/refresh", "/logout", "/logout/all", "/login", "/nowhere"] {
            let answer = try server.ask(crossSite(.post(path)))
            #expect(answer.verdict == "403 Cross-site request", "\(path)")
        }
        #expect(try server.ask(crossSite(.get("/health/live"))).status == 200)
        #expect(try server.ask(crossSite(.post("/verify"))).status == 401)
        try server.stop()

        let events = try fixture.events("authn_cross_site")
        #expect(events.count + suppressed(events) >= 35)
        #expect(events.allSatisfy { $0.level == "WARNING" && $0["ip"] == "127.0.0.1" })
        #expect(
            Set(events.compactMap { $0["reason"] }) == ["fetch_site", "origin", "repeated_field"])
        #expect(events.contains { $0["origin"] == "https://evil.example" })
        #expect(try fixture.events("authn_login_fail").isEmpty)
        #expect(try fixture.events("authn_login_lock").isEmpty)
    }

    private func suppressed(_ entries: [LogEntry]) -> Int {
        entries.compactMap { $0["suppressed"].flatMap { Int($0) } }.reduce(0, +)
    }

    @Test func `pages of configured origins can log in, also after a reload`() throws {
        var options = PasswordServerFixture.Options()
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let login = crossSite(
            .login(named: "alice"),
            "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n")
        #expect(try server.ask(login).status == 403)
        options.server += #","cors_origins":["https://app.example"]"#
        try fixture.configure(options)
        server.process.kill(SIGHUP)
        #expect(
            try fixture.waitForEvent("config_reload") { $0["changed"] == "server.cors_origins" })
        #expect(try server.ask(login).status == 200)
        let other = login.replacing("app.example", with: "app.example.evil")
        #expect(try server.ask(other).status == 403)
        #expect(try server.stop() == .exited(0))
    }

    @Test func `the host that a trusted proxy forwards counts as the server's own`() throws {
        var options = PasswordServerFixture.Options()
        options.server += #","trusted_proxies":["127.0.0.1"]"#
        let trusting = try PasswordServerFixture(options)
        let fields = "Origin: https://sso.example\r\nX-Forwarded-Host: sso.example\r\n"
        let login = crossSite(.login(named: "alice"), fields)
        let server = try trusting.startServer()
        #expect(try server.ask(login).status == 200)
        #expect(
            try server.ask(login.replacing("Host: sso.example", with: "Host: a.example")).status
                == 403)
        let another = try PasswordServerFixture().startServer()
        #expect(try another.ask(login).status == 403)
    }

    @Test func `verify gives no verdict without a token, whatever the method`() throws {
        let server = try PasswordServerFixture().startServer()
        let token = try server.login("alice").token
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get",
        ] {
            func ask(_ fields: String) throws -> ServerResponse {
                let client = try server.client()
                try client.send("\(method) /verify?a HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
                return try client.response(toHead: method == "HEAD")
            }
            let refused = try ask("")
            #expect(refused.status == 401, "\(method)")
            #expect(refused["WWW-Authenticate"] == #"Bearer realm="gatehouse""#, "\(method)")
            let preflight = "Origin: https://a\r\nAccess-Control-Request-Method: POST\r\n"
            #expect(try ask(preflight).status == 401, "\(method)")
            let good = try ask("Authorization: Bearer \(token)\r\nOrigin: https://a\r\n")
            #expect(good.status == 204, "\(method)")
            #expect(good["X-Auth-User-Name"] == "Alice", "\(method)")
        }
        let content = String.post("/verify", "a body", "id", "Authorization: Bearer \(token)\r\n")
        #expect(try server.ask(content).status == 204)
    }

    @Test func `demo mode answers only under local host names`() throws {
        let folder = try TemporaryFolder()
        let server = try ServerProcess(in: folder)
        for host in ["evil.example", "evil.example:\(server.port)", "127.0.0.2", ""] {
            for request in [
                String.login(1), .get("/health/live"), .get("/nowhere"), .get("/verify"),
            ] {
                let answer = try server.ask(
                    request.replacing("Host: localhost", with: "Host: \(host)"))
                #expect(answer.verdict == "421 Misdirected request")
                #expect(answer["Connection"] == "close")
            }
        }
        for host in ["127.0.0.1:\(server.port)", "[::1]", "localhost:1"] {
            let login = String.login(1).replacing("Host: localhost", with: "Host: \(host)")
            #expect(try server.ask(login).status == 200)
        }
        // A request without Host, which browsers cannot send.
        #expect(try server.ask("GET /health/live HTTP/1.0\r\n\r\n").status == 200)
        // A reload with passwords in its configuration does not change the mode.
        server.process.kill(SIGHUP)
        let login = String.login(1).replacing("Host: localhost", with: "Host: evil.example")
        #expect(try server.ask(login).status == 421)
        try server.stop()
        let refused = LogEntry.all(in: try folder.log()).compactMap { $0 }
            .filter { $0.event == "http_refused" }
        #expect(refused.count >= 16)
        #expect(refused.allSatisfy { $0["reason"] == "misdirected" && $0["status"] == "421" })
    }

    @Test(arguments: ["127.0.0.1", "127.0.0.3"])
    func `metrics are served only under local host names`(
        address: String
    ) throws {
        let port = try unusedPort()
        var options = PasswordServerFixture.Options()
        options.sections = #""admin":{"metrics":"\#(address):\#(port)"}"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        func ask(_ host: String) throws -> Int {
            let client = try Client(address, port: port)
            try client.send("GET /metrics HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            return try client.response().status
        }
        for host in ["localhost", "127.0.0.1:\(port)", "[::1]:9090", "\(address):\(port)"] {
            #expect(try ask(host) == 200)
        }
        for host in ["evil.example", "evil.example:\(port)", "127.0.0.2", "", "metrics"] {
            #expect(try ask(host) == 421)
        }
        // With passwords, a local proxy may send the public host name.
        #expect(
            try server.ask(.get("/health/live").replacing("localhost", with: "sso.example")).status
                == 200)
        try server.stop()
    }

    @Test func `a content coding is refused on the admin socket, too`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        for path in ["/introspect", "/revoke", "/issue", "/standing", "/reload"] {
            let answer = try fixture.administer(
                .post(path, #"{"user":1}"#, "id", "Content-Encoding: gzip\r\n"))
            #expect(answer.verdict == "415 Unsupported media type", "\(path)")
            #expect(answer["Accept-Encoding"] == "identity", "\(path)")
        }
        let level = String.post(
            "/log-level", #"{"level":"DEBUG"}"#, "id", "Content-Encoding: x\r\n", method: "PUT")
        #expect(try fixture.administer(level).status == 415)
        // A client of the socket is not a browser, whatever its header fields say.
        let issue = String.post("/issue", #"{"user":1}"#, "id", Self.evil)
        #expect(try fixture.administer(issue).status == 200)
        try server.stop()
    }
}

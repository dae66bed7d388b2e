import HTTP
import Testing

/// Why a listener with these hosts rejects a request; nil if it accepts the request.
private func refusal(
    _ request: String, _ hosts: AcceptedHosts = .loopback
) -> ParseError? {
    let peer = Peer(hosts: hosts)
    peer.send("\(request)\r\n\r\n")
    do throws(ParseError) {
        #expect(try peer.conversation.next() != nil, "\(request)")
        return nil
    } catch { return error }
}

struct AcceptedHostsTests {
    @Test(arguments: [
        "127.0.0.1", "127.0.0.1:8080", "127.0.0.1:1", "127.0.0.1:", "[::1]", "[::1]:8080",
        "localhost", "localhost:65535", "LocalHost:80", " localhost\t",
    ])
    func `a loopback listener accepts the loopback names, with any port`(host: String) {
        for line in ["GET / HTTP/1.1", "POST /login HTTP/1.1", "OPTIONS * HTTP/1.1"] {
            #expect(refusal("\(line)\r\nHost:\(host)") == nil)
        }
        #expect(refusal("GET / HTTP/1.1\r\nHOST: \(host)") == nil)
    }

    @Test(arguments: [
        "evil.example", "evil.example:8080", "localhost.", "localhost.evil.example",
        "evil.localhost", "localhost.localdomain", "127.0.0.1.evil.example", "127.0.0.1.",
        "127.0.0.2", "127.1", "127.0.0.01", "2130706433", "0x7f000001", "0.0.0.0", "0",
        "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::2]", "10.0.0.1",
        "169.254.169.254", "%6cocalhost", "", ":8080", "localhos", "localhostx",
    ])
    func `a loopback listener rejects requests for any other host as misdirected`(host: String) {
        for line in [
            "GET / HTTP/1.1", "HEAD / HTTP/1.1", "POST /login HTTP/1.1", "OPTIONS * HTTP/1.1",
            "FOO / HTTP/1.1", "GET / HTTP/1.0", "TRACE /verify HTTP/1.1",
        ] {
            #expect(refusal("\(line)\r\nHost: \(host)") == .misdirected)
        }
    }

    // RFC 9112 §3.2.2 and §3.2.3: the target's authority replaces Host.
    @Test func `the authority of a target replaces the Host field`() {
        let own = "\r\nHost: localhost"
        let evil = "\r\nHost: evil.example"
        for target in ["http://evil.example/", "http://evil.example", "HTTP://EVIL.example:80/a?b"]
        {
            #expect(refusal("GET \(target) HTTP/1.1" + own) == .misdirected)
            #expect(refusal("POST \(target) HTTP/1.1" + own) == .misdirected)
            #expect(refusal("OPTIONS \(target) HTTP/1.1" + own) == .misdirected)
            #expect(refusal("GET \(target) HTTP/1.0") == .misdirected)
        }
        #expect(refusal("CONNECT evil.example:443 HTTP/1.1" + own) == .misdirected)
        for target in ["http://localhost/a", "http://127.0.0.1:8080", "http://[::1]:1?q"] {
            #expect(refusal("GET \(target) HTTP/1.1" + own) == nil)
            #expect(refusal("GET \(target) HTTP/1.1" + evil) == nil)
        }
        // A path is never an authority, whatever it contains.
        #expect(refusal("GET /http://localhost/ HTTP/1.1" + evil) == .misdirected)
        #expect(refusal("GET //localhost/ HTTP/1.1" + evil) == .misdirected)
    }

    @Test func `an HTTP/1.0 request without a host is accepted, because no browser sends one`() {
        #expect(refusal("GET / HTTP/1.0") == nil)
        #expect(refusal("GET / HTTP/1.1") == .missingHost)
    }

    @Test func `a listener accepts requests for its own address`() {
        let hosts = AcceptedHosts.loopback(and: ["127.0.0.5", "[::1]"])
        #expect(refusal("GET / HTTP/1.1\r\nHost: 127.0.0.5:9090", hosts) == nil)
        #expect(refusal("GET / HTTP/1.1\r\nHost: localhost", hosts) == nil)
        #expect(refusal("GET / HTTP/1.1\r\nHost: 127.0.0.6:9090", hosts) == .misdirected)
    }

    @Test func `a listener without a restriction accepts every host`() {
        for host in ["evil.example", "", "localhost", "10.0.0.1:5"] {
            #expect(refusal("GET / HTTP/1.1\r\nHost: \(host)", .any) == nil)
        }
    }

    @Test func `a misdirected request ends the connection before its body is read`() throws {
        let peer = Peer(hosts: .loopback)
        peer.send(
            "POST /login HTTP/1.1\r\nHost: evil.example\r\nExpect: 100-continue\r\n"
                + "Content-Length: 5\r\n\r\n")
        #expect(throws: ParseError.misdirected) { try peer.conversation.next() }
        peer.reject(.misdirected)
        let sent = peer.drain()
        #expect(sent.hasPrefix("HTTP/1.1 421 Misdirected Request\r\n"))
        #expect(sent.contains("\r\nConnection: close\r\n"))
        #expect(peer.hasEnded)
    }
}

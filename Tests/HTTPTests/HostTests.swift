import HTTP
import Testing

private func host(_ value: String) -> Reading {
    reading(of: "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n")
}

struct HostTests {
    // RFC 3986 §3.2.2 and RFC 9110 §7.2.
    @Test(arguments: [
        "localhost", "h.example", "H.EXAMPLE", "h.example.", "a-b_c~d", "127.0.0.1", "1",
        "999.1.1.1", "0.0.0.0=5000", "a!$&'()*+,;=b", "%41b", "h%c3%a9", "xn--nxasmq6b",
        "h:80", "h:0", "h:65535", "h:", "127.0.0.1:8080", "h:00080",
        "[::1]", "[::]", "[::1]:80", "[::1]:", "[2001:DB8::a:b]", "[1:2:3:4:5:6:7:8]",
        "[::ffff:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", "[1::8]", "[1:2:3:4:5:6:7::]",
        "[1::]", "[::1:2:3:4:5:6:7]", "[1:2:3::5:6:7:8]", "[::255.255.255.255]",
        "[v1.fe80::a+en1]", "[vF.a]:1", "[V0a.:]",
    ])
    func `a host is a name or an address, with an optional port`(value: String) {
        #expect(host(value).only != nil)
    }

    // RFC 9112 §3.2: a server must answer an invalid Host with 400.
    @Test(arguments: [
        "a b", "a/b", "a<b", "a>b", "a\\b", "a?b", "a#b", "a\"b", "a|b", "a^b", "a`b", "a{b}",
        "a[b]",
        "u@h", "u:p@h", "@h", "http://h", "h/", "/", "*h\u{E9}", "\u{FF}", "h\tb", "%", "%4",
        "%4g", "h%",
        "a.example, b.example", "h:a", "h:8a", "h:-1", "h:+1", "h: 80", "h :80", "h:80:80",
        "h::80",
        "::1", "h:123456", "[", "]", "[]", "[]:80", "[::1", "::1]", "[::1]a", "[::1]80",
        "[::1]:a", "[[::1]]", "[::1][::1]", "[h b]", "[::1%25en0]", "[/]", "[@]",
        "[1]", "[:]", "[:::]", "[1:2]", "[:1]", "[1:]", "[::1:]", "[1::2::3]", "[12345::]",
        "[::g]",
        "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[::1:2:3:4:5:6:7:8]",
        "[1.2.3.4]", "[::1.2.3]", "[::1.2.3.4.5]", "[::256.1.1.1]", "[::01.1.1.1]",
        "[::1.2.3.4:5]",
        "[::1..3.4]", "[::.1.2.3]", "[::a.1.2.3]", "[1:2:3:4:5:6:7:1.2.3.4]", "[::1.2.3.1000]",
        "[v]", "[v1]", "[v1.]", "[v.a]", "[vg.a]", "[v1.%41]", "[v1.[]", "[ ::1]",
    ])
    func `an invalid Host value is rejected`(value: String) {
        #expect(host(value).refusal == .badHost)
    }

    @Test func `an empty Host value is accepted`() {
        #expect(host("").only != nil)
        #expect(host(" \t").only != nil)
    }

    @Test func `a missing Host is rejected in HTTP/1.1 only`() {
        #expect(reading(of: "GET / HTTP/1.1\r\n\r\n").refusal == .missingHost)
        #expect(reading(of: "GET / HTTP/1.1\r\nX-Host: h\r\n\r\n").refusal == .missingHost)
        #expect(reading(of: "GET / HTTP/1.0\r\n\r\n").only != nil)
    }

    @Test func `a second Host is rejected, even with the same value and in HTTP/1.0`() {
        #expect(host("h\r\nHost: h").refusal == .badHost)
        #expect(host("h\r\nhOST: i").refusal == .badHost)
        #expect(host("h\r\nX: y\r\nHost:").refusal == .badHost)
        #expect(reading(of: "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n").refusal == .badHost)
        #expect(reading(of: "GET / HTTP/1.0\r\nHost: a b\r\n\r\n").refusal == .badHost)
    }
}

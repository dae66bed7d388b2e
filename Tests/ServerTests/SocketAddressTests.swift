import Server
import Testing

struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("localhost", "127.0.0.1", true),
        ("127.255.0.9", "127.255.0.9", true), ("0.0.0.0", "0.0.0.0", false),
        ("192.0.2.1", "192.0.2.1", false), ("128.0.0.1", "128.0.0.1", false),
        ("::1", "[::1]", true), ("0:0:0:0:0:0:0:1", "[::1]", true), ("::", "[::]", false),
        ("2001:DB8::0:1", "[2001:db8::1]", false),
        // The kernel does not treat this as a loopback address.
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", false),
    ])
    func `an address is parsed, and has one spelling in a URL`(
        text: String, url: String, isLoopback: Bool
    ) throws {
        let address = try #require(SocketAddress(text, port: 8080))
        #expect(address.urlHost == url)
        #expect(address.isLoopback == isLoopback)
        #expect(address.port == 8080)
    }

    @Test(arguments: [
        "", " ", "example.org", "LOCALHOST", "127.0.0.1 ", " 127.0.0.1", "127.1", "127.0.0.256",
        "127.0.0.01", "1.2.3.4.5", "[::1]", "::1%lo", ":::", "1::2::3", "::1/128",
        "127.0.0.1:80", "*",
    ])
    func `a name or a malformed address is not parsed`(text: String) {
        #expect(SocketAddress(text, port: 0) == nil)
    }

    // A C string ends at its first zero.
    @Test func `an address with a zero byte is not parsed`() {
        #expect(SocketAddress("127.0.0.1\0", port: 0) == nil)
        #expect(SocketAddress("::1\0x", port: 0) == nil)
        #expect(SocketAddress("localhost\0", port: 0) == nil)
    }

    @Test func `an unspecified address covers other hosts on the same port`() throws {
        for (host, other, isCovered) in [
            ("0.0.0.0", "127.0.0.1", true), ("0.0.0.0", "::1", false), ("::", "127.0.0.1", true),
            ("::", "::1", true), ("127.0.0.1", "127.0.0.2", false), ("127.0.0.1", "0.0.0.0", false),
        ] {
            let address = try #require(SocketAddress(host, port: 1))
            #expect(try address.covers(#require(SocketAddress(other, port: 1))) == isCovered)
        }
        #expect(!SocketAddress.unix(path: "a").covers(.loopback(port: 1)))
    }

    @Test func `addresses with the same host and port are equal`() {
        #expect(SocketAddress("localhost", port: 1) == .loopback(port: 1))
        #expect(SocketAddress("127.0.0.1", port: 2) != .loopback(port: 1))
        #expect(SocketAddress("::1", port: 1) != .loopback(port: 1))
    }
}

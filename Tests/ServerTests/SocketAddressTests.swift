import Server
import Testing

@Suite("An address")
struct SocketAddressTests {
    @Test(
        "is read from its text, and has one text in a URL",
        arguments: [
            ("127.0.0.1", "127.0.0.1", true), ("localhost", "127.0.0.1", true),
            ("127.255.0.9", "127.255.0.9", true), ("0.0.0.0", "0.0.0.0", false),
            ("192.0.2.1", "192.0.2.1", false), ("128.0.0.1", "128.0.0.1", false),
            ("::1", "[::1]", true), ("0:0:0:0:0:0:0:1", "[::1]", true), ("::", "[::]", false),
            ("2001:DB8::0:1", "[2001:db8::1]", false),
            // Not the interface that only this machine reaches, as far as the kernel is concerned.
            ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", false),
        ])
    func texts(text: String, url: String, isLoopback: Bool) throws {
        let address = try #require(SocketAddress(text, port: 8080))
        #expect(address.urlHost == url)
        #expect(address.isLoopback == isLoopback)
        #expect(address.port == 8080)
    }

    @Test(
        "is not a name, nor something like an address",
        arguments: [
            "", " ", "example.org", "LOCALHOST", "127.0.0.1 ", " 127.0.0.1", "127.1", "127.0.0.256",
            "127.0.0.01", "1.2.3.4.5", "[::1]", "::1%lo", ":::", "1::2::3", "::1/128",
            "127.0.0.1:80", "*",
        ])
    func refused(text: String) {
        #expect(SocketAddress(text, port: 0) == nil)
    }

    // C ends a string at its first zero.
    @Test("is not one with something behind a zero byte")
    func zero() {
        #expect(SocketAddress("127.0.0.1\0", port: 0) == nil)
        #expect(SocketAddress("::1\0x", port: 0) == nil)
        #expect(SocketAddress("localhost\0", port: 0) == nil)
    }

    @Test("has the port of another host, too, if all are meant")
    func wildcards() throws {
        for (host, other, isCovered) in [
            ("0.0.0.0", "127.0.0.1", true), ("0.0.0.0", "::1", false), ("::", "127.0.0.1", true),
            ("::", "::1", true), ("127.0.0.1", "127.0.0.2", false), ("127.0.0.1", "0.0.0.0", false),
        ] {
            let address = try #require(SocketAddress(host, port: 1))
            #expect(try address.covers(#require(SocketAddress(other, port: 1))) == isCovered)
        }
        #expect(!SocketAddress.unix(path: "a").covers(.loopback(port: 1)))
    }

    @Test("equals another with the same host and port")
    func equality() {
        #expect(SocketAddress("localhost", port: 1) == .loopback(port: 1))
        #expect(SocketAddress("127.0.0.1", port: 2) != .loopback(port: 1))
        #expect(SocketAddress("::1", port: 1) != .loopback(port: 1))
    }
}

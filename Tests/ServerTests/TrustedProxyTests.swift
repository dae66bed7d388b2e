import HTTP
import Server
import TestSupport
import Testing

@Suite("A server behind a proxy")
struct TrustedProxyTests {
    private static let fields = "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n"

    @Test("knows its clients from what a trusted proxy says")
    func trusted() throws {
        let proxies = try TrustedProxies(parsing: ["127.0.0.0/8"])
        let server = try TestServer(.forTests { $0.trustedProxies = proxies })
        let client = try server.client()
        try client.send(.get("/client", "id", Self.fields))
        #expect(try client.response().content == "192.0.2.1")
        try client.send(.get("/client"))
        #expect(try client.response().content == "127.0.0.1")
    }

    @Test("does not take a stranger's word")
    func stranger() throws {
        let proxies = try TrustedProxies(parsing: ["10.0.0.0/8", "::1"])
        for options in [.forTests, ServerOptions.forTests { $0.trustedProxies = proxies }] {
            let server = try TestServer(options)
            let client = try server.client()
            try client.send(.get("/client", "id", Self.fields))
            #expect(try client.response().content == "127.0.0.1")
        }
    }
}

import HTTP
import TestSupport
import Testing

/// The fields of a client that tries to appear as 6.6.6.6, or to have no address.
private let attempts: [(name: String, fields: [String])] = [
    ("nothing", []),
    ("an address", ["X-Forwarded-For: 6.6.6.6"]),
    ("a list", ["X-Forwarded-For: 6.6.6.6, 6.6.6.6,6.6.6.6"]),
    ("a proxy's address", ["X-Forwarded-For: 6.6.6.6, 10.0.0.1"]),
    ("many fields", Array(repeating: "X-Forwarded-For: 6.6.6.6", count: 60)),
    ("a name in another case", ["x-fOrWaRdEd-fOr: 6.6.6.6", "FORWARDED: FOR=6.6.6.6"]),
    ("a name that is nearly the same", ["X_Forwarded_For: 6.6.6.6", "X-Forwarded-Fo: 6.6.6.6"]),
    ("names that others believe", ["X-Real-IP: 6.6.6.6", "CF-Connecting-IP: 6.6.6.6"]),
    ("empty elements", ["X-Forwarded-For: ,, 6.6.6.6 ,,\t,", "X-Forwarded-For:"]),
    ("ports", ["X-Forwarded-For: 6.6.6.6:80, [::ffff:6.6.6.6]:80, 6.6.6.6:_x"]),
    ("brackets", ["X-Forwarded-For: [6.6.6.6], [::6], ::6]", "Forwarded: for=\"[::6\""]),
    ("zones", ["X-Forwarded-For: fe80::1%25eth0, fe80::1%6", "Forwarded: for=\"[fe80::1%6]\""]),
    ("quotations", ["X-Forwarded-For: \"6.6.6.6\"", "Forwarded: for=\"6.6.6.6\""]),
    ("an open quotation", ["Forwarded: for=6.6.6.6;host=\"", "X-Forwarded-For: \"6.6.6.6"]),
    ("backslashes", ["Forwarded: for=\"\\6.\\6.6.6\", for=\"6.6.6.6\\"]),
    ("mapped addresses", ["X-Forwarded-For: ::ffff:6.6.6.6, ::FFFF:606:606, ::ffff:10.0.0.1"]),
    ("other spellings", ["X-Forwarded-For: 0x6.6.6.6, 06.6.6.6, 101058054, 6.6.1542"]),
    ("names", ["X-Forwarded-For: localhost, unknown, _hidden", "Forwarded: for=unknown"]),
    ("a long list", ["X-Forwarded-For: 6.6.6.6" + String(repeating: ",10.0.0.9", count: 1200)]),
    ("a long element", ["X-Forwarded-For: " + String(repeating: "6", count: 9000)]),
    ("the other field", ["Forwarded: for=6.6.6.6, for=10.0.0.1"]),
    ("both fields, agreeing", ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"]),
    ("both fields, disagreeing", ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.7"]),
    ("two for", ["Forwarded: for=6.6.6.6;for=10.0.0.1", "Forwarded: for=6.6.6.6;FOR=6.6.6.6"]),
    ("bytes that are no text", ["X-Forwarded-For: \u{FF}\u{80}6.6.6.6", "Forwarded: for=\u{FF}"]),
]

/// The client's address for a request with these fields.
private func client(
    from peer: String, header: String = "", _ fields: [String], proxyHeaders: Bool = false
) throws -> String {
    let proxies = try TrustedProxies(parsing: ["10.0.0.0/8"])
    let address = ClientAddress(wire(peer).span)!
    var conversation = Conversation(
        limits: .init(), client: address, seed: 7, proxies: proxies.ifTrusted(address),
        expectsProxyHeader: proxyHeaders)
    let head = "GET / HTTP/1.1\r\nHost: h\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n"
    let bytes = wire(header + head)
    conversation.receive(bytes.span)
    return try conversation.next()?.client.string ?? "no request"
}

struct SpoofedAddressTests {
    private let proxy = "10.0.0.1"
    private let real = "192.0.2.1"

    @Test(arguments: attempts)
    func `a client without a proxy has the address of its connection`(
        name: String, fields: [String]
    ) throws {
        for peer in [real, "2001:db8::1", "11.0.0.1"] {
            #expect(try client(from: peer, fields) == peer)
            #expect(try client(from: peer, fields, proxyHeaders: true) == peer)
        }
    }

    @Test(arguments: attempts)
    func `a client has the address in the PROXY header`(name: String, fields: [String]) throws {
        for header in [
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n",
        ] {
            #expect(try client(from: proxy, header: header, fields, proxyHeaders: true) == real)
        }
        let unknown = "PROXY UNKNOWN 6.6.6.6 6.6.6.6 1 2\r\n"
        #expect(try client(from: proxy, header: unknown, fields, proxyHeaders: true) == proxy)
    }

    @Test(arguments: attempts)
    func `a client behind a proxy has its own address or the proxy's`(
        name: String, fields: [String]
    ) throws {
        let writesBoth = fields.contains { $0.lowercased().hasPrefix("forwarded:") }
        // The proxy writes X-Forwarded-For, and forwards the other field unchanged.
        let added = try client(from: proxy, fields + ["X-Forwarded-For: \(real)"])
        #expect(added == (writesBoth ? proxy : real))
        // A second trusted proxy is in the chain.
        let chained = try client(from: proxy, fields + ["X-Forwarded-For: \(real), 10.0.0.2"])
        #expect(chained == (writesBoth ? proxy : real))
        // The proxy appends its element to the last line.
        if let last = fields.lastIndex(where: { $0.lowercased().hasPrefix("x-forwarded-for:") }) {
            var appended = fields
            appended[last] += ", \(real)"
            #expect(try client(from: proxy, appended) == (writesBoth ? proxy : real))
        }
        // The proxy writes Forwarded.
        let forwarded = try client(from: proxy, fields + ["Forwarded: for=\"\(real):80\""])
        #expect([real, proxy].contains(forwarded))
        // The proxy writes both.
        let both = ["X-Forwarded-For: \(real)", "Forwarded: for=\(real)"]
        #expect(try client(from: proxy, fields + both) == real)
    }

    @Test(
        arguments: attempts
    )
    func `a client whose Forwarded line is broken has its own address or the proxy's`(
        name: String, fields: [String]
    ) throws {
        guard let last = fields.lastIndex(where: { $0.lowercased().hasPrefix("forwarded:") }) else {
            return
        }
        var appended = fields
        appended[last] += ", for=\(real)"
        #expect([real, proxy].contains(try client(from: proxy, appended)))
    }
}

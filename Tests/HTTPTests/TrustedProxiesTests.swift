import HTTP
import TestSupport
import Testing

/// The client's address for a request with these fields from `peer`. Checks that it does not depend
/// on how the bytes are split.
private func client(
    _ fields: [String], peer: String = "10.0.0.1",
    trusting texts: [String] = ["10.0.0.0/8", "2001:db8:aaaa::/48"],
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> String {
    let head = "GET / HTTP/1.1\r\nHost: h\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n"
    return try client(
        wire(head), peer: peer, trusting: TrustedProxies(parsing: texts),
        sourceLocation: sourceLocation)
}

private func client(
    _ head: [UInt8], peer: String, trusting proxies: TrustedProxies,
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> String {
    let unsplit = try client(of: [head[...]], peer, proxies)
    let byByte = try client(of: head.indices.map { head[$0...$0] }, peer, proxies)
    #expect(unsplit == byByte, "byte by byte", sourceLocation: sourceLocation)
    return unsplit
}

private func client(
    of pieces: [ArraySlice<UInt8>], _ peer: String, _ proxies: TrustedProxies
) throws -> String {
    let peer = ClientAddress(wire(peer).span)!
    var conversation = Conversation(
        limits: .init(), client: peer, seed: 7, proxies: proxies.ifTrusted(peer))
    for piece in pieces {
        conversation.receive(piece.span)
        if let request = try conversation.next() { return request.client.string }
    }
    return "no request"
}

struct TrustedProxiesTests {
    private static let peer = "10.0.0.1"

    @Test(arguments: [
        (["192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1,10.0.0.3,10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1, 10.0.0.3", "10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1:4711"], "192.0.2.1"),
        (["192.0.2.1:_port"], "192.0.2.1"),
        (["2001:DB8::1"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["2001:db8::1, 2001:db8:aaaa::7"], "2001:db8::1"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
        (["  192.0.2.1\t ,\t10.0.0.2 "], "192.0.2.1"),
        // Trusted proxies reported both of these.
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ])
    func `the client is the rightmost untrusted address of X-Forwarded-For`(
        values: [String], expected: String
    ) throws {
        #expect(try client(values.map { "X-Forwarded-For: \($0)" }) == expected)
        #expect(try client(values.map { "x-FORWARDED-for:\($0)" }) == expected)
    }

    @Test(arguments: [
        (["for=192.0.2.1"], "192.0.2.1"),
        (["For=192.0.2.1;proto=http;by=203.0.113.43"], "192.0.2.1"),
        (["for=192.0.2.1, for=10.0.0.2"], "192.0.2.1"),
        (["for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1"),
        (["FOR=\"192.0.2.1\""], "192.0.2.1"),
        (["for=\"192.0.2.1:4711\""], "192.0.2.1"),
        (["for=\"192.0.2.1:_p0rt\""], "192.0.2.1"),
        // RFC 7239 §4, §6.3.
        (["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
        (["for=\"[2001:db8::1]\""], "2001:db8::1"),
        (["for=\"\\1\\9\\2.0.2.1\""], "192.0.2.1"),
        (["by=10.0.0.2;for=192.0.2.1;host=\"a,b;for=6.6.6.6\""], "192.0.2.1"),
        ([";for=192.0.2.1;"], "192.0.2.1"),
        (["for=192.0.2.1 , for=10.0.0.2 ; proto=https"], "192.0.2.1"),
        (["for=10.0.0.3, for=10.0.0.2"], "10.0.0.3"),
    ])
    func `the client is the rightmost untrusted address of Forwarded`(
        values: [String], expected: String
    ) throws {
        #expect(try client(values.map { "Forwarded: \($0)" }) == expected)
    }

    @Test(arguments: [
        (["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (["10.0.0.9, 192.0.2.1"], "192.0.2.1"),
        (["10.0.0.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        (["6.6.6.6, 10.0.0.9", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
    ])
    func `addresses to the left of an untrusted address are ignored`(
        values: [String], expected: String
    ) throws {
        #expect(try client(values.map { "X-Forwarded-For: \($0)" }) == expected)
        let forwarded = values.map { value in
            "Forwarded: " + value.split(separator: ", ").map { "for=\($0)" }.joined(separator: ", ")
        }
        #expect(try client(forwarded) == expected)
    }

    @Test(arguments: [
        ("", peer), (",", peer), ("192.0.2.1,", peer), ("192.0.2.1, ,10.0.0.2", "10.0.0.2"),
        ("192.0.2.1, unknown", peer), ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1, _hidden", peer), ("192.0.2.1, \"10.0.0.2\"", peer),
        ("192.0.2.1 10.0.0.2", peer), ("192.0.2.1;10.0.0.2", peer),
        ("192.0.2.1, 10.0.0.256", peer), ("192.0.2.1, 010.0.0.2", peer),
        ("192.0.2.1, 10.0.0.2:", peer), ("192.0.2.1:80:80", peer), ("192.0.2.1:123456", peer),
        ("[192.0.2.1]", peer), ("[2001:db8::1", peer), ("[2001:db8::1]443", peer),
        ("2001:db8::1%eth0", peer), ("localhost", peer), ("\u{FF}\u{FE}", peer),
    ])
    func `an invalid element of X-Forwarded-For ends the search at the last known address`(
        value: String, expected: String
    ) throws {
        #expect(try client(["X-Forwarded-For: \(value)"]) == expected)
        // The line on which the element is does not matter.
        #expect(
            try client(["X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: \(value)"]) == expected)
        #expect(
            try client(["X-Forwarded-For: \(value)", "X-Forwarded-For: 192.0.2.9"])
                == "192.0.2.9")
    }

    @Test(arguments: [
        ("for=192.0.2.1, ;", peer), ("for=192.0.2.1, proto=http", peer),
        ("for=192.0.2.1, for=unknown", peer),
        ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=192.0.2.1, for=\"_SEVKISEK\"", peer), ("for=\"2001:db8::1\"", peer),
        ("for=\"[192.0.2.1]\"", peer), ("for=\"\"", peer),
        ("for=\"192.0.2.1, 192.0.2.2\"", peer),
        ("for=\"\(String(repeating: "1", count: 100))\"", peer),
        // A line that breaks the grammar reports no address.
        ("for=192.0.2.1, for=10.0.0.2, for", peer), ("for=192.0.2.1, for=", peer),
        ("for=[2001:db8::1]", peer), ("for=192.0.2.1:80", peer), ("for =192.0.2.1", peer),
        ("for= 192.0.2.1", peer), ("192.0.2.1", peer), ("for=192.0.2.1;for=192.0.2.2", peer),
        ("for=192.0.2.1 proto=http", peer), ("for=\"192.0.2.1", peer),
        ("for=\"192.0.2.1\\", peer), ("for=\"192.0.2.1\\\"", peer),
        ("for=\"192.0.2.1\"x", peer),
        ("=192.0.2.1", peer), ("\u{FF}", peer), ("for='192.0.2.1'", peer),
    ])
    func `an invalid element of Forwarded ends the search at the last known address`(
        value: String, expected: String
    ) throws {
        #expect(try client(["Forwarded: \(value)"]) == expected)
        #expect(try client(["Forwarded: for=192.0.2.9", "Forwarded: \(value)"]) == expected)
        #expect(
            try client(["Forwarded: \(value)", "Forwarded: for=192.0.2.9"]) == "192.0.2.9")
    }

    // RFC 9110 §5.6.1.2. No RFC defines X-Forwarded-For as a list, and an empty element may come
    // from a proxy that did not know the address.
    @Test(arguments: [
        "for=192.0.2.1,", ",for=192.0.2.1", "for=192.0.2.1, ,for=10.0.0.2",
        "for=192.0.2.1,,\t, ",
    ])
    func `empty elements of Forwarded are ignored`(value: String) throws {
        #expect(try client(["Forwarded: \(value)"]) == "192.0.2.1")
        #expect(try client(["Forwarded: \(value)", "Forwarded: "]) == "192.0.2.1")
        #expect(try client(["Forwarded: for=192.0.2.9", "Forwarded: ,"]) == "192.0.2.9")
        #expect(try client(["Forwarded: ,", "Forwarded:"]) == Self.peer)
    }

    @Test(arguments: [
        "for=6.6.6.6;x=\"", "x=\"\\", "for=\"6.6.6.6", "x=\"\\\"", "for=6.6.6.6, x=\"a",
    ])
    func `an open quotation mark of the client cannot hide the proxy's element`(start: String)
        throws
    {
        let proxy = "for=\"192.0.2.1:80\";host=\"a,for=6.6.6.6;y=\";by=10.0.0.1"
        #expect(try client(["Forwarded: \(start), \(proxy)"]) == Self.peer)
        #expect(try client(["Forwarded: \(start)", "Forwarded: \(proxy)"]) == "192.0.2.1")
    }

    @Test func `the peer is the client if the two fields disagree`() throws {
        let addresses = ["192.0.2.1", "6.6.6.6", "unknown", "10.0.0.2"]
        for one in addresses {
            for other in addresses {
                let fields = ["X-Forwarded-For: \(one)", "Forwarded: for=\(other)"]
                let expected = one == other && one != "unknown" ? one : Self.peer
                #expect(try client(fields) == expected)
                #expect(try client(fields.reversed()) == expected)
            }
        }
        #expect(try client(["X-Forwarded-For: 192.0.2.1", "Forwarded: for=\""]) == Self.peer)
        // The same client, found in different ways.
        let agreeing = ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1, for=10.0.0.2"]
        #expect(try client(agreeing) == "192.0.2.1")
    }

    @Test(arguments: ["192.0.2.7", "2001:db8::7", "11.0.0.1", "local", ""])
    func `an untrusted peer is the client, whatever its fields say`(peer: String) throws {
        for field in ["X-Forwarded-For: 10.0.0.2", "Forwarded: for=10.0.0.2", "X-Forwarded-For:"] {
            #expect(try client([field], peer: peer) == peer)
            #expect(try client([field], peer: peer, trusting: []) == peer)
        }
    }

    @Test func `a trusted peer without forwarding fields is the client`() throws {
        #expect(try client([]) == Self.peer)
        #expect(try client(["X-Real-IP: 6.6.6.6", "X-Forwarded: for=6.6.6.6"]) == Self.peer)
        #expect(try client([], peer: "2001:db8:aaaa::1") == "2001:db8:aaaa::1")
    }

    @Test func `each request of a connection has its own client`() throws {
        let peer = ClientAddress(wire(Self.peer).span)!
        let proxies = try TrustedProxies(parsing: [Self.peer])
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7, proxies: proxies.ifTrusted(peer))
        let requests = ["X-Forwarded-For: 192.0.2.1\r\n", "", "Forwarded: for=192.0.2.2\r\n"]
            .map { "GET / HTTP/1.1\r\nHost: h\r\n\($0)\r\n" }
        conversation.receive(wire(requests.joined()).span)
        var clients: [String] = []
        while let request = try conversation.next() {
            clients.append(request.client.string)
            conversation.complete(Response(.ok), date: someDate)
        }
        #expect(clients == ["192.0.2.1", Self.peer, "192.0.2.2"])
    }

    @Test
    func `the client of a chunked request comes from the head, not from the trailers`() throws {
        let head =
            "POST / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
        let proxies = try TrustedProxies(parsing: [Self.peer])
        #expect(try client(wire(head), peer: Self.peer, trusting: proxies) == "192.0.2.1")
    }

    @Test func `the search takes no longer than parsing the head`() throws {
        let chain = Array(repeating: "10.0.0.2", count: 1500).joined(separator: ",")
        #expect(try client(["X-Forwarded-For: 192.0.2.1,\(chain)"]) == "192.0.2.1")
    }

    @Test(arguments: 0..<20)
    func `an untrusted client cannot take another address, whatever it sends`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let proxies = try TrustedProxies(parsing: ["10.0.0.0/8"])
        let pieces = [
            "6.6.6.6", "10.0.0.3", "for=", "for=6.6.6.6", "\"", "\\", ",", ";", " ", "x=", "[::1]",
            "_a", "unknown", ":80", "=", "\t", "\u{FF}", "for=\"6.6.6.6\"", "2001:db8::6",
        ]
        for _ in 0..<TestScale.rounds(100, long: 2000) {
            let count = Int.random(in: 0...8, using: &generator)
            let junk = (0..<count).map { _ in pieces.randomElement(using: &generator)! }.joined()
            // One proxy appends to the line, and one adds a line of its own.
            for separator in [", ", "\r\nX-Forwarded-For: "] {
                let fields = ["X-Forwarded-For: \(junk)\(separator)192.0.2.1, 10.0.0.2"]
                #expect(try client(fields) == "192.0.2.1", "\(fields)")
            }
            let own =
                "for=\"192.0.2.1:80\";host=\""
                + "\(["h", "a,for=6.6.6.6"].randomElement(using: &generator)!)\""
            for separator in [", ", "\r\nForwarded: "] {
                let field = "Forwarded: \(junk)\(separator)\(own), for=10.0.0.2"
                let head = wire("GET / HTTP/1.1\r\nHost: h\r\n\(field)\r\n\r\n")
                let found = try client(head, peer: Self.peer, trusting: proxies)
                #expect(["192.0.2.1", "10.0.0.2", Self.peer].contains(found), "\(field)")
            }
            // No proxy appended an element: the result must be an address, and nothing may trap.
            for name in ["X-Forwarded-For", "Forwarded"] {
                let found = try client(["\(name): \(junk)"])
                #expect(NetworkAddress(wire(found).span)?.text.string == found)
            }
        }
    }
}

struct TrustedProxiesListTests {
    @Test func `each invalid element of the list is reported with its problem`() throws {
        let texts = ["10.0.0.0/8", "proxy", "10.0.0.1/8", "::1", "10.0.0.0/64"]
        let sentences = [
            1: "\"proxy\" is not an IP address or CIDR block; write 10.0.0.5, 10.0.0.0/8 or "
                + "2001:db8::/32",
            2: "\"10.0.0.1/8\" is not the first address of its block; write 10.0.0.0/8 for the "
                + "block, or the address without the slash",
            4:
                "\"10.0.0.0/64\" has an invalid prefix length; write a number from 1 to 32 after "
                + "the slash",
        ]
        do throws(TrustedProxies.Problems) {
            _ = try TrustedProxies(parsing: texts)
            Issue.record("accepted")
        } catch {
            #expect(error.all.count == sentences.count)
            for problem in error.all { #expect(problem.sentence == sentences[problem.index]) }
        }
    }

    @Test func `the list may be empty and has a maximum size`() throws {
        #expect(try TrustedProxies(parsing: []) == .none)
        let many = (0...512).map { "10.0.\($0 / 256).\($0 % 256)" }
        #expect(try !TrustedProxies(parsing: many.dropLast()).isEmpty)
        #expect(throws: TrustedProxies.Problems.self) { try TrustedProxies(parsing: many) }
    }
}

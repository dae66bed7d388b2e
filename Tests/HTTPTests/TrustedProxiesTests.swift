import HTTP
import TestSupport
import Testing

/// Who the client of a request with these fields is, when it comes from `peer`, however its bytes are
/// cut.
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
    let whole = try client(of: [head[...]], peer, proxies)
    let byByte = try client(of: head.indices.map { head[$0...$0] }, peer, proxies)
    #expect(whole == byByte, "byte by byte", sourceLocation: sourceLocation)
    return whole
}

private func client(
    of pieces: [ArraySlice<UInt8>], _ peer: String, _ proxies: TrustedProxies
) throws -> String {
    let peer = ClientAddress(wire(peer).span)!
    var conversation = Conversation(
        limits: .init(), client: peer, seed: 7, proxies: proxies.behind(peer))
    for piece in pieces {
        conversation.receive(piece.span)
        if let request = try conversation.next() { return request.client.string }
    }
    return "no request"
}

@Suite("The client behind a proxy")
struct TrustedProxiesTests {
    private static let peer = "10.0.0.1"

    @Test(
        "is the right-most address of X-Forwarded-For that is not trusted",
        arguments: [
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
            // Each of these was named by somebody who is trusted.
            (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ])
    func forwardedFor(values: [String], expected: String) throws {
        #expect(try client(values.map { "X-Forwarded-For: \($0)" }) == expected)
        #expect(try client(values.map { "x-FORWARDED-for:\($0)" }) == expected)
    }

    @Test(
        "is the right-most address of Forwarded that is not trusted",
        arguments: [
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
    func forwarded(values: [String], expected: String) throws {
        #expect(try client(values.map { "Forwarded: \($0)" }) == expected)
    }

    @Test(
        "is never what stands to the left of a stranger",
        arguments: [
            (["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
            (["10.0.0.9, 192.0.2.1"], "192.0.2.1"),
            (["10.0.0.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
            (["6.6.6.6, 10.0.0.9", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ])
    func spoofed(values: [String], expected: String) throws {
        #expect(try client(values.map { "X-Forwarded-For: \($0)" }) == expected)
        let forwarded = values.map { value in
            "Forwarded: " + value.split(separator: ", ").map { "for=\($0)" }.joined(separator: ", ")
        }
        #expect(try client(forwarded) == expected)
    }

    @Test(
        "is the last address on the way to an element of X-Forwarded-For that is none",
        arguments: [
            ("", peer), (",", peer), ("192.0.2.1,", peer), ("192.0.2.1, ,10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, unknown", peer), ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, _hidden", peer), ("192.0.2.1, \"10.0.0.2\"", peer),
            ("192.0.2.1 10.0.0.2", peer), ("192.0.2.1;10.0.0.2", peer),
            ("192.0.2.1, 10.0.0.256", peer), ("192.0.2.1, 010.0.0.2", peer),
            ("192.0.2.1, 10.0.0.2:", peer), ("192.0.2.1:80:80", peer), ("192.0.2.1:123456", peer),
            ("[192.0.2.1]", peer), ("[2001:db8::1", peer), ("[2001:db8::1]443", peer),
            ("2001:db8::1%eth0", peer), ("localhost", peer), ("\u{FF}\u{FE}", peer),
        ])
    func garbage(value: String, expected: String) throws {
        #expect(try client(["X-Forwarded-For: \(value)"]) == expected)
        // It does not matter on which line.
        #expect(
            try client(["X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: \(value)"]) == expected)
        #expect(
            try client(["X-Forwarded-For: \(value)", "X-Forwarded-For: 192.0.2.9"])
                == "192.0.2.9")
    }

    @Test(
        "is the last address on the way to an element of Forwarded that is none",
        arguments: [
            ("for=192.0.2.1, ;", peer), ("for=192.0.2.1, proto=http", peer),
            ("for=192.0.2.1, for=unknown", peer),
            ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=192.0.2.1, for=\"_SEVKISEK\"", peer), ("for=\"2001:db8::1\"", peer),
            ("for=\"[192.0.2.1]\"", peer), ("for=\"\"", peer),
            ("for=\"192.0.2.1, 192.0.2.2\"", peer),
            ("for=\"\(String(repeating: "1", count: 100))\"", peer),
            // What breaks the grammar says nothing at all.
            ("for=192.0.2.1, for=10.0.0.2, for", peer), ("for=192.0.2.1, for=", peer),
            ("for=[2001:db8::1]", peer), ("for=192.0.2.1:80", peer), ("for =192.0.2.1", peer),
            ("for= 192.0.2.1", peer), ("192.0.2.1", peer), ("for=192.0.2.1;for=192.0.2.2", peer),
            ("for=192.0.2.1 proto=http", peer), ("for=\"192.0.2.1", peer),
            ("for=\"192.0.2.1\\", peer), ("for=\"192.0.2.1\\\"", peer),
            ("for=\"192.0.2.1\"x", peer),
            ("=192.0.2.1", peer), ("\u{FF}", peer), ("for='192.0.2.1'", peer),
        ])
    func garbageForwarded(value: String, expected: String) throws {
        #expect(try client(["Forwarded: \(value)"]) == expected)
        #expect(try client(["Forwarded: for=192.0.2.9", "Forwarded: \(value)"]) == expected)
        #expect(
            try client(["Forwarded: \(value)", "Forwarded: for=192.0.2.9"]) == "192.0.2.9")
    }

    // RFC 9110 §5.6.1.2. X-Forwarded-For is no list by any RFC, and a proxy that knew no address may have
    // written nothing.
    @Test(
        "is not hidden by elements of Forwarded with nothing in them",
        arguments: [
            "for=192.0.2.1,", ",for=192.0.2.1", "for=192.0.2.1, ,for=10.0.0.2",
            "for=192.0.2.1,,\t, ",
        ])
    func emptyElements(value: String) throws {
        #expect(try client(["Forwarded: \(value)"]) == "192.0.2.1")
        #expect(try client(["Forwarded: \(value)", "Forwarded: "]) == "192.0.2.1")
        #expect(try client(["Forwarded: for=192.0.2.9", "Forwarded: ,"]) == "192.0.2.9")
        #expect(try client(["Forwarded: ,", "Forwarded:"]) == Self.peer)
    }

    @Test(
        "is not read out of a quotation that a stranger left open before a proxy's own words",
        arguments: [
            "for=6.6.6.6;x=\"", "x=\"\\", "for=\"6.6.6.6", "x=\"\\\"", "for=6.6.6.6, x=\"a",
        ])
    func openQuotation(start: String) throws {
        let proxy = "for=\"192.0.2.1:80\";host=\"a,for=6.6.6.6;y=\";by=10.0.0.1"
        #expect(try client(["Forwarded: \(start), \(proxy)"]) == Self.peer)
        #expect(try client(["Forwarded: \(start)", "Forwarded: \(proxy)"]) == "192.0.2.1")
    }

    @Test("is the peer where the two fields disagree: one of them may be the client's own")
    func both() throws {
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
        // By other ways to the same client.
        let agreeing = ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1, for=10.0.0.2"]
        #expect(try client(agreeing) == "192.0.2.1")
    }

    @Test(
        "is the peer, if that is not trusted, whatever the fields say",
        arguments: ["192.0.2.7", "2001:db8::7", "11.0.0.1", "local", ""])
    func untrusted(peer: String) throws {
        for field in ["X-Forwarded-For: 10.0.0.2", "Forwarded: for=10.0.0.2", "X-Forwarded-For:"] {
            #expect(try client([field], peer: peer) == peer)
            #expect(try client([field], peer: peer, trusting: []) == peer)
        }
    }

    @Test("is the peer, if that is trusted and says nothing")
    func silent() throws {
        #expect(try client([]) == Self.peer)
        #expect(try client(["X-Real-IP: 6.6.6.6", "X-Forwarded: for=6.6.6.6"]) == Self.peer)
        #expect(try client([], peer: "2001:db8:aaaa::1") == "2001:db8:aaaa::1")
    }

    @Test("is another one for each request of a connection")
    func pipelined() throws {
        let peer = ClientAddress(wire(Self.peer).span)!
        let proxies = try TrustedProxies(parsing: [Self.peer])
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7, proxies: proxies.behind(peer))
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

    @Test("is known behind a body, and not from its trailers")
    func body() throws {
        let head =
            "POST / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
        let proxies = try TrustedProxies(parsing: [Self.peer])
        #expect(try client(wire(head), peer: Self.peer, trusting: proxies) == "192.0.2.1")
    }

    @Test("does not take longer to find than its head takes to read")
    func longest() throws {
        let chain = Array(repeating: "10.0.0.2", count: 1500).joined(separator: ",")
        #expect(try client(["X-Forwarded-For: 192.0.2.1,\(chain)"]) == "192.0.2.1")
    }

    @Test("is the stranger or a proxy, whatever the stranger sends", arguments: 0..<20)
    func mutants(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let proxies = try TrustedProxies(parsing: ["10.0.0.0/8"])
        let pieces = [
            "6.6.6.6", "10.0.0.3", "for=", "for=6.6.6.6", "\"", "\\", ",", ";", " ", "x=", "[::1]",
            "_a", "unknown", ":80", "=", "\t", "\u{FF}", "for=\"6.6.6.6\"", "2001:db8::6",
        ]
        for _ in 0..<TestScale.rounds(100, long: 2000) {
            let count = Int.random(in: 0...8, using: &dice)
            let junk = (0..<count).map { _ in pieces.randomElement(using: &dice)! }.joined()
            // A proxy that appends on the same line, and one that adds a line of its own.
            for separator in [", ", "\r\nX-Forwarded-For: "] {
                let fields = ["X-Forwarded-For: \(junk)\(separator)192.0.2.1, 10.0.0.2"]
                #expect(try client(fields) == "192.0.2.1", "\(fields)")
            }
            let own =
                "for=\"192.0.2.1:80\";host=\"\(["h", "a,for=6.6.6.6"].randomElement(using: &dice)!)\""
            for separator in [", ", "\r\nForwarded: "] {
                let field = "Forwarded: \(junk)\(separator)\(own), for=10.0.0.2"
                let head = wire("GET / HTTP/1.1\r\nHost: h\r\n\(field)\r\n\r\n")
                let found = try client(head, peer: Self.peer, trusting: proxies)
                #expect(["192.0.2.1", "10.0.0.2", Self.peer].contains(found), "\(field)")
            }
            // Nothing was put behind it: whatever is found, it is an address, and nothing traps.
            for name in ["X-Forwarded-For", "Forwarded"] {
                let found = try client(["\(name): \(junk)"])
                #expect(NetworkAddress(wire(found).span)?.text.string == found)
            }
        }
    }
}

@Suite("The list of trusted proxies")
struct TrustedProxiesListTests {
    @Test("says what is wrong with each of its elements")
    func problems() throws {
        let texts = ["10.0.0.0/8", "proxy", "10.0.0.1/8", "::1", "10.0.0.0/64"]
        let sentences = [
            1: "\"proxy\" is not an IP address or CIDR block; write 10.0.0.5, 10.0.0.0/8 or "
                + "2001:db8::/32",
            2: "\"10.0.0.1/8\" is not the first address of its block; write 10.0.0.0/8 for the "
                + "block, or the address without the slash",
            4: "\"10.0.0.0/64\" has an invalid prefix length; write a number from 1 to 32 after the "
                + "slash",
        ]
        do throws(TrustedProxies.Problems) {
            _ = try TrustedProxies(parsing: texts)
            Issue.record("taken")
        } catch {
            #expect(error.all.count == sentences.count)
            for problem in error.all { #expect(problem.sentence == sentences[problem.index]) }
        }
    }

    @Test("may be empty, and has an end")
    func sizes() throws {
        #expect(try TrustedProxies(parsing: []) == .none)
        let many = (0...512).map { "10.0.\($0 / 256).\($0 % 256)" }
        #expect(try !TrustedProxies(parsing: many.dropLast()).isEmpty)
        #expect(throws: TrustedProxies.Problems.self) { try TrustedProxies(parsing: many) }
    }
}

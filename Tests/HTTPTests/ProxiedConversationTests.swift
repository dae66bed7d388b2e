import HTTP
import TestSupport
import Testing

private let proxy = "10.0.0.1"

/// The client of each request in these bytes, and the error if there is one, on a connection from
/// `peer` to a listener whose trusted proxies send a PROXY header. Checks that the result does not
/// depend on how the bytes are split.
private func clients(
    _ bytes: [UInt8], peer: String = proxy, sourceLocation: SourceLocation = #_sourceLocation
) throws -> [String] {
    let unsplit = try clients(of: [bytes[...]], peer)
    let byByte = try clients(of: bytes.indices.map { bytes[$0...$0] }, peer)
    #expect(unsplit == byByte, "byte by byte", sourceLocation: sourceLocation)
    for cut in stride(from: 1, to: bytes.count, by: 7) {
        let halves = try clients(of: [bytes[..<cut], bytes[cut...]], peer)
        #expect(unsplit == halves, "cut at \(cut)", sourceLocation: sourceLocation)
    }
    return unsplit
}

private func clients(of pieces: [ArraySlice<UInt8>], _ peer: String) throws -> [String] {
    let proxies = try TrustedProxies(parsing: ["10.0.0.0/8", "2001:db8:aaaa::/48"])
    let peer = ClientAddress(wire(peer).span)!
    var conversation = Conversation(
        limits: .init(), client: peer, seed: 7, proxies: proxies.ifTrusted(peer),
        expectsProxyHeader: true)
    var found: [String] = []
    for piece in pieces {
        conversation.receive(piece.span)
        do throws(ParseError) {
            while let request = try conversation.next() {
                found.append(request.client.string)
                conversation.complete(Response(.ok), date: someDate)
            }
        } catch {
            return found + ["\(error.reason) \(conversation.peer.string)"]
        }
    }
    return found
}

private func get(_ fields: String...) -> [UInt8] {
    wire("GET / HTTP/1.1\r\nHost: h\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
}

private func line(_ client: String) -> [UInt8] {
    let family = client.contains(":") ? "TCP6" : "TCP4"
    return wire("PROXY \(family) \(client) \(client) 56324 443\r\n")
}

private func block(_ command: UInt8, _ kind: UInt8, _ block: [UInt8] = []) -> [UInt8] {
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [command, kind, 0, UInt8(block.count)] + block
}

struct ProxiedConversationTests {
    // RFC 9110 §7.4: the proxy that names the client has secured the connection.
    @Test func `a trusted proxy may send https targets`() throws {
        let request = wire("GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try clients(line("192.0.2.1") + request) == ["192.0.2.1"])
        #expect(try clients(request, peer: "192.0.2.1") == ["misdirected 192.0.2.1"])
    }

    @Test func `the client of every request is the source in the PROXY header`() throws {
        #expect(try clients(line("192.0.2.1") + get() + get()) == ["192.0.2.1", "192.0.2.1"])
        #expect(try clients(line("2001:DB8::1") + get()) == ["2001:db8::1"])
        #expect(try clients(line("::ffff:192.0.2.1") + get()) == ["192.0.2.1"])
        let ipv4: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4]
        #expect(try clients(block(0x21, 0x11, ipv4) + get() + get()) == ["192.0.2.1", "192.0.2.1"])
    }

    @Test(arguments: [
        ["X-Forwarded-For: 6.6.6.6"], ["Forwarded: for=6.6.6.6"], ["X-FORWARDED-FOR: 10.0.0.2"],
        ["X-Forwarded-For: 6.6.6.6, 10.0.0.1"],
        ["X-Forwarded-For: 6.6.6.6", "forwarded: for=6.6.6.6"],
        ["X-Forwarded-For: ::ffff:6.6.6.6"], ["Forwarded: for=\"[2001:db8:aaaa::1]\""],
        ["X-Real-IP: 6.6.6.6"], ["X-Client-IP: 6.6.6.6", "True-Client-IP: 6.6.6.6"],
    ])
    func `forwarding fields of the client do not change its address`(fields: [String]) throws {
        let request = wire(
            "GET / HTTP/1.1\r\nHost: h\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
        for client in ["192.0.2.1", "2001:db8::1"] {
            #expect(try clients(line(client) + request) == [client])
            // A second PROXY header, from the client itself, is a malformed request line.
            #expect(
                try clients(line(client) + line("6.6.6.6") + request)
                    == ["bad_request_line \(client)"])
            #expect(
                try clients(line(client) + request + line("6.6.6.6"))
                    == [client, "bad_request_line \(client)"])
        }
        // The same if the proxy does not know the client.
        for unknown in [
            wire("PROXY UNKNOWN\r\n"), wire("PROXY UNKNOWN 6.6.6.6 6.6.6.6 1 2\r\n"),
            block(0x21, 0x00), block(0x21, 0x31, [UInt8](repeating: 0x2F, count: 216)),
        ] {
            #expect(try clients(unknown + request) == [proxy])
        }
    }

    @Test func `forwarding fields are believed if the PROXY header names a trusted proxy`() throws {
        let request = get("X-Forwarded-For: 6.6.6.6, 192.0.2.1")
        #expect(try clients(line("10.0.0.2") + request + get()) == ["192.0.2.1", "10.0.0.2"])
        #expect(try clients(line("::ffff:10.0.0.2") + request) == ["192.0.2.1"])
        #expect(try clients(line("2001:db8:aaaa::1") + request) == ["192.0.2.1"])
        // A connection of the proxy itself.
        #expect(try clients(block(0x20, 0x00) + get() + request) == [proxy, "192.0.2.1"])
    }

    @Test func `a connection of a trusted proxy without a PROXY header is rejected`() throws {
        let refused = ["no_proxy_header \(proxy)"]
        #expect(try clients(get()) == refused)
        #expect(try clients(get("X-Forwarded-For: 6.6.6.6")) == refused)
        #expect(try clients(wire("\r\n") + line("6.6.6.6") + get()) == refused)
        #expect(try clients(wire(" PROXY")) == refused)
        #expect(try clients(wire("PROXY TCP4 6.6.6.6\r\n")) == ["bad_proxy_header \(proxy)"])
        #expect(try clients(block(0x22, 0x11)) == ["bad_proxy_header \(proxy)"])
        #expect(try clients(block(0x21, 0x12) + get()) == ["bad_proxy_header \(proxy)"])
    }

    @Test func `a connection of an untrusted peer has no PROXY header`() throws {
        for peer in ["192.0.2.7", "2001:db8::7"] {
            #expect(try clients(get("X-Forwarded-For: 6.6.6.6"), peer: peer) == [peer])
            let refused = "bad_request_line \(peer)"
            #expect(try clients(line("6.6.6.6") + get(), peer: peer) == [refused])
            #expect(try clients(wire("PROXY UNKNOWN\r\n"), peer: peer) == [refused])
            // The first empty line is ignored, and the second is a request line.
            #expect(try clients(block(0x20, 0x00) + get(), peer: peer) == [refused])
        }
    }

    @Test func `the PROXY header does not count toward the head limit`() throws {
        let peer = ClientAddress(wire(proxy).span)!
        var conversation = Conversation(
            limits: .init(head: 60), client: peer, seed: 7,
            proxies: try TrustedProxies(parsing: [proxy]).ifTrusted(peer), expectsProxyHeader: true)
        let padding = String(repeating: "x", count: 60 - get("X: ").count)
        let bytes = line("192.0.2.1") + get("X: \(padding)")
        conversation.receive(bytes.span)
        #expect(try conversation.next()?.client.string == "192.0.2.1")
    }

    @Test
    func `the conversation awaits a message before the PROXY header and a head within it`() throws {
        let peer = ClientAddress(wire(proxy).span)!
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7,
            proxies: try TrustedProxies(parsing: [proxy]).ifTrusted(peer), expectsProxyHeader: true)
        #expect(conversation.state.wants == .message)
        let header = line("192.0.2.1")
        let (start, rest) = (header[..<9], header[9...])
        conversation.receive(start.span)
        #expect(try conversation.next() == nil)
        #expect(conversation.state.wants == .head)
        conversation.receive(rest.span)
        #expect(try conversation.next() == nil)
        #expect(conversation.state.wants == .message)
        #expect(conversation.peer.string == "192.0.2.1")
    }
}

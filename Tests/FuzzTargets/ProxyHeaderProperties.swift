import HTTP
import Time

/// The bytes arrive on a connection that must begin with a PROXY header.
enum ProxyHeaderProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let unsplit = parsed(bytes)
        for count in bytes.indices { try checkPrefix(Array(bytes[..<count]), unsplit) }
        guard case .header(let header) = unsplit else { return }
        try require(header.length <= bytes.count, "the header exceeds the input")
        try checkVersion1(header)
        try checkClient(header, Array(bytes[..<header.length]))
    }

    private enum Verdict: Equatable {
        case unfinished
        case header(ProxyHeader)
        case refused(ParseError)
    }

    private static func parsed(_ bytes: [UInt8]) -> Verdict {
        do throws(ParseError) {
            return try ProxyHeader.parse(bytes.span).map { .header($0) } ?? .unfinished
        } catch { return .refused(error) }
    }

    /// A result for a prefix does not change with more bytes.
    private static func checkPrefix(_ prefix: [UInt8], _ unsplit: Verdict) throws(PropertyFailure) {
        let verdict = parsed(prefix)
        if case .header(let header) = unsplit {
            let expected: Verdict = prefix.count < header.length ? .unfinished : unsplit
            try require(verdict == expected, "after \(prefix.count) bytes: \(verdict)")
        } else {
            try require(
                verdict == .unfinished || verdict == unsplit,
                "after \(prefix.count) bytes: \(verdict); after all: \(unsplit)")
        }
    }

    /// A version 1 header with the same address is parsed as the same source.
    private static func checkVersion1(_ header: ProxyHeader) throws(PropertyFailure) {
        guard case .address(let address) = header.source else { return }
        let text = address.text.string
        let family = text.contains(":") ? "TCP6" : "TCP4"
        let line = Array("PROXY \(family) \(text) \(text) 1 65535\r\n".utf8)
        guard case .header(let other) = parsed(line), other.source == header.source,
            other.length == line.count
        else { throw PropertyFailure("\(text) has another result in version 1") }
    }

    private static let peer = ClientAddress(Array("10.0.0.1".utf8).span)!
    private static let proxies = try? TrustedProxies(parsing: ["10.0.0.0/8"])
    private static let date = Timestamp(seconds: 784_111_777).httpDate
    private static let request = Array(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.66\r\n\r\n".utf8)

    /// The client of the next request is the source of the header, whatever its fields contain,
    /// unless the source is itself a trusted proxy.
    private static func checkClient(
        _ header: ProxyHeader, _ bytes: [UInt8]
    ) throws(PropertyFailure) {
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7, proxies: proxies?.ifTrusted(peer),
            expectsProxyHeader: true)
        let message = bytes + request
        conversation.receive(message.span)
        var client: String?
        do throws(ParseError) {
            client = try conversation.next()?.client.string
        } catch { throw PropertyFailure("a request after it is rejected: \(error)") }
        let expected: String? =
            switch header.source {
            case .address(let address):
                proxies?.ifTrusted(address.text) == nil ? address.text.string : "192.0.2.66"
            case .proxy: "192.0.2.66"
            case .unknown: peer.string
            }
        try require(client == expected, "the client is \(client ?? "unknown")")
    }
}

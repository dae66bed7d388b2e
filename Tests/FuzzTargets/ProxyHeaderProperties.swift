import HTTP
import Time

/// The bytes are what comes on a connection that has to begin with a PROXY header.
enum ProxyHeaderProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let whole = parsed(bytes)
        for count in bytes.indices { try checkPrefix(Array(bytes[..<count]), whole) }
        guard case .header(let header) = whole else { return }
        try require(header.length <= bytes.count, "it is longer than what is here")
        try checkRespelt(header)
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

    /// What is known from fewer bytes is no other from more of them.
    private static func checkPrefix(_ prefix: [UInt8], _ whole: Verdict) throws(PropertyFailure) {
        let verdict = parsed(prefix)
        if case .header(let header) = whole {
            let expected: Verdict = prefix.count < header.length ? .unfinished : whole
            try require(verdict == expected, "of \(prefix.count) bytes it says \(verdict)")
        } else {
            try require(
                verdict == .unfinished || verdict == whole,
                "of \(prefix.count) bytes it says \(verdict), of all \(whole)")
        }
    }

    /// The same address in a line of version 1.
    private static func checkRespelt(_ header: ProxyHeader) throws(PropertyFailure) {
        guard case .address(let address) = header.source else { return }
        let text = address.text.string
        let family = text.contains(":") ? "TCP6" : "TCP4"
        let line = Array("PROXY \(family) \(text) \(text) 1 65535\r\n".utf8)
        guard case .header(let other) = parsed(line), other.source == header.source,
            other.length == line.count
        else { throw PropertyFailure("\(text) is another address in version 1") }
    }

    private static let peer = ClientAddress(Array("10.0.0.1".utf8).span)!
    private static let proxies = try? TrustedProxies(parsing: ["10.0.0.0/8"])
    private static let date = Timestamp(seconds: 784_111_777).httpDate
    private static let request = Array(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.66\r\n\r\n".utf8)

    /// The client of a request behind it is the header's, whatever the request claims; unless that is
    /// itself trusted.
    private static func checkClient(
        _ header: ProxyHeader, _ bytes: [UInt8]
    ) throws(PropertyFailure) {
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7, proxies: proxies?.behind(peer),
            expectsProxyHeader: true)
        let message = bytes + request
        conversation.receive(message.span)
        var client: String?
        do throws(ParseError) {
            client = try conversation.next()?.client.string
        } catch { throw PropertyFailure("a request behind it is refused: \(error)") }
        let expected: String? =
            switch header.source {
            case .address(let address):
                proxies?.behind(address.text) == nil ? address.text.string : "192.0.2.66"
            case .proxy: "192.0.2.66"
            case .unknown: peer.string
            }
        try require(client == expected, "the client is \(client ?? "nobody")")
    }
}

/// An origin as the Origin field has it (RFC 6454 §6.2): `scheme "://" host [ ":" port ]`, as
/// offsets into the value.
struct WebOrigin {
    let scheme: Range<Int>
    /// Offsets of the host; an IPv6 address includes its brackets.
    let host: Range<Int>
    /// As written, or else the scheme's default; nil for a scheme that has none.
    let port: Int?
    /// Whether a port is written.
    let namesPort: Bool
    /// Whether the scheme is http or https, as that of this server's own origins is.
    let isOfHTTP: Bool

    /// Nil for what is no origin: `null`, a list, a path or user information after the host.
    init?(_ value: Span<UInt8>) {
        var end = 0
        while end < value.count, Self.isScheme(value[end], isFirst: end == 0) { end += 1 }
        guard end > 0, end + 3 < value.count,
            value.extracting(end..<(end + 3)).isEqual("://"),
            value[value.count - 1] != UInt8(ascii: ":")
        else { return nil }
        let rest = value.extracting((end + 3)..<value.count)
        guard Host.isValid(rest, needsName: true, needsPort: false) else { return nil }
        let authority = Authority(rest)
        let offset = end + 3
        scheme = 0..<end
        host = (authority.host.lowerBound + offset)..<(authority.host.upperBound + offset)
        let name = value.extracting(0..<end)
        let usual: Int? =
            if name.isEqualIgnoringCase("https") {
                443
            } else if name.isEqualIgnoringCase("http") { 80 } else { nil }
        isOfHTTP = usual != nil
        namesPort = authority.port != nil
        port = authority.port ?? usual
    }

    /// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 §3.1).
    private static func isScheme(_ byte: UInt8, isFirst: Bool) -> Bool {
        if (byte | 0x20) &- UInt8(ascii: "a") < 26 { return true }
        guard !isFirst else { return false }
        return Grammar.isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }
}

extension WebOrigin {
    /// Whether a page of this origin and a request for `authority` have the same host and port. The
    /// scheme is not compared: a proxy in front may bring TLS. Where the authority has no port, the
    /// client meant the default of the scheme that the origin shows.
    /// - Parameters:
    ///   - value: the bytes that this origin was read from.
    ///   - authority: one that `Host.isValid` accepts.
    func matches(_ value: Span<UInt8>, _ authority: Span<UInt8>) -> Bool {
        guard isOfHTTP else { return false }
        let other = Authority(authority)
        let usual = value.extracting(scheme).isEqualIgnoringCase("https") ? 443 : 80
        return value.extracting(host).isEqualIgnoringCase(authority.extracting(other.host))
            && port == other.port ?? usual
    }
}

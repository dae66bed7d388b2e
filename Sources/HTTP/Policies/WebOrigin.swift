/// The parts of an Origin field (RFC 6454 §6.2), `scheme "://" host [ ":" port ]`, as offsets into
/// its value.
struct WebOrigin {
    let scheme: Range<Int>
    /// Offsets of the host; an IPv6 address includes its brackets.
    let host: Range<Int>
    /// The port as written, else the scheme's default. Nil for a scheme without a default.
    let port: Int?
    /// True if the value contains a port.
    let namesPort: Bool
    /// True for http and https, the schemes of the server's own origins.
    let isOfHTTP: Bool

    /// Returns nil if the value is not one origin: `null`, a list, or a path or user information.
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
        let defaultPort: Int? =
            if name.isEqualIgnoringCase("https") {
                443
            } else if name.isEqualIgnoringCase("http") { 80 } else { nil }
        isOfHTTP = defaultPort != nil
        namesPort = authority.port != nil
        port = authority.port ?? defaultPort
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
    /// True if this origin and `authority` have the same host and port. The scheme is not compared,
    /// because a proxy may terminate TLS. An authority without a port has the default port of the
    /// origin's scheme.
    /// - Parameters:
    ///   - value: the bytes from which this origin was parsed.
    ///   - authority: one that `Host.isValid` accepts.
    func matches(_ value: Span<UInt8>, _ authority: Span<UInt8>) -> Bool {
        guard isOfHTTP else { return false }
        let other = Authority(authority)
        let defaultPort = value.extracting(scheme).isEqualIgnoringCase("https") ? 443 : 80
        return value.extracting(host).isEqualIgnoringCase(authority.extracting(other.host))
            && port == other.port ?? defaultPort
    }
}

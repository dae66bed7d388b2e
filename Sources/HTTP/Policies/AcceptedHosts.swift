/// The hosts that the requests of a listener may name.
///
/// A listener without authentication trusts that its clients run on the same machine. A browser
/// there also runs pages of other sites, and a page whose own name resolves to 127.0.0.1 (DNS
/// rebinding) is of the same origin as the listener to that browser. Such a request names the
/// page's host, and is refused with 421 (RFC 9110 §15.5.20), whatever it asks for.
package struct AcceptedHosts: Sendable, Equatable {
    /// In lower case; nil accepts every host.
    private let names: [[UInt8]]?

    /// Every host: a proxy on the same machine may pass the public name on.
    package static let any = AcceptedHosts(names: nil)

    /// 127.0.0.1, [::1] and localhost, with any port.
    package static let loopback = AcceptedHosts.loopback(and: [])

    /// The same, and the addresses that the listener itself has.
    /// - Parameter addresses: as a URL spells them, an IPv6 address in brackets.
    package static func loopback(and addresses: [String]) -> AcceptedHosts {
        let names = ["127.0.0.1", "[::1]", "localhost"] + addresses
        return AcceptedHosts(names: names.map { Array($0.lowercased().utf8) })
    }

    private init(names: [[UInt8]]?) { self.names = names }

    /// Whether this is a restriction at all.
    var isRestricted: Bool { names != nil }

    /// - Parameter authority: of the request; nil for HTTP/1.0 without Host, which no browser
    ///   sends.
    func accept(_ authority: Span<UInt8>?) -> Bool {
        guard let names, let authority else { return true }
        let host = authority.extracting(Authority(authority).host)
        for name in names where host.isEqualIgnoringCase(name.span) { return true }
        return false
    }
}

/// The hosts that requests to a listener may name.
///
/// A listener without authentication relies on its clients running on the same machine. A browser
/// on that machine also runs pages of other sites. If the name of such a page resolves to 127.0.0.1
/// (DNS rebinding), the browser regards page and listener as one origin. The page's requests still
/// name the page's host, so they are rejected with 421 (RFC 9110 §15.5.20).
package struct AcceptedHosts: Sendable, Equatable {
    /// In lower case. Nil accepts every host.
    private let names: [[UInt8]]?

    /// Every host. A proxy on the same machine may forward the public name.
    package static let any = AcceptedHosts(names: nil)

    /// 127.0.0.1, [::1] and localhost, with any port.
    package static let loopback = AcceptedHosts.loopback(and: [])

    /// The loopback names, and the listener's own addresses.
    /// - Parameter addresses: in URL form, an IPv6 address in brackets.
    package static func loopback(and addresses: [String]) -> AcceptedHosts {
        let names = ["127.0.0.1", "[::1]", "localhost"] + addresses
        return AcceptedHosts(names: names.map { Array($0.lowercased().utf8) })
    }

    private init(names: [[UInt8]]?) { self.names = names }

    /// False if every host is accepted.
    var isRestricted: Bool { names != nil }

    /// Returns true if the host of `authority` is accepted.
    /// - Parameter authority: the request's authority. Nil, which is accepted, for HTTP/1.0 without
    ///   Host; no browser sends that.
    func accept(_ authority: Span<UInt8>?) -> Bool {
        guard let names, let authority else { return true }
        let host = authority.extracting(Authority(authority).host)
        for name in names where host.isEqualIgnoringCase(name.span) { return true }
        return false
    }
}

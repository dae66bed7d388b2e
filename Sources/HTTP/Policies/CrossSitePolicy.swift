/// Which state-changing requests a page of another site caused (cross-site request forgery).
///
/// A page can have its visitor's browser send some POST requests anywhere, without asking first (a
/// form, or `fetch` with `no-cors`). The page never reads the answer, but the request counts: a
/// failed login locks the account that it names, and the visitor's address. Browsers say where such
/// a request comes from: in Origin (RFC 6454 §7), and in Sec-Fetch-Site (W3C, Fetch Metadata),
/// which no page can set. Other clients send neither field, and pass.
package struct CrossSitePolicy: Sendable {
    /// Why a request is refused.
    package enum Refusal: Sendable, CaseIterable {
        /// Two Origin or two Sec-Fetch-Site fields.
        case repeatedField
        /// Sec-Fetch-Site is neither `same-origin` nor `none`.
        case fetchSite
        /// Origin is neither this server's own nor allowed.
        case origin
    }

    private let allowed: AllowedOrigins

    package init(allowing allowed: AllowedOrigins = .none) { self.allowed = allowed }

    /// Nil if the request may pass. The method is not looked at; see `Method.changesState`.
    package func refusal(of request: Request) -> Refusal? {
        var origin: Span<UInt8>?
        var site: Span<UInt8>?
        for field in request.fields {
            let value = request.bytes.span.extracting(field.value.range)
            switch field.name {
            case .origin:
                guard origin == nil else { return .repeatedField }
                origin = value
            case .fetchSite:
                guard site == nil else { return .repeatedField }
                site = value
            default: break
            }
        }
        if let origin, allowed.contain(origin) { return nil }
        if let site {
            return site.isEqual("same-origin") || site.isEqual("none") ? nil : .fetchSite
        }
        guard let origin else { return nil }
        return isOwn(origin, of: request) ? nil : .origin
    }

    /// Whether a page of this origin came from the host that the request is for.
    private func isOwn(_ value: Span<UInt8>, of request: Request) -> Bool {
        guard let origin = WebOrigin(value) else { return false }
        if let authority = request.authority, origin.matches(value, authority) { return true }
        guard let forwarded = request.forwardedHost else { return false }
        return origin.matches(value, forwarded)
    }
}

extension Request {
    /// The host that a trusted proxy was asked for (X-Forwarded-Host); nil if no trusted proxy made
    /// the request, and if the field is there more than once, is a list, or holds no host: which of
    /// several hosts a browser knows is not certain.
    fileprivate var forwardedHost: Span<UInt8>? {
        @_lifetime(borrow self)
        get {
            guard isFromProxy else { return nil }
            var range: ByteRange?
            for field in fields where field.name == .forwardedHost {
                guard range == nil else { return nil }
                range = field.value
            }
            guard let range else { return nil }
            let value = bytes.span.extracting(range.range)
            // `Host.isValid` takes a comma, as a registered name may have one.
            for index in value.indices where value[index] == UInt8(ascii: ",") { return nil }
            return Host.isValid(value, needsName: true, needsPort: false) ? value : nil
        }
    }
}

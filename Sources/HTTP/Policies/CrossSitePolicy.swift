/// Detects requests that a page of another site caused (cross-site request forgery).
///
/// A page can make its visitor's browser send some POST requests to any server without a preflight
/// (a form, or `fetch` with `no-cors`). The page cannot read the response, but the request takes
/// effect: a failed login can lock the account that it names, and the visitor's address. Browsers
/// report where such a request comes from: in Origin (RFC 6454 §7), and in Sec-Fetch-Site (W3C,
/// Fetch Metadata), which no page can set. Other clients send neither field, and are accepted.
package struct CrossSitePolicy: Sendable {
    /// Why a request is rejected.
    package enum Refusal: Sendable, CaseIterable {
        /// Two Origin or two Sec-Fetch-Site fields.
        case repeatedField
        /// Sec-Fetch-Site is neither `same-origin` nor `none`.
        case fetchSite
        /// Origin is neither the server's own nor allowed.
        case origin
    }

    private let allowed: AllowedOrigins

    package init(allowing allowed: AllowedOrigins = .none) { self.allowed = allowed }

    /// Why the request must be rejected; nil if it is accepted. The method is not examined; see
    /// `Method.changesState`.
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

    /// True if a page of this origin came from the host that the request is for.
    private func isOwn(_ value: Span<UInt8>, of request: Request) -> Bool {
        guard let origin = WebOrigin(value) else { return false }
        if let authority = request.authority, origin.matches(value, authority) { return true }
        guard let forwarded = request.forwardedHost else { return false }
        return origin.matches(value, forwarded)
    }
}

extension Request {
    /// The host that the client requested from a trusted proxy (X-Forwarded-Host). Nil if no
    /// trusted proxy sent the request. Also nil if the field is repeated, is a list, or is not a
    /// host: then it is not certain which host the browser knows.
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
            // `Host.isValid` accepts a comma, because a registered name may contain one.
            for index in value.indices where value[index] == UInt8(ascii: ",") { return nil }
            return Host.isValid(value, needsName: true, needsPort: false) ? value : nil
        }
    }
}

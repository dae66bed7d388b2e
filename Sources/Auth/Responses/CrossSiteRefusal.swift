import HTTP
import Logging

/// The response to a state-changing request that the cross-site policy refuses: 403, and a line in
/// the log. Nothing else handles the request: the throttle does not count it, and no password is
/// checked.
package struct CrossSiteRefusal: Sendable {
    private let policy: CrossSitePolicy
    private let log: SecurityLog

    package init(_ policy: CrossSitePolicy, log: SecurityLog) {
        self.policy = policy
        self.log = log
    }

    /// - Precondition: the policy refuses `request`.
    package func respond(to request: Request) -> Response {
        let refusal = policy.refusal(of: request) ?? .origin
        log.record(CrossSiteRequest(refusal, request))
        return Self.response
    }

    private static let response = Response.error(.forbidden, "Cross-site request")
        .heldUntilCommitted
}

/// `authn_cross_site`: a page of another site made a visitor's browser send a state-changing
/// request.
struct CrossSiteRequest: SecurityEvent {
    /// Which request field showed it: `repeated_field`, `fetch_site` or `origin`.
    let reason: StaticString
    /// The value of Origin, cut to `maximumOrigin` bytes; `hidden` if it looks like a token, nil if
    /// the request has no Origin.
    let page: [UInt8]?
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_cross_site" }
    var source: LogSource? { origin.source(reason) }

    /// Bytes. A host name has at most 253 characters (RFC 1035 §2.3.4); the rest is for scheme and
    /// port.
    static let maximumOrigin = 280

    init(_ refusal: CrossSitePolicy.Refusal, _ request: Request) {
        reason = refusal.name
        origin = Origin(request)
        guard let value = request.value(of: .origin) else {
            page = nil
            return
        }
        page =
            value.looksLikeToken
            ? Array("hidden".utf8)
            : (0..<min(value.count, Self.maximumOrigin)).map { value[$0] }
    }

    func count(in counters: SecurityCounters) { counters.crossSite.add(reason) }

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        if let page { line.field("origin", page.span) }
        line.fields(origin)
    }
}

extension CrossSitePolicy.Refusal {
    fileprivate var name: StaticString {
        switch self {
        case .repeatedField: "repeated_field"
        case .fetchSite: "fetch_site"
        case .origin: "origin"
        }
    }
}

import HTTP
import JWT
import Time

/// GET /verify: tells a reverse proxy whether to pass a request on (nginx `auth_request`, Caddy
/// `forward_auth`, Traefik `ForwardAuth`). The response carries the token's claims in header
/// fields, which the proxy can forward.
package struct Verify: Sendable {
    private let names: [UserID: [UInt8]]

    package init(_ users: UserDirectory) {
        names = Dictionary(uniqueKeysWithValues: users.all.map { ($0.id, Array($0.name.utf8)) })
    }

    package func respond(to request: Request, from claims: Claims) -> Response {
        var fields = FieldLines()
        fields.add("X-Auth-User-Id", claims.user.rawValue)
        let name = names[claims.user] ?? []
        fields.add("X-Auth-User-Name", encoding: name.span)
        if let session = claims.sessionID { fields.add("X-Auth-Session", encoding: session.utf8) }
        fields.add("X-Auth-Expires", max(0, claims.expires.seconds))
        return Self.noContent.adding(fields)
    }

    private static let noContent = Response(.noContent)
}

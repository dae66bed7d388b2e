import HTTP
import JSON
import JWT
import Time

/// POST /introspect on the admin socket (RFC 7662): the claims of a token that is valid now. The
/// token is verified and logged like any other.
package struct Introspection: Sendable {
    private let bearer: BearerAuthentication
    private let users: UserDirectory
    private let policy: TokenPolicy

    package init(_ bearer: BearerAuthentication, users: UserDirectory, policy: TokenPolicy) {
        self.bearer = bearer
        self.users = users
        self.policy = policy
    }

    package func respond(to request: Request) -> Response {
        guard case .token(let token) = TokenParameter(request) else { return Self.invalidRequest }
        let claims: Claims
        do throws(BearerAuthentication.Rejection) {
            claims = try bearer.check(request, token.span).claims
        } catch {
            // §2.2: do not reveal why the token is inactive.
            return Self.inactive
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("active")
        writer.boolean(true)
        writer.name("token_type")
        writer.string("Bearer")
        writer.name("sub")
        writer.string(decimal: claims.user.rawValue)
        writer.name("user_id")
        writer.integer(claims.user.rawValue)
        if let user = users[claims.user] {
            writer.name("username")
            writer.string(user.username)
        }
        write("iss", policy.issuer, &writer)
        write("aud", policy.audience, &writer)
        write("iat", claims.issued, &writer)
        write("nbf", claims.notBefore, &writer)
        write("exp", claims.expires, &writer)
        write("auth_time", claims.authenticated, &writer)
        write("sxp", claims.sessionExpires, &writer)
        if let id = claims.tokenID {
            writer.name("jti")
            writer.string(id.utf8)
        }
        if let id = claims.sessionID {
            writer.name("sid")
            writer.string(id.utf8)
        }
        writer.endObject()
        return Response(.ok, json: writer.bytes).heldUntilCommitted
    }

    private func write(_ name: StaticString, _ text: String?, _ writer: inout JSONWriter) {
        guard let text else { return }
        writer.name(name)
        writer.string(text)
    }

    private func write(_ name: StaticString, _ moment: Timestamp?, _ writer: inout JSONWriter) {
        guard let moment else { return }
        writer.name(name)
        writer.integer(moment.seconds)
    }

    private static let inactive = Response(.ok, json: Array(#"{"active":false}"#.utf8))
        .heldUntilCommitted
    private static let invalidRequest = Response.error(.badRequest, "Invalid request")
}

import HTTP
import JSON
import JWT

/// GET /resource: the example of a protected endpoint. Each user's response is built once, in
/// `init`.
package struct Resource: Sendable {
    private let responses: UserIDMap<Response>

    package init(_ users: UserDirectory) {
        responses = UserIDMap(users.all.map { user in (user.id, Self.response(for: user)) })
    }

    package func respond(to request: Request, from claims: Claims) -> Response {
        responses[claims.user] ?? Self.notFound
    }

    package static func response(for user: User) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.beginObject()
        writer.name("id")
        writer.integer(user.id.rawValue)
        writer.name("name")
        writer.string(user.name)
        writer.endObject()
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    private static let notFound = Response.error(.notFound, "User not found")
}

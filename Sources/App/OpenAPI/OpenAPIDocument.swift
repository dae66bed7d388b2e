import Auth
import HTTP
import JSON
import JWT

/// GET /openapi.json: the public listener as OpenAPI 3.1 has it, true to the configuration in force.
/// Made once, whenever the routes are.
///
/// Every status is listed that a request can be answered with, those included that the protocol itself
/// gives, so that a checker need not be lenient. An operation has a method and a path; what other
/// methods and other paths are answered, OpenAPI has no place for but the description.
struct OpenAPI: Sendable {
    private let response: Response

    init(_ configuration: Configuration) {
        var writer = JSONWriter(capacity: 32 * 1024)
        Self.document(configuration).write(to: &writer)
        response = Response(.ok, json: writer.bytes)
    }

    /// The document.
    var content: [UInt8] { response.content }

    func respond(to request: Request) -> Response { response }

    private static func document(_ configuration: Configuration) -> JSONLiteral {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Gatehouse",
                "version": .string(Application.version),
                "summary": "Issues HS256 bearer tokens, checks, renews and revokes them.",
                "description": .string(
                    """
                    Bodies are JSON in UTF-8. An error's body is exactly {"error":"<sentence>"}. HEAD \
                    answers as GET does, without a body; OPTIONS answers 204 with Allow, but for \
                    /verify; any other method 405 `Method not allowed` with Allow, any other path \
                    404 `Not found`. A request may bring an X-Request-Id, which its response then \
                    has. A request with any method but GET, HEAD and OPTIONS that a page of \
                    another site sent is refused with 403, but for /verify: Sec-Fetch-Site is \
                    neither same-origin nor none, or without that field, Origin is neither of this \
                    host nor allowed.
                    """),
            ],
            "servers": [["url": "/"]],
            "paths": [
                "/login": ["post": login(configuration)],
                "/resource": ["get": resource],
                "/refresh": ["post": refresh(configuration)],
                "/logout": ["post": logout("logout", "End the token's session.")],
                "/logout/all": ["post": logout("logoutAll", "End all of the user's sessions.")],
                "/verify": ["get": verify],
                "/health/live": ["get": live],
                "/health/ready": ["get": ready],
                "/openapi.json": ["get": itself],
            ],
            "components": components(configuration),
        ]
    }

    // MARK: Operations

    private static func login(_ configuration: Configuration) -> JSONLiteral {
        let isDemo = configuration.login.mode == .demo
        var responses: JSONLiteral = [
            "200": reference("responses", "Token"),
            "400": reference("responses", "BadLogin"),
            "403": reference("responses", "CrossSite"),
            "411": reference("responses", "LengthRequired"),
            "415": reference("responses", "UnsupportedMediaType"),
        ]
        if !isDemo {
            responses = responses.adding([
                "401": reference("responses", "InvalidCredentials"),
                "429": reference("responses", "TooManyAttempts"),
            ])
        }
        return [
            "operationId": "login",
            "summary": .string(
                isDemo
                    ? "Begin a session as anyone (demo mode: there are no passwords)."
                    : "Begin a session by a user's id or name, and password."),
            "security": [],
            "requestBody": [
                "required": true,
                "content": [
                    "application/json": ["schema": reference("schemas", "Credentials")]
                ],
            ],
            "responses": responses.adding(always),
        ]
    }

    private static let resource: JSONLiteral = [
        "operationId": "resource",
        "summary": "Who the token's user is.",
        "security": bearer,
        "responses": JSONLiteral.object([
            (
                "200",
                response(
                    "The user.",
                    json: [
                        "type": "object",
                        "required": ["user"],
                        "properties": ["user": reference("schemas", "User")],
                        "additionalProperties": false,
                    ])
            )
        ]).adding(forBearer).adding(always),
    ]

    private static func refresh(_ configuration: Configuration) -> JSONLiteral {
        let old =
            switch configuration.refresh {
            case .rotate:
                """
                The old token is good for ten seconds more, in which it gives the same new one again; \
                brought later\(configuration.refreshGrace == .any ? "" : " or from another network"), \
                it ends the session.
                """
            case .extend: "The old token is good until its own end."
            }
        return [
            "operationId": "refresh",
            "summary": "A token of the same session that is good for longer.",
            "description": .string(old),
            "security": bearer,
            "responses": JSONLiteral.object([
                ("200", reference("responses", "Token")),
                ("400", reference("responses", "BadBearerRequest")),
                ("401", reference("responses", "RenewalRefused")),
                ("403", reference("responses", "CrossSite")),
                ("404", reference("responses", "UserNotFound")),
                ("429", reference("responses", "TooManyAttempts")),
            ]).adding(always),
        ]
    }

    private static func logout(_ id: String, _ summary: String) -> JSONLiteral {
        [
            "operationId": .string(id),
            "summary": .string(summary),
            "security": bearer,
            "responses": JSONLiteral.object([
                ("204", response("It ended.")),
                ("403", reference("responses", "CrossSite")),
            ]).adding(forBearer).adding(always),
        ]
    }

    private static let verify: JSONLiteral = [
        "operationId": "verify",
        "summary": "Whether a reverse proxy may let a request with this token pass.",
        "description": "Every other method is answered in the same way.",
        "security": bearer,
        "responses": JSONLiteral.object([
            (
                "204",
                response(
                    "It may.",
                    headers: [
                        "X-Auth-User-Id": reference("headers", "X-Auth-User-Id"),
                        "X-Auth-User-Name": reference("headers", "X-Auth-User-Name"),
                        "X-Auth-Session": reference("headers", "X-Auth-Session"),
                        "X-Auth-Expires": reference("headers", "X-Auth-Expires"),
                    ])
            )
        ]).adding(forBearer).adding(always),
    ]

    private static let live: JSONLiteral = [
        "operationId": "live",
        "summary": "Whether the process answers.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", reference("responses", "Well")),
            ("400", reference("responses", "BadRequest")),
        ]).adding(always),
    ]

    private static let ready: JSONLiteral = [
        "operationId": "ready",
        "summary":
            "Whether requests are welcome: nothing is broken, and the server is not stopping.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", reference("responses", "Well")),
            ("400", reference("responses", "BadRequest")),
            ("503", reference("responses", "NotReady")),
        ]).adding(fromTheProtocol),
    ]

    private static let itself: JSONLiteral = [
        "operationId": "openapi",
        "summary": "This document.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", response("OpenAPI 3.1.", json: ["type": "object"])),
            ("400", reference("responses", "BadRequest")),
        ]).adding(always),
    ]

    private static let bearer: JSONLiteral = [["bearer": []]]

    // MARK: Responses that several operations have

    /// Whatever is asked. Each operation has a 400 of its own beside these.
    private static let always = fromTheProtocol.adding([
        "503": reference("responses", "Unavailable")
    ])

    /// From requests that are too slow, too large, or no HTTP/1.1 that is known here.
    private static let fromTheProtocol: JSONLiteral = [
        "408": reference("responses", "RequestTimeout"),
        "413": reference("responses", "ContentTooLarge"),
        "414": reference("responses", "URITooLong"),
        "417": reference("responses", "ExpectationFailed"),
        "421": reference("responses", "MisdirectedRequest"),
        "431": reference("responses", "RequestHeaderFieldsTooLarge"),
        "501": reference("responses", "NotImplemented"),
        "505": reference("responses", "HTTPVersionNotSupported"),
    ]

    private static let forBearer: JSONLiteral = [
        "400": reference("responses", "BadBearerRequest"),
        "401": reference("responses", "Unauthorized"),
        "404": reference("responses", "UserNotFound"),
    ]
}

// MARK: - Parts

extension OpenAPI {
    static func reference(_ kind: String, _ name: String) -> JSONLiteral {
        ["$ref": .string("#/components/\(kind)/\(name)")]
    }

    /// - Parameters:
    ///   - headers: beyond those that every response has.
    ///   - schema: of its JSON; nil for a response without content.
    static func response(
        _ description: String, headers: JSONLiteral = [:], json schema: JSONLiteral? = nil
    ) -> JSONLiteral {
        let response: JSONLiteral = [
            "description": .string(description),
            "headers": headersOfAll.adding(headers),
        ]
        guard let schema else { return response }
        return response.adding(["content": ["application/json": ["schema": schema]]])
    }

    /// - Parameter sentences: all that its body may say.
    static func error(
        _ description: String, _ sentences: [String], headers: JSONLiteral = [:]
    ) -> JSONLiteral {
        response(
            description, headers: headers,
            json: [
                "allOf": [
                    reference("schemas", "Error"),
                    ["properties": ["error": ["enum": .array(sentences.map { .string($0) })]]],
                ]
            ])
    }

    private static let headersOfAll: JSONLiteral = [
        "X-Request-Id": reference("headers", "X-Request-Id"),
        "X-Content-Type-Options": reference("headers", "X-Content-Type-Options"),
        "Cache-Control": reference("headers", "Cache-Control"),
    ]
}

import Auth
import HTTP
import JSON
import JWT

/// GET /openapi.json: an OpenAPI 3.1 description of the public listener with its current
/// configuration. It is created together with the routes.
///
/// Each operation lists every status of its responses, including those of the protocol itself, so
/// that a strict checker accepts all responses. OpenAPI describes a response by method and path.
/// Responses to other methods and paths are therefore in the description text.
struct OpenAPI: Sendable {
    private let response: Response

    init(_ configuration: Configuration) {
        var writer = JSONWriter(capacity: 32 * 1024)
        Self.document(configuration).write(to: &writer)
        response = Response(.ok, json: writer.bytes)
    }

    /// The document as JSON.
    var content: [UInt8] { response.content }

    func respond(to request: Request) -> Response { response }

    private static func document(_ configuration: Configuration) -> JSONLiteral {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Gatehouse",
                "version": .string(Application.version),
                "summary": "Issues, verifies, refreshes and revokes HS256 bearer tokens.",
                "description": .string(
                    """
                    Bodies are JSON in UTF-8. The body of an error is exactly \
                    {"error":"<sentence>"}. The response to HEAD is that of GET without a body. \
                    OPTIONS is answered with 204 and Allow, except on /verify. Any other method is \
                    answered with 405 `Method not allowed` and Allow, any other path with 404 \
                    `Not found`. The X-Request-Id of a request is returned in its response. A \
                    cross-site request with a method other than GET, HEAD and OPTIONS is refused \
                    with 403, except on /verify. A request is cross-site if Sec-Fetch-Site is \
                    neither same-origin nor none, or if it lacks that field and Origin is neither \
                    this host nor an allowed origin.
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
                    ? "Start a session as any user (demo mode has no passwords)."
                    : "Start a session with a user's id or name, and password."),
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
        "summary": "Return the token's user.",
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
                The old token stays valid for ten seconds. Refreshing it again in that time \
                returns the same new token. Refreshing it later\
                \(configuration.refreshGrace == .any ? "" : ", or from another network,") \
                ends the session.
                """
            case .extend: "The old token stays valid until it expires."
            }
        return [
            "operationId": "refresh",
            "summary": "Return a token of the same session that expires later.",
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
                ("204", response("The session or sessions ended.")),
                ("403", reference("responses", "CrossSite")),
            ]).adding(forBearer).adding(always),
        ]
    }

    private static let verify: JSONLiteral = [
        "operationId": "verify",
        "summary": "Tell a reverse proxy whether to forward a request with this token.",
        "description": "The response is the same for every method.",
        "security": bearer,
        "responses": JSONLiteral.object([
            (
                "204",
                response(
                    "The token is valid.",
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
        "summary": "Check that the process responds.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", reference("responses", "Well")),
            ("400", reference("responses", "BadRequest")),
        ]).adding(always),
    ]

    private static let ready: JSONLiteral = [
        "operationId": "ready",
        "summary":
            "Check that the server accepts requests: no check fails, and it is not stopping.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", reference("responses", "Well")),
            ("400", reference("responses", "BadRequest")),
            ("503", reference("responses", "NotReady")),
        ]).adding(fromTheProtocol),
    ]

    private static let itself: JSONLiteral = [
        "operationId": "openapi",
        "summary": "Return this document.",
        "security": [],
        "responses": JSONLiteral.object([
            ("200", response("OpenAPI 3.1.", json: ["type": "object"])),
            ("400", reference("responses", "BadRequest")),
        ]).adding(always),
    ]

    private static let bearer: JSONLiteral = [["bearer": []]]

    // MARK: Responses of several operations

    /// Of almost every operation. Each has its own 400 in addition.
    private static let always = fromTheProtocol.adding([
        "503": reference("responses", "Unavailable")
    ])

    /// To requests that are too slow, too large, or not supported HTTP/1.1.
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
    ///   - headers: those in addition to the headers of every response.
    ///   - schema: the schema of its JSON; nil for a response without content.
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

    /// - Parameter sentences: every possible value of `error` in its body.
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

import HTTP
import JWT

/// What the operations refer to by name.
extension OpenAPI {
    static func components(_ configuration: Configuration) -> JSONLiteral {
        [
            "securitySchemes": [
                "bearer": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"]
            ],
            "schemas": schemas(configuration),
            "headers": headers,
            "responses": successes.adding(errors(configuration)).adding(errorsOfTheProtocol),
        ]
    }

    // MARK: Schemas

    private static func schemas(_ configuration: Configuration) -> JSONLiteral {
        [
            "Credentials": configuration.login.mode == .demo
                ? demoCredentials : passwordCredentials,
            "UserId": userID,
            "User": [
                "type": "object",
                "required": ["id", "name"],
                "properties": [
                    "id": reference("schemas", "UserId"),
                    "name": ["type": "string"],
                ],
                "additionalProperties": false,
            ],
            "Token": token,
            "Error": [
                "type": "object",
                "required": ["error"],
                "properties": ["error": ["type": "string"]],
                "additionalProperties": false,
            ],
        ]
    }

    private static let userID: JSONLiteral = [
        "type": "integer",
        "minimum": 1,
        "maximum": 9_007_199_254_740_991,
        "description": "A whole number, written as one: 1, and not 1.0.",
    ]

    private static let demoCredentials: JSONLiteral = [
        "type": "object",
        "required": ["user_id"],
        "properties": [
            "user_id": reference("schemas", "UserId"),
            "username": [
                "type": ["string", "null"], "description": "Of no account in demo mode.",
            ],
        ],
        "maxProperties": 64,
    ]

    private static let passwordCredentials: JSONLiteral = [
        "type": "object",
        "required": ["password"],
        "properties": [
            // Null is absent.
            "user_id": ["anyOf": [reference("schemas", "UserId"), ["type": "null"]]],
            "username": ["type": ["string", "null"]],
            "password": ["type": "string", "format": "password"],
        ],
        // Both are one user, or nobody.
        "anyOf": [
            ["required": ["user_id"], "properties": ["user_id": reference("schemas", "UserId")]],
            ["required": ["username"], "properties": ["username": ["type": "string"]]],
        ],
        "maxProperties": 64,
    ]

    private static let token: JSONLiteral = [
        "type": "object",
        "required": ["token", "token_type", "expires_in", "session_expires_in"],
        "properties": [
            "token": [
                "type": "string",
                "pattern": #"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"#,
                "description": "A JSON Web Token (RFC 7519), signed with HS256.",
            ],
            "token_type": ["const": "Bearer"],
            "expires_in": [
                "type": "integer", "minimum": 0,
                "description": "Seconds until the token's end.",
            ],
            "session_expires_in": [
                "type": "integer", "minimum": 0,
                "description": "Seconds until the session's end, which no renewal moves.",
            ],
        ],
        "additionalProperties": false,
    ]

    // MARK: Headers

    private static let headers: JSONLiteral = [
        "X-Request-Id": [
            "required": true,
            "description": "The request's own, if it is of this form; else a new one.",
            "schema": ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"],
        ],
        "X-Content-Type-Options": ["required": true, "schema": ["const": "nosniff"]],
        "Cache-Control": ["required": true, "schema": ["const": "no-store"]],
        "Pragma": ["required": true, "schema": ["const": "no-cache"]],
        "Retry-After": [
            "required": true,
            "description": "Seconds.",
            "schema": ["type": "integer", "minimum": 1],
        ],
        "WWW-Authenticate": [
            "required": true,
            "description": "RFC 6750 §3.",
            "schema": ["type": "string", "pattern": #"^Bearer realm="gatehouse""#],
        ],
        "X-Auth-User-Id": ["required": true, "schema": reference("schemas", "UserId")],
        "X-Auth-User-Name": [
            "required": true,
            "description":
                "What a field cannot hold, and the percent sign, is percent-encoded UTF-8.",
            "schema": ["type": "string"],
        ],
        "X-Auth-Session": [
            "description":
                "The session's name; of a token of another issuer that has none, its own.",
            "schema": ["type": "string"],
        ],
        "X-Auth-Expires": [
            "required": true,
            "description": "The token's end in seconds since 1970.",
            "schema": ["type": "integer", "minimum": 0],
        ],
    ]

    private static let challenge: JSONLiteral = [
        "WWW-Authenticate": reference("headers", "WWW-Authenticate")
    ]
    private static let retry: JSONLiteral = ["Retry-After": reference("headers", "Retry-After")]

    // MARK: Responses

    private static let successes: JSONLiteral = [
        "Token": response(
            "A token.", headers: ["Pragma": reference("headers", "Pragma")],
            json: reference("schemas", "Token")),
        "Well": response(
            "All is well.",
            json: [
                "type": "object",
                "required": ["status"],
                "properties": ["status": ["const": "ok"]],
                "additionalProperties": false,
            ]),
    ]

    private static func errors(_ configuration: Configuration) -> JSONLiteral {
        var errors: JSONLiteral = [
            "BadLogin": error(
                "The request is malformed, its body is not one JSON object, or it names no user.",
                ["Bad request", "Invalid JSON", "Invalid user_id"]),
            "BadBearerRequest": badBearerRequest,
            "Unauthorized": error(
                "No token, or none that is good any more.", unauthorized, headers: challenge),
            "RenewalRefused": error(
                "No token, or none that is good any more, or its session is over.",
                unauthorized + ["Session expired"], headers: challenge),
            "CrossSite": error(
                "A page of another site sent the request, according to Sec-Fetch-Site or Origin.",
                ["Cross-site request"]),
            "UserNotFound": error("The token's user is gone.", ["User not found"]),
            "TooManyAttempts": error("Too often.", ["Too many attempts"], headers: retry),
            "LengthRequired": error("Nothing said that content comes.", ["Length required"]),
            "UnsupportedMediaType": error(
                "A Content-Type that is not JSON, or content that is coded.",
                ["Unsupported media type"],
                headers: [
                    "Accept-Encoding": [
                        "description": "Where the content is coded.",
                        "schema": ["const": "identity"],
                    ]
                ]),
            "NotReady": notReady,
        ]
        if configuration.login.mode == .password {
            errors = errors.adding([
                "InvalidCredentials": error(
                    "No such user, or not this password.", ["Invalid credentials"],
                    headers: challenge)
            ])
        }
        return errors
    }

    private static let badBearerRequest = error(
        "The request is malformed, or its Authorization is.", ["Bad request", "Invalid request"],
        headers: [
            "WWW-Authenticate": [
                "description": "RFC 6750 §3, where it is the Authorization.",
                "schema": ["type": "string"],
            ]
        ])

    private static let unauthorized = [
        "Unauthorized", "Invalid token", "Token expired", "Token revoked",
    ]

    private static let unavailable = [
        "Too many connections", "Busy", "Log unavailable", "Storage unavailable",
    ]

    private static let notReady = response(
        "Something is broken, or the server is stopping or full.",
        headers: [
            "Retry-After": [
                "description": "Seconds, where the server is full.",
                "schema": ["type": "integer", "minimum": 1],
            ]
        ],
        json: [
            "oneOf": [
                reference("schemas", "Error"),
                [
                    "type": "object",
                    "required": ["status", "checks"],
                    "properties": [
                        "status": ["const": "unavailable"],
                        "checks": [
                            "type": "object",
                            "minProperties": 1,
                            "description": "What is wrong, by the part that it is wrong with.",
                            "additionalProperties": ["type": "string"],
                        ],
                    ],
                    "additionalProperties": false,
                ],
            ]
        ])

    private static let errorsOfTheProtocol: JSONLiteral = [
        "BadRequest": error("The request is malformed.", ["Bad request"]),
        "RequestTimeout": error("The request did not arrive in time.", ["Request timeout"]),
        "ContentTooLarge": error("The body is too large.", ["Content too large"]),
        "URITooLong": error("The request line is too long.", ["URI too long"]),
        "ExpectationFailed": error(
            "An Expect other than 100-continue.", ["Expectation failed"]),
        "MisdirectedRequest": error(
            """
            An https target, and no trusted proxy in between; in demo mode also a host other than \
            127.0.0.1, [::1] and localhost.
            """, ["Misdirected request"]),
        "RequestHeaderFieldsTooLarge": error(
            "Too many header fields, or too long.", ["Request header fields too large"]),
        "NotImplemented": error(
            "A transfer coding other than chunked, or a method that is too long.",
            ["Not implemented"]),
        "HTTPVersionNotSupported": error(
            "Another version of HTTP.", ["HTTP version not supported"]),
        "Unavailable": error(
            "The server is full, or cannot put on record what it did.", unavailable,
            headers: retry),
    ]
}

import HTTP
import JWT

/// The components that operations refer to by name.
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
        "description": "An integer without a fraction: 1, not 1.0.",
    ]

    private static let demoCredentials: JSONLiteral = [
        "type": "object",
        "required": ["user_id"],
        "properties": [
            "user_id": reference("schemas", "UserId"),
            "username": [
                "type": ["string", "null"], "description": "Ignored in demo mode.",
            ],
        ],
        "maxProperties": 64,
    ]

    private static let passwordCredentials: JSONLiteral = [
        "type": "object",
        "required": ["password"],
        "properties": [
            // Null counts as absent.
            "user_id": ["anyOf": [reference("schemas", "UserId"), ["type": "null"]]],
            "username": ["type": ["string", "null"]],
            "password": ["type": "string", "format": "password"],
        ],
        // One of the two is required. If both are given, they must belong to the same user.
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
                "description": "Seconds until the token expires.",
            ],
            "session_expires_in": [
                "type": "integer", "minimum": 0,
                "description": "Seconds until the session ends. A refresh does not extend it.",
            ],
        ],
        "additionalProperties": false,
    ]

    // MARK: Headers

    private static let headers: JSONLiteral = [
        "X-Request-Id": [
            "required": true,
            "description": "The X-Request-Id of the request if it has this form, else a new one.",
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
                "Bytes that a field cannot contain, and the percent sign, are percent-encoded.",
            "schema": ["type": "string"],
        ],
        "X-Auth-Session": [
            "description":
                "The id of the session; for a token of another issuer without one, the token's id.",
            "schema": ["type": "string"],
        ],
        "X-Auth-Expires": [
            "required": true,
            "description": "The expiry of the token in seconds since 1970.",
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
            "Success.",
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
                "The request has no token, or the token is not valid.", unauthorized,
                headers: challenge),
            "RenewalRefused": error(
                "The request has no token, the token is not valid, or its session has ended.",
                unauthorized + ["Session expired"], headers: challenge),
            "CrossSite": error(
                "A page of another site sent the request, according to Sec-Fetch-Site or Origin.",
                ["Cross-site request"]),
            "UserNotFound": error("The token's user no longer exists.", ["User not found"]),
            "TooManyAttempts": error(
                "There were too many attempts.", ["Too many attempts"], headers: retry),
            "LengthRequired": error(
                "The request has neither Content-Length nor Transfer-Encoding.",
                ["Length required"]),
            "UnsupportedMediaType": error(
                "The Content-Type is not JSON, or the request has a Content-Encoding.",
                ["Unsupported media type"],
                headers: [
                    "Accept-Encoding": [
                        "description": "Only if the request has a Content-Encoding.",
                        "schema": ["const": "identity"],
                    ]
                ]),
            "NotReady": notReady,
        ]
        if configuration.login.mode == .password {
            errors = errors.adding([
                "InvalidCredentials": error(
                    "The user is unknown, or the password is wrong.", ["Invalid credentials"],
                    headers: challenge)
            ])
        }
        return errors
    }

    private static let badBearerRequest = error(
        "The request or its Authorization field is malformed.", ["Bad request", "Invalid request"],
        headers: [
            "WWW-Authenticate": [
                "description": "RFC 6750 §3. Only if the Authorization field is malformed.",
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
        "A check has failed, or the server is stopping or overloaded.",
        headers: [
            "Retry-After": [
                "description": "Seconds. Only if the server is overloaded.",
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
                            "description": "The problem of each failed check, by its name.",
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
            "The request has an Expect other than 100-continue.", ["Expectation failed"]),
        "MisdirectedRequest": error(
            """
            The target is https, and the request did not come through a trusted proxy. In demo \
            mode also: the host is not 127.0.0.1, [::1] or localhost.
            """, ["Misdirected request"]),
        "RequestHeaderFieldsTooLarge": error(
            "The header fields are too many or too long.", ["Request header fields too large"]),
        "NotImplemented": error(
            "The transfer coding is not chunked, or the method is too long.",
            ["Not implemented"]),
        "HTTPVersionNotSupported": error(
            "The HTTP version is not supported.", ["HTTP version not supported"]),
        "Unavailable": error(
            "The server is overloaded, or cannot write the log or the journal.", unavailable,
            headers: retry),
    ]
}

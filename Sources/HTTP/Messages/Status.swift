/// The status codes that the server sends (RFC 9110 §15).
package enum Status: Int, Sendable, CaseIterable {
    case ok = 200
    case noContent = 204
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case requestTimeout = 408
    case lengthRequired = 411
    case contentTooLarge = 413
    case uriTooLong = 414
    case unsupportedMediaType = 415
    case expectationFailed = 417
    case misdirectedRequest = 421
    case tooManyRequests = 429
    case requestHeaderFieldsTooLarge = 431
    case internalServerError = 500
    case notImplemented = 501
    case serviceUnavailable = 503
    case httpVersionNotSupported = 505

    package var code: Int { rawValue }

    /// The first bytes of every response with this status, up to the value of Date.
    var headPrefix: StaticString {
        switch self {
        case .ok: "HTTP/1.1 200 OK\r\nDate: "
        case .noContent: "HTTP/1.1 204 No Content\r\nDate: "
        case .badRequest: "HTTP/1.1 400 Bad Request\r\nDate: "
        case .unauthorized: "HTTP/1.1 401 Unauthorized\r\nDate: "
        case .forbidden: "HTTP/1.1 403 Forbidden\r\nDate: "
        case .notFound: "HTTP/1.1 404 Not Found\r\nDate: "
        case .methodNotAllowed: "HTTP/1.1 405 Method Not Allowed\r\nDate: "
        case .requestTimeout: "HTTP/1.1 408 Request Timeout\r\nDate: "
        case .lengthRequired: "HTTP/1.1 411 Length Required\r\nDate: "
        case .contentTooLarge: "HTTP/1.1 413 Content Too Large\r\nDate: "
        case .uriTooLong: "HTTP/1.1 414 URI Too Long\r\nDate: "
        case .unsupportedMediaType: "HTTP/1.1 415 Unsupported Media Type\r\nDate: "
        case .expectationFailed: "HTTP/1.1 417 Expectation Failed\r\nDate: "
        case .misdirectedRequest: "HTTP/1.1 421 Misdirected Request\r\nDate: "
        case .tooManyRequests: "HTTP/1.1 429 Too Many Requests\r\nDate: "
        case .requestHeaderFieldsTooLarge: "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: "
        case .internalServerError: "HTTP/1.1 500 Internal Server Error\r\nDate: "
        case .notImplemented: "HTTP/1.1 501 Not Implemented\r\nDate: "
        case .serviceUnavailable: "HTTP/1.1 503 Service Unavailable\r\nDate: "
        case .httpVersionNotSupported: "HTTP/1.1 505 HTTP Version Not Supported\r\nDate: "
        }
    }

    /// The reason phrase after the code.
    var reasonPhrase: String {
        String("\(headPrefix)".dropFirst(13).prefix { $0 != "\r\n" })
    }
}

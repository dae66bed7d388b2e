/// Why the parser rejects the bytes of a connection. Each error has its response status and its
/// `reason=` value in the log; the client gets one constant sentence. The connection closes after
/// any of them, because the start of the next message is unknown.
package enum ParseError: Error, Equatable, CaseIterable, Sendable {
    /// Not `method SP target SP version` (RFC 9112 §3).
    case badRequestLine
    /// A target in none of the four forms, or in a form that the method does not allow (§3.2).
    case badTarget
    /// An HTTP version other than 1.x.
    case unsupportedVersion
    /// CR without LF, or LF without CR (§2.2).
    case bareLineEnd
    /// A control character that the message syntax does not allow (RFC 9110 §5.5).
    case controlCharacter
    /// A field line without a name, or with white space around the name (RFC 9112 §5.1).
    case badField
    /// A field value that continues on the next line (§5.2).
    case obsoleteFolding
    /// An HTTP/1.1 request without a Host field (§3.2).
    case missingHost
    /// Two Host fields, or an invalid Host value.
    case badHost
    /// A field that is allowed once occurs twice.
    case repeatedField
    /// A Content-Length that is not a single decimal number (§6.3).
    case badLength
    /// Both Content-Length and Transfer-Encoding (§6.1): a request smuggling technique.
    case lengthWithCoding
    /// A Transfer-Encoding whose last coding is not chunked, or any in HTTP/1.0 (§6.1, §6.3).
    case badCoding
    /// A transfer coding other than chunked.
    case unsupportedCoding
    /// A chunk that breaks the framing of §7.1.
    case badChunk
    /// An Expect field with an expectation other than 100-continue (RFC 9110 §10.1.1).
    case unknownExpectation
    /// An `https` target on a connection without TLS (§7.4), or a host that `AcceptedHosts` does
    /// not accept.
    case misdirected
    /// The method alone exceeds the size limit of a head (RFC 9112 §3).
    case methodTooLong
    case targetTooLong
    case headTooLarge
    case tooManyFields
    case bodyTooLarge
    /// The header section did not arrive before the deadline.
    case headTimeout
    /// The body did not arrive before the deadline.
    case bodyTimeout
    /// The client closed its sending side inside a request (RFC 9112 §8).
    case incomplete
    /// A connection that must begin with a PROXY header begins without one.
    case noProxyHeader
    /// A PROXY header that violates its specification.
    case badProxyHeader

    package var status: Status {
        switch self {
        case .badRequestLine, .badTarget, .bareLineEnd, .controlCharacter, .badField,
            .obsoleteFolding, .missingHost, .badHost, .repeatedField, .badLength,
            .lengthWithCoding, .badCoding, .badChunk, .incomplete, .noProxyHeader,
            .badProxyHeader:
            .badRequest
        case .unsupportedVersion: .httpVersionNotSupported
        case .unsupportedCoding, .methodTooLong: .notImplemented
        case .unknownExpectation: .expectationFailed
        case .misdirected: .misdirectedRequest
        case .targetTooLong: .uriTooLong
        case .headTooLarge, .tooManyFields: .requestHeaderFieldsTooLarge
        case .bodyTooLarge: .contentTooLarge
        case .headTimeout, .bodyTimeout: .requestTimeout
        }
    }

    /// The value of `reason=` in the log.
    package var reason: StaticString {
        switch self {
        case .badRequestLine: "bad_request_line"
        case .badTarget: "bad_target"
        case .unsupportedVersion: "unsupported_version"
        case .bareLineEnd: "bare_line_end"
        case .controlCharacter: "control_character"
        case .badField: "bad_field"
        case .obsoleteFolding: "obsolete_folding"
        case .missingHost: "missing_host"
        case .badHost: "bad_host"
        case .repeatedField: "repeated_field"
        case .badLength: "bad_length"
        case .lengthWithCoding: "length_with_coding"
        case .badCoding: "bad_coding"
        case .unsupportedCoding: "unsupported_coding"
        case .badChunk: "bad_chunk"
        case .unknownExpectation: "unknown_expectation"
        case .misdirected: "misdirected"
        case .methodTooLong: "method_too_long"
        case .targetTooLong: "target_too_long"
        case .headTooLarge: "head_too_large"
        case .tooManyFields: "too_many_fields"
        case .bodyTooLarge: "body_too_large"
        case .headTimeout: "head_timeout"
        case .bodyTimeout: "body_timeout"
        case .incomplete: "incomplete"
        case .noProxyHeader: "no_proxy_header"
        case .badProxyHeader: "bad_proxy_header"
        }
    }

    package var response: Response { Response.error(status) }
}

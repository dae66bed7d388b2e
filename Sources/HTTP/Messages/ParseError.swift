/// Why a connection's bytes are refused. Each error owns its status and the word that the log has
/// for it; what the client reads is one constant sentence. After any of them the connection closes:
/// where a message was not understood, nobody knows where the next one begins.
package enum ParseError: Error, Equatable, CaseIterable, Sendable {
    /// Not `method SP target SP version` (RFC 9112 §3).
    case badRequestLine
    /// A target of none of the four forms, or of one that the method may not have (§3.2).
    case badTarget
    /// HTTP, but not 1.x.
    case unsupportedVersion
    /// A carriage return or a line feed alone (§2.2).
    case bareLineEnd
    /// A control character where none may be (RFC 9110 §5.5).
    case controlCharacter
    /// A field line without a name, or with white space around the name (RFC 9112 §5.1).
    case badField
    /// A field value that goes on in the next line (§5.2).
    case obsoleteFolding
    /// HTTP/1.1 without Host (§3.2).
    case missingHost
    /// Two Host fields, or one that is no host.
    case badHost
    /// A field that may come once came twice.
    case repeatedField
    /// A Content-Length that is not one number (§6.3).
    case badLength
    /// Content-Length and Transfer-Encoding (§6.1): how requests are smuggled.
    case lengthWithCoding
    /// A Transfer-Encoding that does not end in chunked, or any in HTTP/1.0 (§6.1, §6.3).
    case badCoding
    /// A transfer coding other than chunked.
    case unsupportedCoding
    /// A chunk that is not framed as §7.1 says.
    case badChunk
    /// An Expect field that asks for anything but 100-continue (RFC 9110 §10.1.1).
    case unknownExpectation
    /// A target that is `https`, over a connection that nobody has secured (§7.4); or a host that
    /// `AcceptedHosts` does not accept.
    case misdirected
    /// A method that is longer than a whole head may be (RFC 9112 §3).
    case methodTooLong
    case targetTooLong
    case headTooLarge
    case tooManyFields
    case bodyTooLarge
    /// The header section did not arrive in time.
    case headTimeout
    /// The body did not arrive in time.
    case bodyTimeout
    /// The client ended its side inside a request (RFC 9112 §8).
    case incomplete
    /// A proxy that is to begin its connections with a PROXY header began one without.
    case noProxyHeader
    /// A PROXY header that is not as its specification says.
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

    /// The word in the log.
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

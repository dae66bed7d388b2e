/// The framing of a message, from the fields of its head: its host, the end of its body, and
/// whether the connection persists (RFC 9112 §3.2, §6, §9.3). Ambiguous framing is rejected, never
/// resolved.
struct Framing {
    enum Body: Equatable {
        /// No field announces content.
        case none
        case length(Int)
        case chunked
    }

    private(set) var body: Body = .none
    private(set) var expectsContinue = false
    private(set) var wantsClose = false
    private(set) var wantsKeepAlive = false

    /// - Parameter minorVersion: 0 for HTTP/1.0, 1 for HTTP/1.1 and later.
    init(
        _ fields: [Field], _ bytes: Span<UInt8>, minorVersion: Int, maximumBody: Int
    ) throws(ParseError) {
        var hosts = 0
        var lengths = 0
        var types = 0
        var coding = Coding()
        var length = 0
        for field in fields {
            let value = bytes.extracting(field.value.range)
            switch field.name {
            case .host:
                hosts += 1
                guard hosts == 1, Host.isValid(value, needsName: false, needsPort: false) else {
                    throw .badHost
                }
            case .contentLength:
                lengths += 1
                length = try Self.length(value, maximumBody)
            case .transferEncoding: coding.read(value)
            case .contentType: types += 1
            case .connection: readConnection(value)
            case .expect where minorVersion > 0:
                try readExpect(value)
            case .authorization, .contentEncoding, .expect, .fetchSite, .forwarded,
                .forwardedFor, .forwardedHost, .origin, .requestID, .other:
                break
            }
        }
        // RFC 9112 §3.2.
        if hosts == 0, minorVersion > 0 { throw .missingHost }
        guard lengths < 2, types < 2 else { throw .repeatedField }
        if coding.isPresent {
            if lengths > 0 { throw .lengthWithCoding }
            // §6.1: HTTP/1.0 has no transfer codings, so the framing is faulty.
            if minorVersion == 0 { throw .badCoding }
            try coding.check()
            body = .chunked
        } else if lengths > 0 {
            guard length <= maximumBody else { throw .bodyTooLarge }
            body = .length(length)
        }
    }

    /// Parses a Content-Length: decimal digits and nothing else (§6.2). A recipient may accept a
    /// list of equal numbers (§6.3). It is rejected here, because a proxy may have interpreted it
    /// differently.
    /// - Returns: the length, or some larger number than `maximumBody` if it exceeds that.
    private static func length(
        _ value: Span<UInt8>, _ maximumBody: Int
    ) throws(ParseError) -> Int {
        guard value.count > 0 else { throw .badLength }
        var length = 0
        for index in value.indices {
            guard Grammar.isDigit(value[index]) else { throw .badLength }
            // Above the limit the value does not matter, and it must not overflow.
            if length <= maximumBody {
                length = length * 10 + Int(value[index] - UInt8(ascii: "0"))
            }
        }
        return length
    }

    /// Parses a list of expectations (RFC 9110 §10.1.1). Only 100-continue is supported. Empty
    /// elements are ignored (§5.6.1.2).
    private mutating func readExpect(_ value: Span<UInt8>) throws(ParseError) {
        var start = 0
        for index in 0...value.count where index == value.count || value[index] == 0x2C {
            let expectation = value.extracting(start..<index).trimmed
            if expectation.isEqualIgnoringCase("100-continue") {
                expectsContinue = true
            } else if expectation.count > 0 {
                throw .unknownExpectation
            }
            start = index + 1
        }
    }

    private mutating func readConnection(_ value: Span<UInt8>) {
        var start = 0
        for index in 0...value.count where index == value.count || value[index] == 0x2C {
            let option = value.extracting(start..<index).trimmed
            if option.isEqualIgnoringCase("close") { wantsClose = true }
            if option.isEqualIgnoringCase("keep-alive") { wantsKeepAlive = true }
            start = index + 1
        }
    }
}

/// The transfer codings of a message, collected from all its Transfer-Encoding fields (RFC 9112
/// §6.1).
private struct Coding {
    var isPresent = false
    /// True if an element is empty or no token, or if any coding, chunked included, follows
    /// chunked.
    private var isBroken = false
    private var lastIsChunked = false
    private var hasOthers = false

    mutating func read(_ value: Span<UInt8>) {
        isPresent = true
        var start = 0
        for index in 0...value.count where index == value.count || value[index] == 0x2C {
            let name = value.extracting(start..<index).trimmed
            if lastIsChunked || name.count == 0 { isBroken = true }
            lastIsChunked = name.isEqualIgnoringCase("chunked")
            if !lastIsChunked {
                hasOthers = true
                for character in name.indices where !Grammar.isToken(name[character]) {
                    isBroken = true
                }
            }
            start = index + 1
        }
    }

    /// §6.3: unless chunked is the last coding, the end of the body is unknown.
    func check() throws(ParseError) {
        if isBroken || !lastIsChunked { throw .badCoding }
        if hasOthers { throw .unsupportedCoding }
    }
}

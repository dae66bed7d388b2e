/// What the fields of a head say about the message around them: who it is for, where its body ends,
/// whether the connection goes on (RFC 9112 §3.2, §6, §9.3). Ambiguity is refused, not resolved.
struct Framing {
    enum Body: Equatable {
        /// No field says that content comes.
        case none
        case length(Int)
        case chunked
    }

    private(set) var body: Body = .none
    private(set) var expectsContinue = false
    private(set) var wantsClose = false
    private(set) var wantsKeepAlive = false

    /// - Parameter minorVersion: 0 for HTTP/1.0, 1 for HTTP/1.1 and what comes after it.
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
            // §6.1: HTTP/1.0 has no transfer codings, so its framing is not to be believed.
            if minorVersion == 0 { throw .badCoding }
            try coding.check()
            body = .chunked
        } else if lengths > 0 {
            guard length <= maximumBody else { throw .bodyTooLarge }
            body = .length(length)
        }
    }

    /// §6.2: digits and nothing else. A list of equal numbers may be taken for one (§6.3); it is
    /// refused, because whoever is in front may have taken it for something else.
    private static func length(
        _ value: Span<UInt8>, _ maximumBody: Int
    ) throws(ParseError) -> Int {
        guard value.count > 0 else { throw .badLength }
        var length = 0
        for index in value.indices {
            guard Grammar.isDigit(value[index]) else { throw .badLength }
            // Past the limit the digits only have to be digits.
            if length <= maximumBody {
                length = length * 10 + Int(value[index] - UInt8(ascii: "0"))
            }
        }
        return length
    }

    /// A list (RFC 9110 §10.1.1), of which one member is known here; empty members mean nothing
    /// (§5.6.1.2).
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

/// The list of transfer codings of a message, gathered over all its Transfer-Encoding fields
/// (RFC 9112 §6.1).
private struct Coding {
    var isPresent = false
    /// chunked was there and something came after it, chunked once more included.
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

    /// §6.3: unless chunked is last, nobody knows where the body ends.
    func check() throws(ParseError) {
        if isBroken || !lastIsChunked { throw .badCoding }
        if hasOthers { throw .unsupportedCoding }
    }
}

/// The request target (RFC 9112 §3.2), split and validated against the grammar of RFC 3986.
struct Target {
    let form: Request.Form
    let path: Range<Int>
    /// True for an `https` URI, which may be served only over a secured connection (RFC 9110 §7.4).
    var isHTTPS = false

    /// Parses `bytes[range]` as the target of `method`.
    static func parse(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ method: Method
    ) throws(ParseError) -> Target {
        guard !range.isEmpty else { throw .badRequestLine }
        if method == .connect {
            // §3.2.3: only CONNECT uses authority-form: a host and a port.
            guard Host.isValid(bytes.extracting(range), needsName: true, needsPort: true) else {
                throw .badTarget
            }
            return Target(form: .authority, path: range.upperBound..<range.upperBound)
        }
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "/"): return try origin(bytes, range)
        case UInt8(ascii: "*"):
            // §3.2.4: only OPTIONS may use asterisk-form.
            guard range.count == 1, method == .options else { throw .badTarget }
            return Target(form: .asterisk, path: range.upperBound..<range.upperBound)
        default: return try absolute(bytes, range, method)
        }
    }

    /// Origin-form (§3.2.1): a path and an optional query. A `#` is invalid: clients do not send
    /// fragments.
    private static func origin(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ParseError) -> Target {
        var index = range.lowerBound
        while index < range.upperBound, Grammar.isPath(bytes[index]) {
            try checkTriplet(bytes, index, range.upperBound)
            index += 1
        }
        let path = range.lowerBound..<index
        if index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "?") else { throw .badTarget }
            index += 1
            while index < range.upperBound {
                guard Grammar.isQuery(bytes[index]) else { throw .badTarget }
                try checkTriplet(bytes, index, range.upperBound)
                index += 1
            }
        }
        return Target(form: .path, path: path)
    }

    /// Absolute-form (§3.2.2): `http://host[:port]/path`, which every server must accept. Its
    /// authority replaces Host. User information is an error (RFC 9110 §4.2.4).
    private static func absolute(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ method: Method
    ) throws(ParseError) -> Target {
        let uri = bytes.extracting(range)
        var authority = 0
        var isHTTPS = false
        if uri.count > 7, uri.extracting(0..<7).isEqualIgnoringCase("http://") {
            authority = 7
        } else if uri.count > 8, uri.extracting(0..<8).isEqualIgnoringCase("https://") {
            authority = 8
            isHTTPS = true
        } else {
            throw .badTarget
        }
        var end = authority
        while end < uri.count, uri[end] != UInt8(ascii: "/"), uri[end] != UInt8(ascii: "?") {
            end += 1
        }
        // RFC 9110 §4.2.1: a URI with an empty host is invalid.
        guard
            Host.isValid(uri.extracting(authority..<end), needsName: true, needsPort: false)
        else { throw .badTarget }
        let rest = (range.lowerBound + end)..<range.upperBound
        if rest.isEmpty {
            // §3.2.4: OPTIONS for a URI without a path means OPTIONS *.
            return Target(
                form: method == .options ? .asterisk : .path, path: rest,
                isHTTPS: isHTTPS)
        }
        var target = try origin(bytes, rest)
        target.isHTTPS = isHTTPS
        return target
    }

    /// RFC 3986 §2.1: two hexadecimal digits must follow a percent sign.
    @inline(__always)
    private static func checkTriplet(
        _ bytes: Span<UInt8>, _ index: Int, _ end: Int
    ) throws(ParseError) {
        guard bytes[index] == UInt8(ascii: "%") else { return }
        guard index + 2 < end, Grammar.hexadecimalValue(bytes[index + 1]) != nil,
            Grammar.hexadecimalValue(bytes[index + 2]) != nil
        else { throw .badTarget }
    }
}

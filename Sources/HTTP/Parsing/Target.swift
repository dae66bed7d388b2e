/// The request target (RFC 9112 §3.2), taken apart and held against RFC 3986's grammar.
struct Target {
    let form: Request.Form
    let path: Range<Int>
    /// Whether it is an `https` URI, which is served over a secured connection and over no other
    /// (RFC 9110 §7.4).
    var isHTTPS = false

    /// Reads `bytes[range]` as the target of `method`.
    static func parse(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ method: Method
    ) throws(ParseError) -> Target {
        guard !range.isEmpty else { throw .badRequestLine }
        if method == .connect {
            // §3.2.3: CONNECT has a host and a port, and only CONNECT has that.
            guard Host.isValid(bytes.extracting(range), needsName: true, needsPort: true) else {
                throw .badTarget
            }
            return Target(form: .authority, path: range.upperBound..<range.upperBound)
        }
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "/"): return try origin(bytes, range)
        case UInt8(ascii: "*"):
            // §3.2.4: only OPTIONS may ask about the server as a whole.
            guard range.count == 1, method == .options else { throw .badTarget }
            return Target(form: .asterisk, path: range.upperBound..<range.upperBound)
        default: return try absolute(bytes, range, method)
        }
    }

    /// §3.2.1: a path, and perhaps a query. A `#` is in no target: fragments stay with the client.
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

    /// §3.2.2: `http://host[:port]/path`, which every server must take. The authority then stands
    /// in for Host; nothing here depends on either. User information is an error (RFC 9110 §4.2.4).
    private static func absolute(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ method: Method
    ) throws(ParseError) -> Target {
        let whole = bytes.extracting(range)
        var authority = 0
        var needsSecurity = false
        if whole.count > 7, whole.extracting(0..<7).isEqualIgnoringCase("http://") {
            authority = 7
        } else if whole.count > 8, whole.extracting(0..<8).isEqualIgnoringCase("https://") {
            authority = 8
            needsSecurity = true
        } else {
            throw .badTarget
        }
        var end = authority
        while end < whole.count, whole[end] != UInt8(ascii: "/"), whole[end] != UInt8(ascii: "?") {
            end += 1
        }
        // RFC 9110 §4.2.1: a URI without a host is none.
        guard
            Host.isValid(whole.extracting(authority..<end), needsName: true, needsPort: false)
        else { throw .badTarget }
        let rest = (range.lowerBound + end)..<range.upperBound
        if rest.isEmpty {
            // §3.2.4: OPTIONS of a host without a path is OPTIONS *.
            return Target(
                form: method == .options ? .asterisk : .path, path: rest,
                isHTTPS: needsSecurity)
        }
        var target = try origin(bytes, rest)
        target.isHTTPS = needsSecurity
        return target
    }

    /// RFC 3986 §2.1: a percent sign begins two hexadecimal digits.
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

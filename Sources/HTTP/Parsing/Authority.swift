/// The two parts of an authority (RFC 3986 §3.2) without user information: `uri-host [ ":" port ]`.
struct Authority: Equatable {
    /// Offsets of the host; an IPv6 address includes its brackets.
    let host: Range<Int>
    /// Nil if there is none. An empty port counts as none (RFC 3986 §3.2.3).
    let port: Int?

    /// - Precondition: `Host.isValid` accepts the value.
    init(_ value: Span<UInt8>) {
        var end = 0
        if value.count > 0, value[0] == UInt8(ascii: "[") {
            while end < value.count, value[end] != UInt8(ascii: "]") { end += 1 }
            end = min(end + 1, value.count)
        } else {
            while end < value.count, value[end] != UInt8(ascii: ":") { end += 1 }
        }
        host = 0..<end
        var number = 0
        // A valid port has at most five digits, so this cannot overflow.
        for index in min(end + 1, value.count)..<value.count {
            number = number * 10 + Int(value[index] & 15)
        }
        port = end + 1 < value.count ? number : nil
    }
}

extension Authority {
    /// The range of a request's authority in its bytes (RFC 9112 §3.3). An absolute-form or
    /// authority-form target replaces the Host field (§3.2.2); otherwise it is the value of Host.
    /// Nil if there is neither, which HTTP/1.0 allows.
    static func range(
        in bytes: Span<UInt8>, path: Range<Int>, form: Request.Form, fields: [Field]
    ) -> Range<Int>? {
        // The target begins after a space and contains none.
        var start = path.lowerBound
        while start > 0, bytes[start - 1] != UInt8(ascii: " ") { start -= 1 }
        if form == .authority { return start..<path.lowerBound }
        let prefix = bytes.extracting(start..<path.lowerBound)
        for scheme in ["http://", "https://"] as [StaticString] {
            let length = scheme.utf8CodeUnitCount
            guard prefix.count > length,
                prefix.extracting(0..<length).isEqualIgnoringCase(scheme)
            else { continue }
            return (start + length)..<path.lowerBound
        }
        for field in fields where field.name == .host { return field.value.range }
        return nil
    }
}

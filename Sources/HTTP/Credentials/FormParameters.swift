/// Parameters encoded as `application/x-www-form-urlencoded` (WHATWG URL §5.1), in a form body or
/// in a query. RFC 7662 and RFC 7009 requests use this format.
package enum FormParameters {
    package enum Lookup: Equatable {
        case missing
        case value([UInt8])
        /// The parameter occurs more than once (RFC 6749 §3.1 forbids that), or its value contains
        /// a percent sign without two hexadecimal digits after it.
        case malformed
    }

    /// Returns the decoded value of the parameter. Names are compared byte for byte, undecoded.
    package static func value(of name: StaticString, in text: Span<UInt8>) -> Lookup {
        var result = Lookup.missing
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: "&") { end += 1 }
            let pair = text.extracting(start..<end)
            start = end + 1
            var equals = 0
            while equals < pair.count, pair[equals] != UInt8(ascii: "=") { equals += 1 }
            guard pair.extracting(0..<equals).isEqual(name) else { continue }
            guard case .missing = result else { return .malformed }
            guard let value = decoded(pair.extracting(min(equals + 1, pair.count)..<pair.count))
            else { return .malformed }
            result = .value(value)
        }
        return result
    }

    private static func decoded(_ text: Span<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard index + 2 < text.count, let high = Grammar.hexadecimalValue(text[index + 1]),
                    let low = Grammar.hexadecimalValue(text[index + 2])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 2
            case let byte: bytes.append(byte)
            }
            index += 1
        }
        return bytes
    }
}

/// A range of a buffer, as two 32-bit offsets: half the size of a `Range<Int>`.
struct ByteRange: Sendable, Equatable {
    var start: Int32
    var end: Int32

    init(_ range: Range<Int>) {
        // Sound: the limits bound every message far below 2^31 bytes, so nothing is truncated.
        start = Int32(truncatingIfNeeded: range.lowerBound)
        end = Int32(truncatingIfNeeded: range.upperBound)
    }

    static let none = ByteRange(0..<0)

    var range: Range<Int> { Int(start)..<Int(end) }

    /// Adjusts the offsets after `count` bytes before the range were removed.
    mutating func shift(by count: Int) {
        start -= Int32(truncatingIfNeeded: count)
        end -= Int32(truncatingIfNeeded: count)
    }
}

/// The field names that the server interprets. All other fields have the name `other`.
package enum FieldName: Sendable {
    case authorization, connection, contentEncoding, contentLength, contentType, expect
    case fetchSite, forwarded, forwardedFor, forwardedHost, host, origin, requestID
    case transferEncoding, other

    /// Compares field names without case (RFC 9110 §5.1).
    init(_ bytes: Span<UInt8>) {
        self =
            switch bytes.count {
            case 4 where bytes.isEqualIgnoringCase("host"): .host
            case 6 where bytes.isEqualIgnoringCase("expect"): .expect
            case 6 where bytes.isEqualIgnoringCase("origin"): .origin
            case 9 where bytes.isEqualIgnoringCase("forwarded"): .forwarded
            case 10 where bytes.isEqualIgnoringCase("connection"): .connection
            case 12 where bytes.isEqualIgnoringCase("content-type"): .contentType
            case 12 where bytes.isEqualIgnoringCase("x-request-id"): .requestID
            case 13 where bytes.isEqualIgnoringCase("authorization"): .authorization
            case 14 where bytes.isEqualIgnoringCase("content-length"): .contentLength
            case 14 where bytes.isEqualIgnoringCase("sec-fetch-site"): .fetchSite
            case 15 where bytes.isEqualIgnoringCase("x-forwarded-for"): .forwardedFor
            case 16 where bytes.isEqualIgnoringCase("content-encoding"): .contentEncoding
            case 16 where bytes.isEqualIgnoringCase("x-forwarded-host"): .forwardedHost
            case 17 where bytes.isEqualIgnoringCase("transfer-encoding"): .transferEncoding
            default: .other
            }
    }
}

/// One field line of a request (RFC 9112 §5): its name, and the range of its trimmed value.
struct Field: Sendable {
    let name: FieldName
    private(set) var value: ByteRange

    mutating func shift(by count: Int) { value.shift(by: count) }

    /// Parses `bytes[line]`, a field line without its CR LF. `line` must not be empty.
    static func parse(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(ParseError) -> Field {
        // §5.2: a line that begins with white space continues the previous line. §2.2: such a line
        // after the request line must be refused.
        if Grammar.isWhiteSpace(bytes[line.lowerBound]) { throw .obsoleteFolding }
        var colon = line.lowerBound
        while colon < line.upperBound, Grammar.isToken(bytes[colon]) { colon += 1 }
        // §5.1: no white space between the name and the colon.
        guard colon > line.lowerBound, colon < line.upperBound,
            bytes[colon] == UInt8(ascii: ":")
        else { throw .badField }
        var start = colon + 1
        var end = line.upperBound
        while start < end, Grammar.isWhiteSpace(bytes[start]) { start += 1 }
        while end > start, Grammar.isWhiteSpace(bytes[end - 1]) { end -= 1 }
        return Field(
            name: FieldName(bytes.extracting(line.lowerBound..<colon)),
            value: ByteRange(start..<end))
    }
}

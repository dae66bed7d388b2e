/// `method SP request-target SP HTTP-version` (RFC 9112 §3), with one space between the parts and
/// none around them.
struct RequestLine {
    var method: Method
    let form: Request.Form
    private(set) var path: ByteRange
    /// 0 for HTTP/1.0; 1 for HTTP/1.1 and for a later 1.x, which is served alike (RFC 9110 §2.5).
    let minorVersion: Int
    /// See `Target.isHTTPS`.
    var isHTTPS = false

    /// A placeholder while there is no request line.
    static let none = RequestLine(method: .other, form: .path, path: .none, minorVersion: 1)

    mutating func shift(by count: Int) { path.shift(by: count) }

    static func parse(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ParseError) -> RequestLine {
        var index = range.lowerBound
        while index < range.upperBound, Grammar.isToken(bytes[index]) { index += 1 }
        guard index > range.lowerBound, index < range.upperBound, bytes[index] == 0x20 else {
            throw .badRequestLine
        }
        let method = Method(bytes.extracting(range.lowerBound..<index))

        // The version is the last eight bytes. Neither it nor the target may contain a space.
        let versionStart = range.upperBound - 8
        guard versionStart > index + 1, bytes[versionStart - 1] == 0x20 else {
            throw .badRequestLine
        }
        let version = try minorVersion(bytes.extracting(versionStart..<range.upperBound))
        let target = try Target.parse(bytes, (index + 1)..<(versionStart - 1), method)
        return RequestLine(
            method: method, form: target.form, path: ByteRange(target.path),
            minorVersion: version, isHTTPS: target.isHTTPS)
    }

    /// Parses `HTTP/`, a digit, a dot and a digit (§2.3).
    private static func minorVersion(_ bytes: Span<UInt8>) throws(ParseError) -> Int {
        guard bytes.extracting(0..<5).isEqual("HTTP/"), Grammar.isDigit(bytes[5]),
            bytes[6] == UInt8(ascii: "."), Grammar.isDigit(bytes[7])
        else { throw .badRequestLine }
        guard bytes[5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return bytes[7] == UInt8(ascii: "0") ? 0 : 1
    }
}

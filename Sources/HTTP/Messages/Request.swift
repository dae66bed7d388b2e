/// A whole request: its head understood, its body here.
///
/// Shares the connection's own bytes and keeps offsets into them: nothing is copied, and no String
/// is made until somebody asks for one. Whoever holds a request past its response makes the
/// connection copy its buffer, which is correct and slow.
package struct Request: Sendable {
    /// The forms of a target (RFC 9112 §3.2); absolute-form counts as the path it names.
    package enum Form: Sendable { case path, asterisk, authority }

    package let method: Method
    package let form: Form
    /// What the log and the client know this request by.
    package let id: RequestID
    /// Where it comes from: the connection's other end, or whom the trusted proxies there say they
    /// were reached from; see `TrustedProxies`.
    package let client: ClientAddress
    /// Whether a Content-Length or a Transfer-Encoding said that content comes, be it none.
    package let declaresContent: Bool
    /// Whether a trusted proxy made it, so that the proxy's own fields can be believed.
    let isFromProxy: Bool

    let bytes: [UInt8]
    let fields: [Field]
    let pathRange: ByteRange
    let bodyRange: ByteRange

    /// The path as it was sent: nothing is decoded, so that nothing is decoded twice.
    package var path: Span<UInt8> { bytes.span.extracting(pathRange.range) }

    /// What stands behind the path's question mark, as it was sent; nothing if there is none.
    package var query: Span<UInt8> {
        let start = Int(pathRange.end)
        guard form == .path, start < bytes.count, bytes[start] == UInt8(ascii: "?") else {
            return bytes.span.extracting(0..<0)
        }
        var end = start + 1
        // The parser saw to it that a space ends the target.
        while end < bytes.count, bytes[end] != UInt8(ascii: " ") { end += 1 }
        return bytes.span.extracting((start + 1)..<end)
    }

    /// The authority that it is for (RFC 9112 §3.3): the target's own, or else that of Host; nil if it
    /// names neither. It may be empty.
    var authority: Span<UInt8>? {
        @_lifetime(borrow self)
        get {
            let range = Authority.range(
                in: bytes.span, path: pathRange.range, form: form, fields: fields)
            guard let range else { return nil }
            return bytes.span.extracting(range)
        }
    }

    /// The content, its transfer coding undone. It is overwritten when the request is answered, or
    /// its connection ends: to be read on the worker, before slow work begins.
    package var body: Span<UInt8> { bytes.span.extracting(bodyRange.range) }

    package var authorizationCount: Int {
        var count = 0
        for field in fields where field.name == .authorization { count += 1 }
        return count
    }

    /// The value of the first field of this name, white space around it taken off.
    @_lifetime(borrow self)
    package func value(of name: FieldName) -> Span<UInt8>? {
        for field in fields where field.name == name {
            return bytes.span.extracting(field.value.range)
        }
        return nil
    }
}

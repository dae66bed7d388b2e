/// A complete request: a parsed head, and the whole body.
///
/// A request shares the connection's input buffer and keeps offsets into it. Nothing is copied, and
/// no String is made until one is requested. Keeping a request after its response is correct but
/// slow: the connection must then copy its buffer.
package struct Request: Sendable {
    /// The form of the target (RFC 9112 §3.2). An absolute-form target counts as its path.
    package enum Form: Sendable { case path, asterisk, authority }

    package let method: Method
    package let form: Form
    /// Identifies this request in the log and in X-Request-Id.
    package let id: RequestID
    /// The client's address: the peer of the connection, or the address that trusted proxies
    /// report; see `TrustedProxies`.
    package let client: ClientAddress
    /// True if the head has Content-Length or Transfer-Encoding, even if the content is empty.
    package let declaresContent: Bool
    /// True if a trusted proxy sent the request. Only then are the fields of a proxy believed.
    let isFromProxy: Bool

    let bytes: [UInt8]
    let fields: [Field]
    let pathRange: ByteRange
    let bodyRange: ByteRange

    /// The path as sent. It is never decoded, so no later stage can decode it a second time.
    package var path: Span<UInt8> { bytes.span.extracting(pathRange.range) }

    /// The query as sent, without the question mark; empty if there is none.
    package var query: Span<UInt8> {
        let start = Int(pathRange.end)
        guard form == .path, start < bytes.count, bytes[start] == UInt8(ascii: "?") else {
            return bytes.span.extracting(0..<0)
        }
        var end = start + 1
        // The parser guarantees that a space ends the target.
        while end < bytes.count, bytes[end] != UInt8(ascii: " ") { end += 1 }
        return bytes.span.extracting((start + 1)..<end)
    }

    /// The authority that the request is for (RFC 9112 §3.3): that of the target, else the value of
    /// Host. Nil if there is neither. It may be empty.
    var authority: Span<UInt8>? {
        @_lifetime(borrow self)
        get {
            let range = Authority.range(
                in: bytes.span, path: pathRange.range, form: form, fields: fields)
            guard let range else { return nil }
            return bytes.span.extracting(range)
        }
    }

    /// The content without its transfer coding. The bytes are overwritten when the request is
    /// answered or the connection ends, so read them on the worker, before offloaded work starts.
    package var body: Span<UInt8> { bytes.span.extracting(bodyRange.range) }

    package var authorizationCount: Int {
        var count = 0
        for field in fields where field.name == .authorization { count += 1 }
        return count
    }

    /// The trimmed value of the first field with this name; nil if there is none.
    @_lifetime(borrow self)
    package func value(of name: FieldName) -> Span<UInt8>? {
        for field in fields where field.name == name {
            return bytes.span.extracting(field.value.range)
        }
        return nil
    }
}

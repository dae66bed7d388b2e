/// Content codings (RFC 9110 §8.4.1). The server supports only `identity`.
extension Request {
    /// True if a Content-Encoding field names a coding other than `identity`, for example gzip.
    package var hasContentCoding: Bool {
        for field in fields where field.name == .contentEncoding {
            let value = bytes.span.extracting(field.value.range)
            var start = 0
            for index in 0...value.count where index == value.count || value[index] == 0x2C {
                let coding = value.extracting(start..<index).trimmed
                // §5.6.1.2: a recipient must ignore empty list elements.
                if coding.count > 0, !coding.isEqualIgnoringCase("identity") { return true }
                start = index + 1
            }
        }
        return false
    }
}

extension Response {
    /// The 415 response to encoded content. Accept-Encoding marks the coding as the reason (RFC
    /// 9110 §12.5.3).
    package static let unsupportedContentCoding = Response.error(.unsupportedMediaType)
        .adding("Accept-Encoding", "identity")
}

extension Router {
    /// Adds a middleware that answers every request with encoded content with 415, before its
    /// handler runs.
    package mutating func refuseContentCodings() {
        use(
            { handler in
                { $0.hasContentCoding ? .unsupportedContentCoding : handler($0) }
            },
            inTwoSteps: { handler in
                { $0.hasContentCoding ? .response(.unsupportedContentCoding) : handler($0) }
            })
    }
}

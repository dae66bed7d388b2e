/// Content codings (RFC 9110 §8.4.1), of which none is understood here but `identity`.
extension Request {
    /// Whether its content is coded, as with gzip.
    package var hasContentCoding: Bool {
        for field in fields where field.name == .contentEncoding {
            let value = bytes.span.extracting(field.value.range)
            var start = 0
            for index in 0...value.count where index == value.count || value[index] == 0x2C {
                let coding = value.extracting(start..<index).trimmed
                // §5.6.1.2: empty elements of a list mean nothing.
                if coding.count > 0, !coding.isEqualIgnoringCase("identity") { return true }
                start = index + 1
            }
        }
        return false
    }
}

extension Response {
    /// 415 to coded content; Accept-Encoding says that the coding is the reason (RFC 9110 §12.5.3).
    package static let unsupportedContentCoding = Response.error(.unsupportedMediaType)
        .adding("Accept-Encoding", "identity")
}

extension Router {
    /// Refuses every request with coded content, before its handler sees it.
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

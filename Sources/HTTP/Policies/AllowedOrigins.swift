/// The origins, besides the server's own, whose pages may send state-changing requests
/// (`server.cors_origins`).
package struct AllowedOrigins: Sendable, Equatable {
    private let origins: [[UInt8]]

    package static let none = AllowedOrigins(origins: [])

    /// More than any application has. Each Origin field is compared with every entry.
    package static let maximumCount = 256

    /// The invalid elements of the list.
    package struct Problems: Error, Equatable {
        package struct Problem: Sendable, Equatable {
            package let index: Int
            /// What is wrong and what to write, without a period.
            package let sentence: String
        }

        package let all: [Problem]
    }

    private init(origins: [[UInt8]]) { self.origins = origins }

    /// - Parameter texts: origins as browsers write them, as in `["https://app.example.com"]`.
    /// - Throws: all invalid elements at once.
    package init(parsing texts: [String]) throws(Problems) {
        var problems: [Problems.Problem] = []
        if texts.count > Self.maximumCount {
            problems.append(
                Problems.Problem(
                    index: Self.maximumCount,
                    sentence: "too many origins; list at most \(Self.maximumCount)"))
        }
        for (index, text) in texts.prefix(Self.maximumCount).enumerated() {
            let sentence =
                Self.problem(of: text)
                ?? (texts[..<index].contains(text) ? "\"\(text)\" is a duplicate; remove it" : nil)
            guard let sentence else { continue }
            problems.append(Problems.Problem(index: index, sentence: sentence))
        }
        guard problems.isEmpty else { throw Problems(all: problems) }
        origins = texts.map { Array($0.utf8) }
    }

    /// True if the value of an Origin field is one of them.
    func contain(_ origin: Span<UInt8>) -> Bool {
        for allowed in origins where origin.isEqualIgnoringCase(allowed.span) { return true }
        return false
    }

    /// Nil if the text is an origin as browsers serialize it (RFC 6454 §6.2); else what is wrong
    /// and what to write. An entry in any other form would never match.
    private static func problem(of text: String) -> String? {
        let shown = text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
        let bytes = Array(text.utf8)
        guard let origin = WebOrigin(bytes.span) else {
            return "\(shown) is not an origin; write SCHEME://HOST or SCHEME://HOST:PORT, "
                + "as in https://app.example.com"
        }
        guard !bytes.contains(where: { $0 &- UInt8(ascii: "A") < 26 }) else {
            return "\(shown) contains uppercase letters, and browsers send lowercase; "
                + "write \(text.lowercased())"
        }
        if origin.namesPort, origin.isOfHTTP {
            let defaultPort = bytes[origin.scheme].elementsEqual("https".utf8) ? 443 : 80
            if origin.port == defaultPort {
                let short = String(decoding: bytes[..<origin.host.upperBound], as: UTF8.self)
                return "\(shown) names its scheme's default port, and browsers omit that; "
                    + "write \(short)"
            }
        }
        guard !origin.namesPort || bytes[origin.host.upperBound + 1] != UInt8(ascii: "0"),
            (origin.port ?? 1) <= 65_535
        else {
            return "\(shown) has an invalid port; write 1 to 65535, without leading zeros"
        }
        return nil
    }
}

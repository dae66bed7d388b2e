/// The origins, beside the server's own, whose pages may send state-changing requests
/// (`server.cors_origins`).
package struct AllowedOrigins: Sendable, Equatable {
    private let origins: [[UInt8]]

    package static let none = AllowedOrigins(origins: [])

    /// More than any application has. Each Origin field is compared with each.
    package static let maximumCount = 256

    /// Elements that are no origins, with their places in the list.
    package struct Problems: Error, Equatable {
        package struct Problem: Sendable, Equatable {
            package let index: Int
            /// What is wrong and what to write, without a full stop.
            package let sentence: String
        }

        package let all: [Problem]
    }

    private init(origins: [[UInt8]]) { self.origins = origins }

    /// - Parameter texts: origins as browsers write them, as in `["https://app.example.com"]`.
    package init(parsing texts: [String]) throws(Problems) {
        var problems: [Problems.Problem] = []
        if texts.count > Self.maximumCount {
            problems.append(
                Problems.Problem(
                    index: Self.maximumCount, sentence: "at most \(Self.maximumCount) origins"))
        }
        for (index, text) in texts.prefix(Self.maximumCount).enumerated() {
            let sentence =
                Self.problem(of: text)
                ?? (texts[..<index].contains(text) ? "\"\(text)\" is there twice" : nil)
            guard let sentence else { continue }
            problems.append(Problems.Problem(index: index, sentence: sentence))
        }
        guard problems.isEmpty else { throw Problems(all: problems) }
        origins = texts.map { Array($0.utf8) }
    }

    /// Whether the value of an Origin field is one of them.
    func contain(_ origin: Span<UInt8>) -> Bool {
        for allowed in origins where origin.isEqualIgnoringCase(allowed.span) { return true }
        return false
    }

    /// Nil for an origin as a browser serialises it (RFC 6454 §6.2): anything else would never
    /// match.
    private static func problem(of text: String) -> String? {
        let shown = text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
        let bytes = Array(text.utf8)
        guard let origin = WebOrigin(bytes.span) else {
            return "\(shown) is not an origin; write a scheme, a host and perhaps a port, "
                + "and nothing after them, as in https://app.example.com"
        }
        guard !bytes.contains(where: { $0 &- UInt8(ascii: "A") < 26 }) else {
            return "\(shown) has capital letters; browsers write \(text.lowercased())"
        }
        if origin.namesPort, origin.isOfHTTP {
            let usual = bytes[origin.scheme].elementsEqual("https".utf8) ? 443 : 80
            if origin.port == usual {
                let short = String(decoding: bytes[..<origin.host.upperBound], as: UTF8.self)
                return "\(shown) names the port that its scheme has anyway; browsers write \(short)"
            }
        }
        guard !origin.namesPort || bytes[origin.host.upperBound + 1] != UInt8(ascii: "0"),
            (origin.port ?? 1) <= 65_535
        else { return "\(shown) has no port from 1 to 65535" }
        return nil
    }
}

/// The sections of both documents that contain a MUST, and those whose MUSTs bind another role than
/// this server, with the reason for each group.
enum OtherRoles {
    /// In ascending order.
    static let sectionsOfSemantics = """
        2.2 2.3 2.4 3.3 4.2.1 4.2.2 4.2.4 4.3.4 5.1 5.3 5.4 5.5 5.6.1.1 5.6.1.2 5.6.3 5.6.4 5.6.7 \
        6 6.2 6.5.1 6.5.2 6.6.1 7.1 7.2 7.4 7.6 7.6.1 7.6.2 7.6.3 7.7 7.8 8.3.3 8.4 8.6 8.7 \
        8.8.2.1 8.8.3 9.1 9.2.1 9.2.2 9.3.2 9.3.4 9.3.6 9.3.7 9.3.8 10.1.1 10.1.3 10.1.4 10.1.5 \
        10.2.1 10.2.2 11.2 11.5 11.6.1 11.6.2 11.7.1 12.4.2 12.5.3 12.5.4 12.5.5 13.1.1 13.1.2 \
        13.1.3 13.1.4 13.1.5 13.2.1 13.2.2 14.1.2 14.2 14.3 14.4 15 15.2 15.2.2 15.3.6 15.3.7 \
        15.3.7.1 15.3.7.2 15.3.7.3 15.4.5 15.4.8 15.5.2 15.5.6 15.5.8 15.5.20 15.5.22 16.1.1 \
        16.2.1 16.3.1 16.4.1 16.4.2 16.5.1 16.6.1 16.7
        """

    /// In ascending order.
    static let sectionsOfMessages = """
        1.1 2.2 2.3 3 3.2 3.2.1 3.2.2 3.2.3 3.2.4 4 5.1 5.2 6.1 6.2 6.3 7.1 7.1.1 7.1.2 7.3 7.4 8 \
        9.2 9.3 9.3.2 9.6 9.7 9.8 10.1
        """

    static let reasons: [(why: String, sections: String)] = [
        (
            "Binds only clients and user agents.",
            """
            9110 4.3.4 6 7.2 9.3.8 10.1.3 10.1.4 10.2.2 12.5.4 14.3 15 15.3.7.3 15.4.8 9112 3.2.1 \
            3.2.3 3.2.4 8 9.2
            """
        ),
        (
            "Binds only proxies, gateways and tunnels.",
            "9110 5.1 7.6 7.6.2 7.6.3 7.7 9.2.2 9.3.7 11.6.2 11.7.1 15.5.8 15.5.20 9112 2.3"
        ),
        (
            "Binds only authors of specifications and of registrations.",
            """
            9110 6.5.2 16.1.1 16.2.1 16.3.1 16.4.1 16.4.2 16.5.1 16.6.1 16.7 9112 1.1 7.3
            """
        ),
        (
            "A proxy terminates TLS; this server does not support it.",
            "9112 9.7 9.8"
        ),
        (
            """
            No representation has a validator or a date, and none may be stored. A client \
            therefore has no condition to send, and all conditions are ignored.
            """,
            "9110 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 13.2.1 13.2.2 15.4.5"
        ),
        (
            "Range is not parsed, and 206 is never sent.",
            "9110 14.1.2 15.3.7 15.3.7.1 15.3.7.2"
        ),
        (
            """
            Concerns only what is never sent: URIs with user information, quality values, content \
            codings, multipart, Vary, 101, 205, 426.
            """,
            "9110 4.2.4 8.3.3 8.4 12.4.2 12.5.5 15.2.2 15.3.6 15.5.22"
        ),
        ("PUT is not supported.", "9110 9.3.4"),
        ("`message/http` is not parsed.", "9112 10.1"),
    ]

    /// As in a `Requirement`.
    static var clauses: Set<String> { Set(reasons.flatMap { clauses(in: $0.sections) }) }

    static var allClauses: Set<String> {
        Set(clauses(in: "9110 " + sectionsOfSemantics) + clauses(in: "9112 " + sectionsOfMessages))
    }

    private static func clauses(in text: String) -> [String] {
        var document = ""
        return text.split(separator: " ").compactMap { word in
            guard !["9110", "9112"].contains(word) else {
                document = String(word)
                return nil
            }
            return "\(document) §\(word)"
        }
    }
}

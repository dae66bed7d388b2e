/// The sections of both documents in which there is a MUST, and of those the ones that bind somebody
/// else than this server; why is said of each group.
enum OtherRoles {
    /// In order.
    static let sectionsOfSemantics = """
        2.2 2.3 2.4 3.3 4.2.1 4.2.2 4.2.4 4.3.4 5.1 5.3 5.4 5.5 5.6.1.1 5.6.1.2 5.6.3 5.6.4 5.6.7 6 6.2 \
        6.5.1 6.5.2 6.6.1 7.1 7.2 7.4 7.6 7.6.1 7.6.2 7.6.3 7.7 7.8 8.3.3 8.4 8.6 8.7 8.8.2.1 8.8.3 9.1 \
        9.2.1 9.2.2 9.3.2 9.3.4 9.3.6 9.3.7 9.3.8 10.1.1 10.1.3 10.1.4 10.1.5 10.2.1 10.2.2 11.2 11.5 \
        11.6.1 11.6.2 11.7.1 12.4.2 12.5.3 12.5.4 12.5.5 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 13.2.1 \
        13.2.2 14.1.2 14.2 14.3 14.4 15 15.2 15.2.2 15.3.6 15.3.7 15.3.7.1 15.3.7.2 15.3.7.3 15.4.5 \
        15.4.8 15.5.2 15.5.6 15.5.8 15.5.20 15.5.22 16.1.1 16.2.1 16.3.1 16.4.1 16.4.2 16.5.1 16.6.1 \
        16.7
        """

    /// In order.
    static let sectionsOfMessages = """
        1.1 2.2 2.3 3 3.2 3.2.1 3.2.2 3.2.3 3.2.4 4 5.1 5.2 6.1 6.2 6.3 7.1 7.1.1 7.1.2 7.3 7.4 8 9.2 9.3 \
        9.3.2 9.6 9.7 9.8 10.1
        """

    static let reasons: [(why: String, sections: String)] = [
        (
            "Binds clients and user agents alone.",
            """
            9110 4.3.4 6 7.2 9.3.8 10.1.3 10.1.4 10.2.2 12.5.4 14.3 15 15.3.7.3 15.4.8 \
            9112 3.2.1 3.2.3 3.2.4 8 9.2
            """
        ),
        (
            "Binds proxies, gateways and tunnels alone, of which this is none.",
            "9110 5.1 7.6 7.6.2 7.6.3 7.7 9.2.2 9.3.7 11.6.2 11.7.1 15.5.8 15.5.20 9112 2.3"
        ),
        (
            "Binds whoever writes specifications and registers names.",
            """
            9110 6.5.2 16.1.1 16.2.1 16.3.1 16.4.1 16.4.2 16.5.1 16.6.1 16.7 9112 1.1 7.3
            """
        ),
        (
            "TLS ends at whoever stands in front; this server speaks none.",
            "9112 9.7 9.8"
        ),
        (
            """
            No representation here has a validator or a date, and none may be stored, so there is no \
            condition that a client could have learnt; all are ignored.
            """,
            "9110 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 13.2.1 13.2.2 15.4.5"
        ),
        (
            "There are no ranges, hence nothing is parsed out of Range and no 206 is sent.",
            "9110 14.1.2 15.3.7 15.3.7.1 15.3.7.2"
        ),
        (
            """
            What is only said of something that is never sent: URIs with user information, quality \
            values, content codings, multipart, Vary, 101, 205, 426.
            """,
            "9110 4.2.4 8.3.3 8.4 12.4.2 12.5.5 15.2.2 15.3.6 15.5.22"
        ),
        ("There is no PUT.", "9110 9.3.4"),
        ("`message/http` is not consumed.", "9112 10.1"),
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

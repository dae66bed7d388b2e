import Testing

/// Something that RFC 9110 or RFC 9112 says an origin server MUST or MUST NOT do, and what shows that
/// this one obeys.
struct Requirement: Sendable, CustomTestStringConvertible {
    /// As in `9112 §6.1`.
    let clause: String
    /// In our own words.
    let rule: String
    /// Bytes that go in, and what comes out.
    var exchanges: [Case] = []
    /// What holds for every response to all the exchanges of the table.
    var law: Law?
    /// The tests elsewhere that show it, by their names.
    var tests: [String] = []

    var testDescription: String { "\(clause): \(rule)" }

    struct Case: Sendable {
        let bytes: String
        let outcome: Outcome
        var isBehindTrustedProxy = false
    }

    enum Outcome: Sendable, Equatable {
        /// These statuses, and the connection goes on.
        case answers([Int])
        /// One 200 with this content, and the connection goes on.
        case content(String)
        /// These statuses, and the connection has ended: nothing behind is served.
        case ends([Int])
        /// These statuses, and then the rest of a message is waited for.
        case waits([Int])

        /// Refused as a bad request, and nothing behind it is served.
        static let refused = Outcome.ends([400])
        /// Served, and so is what comes behind it.
        static let served = Outcome.answers([200])
    }

    struct Law: Sendable {
        let holds: @Sendable (SentResponse) -> Bool
    }

    init(_ clause: String, _ rule: String, _ exchanges: [(String, Outcome)], tests: [String] = []) {
        self.clause = clause
        self.rule = rule
        self.exchanges = exchanges.map { Case(bytes: $0.0, outcome: $0.1) }
        self.tests = tests
    }

    init(
        _ clause: String, _ rule: String, behindTrustedProxy exchanges: [(String, Outcome)]
    ) {
        self.clause = clause
        self.rule = rule
        self.exchanges = exchanges.map {
            Case(bytes: $0.0, outcome: $0.1, isBehindTrustedProxy: true)
        }
    }

    init(_ clause: String, _ rule: String, shownBy tests: String...) {
        self.clause = clause
        self.rule = rule
        self.tests = tests
    }

    init(
        _ clause: String, _ rule: String, tests: [String] = [],
        everyAnswer holds: @escaping @Sendable (SentResponse) -> Bool
    ) {
        self.clause = clause
        self.rule = rule
        self.tests = tests
        law = Law(holds: holds)
    }

    static let all = ofMessages + ofSemantics
}

// MARK: - Messages for the table

extension Requirement {
    static func get(_ target: String = "/a", _ fields: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields.isEmpty ? "" : fields + "\r\n")\r\n"
    }

    static func post(_ fields: String, _ body: String = "", version: String = "1.1") -> String {
        "POST /echo HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n\r\n\(body)"
    }

    static func chunked(_ body: String) -> String {
        post("Transfer-Encoding: chunked", body)
    }
}

import Testing

/// A MUST or MUST NOT of RFC 9110 or RFC 9112 for origin servers, and the evidence that this server
/// complies with it.
struct Requirement: Sendable, CustomTestStringConvertible {
    /// As in `9112 §6.1`.
    let clause: String
    /// The requirement in our own words.
    let rule: String
    /// Inputs and their expected outcomes.
    var exchanges: [Case] = []
    /// A property of every response to all exchanges of the table.
    var invariant: Invariant?
    /// The names of other tests that cover it.
    var tests: [String] = []

    var testDescription: String { "\(clause): \(rule)" }

    struct Case: Sendable {
        let bytes: String
        let outcome: Outcome
        var isBehindTrustedProxy = false
    }

    enum Outcome: Sendable, Equatable {
        /// Responses with these statuses; the connection stays open.
        case answers([Int])
        /// A 200 with this content; the connection stays open.
        case content(String)
        /// Responses with these statuses; the connection then ends and serves nothing further.
        case ends([Int])
        /// Responses with these statuses; the rest of a message is then awaited.
        case waits([Int])

        /// Rejected with 400; nothing after it is served.
        static let refused = Outcome.ends([400])
        /// Served with 200, as is the next request.
        static let served = Outcome.answers([200])
    }

    struct Invariant: Sendable {
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
        everyResponse holds: @escaping @Sendable (SentResponse) -> Bool
    ) {
        self.clause = clause
        self.rule = rule
        self.tests = tests
        invariant = Invariant(holds: holds)
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

import Foundation
import HTTP
import Testing

/// Every MUST of RFC 9110 and RFC 9112 that binds an origin server: the table is `Requirement.all`.
struct ConformanceTests {
    @Test(arguments: Requirement.all.filter { !$0.exchanges.isEmpty })
    func `each exchange of the requirements has its outcome, in one piece and in many`(
        requirement: Requirement
    ) throws {
        for item in requirement.exchanges {
            let place = Comment(rawValue: item.bytes.prefix(100).debugDescription)
            let exchange = try exchange(item)
            let statuses = exchange.answers.map(\.status)
            switch item.outcome {
            case .answers(let expected):
                #expect(statuses == expected + [200], place)
                #expect(exchange.answers.last?.content == "follower", place)
                #expect(exchange.end == .open, place)
            case .content(let content):
                #expect(statuses == [200, 200], place)
                #expect(exchange.answers.first?.content == content, place)
                #expect(exchange.end == .open, place)
            case .ends(let expected):
                #expect(statuses == expected, place)
                #expect(exchange.end == .closed, place)
            case .waits(let expected):
                #expect(statuses == expected, place)
                #expect(exchange.end == .waiting, place)
            }
        }
    }

    @Test(arguments: Requirement.all.filter { $0.invariant != nil })
    func `each requirement on responses holds for every response`(requirement: Requirement) throws {
        let invariant = try #require(requirement.invariant)
        for answer in try Self.answers.get() {
            #expect(invariant.holds(answer), Comment(rawValue: answer.text.debugDescription))
        }
    }

    @Test func `the checked responses include every status and every kind of response`() throws {
        let answers = try Self.answers.get()
        let statuses = Set(answers.map(\.status))
        #expect(statuses == Set([100] + Status.allCases.map(\.code)))
        #expect(
            answers.contains { $0.method == .head } && answers.contains { $0.method == .connect })
        #expect(answers.contains { $0["allow"] != nil } && answers.contains { $0["date"] != nil })
        #expect(answers.contains { $0["connection"] == "close" })
    }

    @Test func `requests on one connection each have their own credentials`() throws {
        let bytes = wire(
            Requirement.get("/who", "Authorization: one") + Requirement.get("/who")
                + Requirement.get("/who", "Authorization: two"))
        let exchange = try Exchange([bytes[...]])
        #expect(exchange.answers.map(\.content) == ["one", "-", "two"])
    }

    @Test(arguments: Requirement.all)
    func `each requirement has an exchange, a invariant or a test`(requirement: Requirement) {
        #expect(
            !requirement.exchanges.isEmpty || requirement.invariant != nil
                || !requirement.tests.isEmpty)
    }

    @Test func `each test that a requirement names exists`() throws {
        let names = try Self.namesOfAllTests()
        #expect(names.count > 500)
        for requirement in Requirement.all {
            for name in requirement.tests {
                #expect(names.contains(name), Comment(rawValue: requirement.testDescription))
            }
        }
    }

    @Test func `each section with a MUST is in the table or binds another role`() {
        let table = Set(Requirement.all.map(\.clause))
        #expect(table.isDisjoint(with: OtherRoles.clauses))
        #expect(table.union(OtherRoles.clauses) == OtherRoles.allClauses)
    }

    /// The responses to all exchanges of the table, and each kind of response with each status.
    private static let answers = Result {
        try Requirement.all.flatMap(\.exchanges).flatMap { item in
            try Exchange([bytes(of: item)[...]], behindTrustedProxy: item.isBehindTrustedProxy)
                .answers
        } + (100...599).compactMap(Status.init(rawValue:)).flatMap(answers)
    }

    /// The responses with a status: to several requests, on a connection that stays open and on one
    /// that closes; with content, with the status's own sentence, and empty; and without a request.
    private static func answers(with status: Status) throws -> [SentResponse] {
        let requests = [
            Requirement.get(), Requirement.get("/a", "Connection: close"),
            "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ]
        var responses = [Response(status, json: wire("a")), .error(status), Response(status)]
        // As the router does.
        if status == .methodNotAllowed { responses = responses.map { $0.adding("Allow", "GET") } }
        var answers: [SentResponse] = []
        for response in responses {
            for (request, closing) in requests.flatMap({ [($0, false), ($0, true)] }) {
                let method = request.hasPrefix("HEAD") ? HTTP.Method.head : .get
                // Requests with HEAD in the table have only this content.
                if method == .head, response.content != wire("a") { continue }
                let peer = Peer()
                peer.send(request)
                try peer.answer(response, closing: closing)
                answers.append(
                    SentResponse(text: peer.drain(), method: method, isLast: peer.hasEnded))
            }
            let other = Peer()
            other.conversation.reject(response, date: someDate)
            answers.append(
                SentResponse(text: other.drain(), method: nil, isLast: other.hasEnded))
        }
        return answers
    }

    /// The bytes of a case, followed by another request unless the case awaits more bytes.
    private static func bytes(of item: Requirement.Case) -> [UInt8] {
        if case .waits = item.outcome { return wire(item.bytes) }
        return wire(item.bytes) + wire(Requirement.get("/follower"))
    }

    /// Sends the bytes in one piece and in many, and checks that the result is the same.
    private func exchange(_ item: Requirement.Case) throws -> Exchange {
        let bytes = Self.bytes(of: item)
        let isTrusted = item.isBehindTrustedProxy
        let unsplit = try Exchange([bytes[...]], behindTrustedProxy: isTrusted)
        // Only a client that waits gets 100, and a client that sends single bytes does wait.
        guard !item.bytes.lowercased().contains("expect:") else { return unsplit }
        // Single bytes, or larger pieces if the input is very long.
        let size = bytes.count / 1000 + 1
        let pieces = stride(from: 0, to: bytes.count, by: size).map { start in
            bytes[start..<min(start + size, bytes.count)]
        }
        let trickled = try Exchange(pieces, behindTrustedProxy: isTrusted)
        #expect(unsplit == trickled, Comment(rawValue: item.bytes.prefix(100).debugDescription))
        return unsplit
    }

    private static func namesOfAllTests() throws -> Set<String> {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var names: Set<String> = []
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /func `([^`]+)`/) { names.insert(String(match.1)) }
        }
        return names
    }
}

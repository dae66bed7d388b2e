import Foundation
import HTTP
import Testing

/// Every MUST of RFC 9110 and RFC 9112 that binds an origin server: the table is `Requirement.all`.
@Suite("A MUST of the standard")
struct ConformanceTests {
    @Test(
        "is obeyed, whether the bytes come at once or trickle",
        arguments: Requirement.all.filter { !$0.exchanges.isEmpty })
    func exchanges(requirement: Requirement) throws {
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

    @Test(
        "about responses holds for all of them",
        arguments: Requirement.all.filter { $0.law != nil })
    func laws(requirement: Requirement) throws {
        let law = try #require(requirement.law)
        for answer in try Self.answers.get() {
            #expect(law.holds(answer), Comment(rawValue: answer.text.debugDescription))
        }
    }

    @Test("about responses is tried with all kinds of them, and every status that is ever sent")
    func kinds() throws {
        let answers = try Self.answers.get()
        let statuses = Set(answers.map(\.status))
        #expect(statuses == Set([100] + Status.allCases.map(\.code)))
        #expect(
            answers.contains { $0.method == .head } && answers.contains { $0.method == .connect })
        #expect(answers.contains { $0["allow"] != nil } && answers.contains { $0["date"] != nil })
        #expect(answers.contains { $0["connection"] == "close" })
    }

    @Test("on one connection has its own credentials, or none")
    func credentials() throws {
        let bytes = wire(
            Requirement.get("/who", "Authorization: one") + Requirement.get("/who")
                + Requirement.get("/who", "Authorization: two"))
        let exchange = try Exchange([bytes[...]])
        #expect(exchange.answers.map(\.content) == ["one", "-", "two"])
    }

    @Test("has something to show for it", arguments: Requirement.all)
    func shown(requirement: Requirement) {
        #expect(
            !requirement.exchanges.isEmpty || requirement.law != nil || !requirement.tests.isEmpty)
    }

    @Test("that other tests show names tests that are there")
    func names() throws {
        let names = try Self.namesOfAllTests()
        #expect(names.count > 500)
        for requirement in Requirement.all {
            for name in requirement.tests {
                #expect(names.contains(name), Comment(rawValue: requirement.testDescription))
            }
        }
    }

    @Test("stands in a section that is in the table, or binds somebody else")
    func sections() {
        let table = Set(Requirement.all.map(\.clause))
        #expect(table.isDisjoint(with: OtherRoles.clauses))
        #expect(table.union(OtherRoles.clauses) == OtherRoles.allClauses)
    }

    /// All responses to all the exchanges of the table, and one of each kind with each status.
    private static let answers = Result {
        try Requirement.all.flatMap(\.exchanges).flatMap { item in
            try Exchange([bytes(of: item)[...]], behindTrustedProxy: item.isBehindTrustedProxy)
                .answers
        } + (100...599).compactMap(Status.init(rawValue:)).flatMap(answers)
    }

    /// What is written with a status: to several requests, by a connection that goes on and by one that
    /// ends; with content, its own sentence, or nothing; and to bytes that were no request.
    private static func answers(with status: Status) throws -> [SentResponse] {
        let requests = [
            Requirement.get(), Requirement.get("/a", "Connection: close"),
            "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ]
        var responses = [Response(status, json: wire("a")), .error(status), Response(status)]
        // As the router answers.
        if status == .methodNotAllowed { responses = responses.map { $0.adding("Allow", "GET") } }
        var answers: [SentResponse] = []
        for response in responses {
            for (request, closing) in requests.flatMap({ [($0, false), ($0, true)] }) {
                let method = request.hasPrefix("HEAD") ? HTTP.Method.head : .get
                // The table knows one content that is asked for with HEAD.
                if method == .head, response.content != wire("a") { continue }
                let peer = Peer()
                peer.send(request)
                try peer.answer(response, closing: closing)
                answers.append(
                    SentResponse(text: peer.drain(), method: method, isLast: peer.hasEnded))
            }
            let stranger = Peer()
            stranger.conversation.reject(response, date: someDate)
            answers.append(
                SentResponse(text: stranger.drain(), method: nil, isLast: stranger.hasEnded))
        }
        return answers
    }

    /// With a follower behind what does not wait for more.
    private static func bytes(of item: Requirement.Case) -> [UInt8] {
        if case .waits = item.outcome { return wire(item.bytes) }
        return wire(item.bytes) + wire(Requirement.get("/follower"))
    }

    /// In one piece; and in many, which must not make a difference.
    private func exchange(_ item: Requirement.Case) throws -> Exchange {
        let bytes = Self.bytes(of: item)
        let isTrusted = item.isBehindTrustedProxy
        let whole = try Exchange([bytes[...]], behindTrustedProxy: isTrusted)
        // 100 is owed only to a client that waits, and one who sends bytes one by one does.
        guard !item.bytes.lowercased().contains("expect:") else { return whole }
        // Single bytes, but of what is very long.
        let size = bytes.count / 1000 + 1
        let pieces = stride(from: 0, to: bytes.count, by: size).map { start in
            bytes[start..<min(start + size, bytes.count)]
        }
        let trickled = try Exchange(pieces, behindTrustedProxy: isTrusted)
        #expect(whole == trickled, Comment(rawValue: item.bytes.prefix(100).debugDescription))
        return whole
    }

    private static func namesOfAllTests() throws -> Set<String> {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var names: Set<String> = []
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /@Test\(\s*"([^"]+)"/) { names.insert(String(match.1)) }
        }
        return names
    }
}

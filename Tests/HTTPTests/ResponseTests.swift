import HTTP
import Testing

private func exchange(_ request: String, _ response: Response, closing: Bool = false) throws
    -> String
{
    let peer = Peer()
    peer.send(request)
    try peer.answer(response, closing: closing)
    return peer.drain()
}

private let get = "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n\r\n"
private let head = "HEAD / HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n\r\n"

struct ResponseTests {
    @Test
    func `a response is its status, the common fields, its own fields and its content`() throws {
        let response = Response(.ok, json: wire("{\"a\":1}")).adding("Pragma", "no-cache")
        #expect(
            try exchange(get, response) == """
                HTTP/1.1 200 OK\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                X-Request-Id: r-1\r
                X-Content-Type-Options: nosniff\r
                Cache-Control: no-store\r
                Pragma: no-cache\r
                Content-Type: application/json\r
                Content-Length: 7\r
                \r
                {"a":1}
                """)
    }

    @Test(arguments: Status.allCases)
    func `the reserved capacity suffices for the longest response`(status: Status) throws {
        let id = String(repeating: "r", count: 64)
        let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Request-Id: \(id)\r\n\r\n"
        let content = [UInt8](repeating: 0x61, count: 100_000)
        let response = Response(
            status, text: content, type: "application/openapi+json;version=3.1;charset=utf-8"
        ).adding("Retry-After", String(repeating: "1", count: 1000))
        let answer = try exchange(request, response)
        #expect(answer.contains("\r\nX-Request-Id: \(id)\r\n"))
        let connection = status == .lengthRequired ? "close" : "keep-alive"
        #expect(answer.contains("\r\nConnection: \(connection)\r\n\r\n"))
        if status != .noContent {
            #expect(answer.hasSuffix("\r\n\r\na" + String(repeating: "a", count: 99_999)))
        }
    }

    @Test func `an error response may have fields of its own`() throws {
        let response = Response.error(.unauthorized, "Token expired")
            .adding("WWW-Authenticate", "Bearer realm=\"gatehouse\"")
            .adding("Retry-After", "1")
        #expect(
            try exchange(get, response) == """
                HTTP/1.1 401 Unauthorized\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                X-Request-Id: r-1\r
                X-Content-Type-Options: nosniff\r
                Cache-Control: no-store\r
                WWW-Authenticate: Bearer realm="gatehouse"\r
                Retry-After: 1\r
                Content-Type: application/json\r
                Content-Length: 25\r
                \r
                {"error":"Token expired"}
                """)
    }

    // RFC 9110 §8.6: a server must not send Content-Length with 204.
    @Test func `a 204 response has no content and no field about content`() throws {
        #expect(
            try exchange(get, Response(.noContent).adding("X-Auth-User-Id", "1")) == """
                HTTP/1.1 204 No Content\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                X-Request-Id: r-1\r
                X-Content-Type-Options: nosniff\r
                Cache-Control: no-store\r
                X-Auth-User-Id: 1\r
                \r\n
                """)
    }

    @Test func `a response without content has a Content-Length of zero`() throws {
        #expect(try exchange(get, Response(.ok)).hasSuffix("no-store\r\nContent-Length: 0\r\n\r\n"))
    }

    @Test func `a response keeps its fields when its content is replaced`() throws {
        let response = Response(.ok, json: wire("{}")).adding("X", "y")
        let sent = try exchange(get, response.with(json: wire("[1]")))
        #expect(sent.contains("\r\nX: y\r\n"))
        #expect(sent.hasSuffix("\r\nContent-Length: 3\r\n\r\n[1]"))
    }

    @Test(arguments: [1, 9, 10, 99, 100, 101, 1000, 4095, 65536, 1_000_000])
    func `Content-Length is the size of the content`(count: Int) throws {
        let content = String(repeating: "x", count: count)
        let sent = try exchange(get, Response(.ok, json: wire(content)))
        #expect(sent.hasSuffix("\r\nContent-Length: \(count)\r\n\r\n\(content)"))
    }

    // RFC 9110 §9.3.2.
    @Test func `the response to HEAD is that to GET without the content`() throws {
        let response = Response(.ok, json: wire("{\"a\":1}"))
        #expect(try exchange(head, response) + "{\"a\":1}" == exchange(get, response))
        let refusal = Response.error(.notFound)
        #expect(try exchange(head, refusal) + "{\"error\":\"Not found\"}" == exchange(get, refusal))
    }

    @Test func `the Connection field is sent if it differs from the version's default`() throws {
        let response = Response(.ok)
        func field(_ request: String, closing: Bool = false) throws -> String? {
            let lines = try exchange(request, response, closing: closing).split(separator: "\r\n")
            return lines.first { $0.hasPrefix("Connection: ") }.map(String.init)
        }
        let version11 = "GET / HTTP/1.1\r\nHost: h\r\n"
        let version10 = "GET / HTTP/1.0\r\n"
        #expect(try field(version11 + "\r\n") == nil)
        #expect(try field(version11 + "Connection: keep-alive\r\n\r\n") == nil)
        #expect(try field(version11 + "Connection: close\r\n\r\n") == "Connection: close")
        #expect(try field(version11 + "\r\n", closing: true) == "Connection: close")
        #expect(try field(version10 + "\r\n") == "Connection: close")
        #expect(
            try field(version10 + "Connection: keep-alive\r\n\r\n") == "Connection: keep-alive")
        #expect(
            try field(version10 + "Connection: keep-alive\r\n\r\n", closing: true)
                == "Connection: close")
    }

    @Test func `each status has an error sentence of its own`() {
        let sentences = Status.allCases.map { status in
            String(decoding: Response.error(status).content, as: UTF8.self)
        }
        #expect(Set(sentences).count == Status.allCases.count)
        for sentence in sentences {
            #expect(sentence.wholeMatch(of: /\{"error":"[A-Z][A-Za-z ]+"\}/) != nil)
        }
        #expect(sentences.contains("{\"error\":\"Method not allowed\"}"))
        #expect(sentences.contains("{\"error\":\"URI too long\"}"))
        #expect(sentences.contains("{\"error\":\"HTTP version not supported\"}"))
    }

    @Test func `a value with a line end traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = Response(.ok).adding("X", "a\r\nY: b")
        }
        await #expect(processExitsWith: .failure) { _ = Response(.ok).adding("X", "a\nY: b") }
    }

    @Test func `a response may be sent in pieces of any size`() throws {
        let peer = Peer()
        peer.send(get + head + get)
        var sent = ""
        for size in 1...300 {
            try peer.answer(Response(.ok, json: wire("{}")))
            sent += peer.drain(upTo: size % 17)
        }
        let all = try [get, head, get].map { try exchange($0, Response(.ok, json: wire("{}"))) }
        #expect(sent == all.joined())
        #expect(peer.conversation.unsentCount == 0)
    }
}

struct RequestIDTests {
    private func id(_ value: String) -> String? {
        reading(of: "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: \(value)\r\n\r\n").only?.id
    }

    @Test(arguments: [
        "a", "A-Za-z0-9._-", ".", "-", "_", "0", String(repeating: "x", count: 64),
        "01234567-89ab-cdef-0123-456789abcdef",
    ])
    func `a valid X-Request-Id of the client is used`(value: String) throws {
        #expect(id(value) == value)
        let peer = Peer()
        peer.send("GET / HTTP/1.1\r\nHost: h\r\nx-request-id: \t\(value) \r\n\r\n")
        try peer.answer()
        #expect(peer.drain().contains("\r\nX-Request-Id: \(value)\r\n"))
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func `a request id contains no byte that is unsafe in a log line`(byte: UInt8) {
        let value = "a\(Unicode.Scalar(byte))b"
        let allowed = wire(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
        #expect((id(value) == value) == allowed.contains(byte))
    }

    @Test(arguments: [
        "", " ", "a b", "a/b", "a\"b", "\u{E9}", "a;b", String(repeating: "x", count: 65),
    ])
    func `an invalid X-Request-Id is replaced by sixteen hexadecimal digits`(value: String) {
        #expect(id(value)?.wholeMatch(of: /[0-9a-f]{16}/) != nil)
    }

    @Test func `generated request ids differ within and across connections`() {
        let requests = String(repeating: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", count: 1000)
        var ids: Set<String> = []
        for seed in 0..<4 {
            let peer = Peer(seed: UInt64(seed))
            peer.send(requests)
            while let request = try? peer.answer() { ids.insert(request.id) }
        }
        #expect(ids.count == 4000)
        #expect(ids.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{16}/) != nil })
    }
}

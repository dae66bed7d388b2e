import HTTP
import Testing

private func chunked(
    _ body: String, limits: Conversation.Limits = .init(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Reading {
    reading(
        of: "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)",
        limits: limits, sourceLocation: sourceLocation)
}

struct ChunkedBodyTests {
    @Test(arguments: [
        ("0\r\n\r\n", ""), ("000\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n", "hello"),
        ("4\r\nhell\r\n7\r\no world\r\n0\r\n\r\n", "hello world"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"), ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("00005\r\nhello\r\n0\r\n\r\n", "hello"), ("2\r\n\0\u{FF}\r\n0\r\n\r\n", "\0\u{FF}"),
        ("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"),
    ])
    func `chunks are joined to one body`(text: String, body: String) {
        #expect(chunked(text).only?.body == body)
    }

    @Test func `hexadecimal digits of a chunk size may be upper or lower case`() {
        let data = String(repeating: "x", count: 0xABC)
        #expect(chunked("abc\r\n\(data)\r\n0\r\n\r\n").only?.body == data)
        #expect(chunked("ABC\r\n\(data)\r\n0\r\n\r\n").only?.body == data)
        #expect(chunked("0aBc\r\n\(data)\r\n0\r\n\r\n").only?.body == data)
    }

    @Test(arguments: [
        "", " ", "x", "g", "-5", "+5", "0x5", "5h", "5.", "5_0", "5 5", " 5", "\t5", "5 ",
        "5\t", "\"5\"",
        "5,", "\u{B2}", "\u{FF}", ";a", " ;a", "00000000000000005", "10000000000000000",
        "fffffffffffffffff5", String(repeating: "0", count: 500) + "5", "hello",
        String(repeating: "0", count: 2000) + "5", String(repeating: "1", count: 400),
    ])
    func `a chunk size is one to sixteen hexadecimal digits and nothing else`(size: String) {
        #expect(chunked("\(size)\r\nhello\r\n0\r\n\r\n").refusal == .badChunk)
        #expect(chunked("5\r\nhello\r\n\(size)\r\n\r\n").refusal == .badChunk)
    }

    @Test(arguments: ["0 ", " 0", "0\t", "-0", "+0", "0x0", "", "O"])
    func `only a zero size ends a chunked body`(size: String) {
        #expect(chunked("5\r\nhello\r\n\(size)\r\n\r\n").refusal == .badChunk)
    }

    @Test(arguments: [
        "10001", "7fffffff", "80000000", "100000005", "7fffffffffffffff", "8000000000000000",
        "8000000000000005", "ffffffffffffffff", "FFFFFFFFFFFFFFFB",
    ])
    func `a chunk size larger than the body limit is rejected as too large`(size: String) {
        #expect(chunked("\(size)\r\nhello\r\n0\r\n\r\n").refusal == .bodyTooLarge)
        #expect(chunked("5\r\nhello\r\n\(size)\r\nhello\r\n0\r\n\r\n").refusal == .bodyTooLarge)
    }

    @Test(
        arguments: [
            ("5\r\nhell\r\n0\r\n\r\n", .bareLineEnd), ("5\r\nhelloo\r\n0\r\n\r\n", .badChunk),
            ("5\r\nhello0\r\n\r\n", .badChunk), ("5\r\nhello\n0\r\n\r\n", .bareLineEnd),
            ("5\r\nhello\r0\r\n\r\n", .bareLineEnd), ("5\r\nhello\r\r\n0\r\n\r\n", .bareLineEnd),
            ("5\r\nhello\r\n\r\n0\r\n\r\n", .badChunk), ("5\r\nhello \r\n0\r\n\r\n", .badChunk),
            ("5\nhello\r\n0\r\n\r\n", .bareLineEnd), ("5\r\n\r\nhello\r\n0\r\n\r\n", .badChunk),
            ("5\rhello\r\n0\r\n\r\n", .bareLineEnd), ("5\r\nhello\r\n0\n\n", .bareLineEnd),
            ("5\r\nhello\r\n0\r\n\n", .bareLineEnd),
            ("5\r\nhello\0\r\n0\r\n\r\n", .controlCharacter),
            ("5\0\r\nhello\r\n0\r\n\r\n", .controlCharacter),
        ] as [(String, ParseError)])
    func `a chunk must end at its declared size`(body: String, error: ParseError) {
        #expect(chunked(body).refusal == error)
    }

    @Test func `an incomplete chunked body waits for its last byte`() {
        let body = "5;x\r\nhello\r\n0\r\nX: y\r\n\r\n"
        for count in 0..<body.unicodeScalars.count {
            let part = String(String.UnicodeScalarView(body.unicodeScalars.prefix(count)))
            #expect(chunked(part).end == .unfinished)
        }
        #expect(chunked(body).only?.body == "hello")
    }

    @Test func `the next request follows a chunked body`() {
        let next = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(chunked("5\r\nhello\r\n0\r\n\r\n" + next).paths == ["/a", "/b"])
        #expect(
            chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n" + next + next).paths == ["/a", "/b", "/b"])
    }

    @Test func `a chunked body may have exactly the size of the limit`() {
        let limits = Conversation.Limits(body: 16)
        let half = "8\r\n01234567\r\n"
        #expect(
            chunked("\(half)\(half)0\r\n\r\n", limits: limits).only?.body == "0123456701234567")
        #expect(chunked("\(half)\(half)1\r\n", limits: limits).refusal == .bodyTooLarge)
        #expect(chunked("11\r\n", limits: limits).refusal == .bodyTooLarge)
        #expect(chunked("10\r\n", limits: limits).end == .unfinished)
    }

    @Test func `a body may arrive in thousands of chunks`() {
        let chunks = String(repeating: "1\r\nx\r\n", count: 3000)
        let body = String(repeating: "x", count: 3000)
        #expect(chunked(chunks + "0\r\n\r\n").only?.body == body)
    }

    @Test func `chunk framing does not count toward the body limit`() throws {
        let peer = Peer(limits: .init(head: 200, body: 4000))
        peer.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<4000 {
            peer.send("000000000001\r\nx\r\n")
            #expect(try peer.answer() == nil)
        }
        peer.send("0\r\n\r\n")
        #expect(try peer.answer()?.body == String(repeating: "x", count: 4000))
    }
}

struct ChunkExtensionTests {
    // RFC 9112 §7.1.1.
    @Test(arguments: [
        ";a", ";a=b", ";a=\"b\"", ";a;b=c;d=\"e;\\\"f\"", " ;a", "\t;\ta\t=\tb",
        "; some; p=stuff",
        ";a=\"\"", ";a=\"\\\\\"", ";a=\"b c\"", ";a = \"b\" ;c", ";a=\"\u{FF}\\\u{FF}\"",
        ";!#$%&'*+-.^_`|~=1", ";a=\"\\\t\"",
    ])
    func `chunk extensions are validated and ignored`(text: String) {
        #expect(chunked("5\(text)\r\nhello\r\n0\(text)\r\n\r\n").only?.body == "hello")
    }

    @Test(arguments: [
        ";", "; ", ";;", ";a;", ";=b", ";a=", ";a=;b", ";a==b", ";a=b=c", ";a b", ";a=b c",
        ";a ", ";a=b ",
        ";a=\"", ";a=\"b", ";a=\"b\\\"", ";a=\"b\"c", ";a=\"b\" ", ";\"a\"", ";a=b\"c\"", "g",
        "=b", ",a", " a", ";\u{E9}", ";a=\u{E9}", ";a=(b)", ";a,b", ";a =", ";a= ",
    ])
    func `chunk extensions that break the grammar are rejected`(text: String) {
        #expect(chunked("5\(text)\r\nhello\r\n0\r\n\r\n").refusal == .badChunk)
        #expect(chunked("5\r\nhello\r\n0\(text)\r\n\r\n").refusal == .badChunk)
    }

    @Test(arguments: [";a\nb", ";a\rb", ";a=\"\n\"", ";a=\"\\\n\"", ";\n", "\n"])
    func `a chunk extension cannot contain a line end`(text: String) {
        #expect(chunked("5\(text)\r\nhello\r\n0\r\n\r\n").refusal == .bareLineEnd)
    }

    @Test func `a chunk-size line with its line end has at most 1024 bytes`() {
        let long = ";" + String(repeating: "a", count: 1020)
        #expect(chunked("5\(long)\r\nhello\r\n0\r\n\r\n").only?.body == "hello")
        #expect(chunked("5\(long)a\r\nhello\r\n0\r\n\r\n").refusal == .badChunk)
        #expect(chunked("5\(long)aaaaaaa").refusal == .badChunk)
    }

    @Test func `all chunk extensions together have the limit of the head`() {
        let limits = Conversation.Limits(head: 200)
        let chunk = "1;23456789\r\nx\r\n"
        let fits = String(repeating: chunk, count: 22)
        #expect(chunked(fits + "0;2\r\n\r\n", limits: limits).only != nil)
        #expect(chunked(fits + "0;23\r\n\r\n", limits: limits).refusal == .badChunk)
        #expect(chunked(fits + chunk, limits: limits).refusal == .badChunk)
    }
}

struct TrailerTests {
    @Test(arguments: [
        "X: y", "X: y\r\nX: z", "X:", "Connection: close", "Expect: x", "X-Request-Id: stolen",
        "Vary: *", "Content_Length: 7", "Authorization: a", "Content-Type: a/b",
    ])
    func `trailer fields are validated and discarded`(fields: String) {
        let request = chunked("5\r\nhello\r\n0\r\n\(fields)\r\n\r\n")
        #expect(request.only?.body == "hello")
        #expect(request.only?.id != "stolen")
        #expect(request.end == .idle)
    }

    // RFC 9110 §6.5.1.
    @Test(arguments: [
        "Content-Length: 5", "Transfer-Encoding: chunked", "Host: h", "content-length:",
        "X: y\r\nHOST: evil.example",
    ])
    func `trailer fields that frame or route the message are rejected`(fields: String) {
        #expect(chunked("5\r\nhello\r\n0\r\n\(fields)\r\n\r\n").refusal == .badField)
    }

    @Test(
        arguments: [
            ("no colon here", .badField), ("X : y", .badField), (": y", .badField),
            ("X Y: z", .badField), (" X: y", .obsoleteFolding), ("X: y\r\n z", .obsoleteFolding),
            ("X: \0", .controlCharacter),
            ("X: y\nZ: z", .bareLineEnd), ("X: y\rZ: z", .bareLineEnd),
            ("GET /b HTTP/1.1", .badField),
        ] as [(String, ParseError)])
    func `trailer fields have the grammar of head fields`(fields: String, error: ParseError) {
        #expect(chunked("5\r\nhello\r\n0\r\n\(fields)\r\n\r\n").refusal == error)
    }

    @Test func `a trailer section may have exactly the size of the head limit`() {
        let limits = Conversation.Limits(head: 200)
        let fits = "X: " + String(repeating: "y", count: 193) + "\r\n"
        let two = "X: y\r\nY: " + String(repeating: "z", count: 187) + "\r\n"
        for trailers in [fits, two] {
            #expect(trailers.utf8.count == 198)
            let body = "5\r\nhello\r\n0\r\n"
            #expect(chunked("\(body)\(trailers)\r\n", limits: limits).only?.body == "hello")
            #expect(chunked("\(body)X\(trailers)\r\n", limits: limits).refusal == .headTooLarge)
            #expect(chunked("\(body)\(trailers)Z: z\r\n", limits: limits).refusal == .headTooLarge)
        }
        #expect(
            chunked("0\r\n" + String(repeating: "a:\r\n", count: 100), limits: limits).refusal
                == .headTooLarge)
    }
}

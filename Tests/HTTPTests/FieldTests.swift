import HTTP
import Testing

private func field(_ line: String) -> Reading {
    reading(of: "GET / HTTP/1.1\r\nHost: h\r\n\(line)\r\n\r\n")
}

struct FieldTests {
    // RFC 9110 §5.6.2.
    private static let tchar = wire(
        "!#$%&'*+-.^_`|~0123456789"
            + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    @Test(arguments: UInt8.min...UInt8.max)
    func `a field name consists of tchar only`(byte: UInt8) {
        let head = wire("GET / HTTP/1.1\r\nHost: h\r\nX") + [byte] + wire("A: b\r\n\r\n")
        switch byte {
        case _ where Self.tchar.contains(byte), UInt8(ascii: ":"):
            #expect(reading(of: head).only != nil)
        case 0x0A, 0x0D: #expect(reading(of: head).refusal == .bareLineEnd)
        case 0..<9, 11..<32, 127: #expect(reading(of: head).refusal == .controlCharacter)
        default: #expect(reading(of: head).refusal == .badField)
        }
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func `a field line begins with a tchar`(byte: UInt8) {
        let head = wire("GET / HTTP/1.1\r\nHost: h\r\n") + [byte] + wire("A: b\r\n\r\n")
        switch byte {
        case _ where Self.tchar.contains(byte): #expect(reading(of: head).only != nil)
        case 0x09, 0x20: #expect(reading(of: head).refusal == .obsoleteFolding)
        case 0x0A, 0x0D: #expect(reading(of: head).refusal == .bareLineEnd)
        case 0..<9, 11..<32, 127: #expect(reading(of: head).refusal == .controlCharacter)
        default: #expect(reading(of: head).refusal == .badField)
        }
    }

    // RFC 9110 §5.5: VCHAR, obs-text, space and tab.
    @Test(arguments: UInt8.min...UInt8.max)
    func `a field value contains no control characters`(byte: UInt8) {
        let value = wire("a") + [byte] + wire("b")
        let head = wire("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: ") + value + wire("\r\n\r\n")
        switch byte {
        case 0x09, 0x20...0x7E, 0x80...0xFF:
            #expect(reading(of: head).only?.authorization == text(value.span))
        case 0x0A, 0x0D: #expect(reading(of: head).refusal == .bareLineEnd)
        default: #expect(reading(of: head).refusal == .controlCharacter)
        }
    }

    @Test(arguments: [
        ("Authorization: a", "a"), ("Authorization:a", "a"), ("Authorization:  \t a \t ", "a"),
        ("Authorization: a  b\tc ", "a  b\tc"), ("Authorization:", ""),
        ("Authorization: \t", ""),
        ("Authorization: :", ":"), ("Authorization:: a:b", ": a:b"), ("AUTHORIZATION: a", "a"),
        ("aUTHORIZATION: \u{FF}\u{80}", "\u{FF}\u{80}"),
    ])
    func `white space around a field value is removed`(line: String, value: String) {
        #expect(field(line).only?.authorization == value)
    }

    @Test(
        arguments: [
            ("X : a", .badField), ("X\t: a", .badField), ("X A: a", .badField), (": a", .badField),
            (":", .badField), ("X", .badField), ("no colon here", .badField),
            ("Content-Length : 0", .badField), ("Host : h", .badField), ("X\"A\": b", .badField),
            ("X\u{DF}: a", .badField), ("\u{FF}", .badField), ("GET / HTTP/1.1", .badField),
            ("X: a\r\n b", .obsoleteFolding), ("X: a\r\n\tb", .obsoleteFolding),
            ("X:\r\n a", .obsoleteFolding), ("X: a\r\n ", .obsoleteFolding),
            (" X: a", .obsoleteFolding), ("\tX: a", .obsoleteFolding), (" ", .obsoleteFolding),
        ] as [(String, ParseError)])
    func `a field line that breaks the grammar is rejected`(line: String, error: ParseError) {
        #expect(field(line).refusal == error)
    }

    // RFC 9112 §2.2: white space between the request line and the first field.
    @Test(arguments: [" ", "\t", " Host: h", " X: a"])
    func `a field line cannot be folded onto the request line`(line: String) {
        let head = "GET / HTTP/1.1\r\n\(line)\r\nHost: h\r\n\r\n"
        #expect(reading(of: head).refusal == .obsoleteFolding)
    }

    @Test func `an unknown field may be repeated`() {
        #expect(field("X-A: 1\r\nX-A: 2\r\nx-a: 3").only != nil)
    }

    @Test func `repeated Authorization fields are counted and left to the handler`() {
        let request = field("Authorization: a\r\nX: b\r\nauthorization: c").only
        #expect(request?.authorization == "a")
        #expect(request?.authorizationCount == 2)
    }

    @Test func `Content-Type is passed to the handler and must not be repeated`() {
        #expect(field("Content-Type: text/plain").only?.contentType == "text/plain")
        #expect(field("X: y").only?.contentType == nil)
        #expect(field("Content-Type: a/b\r\nContent-Type: a/b").refusal == .repeatedField)
        #expect(field("Content-Type: a/b\r\nCONTENT-TYPE: c/d").refusal == .repeatedField)
    }

    @Test func `a head has at most a hundred fields`() {
        let fields = String(repeating: "a:\r\n", count: 98)
        #expect(field(fields + "b:").only != nil)
        #expect(field(fields + "b:\r\nc:").refusal == .tooManyFields)
        #expect(field(String(repeating: "a:\r\n", count: 3000)).refusal == .tooManyFields)
        #expect(ParseError.tooManyFields.status.code == 431)
    }

    @Test func `the size limit of a head includes every line end`() {
        let limits = Conversation.Limits(head: 200)
        let start = "GET / HTTP/1.1\r\nHost: h\r\nX: "
        let valueLength = 200 - start.utf8.count - 4
        let fits = start + String(repeating: "v", count: valueLength)
        #expect(reading(of: fits + "\r\n\r\n", limits: limits).only != nil)
        #expect(reading(of: fits + "v\r\n\r\n", limits: limits).refusal == .headTooLarge)
        #expect(reading(of: fits + "\r\nY: 1\r\n\r\n", limits: limits).refusal == .headTooLarge)
        // The ignored empty line does not count toward the head.
        #expect(reading(of: "\r\n" + fits + "\r\n\r\n", limits: limits).only != nil)
        #expect(reading(of: "\r\n" + fits + "v\r\n\r\n", limits: limits).refusal == .headTooLarge)
        // Each message has its own limit.
        let twice = fits + "\r\n\r\n" + fits + "\r\n\r\n"
        #expect(reading(of: twice, limits: limits).paths == ["/", "/"])
    }

    @Test func `a field line without an end is rejected at the limit`() {
        #expect(field("X: \(String(repeating: "v", count: 20_000))").refusal == .headTooLarge)
        #expect(field(String(repeating: "v", count: 20_000)).refusal == .headTooLarge)
    }
}

struct LineEndTests {
    /// Two requests, the first of which contains every kind of line.
    private static let lines = [
        "POST /a HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "", "5;x=\"y\"", "hello", "0",
        "X: y", "", "GET /b HTTP/1.1", "Host: h", "", "",
    ]

    @Test func `CR LF ends a line`() {
        #expect(reading(of: Self.lines.joined(separator: "\r\n")).paths == ["/a", "/b"])
    }

    // RFC 9112 §2.2 allows a recipient to accept LF alone. If two recipients differ in that, a
    // request can be smuggled.
    @Test(arguments: ["\n", "\r", "\r\r\n", "\n\r", "\n\n", "\r\r", "\r \n"], 0..<9)
    func `any other line end is rejected in every line of a message`(lineEnd: String, place: Int) {
        let front = Self.lines[...place].joined(separator: "\r\n")
        let back = Self.lines[(place + 1)...].joined(separator: "\r\n")
        #expect(reading(of: front + lineEnd + back).refusal == .bareLineEnd)
    }

    @Test func `CR and LF may arrive separately`() {
        let head = "GET / HTTP/1.1\r\nHost: h\r\n\r"
        #expect(reading(of: head).end == .unfinished)
        #expect(reading(of: head + "\n").only != nil)
    }
}

import HTTP
import Testing

private func post(_ fields: String, version: String = "1.1") -> Reading {
    reading(
        of: "POST /a HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
}

struct TransferCodingTests {
    @Test(arguments: ["chunked", "CHUNKED", "Chunked", "  chunked  ", "\tchunked\t", " \t chunked"])
    func `chunked is recognized without case and with white space around it`(value: String) {
        let request = post("Transfer-Encoding:\(value)").only
        #expect(request?.body == "hello")
        #expect(request?.declaresContent == true)
    }

    @Test(arguments: [
        "", "identity", "gzip", "xchunked", "chunkedx", "chunke", "chunkedd",
        "chunked, identity",
        "chunked, gzip", "chunked, chunked", "chunked,chunked", "gzip, chunked, chunked",
        "chunked, gzip, chunked", "identity, chunked, identity, chunked", "gzip, identity",
        "chunked;q=1", "chunked;", "gzip;q=1, chunked", "\"chunked\"", "'chunked'", "chunked\"",
        "chun ked", "chunked x", "x chunked", "(chunked)", "chunked, ", "chunked,", ", chunked",
        ",chunked", ",", "chunked,,chunked", "gzip,,chunked", "c\u{E7}unked", "\u{A0}chunked",
        "chunked\u{A0}", "chunked\u{85}", "chunked\u{FF}", "\u{EF}\u{BB}\u{BF}chunked",
    ])
    func `a Transfer-Encoding that does not end in a single chunked is rejected`(value: String) {
        #expect(post("Transfer-Encoding: \(value)").refusal == .badCoding)
    }

    // RFC 9112 §6.1: 501 for a coding that the server does not understand.
    @Test(arguments: ["gzip, chunked", "identity, chunked", "x,chunked", "deflate, gzip,\tCHUNKED"])
    func `a coding before chunked is rejected as unsupported`(value: String) {
        #expect(post("Transfer-Encoding: \(value)").refusal == .unsupportedCoding)
        #expect(ParseError.unsupportedCoding.status.code == 501)
    }

    @Test(arguments: ["\u{B}chunked", "chunked\0", "chunked\u{C}", "\0", "chunked\u{7F}"])
    func `a control character in Transfer-Encoding is rejected`(value: String) {
        #expect(post("Transfer-Encoding: \(value)").refusal == .controlCharacter)
    }

    @Test(
        arguments: [
            ("chunked", "chunked", .badCoding), ("chunked", "identity", .badCoding),
            ("chunked", "x", .badCoding), ("chunked", "", .badCoding), ("", "chunked", .badCoding),
            ("gzip", "gzip", .badCoding), ("identity", "chunked", .unsupportedCoding),
            ("gzip", "chunked", .unsupportedCoding), ("gzip, chunked", "chunked", .badCoding),
        ] as [(String, String, ParseError)])
    func `several Transfer-Encoding fields form one list`(
        first: String, second: String, error: ParseError
    ) {
        let fields = "Transfer-Encoding: \(first)\r\nX: y\r\nTransfer-Encoding: \(second)"
        #expect(post(fields).refusal == error)
    }

    // RFC 9112 §6.1 and §6.3, item 3.
    @Test func `Transfer-Encoding together with Content-Length is rejected`() {
        let coding = "Transfer-Encoding: chunked"
        #expect(post("Content-Length: 15\r\n\(coding)").refusal == .lengthWithCoding)
        #expect(post("\(coding)\r\nContent-Length: 15").refusal == .lengthWithCoding)
        #expect(post("\(coding)\r\nContent-Length: 0").refusal == .lengthWithCoding)
        #expect(post("Transfer-Encoding: x\r\nContent-Length: 15").refusal == .lengthWithCoding)
        #expect(post("Transfer-Encoding:\r\nContent-Length: 15").refusal == .lengthWithCoding)
        #expect(post("\(coding)\r\nContent-Length: x").refusal == .badLength)
    }

    // RFC 9112 §6.1: such a message has faulty framing.
    @Test func `Transfer-Encoding in HTTP/1.0 is rejected`() {
        #expect(post("Transfer-Encoding: chunked", version: "1.0").refusal == .badCoding)
        #expect(post("Transfer-Encoding: gzip, chunked", version: "1.0").refusal == .badCoding)
        #expect(
            post("Transfer-Encoding: chunked\r\nContent-Length: 15", version: "1.0").refusal
                == .lengthWithCoding)
    }

    @Test func `field names similar to Transfer-Encoding do not frame a body`() {
        let two =
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\n"
            + "Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(reading(of: two).paths == ["/a", "/b"])
        #expect(reading(of: two).requests.first?.body == "hello")
    }
}

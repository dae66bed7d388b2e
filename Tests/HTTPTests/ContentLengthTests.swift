import HTTP
import Testing

private func post(_ fields: String, _ body: String = "hello", version: String = "1.1") -> Reading {
    reading(of: "POST /a HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n\r\n\(body)")
}

struct ContentLengthTests {
    @Test(arguments: ["5", "05", "0000000000000000000000000000005"])
    func `Content-Length determines the end of the body`(value: String) {
        let request = post("Content-Length: \(value)").only
        #expect(request?.body == "hello")
        #expect(request?.declaresContent == true)
        #expect(post("Content-Length: \(value)", version: "1.0").only?.body == "hello")
    }

    @Test func `a request without content has no Content-Length or a length of zero`() {
        #expect(post("Content-Length: 0", "").only?.body == "")
        #expect(post("Content-Length: 0", "").only?.declaresContent == true)
        #expect(post("X: y", "").only?.body == "")
        #expect(post("X: y", "").only?.declaresContent == false)
    }

    @Test func `Content-Length frames the body for every method`() {
        for method in ["GET", "HEAD", "DELETE", "TRACE", "FOO"] {
            let two =
                "\(method) /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
            #expect(reading(of: two).paths == ["/a", "/b"])
            #expect(reading(of: two).requests.first?.body == "hello")
        }
    }

    @Test func `bytes after the body belong to the next message`() {
        #expect(post("Content-Length: 5", "hell").end == .unfinished)
        #expect(post("Content-Length: 5", "hello").end == .idle)
        #expect(post("Content-Length: 5", "helloGARBAGE\r\n\r\n").requests.count == 1)
        #expect(post("Content-Length: 5", "helloGARBAGE\r\n\r\n").end == .refused(.badRequestLine))
    }

    @Test func `a body may contain every byte`() {
        let body = text([UInt8](0...255).span)
        #expect(post("Content-Length: 256", body).only?.body == body)
    }

    @Test(arguments: [
        "", "-1", "+5", "-0", "5 5", "0x5", "5.0", "1e1", "ten", "5;", "5a", "a5", "1_0", "5,",
        "5, ",
        ",5", "5,5", "5, 5", "5,15", "5-5", "\"5\"", "5\t5", "0 1", "'5'", "(5)", "5%", "Inf",
        "\u{EF}\u{BC}\u{95}", "\u{D9}\u{A5}", "\u{C2}\u{A0}5", "\u{B2}",
        "999999999999999999999999999999999x",
    ])
    func `a Content-Length other than decimal digits is rejected`(value: String) {
        #expect(post("Content-Length: \(value)").refusal == .badLength)
        #expect(post("Content-Length: \(value)", version: "1.0").refusal == .badLength)
    }

    @Test(arguments: ["5\0", "\u{B}5", "5\u{C}", "\u{1}", "5\u{7F}"])
    func `a control character in Content-Length is rejected`(value: String) {
        #expect(post("Content-Length: \(value)").refusal == .controlCharacter)
    }

    @Test func `a second Content-Length is rejected, even with the same value`() {
        #expect(post("Content-Length: 5\r\nContent-Length: 5").refusal == .repeatedField)
        #expect(post("Content-Length: 1\r\nContent-Length: 5").refusal == .repeatedField)
        #expect(post("Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 1").refusal == .repeatedField)
        #expect(post("Content-Length: 5\r\nContent-Length: five").refusal == .badLength)
        #expect(post("Content-Length: 5\r\nContent-Length:").refusal == .badLength)
    }

    @Test func `field names similar to Content-Length do not frame a body`() {
        #expect(post("Content_Length: 5", "").only?.declaresContent == false)
        #expect(post("Content-Lengt: 5", "").only?.declaresContent == false)
        #expect(post("Content-Lengths: x", "").only?.declaresContent == false)
        #expect(post("X-Content-Length: x", "").only?.declaresContent == false)
    }

    @Test func `a body may have exactly the length of the limit`() {
        let limits = Conversation.Limits(body: 20)
        let head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: "
        let body = String(repeating: "b", count: 20)
        #expect(reading(of: "\(head)20\r\n\r\n\(body)", limits: limits).only?.body == body)
        #expect(reading(of: "\(head)21\r\n\r\n\(body)b", limits: limits).refusal == .bodyTooLarge)
    }

    @Test(arguments: [
        "65537", "100000", "1073741824", "2147483648", "4294967301", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "18446744073709551621",
        "100000000000000000000000000000", String(repeating: "9", count: 1000),
    ])
    func `a Content-Length over the limit is rejected before the body arrives`(
        value: String
    ) {
        #expect(post("Content-Length: \(value)", "").refusal == .bodyTooLarge)
        #expect(ParseError.bodyTooLarge.status.code == 413)
    }

    @Test func `a body may arrive in many pieces`() throws {
        let peer = Peer()
        peer.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n")
        let piece = String(repeating: "0123456789abcdef", count: 64)
        for _ in 0..<63 {
            peer.send(piece)
            #expect(try peer.answer() == nil)
        }
        peer.send(piece)
        #expect(try peer.answer()?.body == String(repeating: piece, count: 64))
    }
}

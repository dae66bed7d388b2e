import HTTP
import TestSupport
import Testing

struct FormParametersTests {
    private func token(_ form: String) -> FormParameters.Lookup { token(wire(form)) }

    private func token(_ form: [UInt8]) -> FormParameters.Lookup {
        FormParameters.value(of: "token", in: form.span)
    }

    @Test(arguments: [
        ("token=a", "a"), ("token=", ""), ("token", ""), ("x=1&token=a", "a"),
        ("token=a&x=1", "a"), ("&&token=a&&", "a"), ("token=a=b", "a=b"), ("token==", "="),
        ("token=%41%2e%7E", "A.~"), ("token=a+b", "a b"), ("token=a%2Bb", "a+b"),
        ("token=%2541", "%41"), ("token=%00%ff", "\u{0}\u{FF}"), ("token=a%26b%3Dc", "a&b=c"),
        ("x=%zz&token=a", "a"), ("tokens=b&token=a", "a"), ("token=a;b", "a;b"),
        ("token=\u{E9}", "\u{E9}"), ("token=a\r\n", "a\r\n"),
    ])
    func `a parameter's value is decoded once`(form: String, value: String) {
        #expect(token(form) == .value(wire(value)))
    }

    @Test(arguments: [
        "", "&", "=", "=a", "x=token", "Token=a", "%74oken=a", "token+=a", " token=a",
        "tokentoken=a", "toke=n", "x=1;token=a", "+token=a",
    ])
    func `a parameter is missing if its name occurs only in another spelling`(form: String) {
        #expect(token(form) == .missing)
    }

    @Test(arguments: [
        "token=a&token=a", "token=a&token=b", "token&token", "token=a&x=1&token", "token=%",
        "token=%4", "token=a%", "token=%4g", "token=%g4", "token=%%41", "token=% 41",
        "token=%+1", "token=%u0041", "token=%4&x=1",
    ])
    func `a repeated parameter or an invalid percent sign is malformed`(form: String) {
        #expect(token(form) == .malformed)
    }

    @Test(arguments: 0..<20)
    func `decoding reverses any encoding and never traps`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<TestScale.rounds(200, long: 5000) {
            let value = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            var form = wire("a=b&token=")
            for byte in value {
                let digits = String(byte, radix: 16)
                form += wire("%" + (digits.count == 1 ? "0" : "") + digits)
            }
            form += wire("&c=d")
            #expect(token(form) == .value(value))
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                form[Int.random(in: 0..<form.count, using: &generator)] =
                    wire("%&=+ 0Ft\0").randomElement(using: &generator)!
            }
            if case .value(let found) = token(form) { #expect(found.count <= form.count) }
        }
    }
}

struct QueryTests {
    private func query(_ line: String) throws -> String? {
        let peer = Peer()
        peer.send("\(line) HTTP/1.1\r\nHost: h\r\nX: ?not=this\r\nContent-Length: 4\r\n\r\n?a=b")
        guard let request = try peer.conversation.next() else { return nil }
        return text(request.query)
    }

    @Test(arguments: [
        ("GET /sessions?user=1", "user=1"), ("GET /", ""), ("GET /?", ""), ("GET /??", "?"),
        ("GET /a?b?c=/d", "b?c=/d"), ("GET /%3F", ""), ("GET /%3F?x", "x"),
        ("GET /a?%41+%2B", "%41+%2B"), ("POST /a?x=1&y=2", "x=1&y=2"),
        ("GET http://h/a?b", "b"), ("GET http://h?b", "b"), ("GET http://h", ""),
        ("GET http://h/", ""), ("OPTIONS *", ""), ("OPTIONS http://h", ""),
        ("CONNECT h:443", ""), ("HEAD /?a", "a"),
    ])
    func `the query is the undecoded text after the question mark`(line: String, expected: String)
        throws
    {
        #expect(try query(line) == expected)
    }
}

struct FieldLinesTests {
    @Test func `any data in a response field stays on one line`() throws {
        let peer = Peer()
        peer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        var lines = FieldLines()
        lines.add("X-A", 0)
        lines.add("X-B", .max)
        let all = (UInt8.min...UInt8.max).map { $0 }
        lines.add("X-C", encoding: all.span)
        let nothing: [UInt8] = []
        lines.add("X-D", encoding: nothing.span)
        try peer.answer(Response(.noContent).adding(lines))
        let answer = peer.drain()
        #expect(answer.contains("\r\nX-A: 0\r\nX-B: 9223372036854775807\r\nX-C: %00%01"))
        #expect(answer.contains("%1F !\"#$%25&'()*+,-./0123456789:;<=>?@ABC"))
        #expect(answer.contains("xyz{|}~%7F%80%81"))
        #expect(answer.contains("%FE%FF\r\nX-D: \r\n"))
        let line = try #require(answer.split(separator: "\r\n").first { $0.hasPrefix("X-C") })
        #expect(line.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) })
    }
}

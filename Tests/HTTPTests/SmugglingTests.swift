import HTTP
import Testing

private let hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"

/// Request smuggling: two servers find the end of one message at different offsets, so the first
/// one reads a body where the second one reads a request. Every ambiguous message is therefore
/// rejected.
struct SmugglingTests {
    @Test(
        arguments: [
            // Both kinds of framing, in both orders.
            ("Content-Length: 6\r\nTransfer-Encoding: chunked", .lengthWithCoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4", .lengthWithCoding),
            ("Content-Length: 0\r\nTransfer-Encoding: chunked", .lengthWithCoding),
            ("Transfer-Encoding: xchunked\r\nContent-Length: 4", .lengthWithCoding),
            ("Transfer-Encoding: gzip, chunked\r\nContent-Length: 4", .lengthWithCoding),
            // A coding that only one of the two servers recognizes.
            ("Content-Length: 6\r\nTransfer-Encoding : chunked", .badField),
            ("Content-Length: 6\r\nTransfer-Encoding\t: chunked", .badField),
            ("Content-Length: 6\r\n Transfer-Encoding: chunked", .obsoleteFolding),
            ("Content-Length: 6\r\nTransfer-Encoding:\r\n chunked", .obsoleteFolding),
            ("Content-Length: 6\r\nTransfer-Encoding\r\n: chunked", .badField),
            ("Content-Length: 6\r\nX: y\nTransfer-Encoding: chunked", .bareLineEnd),
            ("Content-Length: 6\r\nX: y\rTransfer-Encoding: chunked", .bareLineEnd),
            ("Content-Length: 6\r\nX: y\r\r\nTransfer-Encoding: chunked", .bareLineEnd),
            ("Content-Length: 6\r\n\u{B}Transfer-Encoding: chunked", .controlCharacter),
            ("Content-Length: 6\r\n\0Transfer-Encoding: chunked", .controlCharacter),
            ("Content-Length: 6\r\nTransfer-Encoding\0: chunked", .controlCharacter),
            ("Content-Length: 6\r\nTransfer-Encoding: \u{B}chunked", .controlCharacter),
            ("Content-Length: 6\r\n\u{A0}Transfer-Encoding: chunked", .badField),
            ("Content-Length: 6\r\n\"Transfer-Encoding\": chunked", .badField),
            ("Content-Length: 6\r\nTransfer Encoding: chunked", .badField),
            ("Content-Length: 6\r\nFoo: bar Transfer-Encoding\r\nx", .badField),
            // A coding that only one of the two servers supports.
            ("Transfer-Encoding: xchunked", .badCoding),
            ("Transfer-Encoding: chunked, x", .badCoding),
            ("Transfer-Encoding: x, chunked", .unsupportedCoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", .badCoding),
            ("Transfer-Encoding: x\r\nTransfer-Encoding: chunked", .unsupportedCoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .badCoding),
            ("Transfer-Encoding: \"chunked\"", .badCoding),
            ("Transfer-Encoding: 'chunked'", .badCoding),
            ("Transfer-Encoding: identity", .badCoding),
            ("Transfer-Encoding: chunked;x", .badCoding),
            ("Transfer-Encoding:", .badCoding),
            // A length that servers parse differently.
            ("Content-Length: 6\r\nContent-Length: 5", .repeatedField),
            ("Content-Length: 6\r\nContent-Length: 6", .repeatedField),
            ("Content-Length: 6, 5", .badLength), ("Content-Length: 6, 6", .badLength),
            ("Content-Length: +6", .badLength), ("Content-Length: 0x6", .badLength),
            ("Content-Length: 6 5", .badLength), ("Content-Length: -6", .badLength),
            ("Content-Length : 6", .badField), ("Content-Length\u{A0}: 6", .badField),
            (" Content-Length: 6", .obsoleteFolding), ("Content-Length:\r\n 6", .obsoleteFolding),
            ("Content-Length: 1\r\n 6", .obsoleteFolding),
            ("X: y\nContent-Length: 6", .bareLineEnd),
            ("Content-Length: 18446744073709551622", .bodyTooLarge),
            // A second host, which the proxy may have ignored.
            ("Host: evil.example", .badHost), ("host:", .badHost), ("X: y\nHost: i", .bareLineEnd),
        ] as [(String, ParseError)])
    func `ambiguous framing is rejected, and nothing after it is served`(
        fields: String, error: ParseError
    ) {
        for body in ["0\r\n\r\n", "5e\r\n", ""] {
            let attack = "POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n\(body)\(hidden)"
            #expect(reading(of: attack).requests == [])
            #expect(reading(of: attack).refusal == error)
        }
    }

    @Test(
        arguments: [
            ("2\nxx\r\n0\r\n\r\n", .bareLineEnd), ("2\rxx\r\n0\r\n\r\n", .bareLineEnd),
            ("2\r\nxx\n0\r\n\r\n", .bareLineEnd), ("2\r\nxx\r0\r\n\r\n", .bareLineEnd),
            ("2\r\nxx0\r\n\r\n", .badChunk), ("2\r\nxxx\r\n0\r\n\r\n", .badChunk),
            ("2;\nxx\r\n0\r\n\r\n", .bareLineEnd), ("2;a=\"\n\"\r\nxx\r\n0\r\n\r\n", .bareLineEnd),
            ("2 \r\nxx\r\n0\r\n\r\n", .badChunk), ("0x2\r\nxx\r\n0\r\n\r\n", .badChunk),
            ("+2\r\nxx\r\n0\r\n\r\n", .badChunk), ("2_\r\nxx\r\n0\r\n\r\n", .badChunk),
            ("0\n\r\n", .bareLineEnd), ("0\r\n\n", .bareLineEnd), ("0\r\n\r\r\n", .bareLineEnd),
            ("0\r\nContent-Length: 9\r\n\r\n", .badField), ("0\r\nx\r\n\r\n", .badField),
            ("10000000000000002\r\nxx\r\n0\r\n\r\n", .badChunk),
            ("100000002\r\nxx\r\n0\r\n\r\n", .bodyTooLarge),
            ("0\r\n", .badField),
        ] as [(String, ParseError)])
    func `ambiguous chunks are rejected, and nothing after them is served`(
        body: String, error: ParseError
    ) {
        let attack =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)\(hidden)"
        #expect(reading(of: attack).requests == [])
        #expect(reading(of: attack).refusal == error)
    }

    @Test func `Transfer-Encoding in HTTP/1.0 is rejected, and nothing after it is served`() {
        let attack =
            "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "0\r\n\r\n\(hidden)"
        #expect(reading(of: attack).requests == [])
        #expect(reading(of: attack).refusal == .badCoding)
    }

    @Test func `a request inside an unambiguous body is not served`() {
        let count = hidden.utf8.count
        let fixed = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n\(hidden)"
        #expect(reading(of: fixed).paths == ["/"])
        #expect(reading(of: fixed).only?.body == hidden)
        let chunked =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(count, radix: 16))\r\n\(hidden)\r\n0\r\n\r\n"
        #expect(reading(of: chunked).paths == ["/"])
        #expect(reading(of: chunked).only?.body == hidden)
    }

    @Test func `an ambiguous request does not affect the response to the previous one`() {
        let attack =
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
            + "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\n"
            + hidden
        #expect(reading(of: attack).paths == ["/a"])
        #expect(reading(of: attack).end == .refused(.repeatedField))
    }
}

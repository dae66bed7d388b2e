import TestSupport
import Testing
import Time

@testable import HTTP

struct ContentOverwritingTests {
    private static let date = Timestamp(seconds: 784_111_777).httpDate

    private func conversation() -> Conversation {
        Conversation(
            limits: .init(), client: ClientAddress(Array("192.0.2.1".utf8).span)!, seed: 7)
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\npassword",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4\r\npass\r\n4\r\nword\r\n0\r\n\r\n",
    ])
    func `the content of a request is overwritten when the request is answered`(
        message: String
    ) throws {
        var conversation = conversation()
        let bytes = Array(message.utf8)
        conversation.receive(bytes.span)
        let request = try #require(try conversation.next())
        #expect(text(request.body) == "password")
        conversation.complete(Response(.ok), date: Self.date)
        #expect(text(request.body) == String(repeating: "\0", count: 8))
        #expect(text(request.path) == "/")
    }

    @Test func `the content of a pending request is overwritten when the connection ends`() throws {
        var request: Request?
        do {
            var conversation = conversation()
            let bytes = Array("POST /path HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\npw".utf8)
            conversation.receive(bytes.span)
            request = try conversation.next()
        }
        let left = try #require(request)
        #expect(text(left.body) == "\0\0")
        #expect(text(left.path) == "/path")
    }

    @Test
    func
        `the content of a request is overwritten if the conversation ended before its response`()
        throws
    {
        var conversation = conversation()
        let bytes = Array("POST /path HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\npw".utf8)
        conversation.receive(bytes.span)
        let request = try #require(try conversation.next())
        conversation.reject(Response(.serviceUnavailable), date: Self.date)
        conversation.markSent(conversation.unsentCount)
        conversation.complete(Response(.ok), date: Self.date)
        #expect(text(request.body) == "\0\0")
        #expect(text(request.path) == "/path")
        #expect(conversation.unsentCount == 0)
    }

    @Test func `overwriting content does not change the bytes after it`() throws {
        var conversation = conversation()
        let bytes = Array(
            ("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\npw"
                + "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n").utf8)
        conversation.receive(bytes.span)
        #expect(try #require(try conversation.next()).path.count == 2)
        conversation.receive(Array("q".utf8).span)
        conversation.complete(Response(.ok), date: Self.date)
        #expect(try conversation.next() == nil)
        conversation.receive(Array("rGET /3 HTTP/1.1\r\nHost: h\r\n\r\n".utf8).span)
        let second = try #require(try conversation.next())
        #expect(text(second.path) == "/2")
        #expect(text(second.body) == "qr")
        conversation.complete(Response(.ok), date: Self.date)
        #expect(text(try #require(try conversation.next()).path) == "/3")
    }

    @Test func `a secret response is sent intact, and its content is overwritten`() throws {
        var conversation = conversation()
        conversation.receive(Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8).span)
        _ = try #require(try conversation.next())
        let content = Array("token".utf8)
        conversation.complete(Response(.ok, json: content).secret, date: Self.date)
        #expect(content == [0, 0, 0, 0, 0])
        #expect(text(conversation.unsent).hasSuffix("\r\n\r\ntoken"))
    }

    private func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}

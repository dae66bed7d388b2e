import TestSupport
import Testing
import Time

@testable import HTTP

@Suite("What a client has sent")
struct OverwritingTests {
    private static let date = Timestamp(seconds: 784_111_777).httpDate

    private func conversation() -> Conversation {
        Conversation(
            limits: .init(), client: ClientAddress(Array("192.0.2.1".utf8).span)!, seed: 7)
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\npassword",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npass\r\n4\r\nword\r\n0\r\n\r\n",
    ])
    func `is overwritten when its request is answered, as far as it is content`(
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

    @Test func `is overwritten when the connection ends before its request is answered`() throws {
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

    @Test func `is overwritten when the conversation is closed before that`() throws {
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

    @Test func `does not change what comes after it`() throws {
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

    @Test func `leaves a secret response to be sent once`() throws {
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

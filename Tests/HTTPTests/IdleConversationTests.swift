import Testing

@testable import HTTP

struct IdleConversationTests {
    /// Five sixths of the 6 KiB that an idle connection may use.
    private static let allowance = 5 * 1024

    /// The input before the connection becomes idle.
    enum History: CaseIterable {
        case request, fields, body, chunks, pipeline, tooLarge, nonsense

        var text: String {
            switch self {
            case .request: "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
            case .fields: "GET / HTTP/1.1\r\nHost: h\r\n\(manyFields)\r\n"
            case .body: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n\(largeBody)"
            case .chunks:
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "ea60\r\n\(largeBody)\r\n0\r\n\(manyFields)\r\n"
            case .pipeline: String(repeating: History.request.text, count: 500)
            case .tooLarge:
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n\(largeBody)"
            case .nonsense: "\(largeBody)\r\n\r\n"
            }
        }
    }

    private static let largeBody = String(repeating: "x", count: 60_000)
    private static let manyFields = (0..<90).map {
        "X-\($0): \(String(repeating: "x", count: 100))\r\n"
    }
    .joined()

    @Test(arguments: History.allCases)
    func `an idle conversation releases its large buffers`(history: History) throws {
        let peer = Peer()
        peer.send(history.text)
        var held = peer.conversation.heldBytes
        do {
            while try peer.answer(Response(.ok, json: Array(Self.largeBody.utf8))) != nil {
                held = max(held, peer.conversation.heldBytes)
            }
        } catch let error as ParseError {
            peer.reject(error)
        }
        #expect(peer.drain() != "")
        #expect(peer.conversation.heldBytes <= Self.allowance)
        #expect(held > peer.conversation.heldBytes)
    }

    @Test func `a conversation continues after it has released its buffers`() throws {
        let peer = Peer()
        for _ in 0..<3 {
            peer.send(
                "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n\(Self.largeBody)")
            #expect(try peer.answer()?.body == Self.largeBody)
            _ = peer.drain()
            peer.send("GET /b HTTP/1.1\r\nHost: h\r\n\(Self.manyFields)\r\nGET /c HT")
            #expect(try peer.answer()?.path == "/b")
            _ = peer.drain()
            peer.send("TP/1.1\r\nHost: h\r\n\r\n")
            #expect(try peer.answer()?.path == "/c")
            _ = peer.drain()
        }
    }
}

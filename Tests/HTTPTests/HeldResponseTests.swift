import HTTP
import Testing

private let refusal = Response.error(.serviceUnavailable)

private func request(_ id: String, method: String = "GET") -> String {
    "\(method) / HTTP/1.1\r\nHost: h\r\nX-Request-Id: \(id)\r\n\r\n"
}

/// The status and the id of each response in `sent`.
private func heads(_ sent: String) -> [String] {
    sent.matches(of: /HTTP\/1\.1 ([0-9]{3})(?:.|\r\n)*?X-Request-Id: ([A-Za-z0-9]+)/)
        .map { "\($0.1) \($0.2)" }
}

struct HeldResponseTests {
    @Test func `one refusal replaces a held response and all responses after it`() throws {
        let peer = Peer()
        peer.send(request("a") + request("b") + request("c") + request("d"))
        try peer.answer()
        try peer.answer(Response(.ok, json: wire("{\"token\":\"b\"}")).heldUntilCommitted)
        try peer.answer()
        try peer.answer(Response(.ok, json: wire("{\"token\":\"d\"}")).heldUntilCommitted)

        #expect(peer.replaceHeldResponses(refusal))
        let sent = peer.drain()
        #expect(heads(sent) == ["200 a", "503 b"])
        #expect(!sent.contains("token"))
        #expect(sent.contains("\r\nConnection: close\r\n"))
        #expect(sent.hasSuffix("\r\n\r\n{\"error\":\"Service unavailable\"}"))
    }

    @Test func `replacing a held response ends the conversation`() throws {
        let peer = Peer()
        peer.send(request("a") + request("b"))
        try peer.answer(Response(.ok).heldUntilCommitted)
        #expect(peer.replaceHeldResponses(refusal))
        #expect(try peer.answer() == nil)
        peer.send(request("c"))
        #expect(try peer.answer() == nil)
        #expect(heads(peer.drain()) == ["503 a"])
    }

    @Test func `a released response is no longer replaced`() throws {
        let peer = Peer()
        peer.send(request("a") + request("b"))
        try peer.answer(Response(.ok).heldUntilCommitted)
        peer.conversation.releaseHeldResponses()
        #expect(!peer.replaceHeldResponses(refusal))
        try peer.answer(Response(.noContent).heldUntilCommitted)
        #expect(peer.replaceHeldResponses(refusal))
        #expect(heads(peer.drain()) == ["200 a", "503 b"])
    }

    @Test func `only held responses are replaced`() throws {
        let peer = Peer()
        peer.send(request("a"))
        #expect(!peer.replaceHeldResponses(refusal))
        try peer.answer()
        #expect(!peer.replaceHeldResponses(refusal))
        #expect(heads(peer.drain()) == ["200 a"])
        peer.send(request("b"))
        #expect(try peer.answer()?.id == "b")
    }

    @Test func `the refusal answers the request of the held response`() throws {
        let peer = Peer()
        peer.send(request("a") + request("b", method: "HEAD"))
        try peer.answer(Response(.ok).heldUntilCommitted)
        try peer.answer()
        #expect(peer.replaceHeldResponses(refusal))
        let toGet = peer.drain()
        #expect(heads(toGet) == ["503 a"])
        #expect(toGet.hasSuffix("\r\n\r\n{\"error\":\"Service unavailable\"}"))

        let other = Peer()
        other.send(request("a", method: "HEAD") + request("b"))
        try other.answer(Response(.ok).heldUntilCommitted)
        try other.answer()
        #expect(other.replaceHeldResponses(refusal))
        let toHead = other.drain()
        #expect(heads(toHead) == ["503 a"])
        #expect(toHead.hasSuffix("\r\nConnection: close\r\n\r\n"))
    }

    @Test func `an interim response after a held response is removed too`() throws {
        let peer = Peer()
        peer.send(
            request("a")
                + "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        try peer.answer(Response(.ok).heldUntilCommitted)
        #expect(try peer.answer() == nil)
        #expect(peer.replaceHeldResponses(refusal))
        let sent = peer.drain()
        #expect(heads(sent) == ["503 a"])
        #expect(!sent.contains("100 Continue"))
    }

    @Test func `a held response can be replaced after part of the output was sent`() throws {
        let peer = Peer()
        peer.send(request("a") + request("b"))
        try peer.answer(Response(.ok, json: wire("{}")))
        peer.conversation.markSent(17)
        try peer.answer(Response(.ok, json: wire("{}")).heldUntilCommitted)
        #expect(peer.replaceHeldResponses(refusal))
        let sent = "HTTP/1.1 200 OK\r\n" + peer.drain()
        #expect(heads(sent) == ["200 a", "503 b"])
        #expect(sent.contains("{}HTTP/1.1 503 Service Unavailable\r\n"))
    }
}

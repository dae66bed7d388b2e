import HTTP
import Testing

struct LengthRequiredTests {
    // RFC 9112 §6.3: the bytes that follow may be content whose length the client did not send.
    @Test func `a 411 response ends the connection`() throws {
        let peer = Peer()
        peer.send("POST /login HTTP/1.1\r\nHost: h\r\n\r\nGET /hidden HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try peer.answer(.error(.lengthRequired))?.path == "/login")
        #expect(try peer.answer() == nil)
        let sent = peer.drain()
        #expect(sent.hasPrefix("HTTP/1.1 411 Length Required\r\n"))
        #expect(sent.contains("\r\nConnection: close\r\n"))
        #expect(peer.hasEnded)
    }
}

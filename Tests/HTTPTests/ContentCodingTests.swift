import HTTP
import Testing

struct ContentCodingTests {
    private func isCoded(_ fields: String) throws -> Bool {
        let peer = Peer()
        peer.send("POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n")
        return try #require(try peer.conversation.next()).hasContentCoding
    }

    @Test(arguments: [
        "gzip", "x-gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "gzip,identity",
        "gzip;q=1", "\"identity\"", "identity identity", "x", "*", "none", "identity;",
    ])
    func `content is coded if Content-Encoding names a coding other than identity`(value: String)
        throws
    {
        #expect(try isCoded("Content-Encoding: \(value)"))
        #expect(try isCoded("content-encoding: identity\r\nCONTENT-ENCODING: \(value)"))
    }

    @Test(arguments: ["identity", "Identity", "", " ", ",", "identity, identity", ", identity ,"])
    func `content is not coded if Content-Encoding is identity or empty`(value: String) throws {
        #expect(try !isCoded("Content-Encoding: \(value)"))
        #expect(try !isCoded("Accept-Encoding: gzip\r\nContent-Encoding: \(value)"))
    }
}

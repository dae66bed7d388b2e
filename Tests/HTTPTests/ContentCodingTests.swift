import HTTP
import Testing

@Suite("Content")
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
    func `is coded if a coding but identity is named`(value: String) throws {
        #expect(try isCoded("Content-Encoding: \(value)"))
        #expect(try isCoded("content-encoding: identity\r\nCONTENT-ENCODING: \(value)"))
    }

    @Test(arguments: ["identity", "Identity", "", " ", ",", "identity, identity", ", identity ,"])
    func `is not coded by identity, nor by nothing`(value: String) throws {
        #expect(try !isCoded("Content-Encoding: \(value)"))
        #expect(try !isCoded("Accept-Encoding: gzip\r\nContent-Encoding: \(value)"))
    }
}

import HTTP
import TestSupport
import Testing

/// Requests that cover much of the parser.
private let corpus = [
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /a?b=%20 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "\r\nGET http://[::1]:80/a HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\nCONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    "POST /login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        + "Content-Length: 13\r\n\r\n{\"user_id\":1}GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5;a=\"b\\\"\"\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    "GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a.b.c\r\nX-Request-Id: r-1\r\n\r\n"
        + "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n",
].map(wire)

/// Byte strings with a meaning in some part of a message.
private let pieces = [
    "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", "\0", ":", "%", "%2", "*", "0", "5\r\n", ";", "\"",
    "\\", ",",
    "HTTP/1.0", "HTTP/1.1", "Host: i\r\n", "Content-Length: 5\r\n",
    "Content-Length: 99999999999\r\n",
    "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n", "Connection: close\r\n",
    "Expect: 100-continue\r\n", "FFFFFFFFFFFFFFFF", "10000000000000000", "0\r\n\r\n",
    "\u{FF}\u{80}",
].map(wire)

extension [UInt8] {
    fileprivate mutating func mutate(by generator: inout SeededGenerator) {
        let place = Int.random(in: 0...count, using: &generator)
        let end = Swift.min(count, place + Int.random(in: 0...12, using: &generator))
        switch Int.random(in: 0..<6, using: &generator) {
        case 0 where place < count: self[place] = UInt8.random(in: 0...255, using: &generator)
        case 1 where place < count: self[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: removeSubrange(place..<end)
        case 3: insert(contentsOf: self[place..<end], at: place)
        case 4: replaceSubrange(place..<end, with: pieces.randomElement(using: &generator)!)
        default: insert(contentsOf: pieces.randomElement(using: &generator)!, at: place)
        }
    }
}

struct RequestMutationTests {
    @Test(arguments: 0..<20)
    func `a mutated request never traps and is parsed the same however it is split`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<250 {
            var bytes = corpus.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...4, using: &generator) { bytes.mutate(by: &generator) }
            _ = reading(of: bytes, limits: .init(head: 180, body: 40))
        }
    }
}

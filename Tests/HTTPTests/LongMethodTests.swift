import HTTP
import Testing

struct LongMethodTests {
    private static let limits = Conversation.Limits(head: 1024)

    private func refusal(_ text: String) -> ParseError? {
        reading(of: text, limits: Self.limits).refusal
    }

    // RFC 9112 §3.
    @Test(arguments: [1024, 1025, 5000])
    func `a method longer than the head limit is rejected with 501`(count: Int) {
        let method = String(repeating: "A", count: count)
        let rests = ["", " / HTTP/1.1\r\nHost: h\r\n\r\n", " ", "\r\n", ":"]
        for rest in rests where count > 1024 || rest.isEmpty {
            #expect(refusal(method + rest) == .methodTooLong, "\(rest)")
        }
    }

    @Test func `a long target and a long method within the limit are not rejected with 501`() {
        let long = String(repeating: "a", count: 2000)
        #expect(refusal("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n") == .targetTooLong)
        #expect(refusal("A \(long)") == .targetTooLong)
        #expect(refusal(" \(long)") == .targetTooLong)
        #expect(refusal("(\(long)") == .targetTooLong)
        let method = String(repeating: "A", count: 900)
        let known = "\(method) / HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(reading(of: known, limits: Self.limits).only != nil)
    }
}

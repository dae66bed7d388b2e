import HTTP
import Time

/// The client's side of a conversation. Bytes are written as text; see `wire`.
final class Peer {
    var conversation: Conversation

    init(
        limits: Conversation.Limits = .init(), seed: UInt64 = 7, proxies: TrustedProxies? = nil,
        hosts: AcceptedHosts = .any
    ) {
        let client = ClientAddress(wire("127.0.0.1").span)!
        conversation = Conversation(
            limits: limits, client: client, seed: seed, proxies: proxies, hosts: hosts)
    }

    func send(_ text: String) { send(wire(text)[...]) }

    func send(_ bytes: ArraySlice<UInt8>) { conversation.receive(bytes.span) }

    /// Answers the next request. Returns nil if none is complete.
    @discardableResult
    func answer(
        _ response: Response = Response(.ok), closing: Bool = false
    ) throws -> Message? {
        guard let request = try conversation.next() else { return nil }
        // The response overwrites the content, so it is copied before.
        let message = Message(request)
        conversation.complete(response, date: someDate, closing: closing)
        return message
    }

    /// True if the conversation parses no further bytes.
    var hasEnded: Bool { conversation.state.wants == .nothing }

    func reject(_ error: ParseError) { conversation.reject(error, date: someDate) }

    func replaceHeldResponses(_ refusal: Response) -> Bool {
        conversation.replaceHeldResponses(refusal, date: someDate)
    }

    /// The output that was not drained before, or its first `count` bytes. Marks it as sent.
    func drain(upTo count: Int = .max) -> String {
        let sent = text(conversation.unsent).unicodeScalars.prefix(count)
        conversation.markSent(sent.count)
        return String(String.UnicodeScalarView(sent))
    }
}

/// Sun, 06 Nov 1994 08:49:37 GMT, the date in the examples of RFC 9110.
let someDate = Timestamp(seconds: 784_111_777).httpDate

/// The bytes of a text, one for each character: `\u{E9}` is the byte E9.
func wire(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

/// The text of the bytes; the inverse of `wire`.
func text(_ bytes: Span<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for index in bytes.indices { scalars.append(Unicode.Scalar(bytes[index])) }
    return String(scalars)
}

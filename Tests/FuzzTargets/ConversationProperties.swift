import HTTP
import TestSupport
import Time

/// The bytes are everything that a client sends on one connection.
enum ConversationProperties {
    /// Small, so that inputs reach the limits.
    private static let limits = Conversation.Limits(head: 1024, body: 128)
    private static let wide = Conversation.Limits()

    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let unsplit = reading(of: [bytes[...]], limits)
        try require(
            reading(of: bytes.indices.map { bytes[$0...$0] }, limits) == unsplit,
            "split into single bytes it is parsed differently")
        var generator = SeededGenerator(seed: bytes.choice)
        for _ in 0..<2 {
            let pieces = cut(bytes, by: &generator)
            try require(
                reading(of: pieces, limits) == unsplit,
                "split at \(pieces.map(\.startIndex)) it is parsed differently")
        }
        try checkFollower(bytes, unsplit)
        try checkResponses(unsplit)
        try checkFirstHead(bytes, unsplit)
        for message in unsplit.messages { try checkRewritten(message) }
    }

    // MARK: Parsing

    private enum End: Equatable {
        case idle, unfinished, closed
        case refused(ParseError)
    }

    private struct Reading: Equatable {
        var messages: [Message] = []
        var end = End.idle
        /// All responses except 100 (Continue), which only a waiting client gets.
        var responses: [UInt8] = []
    }

    private struct Message: Equatable {
        var method: HTTP.Method
        var form: Request.Form
        var path: [UInt8]
        var query: [UInt8]
        var body: [UInt8]
        var declaresContent: Bool
        var contentType: [UInt8]?
        var authorization: [UInt8]?
        var authorizationCount: Int
        var id: String
        var client: String

        init(_ request: borrowing Request) {
            method = request.method
            form = request.form
            path = Array(copying: request.path)
            query = Array(copying: request.query)
            body = Array(copying: request.body)
            declaresContent = request.declaresContent
            contentType = Self.value(.contentType, request)
            authorization = Self.value(.authorization, request)
            authorizationCount = request.authorizationCount
            id = request.id.string
            client = request.client.string
        }

        private static func value(_ name: FieldName, _ request: borrowing Request) -> [UInt8]? {
            guard let value = request.value(of: name) else { return nil }
            return Array(copying: value)
        }
    }

    private static let date = Timestamp(seconds: 784_111_777).httpDate
    private static let peer = ClientAddress(Array("10.0.0.1".utf8).span)!
    private static let proxies = try? TrustedProxies(parsing: ["10.0.0.0/8", "2001:db8::/32"])
    private static let interim = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    private static func reading(
        of pieces: [ArraySlice<UInt8>], _ limits: Conversation.Limits
    ) -> Reading {
        var conversation = Conversation(
            limits: limits, client: peer, seed: 7, proxies: proxies?.ifTrusted(peer))
        var reading = Reading()
        for piece in pieces {
            conversation.receive(piece.span)
            do throws(ParseError) {
                while let request = try conversation.next() {
                    reading.messages.append(Message(request))
                    conversation.complete(answer(to: request), date: date)
                }
            } catch {
                reading.end = .refused(error)
                conversation.reject(error, date: date)
            }
        }
        if reading.end == .idle {
            if conversation.state.isInsideMessage { reading.end = .unfinished }
            if conversation.state.wants == .nothing { reading.end = .closed }
        }
        reading.responses = removing(interim, from: Array(copying: conversation.unsent))
        return reading
    }

    private static func answer(to request: borrowing Request) -> Response {
        request.body.isEmpty ? Response(.noContent) : Response(.ok, json: Array("{\"a\":1}".utf8))
    }

    private static func cut(_ bytes: [UInt8], by generator: inout SeededGenerator) -> [ArraySlice<
        UInt8
    >] {
        var rest = bytes[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, 60), using: &generator)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    private static func removing(_ part: [UInt8], from bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: part) {
                index += part.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    // MARK: Properties

    private static let follower = Array(
        "GET /follower HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".utf8)

    /// A request after complete ones is parsed as such. After rejected bytes nothing is parsed.
    private static func checkFollower(_ bytes: [UInt8], _ unsplit: Reading) throws(PropertyFailure)
    {
        guard unsplit.end != .unfinished else { return }
        let followed = reading(of: [(bytes + follower)[...]], limits)
        guard unsplit.end == .idle else {
            try require(followed == unsplit, "bytes after a rejection change it")
            return
        }
        try require(followed.end == .idle, "the next request is not parsed: \(followed.end)")
        try require(
            followed.messages.dropLast().elementsEqual(unsplit.messages)
                && followed.messages.last?.path == Array("/follower".utf8),
            "the next request is parsed as something else")
    }

    /// There is one complete response for each request, in order, and one for rejected bytes.
    private static func checkResponses(_ reading: Reading) throws(PropertyFailure) {
        var rest = reading.responses[...]
        for message in reading.messages {
            guard let fields = takeHead(&rest) else {
                throw PropertyFailure("a response is missing")
            }
            try require(
                fields["x-request-id"] == message.id, "the response has another request's id")
            let length = fields["content-length"].flatMap { Int($0) } ?? 0
            if message.method != .head { rest = rest.dropFirst(length) }
        }
        if case .refused = reading.end {
            guard let fields = takeHead(&rest) else {
                throw PropertyFailure("the response of a rejection is missing")
            }
            try require(fields["connection"] == "close", "a rejection does not close")
            let length = fields["content-length"].flatMap { Int($0) } ?? 0
            // The response to a rejected HEAD request has no content.
            if !rest.isEmpty {
                try require(rest.count == length, "a rejection has another length")
                rest = []
            }
        }
        try require(rest.isEmpty, "more responses than requests")
    }

    /// Removes the head of a response, and returns its fields. Nil if there is no complete head.
    private static func takeHead(_ rest: inout ArraySlice<UInt8>) -> [String: String]? {
        guard let lines = headLines(rest), lines[0].starts(with: "HTTP/1.1 ".utf8) else {
            return nil
        }
        rest = rest.dropFirst(lines.reduce(2) { $0 + $1.count + 2 })
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = String(decoding: line, as: UTF8.self).split(separator: ": ", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            fields[parts[0].lowercased()] = String(parts[1])
        }
        return fields
    }

    /// The lines before the first empty line. Nil if there is no empty line, or no line before it.
    private static func headLines(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        var index = start
        while index + 1 < bytes.endIndex {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A {
                if index == start { return lines.isEmpty ? nil : lines }
                lines.append(bytes[start..<index])
                index += 2
                start = index
            } else {
                index += 1
            }
        }
        return nil
    }

    /// A simple line-based parser finds nothing in an accepted head that could smuggle a request.
    private static func checkFirstHead(_ bytes: [UInt8], _ unsplit: Reading) throws(PropertyFailure)
    {
        guard let message = unsplit.messages.first else { return }
        let rest = bytes.starts(with: [0x0D, 0x0A]) ? bytes[2...] : bytes[...]
        guard let lines = headLines(rest) else { throw PropertyFailure("the request has no head") }
        var counts: [String: Int] = [:]
        for (index, line) in lines.enumerated() {
            try require(
                !line.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F },
                "a control character is accepted")
            guard index > 0 else { continue }
            guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
                line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else { throw PropertyFailure("a field without a name is accepted") }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = trimmed(line[(colon + 1)...])
            counts[name, default: 0] += 1
            if name == "content-length" {
                try require(Int(value) == message.body.count, "Content-Length is not the body's")
            }
            if name == "transfer-encoding" {
                try require(value.lowercased() == "chunked", "another transfer coding is accepted")
            }
        }
        try require(
            counts["content-length", default: 0] + counts["transfer-encoding", default: 0] <= 1,
            "two kinds of framing are accepted")
        try require(counts["host", default: 0] <= 1, "two Host fields are accepted")
        if lines[0].reversed().starts(with: "1.1/PTTH".utf8) {
            try require(counts["host"] == 1, "a missing Host is accepted")
        }
    }

    private static func trimmed(_ value: ArraySlice<UInt8>) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let rest = value.drop(while: isBlank)
        let end = rest.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? rest.startIndex
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    /// A request that is written again in absolute-form is parsed as the same request.
    private static func checkRewritten(_ message: Message) throws(PropertyFailure) {
        guard message.method != .other else { return }
        var text = Array("\(message.method.name) ".utf8)
        switch message.form {
        case .path:
            text += Array("http://h".utf8) + message.path
            if !message.query.isEmpty || message.path.isEmpty { text += [0x3F] + message.query }
        case .asterisk: text += [0x2A]
        case .authority: text += Array("h:1".utf8)
        }
        text += Array(" HTTP/1.1\r\nhost: h\r\nX-request-id:\t\(message.id)\r\n".utf8)
        if let type = message.contentType { text += field("content-TYPE", type) }
        for _ in 0..<message.authorizationCount {
            text += field("authorization", message.authorization ?? [])
        }
        if message.declaresContent {
            text += Array("Transfer-encoding: Chunked\r\n\r\n".utf8)
            let half = message.body.count / 2
            for part in [message.body[..<half], message.body[half...]] where !part.isEmpty {
                text += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [0x0D, 0x0A]
            }
            text += Array("0\r\n".utf8)
        }
        text += Array("\r\n".utf8)
        let again = reading(of: [text[...]], wide)
        try require(again.messages.count == 1, "written again, it is not parsed: \(text.shown)")
        var expected = message
        // The forwarding fields are not written again.
        expected.client = peer.string
        try require(again.messages == [expected], "written again, it differs: \(text.shown)")
    }

    private static func field(_ name: String, _ value: [UInt8]) -> [UInt8] {
        Array("\(name): ".utf8) + value + [0x0D, 0x0A]
    }
}

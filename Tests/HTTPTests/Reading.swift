import HTTP
import TestSupport
import Testing
import Time

/// The requests, responses and final state of a conversation that gets a byte string.
struct Reading: Equatable {
    enum End: Equatable {
        /// Between two messages.
        case idle
        /// Inside a message.
        case unfinished
        /// After a response that closes the connection.
        case closed
        case refused(ParseError)
    }

    var requests: [Message] = []
    var end = End.idle
    /// All responses except 100 (Continue), which only a waiting client gets.
    var responses = ""

    /// The error of the first message; nil if that message was served.
    var refusal: ParseError? {
        guard requests.isEmpty, case .refused(let error) = end else { return nil }
        return error
    }

    /// The only request; nil if there are several, or if an error follows it.
    var only: Message? {
        end == .idle || end == .closed ? requests.count == 1 ? requests[0] : nil : nil
    }

    var paths: [String] { requests.map(\.path) }
}

/// A request as handlers see it, with bytes as characters.
struct Message: Equatable {
    let method: HTTP.Method
    let form: Request.Form
    let path: String
    let body: String
    let id: String
    let declaresContent: Bool
    let contentType: String?
    let authorization: String?
    let authorizationCount: Int

    init(_ request: borrowing Request) {
        method = request.method
        form = request.form
        path = text(request.path)
        body = text(request.body)
        id = request.id.string
        declaresContent = request.declaresContent
        contentType = Self.value(of: .contentType, in: request)
        authorization = Self.value(of: .authorization, in: request)
        authorizationCount = request.authorizationCount
    }

    private static func value(of name: FieldName, in request: borrowing Request) -> String? {
        guard let value = request.value(of: name) else { return nil }
        return text(value)
    }
}

/// Parses `text` in one piece. Checks that no other split changes a request, an error or a
/// response: byte by byte, at random offsets, and with another request directly after it.
func reading(
    of text: String, limits: Conversation.Limits = .init(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Reading {
    reading(of: wire(text), limits: limits, sourceLocation: sourceLocation)
}

func reading(
    of bytes: [UInt8], limits: Conversation.Limits = .init(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Reading {
    let unsplit = read([bytes[...]], limits)
    let byByte = read(bytes.indices.map { bytes[$0...$0] }, limits)
    #expect(byByte == unsplit, "byte by byte", sourceLocation: sourceLocation)

    var generator = SeededGenerator(seed: UInt64(bytes.count))
    for _ in 0..<2 {
        let pieces = bytes.cut(by: &generator)
        let cuts = pieces.map(\.startIndex)
        #expect(read(pieces, limits) == unsplit, "cut at \(cuts)", sourceLocation: sourceLocation)
    }

    guard unsplit.end != .unfinished else { return unsplit }
    let followed = read([(bytes + follower)[...]], limits)
    if unsplit.end == .idle {
        let first = Array(followed.requests.dropLast())
        #expect(first == unsplit.requests, "followed", sourceLocation: sourceLocation)
        #expect(followed.paths.last == "/follower", sourceLocation: sourceLocation)
        #expect(followed.end == .idle, sourceLocation: sourceLocation)
    } else {
        #expect(followed == unsplit, "followed", sourceLocation: sourceLocation)
    }
    return unsplit
}

private let follower = wire("GET /follower HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

private func read(_ pieces: [ArraySlice<UInt8>], _ limits: Conversation.Limits) -> Reading {
    let peer = Peer(limits: limits)
    var reading = Reading()
    for piece in pieces {
        peer.send(piece)
        do throws(ParseError) {
            while let request = try peer.conversation.next() {
                reading.requests.append(Message(request))
                if try peer.conversation.next() != nil { Issue.record("two requests at once") }
                peer.conversation.complete(Response(.ok, json: wire("{}")), date: someDate)
            }
        } catch {
            reading.end = .refused(error)
            peer.reject(error)
        }
    }
    if reading.end == .idle {
        if peer.conversation.state.isInsideMessage { reading.end = .unfinished }
        if peer.conversation.state.wants == .nothing { reading.end = .closed }
    }
    let interim = wire("HTTP/1.1 100 Continue\r\n\r\n")
    reading.responses = text(wire(peer.drain()).removing(interim).span)
    return reading
}

extension [UInt8] {
    fileprivate func cut(by generator: inout SeededGenerator) -> [ArraySlice<UInt8>] {
        var rest = self[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...Swift.min(rest.count, 40), using: &generator)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    fileprivate func removing(_ part: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = self[...]
        while let byte = rest.first {
            if rest.starts(with: part) {
                rest = rest.dropFirst(part.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}

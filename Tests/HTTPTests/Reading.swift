import HTTP
import TestSupport
import Testing
import Time

/// What a conversation makes of a byte string, from its first byte to its last.
struct Reading: Equatable {
    enum End: Equatable {
        /// Between two messages.
        case idle
        /// Inside a message.
        case unfinished
        /// After a response that closes.
        case closed
        case refused(ParseError)
    }

    var requests: [Message] = []
    var end = End.idle
    /// Every response. 100 (Continue) is left out: it is owed only to a client that waits.
    var responses = ""

    /// The error of the first message.
    var refusal: ParseError? {
        guard requests.isEmpty, case .refused(let error) = end else { return nil }
        return error
    }

    /// The one request there is, with nothing wrong behind it.
    var only: Message? {
        end == .idle || end == .closed ? requests.count == 1 ? requests[0] : nil : nil
    }

    var paths: [String] { requests.map(\.path) }
}

/// A request as a handler sees it, its bytes as characters.
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

/// Reads `text` in one piece, and checks that no other way to cut it changes a request, an error or
/// a response: byte by byte, at random places, and with another request right behind it.
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
    let whole = read([bytes[...]], limits)
    let byByte = read(bytes.indices.map { bytes[$0...$0] }, limits)
    #expect(byByte == whole, "byte by byte", sourceLocation: sourceLocation)

    var dice = SeededGenerator(seed: UInt64(bytes.count))
    for _ in 0..<2 {
        let pieces = bytes.cut(by: &dice)
        let cuts = pieces.map(\.startIndex)
        #expect(read(pieces, limits) == whole, "cut at \(cuts)", sourceLocation: sourceLocation)
    }

    guard whole.end != .unfinished else { return whole }
    let followed = read([(bytes + follower)[...]], limits)
    if whole.end == .idle {
        let first = Array(followed.requests.dropLast())
        #expect(first == whole.requests, "followed", sourceLocation: sourceLocation)
        #expect(followed.paths.last == "/follower", sourceLocation: sourceLocation)
        #expect(followed.end == .idle, sourceLocation: sourceLocation)
    } else {
        #expect(followed == whole, "followed", sourceLocation: sourceLocation)
    }
    return whole
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
            peer.fail(error)
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
    fileprivate func cut(by dice: inout SeededGenerator) -> [ArraySlice<UInt8>] {
        var rest = self[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...Swift.min(rest.count, 40), using: &dice)
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

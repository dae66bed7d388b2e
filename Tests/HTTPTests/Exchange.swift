import HTTP

/// The responses of a small server to a byte string.
///
/// | route | content |
/// | --- | --- |
/// | `GET /a` | `a` |
/// | `POST /echo` | the content of the request |
/// | `GET /who` | the request's Authorization, or `-` |
/// | `GET /none` | none (204) |
/// | `GET /follower` | `follower` |
struct Exchange: Equatable {
    enum End: Equatable { case open, waiting, closed }

    private(set) var answers: [SentResponse] = []
    private(set) var end = End.open

    /// - Parameter pieces: the bytes, in the pieces in which they arrive.
    init(_ pieces: [ArraySlice<UInt8>], behindTrustedProxy isTrusted: Bool = false) throws {
        let proxies = isTrusted ? try TrustedProxies(parsing: ["127.0.0.1"]) : nil
        let peer = Peer(proxies: proxies)
        for piece in pieces {
            peer.send(piece)
            do throws(ParseError) {
                while let request = try peer.conversation.next() {
                    record(from: peer)
                    peer.conversation.complete(Self.respond(to: request), date: someDate)
                    record(from: peer, to: request.method)
                }
                record(from: peer)
            } catch {
                record(from: peer)
                peer.reject(error)
                record(from: peer)
            }
        }
        let state = peer.conversation.state
        end = state.wants == .nothing ? .closed : state.isInsideMessage ? .waiting : .open
    }

    private mutating func record(from peer: Peer, to method: HTTP.Method? = nil) {
        let text = peer.drain()
        guard !text.isEmpty else { return }
        answers.append(SentResponse(text: text, method: method, isLast: peer.hasEnded))
    }

    private static func respond(to request: Request) -> Response {
        switch routes.route(for: request) {
        case .onWorker(let handler): handler(request)
        case .inTwoSteps: .error(.internalServerError)
        }
    }

    private static let routes: RouteTable = {
        var router = Router()
        router.on(.get, "/a") { _ in Response(.ok, json: wire("a")) }
        router.on(.get, "/follower") { _ in Response(.ok, json: wire("follower")) }
        router.on(.get, "/none") { _ in Response(.noContent) }
        router.on(.get, "/who") { request in
            guard let credentials = request.value(of: .authorization) else {
                return Response(.ok, json: wire("-"))
            }
            return Response(.ok, json: wire(text(credentials)))
        }
        router.on(.post, "/echo") { Response(.ok, json: wire(text($0.body))) }
        return router.routes()
    }()
}

/// One response as sent.
struct SentResponse: Equatable {
    let text: String
    /// The method of the request; nil for a response without a request.
    let method: HTTP.Method?
    /// True if the connection ends after this response.
    let isLast: Bool

    var statusLine: String { lines.first ?? "" }

    var status: Int { Int(statusLine.dropFirst(9).prefix(3)) ?? 0 }

    /// The field lines, unparsed.
    var fieldLines: [String] { Array(lines.dropFirst()) }

    /// The fields, with names in lower case.
    var fields: [(name: String, value: String)] {
        fieldLines.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].dropFirst()) : "")
        }
    }

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The bytes after the empty line.
    var content: String { String(halves.content) }

    private var lines: [String] {
        var lines: [String] = []
        var line = ""
        // A CR LF is one Character; a lone CR or LF stays in its line.
        for character in halves.head {
            if character == "\r\n" {
                lines.append(line)
                line = ""
            } else {
                line.append(character)
            }
        }
        return line.isEmpty ? lines : lines + [line]
    }

    private var halves: (head: Substring, content: Substring) {
        guard let gap = text.firstRange(of: "\r\n\r\n") else { return (text[...], "") }
        return (text[..<gap.lowerBound], text[gap.upperBound...])
    }
}

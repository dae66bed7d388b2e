import HTTP

/// What a small server answers to a byte string, from the first byte to the last.
///
/// It has `GET /a` with the content `a`, `POST /echo` with that of the request, `GET /who` with the
/// request's Authorization, `GET /none` with 204, and `GET /follower`.
struct Exchange: Equatable {
    enum End: Equatable { case open, waiting, closed }

    private(set) var answers: [SentResponse] = []
    private(set) var end = End.open

    /// - Parameter pieces: the bytes, as they arrive.
    init(_ pieces: [ArraySlice<UInt8>], behindTrustedProxy isTrusted: Bool = false) throws {
        let proxies = isTrusted ? try TrustedProxies(parsing: ["127.0.0.1"]) : nil
        let peer = Peer(proxies: proxies)
        for piece in pieces {
            peer.send(piece)
            do throws(ParseError) {
                while let request = try peer.conversation.next() {
                    take(from: peer)
                    peer.conversation.complete(Self.respond(to: request), date: someDate)
                    take(from: peer, to: request.method)
                }
                take(from: peer)
            } catch {
                take(from: peer)
                peer.fail(error)
                take(from: peer)
            }
        }
        let standing = peer.conversation.state
        end = standing.wants == .nothing ? .closed : standing.isInsideMessage ? .waiting : .open
    }

    private mutating func take(from peer: Peer, to method: HTTP.Method? = nil) {
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

/// One response as it was sent.
struct SentResponse: Equatable {
    let text: String
    /// Of the request; nil for what was answered before there was one.
    let method: HTTP.Method?
    /// Whether the connection ends behind it.
    let isLast: Bool

    var statusLine: String { lines.first ?? "" }

    var status: Int { Int(statusLine.dropFirst(9).prefix(3)) ?? 0 }

    /// Field lines, with everything in them.
    var fieldLines: [String] { Array(lines.dropFirst()) }

    /// Names in lower case.
    var fields: [(name: String, value: String)] {
        fieldLines.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].dropFirst()) : "")
        }
    }

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// What stands behind the empty line.
    var content: String { String(halves.content) }

    private var lines: [String] {
        var lines: [String] = []
        var line = ""
        // A CR LF is one Character; a CR or an LF alone stays in its line.
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

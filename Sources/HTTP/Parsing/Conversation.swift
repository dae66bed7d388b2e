import POSIX

/// One connection's half of HTTP/1.1 (RFC 9112), without the connection: bytes go in, requests come
/// out; responses go in, bytes come out. Knows HTTP, knows no sockets and no clock, never traps on
/// input; the requests do not depend on where the bytes were cut.
///
/// Theory. A message is read line by line, each line as soon as its end is here, so that what is
/// wrong is found at the same byte however the bytes arrive. `cursor` is where the next line or piece
/// of body begins; everything before it is understood. `scanned` remembers how far the search for a
/// line end has come, so that bytes that trickle in cost no more than bytes that come at once. A
/// chunked body is moved together in place, behind its head, and so is one range like any other.
///
/// One request is out at a time: `next` gives no second one before `complete` has the first one's
/// response. Responses therefore leave in the order of the requests (§9.3.2) by construction.
package struct Conversation: ~Copyable {
    package struct Limits: Sendable {
        /// Bytes in the request line and the field lines together, and again in the trailers.
        package let head: Int
        /// Bytes in a body, its transfer coding undone.
        package let body: Int

        /// - Precondition: both at most `largest`, so that no arithmetic on them can overflow.
        package init(head: Int = 16 * 1024, body: Int = 64 * 1024) {
            precondition(head <= Self.largest && body <= Self.largest)
            self.head = head
            self.body = body
        }

        package static let largest = 1 << 28

        /// Field lines in a head. Browsers send about 20; Apache's limit is 100.
        static let fields = 100
    }

    private enum Phase {
        /// In front of the first message.
        case proxyHeader
        case start
        case requestLine
        case fields
        case fixedBody
        case chunkedBody
        /// A request is out; its response is awaited.
        case responding
        /// Nothing more is read.
        case closed
    }

    private let limits: Limits
    /// Where the connection comes from; once a PROXY header is read, where that says.
    package private(set) var peer: ClientAddress
    /// Whose word about a request's client is taken; nil where the peer's is not.
    private var proxies: TrustedProxies?
    /// Whether a trusted proxy has made the connection, whoever its client is.
    private let comesFromProxy: Bool
    /// The hosts that a request may name.
    private let hosts: AcceptedHosts
    /// Request ids are this and a counter, stirred; see `nextID`.
    private var idState: UInt64

    // What came in.
    private var input: [UInt8] = []
    private var phase = Phase.start
    /// The first byte of the message that is being read.
    private var start = 0
    private var cursor = 0
    private var scanned = 0

    // The message that is being read.
    private var line = RequestLine.none
    private var fields: [Field] = []
    private var body: ChunkedBody = ChunkedBody(start: 0)
    private var bodyLength = 0
    private var declaresContent = false
    private var id: RequestID
    /// The id that the client gave.
    private var givenID: RequestID?
    private var keepsAlive = true
    /// Why the bytes were refused, once they were.
    private var failure: ParseError?

    // What goes out.
    private var output: [UInt8] = []
    private var sentCount = 0
    /// The first response whose security events may not be on disk yet.
    private var firstHeld: HeldResponse?
    /// A token is in the output.
    private var outputIsSecret = false
    /// Where the content of the request that is out begins, which ends at the cursor; nil if none is.
    private var requestedBody: Int?

    private struct HeldResponse {
        /// Where it begins in the output.
        let start: Int
        /// What it answers, so that another response can do so in its place.
        let id: RequestID
        let method: Method
    }

    /// - Parameters:
    ///   - client: where the connection comes from, and with it every request that does not come
    ///     through a trusted proxy.
    ///   - seed: makes the request ids of this connection differ from those of others.
    ///   - proxies: what `TrustedProxies.behind` says about this connection.
    ///   - expectsProxyHeader: those proxies begin their connections with a PROXY header; where nobody is
    ///     trusted there is none to be read.
    ///   - hosts: a request that names another host is refused as misdirected.
    package init(
        limits: Limits, client: ClientAddress, seed: UInt64, proxies: TrustedProxies? = nil,
        expectsProxyHeader: Bool = false, hosts: AcceptedHosts = .any
    ) {
        self.limits = limits
        self.hosts = hosts
        if expectsProxyHeader, proxies != nil { phase = .proxyHeader }
        self.proxies = proxies
        comesFromProxy = proxies != nil
        peer = client
        idState = seed
        id = RequestID(0)
    }

    deinit {
        overwriteInput()
        if outputIsSecret { wipe(output, 0..<output.capacity) }
    }
}

// MARK: - Bytes to requests

extension Conversation {
    /// Takes in what a read has given.
    package mutating func receive(_ bytes: Span<UInt8>) {
        guard phase != .closed else { return }
        discardConsumed()
        if !input.isEmpty, input.count + bytes.count > input.capacity { grow(by: bytes.count) }
        // Sound: the buffer is the span's own.
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
    }

    /// Makes room for more bytes, and leaves no copy of those that are here behind.
    private mutating func grow(by count: Int) {
        var larger: [UInt8] = []
        larger.reserveCapacity(max(input.count + count, 2 * input.capacity))
        larger.append(contentsOf: input)
        if requestedBody == nil { wipe(input) }
        input = larger
    }

    /// The next whole request, or nil when more bytes or the response to the last one are needed.
    /// - Throws: what is wrong with the bytes; and again at each further call, because behind bytes
    ///   that were not understood there is nothing to be found.
    package mutating func next() throws(ParseError) -> Request? {
        if let failure { throw failure }
        do throws(ParseError) {
            return try read()
        } catch {
            failure = error
            if phase == .requestLine, asksForHead { line.method = .head }
            throw error
        }
    }

    /// Whether a request line that was refused, be it for what stands behind it, begins with HEAD: whoever
    /// asks that way takes whatever follows the fields for another answer.
    private var asksForHead: Bool {
        let method: StaticString = "HEAD "
        guard input.count - start >= method.utf8CodeUnitCount else { return false }
        return input.span.extracting(start..<(start + method.utf8CodeUnitCount))
            .isEqual(method)
    }

    // In one piece with `next`: a request on its way out is not copied once more.
    @inline(__always)
    private mutating func read() throws(ParseError) -> Request? {
        while true {
            switch phase {
            case .proxyHeader: guard try readProxyHeader() else { return nil }
            case .start: guard try startMessage() else { return nil }
            case .requestLine:
                guard let range = try nextRequestLine() else { return nil }
                line = try RequestLine.parse(input.span, range)
                fields.removeAll(keepingCapacity: true)
                phase = .fields
            case .fields:
                guard let range = try nextLine(limit: start + limits.head, .headTooLarge) else {
                    return nil
                }
                if range.isEmpty {
                    try finishHead()
                } else {
                    guard fields.count < Limits.fields else { throw .tooManyFields }
                    let field = try Field.parse(input.span, range)
                    // Known from here on, so that a refusal of this head carries it too.
                    if field.name == .requestID {
                        givenID = RequestID(accepting: input.span.extracting(field.value.range))
                    }
                    fields.append(field)
                }
            case .fixedBody:
                guard input.count - cursor >= bodyLength else { return nil }
                let range = cursor..<(cursor + bodyLength)
                cursor = range.upperBound
                return makeRequest(range)
            case .chunkedBody:
                guard try readChunks() else { return nil }
                return makeRequest(body.start..<body.end)
            case .responding, .closed: return nil
            }
        }
    }

    /// What a conversation waits for, and what waits in it: all that its connection has to know.
    package struct State: Sendable, Equatable {
        package enum Awaiting: Sendable, Equatable {
            /// A message, of which nothing is here.
            case message
            /// The rest of a head.
            case head
            /// The rest of a body.
            case body
            /// The response to the request that is out.
            case response
            /// Nothing more.
            case nothing
        }

        package let wants: Awaiting
        /// Bytes that are queued and not sent yet.
        package let unsentCount: Int

        /// Whether bytes of an unfinished message are here.
        package var isInsideMessage: Bool { wants == .head || wants == .body }
    }

    /// Whether a request is out whose response has not been queued.
    package var isAwaitingResponse: Bool {
        mutating get { phase == .responding }
    }

    package var state: State {
        mutating get {
            let wants: State.Awaiting =
                switch phase {
                case .proxyHeader, .start: cursor < input.count ? .head : .message
                case .requestLine: start < input.count ? .head : .message
                case .fields: .head
                case .fixedBody, .chunkedBody: .body
                case .responding: .response
                case .closed: .nothing
                }
            return State(wants: wants, unsentCount: unsentCount)
        }
    }

    /// Steps behind the PROXY header, if all of it is here. The connection is its source's from then on,
    /// and what the fields of a request say is taken only if that is a trusted proxy, too. Where the
    /// source is not known the peer stays who it is, but whoever speaks is not the proxy.
    private mutating func readProxyHeader() throws(ParseError) -> Bool {
        guard let header = try ProxyHeader.parse(input.span) else { return false }
        switch header.source {
        case .address(let address):
            peer = address.text
            proxies = proxies?.behind(peer)
        case .unknown: proxies = nil
        case .proxy: break
        }
        cursor = header.length
        phase = .start
        return true
    }

    /// Steps to the first byte of a message. §2.2: one empty line before it is forgiven, because
    /// old clients send one after a body.
    private mutating func startMessage() throws(ParseError) -> Bool {
        guard cursor < input.count else { return false }
        start = cursor
        if input[cursor] == UInt8(ascii: "\r") {
            guard cursor + 1 < input.count else { return false }
            guard input[cursor + 1] == UInt8(ascii: "\n") else { throw .bareLineEnd }
            start += 2
        }
        cursor = start
        scanned = start
        phase = .requestLine
        return true
    }

    /// The line at the cursor without its end, and the cursor behind it; nil if it is not all here.
    private mutating func nextLine(
        limit: Int, _ tooLong: ParseError
    ) throws(ParseError) -> Range<Int>? {
        let end = LineScanner.lineBreak(in: input.span, from: scanned, limit: limit)
        switch end {
        case .found(let position):
            guard position + 2 <= limit else { throw tooLong }
            let range = cursor..<position
            cursor = position + 2
            scanned = cursor
            return range
        case .needsMore(let position):
            guard position < limit else { throw tooLong }
            scanned = position
            return nil
        case .bareLineEnd: throw .bareLineEnd
        case .controlCharacter: throw .controlCharacter
        }
    }

    /// The request line. RFC 9112 §3: where the method alone is too long, 501 is right, and not 414.
    private mutating func nextRequestLine() throws(ParseError) -> Range<Int>? {
        let limit = start + limits.head
        do throws(ParseError) {
            return try nextLine(limit: limit, .targetTooLong)
        } catch .targetTooLong {
            // All but the last byte of the limit are here: a line end may begin at the last one.
            for index in start..<(limit - 1) where !Grammar.isToken(input[index]) {
                throw .targetTooLong
            }
            throw .methodTooLong
        }
    }

    private mutating func finishHead() throws(ParseError) {
        let framing = try Framing(
            fields, input.span, minorVersion: line.minorVersion, maximumBody: limits.body)
        // RFC 9110 §7.4. This server secures no connection; a trusted proxy in front may have.
        if line.isHTTPS, !comesFromProxy { throw .misdirected }
        if hosts.isRestricted { try checkHost() }
        id = givenID ?? nextID()
        keepsAlive = !framing.wantsClose && (line.minorVersion > 0 || framing.wantsKeepAlive)
        declaresContent = framing.body != .none
        switch framing.body {
        case .none:
            bodyLength = 0
            phase = .fixedBody
        case .length(let length):
            bodyLength = length
            phase = .fixedBody
        case .chunked:
            body = ChunkedBody(start: cursor)
            phase = .chunkedBody
        }
        // RFC 9110 §10.1.1: not if the content is already on its way, and not if there is none.
        let bodyIsAwaited = phase == .chunkedBody || bodyLength > 0
        if framing.expectsContinue, bodyIsAwaited, cursor == input.count {
            output.append(literal: "HTTP/1.1 100 Continue\r\n\r\n")
        }
    }

    /// RFC 9110 §15.5.20.
    private func checkHost() throws(ParseError) {
        let range = Authority.range(
            in: input.span, path: line.path.range, form: line.form, fields: fields)
        guard let range else { return }
        guard hosts.accept(input.span.extracting(range)) else { throw .misdirected }
    }

    /// Takes the body out of its chunks as far as it is here; true when all of it is.
    private mutating func readChunks() throws(ParseError) -> Bool {
        while true {
            switch body.step {
            case .size:
                let limit = cursor + ChunkedBody.maximumLine
                guard let range = try nextLine(limit: limit, .badChunk) else { return false }
                // On a copy: the span borrows the whole conversation.
                var sized = body
                try sized.readSize(input.span, range, limits)
                body = sized
            case .data:
                let count = min(body.remaining, input.count - cursor)
                body.take(count, from: cursor, in: &input)
                cursor += count
                scanned = cursor
                guard body.remaining == 0 else { return false }
                body.step = .dataEnd
            case .dataEnd:
                // In two bytes there is room for an empty line only.
                guard try nextLine(limit: cursor + 2, .badChunk) != nil else { return false }
                body.step = .size
            case .trailers:
                let limit = body.trailerStart + limits.head
                guard let range = try nextLine(limit: limit, .headTooLarge) else { return false }
                if range.isEmpty { return true }
                try body.readTrailer(input.span, range)
            }
        }
    }

    @inline(__always)
    private mutating func makeRequest(_ bodyRange: Range<Int>) -> Request {
        phase = .responding
        requestedBody = bodyRange.lowerBound
        let client = proxies?.client(of: fields, input.span, from: peer) ?? peer
        return Request(
            method: line.method, form: line.form, id: id, client: client,
            declaresContent: declaresContent, isFromProxy: proxies != nil, bytes: input,
            fields: fields, pathRange: line.path,
            bodyRange: ByteRange(bodyRange))
    }

    /// SplitMix64's mixing of a counter: every id differs, and neighbours look unlike each other.
    /// Nothing secret hangs on it.
    private mutating func nextID() -> RequestID {
        idState &+= 0x9E37_79B9_7F4A_7C15
        var z = idState
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return RequestID(z ^ (z >> 31))
    }

    /// Lets go of the bytes in front of the message that is being read, and of the gap between the
    /// part of a chunked body that is together and the part that is not.
    private mutating func discardConsumed() {
        if phase == .start || phase == .responding {
            if cursor == input.count {
                overwriteBody()
                // Filled again without an allocation; a large one has gone already, see `rest`.
                input.removeAll(keepingCapacity: true)
                start = 0
                cursor = 0
                scanned = 0
                return
            }
            overwriteBody()
            start = cursor
        }
        if phase == .chunkedBody, cursor > body.end {
            let gap = cursor - body.end
            input.removeSubrange(body.end..<cursor)
            cursor -= gap
            scanned -= gap
            body.closeGap(gap)
        }
        if start > 0 {
            let end = input.count
            input.removeSubrange(0..<start)
            // What has moved to the front is not left at the end as well.
            wipe(input, input.count..<max(input.count, min(end, input.capacity)))
            cursor -= start
            scanned -= start
            body.shift(by: start)
            if phase != .responding {
                line.shift(by: start)
                for index in fields.indices { fields[index].shift(by: start) }
            }
            start = 0
        }
    }

    /// Overwrites the content of the request that is out, which may be a password.
    private mutating func overwriteBody() {
        guard let body = requestedBody else { return }
        if declaresContent { wipe(input, min(body, cursor)..<cursor) }
        requestedBody = 0
    }

    /// Overwrites all that was received, but for the head of a request that is out: its handler may still
    /// read that.
    private func overwriteInput() {
        wipe(input, min(requestedBody ?? 0, input.count)..<input.count)
    }

    /// Gives back what is large, once everything here is answered: thousands of connections may rest
    /// for minutes, and each keeps no more than what a usual request needs again.
    private mutating func releaseBuffers() {
        switch phase {
        case .start: guard cursor == input.count else { return }
        // What came behind a refusal is of no use.
        case .closed: break
        default: return
        }
        if input.capacity > Self.keptInput || phase == .closed {
            overwriteInput()
            requestedBody = nil
            input = []
            start = 0
            cursor = 0
            scanned = 0
        }
        if fields.capacity > Self.keptFields { fields = [] }
    }

    // A head as browsers send it, an answer with a token, and twice the fields of a browser.
    private static let keptInput = 2048
    private static let keptOutput = 1536
    private static let keptFields = 40

    /// What it holds beside itself.
    var heldBytes: Int {
        input.capacity + output.capacity + fields.capacity * MemoryLayout<Field>.stride
    }
}

// MARK: - Responses to bytes

extension Conversation {
    /// Queues the response to the request that is out, and turns to the next one.
    /// - Parameters:
    ///   - date: the value of Date (RFC 9110 §6.6.1).
    ///   - closing: the server wants the connection to end with this response.
    ///
    /// A response that comes when the conversation has ended is dropped. 411 always ends it (RFC
    /// 9112 §6.3): a client that sent content without a length takes the bytes after the head for
    /// that content, and here they would be the next request.
    package mutating func complete(
        _ response: Response, date: InlineArray<29, UInt8>, closing: Bool = false
    ) {
        guard phase != .closed else { return }
        precondition(phase == .responding, "complete belongs to a request")
        overwriteBody()
        requestedBody = nil
        let closes = closing || !keepsAlive || response.status == .lengthRequired
        append(response, to: line.method, date, closes: closes)
        phase = closes ? .closed : .start
        // What is refused before the next request line is here was not asked for with this method,
        // nor under this id.
        line = .none
        givenID = nil
    }

    /// Queues the answer to bytes that were refused, and ends the conversation.
    package mutating func reject(_ error: ParseError, date: InlineArray<29, UInt8>) {
        reject(error.response, date: date)
    }

    /// Queues an answer that belongs to no request, and ends the conversation.
    package mutating func reject(_ response: Response, date: InlineArray<29, UInt8>) {
        guard phase != .closed else { return }
        // Before its head is whole a request has no id of ours; one can be named in the log all the
        // same.
        if phase != .fixedBody, phase != .chunkedBody { id = givenID ?? nextID() }
        append(response, to: line.method, date, closes: true)
        phase = .closed
    }

    /// What the last request, or what was refused last, is known by.
    package var currentID: RequestID { id }

    /// Ends the conversation without a word.
    package mutating func close() { phase = .closed }

    private mutating func append(
        _ response: Response, to method: Method, _ date: InlineArray<29, UInt8>, closes: Bool
    ) {
        if response.isHeldForCommit, firstHeld == nil {
            firstHeld = HeldResponse(start: output.count, id: id, method: method)
        }
        let minorVersion = line.minorVersion
        let id = id
        let room =
            Self.commonLength + response.fieldLines.count
            + response.contentType.utf8CodeUnitCount + response.content.count
        output.append(addingCapacity: room) { output in
            output.append(literal: response.status.headPrefix)
            output.append(copying: date.span)
            output.append(literal: "\r\nX-Request-Id: ")
            output.append(copying: id.utf8)
            output.append(
                literal: "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n")
            output.append(copying: response.fieldLines.span)
            // RFC 9110 §8.6: no Content-Length with 204.
            if response.status != .noContent {
                if !response.content.isEmpty {
                    output.append(literal: "Content-Type: ")
                    output.append(literal: response.contentType)
                    output.append(literal: "\r\n")
                }
                output.append(literal: "Content-Length: ")
                output.append(decimal: response.content.count)
                output.append(literal: "\r\n")
            }
            if closes {
                output.append(literal: "Connection: close\r\n")
            } else if minorVersion == 0 {
                // RFC 9112 §9.3: an HTTP/1.0 client has to be told.
                output.append(literal: "Connection: keep-alive\r\n")
            }
            output.append(literal: "\r\n")
            // §9.3.2: the answer to HEAD is that to GET without its content.
            if method != .head, response.status != .noContent {
                output.append(copying: response.content.span)
            }
        }
        if response.isSecret {
            outputIsSecret = true
            wipe(response.content)
        }
    }

    // MARK: What goes out

    // These, and `standing`, change nothing. They are mutating because the compiler hands a value of
    // this size to what does not change it as a copy of all its bytes, several times a request.

    /// What is queued and not sent yet.
    package var unsent: Span<UInt8> {
        @_lifetime(&self)
        mutating get { output.span.extracting(sentCount..<output.count) }
    }

    package var unsentCount: Int {
        mutating get { output.count - sentCount }
    }

    /// Notes that the first `count` bytes of `unsent` are on their way.
    /// - Precondition: no response among them can be taken back any more; see `settle`.
    package mutating func markSent(_ count: Int) {
        precondition(firstHeld.map { sentCount + count <= $0.start } ?? true)
        sentCount += count
        guard sentCount == output.count else { return }
        if outputIsSecret { wipe(output, 0..<output.capacity) }
        outputIsSecret = false
        if output.capacity > Self.keptOutput { output = [] }
        output.removeAll(keepingCapacity: true)
        sentCount = 0
        releaseBuffers()
    }

    /// Notes that the security log holds every event of the responses that are queued.
    package mutating func releaseHeldResponses() { firstHeld = nil }

    /// Takes back the responses whose security events could not be written, and all behind them:
    /// one refusal goes out in their place, and the conversation ends.
    /// - Returns: whether there was anything to take back.
    package mutating func replaceHeldResponses(_ refusal: Response, date: InlineArray<29, UInt8>)
        -> Bool
    {
        guard let first = firstHeld else { return false }
        output.removeSubrange(first.start...)
        firstHeld = nil
        id = first.id
        append(refusal, to: first.method, date, closes: true)
        phase = .closed
        return true
    }

    /// More than all of a response takes but for its own fields, its content and the name of its
    /// type: 51 bytes for the longest status line and `Date: `, 29, 16, 64 for the longest id, 62, 16
    /// and 2 for the type, 37 for the length, 24 and 2 at the end.
    private static let commonLength = 320
}

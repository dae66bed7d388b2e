import POSIX

/// The server side of HTTP/1.1 (RFC 9112) for one connection, without I/O: received bytes in,
/// requests out; responses in, bytes to send out. It uses no sockets and no clock, and never traps
/// on input. The requests do not depend on how the bytes were split into reads.
///
/// A message is parsed line by line, each line as soon as its end has arrived. An error is
/// therefore found at the same byte however the bytes arrive. `cursor` is the offset of the next
/// line or piece of body; all bytes before it are parsed. `scanned` is the offset that the search
/// for a line end has reached, so bytes that arrive one at a time cost no more than bytes that
/// arrive at once. A chunked body is decoded in place, directly after its head, and so becomes one
/// range like any other body.
///
/// At most one request is pending: `next` returns no further request until `complete` has received
/// the response to the last one. Responses therefore leave in the order of their requests (§9.3.2).
package struct Conversation: ~Copyable {
    package struct Limits: Sendable {
        /// Maximum bytes of the request line and the field lines together; the same limit applies
        /// again to the trailers.
        package let head: Int
        /// Maximum bytes of a body, without its transfer coding.
        package let body: Int

        /// - Precondition: both are at most `largest`, so that arithmetic on them cannot overflow.
        package init(head: Int = 16 * 1024, body: Int = 64 * 1024) {
            precondition(head <= Self.largest && body <= Self.largest)
            self.head = head
            self.body = body
        }

        package static let largest = 1 << 28

        /// Maximum field lines in a head. Browsers send about 20; Apache's limit is 100.
        static let fields = 100
    }

    private enum Phase {
        /// Before the first message.
        case proxyHeader
        case start
        case requestLine
        case fields
        case fixedBody
        case chunkedBody
        /// A request is pending; its response is awaited.
        case responding
        /// No further bytes are parsed.
        case closed
    }

    private let limits: Limits
    /// The client's address: the peer of the connection, or the source in its PROXY header once
    /// that is read.
    package private(set) var peer: ClientAddress
    /// The proxies whose forwarding fields are believed; nil if the peer is not trusted.
    private var proxies: TrustedProxies?
    /// True if a trusted proxy opened the connection, whatever the client's address is.
    private let comesFromProxy: Bool
    /// The hosts that a request may name.
    private let hosts: AcceptedHosts
    /// The state of the generator of request ids; see `nextID`.
    private var idState: UInt64

    // Input.
    private var input: [UInt8] = []
    private var phase = Phase.start
    /// The offset of the current message.
    private var start = 0
    private var cursor = 0
    private var scanned = 0

    // The current message.
    private var line = RequestLine.none
    private var fields: [Field] = []
    private var body: ChunkedBody = ChunkedBody(start: 0)
    private var bodyLength = 0
    private var declaresContent = false
    private var id: RequestID
    /// The id that the client sent in X-Request-Id.
    private var givenID: RequestID?
    private var keepsAlive = true
    /// Why the bytes were rejected; nil until they are.
    private var failure: ParseError?

    // Output.
    private var output: [UInt8] = []
    private var sentCount = 0
    /// The first queued response whose security events may not be committed yet.
    private var firstHeld: HeldResponse?
    /// True if the output contains a secret response, for example one with a token.
    private var outputIsSecret = false
    /// The offset of the pending request's content, which ends at the cursor; nil if none is
    /// pending.
    private var requestedBody: Int?

    private struct HeldResponse {
        /// Its offset in the output.
        let start: Int
        /// The request's id and method, so that another response can replace this one.
        let id: RequestID
        let method: Method
    }

    /// - Parameters:
    ///   - client: the peer of the connection. It is the client of every request, except those that
    ///     come through a trusted proxy.
    ///   - seed: makes the request ids of this connection differ from those of others.
    ///   - proxies: the result of `TrustedProxies.ifTrusted` for this peer.
    ///   - expectsProxyHeader: true if those proxies begin each connection with a PROXY header.
    ///     Ignored if the peer is not trusted.
    ///   - hosts: a request for any other host is rejected with `.misdirected`.
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
    /// Appends received bytes to the input. Ignores them after the conversation has ended.
    package mutating func receive(_ bytes: Span<UInt8>) {
        guard phase != .closed else { return }
        discardConsumed()
        if !input.isEmpty, input.count + bytes.count > input.capacity { grow(by: bytes.count) }
        // Sound: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
    }

    /// Moves the input to a larger buffer. Overwrites the old one, which may contain a password,
    /// unless a pending request shares it.
    private mutating func grow(by count: Int) {
        var larger: [UInt8] = []
        larger.reserveCapacity(max(input.count + count, 2 * input.capacity))
        larger.append(contentsOf: input)
        if requestedBody == nil { wipe(input) }
        input = larger
    }

    /// The next complete request. Nil if more bytes, or the response to the pending request, are
    /// needed first.
    /// - Throws: the error in the bytes. Every further call throws the same error, because the
    ///   start of the next message is unknown.
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

    /// True if a rejected request line begins with `HEAD `, even if the error is after the method.
    /// The client would read content after the fields as another response.
    private var asksForHead: Bool {
        let method: StaticString = "HEAD "
        guard input.count - start >= method.utf8CodeUnitCount else { return false }
        return input.span.extracting(start..<(start + method.utf8CodeUnitCount))
            .isEqual(method)
    }

    // Inlined into `next`, so that the returned request is not copied once more.
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
                    // Stored at once, so that a rejection of this head has the client's id too.
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

    /// What the conversation waits for, and how much output it has.
    package struct State: Sendable, Equatable {
        package enum Awaiting: Sendable, Equatable {
            /// A message; none of its bytes has arrived.
            case message
            /// The rest of a head.
            case head
            /// The rest of a body.
            case body
            /// The response to the pending request.
            case response
            /// Nothing; the conversation has ended.
            case nothing
        }

        package let wants: Awaiting
        /// Bytes that are queued but not sent yet.
        package let unsentCount: Int

        /// True if an incomplete message has arrived.
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

    /// Parses the PROXY header. Returns false until all of it has arrived. Its source then is the
    /// peer of the connection, and forwarding fields are believed only if that source is a trusted
    /// proxy too. If the source is unknown, `peer` remains the proxy's address, but no forwarding
    /// field is believed.
    private mutating func readProxyHeader() throws(ParseError) -> Bool {
        guard let header = try ProxyHeader.parse(input.span) else { return false }
        switch header.source {
        case .address(let address):
            peer = address.text
            proxies = proxies?.ifTrusted(peer)
        case .unknown: proxies = nil
        case .proxy: break
        }
        cursor = header.length
        phase = .start
        return true
    }

    /// Moves to the first byte of a message. Returns false if more bytes are needed. §2.2: one
    /// empty line before a message is ignored, because old clients send one after a body.
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

    /// The line at the cursor without its CR LF; moves the cursor past it. Nil if it is incomplete.
    /// - Parameters:
    ///   - limit: the offset at which the line and its CR LF must end.
    ///   - tooLong: the error to throw if they do not.
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

    /// Reads the request line. RFC 9112 §3: if the method alone is too long, the status is 501
    /// instead of 414.
    private mutating func nextRequestLine() throws(ParseError) -> Range<Int>? {
        let limit = start + limits.head
        do throws(ParseError) {
            return try nextLine(limit: limit, .targetTooLong)
        } catch .targetTooLong {
            // The last byte before the limit may be a CR, so it is not examined.
            for index in start..<(limit - 1) where !Grammar.isToken(input[index]) {
                throw .targetTooLong
            }
            throw .methodTooLong
        }
    }

    private mutating func finishHead() throws(ParseError) {
        let framing = try Framing(
            fields, input.span, minorVersion: line.minorVersion, maximumBody: limits.body)
        // RFC 9110 §7.4: this server does not terminate TLS, but a trusted proxy may have done so.
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
        // RFC 9110 §10.1.1: not if content has already arrived, and not if none will.
        let bodyIsAwaited = phase == .chunkedBody || bodyLength > 0
        if framing.expectsContinue, bodyIsAwaited, cursor == input.count {
            output.append(literal: "HTTP/1.1 100 Continue\r\n\r\n")
        }
    }

    /// Rejects a request for a host that is not accepted (RFC 9110 §15.5.20).
    private func checkHost() throws(ParseError) {
        let range = Authority.range(
            in: input.span, path: line.path.range, form: line.form, fields: fields)
        guard let range else { return }
        guard hosts.accept(input.span.extracting(range)) else { throw .misdirected }
    }

    /// Decodes the chunks that have arrived. Returns true once the body is complete.
    private mutating func readChunks() throws(ParseError) -> Bool {
        while true {
            switch body.step {
            case .size:
                let limit = cursor + ChunkedBody.maximumLine
                guard let range = try nextLine(limit: limit, .badChunk) else { return false }
                // Uses a copy: the span borrows all of `self`.
                var sized = body
                try sized.readSize(input.span, range, limits)
                body = sized
            case .data:
                let count = min(body.remaining, input.count - cursor)
                body.append(count, from: cursor, in: &input)
                cursor += count
                scanned = cursor
                guard body.remaining == 0 else { return false }
                body.step = .dataEnd
            case .dataEnd:
                // Two bytes can only hold an empty line.
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

    /// The next id, from SplitMix64: all ids of a connection differ, and consecutive ids look
    /// unrelated. Nothing depends on their secrecy.
    private mutating func nextID() -> RequestID {
        idState &+= 0x9E37_79B9_7F4A_7C15
        var z = idState
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return RequestID(z ^ (z >> 31))
    }

    /// Removes the bytes before the current message, and the gap between the decoded and the
    /// undecoded part of a chunked body.
    private mutating func discardConsumed() {
        if phase == .start || phase == .responding {
            if cursor == input.count {
                overwriteBody()
                // The capacity is kept for the next bytes; `releaseBuffers` releases a large
                // buffer.
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
            // The moved bytes must not remain at the end as well.
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

    /// Overwrites the content of the pending request, which may contain a password.
    private mutating func overwriteBody() {
        guard let body = requestedBody else { return }
        if declaresContent { wipe(input, min(body, cursor)..<cursor) }
        requestedBody = 0
    }

    /// Overwrites all input except the head of the pending request, which its handler may still
    /// read.
    private func overwriteInput() {
        wipe(input, min(requestedBody ?? 0, input.count)..<input.count)
    }

    /// Releases large buffers once everything is answered. Thousands of connections may be idle for
    /// minutes; each keeps only what a typical request needs again.
    private mutating func releaseBuffers() {
        switch phase {
        case .start: guard cursor == input.count else { return }
        // Bytes after a rejected message are never parsed.
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

    // Buffers up to these capacities are not released: a typical browser's head, a response with a
    // token, and twice the number of fields that a browser sends.
    private static let keptInput = 2048
    private static let keptOutput = 1536
    private static let keptFields = 40

    /// The heap memory of its buffers, in bytes.
    var heldBytes: Int {
        input.capacity + output.capacity + fields.capacity * MemoryLayout<Field>.stride
    }
}

// MARK: - Responses to bytes

extension Conversation {
    /// Queues the response to the pending request, and continues with the next one. A response that
    /// arrives after the conversation has ended is dropped.
    /// - Parameters:
    ///   - date: the value of Date (RFC 9110 §6.6.1).
    ///   - closing: true if the server wants to close the connection after this response.
    ///
    /// 411 always closes the connection (RFC 9112 §6.3). A client that sends content without a
    /// length regards the bytes after the head as that content; here they would be the next
    /// request.
    package mutating func complete(
        _ response: Response, date: InlineArray<29, UInt8>, closing: Bool = false
    ) {
        guard phase != .closed else { return }
        precondition(phase == .responding, "complete: no request is pending")
        overwriteBody()
        requestedBody = nil
        let closes = closing || !keepsAlive || response.status == .lengthRequired
        append(response, to: line.method, date, closes: closes)
        phase = closes ? .closed : .start
        // The next rejection may come before a request line. It must not use this method or this
        // id.
        line = .none
        givenID = nil
    }

    /// Queues the error's response, and ends the conversation.
    package mutating func reject(_ error: ParseError, date: InlineArray<29, UInt8>) {
        reject(error.response, date: date)
    }

    /// Queues a response that belongs to no request, and ends the conversation.
    package mutating func reject(_ response: Response, date: InlineArray<29, UInt8>) {
        guard phase != .closed else { return }
        // A request gets its id when its head is complete. Before that, the log needs one too.
        if phase != .fixedBody, phase != .chunkedBody { id = givenID ?? nextID() }
        append(response, to: line.method, date, closes: true)
        phase = .closed
    }

    /// The id of the last request or rejection.
    package var currentID: RequestID { id }

    /// Ends the conversation without a further response.
    package mutating func close() { phase = .closed }

    private mutating func append(
        _ response: Response, to method: Method, _ date: InlineArray<29, UInt8>, closes: Bool
    ) {
        if response.isHeldForCommit, firstHeld == nil {
            firstHeld = HeldResponse(start: output.count, id: id, method: method)
        }
        let minorVersion = line.minorVersion
        let id = id
        let capacity =
            Self.commonLength + response.fieldLines.count
            + response.contentType.utf8CodeUnitCount + response.content.count
        output.append(addingCapacity: capacity) { output in
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
                // RFC 9112 §9.3: for HTTP/1.0 a persistent connection must be announced.
                output.append(literal: "Connection: keep-alive\r\n")
            }
            output.append(literal: "\r\n")
            // §9.3.2: the response to HEAD is that to GET without its content.
            if method != .head, response.status != .noContent {
                output.append(copying: response.content.span)
            }
        }
        if response.isSecret {
            outputIsSecret = true
            wipe(response.content)
        }
    }

    // MARK: Output

    // These, and `state`, change nothing. They are mutating because the compiler passes a value of
    // this size to a nonmutating member as a copy of all its bytes, several times a request.

    /// The bytes that are queued but not sent yet.
    package var unsent: Span<UInt8> {
        @_lifetime(&self)
        mutating get { output.span.extracting(sentCount..<output.count) }
    }

    package var unsentCount: Int {
        mutating get { output.count - sentCount }
    }

    /// Records that the first `count` bytes of `unsent` were sent.
    /// - Precondition: none of them belongs to a held response; see `releaseHeldResponses`.
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

    /// Records that the security log contains all events of the queued responses.
    package mutating func releaseHeldResponses() { firstHeld = nil }

    /// Removes the held responses, whose security events could not be written, and all responses
    /// after them. One refusal replaces them, and the conversation ends.
    /// - Returns: true if there was a held response.
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

    /// An upper bound of a response's bytes without its own fields, its content and its media type:
    /// 51 bytes for the longest status line and `Date: `, 29, 16, 64 for the longest id, 62, 16 and
    /// 2 for the type, 37 for the length, 24 and 2 at the end.
    private static let commonLength = 320
}

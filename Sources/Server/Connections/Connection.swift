import HTTP
import POSIX

/// A connection: its socket, the HTTP that is spoken on it, and one `State`. Methods do the system
/// calls on the socket and return the next step; the worker owns the poller, the deadlines and the
/// table, and takes that step.
///
/// Owned by one worker and used on its queue only, except `activity`, which any worker reads.
final class Connection {
    enum State {
        /// Reads requests, or waits for the response to an offloaded one.
        case reading
        /// In the list of connections that the current batch sends to.
        case readyToSend
        /// Its response leaves once the event is on disk. Until then nothing is read.
        case heldForSync
        /// The kernel's send buffer is full.
        case writing
        /// The server is full. Nothing is read until another connection has been evicted for this
        /// one.
        case waitingForEviction
        /// Everything is sent and the sending side is shut down. What the client still sends is
        /// discarded until it closes: a close with unread data would send RST, and the client could
        /// lose the last response (RFC 9112 §9.6).
        case lingeringClose(discarded: Int)
        case closed
    }

    /// What the sync that a response waits for would release: a status below 400 grants something.
    enum PendingSync { case grant, refusal }

    /// After `receive`.
    enum ReceiveStep {
        /// Bytes have arrived: handle the requests among them.
        case handleRequests
        /// The client has ended its side.
        case endOfFile
        case wait
        /// A response is awaited; bytes wait in the kernel.
        case stopReading
        case close
    }

    /// After `send`.
    enum SendStep {
        case close
        case waitForWritability
        case startLingeringClose
        /// Complete requests may be buffered, for which epoll will report nothing.
        case handleRequests
        /// Everything is sent: wait for what the conversation awaits.
        case read(Conversation.State)
    }

    let socket: FileDescriptor
    let id: ConnectionID
    var conversation: Conversation
    let activity: ConnectionActivity
    /// Nil for a connection that carries the requests of many clients.
    let networks: ClientNetworks?
    var state = State.reading
    var interest = Poller.Interest.read
    /// Set while a queued response must not leave before a sync.
    var pendingSync: PendingSync?
    /// Its place in the server's `ConnectionShares`.
    var shareSlot = -1
    /// How often another worker was asked to evict one of its connections for this one.
    var evictionRequests = 0
    /// It exceeds the limit, and is only answered 503. It is not counted in `ConnectionShares`.
    var isRejected = false

    init(
        _ socket: consuming FileDescriptor, id: ConnectionID,
        _ conversation: consuming Conversation, _ activity: ConnectionActivity,
        _ networks: ClientNetworks?
    ) {
        self.socket = socket
        self.id = id
        self.conversation = conversation
        self.activity = activity
        self.networks = networks
    }

    var slot: Int { ConnectionTable.slot(of: id) }

    var isOpen: Bool { if case .closed = state { false } else { true } }
    var isReadyToSend: Bool { if case .readyToSend = state { true } else { false } }
    var isHeld: Bool { if case .heldForSync = state { true } else { false } }
    var isWaitingForEviction: Bool { if case .waitingForEviction = state { true } else { false } }
    var isInLingeringClose: Bool { if case .lingeringClose = state { true } else { false } }

    /// Between a response and the next request: closing it costs the client no request that the
    /// server has seen.
    var isIdle: Bool {
        switch state {
        case .reading, .waitingForEviction:
            let status = conversation.state
            return status.wants == .message && status.unsentCount == 0
        case .readyToSend, .heldForSync, .writing, .lingeringClose, .closed: return false
        }
    }

    /// Whether the worker may read now: nothing is queued for the client, and no response awaited.
    var canRead: Bool {
        guard case .reading = state, interest == .read else { return false }
        return !conversation.isAwaitingResponse
    }

    /// Reads once.
    func receive(into buffer: inout ReadBuffer) -> ReceiveStep {
        guard !conversation.isAwaitingResponse, pendingSync == nil else { return .stopReading }
        let count: Int
        do throws(Errno) {
            count = try buffer.fill(from: socket)
        } catch {
            return error == .wouldBlock ? .wait : .close
        }
        guard count > 0 else { return .endOfFile }
        buffer.deliver(to: &conversation)
        return .handleRequests
    }

    /// Sends once.
    /// - Precondition: the events of everything that is queued are in the log.
    func send() -> SendStep {
        if conversation.unsentCount > 0 {
            do throws(Errno) {
                conversation.markSent(try Socket.send(socket, conversation.unsent))
            } catch {
                guard error == .wouldBlock else { return .close }
            }
        }
        let status = conversation.state
        if status.unsentCount > 0 {
            state = .writing
            return .waitForWritability
        }
        if status.wants == .nothing { return .startLingeringClose }
        state = .reading
        return status.isInsideMessage ? .handleRequests : .read(status)
    }

    /// Shuts the sending side down.
    func startLingeringClose() {
        Socket.endSending(socket)
        state = .lingeringClose(discarded: 0)
    }

    /// Reads once, and discards the bytes.
    /// - Returns: false if the connection is to be closed: the client has closed its side, or has
    ///   sent more than `limit` bytes.
    func discard(into buffer: inout ReadBuffer, limit: Int) -> Bool {
        guard case .lingeringClose(let discarded) = state else { return true }
        do throws(Errno) {
            let count = try buffer.fill(from: socket)
            state = .lingeringClose(discarded: discarded + count)
            return count > 0 && discarded + count <= limit
        } catch {
            return error == .wouldBlock
        }
    }

    /// The deadline that runs while the connection waits for bytes; nil if none does.
    /// - Parameter current: the deadline that runs now.
    static func deadline(
        for awaiting: Conversation.State.Awaiting, current: DeadlineQueue.Kind?
    ) -> DeadlineQueue.Kind? {
        switch awaiting {
        // Until the first request arrives, the time for its head runs: neither a PROXY header nor
        // an empty line extends it.
        case .message: current == .head ? .head : .idle
        case .head: .head
        case .body: .body
        case .response, .nothing: nil
        }
    }
}

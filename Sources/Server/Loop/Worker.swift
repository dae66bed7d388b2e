import Dispatch
import HTTP
import POSIX
import Time

/// An event loop that serves a share of the connections on a serial queue, batch by batch: read
/// from every connection that is ready, handle the requests, commit the log once, and only then
/// send. This is what Redis does in `beforeSleep`: flush the append-only file, then write to the
/// clients.
///
/// Dispatch watches one descriptor of a worker, its epoll instance. Once awake, the worker polls by
/// itself: it returns to Dispatch after a millisecond without work, or after
/// `maximumBatchesPerWakeUp` batches, so that timers run. Under load Dispatch costs nothing;
/// without load the worker sleeps.
///
/// The rest of the worker is in extensions: `+Requests`, `+Sending`, `+Accepting`, `+Eviction`,
/// `+Deadlines`, `+Shutdown`.
///
/// `@unchecked Sendable` is sound: after `start` every stored property that changes is used only on
/// its queue, which `assertOnQueue` checks in debug builds; other threads reach the worker through
/// its mailbox.
final class Worker: @unchecked Sendable {
    static let mailboxUserData = UInt64.max
    /// The user data of the first listener; those of the others are below it.
    static let listenerUserData = UInt64.max - 1
    /// Batches in a row before Dispatch can run other work of the queue.
    private static let maximumBatchesPerWakeUp = 256
    /// A twentieth of the shortest timeout that can be configured.
    private static let timerLeeway = DispatchTimeInterval.milliseconds(5)

    /// What the handlers of one batch share.
    struct Batch {
        /// The time at which the batch began.
        var now = MonotonicTime.now
        var date = DateField()
        /// Connections that the batch has read from, and whose requests are to be handled.
        var received: [Connection] = []
        /// Connections to send to once the batch is committed.
        var pendingSends: [Connection] = []
        /// Connections that may have complete requests buffered, for which epoll will report
        /// nothing.
        var unfinished: [Connection] = []
        var buffer = ReadBuffer()
        /// Whether `buffer` may hold request content, such as a password, and must be cleared.
        var bufferHoldsContent = false
        /// Something was recorded that may have no response to go with.
        var mustCommit = false
        /// Belongs to `ServerHooks.commit`.
        var commitMark: UInt64 = 0
    }

    /// What wakes the worker.
    struct WakeUp {
        let queue: DispatchQueue
        var source: (any DispatchSourceRead)?
        var timer: (any DispatchSourceTimer)?
        /// When the timer fires; in the distant future if it is not armed.
        var timerIsFor = MonotonicTime.distantFuture
    }

    let context: WorkerContext
    var options: ServerOptions
    var routes: RouteTable
    var wakeUp: WakeUp
    var poller: Poller
    var connections = ConnectionTable()
    var deadlines: DeadlineQueue
    var acceptor: Acceptor
    var evictions = EvictionQueue()
    var batch = Batch()
    var holds = SyncHolds()
    var isDraining = false

    init(
        _ context: WorkerContext, listeners: [Listener], options: ServerOptions, routes: RouteTable
    ) throws(Errno) {
        self.context = context
        self.options = options
        self.routes = routes
        wakeUp = WakeUp(queue: DispatchQueue(label: "gatehouse.worker.\(context.index)"))
        poller = try Poller()
        deadlines = DeadlineQueue { Self.timeout(of: $0, options) }
        acceptor = Acceptor(listeners)
        for (index, listener) in listeners.enumerated() {
            try poller.add(
                listener.socket.rawValue, .read, token: Self.listenerUserData - UInt64(index))
        }
        try poller.add(context.mailbox.fileDescriptor, .read, token: Self.mailboxUserData)
    }

    var mailbox: WorkerMailbox { context.mailbox }

    func start() {
        let source = DispatchSource.makeReadSource(
            fileDescriptor: poller.fileDescriptor, queue: wakeUp.queue)
        source.setEventHandler { self.serve() }
        let timer = DispatchSource.makeTimerSource(queue: wakeUp.queue)
        timer.setEventHandler {
            self.wakeUp.timerIsFor = .distantFuture
            self.serveAtDeadline()
        }
        wakeUp.source = source
        wakeUp.timer = timer
        reserveTimerDescriptor(timer)
        timer.resume()
        source.resume()
    }

    /// Schedules the timer once. Dispatch opens a descriptor for the first timer that it has to
    /// wait for. It must open it before clients can exhaust the descriptors: without it no deadline
    /// is enforced.
    private func reserveTimerDescriptor(_ timer: any DispatchSourceTimer) {
        timer.schedule(deadline: .now() + .milliseconds(100))
    }

    func assertOnQueue() {
        #if DEBUG
            dispatchPrecondition(condition: .onQueue(wakeUp.queue))
        #endif
    }

    // MARK: Batches

    private func serve() {
        assertOnQueue()
        for _ in 0..<Self.maximumBatchesPerWakeUp {
            let hasUnfinished = !batch.unfinished.isEmpty
            guard runBatch(waitingAtMost: hasUnfinished ? 0 : 1) > 0 || hasUnfinished else { break }
        }
        finishWakeUp()
    }

    /// One batch that does not wait: bytes that have arrived by now have arrived in time.
    private func serveAtDeadline() {
        assertOnQueue()
        runBatch(waitingAtMost: 0, evenIfIdle: true)
        finishWakeUp()
    }

    private func finishWakeUp() {
        // No event will come for these.
        if !batch.unfinished.isEmpty { wakeUp.queue.async { self.serve() } }
        armTimer()
    }

    /// - Returns: how many descriptors were ready.
    @discardableResult
    private func runBatch(waitingAtMost milliseconds: CInt, evenIfIdle: Bool = false) -> Int {
        let count = poller.wait(milliseconds: milliseconds)
        if count == 0, batch.unfinished.isEmpty, !evenIfIdle { return 0 }
        batch.now = .now
        batch.date.update(batch.now)
        // Buffered requests come before more is read.
        if !batch.unfinished.isEmpty { continueUnfinished() }
        handleEvents(count)
        finishBatch()
        return count
    }

    /// First all reads, then all requests, as later all sends: otherwise each request would evict
    /// the kernel's instructions and ours from the processor's caches.
    private func handleEvents(_ count: Int) {
        for index in 0..<count { handleEvent(index) }
        for connection in batch.received where connection.isOpen { handleRequests(connection) }
        batch.received.removeAll(keepingCapacity: true)
    }

    private func handleEvent(_ index: Int) {
        let userData = poller.userData(index)
        if userData == Self.mailboxUserData { return readMailbox() }
        if userData > Self.listenerUserData - UInt64(acceptor.listeners.count) {
            let listener = acceptor.listeners[Int(Self.listenerUserData - userData)]
            return isDraining ? acceptLast() : acceptBatch(from: listener)
        }
        guard let connection = connections[userData] else { return }
        if connection.isInLingeringClose { return discard(connection) }
        // The client can receive no response.
        if poller.isHangUp(index) { return close(connection) }
        switch connection.state {
        case .readyToSend, .writing: scheduleSend(connection)
        case .reading, .heldForSync, .waitingForEviction, .lingeringClose, .closed:
            guard receive(connection) else { return }
            // It is not idle any more, although its bytes have not been parsed.
            if deadlines.kind(of: connection.slot) == .idle { clearDeadline(connection) }
            batch.received.append(connection)
        }
    }

    /// Handles expired deadlines, commits, and sends. In this order: no response leaves before its
    /// event is in the log.
    private func finishBatch() {
        if deadlines.next <= batch.now { expireDeadlines() }
        if isDraining, acceptor.pausedUntil <= batch.now { acceptLast() }
        sendPending()
        if evictions.nextAttempt <= batch.now {
            retryEvictions()
            sendPending()
        }
        if batch.bufferHoldsContent {
            batch.bufferHoldsContent = false
            batch.buffer.clear()
        }
        if acceptor.hasFreedDescriptors || acceptor.pausedUntil <= batch.now { resumeAccepting() }
        if isDraining, acceptor.listeners.isEmpty, connections.isEmpty { finishDraining() }
    }

    private func armTimer() {
        let next = min(deadlines.next, acceptor.pausedUntil, evictions.nextAttempt)
        guard next < wakeUp.timerIsFor else { return }
        wakeUp.timerIsFor = next
        let wait = max(0, next.nanoseconds - MonotonicTime.now.nanoseconds)
        wakeUp.timer?.schedule(
            deadline: .now() + .nanoseconds(Int(wait)), leeway: Self.timerLeeway)
    }

    // MARK: Connections

    /// Changes what the poller reports of a connection. Closes the connection if that fails.
    func watch(_ connection: Connection, _ interest: Poller.Interest) {
        guard connection.interest != interest else { return }
        do throws(Errno) {
            try poller.change(connection.socket.rawValue, interest, token: connection.id)
            connection.interest = interest
        } catch {
            close(connection)
        }
    }

    /// Removes the connection; its socket closes with the last reference to it.
    func close(_ connection: Connection) {
        guard connection.isOpen else { return }
        deadlines.clear(connection.slot)
        if !connection.isRejected { removeFromShares(connection) }
        if connection.isHeld { holds.remove(connection.pendingSync) }
        connection.state = .closed
        connection.conversation.close()
        connections.remove(connection)
        context.counts.end(connection)
        if context.counts.hasWaitingWorkers { acceptor.hasFreedDescriptors = true }
    }

    // MARK: Messages

    private func readMailbox() {
        assertOnQueue()
        for message in mailbox.takeAll() { handle(message) }
    }

    private func handle(_ message: WorkerMailbox.WorkerMessage) {
        switch message {
        case .responseReady(let response, let id):
            // The client may have disconnected; the handler's events must still be committed.
            batch.mustCommit = true
            guard let connection = connections[id] else { return }
            completeOffloaded(response, connection)
        case .offloadRejected(let client, let id):
            guard let connection = connections[id] else { return }
            reportBusy(client, connection)
            completeOffloaded(OffloadedWork.busy, connection)
        case .synced(let ids, let isOnDisk): for id in ids { release(id, isOnDisk: isOnDisk) }
        case .updateConfiguration(let routes, let options, let whenTaken):
            self.routes = routes
            self.options = options
            if !isDraining { deadlines.change { Self.timeout(of: $0, options) } }
            whenTaken()
        case .evictConnection(let victim, let worker, let id):
            let isEvicted = evict(victim)
            if let id { context.mailboxes[worker].post(.evictionResult(isEvicted, token: id)) }
        case .evictionResult(let isEvicted, let id): handleEvictionResult(isEvicted, id)
        case .descriptorsAvailable: if acceptor.waitsForDescriptors { acceptor.expirePause() }
        case .ping(let answer): answer()
        case .drain: drain()
        case .abort: abort()
        }
    }
}

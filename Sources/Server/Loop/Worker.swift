import Dispatch
import HTTP
import POSIX
import Time

/// Serves a share of the connections on a serial queue, batch by batch: read from every connection
/// that is ready, handle what is whole, `commit` once, and only then send.
///
/// Its epoll descriptor is itself the one descriptor that Dispatch watches. Once awake, the worker
/// lingers: it goes back to Dispatch only after a millisecond without work, or after `rounds` batches
/// so that timers get their turn. Under load Dispatch costs nothing; without load the worker sleeps.
///
/// `@unchecked Sendable` is sound: after `start` every stored property that changes is touched only
/// on `queue`; others reach the worker through its mailbox.
final class Worker: @unchecked Sendable {
    private static let mailboxUserData = UInt64.max
    /// Of the first listener; those of the others are below it.
    private static let listenerUserData = UInt64.max - 1
    /// Batches in a row before Dispatch gets its turn.
    private static let maximumBatchesPerWakeUp = 256
    /// Connections accepted in a row before those that are here get theirs.
    private static let acceptsPerBatch = 64
    /// The same of a listener that several workers share: whoever wakes first must leave some.
    private static let acceptsPerBatchWhenShared = 4
    /// Connections that wait to be accepted when the server stops: as many as `Socket.listen` lets wait.
    private static let acceptsAtStop = 4096
    /// Unsent bytes past which no further pipelined request of a connection is handled.
    private static let outputLimit = 64 * 1024
    private static let lingeringCloseTimeout = TimeAmount.seconds(2)
    /// Bytes thrown away before a client that goes on sending is cut off.
    private static let discardLimit = 4 * 1024 * 1024
    /// Connections that are chosen one after the other to make room, if a request has just come on
    /// those before.
    private static let evictionChoices = 64
    /// How often another worker is asked to make room for a connection, before it is tried again later.
    private static let maximumEvictionRequests = 8
    /// Between two attempts to make room for a connection, while those that are to make it are busy.
    private static let evictionRetryPause = TimeAmount(milliseconds: 5)
    /// How long accepting pauses at most when descriptors or memory have run out: what frees them may
    /// be nothing that a worker hears of.
    private static let acceptPause = TimeAmount(milliseconds: 100)
    /// How long a request may be unfinished before it makes room for a client for which there is no
    /// descriptor.
    private static let unfinishedRequestGrace = TimeAmount.seconds(1)
    /// Between two words about that: with idle connections to close, there may be thousands a second.
    private static let acceptFailurePause = TimeAmount.seconds(1)
    /// Responses of a worker that wait for a sync at a time, at most; and an eighth of its connections.
    private static let maximumHeld = 256
    /// A twentieth of the shortest timeout that can be configured.
    private static let timerLeeway = DispatchTimeInterval.milliseconds(5)

    /// Its place in `mailboxes`.
    private let index: Int
    /// Of all workers.
    private let mailboxes: [WorkerMailbox]
    let mailbox: WorkerMailbox
    private var options: ServerOptions
    private var routes: RouteTable
    private let hooks: ServerHooks
    private let offload: OffloadQueues
    private let counts: ServerCounts
    private let shares: Monitor<ConnectionShares>
    private let queue: DispatchQueue
    private let whenDrained: @Sendable () -> Void

    private var poller: Poller
    private var listeners: [Listener] = []
    private var source: (any DispatchSourceRead)?
    private var timer: (any DispatchSourceTimer)?
    private var timerIsFor = MonotonicTime.distantFuture

    private var connections: [Connection?] = []
    private var freeSlots: [Int] = []
    private var generation: UInt64 = 0
    private var deadlines: DeadlineQueue
    /// Connections that the batch has read from, and whose requests are still to be handled.
    private var received: [Connection] = []
    /// Connections with something to send when the batch is committed.
    private var pendingSends: [Connection] = []
    /// Connections whose responses wait for a sync: those that grant something, and refusals.
    private var heldGrants = 0
    private var heldRefusals = 0
    /// Connections with whole requests left to handle, for which no event will come.
    private var unfinished: [Connection] = []
    private var buffer = ReadBuffer()
    /// Whether request content, such as a password, may be in `buffer`, which must then be cleared.
    private var bufferHoldsContent = false
    /// Something was recorded that may have no answer to go with.
    private var mustCommit = false
    /// Whether accepting pauses for want of descriptors, which the end of any connection brings.
    private var waitsForDescriptors = false
    /// When accepting is tried again; in the distant future while it does not pause.
    private var pausedUntil = MonotonicTime.distantFuture
    private var nextAcceptFailure = MonotonicTime(nanoseconds: 0)
    /// Connections were closed while a worker waits for descriptors.
    private var hasFreedDescriptors = false
    /// Connections for which room is looked for again at `nextRoomAttempt`.
    private var waitingForEviction: [UInt64] = []
    private var nextEvictionAttempt = MonotonicTime.distantFuture
    private var commitMark: UInt64 = 0
    private var isDraining = false
    private var date = DateField()
    private var seeds = SystemRandomNumberGenerator()

    init(
        number: Int, _ mailboxes: [WorkerMailbox], listeners: [Listener], _ options: ServerOptions,
        _ routes: RouteTable, _ hooks: ServerHooks, _ offload: OffloadQueues,
        _ counts: ServerCounts, _ shares: Monitor<ConnectionShares>,
        whenDrained: @escaping @Sendable () -> Void
    ) throws(Errno) {
        self.index = number
        self.mailboxes = mailboxes
        mailbox = mailboxes[number]
        self.options = options
        self.routes = routes
        self.hooks = hooks
        self.offload = offload
        self.counts = counts
        self.shares = shares
        self.whenDrained = whenDrained
        queue = DispatchQueue(label: "gatehouse.worker.\(number)")
        poller = try Poller()
        deadlines = DeadlineQueue { Self.timeout(of: $0, options) }
        self.listeners = listeners
        for (index, listener) in listeners.enumerated() {
            try poller.add(
                listener.socket.rawValue, .read, token: Self.listenerUserData - UInt64(index))
        }
        try poller.add(mailbox.fileDescriptor, .read, token: Self.mailboxUserData)
    }

    /// Begins to serve.
    func start() {
        let source = DispatchSource.makeReadSource(
            fileDescriptor: poller.fileDescriptor, queue: queue)
        source.setEventHandler { self.serve() }
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler {
            self.timerIsFor = .distantFuture
            self.serveAtDeadline()
        }
        self.source = source
        self.timer = timer
        // For nothing but this: Dispatch opens a descriptor for the first timer that it has to wait
        // for, and must have it before clients can use them all up. Without it no deadline is kept.
        timer.schedule(deadline: .now() + .milliseconds(100))
        timer.resume()
        source.resume()
    }

    private static func timeout(
        of kind: DeadlineQueue.Kind, _ options: ServerOptions
    ) -> TimeAmount {
        switch kind {
        case .head: options.headTimeout
        case .body: options.bodyTimeout
        case .idle: options.idleTimeout
        case .write: options.writeTimeout
        case .lingeringClose: lingeringCloseTimeout
        }
    }

    // MARK: Batches

    private func serve() {
        for _ in 0..<Self.maximumBatchesPerWakeUp {
            let count = poller.wait(milliseconds: unfinished.isEmpty ? 1 : 0)
            if count == 0, unfinished.isEmpty { break }
            let now = MonotonicTime.now
            date.update(now)
            if !unfinished.isEmpty { continueUnfinished(now) }
            handleEvents(count, now)
            finishBatch(now: now)
        }
        // No event will come for these.
        if !unfinished.isEmpty { queue.async { self.serve() } }
        armTimer()
    }

    /// Like a batch of `serve`, which does not wait: what is here by now has come in time.
    private func serveAtDeadline() {
        let count = poller.wait(milliseconds: 0)
        let now = MonotonicTime.now
        date.update(now)
        // A timer may come before the next `serve`: what is whole is handled before more is read.
        if !unfinished.isEmpty { continueUnfinished(now) }
        handleEvents(count, now)
        finishBatch(now: now)
        if !unfinished.isEmpty { queue.async { self.serve() } }
        armTimer()
    }

    /// First all reads, then all requests, as later all sends: our instructions and the kernel's
    /// would throw each other out of the processor's caches with every request.
    private func handleEvents(_ count: Int, _ now: MonotonicTime) {
        for index in 0..<count { handle(index, now) }
        for connection in received where self.connection(connection.id) != nil {
            handleRequests(connection, now)
        }
        received.removeAll(keepingCapacity: true)
    }

    private func handle(_ index: Int, _ now: MonotonicTime) {
        let token = poller.userData(index)
        switch token {
        case Self.mailboxUserData: readMailbox(now)
        case let token where token > Self.listenerUserData - UInt64(listeners.count):
            let listener = listeners[Int(Self.listenerUserData - token)]
            if isDraining { return acceptLast(now) }
            acceptConnections(
                from: listener,
                listener.isInherited ? Self.acceptsPerBatchWhenShared : Self.acceptsPerBatch, now)
        default:
            guard let connection = connection(token) else { return }
            if connection.isInLingeringClose {
                discard(connection)
            } else if poller.isHangUp(index) {
                // Nobody is there to read an answer.
                close(connection)
            } else if connection.isScheduled || connection.interest == .write {
                scheduleSend(connection)
            } else if receive(connection) {
                // It is not idle any more, though nobody has looked yet at what came.
                if deadlines.kind(of: connection.slot) == .idle { clearDeadline(connection) }
                received.append(connection)
            }
        }
    }

    /// Expires what is due, puts on record what happened, and sends. In this order: nothing leaves
    /// before it is on record.
    private func finishBatch(now: MonotonicTime) {
        if deadlines.next <= now { expire(now) }
        if isDraining, pausedUntil <= now { acceptLast(now) }
        sendPending(now)
        if nextEvictionAttempt <= now {
            retryEvictions(now)
            sendPending(now)
        }
        if bufferHoldsContent {
            bufferHoldsContent = false
            buffer.clear()
        }
        if hasFreedDescriptors || pausedUntil <= now { resumeAccepting() }
        if isDraining, listeners.isEmpty, connections.count == freeSlots.count {
            finishDraining()
        }
    }

    private func sendPending(_ now: MonotonicTime) {
        guard !pendingSends.isEmpty || mustCommit else { return }
        mustCommit = false
        if !hooks.commit(&commitMark) { replaceHeldResponses() }
        var held: [UInt64] = []
        for connection in pendingSends {
            connection.isScheduled = false
            if connection.awaitsSync, hold(connection, now) {
                held.append(connection.id)
                continue
            }
            connection.conversation.releaseHeldResponses()
            send(connection, now)
        }
        pendingSends.removeAll(keepingCapacity: true)
        if !held.isEmpty {
            hooks.synchronize { [mailbox, held] in mailbox.post(.synced(held, $0)) }
        }
    }

    private func replaceHeldResponses() {
        for connection in pendingSends where self.connection(connection.id) != nil {
            replaceHeldResponses(connection)
        }
    }

    private func replaceHeldResponses(_ connection: Connection) {
        guard connection.conversation.replaceHeldResponses(Self.logUnavailable, date: date.text)
        else { return }
        connection.awaitsSync = false
        counts.retracted.add()
        counts.addAnswerToNoRequest(.serviceUnavailable)
    }

    /// Keeps a response back until its event is on the disk. If too many of its kind wait already, as
    /// on a disk that hangs, a refusal leaves at once, and a response that grants something is taken
    /// back. The two are counted apart: refusals can be had without a password.
    /// - Returns: false if there is something to send.
    private func hold(_ connection: Connection, _ now: MonotonicTime) -> Bool {
        guard self.connection(connection.id) != nil else { return true }
        let count = connection.syncsGrant ? heldGrants : heldRefusals
        guard count < max(1, min(Self.maximumHeld, options.maximumConnections / 8)) else {
            if connection.syncsGrant { replaceHeldResponses(connection) }
            connection.awaitsSync = false
            return false
        }
        countHeld(connection, 1)
        connection.isHeld = true
        watch(connection, .none)
        setDeadline(connection, .write, now)
        // It waits for the disk, not for its client, so that it makes no room for others.
        connection.activity.setBusy()
        return true
    }

    private func countHeld(_ connection: Connection, _ change: Int) {
        if connection.syncsGrant { heldGrants += change } else { heldRefusals += change }
    }

    private func release(_ token: UInt64, isOnDisk: Bool, _ now: MonotonicTime) {
        guard let connection = connection(token), connection.isHeld else { return }
        countHeld(connection, -1)
        connection.isHeld = false
        if !isOnDisk { replaceHeldResponses(connection) }
        connection.awaitsSync = false
        connection.conversation.releaseHeldResponses()
        clearDeadline(connection)
        send(connection, now)
    }

    private func scheduleSend(_ connection: Connection) {
        guard !connection.isScheduled else { return }
        connection.isScheduled = true
        // A client may know its answer, and make a new connection, before this batch ends.
        connection.activity.set(.readyToSend, since: MonotonicTime(nanoseconds: 0))
        pendingSends.append(connection)
    }

    // MARK: Reading

    private func read(_ connection: Connection, _ now: MonotonicTime) {
        if receive(connection) { handleRequests(connection, now) }
    }

    /// Reads once.
    /// - Returns: whether bytes have come that are still to be handled.
    private func receive(_ connection: Connection) -> Bool {
        // While a response is awaited, bytes wait in the kernel.
        guard !connection.awaitsResponse, !connection.awaitsSync else {
            watch(connection, .none)
            return false
        }
        let count: Int
        do throws(Errno) {
            count = try buffer.fill(from: connection.socket)
        } catch {
            if error != .wouldBlock { close(connection) }
            return false
        }
        guard count > 0 else {
            handleEndOfFile(connection)
            return false
        }
        buffer.deliver(to: &connection.conversation)
        return true
    }

    /// The client has ended its side: a whole request is still answered (it was, before this read);
    /// half a one is refused.
    private func handleEndOfFile(_ connection: Connection) {
        guard connection.conversation.state.isInsideMessage else { return close(connection) }
        reject(connection, .incomplete)
    }

    /// Handles every whole request that is here.
    private func handleRequests(_ connection: Connection, _ now: MonotonicTime) {
        do throws(ParseError) {
            while connection.conversation.unsentCount < Self.outputLimit, !connection.awaitsSync {
                guard let request = try connection.conversation.next() else { break }
                clearDeadline(connection)
                if request.declaresContent { bufferHoldsContent = true }
                switch routes.route(for: request) {
                case .onWorker(let handler): complete(handler(request), connection)
                case .inTwoSteps(let handler):
                    switch handler(request) {
                    case .response(let response): complete(response, connection)
                    case .slow(let work): offload(work, of: request.client, connection)
                    }
                }
            }
        } catch {
            reject(connection, error)
        }
        let standing = connection.conversation.state
        if standing.unsentCount > 0 {
            scheduleSend(connection)
        } else {
            setReadingDeadline(connection, standing, now)
        }
    }

    private func complete(_ response: Response, _ connection: Connection) {
        connection.conversation.complete(response, date: date.text, closing: isDraining)
        if response.isSynced {
            connection.awaitsSync = true
            connection.syncsGrant = response.status.code < 400
        }
    }

    private func offload(
        _ work: OffloadedWork, of client: ClientAddress, _ connection: Connection
    ) {
        let token = connection.id
        let mailbox = mailbox
        connection.awaitsResponse = offload.submit(
            work, run: { mailbox.post(.responseReady(work.run(), token: token)) },
            displaced: {
                work.refused()
                mailbox.post(.offloadRejected(client, token: token))
            })
        if !connection.awaitsResponse {
            work.refused()
            rejectOffloaded(client, connection)
        }
    }

    private func rejectOffloaded(_ client: ClientAddress, _ connection: Connection) {
        counts.refused.add()
        hooks.refused(
            RejectedRequest(
                reason: "busy", status: .serviceUnavailable, client: client,
                id: connection.conversation.currentID))
        complete(OffloadedWork.busy, connection)
    }

    /// Once: behind its refusal a connection is told nothing more, and no deadline of what was refused
    /// is left.
    private func reject(_ connection: Connection, _ error: ParseError) {
        guard connection.conversation.state.wants != .nothing else { return }
        clearDeadline(connection)
        connection.conversation.reject(error, date: date.text)
        reportRejected(error.reason, error.status, connection)
        scheduleSend(connection)
    }

    private func reportRejected(_ reason: StaticString, _ status: Status, _ connection: Connection)
    {
        counts.refused.add()
        counts.addAnswerToNoRequest(status)
        hooks.refused(
            RejectedRequest(
                reason: reason, status: status, client: connection.conversation.peer,
                id: connection.conversation.currentID))
    }

    private static let logUnavailable = retrying("Log unavailable")
    private static let tooManyConnections = retrying("Too many connections")

    private static func retrying(_ sentence: StaticString) -> Response {
        .error(.serviceUnavailable, sentence).adding("Retry-After", "1")
    }

    private func continueUnfinished(_ now: MonotonicTime) {
        let list = unfinished
        unfinished.removeAll(keepingCapacity: true)
        for connection in list where self.connection(connection.id) != nil {
            handleRequests(connection, now)
        }
    }

    private func setReadingDeadline(
        _ connection: Connection, _ standing: Conversation.State, _ now: MonotonicTime
    ) {
        let kind: DeadlineQueue.Kind
        switch standing.wants {
        // Until the first request is here, the time for its head runs: neither a PROXY header nor an
        // empty line puts it off.
        case .message: kind = deadlines.kind(of: connection.slot) == .head ? .head : .idle
        case .head: kind = .head
        case .body:
            kind = .body
            bufferHoldsContent = true
        case .response, .nothing: return clearDeadline(connection)
        }
        // One that runs already is not put off by another byte.
        if deadlines.kind(of: connection.slot) != kind {
            setDeadline(connection, kind, now)
        }
    }

    private func setDeadline(
        _ connection: Connection, _ kind: DeadlineQueue.Kind, _ now: MonotonicTime
    ) {
        deadlines.set(connection.slot, kind, now: now)
        let activity: ConnectionActivity.Kind =
            switch kind {
            case .head: .head
            case .body: .body
            case .idle: .idle
            case .write: .writing
            case .lingeringClose: .lingering
            }
        connection.activity.set(activity, since: now)
    }

    private func clearDeadline(_ connection: Connection) {
        deadlines.clear(connection.slot)
        connection.activity.setBusy()
    }

    // MARK: Sending

    /// Sends once; what the kernel does not take waits until it can.
    private func send(_ connection: Connection, _ now: MonotonicTime) {
        guard self.connection(connection.id) != nil else { return }
        if connection.conversation.unsentCount > 0 {
            do throws(Errno) {
                let count = try Socket.send(
                    connection.socket, connection.conversation.unsent)
                connection.conversation.markSent(count)
            } catch {
                guard error == .wouldBlock else { return close(connection) }
            }
        }
        let standing = connection.conversation.state
        if standing.unsentCount > 0 {
            watch(connection, .write)
            if deadlines.kind(of: connection.slot) == .write {
                connection.activity.set(.writing, since: now)
            } else {
                setDeadline(connection, .write, now)
            }
            return
        }
        if standing.wants == .nothing { return startLingeringClose(connection, now) }
        watch(connection, .read)
        if standing.isInsideMessage {
            // Whole requests may be here. Until they are handled it is busy, and makes no room.
            unfinished.append(connection)
            return clearDeadline(connection)
        }
        if deadlines.kind(of: connection.slot) == .write { clearDeadline(connection) }
        setReadingDeadline(connection, standing, now)
    }

    private func watch(_ connection: Connection, _ interest: Poller.Interest) {
        guard connection.interest != interest else { return }
        do throws(Errno) {
            try poller.change(connection.socket.rawValue, interest, token: connection.id)
            connection.interest = interest
        } catch {
            close(connection)
        }
    }

    // MARK: Beginning and ending

    /// - Parameter most: connections, before those that are here get their turn.
    /// - Returns: false if some may wait for which there are no descriptors.
    @discardableResult
    private func acceptConnections(
        from listener: Listener, _ most: Int, _ now: MonotonicTime
    ) -> Bool {
        var hasMadeRoom = false
        for _ in 0..<most {
            var peer = PeerAddress()
            do throws(Errno) {
                let socket = try Socket.accept(listener.socket, &peer)
                try register(socket, peer.client, now)
                hasMadeRoom = false
            } catch {
                if error == .wouldBlock { return true }
                if Socket.isTransientAcceptError(error) { continue }
                reportAcceptFailed(error, now)
                // Where descriptors lack, the connection that has been idle longest makes room, so that
                // idle clients keep nobody out; only one, because what becomes free may be taken by
                // somebody else. What else lacks, no end of a connection brings.
                let lacksDescriptors =
                    error == .tooManyOpenFiles || error == .tooManyOpenFilesInSystem
                guard lacksDescriptors, !hasMadeRoom, freeDescriptor(now) else {
                    pauseAccepting(now, forDescriptors: lacksDescriptors)
                    return !lacksDescriptors
                }
                hasMadeRoom = true
            }
        }
        return true
    }

    private func register(
        _ socket: consuming FileDescriptor, _ client: ClientAddress, _ now: MonotonicTime
    ) throws(Errno) {
        counts.accepted.add()
        // Half of the connections past the maximum are those that are told why. Past that half there is
        // no answer, and the rest waits for other workers to make room.
        let isCrowded =
            counts.connections >= options.maximumConnections + options.excessConnections / 2
            && !closeOldestLingering()
        if isCrowded,
            counts.connections >= options.maximumConnections + options.excessConnections
        {
            return counts.tooMany.add()
        }
        let slot = freeSlots.popLast() ?? connections.count
        if slot == connections.count { connections.append(nil) }
        generation += 1
        let token = generation << 32 | UInt64(slot)
        let number = socket.rawValue
        let proxies = options.trustedProxies.behind(client)
        let connection = Connection(
            socket, slot: slot, token: token,
            Conversation(
                limits: options.limits, client: client, seed: seeds.next(), proxies: proxies,
                expectsProxyHeader: options.expectsProxyHeader, hosts: options.acceptedHosts),
            ConnectionActivity(.head, since: now),
            // A client of a Unix domain socket has no address, and may be a proxy.
            proxies == nil && NetworkAddress(client.utf8) != nil ? ClientNetworks(client) : nil)
        connections[slot] = connection
        counts.begin()
        let isFull = count(connection) > options.maximumConnections
        let room = isFull ? requestEviction(for: connection, now) : .evicted
        connection.interest = room == .evicted ? .read : .none
        do throws(Errno) {
            try poller.add(number, connection.interest, token: token)
        } catch {
            close(connection)
            throw error
        }
        // At a stop it has no more time than those that are here.
        deadlines.set(slot, isDraining ? .idle : .head, now: now)
        guard room == .none else {
            connection.isWaitingForEviction = room == .awaited
            return
        }
        if isCrowded {
            counts.tooMany.add()
            close(connection)
        } else {
            rejectOverLimit(connection)
        }
    }

    // MARK: Room

    /// - Returns: how many connections there are with it.
    private func count(_ connection: Connection) -> Int {
        shares.withLock { shares in
            connection.place = shares.add(
                connection.networks, worker: index, token: connection.id,
                connection.activity)
            return shares.count
        }
    }

    private func uncount(_ connection: Connection) {
        shares.withLock {
            $0.remove(connection.place, worker: index, token: connection.id)
        }
    }

    private enum EvictionOutcome { case evicted, awaited, none }

    /// Ends a connection for this one. If another worker has it, this one waits unread for the answer.
    private func requestEviction(for connection: Connection, _ now: MonotonicTime)
        -> EvictionOutcome
    {
        for _ in 0..<Self.evictionChoices {
            let choice = shares.withLock {
                connection.evictionRequests < Self.maximumEvictionRequests
                    ? $0.takeVictim(for: connection.place, worker: index) : .wait
            }
            guard case .victim(let victim) = choice else {
                return choice == .wait ? retryEvictionLater(connection, now) : .none
            }
            guard victim.worker == index else {
                connection.evictionRequests += 1
                mailboxes[victim.worker].post(
                    .evictConnection(victim, forWorker: index, token: connection.id))
                return .awaited
            }
            if evict(victim, now) { return .evicted }
        }
        return retryEvictionLater(connection, now)
    }

    /// First when the batch has been answered, then every few milliseconds.
    private func retryEvictionLater(_ connection: Connection, _ now: MonotonicTime)
        -> EvictionOutcome
    {
        waitingForEviction.append(connection.id)
        nextEvictionAttempt = min(nextEvictionAttempt, now)
        return .awaited
    }

    private func retryEvictions(_ now: MonotonicTime) {
        nextEvictionAttempt = .distantFuture
        let tokens = waitingForEviction
        waitingForEviction.removeAll(keepingCapacity: true)
        for token in tokens {
            connection(token)?.evictionRequests = 0
            handleEvictionResult(false, token, now)
        }
        if !waitingForEviction.isEmpty { nextEvictionAttempt = now + Self.evictionRetryPause }
    }

    /// Ends a connection because there are no descriptors for another.
    /// - Returns: whether one is free now; another worker may free one later.
    private func freeDescriptor(_ now: MonotonicTime) -> Bool {
        for _ in 0..<Self.evictionChoices {
            let choice = shares.withLock {
                $0.takeVictim(
                    unfinishedSince: now
                        + TimeAmount(milliseconds: -Self.unfinishedRequestGrace.milliseconds),
                    worker: index)
            }
            guard case .victim(let victim) = choice else { return false }
            guard victim.worker == index else {
                // First, or the other worker might not know that it is to tell of the end.
                pauseAccepting(now, forDescriptors: true)
                mailboxes[victim.worker].post(
                    .evictConnection(victim, forWorker: index, token: nil))
                return false
            }
            if evict(victim, now) { return true }
        }
        return false
    }

    /// Ends a connection of this worker to make room. It stays, and is counted again, if a request has
    /// come on it since it was chosen.
    /// - Returns: whether it has ended.
    private func evict(_ victim: ConnectionShares.Victim, _ now: MonotonicTime) -> Bool {
        guard let connection = connection(victim.connectionID) else { return true }
        if !connection.isInLingeringClose, !connection.awaitsResponse, !connection.isScheduled,
            connection.interest == .read
        {
            // What is here by now has come in time, though it was not read yet.
            read(connection, now)
            guard self.connection(victim.connectionID) != nil else { return true }
        }
        let standing = connection.conversation.state
        let kind = connection.activity.now.kind
        if !connection.isWaitingForEviction, isIdle(connection) || connection.isInLingeringClose {
            counts.addEvicted(kind)
            close(connection)
        } else if !victim.mayBeUnfinished || connection.isScheduled || connection.isHeld
            || standing.wants == .response
        {
            _ = count(connection)
            return false
        } else {
            counts.addEvicted(kind)
            if connection.isWaitingForEviction || standing.isInsideMessage {
                rejectOverLimit(connection)
            } else {
                close(connection)
            }
        }
        return true
    }

    private func handleEvictionResult(_ hasRoom: Bool, _ token: UInt64, _ now: MonotonicTime) {
        // At a stop it may have been read from all the same.
        guard let connection = connection(token), connection.isWaitingForEviction,
            !connection.isScheduled, !connection.isInLingeringClose
        else { return }
        let isFull = shares.withLock { $0.count } > options.maximumConnections
        switch hasRoom || !isFull ? .evicted : requestEviction(for: connection, now) {
        case .evicted:
            connection.isWaitingForEviction = false
            watch(connection, .read)
        case .awaited: break
        case .none: rejectOverLimit(connection)
        }
    }

    private func rejectOverLimit(_ connection: Connection) {
        connection.isRejected = true
        connection.isWaitingForEviction = false
        counts.reject()
        uncount(connection)
        clearDeadline(connection)
        connection.conversation.reject(Self.tooManyConnections, date: date.text)
        reportRejected("too_many_connections", .serviceUnavailable, connection)
        scheduleSend(connection)
    }

    /// Ends the connection that was answered for good longest ago.
    private func closeOldestLingering() -> Bool {
        guard let slot = deadlines.first(.lingeringClose), let oldest = connections[slot] else {
            return false
        }
        close(oldest)
        return true
    }

    private func reportAcceptFailed(_ error: Errno, _ now: MonotonicTime) {
        guard now >= nextAcceptFailure else { return }
        nextAcceptFailure = now + Self.acceptFailurePause
        hooks.acceptFailed(error)
        mustCommit = true
    }

    /// Connections wait in the kernel's queue for a moment; where it is descriptors that lack, at most
    /// until a connection of any worker ends.
    private func pauseAccepting(_ now: MonotonicTime, forDescriptors: Bool) {
        guard !listeners.isEmpty, pausedUntil == .distantFuture else { return }
        watchListeners(.none)
        pausedUntil = now + Self.acceptPause
        waitsForDescriptors = forDescriptors
        guard forDescriptors else { return }
        counts.beginWaiting()
    }

    /// Descriptors may be free: accepts again, and has the other workers do so, if this is known from an
    /// end of connections here.
    private func resumeAccepting() {
        if isDraining, pausedUntil != .distantFuture {
            // In the next batch: nobody may be waiting any more, and no event would come.
            pausedUntil = MonotonicTime(nanoseconds: 0)
        } else {
            endAcceptPause()
        }
        guard hasFreedDescriptors else { return }
        hasFreedDescriptors = false
        guard counts.someoneWaits else { return }
        for index in mailboxes.indices where index != index {
            mailboxes[index].post(.descriptorsAvailable)
        }
    }

    private func endAcceptPause() {
        guard pausedUntil != .distantFuture else { return }
        pausedUntil = .distantFuture
        if waitsForDescriptors { counts.endWaiting() }
        waitsForDescriptors = false
        watchListeners(.read)
    }

    private func watchListeners(_ interest: Poller.Interest) {
        for (index, listener) in listeners.enumerated() {
            let token = Self.listenerUserData - UInt64(index)
            try? poller.change(listener.socket.rawValue, interest, token: token)
        }
    }

    private func startLingeringClose(_ connection: Connection, _ now: MonotonicTime) {
        Socket.endSending(connection.socket)
        connection.isInLingeringClose = true
        watch(connection, .read)
        setDeadline(connection, .lingeringClose, now)
    }

    private func discard(_ connection: Connection) {
        do throws(Errno) {
            let count = try buffer.fill(from: connection.socket)
            connection.discarded += count
            if count == 0 || connection.discarded > Self.discardLimit { close(connection) }
        } catch {
            if error != .wouldBlock { close(connection) }
        }
    }

    /// Lets the connection go; its socket closes with its last reference.
    private func close(_ connection: Connection) {
        guard self.connection(connection.id) != nil else { return }
        deadlines.clear(connection.slot)
        if !connection.isRejected { uncount(connection) }
        if connection.isHeld { countHeld(connection, -1) }
        connection.isHeld = false
        connection.conversation.close()
        connections[connection.slot] = nil
        freeSlots.append(connection.slot)
        counts.end(connection)
        if counts.someoneWaits { hasFreedDescriptors = true }
    }

    private func connection(_ token: UInt64) -> Connection? {
        let slot = Int(token & 0xFFFF_FFFF)
        guard slot < connections.count, let connection = connections[slot],
            connection.id == token
        else { return nil }
        return connection
    }

    // MARK: Deadlines

    private func expire(_ now: MonotonicTime) {
        while let (slot, kind) = deadlines.removeExpired(now: now) {
            guard let connection = connections[slot] else { continue }
            if isDraining, kind == .idle {
                closeIdleGracefully(connection, now)
                continue
            }
            // What is here by now has come in time, though nobody has read it yet.
            switch kind {
            case .idle:
                read(connection, now)
                guard isIdle(connection) else { continue }
            case .head where connection.isWaitingForEviction:
                // The other worker has not answered: its log may hang on a dead disk.
                rejectOverLimit(connection)
                continue
            case .head, .body:
                let wanted = connection.conversation.state.wants
                read(connection, now)
                guard isStill(connection, wanted) else { continue }
                clearDeadline(connection)
            case .write, .lingeringClose: break
            }
            counts.add(kind)
            switch kind {
            case .head where connection.conversation.state.isInsideMessage:
                reject(connection, .headTimeout)
            case .body: reject(connection, .bodyTimeout)
            case .head, .idle, .write, .lingeringClose: close(connection)
            }
        }
    }

    /// Whether the connection waits for the rest of the same thing as before: a head whose time is over,
    /// of which some or nothing is here, or a body.
    private func isStill(
        _ connection: Connection, _ wanted: Conversation.State.Awaiting
    ) -> Bool {
        guard self.connection(connection.id) != nil, !connection.isScheduled else { return false }
        switch connection.conversation.state.wants {
        case .message, .head: return wanted == .message || wanted == .head
        case .body: return wanted == .body
        case .response, .nothing: return false
        }
    }

    private func armTimer() {
        let next = min(deadlines.next, pausedUntil, nextEvictionAttempt)
        guard next < timerIsFor else { return }
        timerIsFor = next
        let now = MonotonicTime.now
        let wait = max(0, next.nanoseconds - now.nanoseconds)
        timer?.schedule(
            deadline: .now() + .nanoseconds(Int(wait)), leeway: Self.timerLeeway)
    }

    // MARK: Mail and the end

    private func readMailbox(_ now: MonotonicTime) {
        for letter in mailbox.takeAll() {
            switch letter {
            case .responseReady(let response, let token):
                // Whoever asked may be gone; what the handler recorded is put on record all the same.
                mustCommit = true
                guard let connection = connection(token) else { continue }
                connection.awaitsResponse = false
                complete(response, connection)
                watch(connection, .read)
                // Requests that came behind it are handled when it is sent.
                scheduleSend(connection)
            case .offloadRejected(let client, let token):
                guard let connection = connection(token) else { continue }
                connection.awaitsResponse = false
                rejectOffloaded(client, connection)
                watch(connection, .read)
                scheduleSend(connection)
            case .synced(let tokens, let isOnDisk):
                for token in tokens { release(token, isOnDisk: isOnDisk, now) }
            case .updateConfiguration(let routes, let options, let whenTaken):
                self.routes = routes
                self.options = options
                if !isDraining { deadlines.change { Self.timeout(of: $0, options) } }
                whenTaken()
            case .evictConnection(let victim, let worker, let token):
                let hasRoom = evict(victim, now)
                if let token { mailboxes[worker].post(.evictionResult(hasRoom, token: token)) }
            case .evictionResult(let isThere, let token): handleEvictionResult(isThere, token, now)
            case .descriptorsAvailable: if waitsForDescriptors { pausedUntil = now }
            case .ping(let answer): answer()
            case .drain: drain(now)
            case .abort:
                listeners = []
                for case .some(let connection) in connections {
                    if !isIdle(connection), !connection.isInLingeringClose { counts.noteCutOff() }
                    close(connection)
                }
            }
        }
    }

    /// Takes the connections that have been made and no more, and lets every connection finish the
    /// request that it is in.
    ///
    /// Who asks for nothing may be just about to: a request on its way, when the end is on its way to
    /// it, would be lost. So an idle connection stays for a moment: a request that still comes is
    /// answered, with `Connection: close`. Then comes the end, and for another moment what crosses it
    /// is thrown away, because a reset could take what the client has not read yet. A client whose
    /// request crosses even that sees an end without an answer, and may ask again (RFC 9112 §9.3.1); the
    /// longer the moment, the less probable. It cannot be long either: who connects anew meanwhile waits
    /// for the next process to begin.
    private func drain(_ now: MonotonicTime) {
        guard !isDraining else { return }
        isDraining = true
        let idle = connections.compactMap(\.self).filter(isIdle)
        // All at once, because deadlines of a kind expire in the order in which they are set.
        for connection in idle { deadlines.clear(connection.slot) }
        let moment = TimeAmount(
            milliseconds: min(
                options.lastRequestTimeout.milliseconds, options.drainTimeout.milliseconds / 10))
        deadlines.change { $0 == .idle ? moment : Self.timeout(of: $0, options) }
        for connection in idle { deadlines.set(connection.slot, .idle, now: now) }
        // A shared one stays open, and what waits in it is for whoever accepts next.
        for listener in listeners where listener.isInherited {
            try? poller.remove(listener.socket.rawValue)
        }
        // Of its own a worker has one: the place of none that stays is another one's.
        listeners.removeAll(where: \.isInherited)
        acceptLast(now)
        for listener in listeners { try? Socket.listen(listener.socket, backlog: 0) }
    }

    /// Takes the connections that wait at a stop, and closes the listener behind them. Those for which
    /// there are no descriptors wait until what is here has ended, and nobody joins them (but for one at
    /// a time, which is what a backlog of 0 means).
    private func acceptLast(_ now: MonotonicTime) {
        endAcceptPause()
        let all = listeners
        listeners = all.filter { !acceptConnections(from: $0, Self.acceptsAtStop, now) }
    }

    /// The moment is over in which an idle connection could still ask for something, or that in which
    /// what crossed its end was thrown away.
    private func closeIdleGracefully(_ connection: Connection, _ now: MonotonicTime) {
        guard !connection.isInLingeringClose else { return close(connection) }
        read(connection, now)
        guard isIdle(connection) else { return }
        startLingeringClose(connection, now)
        // Nothing was sent that has to arrive: shorter than after a response.
        deadlines.set(connection.slot, .idle, now: now)
    }

    private func isIdle(_ connection: Connection) -> Bool {
        guard self.connection(connection.id) != nil, !connection.isScheduled,
            !connection.isInLingeringClose
        else { return false }
        let standing = connection.conversation.state
        return standing.wants == .message && standing.unsentCount == 0
    }

    private func finishDraining() {
        // Once, however often the server is told to stop.
        guard let source else { return }
        source.cancel()
        timer?.cancel()
        self.source = nil
        // Nobody reads it any more, and somebody may wait for an answer.
        for letter in mailbox.takeAll() {
            switch letter {
            case .evictConnection(_, let worker, let token?):
                mailboxes[worker].post(.evictionResult(true, token: token))
            case .ping(let answer): answer()
            case .updateConfiguration(_, _, let whenTaken): whenTaken()
            default: break
            }
        }
        whenDrained()
    }
}

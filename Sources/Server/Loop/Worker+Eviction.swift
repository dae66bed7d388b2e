import HTTP
import POSIX
import Time

/// Connections of a worker for which an eviction is tried again.
struct EvictionQueue {
    /// Between two attempts, while the connections that could be evicted are busy.
    private static let retryPause = TimeAmount(milliseconds: 5)

    private var waiting: [ConnectionID] = []
    private(set) var nextAttempt = MonotonicTime.distantFuture

    /// The first attempt is made when the current batch has been sent.
    mutating func append(_ id: ConnectionID, at now: MonotonicTime) {
        waiting.append(id)
        nextAttempt = min(nextAttempt, now)
    }

    mutating func takeAll() -> [ConnectionID] {
        nextAttempt = .distantFuture
        defer { waiting.removeAll(keepingCapacity: true) }
        return waiting
    }

    /// Schedules the next attempt for those that were appended again.
    mutating func scheduleNext(after now: MonotonicTime) {
        if !waiting.isEmpty { nextAttempt = now + Self.retryPause }
    }
}

/// The connection limit. `ConnectionShares` decides which connection is closed for a new one; the
/// connection may belong to another worker, which is then asked by message. So idle connections
/// give their places to new clients whichever worker has them.
extension Worker {
    /// Connections chosen in a row, if requests have just arrived on those before.
    private static let maximumChoices = 64
    /// Requests to other workers for one connection, before it is tried again later.
    private static let maximumRequests = 8
    /// How long a request may be unfinished before its connection can be evicted for a client for
    /// which there is no descriptor.
    private static let unfinishedRequestGrace = TimeAmount.seconds(1)
    private static let tooManyConnections = retrying("Too many connections")

    enum EvictionOutcome { case evicted, awaited, none }

    /// - Returns: the number of connections of the server, with this one.
    func addToShares(_ connection: Connection) -> Int {
        context.shares.withLock { shares in
            connection.shareSlot = shares.add(
                connection.networks, worker: context.index, token: connection.id,
                connection.activity)
            return shares.count
        }
    }

    func removeFromShares(_ connection: Connection) {
        context.shares.withLock {
            $0.remove(connection.shareSlot, worker: context.index, token: connection.id)
        }
    }

    /// Evicts a connection for this one. If another worker has it, this one is not read until the
    /// result arrives.
    func requestEviction(for connection: Connection) -> EvictionOutcome {
        for _ in 0..<Self.maximumChoices {
            guard connection.evictionRequests < Self.maximumRequests else { break }
            let choice = context.shares.withLock {
                $0.takeVictim(for: connection.shareSlot, worker: context.index)
            }
            guard case .victim(let victim) = choice else {
                if choice == .none { return .none }
                break
            }
            guard victim.worker == context.index else {
                connection.evictionRequests += 1
                context.mailboxes[victim.worker].post(
                    .evictConnection(victim, forWorker: context.index, token: connection.id))
                return .awaited
            }
            if evict(victim) { return .evicted }
        }
        evictions.append(connection.id, at: batch.now)
        return .awaited
    }

    func retryEvictions() {
        for id in evictions.takeAll() {
            connections[id]?.evictionRequests = 0
            handleEvictionResult(false, id)
        }
        evictions.scheduleNext(after: batch.now)
    }

    func handleEvictionResult(_ isEvicted: Bool, _ id: ConnectionID) {
        guard let connection = connections[id], connection.isWaitingForEviction else { return }
        let isFull = context.shares.withLock { $0.count } > options.maximumConnections
        switch isEvicted || !isFull ? .evicted : requestEviction(for: connection) {
        case .evicted:
            connection.state = .reading
            watch(connection, .read)
        case .awaited: break
        case .none: rejectOverLimit(connection)
        }
    }

    /// Closes a connection because there are no descriptors for a new one.
    /// - Returns: whether a descriptor is free now; another worker may free one later.
    func freeDescriptor() -> Bool {
        let grace = TimeAmount(milliseconds: -Self.unfinishedRequestGrace.milliseconds)
        for _ in 0..<Self.maximumChoices {
            let choice = context.shares.withLock {
                $0.takeVictim(unfinishedSince: batch.now + grace, worker: context.index)
            }
            guard case .victim(let victim) = choice else { return false }
            guard victim.worker == context.index else {
                // Pause first, so that the other worker knows that it must report the close.
                pauseAccepting(forDescriptors: true)
                context.mailboxes[victim.worker].post(
                    .evictConnection(victim, forWorker: context.index, token: nil))
                return false
            }
            if evict(victim) { return true }
        }
        return false
    }

    /// Closes a connection of this worker, or sends it a 503. If a request has arrived since it was
    /// chosen, it stays and is counted again.
    /// - Returns: whether its place is free.
    func evict(_ victim: ConnectionShares.Victim) -> Bool {
        guard let connection = connections[victim.connectionID] else { return true }
        // It was rejected after it was chosen, and does not count any more.
        if connection.isRejected { return true }
        if connection.canRead {
            // Bytes that have arrived by now have arrived in time, although they were not read.
            read(connection)
            guard connection.isOpen else { return true }
        }
        let status = connection.conversation.state
        let kind = connection.activity.now.kind
        if connection.isInLingeringClose || connection.isIdle && !connection.isWaitingForEviction {
            context.counts.addEvicted(kind)
            close(connection)
            return true
        }
        if !victim.mayBeUnfinished || connection.isReadyToSend || connection.isHeld
            || status.wants == .response
        {
            _ = addToShares(connection)
            return false
        }
        context.counts.addEvicted(kind)
        if connection.isWaitingForEviction || status.isInsideMessage {
            rejectOverLimit(connection)
        } else {
            close(connection)
        }
        return true
    }

    /// Answers 503. The connection stays open until that is sent, but no longer counts towards the
    /// limit.
    func rejectOverLimit(_ connection: Connection) {
        connection.isRejected = true
        context.counts.reject()
        removeFromShares(connection)
        clearDeadline(connection)
        connection.conversation.reject(Self.tooManyConnections, date: batch.date.text)
        reportRejected("too_many_connections", .serviceUnavailable, connection)
        scheduleSend(connection)
    }

    /// Closes the connection that has been in lingering close longest.
    func closeOldestLingering() -> Bool {
        guard let slot = deadlines.first(.lingeringClose), let oldest = connections[slot: slot]
        else { return false }
        close(oldest)
        return true
    }
}

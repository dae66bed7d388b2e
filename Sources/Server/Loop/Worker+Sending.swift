import HTTP
import POSIX
import Time

/// The responses of a worker that wait for a sync. Grants and refusals are limited separately:
/// refusals can be caused without a password, and must not take the places of logins.
struct SyncHolds {
    /// Per kind; together with an eighth of the worker's connections, whichever is less.
    private static let maximum = 256

    private var grants = 0
    private var refusals = 0

    mutating func add(_ kind: Connection.PendingSync?) { change(kind, by: 1) }
    mutating func remove(_ kind: Connection.PendingSync?) { change(kind, by: -1) }

    private mutating func change(_ kind: Connection.PendingSync?, by count: Int) {
        switch kind {
        case .grant: grants += count
        case .refusal: refusals += count
        case nil: break
        }
    }

    func isFull(_ kind: Connection.PendingSync, maximumConnections: Int) -> Bool {
        let count =
            switch kind {
            case .grant: grants
            case .refusal: refusals
            }
        return count >= max(1, min(Self.maximum, maximumConnections / 8))
    }
}

extension Worker {
    private static let logUnavailable = retrying("Log unavailable")
    private static let lingeringCloseDiscardLimit = 4 << 20

    /// Makes the current batch send to the connection.
    func scheduleSend(_ connection: Connection) {
        guard !connection.isReadyToSend else { return }
        connection.state = .readyToSend
        // A client may receive its response, and open a new connection, before this batch ends.
        connection.activity.set(.readyToSend, since: MonotonicTime(nanoseconds: 0))
        batch.pendingSends.append(connection)
    }

    /// Commits the log, and sends to every scheduled connection.
    func sendPending() {
        guard !batch.pendingSends.isEmpty || batch.mustCommit else { return }
        batch.mustCommit = false
        if !context.hooks.commit(&batch.commitMark) {
            for connection in batch.pendingSends where connection.isOpen {
                replaceHeldResponses(connection)
            }
        }
        var held: [ConnectionID] = []
        for connection in batch.pendingSends where connection.isReadyToSend {
            if let kind = connection.pendingSync, hold(connection, kind) {
                held.append(connection.id)
                continue
            }
            connection.conversation.releaseHeldResponses()
            send(connection)
        }
        batch.pendingSends.removeAll(keepingCapacity: true)
        if !held.isEmpty {
            context.hooks.synchronize { [mailbox, held] in mailbox.post(.synced(held, $0)) }
        }
    }

    /// Replaces responses whose events could not be written by one 503.
    private func replaceHeldResponses(_ connection: Connection) {
        let conversation = connection.conversation.replaceHeldResponses(
            Self.logUnavailable, date: batch.date.text)
        guard conversation else { return }
        connection.pendingSync = nil
        context.counts.replaced.add()
        context.counts.addResponseWithoutRequest(.serviceUnavailable)
    }

    /// Holds a response back until its event is on disk. If too many of its kind wait, as on a disk
    /// that hangs, a refusal leaves at once, and a grant is replaced by 503.
    /// - Returns: false if there is something to send now.
    private func hold(_ connection: Connection, _ kind: Connection.PendingSync) -> Bool {
        guard !holds.isFull(kind, maximumConnections: options.maximumConnections) else {
            if kind == .grant { replaceHeldResponses(connection) }
            connection.pendingSync = nil
            return false
        }
        holds.add(kind)
        connection.state = .heldForSync
        watch(connection, .none)
        guard connection.isOpen else { return true }
        setDeadline(connection, .write)
        // It waits for the disk and not for its client, so it is not evicted.
        connection.activity.setBusy()
        return true
    }

    /// Sends a response that was held.
    /// - Parameter isOnDisk: false if the event could not be synced; the response is then replaced.
    func release(_ id: ConnectionID, isOnDisk: Bool) {
        guard let connection = connections[id], connection.isHeld else { return }
        holds.remove(connection.pendingSync)
        if !isOnDisk { replaceHeldResponses(connection) }
        connection.pendingSync = nil
        connection.conversation.releaseHeldResponses()
        clearDeadline(connection)
        send(connection)
    }

    private func send(_ connection: Connection) {
        switch connection.send() {
        case .close: close(connection)
        case .waitForWritability:
            watch(connection, .write)
            guard connection.isOpen else { return }
            if deadlines.kind(of: connection.slot) == .write {
                connection.activity.set(.writing, since: batch.now)
            } else {
                setDeadline(connection, .write)
            }
        case .startLingeringClose: startLingeringClose(connection)
        case .handleRequests:
            watch(connection, .read)
            guard connection.isOpen else { return }
            // Until the buffered requests are handled it is busy, and not evicted.
            batch.unfinished.append(connection)
            clearDeadline(connection)
        case .read(let status):
            watch(connection, .read)
            guard connection.isOpen else { return }
            if deadlines.kind(of: connection.slot) == .write { clearDeadline(connection) }
            setReadingDeadline(connection, status)
        }
    }

    func startLingeringClose(_ connection: Connection) {
        connection.startLingeringClose()
        watch(connection, .read)
        if connection.isOpen { setDeadline(connection, .lingeringClose) }
    }

    func discard(_ connection: Connection) {
        let isOpen = connection.discard(
            into: &batch.buffer, limit: Self.lingeringCloseDiscardLimit)
        if !isOpen { close(connection) }
    }
}

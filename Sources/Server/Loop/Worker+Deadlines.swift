import HTTP
import POSIX
import Time

extension Worker {
    /// How long a client may take to close after the last response, as in nginx's
    /// `lingering_timeout`, shortened because a connection in this state is evicted first.
    private static let lingeringCloseTimeout = TimeAmount.seconds(2)

    static func timeout(of kind: DeadlineQueue.Kind, _ options: ServerOptions) -> TimeAmount {
        switch kind {
        case .head: options.headTimeout
        case .body: options.bodyTimeout
        case .idle: options.idleTimeout
        case .write: options.writeTimeout
        case .lingeringClose: lingeringCloseTimeout
        }
    }

    /// Sets the deadline for the bytes that the conversation awaits. A deadline of the same kind
    /// that runs already is not extended by another byte.
    func setReadingDeadline(_ connection: Connection, _ status: Conversation.State) {
        let current = deadlines.kind(of: connection.slot)
        guard let kind = Connection.deadline(for: status.wants, current: current) else {
            return clearDeadline(connection)
        }
        if kind == .body { batch.bufferHoldsContent = true }
        if kind != current { setDeadline(connection, kind) }
    }

    func setDeadline(_ connection: Connection, _ kind: DeadlineQueue.Kind) {
        deadlines.set(connection.slot, kind, now: batch.now)
        connection.activity.set(ConnectionActivity.Kind(kind), since: batch.now)
    }

    func clearDeadline(_ connection: Connection) {
        deadlines.clear(connection.slot)
        connection.activity.setBusy()
    }

    func expireDeadlines() {
        while let (slot, kind) = deadlines.removeExpired(now: batch.now) {
            guard let connection = connections[slot: slot] else { continue }
            if isDraining, kind == .idle {
                closeIdleGracefully(connection)
            } else {
                expire(kind, connection)
            }
        }
    }

    private func expire(_ kind: DeadlineQueue.Kind, _ connection: Connection) {
        // Bytes that have arrived by now have arrived in time, although they were not read.
        switch kind {
        case .idle:
            read(connection)
            guard connection.isIdle else { return }
        case .head where connection.isWaitingForEviction:
            // The other worker has not answered: its log may be on a disk that hangs.
            return rejectOverLimit(connection)
        case .head, .body:
            let awaited = connection.conversation.state.wants
            read(connection)
            guard connection.stillAwaits(awaited) else { return }
            clearDeadline(connection)
        case .write, .lingeringClose: break
        }
        context.counts.add(kind)
        switch kind {
        case .head where connection.conversation.state.isInsideMessage:
            reject(connection, .headTimeout)
        case .body: reject(connection, .bodyTimeout)
        case .head, .idle, .write, .lingeringClose: close(connection)
        }
    }
}

extension Connection {
    /// Whether the connection waits for the rest of the same part of a message as before.
    fileprivate func stillAwaits(_ awaited: Conversation.State.Awaiting) -> Bool {
        guard isOpen, !isReadyToSend else { return false }
        switch conversation.state.wants {
        case .message, .head: return awaited == .message || awaited == .head
        case .body: return awaited == .body
        case .response, .nothing: return false
        }
    }
}

extension ConnectionActivity.Kind {
    fileprivate init(_ deadline: DeadlineQueue.Kind) {
        self =
            switch deadline {
            case .head: .head
            case .body: .body
            case .idle: .idle
            case .write: .writing
            case .lingeringClose: .lingering
            }
    }
}

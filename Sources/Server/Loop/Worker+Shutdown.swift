import Dispatch
import HTTP
import POSIX
import Time

extension Worker {
    /// Connections that wait to be accepted when the server stops: the backlog of `Socket.listen`.
    private static let acceptsWhileStopping = 4096

    /// Accepts the connections that are established already, closes the listeners, and lets every
    /// connection finish its request.
    ///
    /// Closing an idle connection can race with a request that is in flight, and the client would
    /// lose it. So each idle connection stays open for a grace period: a request that arrives is
    /// answered with `Connection: close`. Then the server shuts its side down and discards what
    /// still arrives for a second grace period, because a full close would send RST and could
    /// destroy a response that the client has not read. A request that crosses even that sees EOF
    /// without a response, and the client may retry it (RFC 9112 §9.3.1). The grace period is short
    /// because new clients wait for the next process meanwhile.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        let idle = connections.all.filter(\.isIdle)
        // All at once, because deadlines of a kind expire in the order in which they are set.
        for connection in idle { deadlines.clear(connection.slot) }
        let grace = TimeAmount(
            milliseconds: min(
                options.idleDrainTimeout.milliseconds, options.drainTimeout.milliseconds / 10))
        deadlines.change { $0 == .idle ? grace : Self.timeout(of: $0, options) }
        for connection in idle { deadlines.set(connection.slot, .idle, now: batch.now) }
        // An inherited socket stays open in another process, which accepts what waits in it.
        for listener in acceptor.listeners where listener.isInherited {
            try? poller.remove(listener.socket.rawValue)
        }
        // A worker has at most one listener of its own, and so its index does not change here.
        acceptor.listeners.removeAll(where: \.isInherited)
        acceptLast()
        for listener in acceptor.listeners { try? Socket.listen(listener.socket, backlog: 0) }
    }

    /// Accepts the connections that wait while stopping, and closes the listener after them. Those
    /// for which there are no descriptors wait until open connections have closed; the backlog of 0
    /// lets at most one more connection wait.
    func acceptLast() {
        endAcceptPause()
        let all = acceptor.listeners
        acceptor.listeners = all.filter {
            !acceptConnections(from: $0, atMost: Self.acceptsWhileStopping)
        }
    }

    /// One of the two grace periods of `drain` is over.
    func closeIdleGracefully(_ connection: Connection) {
        guard !connection.isInLingeringClose else { return close(connection) }
        read(connection)
        guard connection.isIdle else { return }
        startLingeringClose(connection)
        guard connection.isOpen else { return }
        // No response has to arrive, so this takes less time than after one.
        deadlines.set(connection.slot, .idle, now: batch.now)
    }

    /// Closes everything at once: the drain time is over.
    func abort() {
        acceptor.listeners = []
        for connection in connections.all {
            if !connection.isIdle, !connection.isInLingeringClose { context.counts.noteCutOff() }
            close(connection)
        }
    }

    func finishDraining() {
        // Once, however often the server is stopped.
        guard let source = wakeUp.source else { return }
        source.cancel()
        wakeUp.timer?.cancel()
        wakeUp.source = nil
        // The mailbox is not read any more, but the senders wait for these.
        for message in mailbox.takeAll() {
            switch message {
            case .evictConnection(_, let worker, let id?):
                context.mailboxes[worker].post(.evictionResult(true, token: id))
            case .ping(let answer): answer()
            case .updateConfiguration(_, _, let whenTaken): whenTaken()
            default: break
            }
        }
        context.whenDrained()
    }
}

import HTTP
import POSIX

extension Worker {
    /// Connections accepted in a row before the open ones are served.
    private static let acceptsPerBatch = 64
    /// The same for a listener that several workers poll: the first to wake must leave some to the
    /// others.
    private static let acceptsPerBatchWhenShared = 4

    func acceptBatch(from listener: Listener) {
        _ = acceptConnections(
            from: listener,
            atMost: listener.isInherited ? Self.acceptsPerBatchWhenShared : Self.acceptsPerBatch)
    }

    /// - Returns: false if connections may wait for which there are no descriptors.
    func acceptConnections(from listener: Listener, atMost limit: Int) -> Bool {
        var hasEvicted = false
        for _ in 0..<limit {
            var peer = PeerAddress()
            do throws(Errno) {
                let socket = try Socket.accept(listener.socket, &peer)
                try register(socket, peer.client)
                hasEvicted = false
            } catch {
                if error == .wouldBlock { return true }
                if Socket.isTransientAcceptError(error) { continue }
                reportAcceptFailed(error)
                // Out of descriptors (EMFILE, ENFILE): evict one connection and try once more, so
                // that idle clients cannot prevent new connections. Once, because another thread
                // may take the freed descriptor. For other resources (ENOMEM, ENOBUFS) eviction
                // does not help.
                let lacksDescriptors =
                    error == .tooManyOpenFiles || error == .tooManyOpenFilesInSystem
                guard lacksDescriptors, !hasEvicted, freeDescriptor() else {
                    pauseAccepting(forDescriptors: lacksDescriptors)
                    return !lacksDescriptors
                }
                hasEvicted = true
            }
        }
        return true
    }

    private func register(
        _ socket: consuming FileDescriptor, _ client: ClientAddress
    ) throws(Errno) {
        context.counts.accepted.add()
        // Of the places above the limit, the first half is for connections that get a 503. In the
        // second half connections are closed without a response, or wait for an eviction.
        let total = context.counts.connections
        let isCrowded =
            total >= options.maximumConnections + options.excessConnections / 2
            && !closeOldestLingering()
        if isCrowded,
            context.counts.connections >= options.maximumConnections + options.excessConnections
        {
            return context.counts.tooMany.add()
        }
        let fileDescriptor = socket.rawValue
        let connection = makeConnection(socket, client)
        connections.insert(connection)
        context.counts.begin()
        let isFull = addToShares(connection) > options.maximumConnections
        let outcome = isFull ? requestEviction(for: connection) : .evicted
        connection.interest = outcome == .evicted ? .read : .none
        do throws(Errno) {
            try poller.add(fileDescriptor, connection.interest, token: connection.id)
        } catch {
            close(connection)
            throw error
        }
        // While stopping it gets no more time than the open connections.
        deadlines.set(connection.slot, isDraining ? .idle : .head, now: batch.now)
        switch outcome {
        case .evicted: break
        case .awaited: connection.state = .waitingForEviction
        case .none where isCrowded:
            context.counts.tooMany.add()
            close(connection)
        case .none: rejectOverLimit(connection)
        }
    }

    private func makeConnection(
        _ socket: consuming FileDescriptor, _ client: ClientAddress
    ) -> Connection {
        let proxies = options.trustedProxies.ifTrusted(client)
        // A client of a Unix domain socket has no address, and may be a proxy.
        let hasNetworks = proxies == nil && NetworkAddress(client.utf8) != nil
        return Connection(
            socket, id: connections.reserve(),
            Conversation(
                limits: options.limits, client: client, seed: connections.nextSeed(),
                proxies: proxies, expectsProxyHeader: options.expectsProxyHeader,
                hosts: options.acceptedHosts),
            ConnectionActivity(.head, since: batch.now), hasNetworks ? ClientNetworks(client) : nil)
    }

    // MARK: Pausing

    private func reportAcceptFailed(_ error: Errno) {
        guard acceptor.reportIsDue(batch.now) else { return }
        context.hooks.acceptFailed(error)
        batch.mustCommit = true
    }

    /// Leaves new connections in the kernel's queue for a moment; without descriptors at most until
    /// a connection of any worker closes.
    func pauseAccepting(forDescriptors: Bool) {
        guard acceptor.beginPause(batch.now, forDescriptors: forDescriptors) else { return }
        watchListeners(.none)
        if forDescriptors { context.counts.beginWaiting() }
    }

    /// Accepts again, because descriptors may be free. If connections were closed here, the other
    /// workers are notified.
    func resumeAccepting() {
        if isDraining, acceptor.isPaused {
            // In the next batch: the queue may be empty, and then no event would come.
            acceptor.expirePause()
        } else {
            endAcceptPause()
        }
        guard acceptor.hasFreedDescriptors else { return }
        acceptor.hasFreedDescriptors = false
        guard context.counts.hasWaitingWorkers else { return }
        for index in context.mailboxes.indices where index != context.index {
            context.mailboxes[index].post(.descriptorsAvailable)
        }
    }

    func endAcceptPause() {
        guard let wasForDescriptors = acceptor.endPause() else { return }
        if wasForDescriptors { context.counts.endWaiting() }
        watchListeners(.read)
    }

    private func watchListeners(_ interest: Poller.Interest) {
        for (index, listener) in acceptor.listeners.enumerated() {
            let userData = Self.listenerUserData - UInt64(index)
            try? poller.change(listener.socket.rawValue, interest, token: userData)
        }
    }
}

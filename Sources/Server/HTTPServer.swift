import Dispatch
import HTTP
import POSIX
import Time

/// An HTTP server: workers that share a port, or one worker on a Unix domain socket. It handles
/// sockets and Dispatch only. The routes handle requests, and the hooks record what must be on
/// record before a response is sent.
package final class HTTPServer: Sendable {
    /// The address it listens on; with the actual port if port 0 was requested.
    package let address: SocketAddress
    /// The file of a Unix domain socket.
    private let file: SocketFile?
    private let workers: [Worker]
    private let drained = DispatchGroup()
    /// The current options. The lock is held while updates are posted, so that all workers get
    /// several updates in the same order.
    private let options: Monitor<ServerOptions>
    private let offload: OffloadQueues
    private let counts = ServerCounts()

    /// How long a worker may take to read its mailbox, in seconds: far longer than any batch,
    /// unless a write to the log blocks on a failed disk.
    package static let replacementTimeout = 2.0

    /// Opens the listeners. The server accepts connections once `start` is called.
    /// - Parameter inherited: Sockets to use instead of the options' address; `address` is then the
    ///   address of the first of them.
    /// - Throws: The error of the failed system call; `SocketAddress.sentence(for:)` describes it
    ///   for an operator. `.addressInUse` if another server listens on the address.
    package init(
        _ options: ServerOptions, inherited: [InheritedSocket] = [], routes: RouteTable,
        hooks: ServerHooks
    ) throws(Errno) {
        precondition(options.workers > 0)
        self.options = Monitor(options)
        let offload = OffloadQueues(options)
        self.offload = offload
        var (address, file): (SocketAddress, SocketFile?) = (options.address, nil)
        // For each worker.
        var listeners: [[Listener]] = []
        if let first = inherited.first {
            // Every worker polls all inherited sockets. With one socket per worker (SO_REUSEPORT)
            // the kernel assigns a connection to a worker when it is established; with a shared
            // socket the first worker to call accept(2) gets it.
            address = first.address
            listeners = Array(repeating: inherited.map(\.listener), count: options.workers)
        } else if case .unix(let path) = address.host {
            let listener = try Socket.unboundListener()
            file = try SocketFile(path, bindingTo: listener)
            listeners = [[Listener(listener)]]
        } else {
            try Socket.checkUnused(address)
            for _ in 0..<options.workers {
                let listener = try Socket.listener(on: address)
                if address.port == 0, let bound = try Socket.address(of: listener.rawValue) {
                    address = bound
                }
                listeners.append([Listener(listener)])
            }
        }
        self.file = file
        var mailboxes: [WorkerMailbox] = []
        for _ in listeners { mailboxes.append(try WorkerMailbox()) }
        var workers: [Worker] = []
        let (drained, counts) = (drained, counts)
        let shares = Monitor(ConnectionShares())
        for (index, listeners) in listeners.enumerated() {
            let context = WorkerContext(
                index: index, mailboxes: mailboxes, hooks: hooks, offload: offload, counts: counts,
                shares: shares, whenDrained: { drained.leave() })
            workers.append(
                try Worker(context, listeners: listeners, options: options, routes: routes))
        }
        self.address = address
        self.workers = workers
    }

    /// Starts the workers.
    package func start() {
        for worker in workers {
            drained.enter()
            worker.start()
        }
    }

    /// Replaces the routes and options. A request in progress is finished by the old ones, running
    /// deadlines do not change, and a connection retains the limits that it started with. The
    /// address, the number of workers and the offload queues never change.
    ///  Returns when every worker has applied the update. Must not be called on a worker.
    /// - Parameter seconds: How long to wait for that.
    /// - Returns: Whether all workers have applied it in time; the others will when they read their
    ///   mailbox. Also false if the server has not started or has stopped.
    @discardableResult
    package func replace(
        routes: RouteTable, options: ServerOptions, within seconds: Double = replacementTimeout
    ) -> Bool {
        let taken = DispatchGroup()
        self.options.withLock { latest in
            latest = options
            for worker in workers {
                taken.enter()
                worker.mailbox.post(
                    .updateConfiguration(routes, options, whenApplied: { taken.leave() }))
            }
        }
        return taken.wait(timeout: .now() + seconds) == .success
    }

    /// The server's counts and totals. May be called on any thread.
    package var statistics: ServerStatistics { counts.statistics(offload) }

    /// Whether a worker has unread messages, for tests that wait until one was posted.
    var hasUnreadMessages: Bool { workers.contains { !$0.mailbox.isEmpty } }

    /// Asks every worker for a sign of life. A worker answers when it reads its mailbox, between
    /// two batches.
    /// - Parameter answered: Called once all workers have answered, on one of them; never if one
    ///   does not answer.
    package func checkLiveness(_ answered: @escaping @Sendable () -> Void) {
        let missing = Monitor(workers.count)
        for worker in workers {
            worker.mailbox.post(
                .ping {
                    let isLast = missing.withLock { missing in
                        missing -= 1
                        return missing == 0
                    }
                    if isLast { answered() }
                })
        }
    }

    /// Stops: accepts no new connections, answers requests in progress, and after `drainTimeout`
    /// closes the connections that are left. Returns when no connection is left. Must not be called
    /// on a worker.
    /// - Returns: Whether all requests were answered.
    @discardableResult
    package func stop() -> Bool {
        // While the socket still listens; see `SocketFile`.
        file?.remove()
        for worker in workers { worker.mailbox.post(.drain) }
        let seconds = Double(options.withLock { $0.drainTimeout }.milliseconds) / 1000
        if drained.wait(timeout: .now() + seconds) == .success {
            return !counts.hasCutOff
        }
        for worker in workers { worker.mailbox.post(.abort) }
        // A worker that is blocked in a write to a failed disk must not keep the process alive.
        _ = drained.wait(timeout: .now() + Self.abandonTimeout)
        return false
    }

    /// Closes all remaining connections, so that a running `stop` returns.
    package func abandon() {
        for worker in workers { worker.mailbox.post(.abort) }
    }

    /// How long workers may take to close their connections, in seconds.
    private static let abandonTimeout = 0.3
}

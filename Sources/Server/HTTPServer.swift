import Dispatch
import HTTP
import POSIX
import Time

/// An HTTP server: workers that share a port, or one worker on a Unix domain socket. Knows sockets
/// and Dispatch; what a request means is the routes' affair, what must be on record before an answer
/// leaves is the hooks'.
package final class HTTPServer: Sendable {
    /// Where it listens; the real port, if port 0 was asked for.
    package let address: SocketAddress
    /// That of a Unix domain socket.
    private let file: SocketFile?
    private let workers: [Worker]
    private let drained = DispatchGroup()
    /// The latest. The lock is held while they are posted, so that all workers get several
    /// replacements in the same order.
    private let options: Monitor<ServerOptions>
    private let offload: OffloadQueues
    private let counts = ServerCounts()

    /// How long a worker may take to read its mail, in seconds: far longer than any batch, but for one
    /// whose log hangs on a dead disk.
    package static let replacementTimeout = 2.0

    /// Opens the listeners, and serves from the moment `start` is called.
    /// - Parameter inherited: sockets to serve in place of the options' address; of one kind.
    /// - Throws: see `SocketAddress.sentence(for:)` for what an operator can make of it.
    package init(
        _ options: ServerOptions, inherited: [InheritedSocket] = [], routes: RouteTable,
        hooks: ServerHooks
    ) throws(Errno) {
        precondition(options.workers > 0)
        self.options = Monitor(options)
        let offload = OffloadQueues(options)
        self.offload = offload
        var (address, file): (SocketAddress, SocketFile?) = (options.address, nil)
        // Of each worker.
        var listeners: [[Listener]] = []
        if let first = inherited.first {
            // Each takes what it can get: which of them a connection goes to is decided when it is made
            // where there is a socket for each, and when it is taken where they share one.
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

    package func start() {
        for worker in workers {
            drained.enter()
            worker.start()
        }
    }

    /// Serves by these routes and options from now on. What is being handled ends as it was begun,
    /// deadlines that run are kept, and a connection keeps the limits that it began with. The address,
    /// the number of workers and the queues for slow work stay what they are, whatever `options` says.
    ///
    /// Returns when every worker has taken them; must not be called on one of them.
    /// - Returns: whether they have, within two seconds; those that have not will
    ///   when they read their mail. Also false if the server does not serve: not yet, or no more.
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
                    .updateConfiguration(routes, options, whenTaken: { taken.leave() }))
            }
        }
        return taken.wait(timeout: .now() + seconds) == .success
    }

    /// How it is doing; may be asked by any thread.
    package var statistics: ServerStatistics { counts.statistics(offload) }

    /// Whether a worker has mail that it has not read; for tests, which want to know that some was posted.
    var hasUnreadMail: Bool { workers.contains { !$0.mailbox.isEmpty } }

    /// Asks every worker whether it still works: reads its mail, which it does between two batches.
    /// - Parameter answered: called by the last of them that answers, which may be never.
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

    /// Stops: no new connections, what was begun is answered, and after `drainTimeout` what is left
    /// is cut off. Returns when no connection is left; must not be called on a worker.
    /// - Returns: whether nothing had to be cut off.
    @discardableResult
    package func stop() -> Bool {
        // While it still listens; see there.
        file?.remove()
        for worker in workers { worker.mailbox.post(.drain) }
        let seconds = Double(options.withLock { $0.drainTimeout }.milliseconds) / 1000
        if drained.wait(timeout: .now() + seconds) == .success {
            return !counts.hasCutOff
        }
        for worker in workers { worker.mailbox.post(.abort) }
        // A worker that hangs in a write to a dead disk must not keep the process.
        _ = drained.wait(timeout: .now() + Self.abandonTimeout)
        return false
    }

    /// Cuts off what is left, so that a stop that is under way returns.
    package func abandon() {
        for worker in workers { worker.mailbox.post(.abort) }
    }

    /// How long workers may take to cut off their connections, in seconds.
    private static let abandonTimeout = 0.3
}

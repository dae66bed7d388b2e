import Dispatch
import HTTP
import POSIX
import Time

/// An HTTP server: workers that share a port. Knows sockets and Dispatch; what a request means is
/// the routes' affair, what must be on record before an answer leaves is the hooks'.
package final class HTTPServer: Sendable {
    /// Where it listens; the real port, if port 0 was asked for.
    package let address: SocketAddress
    private let workers: [Worker]
    private let drained = DispatchGroup()
    private let options: ServerOptions

    /// Opens the listeners, and serves from the moment `start` is called.
    package init(
        _ options: ServerOptions, routes: RouteTable, hooks: ServerHooks
    ) throws(Errno) {
        precondition(options.workers > 0)
        self.options = options
        try Socket.checkUnused(options.address)
        let offload = OffloadQueues(options)
        let connectionCount = ConnectionCount()
        var address = options.address
        var workers: [Worker] = []
        let drained = drained
        for number in 0..<options.workers {
            let listener = try Socket.listener(on: address)
            if address.port == 0 {
                address = SocketAddress(
                    host: address.host, port: try Socket.port(of: listener))
            }
            workers.append(
                try Worker(
                    number: number, listener: listener, options, routes, hooks, offload,
                    connectionCount, whenDrained: { drained.leave() }))
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

    /// Stops: no new connections, what was begun is answered, and after `drainTimeout` what is left
    /// is cut off. Returns when no connection is left; must not be called on a worker.
    /// - Returns: whether nothing had to be cut off.
    @discardableResult
    package func stop() -> Bool {
        for worker in workers { worker.mailbox.post(.stop) }
        let seconds = Double(options.drainTimeout.count) / 1000
        if drained.wait(timeout: .now() + seconds) == .success { return true }
        for worker in workers { worker.mailbox.post(.abandon) }
        // A worker that hangs in a write to a dead disk must not keep the process.
        _ = drained.wait(timeout: .now() + 2)
        return false
    }
}

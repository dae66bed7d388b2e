import HTTP
import POSIX
import Time

/// The operator's settings for the listener and its connections.
package struct ServerOptions: Sendable {
    package var address = SocketAddress.loopback(port: 8080)
    /// The number of workers, serial queues that each serve a share of the connections. A Unix
    /// domain socket has one.
    package var workers = 1
    /// The number of connections that are served.
    package var maximumConnections = 10_000
    /// The number of connections above the maximum that may be open while they are rejected, or
    /// wait for an eviction.
    package var excessConnections = 1024
    /// The peers whose forwarding fields are trusted.
    package var trustedProxies = TrustedProxies.none
    /// Whether connections of trusted proxies begin with a PROXY header. Those of other peers never
    /// do.
    package var expectsProxyHeader = false
    /// The hosts that a request may name.
    package var acceptedHosts = AcceptedHosts.any
    package var limits = Conversation.Limits()
    /// From a message's first byte, or from the start of the connection, to the end of its head.
    package var headTimeout = TimeAmount.seconds(10)
    /// From the end of the head to the end of the body.
    package var bodyTimeout = TimeAmount.seconds(20)
    /// Between a response and the next message.
    package var idleTimeout = TimeAmount.seconds(75)
    /// From the first byte that the client does not read at once to the last byte queued for it,
    /// whatever it reads in between.
    package var writeTimeout = TimeAmount.seconds(20)
    /// From the start of a stop to the end of the last connection.
    package var drainTimeout = TimeAmount.seconds(10)
    /// How long an idle connection may still send a request when the server stops, but at most a
    /// tenth of `drainTimeout`. A client that polls sends its next request within half a second.
    package var idleDrainTimeout = TimeAmount(milliseconds: 500)
    /// The limits of the offload queues. CPU-bound work should leave the workers a processor. Work
    /// that waits for the disk gains from concurrency, because one sync serves all of it.
    package var cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 64)
    package var ioBoundWork = QueueLimits(maximumConcurrent: 16, maximumQueued: 1024)

    package init() {}
}

/// The limits of an offload queue.
package struct QueueLimits: Sendable, Equatable {
    /// Work that runs at a time.
    package var maximumConcurrent: Int
    /// Work that is queued beyond that; more is rejected.
    package var maximumQueued: Int

    package init(maximumConcurrent: Int, maximumQueued: Int) {
        self.maximumConcurrent = maximumConcurrent
        self.maximumQueued = maximumQueued
    }
}

/// How the server reports to the application. It knows neither log nor tokens.
package struct ServerHooks: Sendable {
    /// Writes what the handlers and the hooks below have recorded. Called before a batch of
    /// responses is sent; if it returns false, the responses held for it are replaced by 503.
    /// `mark` belongs to the hook, one for each worker, to remember the state of its last call.
    package var commit: @Sendable (_ mark: inout UInt64) -> Bool
    /// Calls `done`, on any thread, when everything committed before is on disk; with false if the
    /// responses that wait for it must be replaced. Must not block.
    package var synchronize: @Sendable (_ done: @escaping @Sendable (Bool) -> Void) -> Void
    /// A request or connection was rejected before a handler has seen it.
    package var rejected: @Sendable (RejectedRequest) -> Void
    /// No connection could be accepted for lack of descriptors or memory: a connection is evicted,
    /// or accepting pauses. Each worker reports this at most once a second.
    package var acceptFailed: @Sendable (Errno) -> Void

    package init(
        commit: @escaping @Sendable (_ mark: inout UInt64) -> Bool,
        synchronize: @escaping @Sendable (_ done: @escaping @Sendable (Bool) -> Void) -> Void = {
            $0(true)
        },
        refused: @escaping @Sendable (RejectedRequest) -> Void,
        acceptFailed: @escaping @Sendable (Errno) -> Void
    ) {
        self.commit = commit
        self.synchronize = synchronize
        self.rejected = refused
        self.acceptFailed = acceptFailed
    }
}

/// A rejected request or connection, for the log.
package struct RejectedRequest: Sendable {
    package let reason: StaticString
    package let status: Status
    package let client: ClientAddress
    package let id: RequestID
}

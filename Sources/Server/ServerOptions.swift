import HTTP
import POSIX
import Time

/// What an operator chooses about the listener and its connections.
package struct ServerOptions: Sendable {
    package var address = SocketAddress.loopback(port: 8080)
    /// Serial queues that each serve a share of the connections; a Unix domain socket has one.
    package var workers = 1
    package var maximumConnections = 10_000
    /// Connections past the maximum that are being refused, or wait for another one's end, at most.
    package var excessConnections = 1024
    /// Whose word about where a request comes from is taken.
    package var trustedProxies = TrustedProxies.none
    /// Whether the connections of those begin with a PROXY header; those of others never do.
    package var expectsProxyHeader = false
    /// The hosts that a request may name.
    package var acceptedHosts = AcceptedHosts.any
    package var limits = Conversation.Limits()
    /// From a message's first byte, or from the connection's beginning, to the end of its head.
    package var headTimeout = TimeAmount.seconds(10)
    /// From the end of the head to the end of the body.
    package var bodyTimeout = TimeAmount.seconds(20)
    /// Between a response and the next message.
    package var idleTimeout = TimeAmount.seconds(75)
    /// From the first byte that the client does not take at once to the last one that is queued for
    /// it, however little it takes at a time.
    package var writeTimeout = TimeAmount.seconds(20)
    /// From the request to stop to the last connection's end.
    package var drainTimeout = TimeAmount.seconds(10)
    /// How long a connection that asks for nothing may still ask when the server stops, if that is not
    /// more than a tenth of the drain time: a client that keeps asking asks again in half a second.
    package var lastRequestTimeout = TimeAmount(milliseconds: 500)
    /// Slow work that is done at a time and that waits behind it. What computes should leave the workers
    /// a processor; what waits for the disk gains from company, because one sync serves all of it.
    package var cpuBoundWork = QueueLimits(maximumConcurrent: 1, maximumQueued: 64)
    package var ioBoundWork = QueueLimits(maximumConcurrent: 16, maximumQueued: 1024)

    package init() {}
}

/// How much slow work of a kind there may be.
package struct QueueLimits: Sendable, Equatable {
    /// At a time.
    package var maximumConcurrent: Int
    /// Behind those; what is past both is refused.
    package var maximumQueued: Int

    package init(maximumConcurrent: Int, maximumQueued: Int) {
        self.maximumConcurrent = maximumConcurrent
        self.maximumQueued = maximumQueued
    }
}

/// What the server tells the house around it. It knows neither log nor tokens.
package struct ServerHooks: Sendable {
    /// Puts on record what the handlers and the hooks below have recorded. Called before a batch of
    /// responses is sent; false takes the audited ones of them back.
    /// The mark is the hook's own, one for each worker: what it needs to know of its last call.
    package var commit: @Sendable (_ mark: inout UInt64) -> Bool
    /// Calls `done`, on any thread, when what was committed before is on the disk; with false if the
    /// responses that wait for it are to be taken back. Must not wait for that itself.
    package var synchronize: @Sendable (_ done: @escaping @Sendable (Bool) -> Void) -> Void
    /// A connection was refused something before any handler saw it.
    package var refused: @Sendable (RejectedRequest) -> Void
    /// No connection could be accepted for want of descriptors or memory: an idle one makes room, or
    /// accepting pauses for a moment. Each worker says so at most once a second.
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
        self.refused = refused
        self.acceptFailed = acceptFailed
    }
}

/// Something that was refused, for the log.
package struct RejectedRequest: Sendable {
    package let reason: StaticString
    package let status: Status
    package let client: ClientAddress
    package let id: RequestID
}

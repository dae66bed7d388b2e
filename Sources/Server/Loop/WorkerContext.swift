import POSIX

/// What a worker shares with the server and the other workers. All of it may be used by any thread.
struct WorkerContext: Sendable {
    /// The worker's index in `mailboxes`.
    let index: Int
    let mailboxes: [WorkerMailbox]
    let hooks: ServerHooks
    let offload: OffloadQueues
    let counts: ServerCounts
    let shares: Monitor<ConnectionShares>
    /// Called once, after the last connection of a worker that stops has closed.
    let whenDrained: @Sendable () -> Void

    var mailbox: WorkerMailbox { mailboxes[index] }
}

import POSIX
import Synchronization
import Time

/// What the workers of a server know of each other: where a worker's mail goes, and how long its
/// oldest idle connection has been idle.
final class Neighbour: Sendable {
    let mailbox: Mailbox
    private let idleDeadline = Atomic<Int64>(MonotonicTime.distantFuture.nanoseconds)

    init() throws(Errno) { mailbox = try Mailbox() }

    /// When the worker's oldest idle connection will have been so for too long, as of its last batch;
    /// in the distant future if it has none.
    var nextIdleDeadline: MonotonicTime {
        MonotonicTime(nanoseconds: idleDeadline.load(ordering: .relaxed))
    }

    /// For the worker itself.
    func publish(nextIdleDeadline: MonotonicTime) {
        idleDeadline.store(nextIdleDeadline.nanoseconds, ordering: .relaxed)
    }
}

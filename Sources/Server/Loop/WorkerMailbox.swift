import HTTP
import POSIX

/// Messages that must reach a worker at once, even while it waits for events: an array under a
/// lock, and a pipe that wakes the worker's poller.
final class WorkerMailbox: Sendable {
    enum WorkerMessage: Sendable {
        /// The response to an offloaded request of the connection with this ID.
        case responseReady(Response, token: UInt64)
        /// An offloaded request of this client, on the connection with this ID, was evicted from
        /// its queue.
        case offloadRejected(ClientAddress, token: UInt64)
        /// The events of the held responses of these connections are on disk. False if they could
        /// not be put there, and the responses must be replaced.
        case synced([UInt64], Bool)
        /// New routes and options; `whenTaken` is called once the worker uses them.
        case updateConfiguration(RouteTable, ServerOptions, whenApplied: @Sendable () -> Void)
        /// Evict a connection of this worker: for the connection with this ID of another worker,
        /// or, without an ID, because that worker has no free descriptors.
        case evictConnection(ConnectionShares.Victim, forWorker: Int, token: UInt64?)
        /// The reply: whether the connection with this ID may be served.
        case evictionResult(Bool, token: UInt64)
        /// Another worker has closed connections while this one waits for descriptors.
        case descriptorsAvailable
        /// A liveness check; the worker calls the closure when it reads its mailbox.
        case ping(@Sendable () -> Void)
        /// The server stops.
        case drain
        /// The time for draining is over.
        case abort
    }

    private let messages = Monitor<[WorkerMessage]>([])
    private let pipe: Pipe

    init() throws(Errno) {
        pipe = try Pipe()
    }

    /// The descriptor that the poller watches.
    var fileDescriptor: CInt { pipe.readingEnd.rawValue }

    var isEmpty: Bool { messages.withLock(\.isEmpty) }

    func post(_ message: WorkerMessage) {
        let wasEmpty = messages.withLock { queued in
            queued.append(message)
            return queued.count == 1
        }
        // If the pipe is full, the worker is already being woken.
        if wasEmpty { _ = try? pipe.writingEnd.write([1].span) }
    }

    /// Removes and returns all messages, in order.
    func takeAll() -> [WorkerMessage] {
        var bytes = [UInt8](repeating: 0, count: 16)
        var buffer = bytes.mutableSpan
        _ = try? pipe.readingEnd.read(into: &buffer)
        return messages.withLock { queued in
            defer { queued = [] }
            return queued
        }
    }
}

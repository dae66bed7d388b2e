import HTTP
import POSIX

/// What must reach a worker at once, lingering or not: an array under a lock and a pipe that wakes
/// the worker's poller.
final class WorkerMailbox: Sendable {
    enum WorkerMessage: Sendable {
        /// The response to an offloaded request of the connection with this token.
        case responseReady(Response, token: UInt64)
        /// An offloaded request of this client, on the connection with this token, had to make room.
        case offloadRejected(ClientAddress, token: UInt64)
        /// The events of the responses that wait on these connections are on the disk; false if they
        /// could not be put there and the responses are to be taken back.
        case synced([UInt64], Bool)
        /// What has been configured anew; `whenTaken` is called once the worker goes by it.
        case updateConfiguration(RouteTable, ServerOptions, whenTaken: @Sendable () -> Void)
        /// A connection of this worker is to end: for the one with this token of another worker, or
        /// because that worker has no descriptors left.
        case evictConnection(ConnectionShares.Victim, forWorker: Int, token: UInt64?)
        /// The answer: whether there is room for the connection with this token.
        case evictionResult(Bool, token: UInt64)
        /// Somebody has closed connections while this worker waits for descriptors.
        case descriptorsAvailable
        /// Is anybody there? Called by a worker that still reads its mail.
        case ping(@Sendable () -> Void)
        case drain
        /// The drain time is over.
        case abort
    }

    private let messages = Monitor<[WorkerMessage]>([])
    private let pipe: Pipe

    init() throws(Errno) {
        pipe = try Pipe()
    }

    /// What the poller watches.
    var fileDescriptor: CInt { pipe.readingEnd.rawValue }

    var isEmpty: Bool { messages.withLock(\.isEmpty) }

    func post(_ letter: WorkerMessage) {
        let wasEmpty = messages.withLock { letters in
            letters.append(letter)
            return letters.count == 1
        }
        // A pipe that is full is already waking the worker.
        if wasEmpty { _ = try? pipe.writingEnd.write([1].span) }
    }

    func takeAll() -> [WorkerMessage] {
        var bytes = [UInt8](repeating: 0, count: 16)
        var buffer = bytes.mutableSpan
        _ = try? pipe.readingEnd.read(into: &buffer)
        return messages.withLock { letters in
            defer { letters = [] }
            return letters
        }
    }
}

import HTTP
import POSIX

/// What must reach a worker at once, lingering or not: an array under a lock and a pipe that wakes
/// the worker's poller.
final class Mailbox: Sendable {
    enum Letter: Sendable {
        /// The response to an offloaded request of the connection with this token.
        case response(Response, token: UInt64)
        /// An offloaded request of this client, on the connection with this token, had to make room.
        case displaced(ClientAddress, token: UInt64)
        /// The events of the responses that wait on these connections are on the disk; false if they
        /// could not be put there and the responses are to be taken back.
        case synced([UInt64], Bool)
        /// What has been configured anew; `whenTaken` is called once the worker goes by it.
        case replace(RouteTable, ServerOptions, whenTaken: @Sendable () -> Void)
        /// A connection of this worker is to end: for the one with this token of another worker, or
        /// because that worker has no descriptors left.
        case makeRoom(ConnectionShares.Victim, forWorker: Int, token: UInt64?)
        /// The answer: whether there is room for the connection with this token.
        case room(Bool, token: UInt64)
        /// Somebody has closed connections while this worker waits for descriptors.
        case descriptorsAreFree
        /// Is anybody there? Called by a worker that still reads its mail.
        case ping(@Sendable () -> Void)
        case stop
        /// The drain time is over.
        case abandon
    }

    private let letters = Monitor<[Letter]>([])
    private let pipe: Pipe

    init() throws(Errno) {
        pipe = try Pipe()
    }

    /// What the poller watches.
    var number: CInt { pipe.readingEnd.rawValue }

    var isEmpty: Bool { letters.withLock(\.isEmpty) }

    func post(_ letter: Letter) {
        let wasEmpty = letters.withLock { letters in
            letters.append(letter)
            return letters.count == 1
        }
        // A pipe that is full is already waking the worker.
        if wasEmpty { _ = try? pipe.writingEnd.write([1].span) }
    }

    func takeAll() -> [Letter] {
        var bytes = [UInt8](repeating: 0, count: 16)
        var buffer = bytes.mutableSpan
        _ = try? pipe.readingEnd.read(into: &buffer)
        return letters.withLock { letters in
            defer { letters = [] }
            return letters
        }
    }
}

import CEpoll
import POSIX

/// An epoll instance: tells which descriptors can be read or written. Level-triggered, so that what
/// was not handled is told again.
///
/// Safe, though `epoll_event` may hold a pointer: only its number is ever used here.
@safe struct Poller: ~Copyable {
    enum Interest { case none, read, write }

    private let descriptor: FileDescriptor
    // Sound: numbers, and no pointer is made of any of them.
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: Poller.batch)

    /// Descriptors told at a time: the largest batch that one log write serves.
    private static let batch = 256

    init() throws(Errno) {
        descriptor = FileDescriptor(
            owning: try retryingOnInterrupt { epoll_create1(CInt(EPOLL_CLOEXEC)) })
    }

    /// The instance's own descriptor, which is readable while any of its descriptors is ready.
    var fileDescriptor: CInt { descriptor.rawValue }

    /// - Parameter token: comes back with each event.
    func add(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_ADD, descriptor, interest, token)
    }

    func change(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_MOD, descriptor, interest, token)
    }

    /// Needed only where somebody else has the descriptor open, too: its last end takes it out by itself.
    func remove(_ descriptor: CInt) throws(Errno) {
        try control(EPOLL_CTL_DEL, descriptor, .none, 0)
    }

    /// Waits for at most `milliseconds`; how many descriptors are ready.
    mutating func wait(milliseconds: CInt) -> Int {
        let number = descriptor.rawValue
        do throws(Errno) {
            return Int(
                try retryingOnInterrupt {
                    // Sound: the kernel fills in at most `batch` events, and there are so many.
                    unsafe epoll_wait(number, &events, CInt(Self.batch), milliseconds)
                })
        } catch {
            // Only a descriptor or buffer that is not ours could fail here.
            return 0
        }
    }

    /// The token of the `index`-th ready descriptor.
    // Sound: the number is what `control` has put there; an index that the array does not have traps.
    func userData(_ index: Int) -> UInt64 { unsafe events[index].data.u64 }

    /// Whether the `index`-th is a connection that is gone in both directions, which is told whatever
    /// the interest is, and told again until it is closed.
    func isHangUp(_ index: Int) -> Bool {
        // Sound: a number; an index that the array does not have traps.
        unsafe events[index].events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    }

    private func control(
        _ operation: CInt, _ descriptor: CInt, _ interest: Interest, _ token: UInt64
    ) throws(Errno) {
        // Sound: of the union the number alone is written and read; the kernel copies the event.
        var event = unsafe epoll_event()
        unsafe event.events =
            switch interest {
            case .none: 0
            case .read: EPOLLIN.rawValue
            case .write: EPOLLOUT.rawValue
            }
        unsafe event.data.u64 = token
        let number = self.descriptor.rawValue
        _ = try retryingOnInterrupt { unsafe epoll_ctl(number, operation, descriptor, &event) }
    }
}

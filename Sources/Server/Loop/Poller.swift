import CEpoll
import POSIX

/// An epoll instance: reports which descriptors can be read or written. Level-triggered, so that an
/// event that was not handled is reported again.
///
/// Safe, although `epoll_event` can hold a pointer: only its integer is ever used here.
@safe struct Poller: ~Copyable {
    enum Interest { case none, read, write }

    private let descriptor: FileDescriptor
    // Sound: the events hold integers, and no pointer is made from them.
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: Poller.batch)

    /// Events reported at a time: the largest batch that one write of the log serves.
    private static let batch = 256

    init() throws(Errno) {
        descriptor = FileDescriptor(
            owning: try retryingOnInterrupt { epoll_create1(CInt(EPOLL_CLOEXEC)) })
    }

    /// The instance's own descriptor, which is readable while any of its descriptors is ready.
    var fileDescriptor: CInt { descriptor.rawValue }

    /// - Parameter token: Returned with each event, as `userData(_:)`.
    /// - Throws: The error of epoll_ctl(2).
    func add(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_ADD, descriptor, interest, token)
    }

    func change(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
        try control(EPOLL_CTL_MOD, descriptor, interest, token)
    }

    /// Needed only if another process also has the socket: otherwise closing the descriptor removes
    /// it.
    func remove(_ descriptor: CInt) throws(Errno) {
        try control(EPOLL_CTL_DEL, descriptor, .none, 0)
    }

    /// Waits for at most `milliseconds`.
    /// - Returns: The number of ready descriptors.
    mutating func wait(milliseconds: CInt) -> Int {
        let number = descriptor.rawValue
        do throws(Errno) {
            return Int(
                try retryingOnInterrupt {
                    // Sound: the kernel fills in at most `batch` events, and the array has this
                    // many.
                    unsafe epoll_wait(number, &events, CInt(Self.batch), milliseconds)
                })
        } catch {
            // This could only fail for an invalid descriptor or buffer.
            return 0
        }
    }

    /// The user data of the `index`-th ready descriptor.
    // Sound: the integer is the one set by `control`; an invalid index traps.
    func userData(_ index: Int) -> UInt64 { unsafe events[index].data.u64 }

    /// Whether the `index`-th connection is closed in both directions. epoll reports this whatever
    /// the interest is, and repeats it until the descriptor is closed.
    func isHangUp(_ index: Int) -> Bool {
        // Sound: the flags are an integer; an invalid index traps.
        unsafe events[index].events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    }

    private func control(
        _ operation: CInt, _ descriptor: CInt, _ interest: Interest, _ token: UInt64
    ) throws(Errno) {
        // Sound: only the integer of the union is written and read; the kernel copies the event.
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

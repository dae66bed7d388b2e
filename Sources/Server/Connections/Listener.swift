import Glibc
import POSIX

/// A listening socket: a worker's own, or an inherited one that all workers share, possibly with
/// other processes.
///
/// The descriptor is closed when the last reference goes away. For a shared socket, closing our
/// descriptor neither closes the socket nor removes it from epoll: call `Poller.remove` before
/// releasing it.
final class Listener: Sendable {
    let socket: FileDescriptor
    /// Whether another process may have the socket, too, and continue when this one stops. At a
    /// stop its queue is therefore not accepted: those connections are for the next process.
    let isInherited: Bool

    init(_ socket: consuming FileDescriptor, isShared: Bool = false) {
        self.socket = socket
        self.isInherited = isShared
    }
}

import Glibc
import POSIX

/// A socket that takes connections: a worker's own, or one that all workers of all processes share
/// that hold it.
///
/// Closed with its last reference; for a shared one that ends nothing, because others hold it too:
/// who lets it go has to take it out of its poller.
final class Listener: Sendable {
    let socket: FileDescriptor
    /// Another process has it too and goes on when this one stops: what waits in its queue then is for
    /// whoever takes the next connection, and is left there.
    let isInherited: Bool

    init(_ socket: consuming FileDescriptor, isShared: Bool = false) {
        self.socket = socket
        self.isInherited = isShared
    }
}

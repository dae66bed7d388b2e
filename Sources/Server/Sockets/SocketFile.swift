import Glibc
import POSIX
import Synchronization

/// The file of a Unix domain socket: created with the socket, and removed when the server stops.
/// Only this process's user may connect. The only other file it ever removes is the socket of a
/// server that no longer runs.
///  Theory. A socket's file outlives its server, so an existing one must be tested. If a connection
/// is refused, no process listens, and none ever will, because a socket is bound only once. Between
/// this test and the removal, another server that starts could create its own socket there, which
/// would then be removed. So a process holds a lock on the folder while it tests, removes and binds
/// (flock(2), which ends with its owner and leaves no file). At a stop the file is removed while
/// its socket still listens: before that, no other server considers it unused, and after it, there
/// is no file.
final class SocketFile: Sendable {
    private let folder: ServiceFolder
    private let name: String
    private let status: FileStatus
    private let isRemoved = Atomic<Bool>(false)

    /// Attempts to lock the folder, 5 ms apart, for one second in total: starting another server
    /// takes far less.
    private static let lockAttempts = 200

    /// Binds the socket to its path and makes it listen.
    /// - Throws: `.addressInUse` if another server listens there or is starting; `.notSocket` if
    ///   another kind of file has this path; `.fileNameTooLong`; errors of the system calls.
    init(_ path: String, bindingTo listener: borrowing FileDescriptor) throws(Errno) {
        let address = SocketAddress.unix(path: path)
        try address.check()
        let (folder, name) = try ServiceFolder.containing(path)
        let lock = try Self.lock(folder)
        if try Self.isDeadSocket(at: address, folder, name) { try folder.remove(name) }
        // The file gets its permissions from the socket when bind(2) creates it (unix(7), less the
        // umask). A later chmod would leave a moment in which others could connect. A umask would
        // affect files of other threads.
        let number = listener.rawValue
        _ = try retryingOnInterrupt { fchmod(number, 0o600) }
        try Socket.bind(listener, address)
        self.folder = folder
        self.name = name
        status = try folder.status(of: name)
        // Do not serve if the kernel has created the file with other permissions.
        guard status.mode & 0o177 == 0 else {
            remove()
            throw .permissionDenied
        }
        do throws(Errno) {
            try Socket.listen(listener)
        } catch {
            remove()
            throw error
        }
        _ = consume lock
    }

    deinit { remove() }

    /// Removes the file, once. A file that has replaced it by now is not removed.
    func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed),
            let current = try? folder.status(of: name), current.isSameFile(as: status)
        else { return }
        try? folder.remove(name)
    }

    private static func lock(_ folder: ServiceFolder) throws(Errno) -> FileDescriptor {
        let descriptor = try folder.reopened()
        let number = descriptor.rawValue
        for _ in 0..<lockAttempts {
            do throws(Errno) {
                _ = try retryingOnInterrupt { flock(number, LOCK_EX | LOCK_NB) }
                return descriptor
            } catch {
                guard error == .wouldBlock else { throw error }
                usleep(5000)
            }
        }
        throw .addressInUse
    }

    /// Connects to the socket at a path, if there is one. Removes nothing.
    /// - Throws: Why a server could not create its socket there now: the errors of `init`.
    static func checkUnused(_ path: String) throws(Errno) {
        let (folder, name) = try ServiceFolder.containing(path)
        // The path may not be accessible to this account any more.
        let address = SocketAddress.unix(path: ServiceFolder.reachable(path))
        try address.check()
        _ = try isDeadSocket(at: address, folder, name)
    }

    /// - Returns: Whether the socket of a server that no longer runs is there; false if there is no
    ///   file.
    /// - Throws: If another kind of file is there, or if the socket may be in use.
    private static func isDeadSocket(
        at address: SocketAddress, _ folder: ServiceFolder, _ name: String
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            guard try folder.status(of: name).isSocket else { throw .notSocket }
            // A listener whose queue is full returns `.wouldBlock`, and is alive.
            let probe = try Socket.make(AF_UNIX, flags: CInt(SOCK_NONBLOCK.rawValue))
            try Socket.connect(probe, address)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: return false
            case .connectionRefused: return true
            // A full queue, or not a stream socket: a process uses it.
            case .wouldBlock, .protocolWrongTypeForSocket: throw .addressInUse
            default: throw error
            }
        }
        throw .addressInUse
    }
}

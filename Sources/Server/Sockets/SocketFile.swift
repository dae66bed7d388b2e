import Glibc
import POSIX
import Synchronization

/// The file by which a Unix domain socket is found: made with its socket, removed when the server
/// stops. Only this process's user may connect; nothing else at that path is ever touched but the
/// socket of a server that is dead.
///
/// Theory. A socket's file outlives its server, so that one that is there has to be asked: a
/// connection that is refused proves that nobody listens, and that nobody will, because a socket is
/// bound once. Between that proof and the removal another server that starts could put its own
/// socket there, and it would be removed for the dead one's; so that whoever looks, removes and
/// binds holds a lock on the folder meanwhile (flock(2), which dies with its owner and leaves no
/// file). At the end the file goes while its socket still listens: until then nobody takes it for
/// dead, and afterwards it is not there to be taken for another's.
final class SocketFile: Sendable {
    private let folder: ServiceFolder
    private let name: String
    private let status: FileStatus
    private let isRemoved = Atomic<Bool>(false)

    /// Looks for the folder's lock again after 5 ms, for a second: starting another server takes far
    /// less.
    private static let lockAttempts = 200

    /// Binds the socket to its path and makes it listen.
    /// - Throws: `.addressInUse` if a server listens there, or is just about to; `.isNoSocket` if
    ///   something else has that name; `.nameTooLong`.
    init(_ path: String, bindingTo listener: borrowing FileDescriptor) throws(Errno) {
        let address = SocketAddress.unix(path: path)
        try address.check()
        let (folder, name) = try ServiceFolder.containing(path)
        let lock = try Self.lock(folder)
        if try Self.isDeadSocket(at: address, folder, name) { try folder.remove(name) }
        // The file gets its permissions from the socket in the moment in which it comes to be
        // (unix(7), less the umask): there is no moment in which others could connect, as there would
        // be before a chmod, and no other thread's files are affected, as they would be by a umask.
        let number = listener.rawValue
        _ = try retryingOnInterrupt { fchmod(number, 0o600) }
        try Socket.bind(listener, address)
        self.folder = folder
        self.name = name
        status = try folder.status(of: name)
        // A kernel that does it otherwise is not trusted with what comes in here.
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

    /// Removes the file, once; another that has its name by now is left alone.
    func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed),
            let there = try? folder.status(of: name), there.isSameFile(as: status)
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

    /// Connects to the socket at a path, if there is one, and removes nothing.
    /// - Throws: why a server could not make its socket there now: the errors of `init`.
    static func checkUnused(_ path: String) throws(Errno) {
        let (folder, name) = try ServiceFolder.containing(path)
        // The way to the folder may be closed to this account by now.
        let address = SocketAddress.unix(path: ServiceFolder.reachable(path))
        try address.check()
        _ = try isDeadSocket(at: address, folder, name)
    }

    /// - Returns: whether the socket of a server that has died is there; false if nothing is.
    /// - Throws: if anything else is there, or if the socket may be in use.
    private static func isDeadSocket(
        at address: SocketAddress, _ folder: ServiceFolder, _ name: String
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            guard try folder.status(of: name).isSocket else { throw .notSocket }
            // One whose queue is full answers with `.again`, and lives.
            let probe = try Socket.make(AF_UNIX, flags: CInt(SOCK_NONBLOCK.rawValue))
            try Socket.connect(probe, address)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: return false
            case .connectionRefused: return true
            // A full queue, or not a stream: somebody has it.
            case .wouldBlock, .protocolWrongTypeForSocket: throw .addressInUse
            default: throw error
            }
        }
        throw .addressInUse
    }
}

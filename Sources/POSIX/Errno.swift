import Glibc

/// A system call's error, by its C number.
@usableFromInline
package struct Errno: Error, Equatable, Hashable {
    @usableFromInline package let rawValue: CInt

    package init(_ number: CInt) { self.rawValue = number }

    /// The calling thread's last error; good only right after a call that failed.
    @usableFromInline static var last: Errno { Errno(errno) }

    /// The system's words, as in "No space left on device".
    package var description: String {
        switch self {
        case .foreignFile:
            return "the file belongs to another account, or has a second name (a hard link)"
        case .foreignLink: return "a symbolic link on the way belongs to another account"
        case .notRegularFile: return "not a regular file"
        default: break
        }
        var buffer = [CChar](repeating: 0, count: 128)
        // Sound: glibc's strerror_r fills at most the count it is given, ends it with a zero, and
        // takes no lock. (Swift imports the POSIX variant.)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            _ = unsafe strerror_r(rawValue, buffer.baseAddress!, buffer.count - 1)
            return unsafe String(cString: buffer.baseAddress!)
        }
    }

    @usableFromInline static var interrupted: Errno { Errno(EINTR) }
    package static let wouldBlock = Errno(EAGAIN)
    package static let addressInUse = Errno(EADDRINUSE)
    package static let fileExists = Errno(EEXIST)
    package static let noSuchFileOrDirectory = Errno(ENOENT)
    /// A pipe that nobody reads was to be opened for writing.
    package static let noSuchAddressOrDevice = Errno(ENXIO)
    package static let noSpace = Errno(ENOSPC)
    package static let ioError = Errno(EIO)
    package static let tooManyOpenFiles = Errno(EMFILE)
    package static let tooManyOpenFilesInSystem = Errno(ENFILE)
    package static let noBufferSpace = Errno(ENOBUFS)
    package static let noMemory = Errno(ENOMEM)
    package static let permissionDenied = Errno(EACCES)
    package static let notPermitted = Errno(EPERM)
    package static let readOnlyFileSystem = Errno(EROFS)
    /// "Cannot send after transport endpoint shutdown": what was to be written to has ended.
    package static let socketShutdown = Errno(ESHUTDOWN)
    /// Nobody listens there, or nobody does any more.
    package static let connectionRefused = Errno(ECONNREFUSED)
    package static let connectionReset = Errno(ECONNRESET)
    /// Nobody reads what is written.
    package static let brokenPipe = Errno(EPIPE)
    package static let timedOut = Errno(ETIMEDOUT)
    /// A socket of another type has the address.
    package static let protocolWrongTypeForSocket = Errno(EPROTOTYPE)
    package static let fileNameTooLong = Errno(ENAMETOOLONG)
    package static let invalidArgument = Errno(EINVAL)
    /// What should be a socket is something else.
    package static let notSocket = Errno(ENOTSOCK)
    /// Nothing is open under this number.
    package static let badFileDescriptor = Errno(EBADF)
    package static let isDirectory = Errno(EISDIR)
    package static let notDirectory = Errno(ENOTDIR)
    package static let tooManySymbolicLinkLevels = Errno(ELOOP)
    package static let resourceBusy = Errno(EBUSY)
    package static let improperLink = Errno(EXDEV)
    /// Not the kernel's, whose numbers end at 4095: a file that is not written, because it may be
    /// another account's.
    package static let foreignFile = Errno(5001)
    /// Not the kernel's either: another account's symbolic link is not followed.
    package static let foreignLink = Errno(5002)
    /// Not the kernel's: a pipe or a device where a file belongs.
    package static let notRegularFile = Errno(5003)
    package static let unsupportedFamily = Errno(EAFNOSUPPORT)
}

/// Runs a system call again for as long as a signal interrupts it: the one place that knows EINTR.
/// - Parameter call: returns -1 for an error that `errno` names.
@inlinable
package func retryingOnInterrupt<Result: SignedInteger>(
    _ call: () -> Result
) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.last
        if error != .interrupted { throw error }
    }
}

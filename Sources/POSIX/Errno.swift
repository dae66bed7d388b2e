import Glibc

/// The error number of a system call, or one of the program's own numbers above 5000.
@usableFromInline
package struct Errno: Error, Equatable, Hashable {
    @usableFromInline package let rawValue: CInt

    package init(_ number: CInt) { self.rawValue = number }

    /// The calling thread's `errno`. Only valid right after a call that failed.
    @usableFromInline static var last: Errno { Errno(errno) }

    /// The system's message, such as "No space left on device".
    package var description: String {
        switch self {
        case .foreignFile:
            return "the file belongs to another account or has more than one hard link"
        case .foreignLink: return "a symbolic link in the path belongs to another account"
        case .notRegularFile: return "not a regular file"
        default: break
        }
        var buffer = [CChar](repeating: 0, count: 128)
        // Sound: glibc's strerror_r writes at most the given number of bytes, terminates them, and
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
    /// A pipe without a reader was opened for writing.
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
    /// "Cannot send after transport endpoint shutdown": the destination was closed for writing.
    package static let socketShutdown = Errno(ESHUTDOWN)
    /// No process is listening at the address.
    package static let connectionRefused = Errno(ECONNREFUSED)
    package static let connectionReset = Errno(ECONNRESET)
    /// The reading end of a pipe or socket is closed.
    package static let brokenPipe = Errno(EPIPE)
    package static let timedOut = Errno(ETIMEDOUT)
    /// A socket of another type is bound to the address.
    package static let protocolWrongTypeForSocket = Errno(EPROTOTYPE)
    package static let fileNameTooLong = Errno(ENAMETOOLONG)
    package static let invalidArgument = Errno(EINVAL)
    /// The file or descriptor is not a socket.
    package static let notSocket = Errno(ENOTSOCK)
    /// The descriptor is not open.
    package static let badFileDescriptor = Errno(EBADF)
    package static let isDirectory = Errno(EISDIR)
    package static let notDirectory = Errno(ENOTDIR)
    package static let tooManySymbolicLinkLevels = Errno(ELOOP)
    package static let resourceBusy = Errno(EBUSY)
    package static let improperLink = Errno(EXDEV)
    /// Not a kernel error (those end at 4095): the file may be another account's and is not
    /// written.
    package static let foreignFile = Errno(5001)
    /// Not a kernel error: a symbolic link of another account is not followed.
    package static let foreignLink = Errno(5002)
    /// Not a kernel error: a pipe or a device was found instead of a file.
    package static let notRegularFile = Errno(5003)
    package static let unsupportedFamily = Errno(EAFNOSUPPORT)
}

/// Repeats a system call while a signal interrupts it. EINTR is handled only here.
/// - Parameter call: returns -1 on failure, with the error in `errno`.
/// - Throws: any other error.
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

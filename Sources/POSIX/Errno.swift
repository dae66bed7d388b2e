import Glibc

/// A system call's error, by its C number.
@usableFromInline
package struct Errno: Error, Equatable, Hashable {
    @usableFromInline package let number: CInt

    package init(_ number: CInt) { self.number = number }

    /// The calling thread's last error; good only right after a call that failed.
    @usableFromInline static var last: Errno { Errno(errno) }

    /// The system's words, as in "No space left on device".
    package var words: String {
        var buffer = [CChar](repeating: 0, count: 128)
        // Sound: glibc's strerror_r fills at most the count it is given, ends it with a zero, and
        // takes no lock. (Swift imports the POSIX variant.)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            _ = unsafe strerror_r(number, buffer.baseAddress!, buffer.count - 1)
            return unsafe String(cString: buffer.baseAddress!)
        }
    }

    @usableFromInline static var interrupted: Errno { Errno(EINTR) }
    package static let again = Errno(EAGAIN)
    package static let addressInUse = Errno(EADDRINUSE)
    package static let exists = Errno(EEXIST)
    package static let isNotThere = Errno(ENOENT)
    /// A pipe that nobody reads was to be opened for writing.
    package static let noReader = Errno(ENXIO)
    package static let noSpace = Errno(ENOSPC)
    package static let inputOutput = Errno(EIO)
    package static let tooManyOpenFiles = Errno(EMFILE)
    package static let tooManyOpenFilesInSystem = Errno(ENFILE)
    package static let noBuffers = Errno(ENOBUFS)
    package static let noMemory = Errno(ENOMEM)
    package static let notPermitted = Errno(EACCES)
    package static let notTheOwner = Errno(EPERM)
    package static let readOnly = Errno(EROFS)
    /// "Cannot send after transport endpoint shutdown": what was to be written to has ended.
    package static let hasEnded = Errno(ESHUTDOWN)
    /// Nobody listens there, or nobody does any more.
    package static let connectionRefused = Errno(ECONNREFUSED)
    package static let connectionReset = Errno(ECONNRESET)
    /// Nobody reads what is written.
    package static let brokenPipe = Errno(EPIPE)
    package static let timedOut = Errno(ETIMEDOUT)
    /// A socket of another type has the address.
    package static let wrongSocketType = Errno(EPROTOTYPE)
    package static let nameTooLong = Errno(ENAMETOOLONG)
    package static let invalidArgument = Errno(EINVAL)
    /// What should be a socket is something else.
    package static let isNoSocket = Errno(ENOTSOCK)
    /// Nothing is open under this number.
    package static let badDescriptor = Errno(EBADF)
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

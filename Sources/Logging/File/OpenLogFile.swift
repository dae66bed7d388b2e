import POSIX

/// An open log file. The log and a sync that runs on another thread share it.
final class OpenLogFile: Sendable {
    let descriptor: FileDescriptor
    /// As it was when it was opened.
    let status: FileStatus

    init(_ descriptor: consuming FileDescriptor) throws(Errno) {
        status = try descriptor.status()
        self.descriptor = descriptor
    }
}

import POSIX

/// An open journal.
final class JournalFile: Sendable {
    let descriptor: FileDescriptor
    /// The status at opening time; it identifies the file.
    let status: FileStatus
    let header: JournalHeader

    init(_ descriptor: consuming FileDescriptor, _ header: JournalHeader) throws(Errno) {
        status = try descriptor.status()
        self.descriptor = descriptor
        self.header = header
    }

    /// An open file without a journal header.
    final class Opened {
        let descriptor: FileDescriptor
        let status: FileStatus

        init(_ descriptor: consuming FileDescriptor) throws(Errno) {
            status = try descriptor.status()
            self.descriptor = descriptor
        }
    }
}

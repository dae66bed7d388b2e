import Glibc
import POSIX

/// An open file of the log. Renaming or removing the file does not affect it.
final class LogFile {
    /// The path it was opened with; `-` is standard input.
    let path: String
    let descriptor: FileDescriptor
    /// The status at the time it was opened.
    let status: FileStatus
    /// The size in bytes when it was opened, or at the last call of `measureAgain()`; nil if it is
    /// not a regular file.
    private(set) var size: Int?

    /// - Parameter waits: for a named pipe from the command line, whether to wait for a process
    ///   that writes to it.
    init(_ path: String, _ access: LogAccess, waits: Bool = false) throws(ReadingError) {
        self.path = path
        do throws(Errno) {
            descriptor =
                try path == "-"
                ? FileDescriptor(owning: retryingOnInterrupt { fcntl(0, F_DUPFD_CLOEXEC, 3) })
                : access.open(path, waits: waits)
            status = try descriptor.status()
            size = status.isRegularFile ? status.size : nil
        } catch {
            throw ReadingError(opening: path, access, error)
        }
    }

    /// Returns nil if the file does not exist.
    static func ifThere(_ path: String, _ access: LogAccess) throws(ReadingError) -> LogFile? {
        do throws(ReadingError) {
            return try LogFile(path, access)
        } catch {
            guard error.isNotThere else { throw error }
            return nil
        }
    }

    func isSameFile(as other: LogFile) -> Bool { status.isSameFile(as: other.status) }

    /// Whether the path leads to this file.
    func isAt(_ path: String, _ access: LogAccess) -> Bool {
        (try? access.status(of: path))?.isSameFile(as: status) == true
    }

    /// Updates `size` to include what has been written since the file was opened.
    func measureAgain() throws(ReadingError) {
        do throws(Errno) {
            if size != nil { size = try descriptor.status().size }
        } catch {
            throw ReadingError(path, error)
        }
    }

    /// The content from its beginning, up to `size`; unpacked if the name ends in `.gz`.
    func bytes() -> any ByteSource {
        if LogFiles.isPacked(path) { return GzipBytes(self) }
        return size.map { FileBytes(self, upTo: $0) } ?? StreamBytes(self)
    }
}

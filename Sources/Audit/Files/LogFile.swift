import Glibc
import POSIX

/// A file of the log, open: whatever becomes of its name, it stays the same file.
final class LogFile {
    /// As it was opened; `-` is standard input.
    let path: String
    let descriptor: FileDescriptor
    /// When it was opened.
    let status: FileStatus
    /// When it was opened, or `measureAgain()` was called; nil for what has none.
    private(set) var size: Int?

    /// - Parameter waits: for somebody who writes, where it is a pipe that the operator named.
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

    /// Nil if there is no such file.
    static func ifThere(_ path: String, _ access: LogAccess) throws(ReadingError) -> LogFile? {
        do throws(ReadingError) {
            return try LogFile(path, access)
        } catch {
            guard error.isNotThere else { throw error }
            return nil
        }
    }

    func isSameFile(as other: LogFile) -> Bool { status.isSameFile(as: other.status) }

    /// Whether a path leads here.
    func isAt(_ path: String, _ access: LogAccess) -> Bool {
        (try? access.status(of: path))?.isSameFile(as: status) == true
    }

    /// Takes in what has been written since it was opened.
    func measureAgain() throws(ReadingError) {
        do throws(Errno) {
            if size != nil { size = try descriptor.status().size }
        } catch {
            throw ReadingError(path, error)
        }
    }

    /// What it holds, unpacked where the name says so, from its beginning. What has been written
    /// since it was measured is for the next time.
    func bytes() -> any ByteSource {
        if LogFiles.isPacked(path) { return GzipBytes(self) }
        return size.map { FileBytes(self, upTo: $0) } ?? StreamBytes(self)
    }
}

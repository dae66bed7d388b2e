import Glibc
import Logging
import POSIX

/// How the files of a log are reached.
package struct LogAccess: Sendable {
    /// As files of the service's: no symbolic link in the place of a file is followed, nor another
    /// account's on the way, as the server itself opens them (`SystemFileSystem`).
    package static let configured = LogAccess(files: SystemFileSystem(), isEntered: false)
    /// As the operator named them on the command line: every symbolic link is followed.
    package static let named = LogAccess(files: nil, isEntered: false)

    private let files: (any FileSystem)?
    /// Files are reached by their names in one open folder, whatever the rest of their paths.
    private let isEntered: Bool

    /// For files in the folder of this log, which is opened once.
    func entering(folderOf log: String) throws(Errno) -> LogAccess {
        guard let files else { return self }
        let (entered, folder) = try files.entering(LogFileNames.folder(of: log))
        guard !folder.faults.contains(where: { $0.kind == .link }) else { throw .foreignLink }
        return LogAccess(files: entered, isEntered: true)
    }

    private func place(_ path: String) -> String { isEntered ? LogFileNames.base(of: path) : path }

    /// - Parameter waits: for a process that writes, where it is a named pipe.
    func open(_ path: String, waits: Bool) throws(Errno) -> FileDescriptor {
        guard let files else { return try .open(path, waits ? O_RDONLY : O_RDONLY | O_NONBLOCK) }
        return try files.open(place(path), O_RDONLY, mode: 0)
    }

    /// What `open` would open; for configured files, that of a symbolic link itself.
    func status(of path: String) throws(Errno) -> FileStatus {
        guard let files else { return try FileStatus(path: path) }
        return try files.status(of: place(path))
    }

    /// The names in the folder of a log.
    func names(besides log: String) throws(Errno) -> [String] {
        try (files ?? SystemFileSystem()).names(in: LogFileNames.folder(of: log))
    }
}

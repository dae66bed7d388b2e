import Glibc
import Logging
import POSIX

/// How the files of a log are opened.
package struct LogAccess: Sendable {
    /// The service's own files, opened as the server opens them (`SystemFileSystem`): a symbolic
    /// link in place of the file is not followed, nor is another account's link on the way to it.
    package static let configured = LogAccess(files: SystemFileSystem(), isEntered: false)
    /// Files that the operator named on the command line: every symbolic link is followed.
    package static let named = LogAccess(files: nil, isEntered: false)

    private let files: (any FileSystem)?
    /// True if files are opened by name relative to one open folder, whatever the rest of their
    /// paths.
    private let isEntered: Bool

    /// Access to the files in the folder of this log; the folder is opened once.
    /// - Throws: `.foreignLink` if the way to the folder contains a link of another account.
    func entering(folderOf log: String) throws(Errno) -> LogAccess {
        guard let files else { return self }
        let (entered, folder) = try files.entering(LogFileNames.folder(of: log))
        guard !folder.faults.contains(where: { $0.kind == .link }) else { throw .foreignLink }
        return LogAccess(files: entered, isEntered: true)
    }

    private func place(_ path: String) -> String { isEntered ? LogFileNames.base(of: path) : path }

    /// - Parameter waits: for a named pipe, whether to wait for a process that writes to it.
    func open(_ path: String, waits: Bool) throws(Errno) -> FileDescriptor {
        guard let files else { return try .open(path, waits ? O_RDONLY : O_RDONLY | O_NONBLOCK) }
        return try files.open(place(path), O_RDONLY, mode: 0)
    }

    /// The status of what `open` would open; for configured files, of a symbolic link itself.
    func status(of path: String) throws(Errno) -> FileStatus {
        guard let files else { return try FileStatus(path: path) }
        return try files.status(of: place(path))
    }

    /// The names in the folder of a log.
    func names(besides log: String) throws(Errno) -> [String] {
        try (files ?? SystemFileSystem()).names(in: LogFileNames.folder(of: log))
    }
}

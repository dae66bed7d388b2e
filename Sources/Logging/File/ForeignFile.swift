import Glibc
import POSIX

/// Removes bytes that no server wrote from the log: they go to `app.log.foreign.1`, `.2` and so on,
/// where an operator can read them and no server seals them.
enum ForeignFile {
    /// Renames the file at the path, whatever its type.
    /// - Returns: The new name, without its folder.
    /// - Throws: The error of listing the folder or of rename(2).
    static func moveAside(
        _ path: String, of log: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> String {
        let target = try unusedPath(of: log, fileSystem)
        try fileSystem.rename(path, to: target)
        return LogFileNames.base(of: target)
    }

    /// Copies the end of the log's file to a new file, and then cuts it off the log. A process that
    /// dies in between leaves both; the next start repeats the move.
    /// - Parameter offset: The first byte to move.
    /// - Returns: The new file's name, without its folder.
    /// - Throws: The error of the failed system call; `.wouldBlock` if another file is at the path
    ///   by then.
    static func moveEnd(
        of log: String, from offset: Int, _ fileSystem: any FileSystem
    ) throws(Errno) -> String {
        let source = try SystemFileSystem().open(log, O_RDONLY, mode: 0)
        let target = try unusedPath(of: log, fileSystem)
        do throws(Errno) {
            let copy = try fileSystem.open(
                target, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try copyBytes(of: source, from: offset, to: copy, fileSystem)
            try fileSystem.synchronize(copy)
            try fileSystem.synchronizeFolder(LogFileNames.folder(of: log))
        } catch {
            if error != .fileExists { try? fileSystem.remove(target) }
            throw error
        }
        let file = try fileSystem.open(
            log, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0)
        guard try file.status().isSameFile(as: source.status()) else { throw .wouldBlock }
        try fileSystem.truncate(file, to: offset)
        try fileSystem.synchronize(file)
        return LogFileNames.base(of: target)
    }

    private static func copyBytes(
        of source: borrowing FileDescriptor, from offset: Int, to target: borrowing FileDescriptor,
        _ fileSystem: any FileSystem
    ) throws(Errno) {
        var buffer = [UInt8](repeating: 0, count: 128 * 1024)
        var position = offset
        while true {
            var space = buffer.mutableSpan
            let count = try source.read(into: &space, at: position)
            guard count > 0 else { return }
            position += count
            var written = 0
            while written < count {
                written += try fileSystem.write(
                    buffer.span.extracting(written..<count), to: target)
            }
        }
    }

    /// One above the highest number in the folder, so that no file moved aside earlier is
    /// overwritten.
    private static func unusedPath(
        of log: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> String {
        let numbers = try fileSystem.names(in: LogFileNames.folder(of: log)).compactMap {
            LogFileNames.foreignNumber(of: $0, log)
        }
        return LogFileNames.foreignPath(of: log, (numbers.max() ?? 0) + 1)
    }
}

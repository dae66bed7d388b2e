import Glibc
import POSIX

/// The real file system with a journal: the operations in order, by file name. It can make
/// operations fail.
final class FileSystemJournal: FileSystem {
    private let real = SystemFileSystem()
    private let entries = Monitor<[String]>([])
    private let failure: @Sendable (_ entry: String) -> Errno?

    /// - Parameter failure: Gets an entry such as `remove app.log.000001`; an error that it returns
    ///   makes the operation fail.
    init(_ failure: @escaping @Sendable (String) -> Errno? = { _ in nil }) {
        self.failure = failure
    }

    /// The entries since the last call.
    func take() -> [String] {
        entries.withLock { entries in
            defer { entries = [] }
            return entries
        }
    }

    private func record(_ entry: String) throws(Errno) {
        entries.withLock { $0.append(entry) }
        if let error = failure(entry) { throw error }
    }

    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The file's current name.
    private static func name(_ file: borrowing FileDescriptor) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink("/proc/self/fd/\(file.rawValue)", bytes.baseAddress!, bytes.count)
        }
        return name(String(decoding: buffer[..<max(0, count)], as: UTF8.self))
    }

    func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder) {
        try real.entering(folder)
    }

    func open(_ path: String, _ flags: CInt, mode: mode_t) throws(Errno) -> FileDescriptor {
        try record("open \(Self.name(path))")
        return try real.open(path, flags, mode: mode)
    }

    func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int {
        try record("write \(Self.name(file))")
        return try real.write(bytes, to: file)
    }

    func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        try record("truncate \(Self.name(file))")
        try real.truncate(file, to: size)
    }

    func rename(_ path: String, to newPath: String) throws(Errno) {
        try record("rename \(Self.name(path)) \(Self.name(newPath))")
        try real.rename(path, to: newPath)
    }

    func remove(_ path: String) throws(Errno) {
        try record("remove \(Self.name(path))")
        try real.remove(path)
    }

    func names(in folder: String) throws(Errno) -> [String] { try real.names(in: folder) }

    func status(of path: String) throws(Errno) -> FileStatus { try real.status(of: path) }

    func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        try record("synchronize \(Self.name(file))")
        try real.synchronize(file)
    }

    func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        try record("createFolder \(Self.name(path))")
        try real.createFolder(path, mode: mode)
    }
}

import Glibc
import POSIX

/// The real file system, with somebody beside it who writes down what was done, in order, by the
/// names of the files; and who may forbid it.
final class FileSystemJournal: FileSystem {
    private let real = SystemFileSystem()
    private let entries = Monitor<[String]>([])
    private let judge: @Sendable (_ entry: String) -> Errno?

    /// - Parameter judge: gets an entry, as `remove app.log.000001`; an error forbids it.
    init(_ judge: @escaping @Sendable (String) -> Errno? = { _ in nil }) { self.judge = judge }

    /// All there are since this was last asked.
    func take() -> [String] {
        entries.withLock { entries in
            defer { entries = [] }
            return entries
        }
    }

    private func enter(_ entry: String) throws(Errno) {
        entries.withLock { $0.append(entry) }
        if let error = judge(entry) { throw error }
    }

    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// What the file is called by now.
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
        try enter("open \(Self.name(path))")
        return try real.open(path, flags, mode: mode)
    }

    func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int {
        try enter("write \(Self.name(file))")
        return try real.write(bytes, to: file)
    }

    func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        try enter("truncate \(Self.name(file))")
        try real.truncate(file, to: size)
    }

    func rename(_ path: String, to newPath: String) throws(Errno) {
        try enter("rename \(Self.name(path)) \(Self.name(newPath))")
        try real.rename(path, to: newPath)
    }

    func remove(_ path: String) throws(Errno) {
        try enter("remove \(Self.name(path))")
        try real.remove(path)
    }

    func names(in folder: String) throws(Errno) -> [String] { try real.names(in: folder) }

    func status(of path: String) throws(Errno) -> FileStatus { try real.status(of: path) }

    func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        try enter("synchronize \(Self.name(file))")
        try real.synchronize(file)
    }

    func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        try enter("createFolder \(Self.name(path))")
        try real.createFolder(path, mode: mode)
    }
}

import Glibc
import POSIX

/// The real file system, with somebody in front of it who decides what becomes of each operation,
/// and counts them.
package final class FileSystemDouble: FileSystem {
    package enum Operation: Sendable {
        case open, write, truncate, rename, remove, names, createFolder, status, synchronize
    }

    package enum Verdict: Sendable {
        case done
        /// A write that takes half of the bytes; anything else is done.
        case short
        case failed(Errno)
        /// A sync that is not done, where no power failure is to be survived; anything else is done.
        case pretended
    }

    private let real: any FileSystem
    private let seen: Shared
    private let judge: @Sendable (_ operation: Operation, _ number: Int) -> Verdict

    /// - Parameter judge: called before each operation, with its number, from 1.
    package convenience init(
        _ judge: @escaping @Sendable (Operation, Int) -> Verdict = { _, _ in .done }
    ) {
        self.init(SystemFileSystem(), Shared(), judge)
    }

    private init(
        _ real: any FileSystem, _ seen: Shared,
        _ judge: @escaping @Sendable (Operation, Int) -> Verdict
    ) {
        self.real = real
        self.seen = seen
        self.judge = judge
    }

    /// What was done here, and in folders that were entered from here.
    private final class Shared: Sendable {
        let operations = Monitor<[Operation]>([])
    }

    package func count(of operation: Operation) -> Int {
        seen.operations.withLock { $0.count { $0 == operation } }
    }

    /// How many operations there were.
    package var total: Int { seen.operations.withLock { $0.count } }

    /// Not an operation: opening a folder by its place changes nothing, and reads nothing.
    package func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder) {
        let (files, folder) = try real.entering(folder)
        return (FileSystemDouble(files, seen, judge), folder)
    }

    private func verdict(_ operation: Operation) throws(Errno) -> Verdict {
        let number = seen.operations.withLock { seen in
            seen.append(operation)
            return seen.count
        }
        let verdict = judge(operation, number)
        if case .failed(let error) = verdict { throw error }
        return verdict
    }

    package func open(_ path: String, _ flags: CInt, mode: mode_t) throws(Errno) -> FileDescriptor {
        _ = try verdict(.open)
        return try real.open(path, flags, mode: mode)
    }

    package func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int
    {
        guard case .short = try verdict(.write) else { return try real.write(bytes, to: file) }
        return try real.write(bytes.extracting(0..<((bytes.count + 1) / 2)), to: file)
    }

    /// A short one writes half, and then fails.
    package func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor, at offset: Int
    ) throws(Errno) {
        guard case .short = try verdict(.write) else {
            return try real.write(bytes, to: file, at: offset)
        }
        try real.write(bytes.extracting(0..<((bytes.count + 1) / 2)), to: file, at: offset)
        throw .noSpace
    }

    package func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        _ = try verdict(.truncate)
        try real.truncate(file, to: size)
    }

    package func rename(_ path: String, to newPath: String) throws(Errno) {
        _ = try verdict(.rename)
        try real.rename(path, to: newPath)
    }

    package func remove(_ path: String) throws(Errno) {
        _ = try verdict(.remove)
        try real.remove(path)
    }

    package func names(in folder: String) throws(Errno) -> [String] {
        _ = try verdict(.names)
        return try real.names(in: folder)
    }

    package func status(of path: String) throws(Errno) -> FileStatus {
        _ = try verdict(.status)
        return try real.status(of: path)
    }

    package func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        if case .pretended = try verdict(.synchronize) { return }
        try real.synchronize(file)
    }

    package func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        _ = try verdict(.createFolder)
        try real.createFolder(path, mode: mode)
    }
}

/// A disk that can break and be mended.
package struct Disk: Sendable {
    private let failure = Monitor<Errno?>(nil)

    package init() {}

    package func fail(with error: Errno?) { failure.withLock { $0 = error } }

    /// Fails the writes for as long as the disk is broken.
    package var fileSystem: FileSystemDouble {
        FileSystemDouble { operation, _ in
            guard operation == .write, let error = failure.withLock({ $0 }) else { return .done }
            return .failed(error)
        }
    }
}

import Glibc
import POSIX

/// The real file system, with a callback that decides the outcome of each operation. Counts the
/// operations.
package final class FileSystemDouble: FileSystem {
    package enum Operation: Sendable {
        case open, write, truncate, rename, remove, names, createFolder, status, synchronize
    }

    package enum Outcome: Sendable {
        case done
        /// A write accepts half of the bytes; any other operation is done.
        case short
        case failed(Errno)
        /// A sync is skipped; any other operation is done. For tests that need not survive a power
        /// failure.
        case skipped
    }

    private let real: any FileSystem
    private let shared: Shared
    private let judge: @Sendable (_ operation: Operation, _ number: Int) -> Outcome

    /// - Parameter judge: called before each operation, with its number, starting at 1.
    package convenience init(
        _ judge: @escaping @Sendable (Operation, Int) -> Outcome = { _, _ in .done }
    ) {
        self.init(SystemFileSystem(), Shared(), judge)
    }

    private init(
        _ real: any FileSystem, _ shared: Shared,
        _ judge: @escaping @Sendable (Operation, Int) -> Outcome
    ) {
        self.real = real
        self.shared = shared
        self.judge = judge
    }

    /// The operations of this object and of the folders that were entered through it.
    private final class Shared: Sendable {
        let operations = Monitor<[Operation]>([])
    }

    package func count(of operation: Operation) -> Int {
        shared.operations.withLock { $0.count { $0 == operation } }
    }

    /// The number of operations.
    package var total: Int { shared.operations.withLock { $0.count } }

    /// Not counted as an operation: opening a folder with `O_PATH` reads and changes nothing.
    package func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder) {
        let (files, folder) = try real.entering(folder)
        return (FileSystemDouble(files, shared, judge), folder)
    }

    private func verdict(_ operation: Operation) throws(Errno) -> Outcome {
        let number = shared.operations.withLock { operations in
            operations.append(operation)
            return operations.count
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

    /// A short write writes half of the bytes and then fails.
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
        if case .skipped = try verdict(.synchronize) { return }
        try real.synchronize(file)
    }

    package func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        _ = try verdict(.createFolder)
        try real.createFolder(path, mode: mode)
    }
}

/// A disk that can be made to fail and to work again.
package struct Disk: Sendable {
    private let failure = Monitor<Errno?>(nil)

    package init() {}

    /// - Parameter error: the error of all later writes; nil to let them succeed.
    package func fail(with error: Errno?) { failure.withLock { $0 = error } }

    /// A file system whose writes fail while an error is set.
    package var fileSystem: FileSystemDouble {
        FileSystemDouble { operation, _ in
            guard operation == .write, let error = failure.withLock({ $0 }) else { return .done }
            return .failed(error)
        }
    }
}

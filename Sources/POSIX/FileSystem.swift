import Glibc

/// The file operations of the log and the journal, as a protocol: a test can make the n-th of them
/// fail.
package protocol FileSystem: Sendable {
    /// Opens a folder. In the returned file system, names without a slash refer to that folder.
    func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder)
    /// Opens a file. Never follows a symbolic link as the last component, and does not wait for a
    /// pipe.
    func open(_ path: String, _ flags: CInt, mode: mode_t) throws(Errno) -> FileDescriptor
    func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int
    /// Writes all bytes at an offset.
    func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor, at offset: Int
    ) throws(Errno)
    func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno)
    func rename(_ path: String, to newPath: String) throws(Errno)
    func remove(_ path: String) throws(Errno)
    /// The names in a folder, without `.` and `..`, in no particular order.
    func names(in folder: String) throws(Errno) -> [String]
    func createFolder(_ path: String, mode: mode_t) throws(Errno)
    /// The status of the path itself, even if it is a symbolic link.
    func status(of path: String) throws(Errno) -> FileStatus
    /// Returns after the file's data is on the disk.
    func synchronize(_ file: borrowing FileDescriptor) throws(Errno)
}

extension FileSystem {
    package func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor, at offset: Int
    ) throws(Errno) {
        try file.write(bytes, at: offset)
    }

    /// Creates the folder and its missing parents. They are synced when this returns: otherwise a
    /// power failure could remove them together with files that were synced in them.
    package func createFolders(_ path: String, mode: mode_t) throws(Errno) {
        let parent: String? = path.lastIndex(of: "/").map {
            $0 == path.startIndex ? "/" : String(path[..<$0])
        }
        do throws(Errno) {
            try createFolder(path, mode: mode)
        } catch {
            switch error {
            case .fileExists: return
            case .noSuchFileOrDirectory:
                guard let parent, parent != "/" else { throw error }
                try createFolders(parent, mode: mode)
                try createFolder(path, mode: mode)
            default: throw error
            }
        }
        try synchronizeFolder(parent ?? ".")
    }

    /// Returns after the folder's entries are on the disk.
    package func synchronizeFolder(_ path: String) throws(Errno) {
        try synchronize(open(path, O_RDONLY | O_DIRECTORY, mode: 0))
    }
}

/// The real file system. `ServiceFolder` resolves the path to its folder; the last component is
/// never followed.
package struct SystemFileSystem: FileSystem {
    /// Names without a slash refer to this folder.
    private let base: ServiceFolder?

    package init() { base = nil }

    private init(_ base: ServiceFolder) { self.base = base }

    private func resolve(_ path: String) throws(Errno) -> (folder: ServiceFolder, name: String) {
        if let base, !path.utf8.contains(UInt8(ascii: "/")) { return (base, path) }
        return try ServiceFolder.containing(path)
    }

    package func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder) {
        let folder = try ServiceFolder.open(folder)
        return (SystemFileSystem(folder), folder)
    }

    package func open(
        _ path: String, _ flags: CInt, mode: mode_t
    ) throws(Errno) -> FileDescriptor {
        // A folder that is to be synced may be `/`, which has no last component.
        if flags & O_DIRECTORY != 0, base == nil {
            return try ServiceFolder.open(path).reopened()
        }
        let (folder, name) = try resolve(path)
        return try folder.open(name, flags, mode: mode)
    }

    package func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor
    ) throws(Errno) -> Int {
        try file.write(bytes)
    }

    package func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        let number = file.rawValue
        _ = try retryingOnInterrupt { ftruncate(number, size) }
    }

    package func rename(_ path: String, to newPath: String) throws(Errno) {
        let (folder, name) = try resolve(path)
        let (newFolder, newName) = try resolve(newPath)
        try folder.rename(name, to: newName, in: newFolder)
    }

    package func remove(_ path: String) throws(Errno) {
        let (folder, name) = try resolve(path)
        try folder.remove(name)
    }

    package func names(in folder: String) throws(Errno) -> [String] {
        if let base { return try base.names() }
        return try ServiceFolder.open(folder).names()
    }

    package func status(of path: String) throws(Errno) -> FileStatus {
        if base == nil, path.hasSuffix("/") || path == "." {
            return try ServiceFolder.open(path).reopened().status()
        }
        let (folder, name) = try resolve(path)
        return try folder.status(of: name)
    }

    package func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        try file.synchronize()
    }

    package func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        // The path to it may be inaccessible by now.
        if ServiceFolder.isPreopened(path) { throw .fileExists }
        let (folder, name) = try resolve(path)
        try folder.createFolder(name, mode: mode)
    }
}

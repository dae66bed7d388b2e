import Glibc

/// The file operations that the log lives on, as one seam: a test can fail the n-th of them.
package protocol FileSystem: Sendable {
    /// Opens a folder once, and gives a file system in which names without a slash are names in it.
    func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder)
    /// Opens a file, never a symbolic link, and waits for no pipe.
    func open(_ path: String, _ flags: CInt, mode: mode_t) throws(Errno) -> FileDescriptor
    func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int
    /// Writes all of it at a place in the file.
    func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor, at offset: Int
    ) throws(Errno)
    func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno)
    func rename(_ path: String, to newPath: String) throws(Errno)
    func remove(_ path: String) throws(Errno)
    /// The names in a folder, without `.` and `..`, in no order.
    func names(in folder: String) throws(Errno) -> [String]
    func createFolder(_ path: String, mode: mode_t) throws(Errno)
    /// Of the path itself, even if it is a symbolic link.
    func status(of path: String) throws(Errno) -> FileStatus
    /// Returns when what is written to the file is on the disk.
    func synchronize(_ file: borrowing FileDescriptor) throws(Errno)
}

extension FileSystem {
    package func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor, at offset: Int
    ) throws(Errno) {
        try file.write(bytes, at: offset)
    }

    /// Makes the folder and those above it that are not there. What was made is on the disk when this
    /// returns: or else a power failure took all that was put on the disk in it.
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

    /// Returns when the names in the folder are on the disk.
    package func synchronizeFolder(_ path: String) throws(Errno) {
        try synchronize(open(path, O_RDONLY | O_DIRECTORY, mode: 0))
    }
}

/// The real one. A path is followed to its folder by `ServiceFolder`, and its last component never.
package struct SystemFileSystem: FileSystem {
    /// Names without a slash are names in this folder.
    private let base: ServiceFolder?

    package init() { base = nil }

    private init(_ base: ServiceFolder) { self.base = base }

    private func place(_ path: String) throws(Errno) -> (folder: ServiceFolder, name: String) {
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
        // A folder to be put on the disk may be `/`, which has no name.
        if flags & O_DIRECTORY != 0, base == nil {
            return try ServiceFolder.open(path).reopened()
        }
        let (folder, name) = try place(path)
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
        let (folder, name) = try place(path)
        let (newFolder, newName) = try place(newPath)
        try folder.rename(name, to: newName, in: newFolder)
    }

    package func remove(_ path: String) throws(Errno) {
        let (folder, name) = try place(path)
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
        let (folder, name) = try place(path)
        return try folder.status(of: name)
    }

    package func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        try file.synchronize()
    }

    package func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        // The way to it may be closed by now.
        if ServiceFolder.isKept(path) { throw .fileExists }
        let (folder, name) = try place(path)
        try folder.createFolder(name, mode: mode)
    }
}

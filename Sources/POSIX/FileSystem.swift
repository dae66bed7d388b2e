import Glibc

/// The file operations that the log lives on, as one seam: a test can fail the n-th of them.
package protocol FileSystem: Sendable {
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
            case .exists: return
            case .isNotThere:
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

/// The real one.
package struct SystemFileSystem: FileSystem {
    package init() {}

    package func open(
        _ path: String, _ flags: CInt, mode: mode_t
    ) throws(Errno) -> FileDescriptor {
        try FileDescriptor.open(path, flags, mode: mode)
    }

    package func write(
        _ bytes: Span<UInt8>, to file: borrowing FileDescriptor
    ) throws(Errno) -> Int {
        try file.write(bytes)
    }

    package func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        let number = file.number
        _ = try retryingOnInterrupt { ftruncate(number, size) }
    }

    package func rename(_ path: String, to newPath: String) throws(Errno) {
        // Sound: C gets both paths with a zero behind them, for the time of the call.
        _ = try retryingOnInterrupt { unsafe Glibc.rename(path, newPath) }
    }

    package func remove(_ path: String) throws(Errno) {
        // Sound: C gets the path with a zero behind it, for the time of the call.
        _ = try retryingOnInterrupt { unsafe unlink(path) }
    }

    package func names(in folder: String) throws(Errno) -> [String] {
        // Sound: the stream is closed once, when nothing more is read of it.
        guard let stream = unsafe opendir(folder) else { throw .last }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        // Sound: an entry is good until the next readdir of the same stream, and its name ends with
        // a zero.
        while true {
            // The end and an error look the same but for this.
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    unsafe String(cString: text)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        if errno != 0 { throw .last }
        return names
    }

    package func status(of path: String) throws(Errno) -> FileStatus {
        var result = stat()
        // Sound: the call fills in a structure of ours, and gets the path with a zero behind it.
        _ = try retryingOnInterrupt { unsafe lstat(path, &result) }
        return FileStatus(result)
    }

    package func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        try file.synchronize()
    }

    package func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        // Sound: C gets the path with a zero behind it, for the time of the call.
        _ = try retryingOnInterrupt { unsafe mkdir(path, mode) }
    }
}

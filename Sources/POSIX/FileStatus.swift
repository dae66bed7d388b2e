import Glibc

/// What a file is: its size, its kind and permissions, and its identity on its device.
package struct FileStatus: Sendable {
    package let size: Int
    package let mode: mode_t
    package let owner: uid_t
    package let group: gid_t
    package let device: UInt64
    package let inode: UInt64
    /// Names that the file has; 0 once the last has been removed.
    package let linkCount: Int
    /// When it was last written, in milliseconds since 1970.
    package let modified: Int64

    init(_ result: stat) {
        size = Int(result.st_size)
        mode = result.st_mode
        owner = result.st_uid
        group = result.st_gid
        device = UInt64(result.st_dev)
        inode = UInt64(result.st_ino)
        linkCount = Int(result.st_nlink)
        modified = Int64(result.st_mtim.tv_sec) * 1000 + Int64(result.st_mtim.tv_nsec) / 1_000_000
    }

    package init(path: String) throws(Errno) {
        var result = stat()
        // Sound: the call fills in a structure of ours, and gets the path with a zero behind it.
        _ = try retryingOnInterrupt { unsafe stat(path, &result) }
        self.init(result)
    }

    package func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }

    package var isRegularFile: Bool { mode & S_IFMT == S_IFREG }

    package var isFolder: Bool { mode & S_IFMT == S_IFDIR }

    package var isSocket: Bool { mode & S_IFMT == S_IFSOCK }

    package var isPipe: Bool { mode & S_IFMT == S_IFIFO }

    package var isSymbolicLink: Bool { mode & S_IFMT == S_IFLNK }

    /// What it is, in words: `a folder`.
    package var kind: String {
        switch mode & S_IFMT {
        case S_IFREG: "a regular file"
        case S_IFDIR: "a folder"
        case S_IFLNK: "a symbolic link"
        case S_IFSOCK: "a socket"
        case S_IFIFO: "a named pipe"
        default: "a device"
        }
    }

    package var isWritableByOthers: Bool { mode & S_IWOTH != 0 }

    /// Whether users other than the owner and the group may read it.
    package var isReadableByOthers: Bool { mode & S_IROTH != 0 }
}

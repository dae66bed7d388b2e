import Glibc

/// The kind, permissions, size and identity of a file.
package struct FileStatus: Sendable {
    package let size: Int
    package let mode: mode_t
    package let owner: uid_t
    package let group: gid_t
    package let device: UInt64
    package let inode: UInt64
    /// The number of hard links; 0 after the last one was removed.
    package let linkCount: Int
    /// The time of the last write, in milliseconds since 1970.
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

    /// Follows symbolic links.
    package init(path: String) throws(Errno) {
        if let (folder, name) = ServiceFolder.kept(path) {
            self = try folder.status(of: name)
            return
        }
        var result = stat()
        // Sound: the call fills in a local structure, and gets the path zero-terminated.
        _ = try retryingOnInterrupt { unsafe stat(path, &result) }
        self.init(result)
    }

    package func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }

    /// `major:minor`, as the kernel prints it (makedev(3)).
    var deviceText: String {
        let major = device >> 32 & 0xffff_f000 | device >> 8 & 0xfff
        let minor = device >> 12 & 0xffff_ff00 | device & 0xff
        return "\(major):\(minor)"
    }

    /// The kind of file, for messages.
    package var kind: String {
        switch mode & S_IFMT {
        case S_IFREG: "a regular file"
        case S_IFDIR: "a folder"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a pipe"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }

    package var isRegularFile: Bool { mode & S_IFMT == S_IFREG }

    package var isFolder: Bool { mode & S_IFMT == S_IFDIR }

    package var isSocket: Bool { mode & S_IFMT == S_IFSOCK }

    package var isPipe: Bool { mode & S_IFMT == S_IFIFO }

    package var isSymbolicLink: Bool { mode & S_IFMT == S_IFLNK }

    /// A folder in which only the owner of an entry can replace it.
    package var isSticky: Bool { mode & S_ISVTX != 0 }

    package var isWritableByGroup: Bool { mode & S_IWGRP != 0 }

    package var isWritableByOthers: Bool { mode & S_IWOTH != 0 }

    /// Whether users other than the owner and the group may read the file.
    package var isReadableByOthers: Bool { mode & S_IROTH != 0 }
}

import Glibc

/// What a file is: its size, its kind and permissions, and its identity on its device.
package struct FileStatus: Sendable {
    package let size: Int
    package let mode: mode_t
    package let device: UInt64
    package let inode: UInt64

    init(_ result: stat) {
        size = Int(result.st_size)
        mode = result.st_mode
        device = UInt64(result.st_dev)
        inode = UInt64(result.st_ino)
    }

    package init(path: String) throws(Errno) {
        var result = stat()
        _ = try retryingOnInterrupt { unsafe stat(path, &result) }
        self.init(result)
    }

    package var isRegularFile: Bool { mode & S_IFMT == S_IFREG }

    /// Whether users other than the owner and the group may read it.
    package var isReadableByOthers: Bool { mode & S_IROTH != 0 }
}

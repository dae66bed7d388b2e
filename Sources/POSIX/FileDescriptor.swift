import Glibc

/// An open file, socket or pipe, with one owner; closed exactly once, when the owner lets go.
package struct FileDescriptor: ~Copyable, Sendable {
    package let number: CInt

    /// Takes ownership of an open descriptor.
    package init(owning number: CInt) { self.number = number }

    deinit {
        // After EINTR Linux has closed it all the same: never again.
        _ = close(number)
    }

    package static func open(
        _ path: String, _ flags: CInt, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try retryingOnInterrupt { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Reads at most `buffer.count` bytes; 0 is the end.
    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let number = number
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// Writes what the kernel takes, which may be less than all.
    package func write(_ bytes: Span<UInt8>) throws(Errno) -> Int {
        let number = number
        return try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// What the file is: its kind and permissions, size, and identity on its device.
    package func status() throws(Errno) -> FileStatus {
        var result = stat()
        let number = number
        _ = try retryingOnInterrupt { unsafe fstat(number, &result) }
        return FileStatus(result)
    }
}

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

/// A pipe whose ends never block.
package struct Pipe: ~Copyable, Sendable {
    package let readingEnd: FileDescriptor
    package let writingEnd: FileDescriptor

    package init() throws(Errno) {
        var ends: InlineArray<2, CInt> = [-1, -1]
        var span = ends.mutableSpan
        _ = try unsafe span.withUnsafeMutableBufferPointer { ends throws(Errno) in
            try retryingOnInterrupt { unsafe pipe(ends.baseAddress) }
        }
        for index in ends.indices {
            // Cannot fail on a descriptor that was just made.
            _ = fcntl(ends[index], F_SETFL, O_NONBLOCK)
            _ = fcntl(ends[index], F_SETFD, FD_CLOEXEC)
        }
        readingEnd = FileDescriptor(owning: ends[0])
        writingEnd = FileDescriptor(owning: ends[1])
    }
}

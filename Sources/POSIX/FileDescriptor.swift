import Glibc

/// An open file, socket or pipe with one owner; closed exactly once, by `deinit`.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: CInt

    /// Takes ownership of an open descriptor.
    package init(owning number: CInt) { self.rawValue = number }

    /// Gives up ownership without closing; the new owner closes the descriptor.
    consuming func release() { discard self }

    deinit {
        // Not retried after EINTR: Linux has closed the descriptor by then.
        _ = close(rawValue)
    }

    /// Opens a file, with `O_CLOEXEC`. A path in a preopened folder is opened through that folder.
    package static func open(
        _ path: String, _ flags: CInt, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        if let (folder, name) = ServiceFolder.kept(path) {
            return try folder.open(name, flags, mode: mode)
        }
        // Sound: C gets the path zero-terminated, for the duration of the call.
        return FileDescriptor(
            owning: try retryingOnInterrupt { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Occupies the descriptors 0, 1 and 2 if the parent process left them closed. Otherwise the
    /// next file that is opened would get one of them, and output for standard error would be
    /// written into it. Must be called before any other descriptor is opened, and by no other
    /// thread.
    ///
    /// The placeholder is the root folder, opened with `O_PATH`: it exists in the most minimal file
    /// system, and every read or write fails with EBADF, as on a closed descriptor. /dev/null may
    /// be missing, and would report that a command's output was written.
    package static func reserveStandardDescriptors() throws(Errno) {
        for number in CInt(0)...2 where fcntl(number, F_GETFD) == -1 {
            // Without O_CLOEXEC: a program that replaces this one may open files as well. open(2)
            // returns the lowest free number, and all lower ones are in use by now. Sound: C gets
            // the path zero-terminated, for the duration of the call.
            _ = try retryingOnInterrupt { unsafe Glibc.open("/", __O_PATH) }
        }
    }

    /// Reads at most `buffer.count` bytes.
    /// - Returns: the number of bytes; 0 at the end of the file.
    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let number = rawValue
        // Sound: the kernel writes at most `bytes.count` bytes.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// Reads to the end of the file, but at most `limit + 1` bytes: a longer result means that the
    /// limit is exceeded.
    package func read(upTo limit: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= limit {
            var span = piece.mutableSpan
            let count = try read(into: &span)
            if count == 0 { break }
            bytes += piece[..<min(count, limit + 1 - bytes.count)]
        }
        return bytes
    }

    /// Writes once.
    /// - Returns: the number of bytes that the kernel accepted, which may be fewer than given.
    package func write(_ bytes: Span<UInt8>) throws(Errno) -> Int {
        let number = rawValue
        // Sound: the kernel reads `bytes.count` bytes, during the call only.
        return try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// Writes all bytes at an offset, without moving the file position.
    package func write(_ bytes: Span<UInt8>, at offset: Int) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < bytes.count {
            let rest = bytes.extracting(done..<bytes.count)
            // Sound: the kernel reads `bytes.count` bytes, during the call only.
            let count = try unsafe rest.withUnsafeBytes { bytes throws(Errno) in
                try retryingOnInterrupt {
                    unsafe pwrite(number, bytes.baseAddress, bytes.count, offset + done)
                }
            }
            guard count > 0 else { throw .noSpace }
            done += count
        }
    }

    /// Reads at most `buffer.count` bytes at an offset.
    /// - Returns: the number of bytes; 0 at the end of the file.
    package func read(into buffer: inout MutableSpan<UInt8>, at offset: Int) throws(Errno) -> Int {
        let number = rawValue
        // Sound: the kernel writes at most `bytes.count` bytes.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe pread(number, bytes.baseAddress, bytes.count, offset)
            }
        }
    }

    /// A new descriptor of the same open file.
    package func duplicate() throws(Errno) -> FileDescriptor {
        let number = rawValue
        return FileDescriptor(
            owning: try retryingOnInterrupt { fcntl(number, F_DUPFD_CLOEXEC, 0) })
    }

    /// Locks the file exclusively (flock(2)). The lock is released with the last descriptor of the
    /// open file, or when the process ends.
    /// - Parameter waits: whether to wait for another holder. If not, throws `wouldBlock`.
    package func lock(waits: Bool) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { flock(number, waits ? LOCK_EX : LOCK_EX | LOCK_NB) }
    }

    /// Locks the file together with other readers, without waiting.
    /// - Returns: false if a writer holds the lock.
    package func tryLockShared() -> Bool {
        flock(rawValue, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK
    }

    /// Changes the group of the file. This process must be a member of the group.
    package func change(group: gid_t) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fchown(number, uid_t.max, group) }
    }

    package func change(mode: mode_t) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fchmod(number, mode) }
    }

    /// Returns after the written data is on the disk (fdatasync(2)).
    package func synchronize() throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fdatasync(number) }
    }

    /// The file's kind, permissions, size and identity.
    package func status() throws(Errno) -> FileStatus {
        var result = stat()
        let number = rawValue
        // Sound: the call fills in a local structure.
        _ = try retryingOnInterrupt { unsafe fstat(number, &result) }
        return FileStatus(result)
    }
}

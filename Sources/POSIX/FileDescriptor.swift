import Glibc

/// An open file, socket or pipe, with one owner; closed exactly once, when the owner lets go.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: CInt

    /// Takes ownership of an open descriptor.
    package init(owning number: CInt) { self.rawValue = number }

    /// Gives up the ownership: something else closes the number.
    consuming func leave() { discard self }

    deinit {
        // After EINTR Linux has closed it all the same: never again.
        _ = close(rawValue)
    }

    package static func open(
        _ path: String, _ flags: CInt, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        if let (folder, name) = ServiceFolder.kept(path) {
            return try folder.open(name, flags, mode: mode)
        }
        // Sound: C gets the path with a zero behind it, for the time of the call.
        return FileDescriptor(
            owning: try retryingOnInterrupt { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Takes the numbers 0, 1 and 2 where whoever started this process has left them free: the next file
    /// that is opened would get one of them, and what is meant for standard error would be written into
    /// it. To be called before anything is opened, and by nobody else.
    ///
    /// What takes a number is the root folder, by its place alone (`O_PATH`): it is there in the barest of
    /// file systems, and every reading and writing fails with EBADF, as if the number were free. /dev/null
    /// might not be there, and would say that what a command prints were written.
    package static func reserveStandardDescriptors() throws(Errno) {
        for number in CInt(0)...2 where fcntl(number, F_GETFD) == -1 {
            // Not closed at an exec, whose program might open a file as well. The lowest free number is
            // taken, and those below are not free any more.
            // Sound: C gets the path with a zero behind it, for the time of the call.
            _ = try retryingOnInterrupt { unsafe Glibc.open("/", __O_PATH) }
        }
    }

    /// Reads at most `buffer.count` bytes; 0 is the end.
    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let number = rawValue
        // Sound: no more is asked for than the buffer has room for.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// Reads on to the end, or one byte further than the limit, which is enough to know that there is more.
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

    /// Writes what the kernel takes, which may be less than all.
    package func write(_ bytes: Span<UInt8>) throws(Errno) -> Int {
        let number = rawValue
        // Sound: the kernel reads as many bytes as there are, during the call.
        return try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
        }
    }

    /// Writes all of it at a place in the file, without moving the end that others write at.
    package func write(_ bytes: Span<UInt8>, at offset: Int) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < bytes.count {
            let rest = bytes.extracting(done..<bytes.count)
            // Sound: the kernel reads as many bytes as there are, during the call.
            let count = try unsafe rest.withUnsafeBytes { bytes throws(Errno) in
                try retryingOnInterrupt {
                    unsafe pwrite(number, bytes.baseAddress, bytes.count, offset + done)
                }
            }
            guard count > 0 else { throw .noSpace }
            done += count
        }
    }

    /// Reads at most `buffer.count` bytes from a place in the file; 0 is the end.
    package func read(into buffer: inout MutableSpan<UInt8>, at offset: Int) throws(Errno) -> Int {
        let number = rawValue
        // Sound: no more is asked for than the buffer has room for.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe pread(number, bytes.baseAddress, bytes.count, offset)
            }
        }
    }

    /// Another descriptor of the same open file.
    package func duplicate() throws(Errno) -> FileDescriptor {
        let number = rawValue
        return FileDescriptor(
            owning: try retryingOnInterrupt { fcntl(number, F_DUPFD_CLOEXEC, 0) })
    }

    /// Waits until no other open file has the lock (flock(2)), and takes it; it is let go with the last
    /// descriptor, or with the process.
    /// - Parameter waits: if not, and somebody has it, throws `again`.
    package func lock(waits: Bool) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { flock(number, waits ? LOCK_EX : LOCK_EX | LOCK_NB) }
    }

    /// Takes the lock together with others who only read.
    /// - Returns: false if somebody who writes has it.
    package func tryLockShared() -> Bool {
        flock(rawValue, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK
    }

    /// Gives the file to another group, of which this process has to be a member.
    package func change(group: gid_t) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fchown(number, uid_t.max, group) }
    }

    package func change(mode: mode_t) throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fchmod(number, mode) }
    }

    /// Asks the kernel to put what is written on the disk, and returns when it is there.
    package func synchronize() throws(Errno) {
        let number = rawValue
        _ = try retryingOnInterrupt { fdatasync(number) }
    }

    /// What the file is: its kind and permissions, size, and identity on its device.
    package func status() throws(Errno) -> FileStatus {
        var result = stat()
        let number = rawValue
        // Sound: the call fills in a structure of ours.
        _ = try retryingOnInterrupt { unsafe fstat(number, &result) }
        return FileStatus(result)
    }
}

import Glibc

/// Exclusive use of a resource by one process: a lock on a file next to it. The kernel releases the
/// lock when its owner ends, however that happens.
package struct ProcessLock: ~Copyable {
    let file: FileDescriptor

    /// Acquires the lock without waiting; nil if another process holds it.
    /// - Parameter path: the lock file; created if it does not exist.
    /// - Throws: `notRegularFile`, or the error of the system call.
    package init?(_ path: String) throws(Errno) {
        let file = try SystemFileSystem().open(path, O_RDWR | O_CREAT, mode: 0o600)
        guard try file.status().isRegularFile else { throw .notRegularFile }
        let number = file.rawValue
        do throws(Errno) {
            _ = try retryingOnInterrupt { flock(number, LOCK_EX | LOCK_NB) }
        } catch {
            if error == .wouldBlock { return nil }
            throw error
        }
        // Only for the message of a second process; the lock does not depend on it.
        let name = Array("\(processID())\n".utf8)
        try? file.write(name.span, at: 0)
        _ = ftruncate(number, name.count)
        self.file = file
    }

    deinit {
        // Closing the descriptor alone is not enough: a child that was forked meanwhile would keep
        // the lock until it calls exec.
        _ = flock(file.rawValue, LOCK_UN)
    }

    /// The process ID in the lock file, written by the holder.
    package static func owner(_ path: String) -> Int32? {
        guard let file = try? SystemFileSystem().open(path, O_RDONLY, mode: 0) else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: 16)
        var span = bytes.mutableSpan
        let count = (try? file.read(into: &span)) ?? 0
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// Whether a process holds the lock.
    package static func isHeld(_ path: String) -> Bool {
        guard let owner = owner(path), kill(owner, 0) == 0 || errno == EPERM,
            let file = try? SystemFileSystem().open(path, O_RDONLY, mode: 0)
        else { return false }
        // The owner may have died, and another process may have its ID. Only in that case the lock
        // is acquired for a moment, in which a start would be refused.
        return !file.tryLockShared()
    }

    /// Whether the path still leads to this lock file.
    package func isInPlace(_ path: String) -> Bool {
        guard let ours = try? file.status(), let current = try? SystemFileSystem().status(of: path)
        else {
            return false
        }
        return current.isSameFile(as: ours)
    }
}

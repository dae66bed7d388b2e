import Glibc

/// What keeps two processes from one thing: a lock on a file beside it, which the kernel takes back when
/// its owner dies, however that happens.
package struct ProcessLock: ~Copyable {
    let file: FileDescriptor

    /// - Parameter path: of the file, which is made where it is not there.
    /// - Returns: nil if another process has it.
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
        // For whoever comes second, so that they can be told; the lock does not depend on it.
        let name = Array("\(processID())\n".utf8)
        try? file.write(name.span, at: 0)
        _ = ftruncate(number, name.count)
        self.file = file
    }

    deinit {
        // The end of the descriptor alone would leave the lock to a child that was forked meanwhile, until
        // that has become another program.
        _ = flock(file.rawValue, LOCK_UN)
    }

    /// The process that has the lock, as it says itself.
    package static func owner(_ path: String) -> Int32? {
        guard let file = try? SystemFileSystem().open(path, O_RDONLY, mode: 0) else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: 16)
        var span = bytes.mutableSpan
        let count = (try? file.read(into: &span)) ?? 0
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// Whether a process has the lock.
    package static func isHeld(_ path: String) -> Bool {
        guard let owner = owner(path), kill(owner, 0) == 0 || errno == EPERM,
            let file = try? SystemFileSystem().open(path, O_RDONLY, mode: 0)
        else { return false }
        // The owner may have died, and another process have its number. Only then is the lock taken
        // for a moment, in which a start would be refused.
        return !file.tryLockShared()
    }

    /// Whether the lock is still the one that the next process would find.
    package func isInPlace(_ path: String) -> Bool {
        guard let ours = try? file.status(), let there = try? SystemFileSystem().status(of: path)
        else {
            return false
        }
        return there.isSameFile(as: ours)
    }
}

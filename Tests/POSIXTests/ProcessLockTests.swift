import Glibc
import TestSupport
import Testing

@testable import POSIX

struct ProcessLockTests {
    @Test func `a lock has one owner at a time, whose process ID is in the file`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("lock")
        do {
            guard let lock = try ProcessLock(path) else { throw Errno.wouldBlock }
            #expect(try !Self.isFree(path))
            #expect(ProcessLock.owner(path) == getpid())
            let isInPlace = lock.isInPlace(path)
            #expect(isInPlace)
            #expect(ProcessLock.isHeld(path))
        }
        // The process named in the file is alive, but no longer holds the lock.
        #expect(ProcessLock.owner(path) == getpid())
        #expect(!ProcessLock.isHeld(path))
        #expect(try Self.isFree(path))
    }

    // As in a child that was forked and has not called exec.
    @Test func `a lock is released although another descriptor of its file is open`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("lock")
        var copy: CInt = -1
        do {
            guard let lock = try ProcessLock(path) else { throw Errno.wouldBlock }
            copy = dup(lock.file.rawValue)
        }
        #expect(copy >= 0)
        #expect(try Self.isFree(path))
        close(copy)
    }

    private static func isFree(_ path: String) throws -> Bool {
        guard let lock = try ProcessLock(path) else { return false }
        let isInPlace = lock.isInPlace(path)
        return isInPlace
    }
}

import Glibc
import TestSupport
import Testing

@testable import POSIX

@Suite("A lock between processes")
struct ProcessLockTests {
    @Test("is one owner's at a time, who is named, until it is let go")
    func oneOwner() throws {
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
        // The process that the file names lives, and has it no more.
        #expect(ProcessLock.owner(path) == getpid())
        #expect(!ProcessLock.isHeld(path))
        #expect(try Self.isFree(path))
    }

    // As a child has it that was forked and is not another program yet.
    @Test("is let go although somebody else has its descriptor, too")
    func inherited() throws {
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

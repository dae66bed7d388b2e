import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

final class LogLockTests {
    let folder: TemporaryFolder
    let options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions(path: folder.path("app.log"))
    }

    private func logger(_ options: LogOptions) throws -> Logger {
        try Logger(options, clock: .fixed(someTime), standardErrorDescriptor: devNull.rawValue)
    }

    @Test func `a second logger of the same log is refused while the first one exists`() throws {
        var first: Logger? = try logger(options)
        let before = try folder.text("app.log")
        for _ in 0..<2 {
            #expect(throws: LogOpenError.inUse(by: getpid())) { try logger(options) }
        }
        #expect(try folder.text("app.log") == before)
        withExtendedLifetime(first) {}
        first = nil
        #expect(throws: Never.self) { try logger(options) }
    }

    @Test func `the lock belongs to the file, however its path is spelled`() throws {
        let first = try logger(options)
        let other = LogOptions(path: folder.path("./app.log"))
        #expect(throws: LogOpenError.inUse(by: getpid())) { try logger(other) }
        withExtendedLifetime(first) {}
    }

    @Test func `logs in the same folder have separate locks`() throws {
        let loggers = try ["app.log", "other.log", "app.log.lock"].map { name in
            try logger(LogOptions(path: folder.path(name)))
        }
        for logger in loggers { #expect(logger.isHealthy) }
        #expect(folder.allNames.filter { $0.hasSuffix(".lock") && $0.hasPrefix(".") }.count == 3)
    }

    @Test
    func `a log locked by another process is refused, with that process's ID if known`() throws {
        for (content, owner) in [("4242\n", 4242), ("", nil), ("nobody\n", nil), ("1", 1)]
            as [(String, Int32?)]
        {
            try folder.file(".app.log.lock", content)
            let file = try FileDescriptor.open(folder.path(".app.log.lock"), O_RDWR)
            #expect(flock(file.rawValue, LOCK_EX | LOCK_NB) == 0)
            #expect(throws: LogOpenError.inUse(by: owner)) { try logger(options) }
        }
        #expect(folder.names == [])
        let ours = try logger(options)
        #expect(try folder.text(".app.log.lock") == "\(getpid())\n")
        withExtendedLifetime(ours) {}
    }

    @Test func `a lock file that is a symbolic link is refused`() throws {
        try folder.file("precious", "precious\n")
        #expect(symlink(folder.path("precious"), folder.path(".app.log.lock")) == 0)
        #expect(throws: LogOpenError.failed(Errno(ELOOP))) { try logger(options) }
        #expect(try folder.text("precious") == "precious\n")
    }
}

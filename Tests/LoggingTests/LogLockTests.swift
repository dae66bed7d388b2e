import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

@Suite("The lock of a log")
final class LogLockTests {
    let folder: TemporaryFolder
    let options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions(path: folder.path("app.log"))
    }

    private func logger(_ options: LogOptions) throws -> Logger {
        try Logger(options, clock: .fixed(someTime), standardErrorDescriptor: nowhere.rawValue)
    }

    @Test("keeps a second logger away, names the first, and lets go with it")
    func second() throws {
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

    @Test("is known by the file, not by the spelling of its path")
    func spelling() throws {
        let first = try logger(options)
        let other = LogOptions(path: folder.path("./app.log"))
        #expect(throws: LogOpenError.inUse(by: getpid())) { try logger(other) }
        withExtendedLifetime(first) {}
    }

    @Test("of one log is not in the way of another in the same folder")
    func others() throws {
        let loggers = try ["app.log", "other.log", "app.log.lock"].map { name in
            try logger(LogOptions(path: folder.path(name)))
        }
        for logger in loggers { #expect(logger.isHealthy) }
        #expect(folder.allNames.filter { $0.hasSuffix(".lock") && $0.hasPrefix(".") }.count == 3)
    }

    @Test("keeps a log away that another process holds, and says whose it is if it can be told")
    func otherProcess() throws {
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

    @Test("is no symbolic link's target")
    func symbolicLink() throws {
        try folder.file("precious", "precious\n")
        #expect(symlink(folder.path("precious"), folder.path(".app.log.lock")) == 0)
        #expect(throws: LogOpenError.failed(Errno(ELOOP))) { try logger(options) }
        #expect(try folder.text("precious") == "precious\n")
    }
}

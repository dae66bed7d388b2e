import Glibc
import POSIX

/// What keeps two processes from one log: a lock on `.app.log.lock` beside it, which the kernel takes
/// back when its owner dies, however that happens.
struct LogLock: ~Copyable {
    private let file: FileDescriptor

    /// Nil if another process has it.
    init?(of log: String) throws(Errno) {
        let path = LogName.companion(of: log, "lock")
        let file = try FileDescriptor.open(
            path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
        let number = file.number
        do throws(Errno) {
            _ = try retryingOnInterrupt { flock(number, LOCK_EX | LOCK_NB) }
        } catch {
            if error == .again { return nil }
            throw error
        }
        // For whoever comes second, so that they can be told; the lock does not depend on it.
        let name = Array("\(processID())\n".utf8)
        try? file.write(name.span, at: 0)
        _ = ftruncate(number, name.count)
        self.file = file
    }

    /// The process that has the lock, as it says itself.
    static func owner(of log: String) -> Int32? {
        guard let file = try? FileDescriptor.open(LogName.companion(of: log, "lock"), O_RDONLY)
        else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: 16)
        var span = bytes.mutableSpan
        let count = (try? file.read(into: &span)) ?? 0
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// Whether the lock is still the one that the next process would find.
    func isInPlace(of log: String) -> Bool {
        guard let ours = try? file.status(),
            let there = try? FileStatus(path: LogName.companion(of: log, "lock"))
        else { return false }
        return there.isSameFile(as: ours)
    }
}

/// Why a log cannot be opened.
package enum LogOpenError: Error, Equatable {
    case failed(Errno)
    /// There is a file, and it is no log.
    case isNoLog
    /// Another process has it; its number, if it can be told.
    case inUse(by: Int32?)
}

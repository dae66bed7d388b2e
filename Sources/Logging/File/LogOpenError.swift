import POSIX

/// Why a log cannot be opened.
package enum LogOpenError: Error, Equatable {
    case failed(Errno)
    /// There is no regular file at the path, but this kind of file, such as `a pipe`.
    case isNotRegular(String)
    /// The file exists and is not a log.
    case notALog
    /// Another process uses the log; its process ID, if known.
    case inUse(by: Int32?)
    /// The audit log cannot be opened.
    indirect case audit(LogOpenError)
}

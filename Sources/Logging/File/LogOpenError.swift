import POSIX

/// Why a log cannot be opened.
package enum LogOpenError: Error, Equatable {
    case failed(Errno)
    /// What is at the path is not a regular file; its kind, in words.
    case isNotRegular(String)
    /// There is a file, and it is no log.
    case isNoLog
    /// Another process has it; its number, if it can be told.
    case inUse(by: Int32?)
    /// It is the audit log that cannot be.
    indirect case audit(LogOpenError)
}

import Logging
import POSIX

/// A test suite whose tests open a log with the same options and clock.
protocol LogSuite {
    var options: LogOptions { get }
    var clock: TestClock { get }
}

extension LogSuite {
    /// Opens the log. Lines for standard error are discarded.
    func logger(_ fileSystem: any FileSystem = SystemFileSystem()) throws -> Logger {
        try Logger(
            options, clock: clock.clock, fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
    }
}

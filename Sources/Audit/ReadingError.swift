import POSIX

/// Why a command that reads the log could not go on.
package enum ReadingError: Error, Equatable, Sendable {
    /// A file cannot be opened or read.
    case file(path: String, Errno)
    /// A file that is followed must be a file: a pipe or a device has no place to go back to.
    case notAFile(path: String)
    /// gzip(1) cannot be started.
    case noGzip(path: String)
    /// gzip(1) says that this is nothing of its own, or broken.
    case notGzip(path: String)
    /// What was found cannot be written.
    case output(Errno)

    package var sentence: String {
        switch self {
        case .file(let path, let error): "\(path) cannot be read: \(error.words)"
        case .notAFile(let path): "\(path) cannot be followed: it is not a regular file"
        case .noGzip(let path): "\(path) cannot be read: there is no gzip"
        case .notGzip(let path): "\(path) cannot be read: gzip finds it broken"
        case .output(let error): "cannot write: \(error.words)"
        }
    }

    /// The output is at fault, not the log.
    package var isOfOutput: Bool {
        if case .output = self { true } else { false }
    }
}

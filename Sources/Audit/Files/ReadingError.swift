import POSIX

/// Why a command that reads the log could not go on.
package enum ReadingError: Error, Equatable, Sendable {
    /// A file cannot be opened or read.
    case file(path: String, Errno)
    /// A file of a configured log is a symbolic link, which is not followed.
    case link(path: String)
    /// A file that is followed must be a file: a pipe or a device has no place to go back to.
    case notAFile(path: String)
    /// gzip(1) cannot be started.
    case noGzip(path: String)
    /// gzip(1) says that this is nothing of its own, or broken.
    case notGzip(path: String)
    /// What was found cannot be written.
    case output(Errno)

    /// - Parameter path: `-` is standard input.
    init(_ path: String, _ error: Errno) {
        switch error {
        case GzipBytes.noGzip: self = .noGzip(path: path)
        case GzipBytes.notGzip: self = .notGzip(path: path)
        default: self = .file(path: path == "-" ? "standard input" : path, error)
        }
    }

    /// Why a path could not be opened.
    package init(opening path: String, _ access: LogAccess, _ error: Errno) {
        // A loop of links on the way has the same number.
        if error == .tooManySymbolicLinkLevels,
            (try? access.status(of: path))?.isSymbolicLink == true
        {
            self = .link(path: path)
        } else {
            self.init(path, error)
        }
    }

    package var sentence: String {
        switch self {
        case .file(let path, _), .link(let path), .noGzip(let path), .notGzip(let path):
            "\(path) cannot be read: \(reason)"
        case .notAFile(let path): "\(path) cannot be followed: \(reason)"
        case .output: "cannot write: \(reason)"
        }
    }

    /// Without the path.
    package var reason: String {
        switch self {
        case .file(_, let error), .output(let error): error.description
        case .link: "it is a symbolic link; put the file itself there"
        case .notAFile: "it is not a regular file"
        case .noGzip: "there is no gzip"
        case .notGzip: "no whole gzip file"
        }
    }

    var isNotThere: Bool {
        if case .file(_, .noSuchFileOrDirectory) = self { true } else { false }
    }

    /// A file of a configured log is a symbolic link.
    var isLink: Bool {
        if case .link = self { true } else { false }
    }

    /// The output is at fault, not the log.
    package var isOfOutput: Bool {
        if case .output = self { true } else { false }
    }
}

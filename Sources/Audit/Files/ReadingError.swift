import POSIX

/// Why a command that reads the log has failed.
package enum ReadingError: Error, Equatable, Sendable {
    /// A file cannot be opened or read.
    case file(path: String, Errno)
    /// A file of a configured log is a symbolic link; links are not followed.
    case link(path: String)
    /// `log tail --follow` needs a regular file: a pipe or a device cannot be read again from an
    /// offset.
    case notAFile(path: String)
    /// gzip(1) cannot be started.
    case noGzip(path: String)
    /// gzip(1) reports that the file is not a gzip file, or is broken.
    case notGzip(path: String)
    /// The results cannot be written.
    case output(Errno)

    /// - Parameter path: `-` is standard input.
    init(_ path: String, _ error: Errno) {
        switch error {
        case GzipBytes.noGzip: self = .noGzip(path: path)
        case GzipBytes.notGzip: self = .notGzip(path: path)
        default: self = .file(path: path == "-" ? "standard input" : path, error)
        }
    }

    /// The error for a path that could not be opened.
    package init(opening path: String, _ access: LogAccess, _ error: Errno) {
        // A loop of links on the way to the file has the same error number.
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
            "\(path): cannot be read: \(reason)"
        case .notAFile(let path): "\(path): cannot be followed: \(reason)"
        case .output: "cannot write: \(reason)"
        }
    }

    /// The reason without the path.
    package var reason: String {
        switch self {
        case .file(_, let error), .output(let error): error.description
        case .link: "is a symbolic link; put the file itself there"
        case .notAFile: "is not a regular file"
        case .noGzip: "gzip was not found; install gzip"
        case .notGzip: "not a complete gzip file"
        }
    }

    var isNotThere: Bool {
        if case .file(_, .noSuchFileOrDirectory) = self { true } else { false }
    }

    /// Whether a file of a configured log is a symbolic link.
    var isLink: Bool {
        if case .link = self { true } else { false }
    }

    /// Whether writing the output has failed; then the log itself is not at fault.
    package var isOfOutput: Bool {
        if case .output = self { true } else { false }
    }
}

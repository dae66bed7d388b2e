import Logging
import POSIX

/// The names of the files of a log: the current file `app.log`, and the full files
/// `app.log.000001`, `app.log.000002`, …, some of which may have been packed with gzip(1).
struct LogFiles {
    struct Full: Equatable {
        let number: Int
        let path: String
    }

    /// The existing full files, from the oldest to the newest. If a file exists both plain and
    /// packed, as while gzip(1) runs, the plain one is listed.
    let full: [Full]
    /// Paths of other files whose names begin with the log's name, sorted by name. Other programs
    /// that rotate logs write names such as `app.log.1` or `app.log-20261121`.
    let others: [String]
    /// Paths of the files that a server moved aside because no server had written them, sorted by
    /// number.
    let foreign: [String]

    /// - Parameters:
    ///   - access: how the folder is opened.
    ///   - highest: the highest number that is known to have been used. A longer number may be a
    ///     date (see `LogFileNames`).
    /// - Throws: `ReadingError.file` if the folder cannot be read. A missing folder is not an
    ///   error.
    init(of log: String, _ access: LogAccess = .configured, highest: Int = .max)
        throws(ReadingError)
    {
        let folder = LogFileNames.folder(of: log)
        let names: [String]
        do throws(Errno) {
            names = try access.names(besides: log)
        } catch {
            guard error == .noSuchFileOrDirectory else { throw ReadingError(folder, error) }
            names = []
        }
        let base = LogFileNames.base(of: log)
        var full: [Int: Full] = [:]
        var others: [String] = []
        var foreign: [(number: Int, path: String)] = []
        for name in names.sorted() where name.hasPrefix(base) {
            let rest = name.dropFirst(base.count)
            let path = log + rest
            if let number = LogFileNames.number(of: Self.unpacked(name), log, highest: highest) {
                // The plain file sorts before the packed one.
                if full[number] == nil { full[number] = Full(number: number, path: path) }
            } else if let number = LogFileNames.foreignNumber(of: Self.unpacked(name), log) {
                foreign.append((number, path))
            } else if rest.first == "." || rest.first == "-" {
                others.append(path)
            }
        }
        self.full = full.values.sorted { $0.number < $1.number }
        self.others = others
        self.foreign = foreign.sorted { ($0.number, $0.path) < ($1.number, $1.path) }.map(\.path)
    }

    static func isPacked(_ path: String) -> Bool { path.hasSuffix(".gz") }

    /// The name without `.gz`.
    static func unpacked(_ path: String) -> String {
        isPacked(path) ? String(path.dropLast(3)) : path
    }

    /// Splits `logs/app.log.000012`, packed or not, into `logs/app.log` and 12.
    static func name(of path: String) -> (log: String, number: Int?) {
        let path = unpacked(path)
        guard let dot = path.lastIndex(of: ".") else { return (path, nil) }
        let log = String(path[..<dot])
        guard !LogFileNames.base(of: log).isEmpty,
            let number = LogFileNames.number(of: LogFileNames.base(of: path), log, highest: .max)
        else { return (path, nil) }
        return (log, number)
    }
}

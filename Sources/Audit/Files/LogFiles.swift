import Logging
import POSIX

/// The files of a log by their names: `app.log`, which is being written, and the full ones,
/// `app.log.000001`, `app.log.000002`, …, some of which somebody may have packed with gzip(1).
struct LogFiles {
    struct Full: Equatable {
        let number: Int
        let path: String
    }

    /// The full files that are there, from the oldest to the newest. One that is there both as it was
    /// and packed, as while gzip(1) works on it, is given as it was.
    let full: [Full]
    /// Paths of other files whose names begin with the log's, in the order of the names: whoever
    /// moves logs away by himself calls them `app.log.1` or `app.log-20261121`.
    let others: [String]
    /// Paths of those that the log moved aside, because no server wrote them, in the order of their
    /// numbers.
    let foreign: [String]

    /// - Parameters:
    ///   - access: how the folder is reached.
    ///   - highest: the highest number known to have been given: longer ones than that may be dates
    ///     (see `LogName`).
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
                // As it was comes first.
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

    /// The name before gzip(1) came.
    static func unpacked(_ path: String) -> String {
        isPacked(path) ? String(path.dropLast(3)) : path
    }

    /// `logs/app.log` and 12 of `logs/app.log.000012`, packed or not.
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

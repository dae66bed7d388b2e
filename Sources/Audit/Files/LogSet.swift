import Logging
import POSIX

/// The files that are a log: the one that is being written, the full ones, and those that
/// logrotate(8) or another program moved away and left beside it, packed or not. The one place that
/// decides it, for `log verify`, `log stats` and `log tail`.
///
/// All of them are opened at once: while they are read, the server may rotate and remove them, and
/// what is open stays. Files that were moved aside because no server wrote them are not part of the
/// log.
struct LogSet {
    /// In the order in which they were written.
    private(set) var files: [LogFile] = []
    /// The file at the log's path, if it is among them.
    private(set) var current: LogFile?
    /// Names of the files that were moved aside, without their folder, and their sizes.
    private(set) var foreign: [(name: String, size: Int)] = []
    /// What could not be opened.
    private(set) var problems: [(path: String, error: ReadingError)] = []
    private(set) var notes: [String] = []

    /// What the state file tells.
    struct State {
        /// The number of the newest seal; nil if it is not known.
        var reach: UInt64?
        /// The highest number that a full file got.
        var generation = Int.max
    }

    /// Whenever a file has been rotated or removed meanwhile, what was opened may not fit together,
    /// and everything is opened again. A log where that happens this often in a row does not exist.
    private static let mostAttempts = 16

    /// - Parameters:
    ///   - access: how its files are opened.
    ///   - keyIDs: of the keys that are known; nil if none is asked for.
    ///   - state: is called before the files are opened: the log may be further then, and never
    ///     behind.
    init(
        of log: String, _ access: LogAccess, keyIDs: [String]?, state: () -> State = { State() }
    ) {
        for attempt in 1...Self.mostAttempts {
            self = LogSet()
            let isLastAttempt = attempt == Self.mostAttempts
            if open(log, access, keyIDs, state(), isLastAttempt: isLastAttempt) { break }
        }
    }

    private init() {}

    /// False if the log has changed meanwhile.
    private mutating func open(
        _ log: String, _ way: LogAccess, _ keyIDs: [String]?, _ state: State,
        isLastAttempt: Bool
    ) -> Bool {
        let access: LogAccess
        do throws(Errno) {
            // Once: where each file takes the whole way, a busy server rotates meanwhile.
            access = try way.entering(folderOf: log)
        } catch {
            if error != .noSuchFileOrDirectory { problems.append((log, ReadingError(log, error))) }
            return true
        }
        do throws(ReadingError) {
            // A server that died while it rotated leaves none.
            current = try LogFile.ifThere(log, access)
        } catch {
            problems.append((log, error))
        }
        let names: LogFiles
        do throws(ReadingError) {
            names = try LogFiles(of: log, access, highest: state.generation)
        } catch {
            problems.append((LogFileNames.folder(of: log), error))
            return true
        }
        var full: [LogFile] = []
        for path in names.full.map(\.path) {
            do throws(ReadingError) {
                let file = try LogFile(path, access)
                // Rotated since it was opened as the log.
                if let current, current.isSameFile(as: file), !isLastAttempt { return false }
                full.append(file)
            } catch {
                guard !error.isNotThere || isLastAttempt else { return false }
                problems.append((path, error))
            }
        }
        let moved = ExternallyRotatedFiles(
            of: log, access, among: names.others, full: full, current: current,
            reach: state.reach, keyIDs: keyIDs)
        // It may have come since it was looked for.
        let isInPlace =
            current.map { $0.isAt(log, access) } ?? ((try? access.status(of: log)) == nil)
        guard isInPlace && moved.isStable || isLastAttempt else { return false }
        // It was opened before the names were read: what was removed in between is told in what it
        // has got since then.
        do throws(ReadingError) {
            try current?.measureAgain()
        } catch {
            problems.append((log, error))
        }
        files = moved.all
        notes = moved.notes
        foreign = names.foreign.map { path in
            (LogFileNames.base(of: path), (try? access.status(of: path).size) ?? 0)
        }
        return true
    }
}

import Logging
import POSIX

/// The files of a log: the current file, the full files, and those that logrotate(8) or another
/// program moved away within the same folder, packed or not. `log verify`, `log stats` and `log
/// tail` all use this type to decide which files belong to the log.
///
/// All files are opened at once. While they are read, the server may rotate or remove them; the
/// open descriptors stay valid. Files that were moved aside because no server wrote them are not
/// part of the log.
struct LogSet {
    /// In the order in which they were written.
    private(set) var files: [LogFile] = []
    /// The file at the log's path, if it is among `files`.
    private(set) var current: LogFile?
    /// Names without their folder, and sizes in bytes, of the files that were moved aside.
    private(set) var foreign: [(name: String, size: Int)] = []
    /// The files that could not be opened.
    private(set) var problems: [(path: String, error: ReadingError)] = []
    private(set) var notes: [String] = []

    /// What the state file contains.
    struct State {
        /// The number of the newest seal; nil if it is not known.
        var reach: UInt64?
        /// The number of the newest full file.
        var generation = Int.max
    }

    /// If a file is rotated or removed while the files are opened, they may not fit together, and
    /// all are opened again. No real log rotates this many times in a row.
    private static let mostAttempts = 16

    /// - Parameters:
    ///   - access: how the files are opened.
    ///   - keyIDs: the IDs of the known keys; nil if keys do not matter.
    ///   - state: reads the state file. It is called before the files are opened, so the log may be
    ///     newer than the state, and never older.
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

    /// Returns false if the log has changed meanwhile.
    private mutating func open(
        _ log: String, _ outerAccess: LogAccess, _ keyIDs: [String]?, _ state: State,
        isLastAttempt: Bool
    ) -> Bool {
        let access: LogAccess
        do throws(Errno) {
            // Open the folder once. Walking the path for every file would give a busy server time
            // to rotate.
            access = try outerAccess.entering(folderOf: log)
        } catch {
            if error != .noSuchFileOrDirectory { problems.append((log, ReadingError(log, error))) }
            return true
        }
        do throws(ReadingError) {
            // A server that died during a rotation leaves no current file.
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
                // It was rotated after it was opened as the current file.
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
        // The current file may have appeared after the first attempt to open it.
        let isInPlace =
            current.map { $0.isAt(log, access) } ?? ((try? access.status(of: log)) == nil)
        guard isInPlace && moved.isStable || isLastAttempt else { return false }
        // The current file was opened before the names were read. If retention removed a file in
        // between, the line that reports it is in what has been written since, so measure again.
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

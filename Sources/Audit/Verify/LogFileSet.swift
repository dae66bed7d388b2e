import Logging
import POSIX

/// The open files of a log, in the order in which they were written.
///
/// All are opened at once. While they are read, the server may rotate or remove them; the open
/// descriptors stay valid.
struct LogFileSet {
    struct File {
        let facts: ChainChecker.File
        let file: LogFile

        init(_ file: LogFile, name: String) {
            let (log, number) = LogFiles.name(of: file.path)
            facts = ChainChecker.File(name: name, number: number, logName: log)
            self.file = file
        }
    }

    private(set) var files: [File] = []
    /// What could not be opened, and why.
    private(set) var problems: [String] = []
    private(set) var notes: [String] = []
    /// Names and sizes in bytes of the files that were moved aside because no server wrote them.
    private(set) var foreign: [(name: String, size: Int)] = []
    private(set) var state: ChainChecker.State?
    /// The number of the newest full file, according to the state file.
    private var generation = 0
    /// Whether the files should be the complete log.
    private(set) var isComplete = false

    // MARK: A log by its path

    /// Opens a log: its current file, all of its full files, and those that were moved away within
    /// its folder.
    init(log: String, keys: [SealKey]) {
        var loaded = LogFileSet()
        let set = LogSet(of: log, .configured, keyIDs: keys.map(\.id)) {
            loaded = LogFileSet()
            loaded.readState(of: log, keys)
            return LogSet.State(
                reach: loaded.state?.head.sequence, generation: loaded.generation)
        }
        self = loaded
        if set.problems.contains(where: { $0.error.isLink }) {
            // Without the link's target, the other files would look like a truncated log.
            state = nil
        } else {
            files = set.files.map { File($0, name: LogFileNames.base(of: $0.path)) }
        }
        problems += set.problems.map { "\($0.path): \($0.error.reason)" }
        notes += set.notes
        foreign = set.foreign
        if files.isEmpty, problems.isEmpty, state == nil {
            problems.append("\(log): \(Errno.noSuchFileOrDirectory.description)")
        }
        isComplete = true
    }

    private init() {}

    // MARK: Files by their paths

    /// Opens files by their paths. Files of one log are sorted by their numbers, others by the
    /// first seal in each. `-` is standard input; with it, the files stay in the given order.
    init(paths: [String], keys: [SealKey]) {
        for path in paths {
            do throws(ReadingError) {
                let file = try LogFile(path, .named, waits: true)
                // A file that is given twice would be reported as a copy.
                let isTwice = files.contains { $0.file.isSameFile(as: file) }
                guard !isTwice || !file.status.isRegularFile else { continue }
                files.append(File(file, name: path))
            } catch {
                problems.append("\(path): \(error.reason)")
            }
        }
        if !paths.contains("-") { sort() }
        let given = Set(files.compactMap(\.facts.number))
        for path in files.filter({ $0.facts.number == nil }).map(\.file.path) where path != "-" {
            readState(of: path, keys)
            guard state != nil else { continue }
            // An operator who leaves out existing files does so on purpose.
            let full = (try? LogFiles(of: path, highest: generation))?.full
            isComplete = full?.allSatisfy { given.contains($0.number) } ?? false
        }
    }

    private mutating func sort() {
        let logs = Set(files.map(\.facts.logName))
        if logs.count <= 1, files.count(where: { $0.facts.number == nil }) <= 1 {
            files.sort { $0.facts.number ?? .max < $1.facts.number ?? .max }
            return
        }
        // Files without a seal come last; otherwise the order stays the same, which `sorted` alone
        // would not guarantee.
        let keyed = files.enumerated().map { index, file in
            (sequence: SealRange.firstSequence(in: file.file) ?? .max, index: index, file: file)
        }
        files = keyed.sorted { ($0.sequence, $0.index) < ($1.sequence, $1.index) }.map(\.file)
    }

    // MARK: Both

    private mutating func readState(of log: String, _ keys: [SealKey]) {
        let path = LogState.path(of: log)
        do throws(Errno) {
            for key in keys {
                guard let found = try LogState.read(from: path, key) else { continue }
                state = ChainChecker.State(head: found.head, keyID: key.id)
                generation = found.lastArchiveNumber
                return
            }
        } catch {
            problems.append("\(path): \(ReadingError(opening: path, .configured, error).reason)")
            return
        }
        if let size = try? SystemFileSystem().status(of: path).size, size > 0 {
            notes.append(
                "\(path): written with none of the keys, or changed; it is ignored")
        }
    }
}

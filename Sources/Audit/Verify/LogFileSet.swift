import Logging
import POSIX

/// The files of a log, open and in the order they were written in.
///
/// Opened all at once: while they are read, the server may rotate and remove them, and what is open
/// stays.
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
    /// What could not be opened.
    private(set) var problems: [String] = []
    private(set) var notes: [String] = []
    /// Names and sizes of files that were moved aside, because no server wrote them.
    private(set) var foreign: [(name: String, size: Int)] = []
    private(set) var state: ChainChecker.State?
    /// The number that the last full file got, by the state file.
    private var generation = 0
    /// Whether the files should be the whole of the log.
    private(set) var isComplete = false

    // MARK: A log by its path

    /// The log, all of its full files, and those that were moved away from beside it.
    init(log: String, keys: [SealKey]) {
        var told = LogFileSet()
        let set = LogSet(of: log, .configured, keyIDs: keys.map(\.id)) {
            told = LogFileSet()
            told.readState(of: log, keys)
            return LogSet.State(
                reach: told.state?.head.sequence, generation: told.generation)
        }
        self = told
        if set.problems.contains(where: { $0.error.isLink }) {
            // Without it the others would look like a log that somebody has cut.
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

    /// Files in the order of their numbers, where they are one log's; otherwise in the order of the
    /// seals that they begin with. `-` is standard input; with it, files stay in the order given.
    init(paths: [String], keys: [SealKey]) {
        for path in paths {
            do throws(ReadingError) {
                let file = try LogFile(path, .named, waits: true)
                // Given twice it would be a copy.
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
            // Whoever leaves files out that are there knows that he did.
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
        // Without a seal behind all others, and otherwise as they were: the sort must be a stable one.
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
                generation = found.generation
                return
            }
        } catch {
            problems.append("\(path): \(ReadingError(opening: path, .configured, error).reason)")
            return
        }
        if let size = try? SystemFileSystem().status(of: path).size, size > 0 {
            notes.append(
                "\(path) was written with none of the keys, or changed: it counts for nothing")
        }
    }
}

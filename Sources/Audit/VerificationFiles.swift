import Glibc
import Logging
import POSIX

/// The files of a log, open and in the order they were written in.
///
/// Opened all at once: while they are read, the server may rotate and remove them, and what is open
/// stays.
struct VerificationFiles: ~Copyable {
    struct File {
        let facts: VerificationLedger.File
        let source: any ByteSource
    }

    private(set) var files: [File] = []
    /// What could not be opened.
    private(set) var problems: [String] = []
    private(set) var notes: [String] = []
    /// The head that the state file beside the log has.
    var state: SealHead? { stored?.head }
    private var stored: LogState?
    /// Whether the files should be the whole of the log.
    private(set) var isComplete = false

    // MARK: A log by its path

    /// The log and all of its full files.
    init(log: String, keys: [SealKey]) {
        // Whenever the server has rotated or removed a file meanwhile, what was opened may not fit
        // together: once more. A server that does so this often in a row has no log to speak of.
        for attempt in 1...16 where open(log, keys, isLastAttempt: attempt == 16) { break }
        isComplete = true
    }

    /// False if the log has changed meanwhile.
    private mutating func open(_ log: String, _ keys: [SealKey], isLastAttempt: Bool) -> Bool {
        files = []
        problems = []
        // Before the files: the log may be further then, and never behind.
        notes = []
        readState(of: log, keys)
        let current = openCurrent(log)
        guard let numbers = fullFiles(of: log) else { return true }
        for number in numbers.keys.sorted() {
            let isPacked = numbers[number] == true
            let path = LogName.path(of: log, number) + (isPacked ? ".gz" : "")
            do throws(Errno) {
                let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
                if let current, try file.status().isSameFile(as: current.status) {
                    // Rotated since it was opened as the log.
                    guard isLastAttempt else { return false }
                }
                append(path, LogName.base(of: path), file, isPacked: isPacked)
            } catch {
                guard error != .isNotThere || isLastAttempt else { return false }
                problems.append("\(path): \(error.words)")
            }
        }
        let status = try? FileStatus(path: log)
        guard let current else {
            // It may have come since it was looked for.
            guard status == nil || isLastAttempt else { return false }
            if files.isEmpty, problems.isEmpty, state == nil {
                problems.append("\(log): \(Errno.isNotThere.words)")
            }
            return true
        }
        guard status?.isSameFile(as: current.status) == true else { return isLastAttempt }
        do throws(Errno) {
            append(log, LogName.base(of: log), try current.file.duplicate(), isPacked: false)
        } catch {
            problems.append("\(log): \(error.words)")
        }
        return true
    }

    /// The file that is being written.
    private final class Current {
        let file: FileDescriptor
        let status: FileStatus

        init(_ log: String) throws(Errno) {
            file = try FileDescriptor.open(log, O_RDONLY | O_NONBLOCK)
            status = try file.status()
        }
    }

    private mutating func openCurrent(_ log: String) -> Current? {
        do throws(Errno) {
            return try Current(log)
        } catch {
            // A server that died while it rotated leaves none.
            if error != .isNotThere { problems.append("\(log): \(error.words)") }
            return nil
        }
    }

    /// The numbers of the full files, and whether each is there only packed: something else may pack
    /// them, and takes the plain one away once it is done.
    private mutating func fullFiles(of log: String) -> [Int: Bool]? {
        let names: [String]
        do throws(Errno) {
            names = try SystemFileSystem().names(in: LogName.folder(of: log))
        } catch {
            problems.append("\(LogName.folder(of: log)): \(error.words)")
            return nil
        }
        let highest = stored?.generation ?? 0
        var numbers: [Int: Bool] = [:]
        for name in names {
            let isPacked = name.hasSuffix(".gz")
            let plain = isPacked ? name.dropLast(3) : name[...]
            guard let number = LogName.number(of: plain, log, highest: highest) else { continue }
            numbers[number] = (numbers[number] ?? true) && isPacked
        }
        return numbers
    }

    // MARK: Files by their paths

    /// Files in the order of their numbers, where they are one log's; otherwise in the order of the
    /// seals that they begin with. `-` is standard input; with it, files stay in the order given.
    init(paths: [String], keys: [SealKey]) {
        var identities: [FileStatus] = []
        var opened: [(path: String, file: File)] = []
        for path in paths {
            do throws(Errno) {
                let file = try path == "-" ? Self.standardInput() : .open(path, O_RDONLY)
                let status = try file.status()
                // Given twice it would be a copy.
                if status.isRegularFile {
                    guard !identities.contains(where: { $0.isSameFile(as: status) }) else {
                        continue
                    }
                    identities.append(status)
                }
                append(path, path, file, isPacked: path.hasSuffix(".gz"))
                if let file = files.popLast() { opened.append((path, file)) }
            } catch {
                problems.append("\(path): \(error.words)")
            }
        }
        if !paths.contains("-") { Self.sort(&opened) }
        files = opened.map(\.file)
        for (path, file) in opened where file.facts.number == nil && path != "-" {
            readState(of: path, keys)
            guard stored != nil else { continue }
            // Whoever leaves files out that are there knows that he did.
            let given = Set(files.compactMap(\.facts.number))
            isComplete = fullFiles(of: path)?.keys.allSatisfy(given.contains) ?? false
        }
    }

    private static func standardInput() throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try retryingOnInterrupt { fcntl(0, F_DUPFD_CLOEXEC, 3) })
    }

    private static func sort(_ opened: inout [(path: String, file: File)]) {
        let logs = Set(opened.map(\.file.facts.logName))
        if logs.count <= 1, opened.count(where: { $0.file.facts.number == nil }) <= 1 {
            opened.sort { $0.file.facts.number ?? .max < $1.file.facts.number ?? .max }
            return
        }
        // Without a seal behind all others, and otherwise as they were: the sort must be a stable one.
        let keyed = opened.enumerated().map { (firstSequence($1.path) ?? .max, $0, $1) }
        opened = keyed.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }

    /// The number of the first seal in a file.
    private static func firstSequence(_ path: String) -> UInt64? {
        guard let file = try? FileDescriptor.open(path, O_RDONLY) else { return nil }
        let source: any ByteSource
        if path.hasSuffix(".gz") {
            source = GzipBytes(file)
        } else {
            // A pipe can be read only once.
            guard (try? file.status().isRegularFile) == true else { return nil }
            source = FileBytes(file)
        }
        var reader = LineReader(source)
        while let line = try? reader.next() {
            if line.isWhole, LogNotice(line.bytes) == .seal, let seal = SealLine(line.bytes) {
                return seal.sequence
            }
        }
        return nil
    }

    // MARK: Both

    private mutating func append(
        _ path: String, _ name: String, _ file: consuming FileDescriptor, isPacked: Bool
    ) {
        let plain = isPacked ? String(path.dropLast(3)) : path
        let (log, number) = Self.logName(of: plain)
        let source: any ByteSource
        if isPacked {
            source = GzipBytes(file)
        } else {
            // What comes while this is read is for the next time.
            let status = try? file.status()
            source = FileBytes(
                file, limit: status?.isRegularFile == true ? status?.size ?? .max : .max)
        }
        files.append(
            File(
                facts: VerificationLedger.File(name: name, number: number, logName: log),
                source: source))
    }

    /// `logs/app.log` and 12 of `logs/app.log.000012`.
    static func logName(of path: String) -> (log: String, number: Int?) {
        guard let dot = path.lastIndex(of: ".") else { return (path, nil) }
        let log = String(path[..<dot])
        guard !LogName.base(of: log).isEmpty,
            let number = LogName.number(of: LogName.base(of: path), log, highest: .max)
        else { return (path, nil) }
        return (log, number)
    }

    private mutating func readState(of log: String, _ keys: [SealKey]) {
        let path = LogState.path(of: log)
        do throws(Errno) {
            for key in keys {
                guard let state = try LogState.read(from: path, key) else { continue }
                stored = state
                return
            }
        } catch {
            problems.append("\(path): \(error.words)")
            return
        }
        if let size = try? FileStatus(path: path).size, size > 0 {
            notes.append(
                "\(path) was written with none of the keys, or changed: it counts for nothing")
        }
    }
}

import Glibc
import POSIX
import Time

/// The log file: appends whole lines, closes segments with seals, and starts a new file between two
/// lines when the next would not fit or a new day has begun.
///
/// `app.log` is the file that is written; full ones become `app.log.000001`, `app.log.000002`, …:
/// numbers that sort, and are never used again, so that no collector mistakes one for another. A new
/// file is opened before the old one is let go; if that fails, the old one goes on past its size,
/// because a long file is better than a lost line. Which full ones stay is `Retention`'s affair, and
/// none goes before a line says so.
///
/// A write that fails half-way leaves no half line: the file is cut back to the last whole one, and if
/// even that fails, the next write begins with a line end and a line that says so. Owned by whoever
/// holds the logger's write turn; a `ProcessLock` on `.app.log.lock` beside it keeps other processes
/// away.
///
/// What no server wrote is never sealed as written. The chain takes in only what this process
/// writes, so other bytes in the file make the next seal fail in a verification. A file of others
/// at the path is moved aside (`ForeignFile`) and never appended to. What a start finds behind the
/// last seal of a process that was killed is under a seal with a reason of its own.
struct RotatingFile: ~Copyable {
    struct Options: Sendable {
        var path: String
        /// Bytes; a line that is longer gets a file of its own.
        var maximumSize: Int
        /// Whether a new day (UTC) begins a new file.
        var rotatesDaily = false
        var retention = Retention()
        var format = LogFormat.text
        var seal: LogOptions.Seal?
        /// To remove lines younger than this is a WARNING; nil where it is not.
        var leastHistory: TimeAmount?
    }

    /// What became of a batch.
    struct AppendResult {
        /// Bytes of whole lines that are in the file.
        var written: Int
        /// Why the rest is not.
        var error: Errno?
        /// The line that was to come first is there.
        var hasAnnounced = false
    }

    /// After this long without a line a seal says so: an absence that is on record.
    private static let noticeInterval = TimeAmount.seconds(60)
    /// Kept free for the seal that closes a file; no seal is longer.
    private static let maximumSealLength = 448
    /// Full files that wait to be synced at most.
    private static let maximumRetired = 4
    private static let retentionInterval = TimeAmount.seconds(3600)

    private var options: Options
    private let fileSystem: any FileSystem
    private let clock: WallClock
    private var file: OpenLogFile
    private var lock: ProcessLock
    private var stateFile: LogStateFile?
    /// Nil where the log is not sealed.
    private var chain: SealChain?
    private var lastSeal: Timestamp
    /// The file's size behind its last seal.
    private var sealedSize: Int
    /// What the last process left is not sealed yet.
    private var owesStartSeal = true

    private var size: Int
    /// That of the lines that are in the file.
    private var format: LogFormat
    /// The last thing in the file is the seal of a stop.
    private var isFinal = false
    /// The number that the last full file got.
    private(set) var lastArchiveNumber: Int
    /// The UTC day of the file's first line, counted from 1970; nil if it is none that we know.
    private var day: Int64?
    /// Bytes that a start has found.
    private var foundSize: Int
    /// The file ends in a seal that only lacks its line end.
    private var endsInSeal: Bool
    /// The file ends inside a line that could not be taken back.
    private(set) var endsInsideLine: Bool
    /// After a rotation that failed, the size at which the next is tried.
    private var rotationSize: Int
    /// Why the last rotation failed, until one succeeds.
    private(set) var rotationFailure: Errno?
    /// Lines about the file itself that stand before whatever comes next.
    private var owed: [UInt8] = []
    /// The same for standard error, until somebody takes them there.
    private var notices: [any LogEvent] = []
    /// The bytes of such lines at the file's beginning; a file with nothing else is not full.
    private var headerSize = 0
    /// Full files that are removed once the line that says so is sealed and on the disk.
    private var filesToRemove: [Int] = []
    private var removalIsSealed = false
    private var lastRetention: Timestamp
    /// About when the oldest line that stays was written; nil while nothing was removed.
    private(set) var oldest: Timestamp?
    /// Full files whose last lines may not be on the disk yet.
    private var retired: [OpenLogFile] = []
    private var folderHasChanged = false
    /// Counts whatever changes the file, so that a sync knows whether it was the last word.
    private var changes: UInt64 = 0
    private var syncedChanges: UInt64 = 0

    /// Opens the file, making it and its folder if they are not there, and takes up the chain where the
    /// last process left it.
    init(
        _ options: Options, _ fileSystem: any FileSystem, clock: WallClock
    ) throws(LogOpenError) {
        let now = clock.now()
        try Self.checkKind(options.path, fileSystem)
        try Self.checkBeginning(options.path)
        let lock = try Self.lock(options.path, fileSystem)
        var start: LogRecoveryScan
        var file: OpenLogFile
        var stateFile: LogStateFile?
        var hadState = true
        var foreign: LogForeign?
        do throws(Errno) {
            file = try Self.open(options.path, fileSystem)
            let statePath = LogState.path(of: options.path)
            if let seal = options.seal {
                hadState = (try? FileStatus(path: statePath)) != nil
                stateFile = try LogStateFile(statePath, seal.key)
            } else {
                try LogStateFile.clear(statePath)
            }
            start = try LogRecoveryScan(
                options.path, stateFile?.state, options.seal?.key, fileSystem)
            foreign = try Self.moveForeign(start, file, options.path, fileSystem)
            if foreign != nil {
                file = try Self.open(options.path, fileSystem)
                start = try LogRecoveryScan(
                    options.path, stateFile?.state, options.seal?.key, fileSystem)
            }
            // Without it, a kill within the next second has the lines until then moved aside, which
            // loses none of them.
            try? stateFile?.begin()
        } catch {
            throw .failed(error)
        }
        self.file = file
        self.lock = lock
        self.stateFile = stateFile
        chain = start.chain
        size = start.size
        sealedSize = start.size
        lastArchiveNumber = start.generation
        endsInsideLine = start.isTorn
        endsInSeal = start.endsInSeal
        foundSize = start.size
        day = start.isOf(now) ? now.day : nil
        rotationSize = options.maximumSize
        format = start.format ?? options.format
        lastSeal = now
        lastRetention = now
        self.options = options
        self.fileSystem = fileSystem
        self.clock = clock
        appendNotice(LogOpened(file: LogFileNames.base(of: options.path)))
        if let foreign { appendNotice(foreign) }
        if start.isMissing { appendNotice(LogReopened(reason: "missing", level: .warning)) }
        if start.isMissingTail {
            appendNotice(LogFailed(reason: "missing_tail", head: start.chain?.head))
        }
        if !hadState, let head = start.chain?.head, head != .none {
            appendNotice(LogFailed(reason: "missing_state", head: head))
        }
        selectFilesToRemove(now)
    }

    /// Before anything is opened: a device or a pipe is no log, and opening one may do something.
    private static func checkKind(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(LogOpenError) {
        guard let status = try? fileSystem.status(of: path) else { return }
        // Opening the other two says what is wrong.
        guard status.isRegularFile || status.isFolder || status.isSymbolicLink else {
            throw .isNotRegular(status.kind)
        }
    }

    /// Moves aside what a start found and no server wrote.
    private static func moveForeign(
        _ start: LogRecoveryScan, _ file: OpenLogFile, _ path: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> LogForeign? {
        switch start.foreign {
        case nil:
            guard start.size == 0, file.status.linkCount > 1 else { return nil }
            return LogForeign(
                file: try ForeignFile.moveAside(path, of: path, fileSystem), count: 0,
                reason: .linked)
        case .file:
            return LogForeign(
                file: try ForeignFile.moveAside(path, of: path, fileSystem), count: start.size,
                reason: .replaced)
        case .end(let offset):
            // Where there is no room for a copy they stay, between a stop and a start, where a
            // verification finds them.
            let name = try? ForeignFile.moveEnd(of: path, from: offset, fileSystem)
            return LogForeign(
                file: name ?? LogFileNames.base(of: path), count: start.size - offset,
                reason: .afterStop)
        }
    }

    /// Before anything is made beside it.
    private static func checkBeginning(_ path: String) throws(LogOpenError) {
        // What cannot be read is told of when it is opened.
        if (try? LogFileSignature.isLog(path)) == false { throw .isNoLog }
    }

    private static func lock(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(LogOpenError) -> ProcessLock {
        let lockPath = Self.lockPath(path)
        do throws(Errno) {
            try fileSystem.createFolders(LogFileNames.folder(of: path), mode: 0o750)
            if let lock = try ProcessLock(lockPath) { return lock }
        } catch {
            throw .failed(error)
        }
        throw .inUse(by: ProcessLock.owner(lockPath))
    }

    private static func lockPath(_ path: String) -> String {
        LogFileNames.companion(of: path, "lock")
    }

    // MARK: Appending

    /// Appends lines, each with its line end, and a seal if one is due.
    /// - Parameter event: what is to be said before them.
    mutating func append(
        _ lines: Span<UInt8>, announcing event: (any LogEvent)? = nil
    ) -> AppendResult {
        let now = clock.now()
        var outcome = AppendResult(written: 0)
        outcome.error = append(lines, event, now, &outcome)
        guard outcome.error == nil else { return outcome }
        // A seal that cannot be written now is due at the next write, and no line depends on it.
        if owesStartSeal {
            owesStartSeal = false
            _ = seal(.start, now)
        } else if sealIsDue(now) {
            _ = seal(.interval, now)
        }
        return outcome
    }

    private mutating func append(
        _ lines: Span<UInt8>, _ event: (any LogEvent)?, _ now: Timestamp,
        _ outcome: inout AppendResult
    ) -> Errno? {
        if let error = closeTornLine() ?? sealFound(now) { return error }
        if format != options.format, size > 0 {
            rotate("format", now)
            // Once: where it fails, two formats in a file are better than lost lines.
            format = options.format
        } else if dayIsOver(now) {
            rotate("day", now)
        } else if size > headerSize, owed.count > room {
            rotate("size", now)
        }
        // A file with nothing in it but its own first lines is of the day of what comes next.
        if size == headerSize { day = now.day }
        if let error = writeOwed() { return error }
        if let event {
            var count = 0
            let line = LogLine.whole(event, at: now, options.format)
            if let error = write(line.span, &count) { return error }
            outcome.hasAnnounced = true
        }
        while outcome.written < lines.count {
            let rest = lines.extracting(outcome.written..<lines.count)
            let first = Self.firstLine(rest)
            if size > headerSize, first > room {
                rotate("size", now)
                if let error = writeOwed() { return error }
            }
            let length = max(first, Self.wholeLines(rest, within: room))
            if let error = write(rest.extracting(0..<length), &outcome.written) { return error }
        }
        return nil
    }

    /// What is to be done when nobody writes: a new day, a seal, a word about silence.
    /// - Returns: why one of them could not be written.
    mutating func performMaintenance() -> Errno? {
        let now = clock.now()
        if now < lastRetention || lastRetention + Self.retentionInterval <= now {
            selectFilesToRemove(now)
        }
        if let error = append(Span()).error { return error }
        guard let chain, chain.lineCount == 0,
            now < lastSeal || lastSeal + Self.noticeInterval <= now
        else {
            return nil
        }
        if size > headerSize, room < 0 {
            rotate("size", now)
            return append(Span()).error
        }
        return seal(.silence, now)
    }

    /// Bytes of lines that the file has room for.
    private var room: Int { rotationSize - size - (chain == nil ? 0 : Self.maximumSealLength) }

    /// What a start has found is under a seal without a line of this process: a verification can
    /// name its lines.
    private mutating func sealFound(_ now: Timestamp) -> Errno? {
        owesStartSeal && size == foundSize ? seal(.found, now) : nil
    }

    private mutating func closeTornLine() -> Errno? {
        guard endsInsideLine else { return nil }
        let end = [UInt8(ascii: "\n")]
        if let error = writeAll(end.span).error { return error }
        endsInsideLine = false
        if size == foundSize { foundSize += 1 }
        if endsInSeal {
            // The last process was killed between the two: nothing was lost.
            endsInSeal = false
            size += 1
            sealedSize = size
            changes += 1
            return nil
        }
        keep(end.span)
        appendNotice(LogRecovered(reason: "torn_line"))
        return nil
    }

    /// Writes all of `chunk`, which is whole lines, or leaves none of the line that did not fit.
    private mutating func write(_ chunk: Span<UInt8>, _ written: inout Int) -> Errno? {
        let (count, error) = writeAll(chunk)
        let whole = Self.wholeLines(chunk, within: count)
        keep(chunk.extracting(0..<whole))
        if whole < count { undoTornWrite(chunk.extracting(whole..<count)) }
        written += whole
        return error
    }

    private mutating func writeOwed() -> Errno? {
        guard !owed.isEmpty else { return sealRetention() }
        let isHeader = size == headerSize
        var written = 0
        let lines = owed
        let error = write(lines.span, &written)
        owed.removeFirst(written)
        let sealError = error ?? sealRetention()
        if isHeader { headerSize = size }
        return sealError
    }

    /// What is to be removed is sealed as soon as it is said, so that nobody else can have said it.
    private mutating func sealRetention() -> Errno? {
        guard !filesToRemove.isEmpty, !removalIsSealed else { return nil }
        if let error = seal(.rotate, clock.now()) { return error }
        removalIsSealed = true
        return nil
    }

    private func writeAll(_ bytes: Span<UInt8>) -> (count: Int, error: Errno?) {
        var count = 0
        do throws(Errno) {
            while count < bytes.count {
                count += try fileSystem.write(
                    bytes.extracting(count..<bytes.count), to: file.descriptor)
            }
        } catch {
            return (count, error)
        }
        return (count, nil)
    }

    /// Takes note of what is in the file now.
    private mutating func keep(_ bytes: Span<UInt8>) {
        size += bytes.count
        if !bytes.isEmpty { isFinal = false }
        changes += 1
        chain?.update(bytes)
    }

    /// Cuts the beginning of a line off the end of the file.
    private mutating func undoTornWrite(_ torn: Span<UInt8>) {
        do throws(Errno) {
            // Not `size`: somebody may have emptied the file, and must not get it back as zeros.
            let end = max(0, try file.descriptor.status().size - torn.count)
            try fileSystem.truncate(file.descriptor, to: end)
        } catch {
            keep(torn)
            endsInsideLine = true
        }
    }

    /// A line of the file's own, for before whatever comes next.
    private mutating func appendNotice(_ event: some LogEvent) {
        owed += LogLine.whole(event, at: clock.now(), options.format)
        notices.append(event)
    }

    /// The same for the first line of a file.
    private mutating func prependNotice(_ event: some LogEvent) {
        owed = LogLine.whole(event, at: clock.now(), options.format) + owed
        notices.append(event)
    }

    /// What the file has said since this was last asked.
    mutating func takeNotices() -> [any LogEvent] {
        defer { notices = [] }
        return notices
    }

    // MARK: Seals

    private func sealIsDue(_ now: Timestamp) -> Bool {
        guard let chain, let seal = options.seal, chain.lineCount > 0 else { return false }
        // A clock that was put back must not put off the seal.
        return now < lastSeal || lastSeal + seal.interval <= now
    }

    /// Why a segment is closed before another file begins. What a start has found is never sealed as
    /// what this process has written.
    private var closingReason: SealChain.Reason {
        owesStartSeal ? size == foundSize ? .found : .start : .rotate
    }

    /// - Parameter isForced: also a segment without a line of ours.
    private mutating func seal(
        _ reason: SealChain.Reason, _ now: Timestamp, isForced: Bool = false
    ) -> Errno? {
        guard let seal = options.seal, let chain, !endsInsideLine else { return nil }
        guard chain.lineCount > 0 || isForced || reason == .silence || reason == .stop else {
            return nil
        }
        let (line, head) = chain.seal(reason, key: seal.key, at: now, format)
        let (count, error) = writeAll(line.span)
        guard count == line.count else {
            if count > 0 { undoTornWrite(line.span.extracting(0..<count)) }
            return error
        }
        size += count
        changes += 1
        sealedSize = size
        isFinal = reason == .stop
        lastSeal = now
        self.chain?.advance(to: head)
        return nil
    }

    /// Takes over what may change while the file is open: its limits, and the key that seals it. Path and
    /// format stay, and whether there are seals.
    ///
    /// What was written under the old key is sealed with it before the new one counts.
    /// - Returns: why the old key stays in use.
    mutating func change(to new: Options) -> Errno? {
        if rotationSize == options.maximumSize { rotationSize = new.maximumSize }
        options.maximumSize = new.maximumSize
        options.rotatesDaily = new.rotatesDaily
        options.retention = new.retention
        guard let seal = new.seal, let old = options.seal else { return nil }
        guard seal.key.id != old.key.id else {
            options.seal = seal
            return nil
        }
        if let error = append(Span()).error ?? self.seal(.interval, clock.now()) { return error }
        do throws(Errno) {
            stateFile = try LogStateFile(LogState.path(of: options.path), seal.key)
        } catch { return error }
        // Has the state written under the new key at the next sync, whether or not a line comes.
        changes += 1
        options.seal = seal
        return nil
    }

    /// How far the chain has come; nil where the log is not sealed.
    var head: SealHead? { chain?.head }

    /// Seals what is there, because nothing more comes.
    mutating func finish() -> Errno? {
        if checkPath() == .grown { sealApartFromForeignBytes(clock.now()) }
        if let error = append(Span()).error { return error }
        return seal(.stop, clock.now())
    }

    // MARK: Rotation

    private func dayIsOver(_ now: Timestamp) -> Bool {
        options.rotatesDaily && day != now.day && size > headerSize && rotationFailure == nil
    }

    private mutating func rotate(_ reason: StaticString, _ now: Timestamp) {
        let number: Int
        let new: OpenLogFile
        do throws(Errno) {
            switch checkPath() {
            case .same: break
            // The file is closed all the same: or else others could keep it from being rotated.
            case .grown: sealApartFromForeignBytes(now)
            case let finding: return try reopen(finding)
            }
            if let error = seal(closingReason, now) { throw error }
            // Whatever has come into the folder meanwhile, no file is written over.
            number = max(lastArchiveNumber, try numbers().max() ?? 0) + 1
            let fullPath = LogFileNames.path(of: options.path, number)
            try fileSystem.rename(options.path, to: fullPath)
            guard try fileSystem.status(of: fullPath).isSameFile(as: file.status) else {
                // Another process exchanged the file since it was looked at.
                try moveAside(fullPath, .replaced)
                return try reopen(.moved)
            }
            new = try openInPlace(ofFullFile: fullPath)
        } catch {
            // Stay with the old file, and try again a little later.
            rotationFailure = error
            rotationSize = size + max(options.maximumSize / 8, 4096)
            return
        }
        lastArchiveNumber = number
        begin(new, now)
        prependNotice(
            LogRotated(
                file: LogFileNames.base(of: LogFileNames.path(of: options.path, number)),
                reason: reason))
        selectFilesToRemove(now)
    }

    private func openInPlace(ofFullFile fullPath: String) throws(Errno) -> OpenLogFile {
        do throws(Errno) {
            return try Self.open(options.path, fileSystem, O_EXCL)
        } catch {
            // The old file is still open under its new name; it gets the old one back, unless
            // somebody has put another file there.
            if error != .fileExists { try? fileSystem.rename(fullPath, to: options.path) }
            throw error
        }
    }

    /// Goes on with another file, which is empty.
    private mutating func begin(_ new: OpenLogFile, _ now: Timestamp) {
        retire()
        file = new
        format = options.format
        size = 0
        headerSize = 0
        sealedSize = 0
        day = now.day
        endsInsideLine = false
        endsInSeal = false
        foundSize = 0
        rotationSize = options.maximumSize
        rotationFailure = nil
        folderHasChanged = true
        changes += 1
    }

    private mutating func retire() {
        guard syncedChanges != changes else { return }
        retired.append(file)
        if retired.count > Self.maximumRetired {
            try? fileSystem.synchronize(retired.removeFirst().descriptor)
        }
    }

    // MARK: Retention

    /// Finds the full files that need not stay, and says so; they go when that is on the disk, which
    /// is the next sync's affair.
    private mutating func selectFilesToRemove(_ now: Timestamp) {
        lastRetention = now
        // Rotations come faster than syncs: this one cannot wait.
        if !filesToRemove.isEmpty { synchronizeAndRemove() }
        guard filesToRemove.isEmpty, let numbers = try? numbers().sorted() else { return }
        let files = numbers.compactMap { number in
            (try? fileSystem.status(of: LogFileNames.path(of: options.path, number)))
                .map { Retention.FullFile(number: number, size: $0.size, modified: $0.modified) }
        }
        let excess = options.retention.excess(of: files, besides: options.maximumSize, now)
        guard let reason = excess.reason, let last = excess.files.last else { return }
        filesToRemove = excess.files.map(\.number)
        removalIsSealed = false
        let path = LogFileNames.path(of: options.path, last.number)
        // The last line of the last file that goes is just older than the first that stays.
        let history = TimeAmount(milliseconds: max(0, now.milliseconds - last.modified))
        oldest = Timestamp(milliseconds: min(last.modified, now.milliseconds))
        appendNotice(
            LogRetained(
                count: filesToRemove.count, file: LogFileNames.base(of: path),
                sequence: (try? LogRecoveryScan.lastSeal(in: path))?.sequence, reason: reason,
                history: options.leastHistory == nil ? nil : history.wholeSeconds,
                isShort: options.leastHistory.map { history < $0 } ?? false))
    }

    private mutating func synchronizeAndRemove() {
        guard let unsynced = unsynced() else { return }
        do throws(Errno) {
            try Self.synchronize(unsynced, fileSystem)
            try markSynced(unsynced)
        } catch {
            // As with everything that is not on the disk: the next sync tries again.
            return
        }
    }

    private mutating func remove(_ numbers: [Int]) {
        for number in numbers {
            // A file that cannot be removed now is found again at the next rotation.
            try? fileSystem.remove(LogFileNames.path(of: options.path, number))
        }
        folderHasChanged = true
        // While the disk took its time, a rotation may have removed them itself and found others.
        guard filesToRemove == numbers else { return }
        filesToRemove = []
        removalIsSealed = false
    }

    /// The numbers of the full files that are there.
    private func numbers() throws(Errno) -> [Int] {
        try fileSystem.names(in: LogFileNames.folder(of: options.path)).compactMap { name in
            LogFileNames.number(of: name, options.path, highest: lastArchiveNumber)
        }
    }

    // MARK: Somebody else's rotation

    enum PathChange: String {
        case same, removed, moved, replaced, truncated, grown
    }

    /// Whether the path still leads to the file that is written.
    private func checkPath() -> PathChange {
        guard let ours = try? file.descriptor.status() else { return .same }
        do throws(Errno) {
            let there = try fileSystem.status(of: options.path)
            if !there.isSameFile(as: ours) { return .replaced }
            if ours.size < size { return .truncated }
            // Without seals nothing says whose lines they are, and others may share the file.
            return ours.size > size && chain != nil ? .grown : .same
        } catch {
            guard error == .noSuchFileOrDirectory else { return .same }
            return ours.linkCount == 0 ? .removed : .moved
        }
    }

    /// Opens the path again if it leads elsewhere, and says so.
    /// - Throws: why it cannot be opened; then the old file stays in use.
    mutating func reopenIfGone() throws(Errno) {
        let finding = checkPath()
        if finding != .same { try reopen(finding) } else { try takeCompanions() }
    }

    /// Opens the path again because the operator says so; the old file stays in use if that fails.
    mutating func reopen() throws(Errno) {
        let finding = checkPath()
        switch finding {
        case .same: appendNotice(Self.reopenedBySignal)
        case .grown:
            try reopen(finding)
            appendNotice(Self.reopenedBySignal)
        // Whoever rotates the log moves the file, and then says so.
        case .moved, .replaced: try reopen(finding, Self.reopenedBySignal)
        case .removed, .truncated: try reopen(finding)
        }
    }

    private static let reopenedBySignal = LogReopened(reason: "signal", level: .info)

    /// - Parameter event: what is to be said of it, if not what was found.
    private mutating func reopen(
        _ finding: PathChange, _ event: LogReopened? = nil
    ) throws(Errno) {
        let now = clock.now()
        switch finding {
        case .grown: return sealApartFromForeignBytes(now)
        case .truncated:
            // What was not sealed is gone; a segment of what is left, and of what comes now, begins.
            // What is left may be lines of ours since then: it is sealed as found, apart from what
            // this process writes from now on.
            let found = try LogRecoveryScan.found(
                options.path, after: chain.map { SealChain(after: $0.head) })
            size = found.size
            sealedSize = 0
            headerSize = min(headerSize, size)
            endsInsideLine = found.isTorn
            chain = found.chain
            (isFinal, endsInSeal) = (false, false)
            if size > 0 { _ = closeTornLine() ?? seal(.found, now) }
        default:
            try close(finding, now)
            if finding != .replaced {
                try fileSystem.createFolders(LogFileNames.folder(of: options.path), mode: 0o750)
            }
            // Before anything is moved: the path may be the log of another process by now.
            try takeCompanions()
            begin(try openEmptyFile(), now)
        }
        prependNotice(event ?? LogReopened(reason: finding.word, level: .warning))
    }

    /// Opens the path, where nothing is but an empty file at most.
    private mutating func openEmptyFile() throws(Errno) -> OpenLogFile {
        var there = try? fileSystem.status(of: options.path)
        // Opening these two fails; they are not the log's to move.
        if let status = there, status.isFolder || status.isSymbolicLink { there = nil }
        if there == nil || there?.isEmptyFile == true {
            let file = try Self.open(options.path, fileSystem)
            if file.status.isEmptyFile { return file }
            there = file.status
        }
        try moveAside(options.path, there?.isLinkedEmptyFile == true ? .linked : .replaced)
        return try Self.open(options.path, fileSystem, O_EXCL)
    }

    private mutating func moveAside(
        _ path: String, _ reason: LogForeign.Reason
    ) throws(Errno) {
        let status = try fileSystem.status(of: path)
        let name = try ForeignFile.moveAside(path, of: options.path, fileSystem)
        folderHasChanged = true
        appendNotice(LogForeign(file: name, count: status.size, reason: reason))
    }

    /// Others have appended to the file. A seal ends the segment in which their bytes are: it
    /// covers ours alone, so a verification names the lines. What this process writes next is a
    /// segment of its own.
    private mutating func sealApartFromForeignBytes(_ now: Timestamp) {
        guard let status = try? file.descriptor.status(), status.size > size else { return }
        let count = status.size - size
        size = status.size
        endsInsideLine = !endsInLineEnd()
        endsInSeal = false
        // A seal that cannot be written now is written with the next lines, and fails all the same.
        _ =
            closeTornLine()
            ?? seal(owesStartSeal ? .found : .interval, now, isForced: true)
        appendNotice(
            LogForeign(
                file: LogFileNames.base(of: options.path), count: count, reason: .appended))
    }

    /// Whether the last byte of the file is a line end; false if it cannot be read.
    private func endsInLineEnd() -> Bool {
        guard
            let reading = try? SystemFileSystem().open(options.path, O_RDONLY, mode: 0),
            (try? reading.status().isSameFile(as: file.status)) == true
        else { return false }
        var byte: [UInt8] = [0]
        var span = byte.mutableSpan
        let count = (try? reading.read(into: &span, at: size - 1)) ?? 0
        return count == 1 && byte[0] == UInt8(ascii: "\n")
    }

    /// Ends the segment in the file that is left behind: none reaches into the next.
    /// - Throws: why it cannot be sealed while the file is still there; then it stays in use.
    private mutating func close(_ finding: PathChange, _ now: Timestamp) throws(Errno) {
        if let error = closeTornLine() ?? seal(closingReason, now), finding != .removed {
            throw error
        }
        // With a file that is gone its unsealed lines are, too.
        if finding == .removed { chain = chain.map { SealChain(after: $0.head) } }
    }

    /// The lock and the state, where the folder has been taken away with them.
    private mutating func takeCompanions() throws(Errno) {
        let lockPath = Self.lockPath(options.path)
        if !lock.isInPlace(lockPath) {
            guard let new = try ProcessLock(lockPath) else { throw .wouldBlock }
            lock = consume new
        }
        if let seal = options.seal,
            stateFile?.isInPlace(LogState.path(of: options.path)) == false
        {
            stateFile = try LogStateFile(LogState.path(of: options.path), seal.key)
        }
    }

    private static func open(
        _ path: String, _ fileSystem: any FileSystem, _ exclusive: CInt = 0
    ) throws(Errno) -> OpenLogFile {
        // O_NONBLOCK: opening a pipe must not wait for a reader.
        try OpenLogFile(
            fileSystem.open(
                path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | exclusive,
                mode: 0o640))
    }

    // MARK: The disk

    /// What a sync has to do, to be done without holding up the writers. It stays to be done until
    /// `markSynced`: whoever fails leaves it to the next.
    struct Unsynced {
        fileprivate let files: [OpenLogFile]
        fileprivate let folder: String?
        fileprivate let changes: UInt64
        fileprivate let state: LogState?
        /// Full files that can go then.
        fileprivate let filesToRemove: [Int]
    }

    /// Nil if everything is on the disk.
    func unsynced() -> Unsynced? {
        guard syncedChanges != changes else { return nil }
        return Unsynced(
            files: retired + [file],
            folder: folderHasChanged ? LogFileNames.folder(of: options.path) : nil,
            changes: changes,
            state: (chain?.head).map { head in
                LogState(
                    head: head, generation: lastArchiveNumber, size: sealedSize,
                    inode: file.status.inode, isFinal: isFinal)
            },
            filesToRemove: removalIsSealed ? filesToRemove : [])
    }

    /// Asks for everything to be put on the disk, and waits for it.
    static func synchronize(_ unsynced: Unsynced, _ fileSystem: any FileSystem) throws(Errno) {
        for file in unsynced.files { try fileSystem.synchronize(file.descriptor) }
        if let folder = unsynced.folder { try fileSystem.synchronizeFolder(folder) }
    }

    /// Takes note that it is there.
    mutating func markSynced(_ unsynced: Unsynced) throws(Errno) {
        // All but the last were full already, and have not changed since.
        let full = unsynced.files.dropLast()
        retired.removeAll { file in full.contains { $0 === file } }
        // Somebody else may have put more on the disk meanwhile.
        guard unsynced.changes > syncedChanges else { return }
        syncedChanges = unsynced.changes
        if changes == syncedChanges { folderHasChanged = false }
        if !unsynced.filesToRemove.isEmpty { remove(unsynced.filesToRemove) }
        if let state = unsynced.state { try stateFile?.write(state) }
    }

    /// For a signal handler: where lines go; -1 for nowhere.
    var fileDescriptor: CInt { file.descriptor.rawValue }

    // MARK: Lines

    /// The bytes of the whole lines among the first `room` bytes.
    private static func wholeLines(_ lines: Span<UInt8>, within room: Int) -> Int {
        if room >= lines.count { return lines.count }
        var end = max(room, 0)
        while end > 0, lines[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end
    }

    private static func firstLine(_ lines: Span<UInt8>) -> Int {
        for index in lines.indices where lines[index] == UInt8(ascii: "\n") { return index + 1 }
        return lines.count
    }
}

extension RotatingFile.PathChange {
    var word: StaticString {
        switch self {
        case .same: "same"
        case .removed: "removed"
        case .moved: "moved"
        case .replaced: "replaced"
        case .truncated: "truncated"
        case .grown: "grown"
        }
    }
}

extension FileStatus {
    /// An empty regular file that has no second name.
    fileprivate var isEmptyFile: Bool { isRegularFile && size == 0 && linkCount <= 1 }
    fileprivate var isLinkedEmptyFile: Bool { isRegularFile && size == 0 && linkCount > 1 }
}

extension Timestamp {
    /// Days since 1970-01-01, UTC.
    var day: Int64 { seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1 }
}

/// An open log file; shared by its owner and whoever puts it on the disk.
final class OpenLogFile: Sendable {
    let descriptor: FileDescriptor
    /// As it was when it was opened.
    let status: FileStatus

    init(_ descriptor: consuming FileDescriptor) throws(Errno) {
        status = try descriptor.status()
        self.descriptor = descriptor
    }
}

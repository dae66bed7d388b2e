import Glibc
import POSIX
import Time

/// The log file: appends whole lines, closes segments with seals, and starts a new file between two
/// lines when the next line would not fit or a new day has begun.
///  `app.log` is the current file. A full file becomes `app.log.000001`, `app.log.000002`, …:
/// numbers that sort and are never reused, so that no log collector confuses two archives. The new
/// file is opened before the old one is closed. If that fails, the old file grows past its size: a
/// long file is better than a lost line. `Retention` decides which archives are kept; none is
/// removed before a line records it.
///
/// A write that fails part-way leaves no partial line: the file is truncated to the last whole
/// line. If even that fails, the next write begins with a line end and a line that reports it. The
/// caller holds the logger's write turn; a `ProcessLock` on `.app.log.lock` excludes other
/// processes.
///
/// What no server wrote is never sealed as written. The chain covers only what this process writes,
/// so foreign bytes in the file make the next seal fail in a verification. A foreign file at the
/// path is moved aside (`ForeignFile`), and never appended to. Lines that a start finds after the
/// last seal of a killed process are sealed with a reason of their own.
///
/// Opening, rotation, reopening and sealing are in extensions.
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
        /// Removing lines younger than this is a WARNING; nil if it never is.
        var minimumHistory: TimeAmount?
    }

    /// What became of a batch.
    struct AppendResult {
        /// Bytes of whole lines that are in the file.
        var written = 0
        /// Why the rest is not.
        var error: Errno?
        /// The announced line is in the file.
        var hasAnnounced = false
    }

    /// Rotation, and what a failed one has left to be done.
    struct RotationState {
        /// The size at which the file is rotated.
        var size: Int
        /// Why the last rotation failed; nil after one succeeds.
        var failure: Errno?
        /// The number of the last archive.
        var lastArchiveNumber: Int
    }

    var options: Options
    let fileSystem: any FileSystem
    let clock: WallClock
    var file: OpenLogFile
    var lock: ProcessLock
    var stateFile: LogStateFile?
    var content: LogContent
    var seals: SealWriter
    var notices = FileNotices()
    var rotation: RotationState
    var pruner: LogPruner
    var pendingSync = PendingSync()

    // MARK: Appending

    /// Appends lines, each with its line end, and a seal if one is due.
    /// - Parameter event: a line that comes before them.
    mutating func append(
        _ lines: Span<UInt8>, announcing event: (any LogEvent)? = nil
    ) -> AppendResult {
        let now = clock.now()
        var result = AppendResult()
        do throws(Errno) {
            try append(lines, event, now, &result)
        } catch {
            result.error = error
            return result
        }
        // A seal that cannot be written now is due at the next write, and no line depends on it.
        if seals.takeStartSeal() {
            try? seal(.start, now)
        } else if seals.isDue(at: now) {
            try? seal(.interval, now)
        }
        return result
    }

    private mutating func append(
        _ lines: Span<UInt8>, _ event: (any LogEvent)?, _ now: Timestamp,
        _ result: inout AppendResult
    ) throws(Errno) {
        try closePartialLine()
        try sealFound(now)
        if content.format != options.format, content.size > 0 {
            rotate("format", now)
            // Once: if it fails, two formats in a file are better than lost lines.
            content.format = options.format
        } else if dayHasEnded(now) {
            rotate("day", now)
        } else if !content.isOnlyHeader, notices.lines.count > freeSize {
            rotate("size", now)
        }
        // A file that has only its own first lines belongs to the day of what comes next.
        if content.isOnlyHeader { content.day = now.day }
        try writeNotices()
        if let event {
            var count = 0
            let line = LogLine.formatted(event, at: now, options.format)
            try write(line.span, &count)
            result.hasAnnounced = true
        }
        while result.written < lines.count {
            let rest = lines.extracting(result.written..<lines.count)
            let first = Self.firstLine(rest)
            if !content.isOnlyHeader, first > freeSize {
                rotate("size", now)
                try writeNotices()
            }
            let length = max(first, Self.wholeLines(rest, within: freeSize))
            try write(rest.extracting(0..<length), &result.written)
        }
    }

    /// Appends nothing but the notices and seals that are due.
    mutating func appendDue() throws(Errno) {
        if let error = append(Span()).error { throw error }
    }

    /// Does what is due without a line: the new day, retention, a seal, a seal of silence.
    mutating func performMaintenance() throws(Errno) {
        let now = clock.now()
        if pruner.isDue(at: now) { selectFilesToRemove(now) }
        try appendDue()
        guard seals.silenceIsDue(at: now) else { return }
        if !content.isOnlyHeader, freeSize < 0 {
            rotate("size", now)
            try appendDue()
        } else {
            try seal(.silence, now)
        }
    }

    /// Bytes of lines that fit into the file before it is rotated.
    var freeSize: Int { rotation.size - content.size - seals.reservedLength }

    /// Completes a partial line that a failed write or a crash has left.
    mutating func closePartialLine() throws(Errno) {
        guard content.endsInsideLine else { return }
        let lineEnd = [UInt8(ascii: "\n")]
        if let error = writeAll(lineEnd.span).error { throw error }
        content.endsInsideLine = false
        if content.isOnlyFound { content.foundSize += 1 }
        if content.endsInSeal {
            // The last process was killed between the seal and its line end: nothing was lost.
            content.endsInSeal = false
            content.size += 1
            seals.beginFile(content.size)
            pendingSync.noteChange()
            return
        }
        noteWritten(lineEnd.span)
        appendNotice(LogRecovered(reason: "torn_line"))
    }

    /// Writes all of `lines`, or as many whole lines as fit on the disk.
    private mutating func write(_ lines: Span<UInt8>, _ written: inout Int) throws(Errno) {
        let (count, error) = writeAll(lines)
        let whole = Self.wholeLines(lines, within: count)
        noteWritten(lines.extracting(0..<whole))
        if whole < count { undoPartialLine(lines.extracting(whole..<count)) }
        written += whole
        if let error { throw error }
    }

    private mutating func writeNotices() throws(Errno) {
        guard !notices.lines.isEmpty else { return try sealRetention() }
        let isHeader = content.isOnlyHeader
        var written = 0
        let lines = notices.lines
        defer { if isHeader { content.headerSize = content.size } }
        do throws(Errno) {
            try write(lines.span, &written)
        } catch {
            notices.removeFirst(written)
            throw error
        }
        notices.removeFirst(written)
        try sealRetention()
    }

    /// write(2) until everything is written or it fails.
    func writeAll(_ bytes: Span<UInt8>) -> (count: Int, error: Errno?) {
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

    private mutating func noteWritten(_ bytes: Span<UInt8>) {
        content.size += bytes.count
        if !bytes.isEmpty { content.isFinal = false }
        pendingSync.noteChange()
        seals.update(bytes)
    }

    /// Truncates the file to remove the beginning of a line.
    mutating func undoPartialLine(_ bytes: Span<UInt8>) {
        do throws(Errno) {
            // Not to `content.size`: another process may have truncated the file, and truncate(2)
            // would extend it with zeros.
            let end = max(0, try file.descriptor.status().size - bytes.count)
            try fileSystem.truncate(file.descriptor, to: end)
        } catch {
            noteWritten(bytes)
            content.endsInsideLine = true
        }
    }

    mutating func appendNotice(_ event: some LogEvent) {
        notices.append(event, at: clock.now(), options.format)
    }

    /// For the first line of a file.
    mutating func prependNotice(_ event: some LogEvent) {
        notices.prepend(event, at: clock.now(), options.format)
    }

    /// The descriptor for a signal handler.
    var fileDescriptor: CInt { file.descriptor.rawValue }

    // MARK: Syncing

    /// - Returns: nil if everything is on disk.
    func unsynced() -> PendingSync.Snapshot? {
        pendingSync.snapshot(
            file, folder: LogFileNames.folder(of: options.path),
            seals.head.map { head in
                LogState(
                    head: head, generation: rotation.lastArchiveNumber, size: seals.sealedSize,
                    inode: file.status.inode, isFinal: content.isFinal)
            },
            filesToRemove: pruner.removable)
    }

    /// After a sync: removes archives, and writes the state file.
    mutating func markSynced(_ snapshot: PendingSync.Snapshot) throws(Errno) {
        guard pendingSync.didSync(snapshot) else { return }
        if !snapshot.filesToRemove.isEmpty { remove(snapshot.filesToRemove) }
        if let state = snapshot.state { try stateFile?.write(state) }
    }

    // MARK: Lines

    /// The number of bytes of whole lines among the first `limit` bytes.
    private static func wholeLines(_ lines: Span<UInt8>, within limit: Int) -> Int {
        if limit >= lines.count { return lines.count }
        var end = max(limit, 0)
        while end > 0, lines[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end
    }

    private static func firstLine(_ lines: Span<UInt8>) -> Int {
        for index in lines.indices where lines[index] == UInt8(ascii: "\n") { return index + 1 }
        return lines.count
    }
}

import Glibc
import POSIX
import Time

extension RotatingFile {
    /// What has happened to the file at the path.
    enum PathChange {
        case same, removed, moved, replaced, truncated
        /// Another program has appended to it.
        case grown

        /// As `log_reopen` reports it.
        var reason: StaticString {
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

    /// Compares the file at the path with the open one.
    func checkPath() -> PathChange {
        guard let ours = try? file.descriptor.status() else { return .same }
        do throws(Errno) {
            let there = try fileSystem.status(of: options.path)
            if !there.isSameFile(as: ours) { return .replaced }
            if ours.size < content.size { return .truncated }
            // Without seals the log cannot tell whose lines they are, and may share the file.
            return ours.size > content.size && seals.isSealed ? .grown : .same
        } catch {
            guard error == .noSuchFileOrDirectory else { return .same }
            return ours.linkCount == 0 ? .removed : .moved
        }
    }

    /// Opens the path again if another program has changed it, and reports that.
    /// - Throws: why it cannot be opened; then the old file stays in use.
    mutating func reopenIfChanged() throws(Errno) {
        let change = checkPath()
        if change != .same { try reopen(change) } else { try restoreCompanions() }
    }

    /// Opens the path again because the operator asks for it.
    /// - Throws: why it cannot be opened; then the old file stays in use.
    mutating func reopen() throws(Errno) {
        let change = checkPath()
        switch change {
        case .same: appendNotice(Self.reopenedBySignal)
        case .grown:
            try reopen(change)
            appendNotice(Self.reopenedBySignal)
        // A rotation by another program moves the file, and then sends the signal.
        case .moved, .replaced: try reopen(change, Self.reopenedBySignal)
        case .removed, .truncated: try reopen(change)
        }
    }

    private static let reopenedBySignal = LogReopened(reason: "signal", level: .info)

    /// - Parameter event: reported in place of the change.
    mutating func reopen(_ change: PathChange, _ event: LogReopened? = nil) throws(Errno) {
        let now = clock.now()
        switch change {
        case .grown: return sealApartFromForeignBytes(now)
        case .truncated: try continueTruncated(now)
        case .same, .removed, .moved, .replaced:
            try closeFile(change, now)
            if change != .replaced {
                try fileSystem.createFolders(LogFileNames.folder(of: options.path), mode: 0o750)
            }
            // Before anything is moved: the path may be the log of another process by now.
            try restoreCompanions()
            replaceFile(with: try openEmptyFile(), now)
        }
        prependNotice(event ?? LogReopened(reason: change.reason, level: .warning))
    }

    /// The unsealed lines are gone. What is left may contain lines of ours written since: it is
    /// sealed as found, apart from what this process writes from now on.
    private mutating func continueTruncated(_ now: Timestamp) throws(Errno) {
        let found = try LogRecoveryScan.found(
            options.path, after: seals.chain.map { SealChain(after: $0.head) })
        content.size = found.size
        content.headerSize = min(content.headerSize, content.size)
        content.endsInsideLine = found.isTorn
        (content.isFinal, content.endsInSeal) = (false, false)
        seals.restart(with: found.chain)
        guard content.size > 0 else { return }
        do throws(Errno) {
            try closePartialLine()
            try seal(.found, now)
        } catch {
            // Whatever could not be written is due again at the next write.
        }
    }

    /// Opens the path, at which there is at most an empty file.
    private mutating func openEmptyFile() throws(Errno) -> OpenLogFile {
        var there = try? fileSystem.status(of: options.path)
        // Opening these two fails, and the log must not move them.
        if let status = there, status.isFolder || status.isSymbolicLink { there = nil }
        if there == nil || there?.isEmptyFile == true {
            let file = try Self.open(options.path, fileSystem)
            if file.status.isEmptyFile { return file }
            there = file.status
        }
        try moveAside(options.path, there?.isLinkedEmptyFile == true ? .linked : .replaced)
        return try Self.open(options.path, fileSystem, O_EXCL)
    }

    mutating func moveAside(_ path: String, _ reason: LogForeign.Reason) throws(Errno) {
        let status = try fileSystem.status(of: path)
        let name = try ForeignFile.moveAside(path, of: options.path, fileSystem)
        pendingSync.noteFolderChange()
        appendNotice(LogForeign(file: name, count: status.size, reason: reason))
    }

    /// Another program has appended to the file. A seal ends the segment that contains its bytes:
    /// it covers ours alone, so a verification reports the lines. What this process writes next is
    /// a segment of its own.
    mutating func sealApartFromForeignBytes(_ now: Timestamp) {
        guard let status = try? file.descriptor.status(), status.size > content.size else { return }
        let count = status.size - content.size
        content.size = status.size
        content.endsInsideLine = !endsInLineEnd()
        content.endsInSeal = false
        do throws(Errno) {
            try closePartialLine()
            try seal(seals.owesStartSeal ? .found : .interval, now, isForced: true)
        } catch {
            // A seal that cannot be written now is written with the next lines, and fails in a
            // verification all the same.
        }
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
        let count = (try? reading.read(into: &span, at: content.size - 1)) ?? 0
        return count == 1 && byte[0] == UInt8(ascii: "\n")
    }

    /// Closes the segment in the old file.
    /// - Throws: why it cannot be sealed, if the file still exists; then it stays in use.
    private mutating func closeFile(_ change: PathChange, _ now: Timestamp) throws(Errno) {
        do throws(Errno) {
            try closePartialLine()
            try sealSegment(now)
        } catch {
            if change != .removed { throw error }
        }
        // The unsealed lines are gone with the file.
        if change == .removed { seals.dropSegment() }
    }

    /// Creates the lock and the state file again, if the folder was removed with them.
    private mutating func restoreCompanions() throws(Errno) {
        let lockPath = Self.lockPath(options.path)
        if !lock.isInPlace(lockPath) {
            guard let new = try ProcessLock(lockPath) else { throw .wouldBlock }
            lock = consume new
        }
        let statePath = LogState.path(of: options.path)
        if let seal = options.seal, stateFile?.isInPlace(statePath) == false {
            stateFile = try LogStateFile(statePath, seal.key)
        }
    }
}

extension FileStatus {
    /// An empty regular file with one hard link.
    fileprivate var isEmptyFile: Bool { isRegularFile && size == 0 && linkCount <= 1 }
    fileprivate var isLinkedEmptyFile: Bool { isRegularFile && size == 0 && linkCount > 1 }
}

import Glibc
import POSIX
import Time

extension RotatingFile {
    func dayHasEnded(_ now: Timestamp) -> Bool {
        options.rotatesDaily && content.day != now.day && !content.isOnlyHeader
            && rotation.failure == nil
    }

    /// Makes the current file an archive, and continues in a new file. If that fails, the old file
    /// stays in use and grows; it is tried again after an eighth of the maximum size.
    mutating func rotate(_ reason: StaticString, _ now: Timestamp) {
        do throws(Errno) {
            switch checkPath() {
            case .same: break
            // Rotate all the same: otherwise another program could prevent it by appending.
            case .grown: sealApartFromForeignBytes(now)
            case let change: return try reopen(change)
            }
            try sealSegment(now)
            // Whatever has been put into the folder meanwhile, no file is overwritten.
            let number = max(rotation.lastArchiveNumber, try archiveNumbers().max() ?? 0) + 1
            let archive = LogFileNames.archivePath(of: options.path, number)
            try fileSystem.rename(options.path, to: archive)
            guard try fileSystem.status(of: archive).isSameFile(as: file.status) else {
                // Another process replaced the file after `checkPath`.
                try moveAside(archive, .replaced)
                return try reopen(.moved)
            }
            let new = try openInPlace(ofArchive: archive)
            rotation.lastArchiveNumber = number
            replaceFile(with: new, now)
            prependNotice(LogRotated(file: LogFileNames.base(of: archive), reason: reason))
            selectFilesToRemove(now)
        } catch {
            rotation.failure = error
            rotation.size = content.size + max(options.maximumSize / 8, 4096)
        }
    }

    private func openInPlace(ofArchive archive: String) throws(Errno) -> OpenLogFile {
        do throws(Errno) {
            return try Self.open(options.path, fileSystem, O_EXCL)
        } catch {
            // The old file is still open under its new name. It gets the old name back, unless
            // another process has put a file there.
            if error != .fileExists { try? fileSystem.rename(archive, to: options.path) }
            throw error
        }
    }

    /// Continues with another file, which is empty.
    mutating func replaceFile(with new: OpenLogFile, _ now: Timestamp) {
        if let retired = pendingSync.retire(file) {
            try? fileSystem.synchronize(retired.descriptor)
        }
        file = new
        // `isFinal` stays until something is written.
        let isFinal = content.isFinal
        content = LogContent(format: options.format, day: now.day, isFinal: isFinal)
        seals.beginFile()
        rotation.size = options.maximumSize
        rotation.failure = nil
        pendingSync.noteFolderChange()
        pendingSync.noteChange()
    }

    private func archiveNumbers() throws(Errno) -> [Int] {
        try fileSystem.names(in: LogFileNames.folder(of: options.path)).compactMap { name in
            LogFileNames.number(of: name, options.path, highest: rotation.lastArchiveNumber)
        }
    }

    // MARK: Retention

    /// Selects the archives to remove, and announces them; the next sync removes them.
    mutating func selectFilesToRemove(_ now: Timestamp) {
        pruner.noteRun(at: now)
        // Rotations are more frequent than syncs: this one cannot wait.
        if !pruner.filesToRemove.isEmpty { synchronizeAndRemove() }
        guard pruner.filesToRemove.isEmpty, let numbers = try? archiveNumbers().sorted() else {
            return
        }
        let archives = numbers.compactMap { number in
            (try? fileSystem.status(of: LogFileNames.archivePath(of: options.path, number)))
                .map { Retention.Archive(number: number, size: $0.size, modified: $0.modified) }
        }
        guard let (last, reason) = pruner.select(from: archives, options, now) else { return }
        let path = LogFileNames.archivePath(of: options.path, last.number)
        // The last line of the last file that goes is just older than the first line that stays.
        let history = TimeAmount(milliseconds: max(0, now.milliseconds - last.modified))
        appendNotice(
            LogRetention(
                count: pruner.filesToRemove.count, file: LogFileNames.base(of: path),
                sequence: (try? LogRecoveryScan.lastSeal(in: path))?.sequence, reason: reason,
                history: options.minimumHistory == nil ? nil : history.wholeSeconds,
                isShort: options.minimumHistory.map { history < $0 } ?? false))
    }

    private mutating func synchronizeAndRemove() {
        guard let snapshot = unsynced() else { return }
        do throws(Errno) {
            try snapshot.synchronize(fileSystem)
            try markSynced(snapshot)
        } catch {
            // The next sync tries again.
            return
        }
    }

    mutating func remove(_ numbers: [Int]) {
        for number in numbers {
            // A file that cannot be removed now is found again at the next rotation.
            try? fileSystem.remove(LogFileNames.archivePath(of: options.path, number))
        }
        pendingSync.noteFolderChange()
        pruner.didRemove(numbers)
    }
}

extension Timestamp {
    /// Days since 1970-01-01, UTC.
    var day: Int64 { seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1 }
}

import Crypto
import Glibc
import POSIX

/// The file that keeps revocation entries across restarts.
///
/// The file is append-only: one write and one sync at a time. To compact it, a new file is written
/// next to it, synced, and renamed over it. Until the folder is synced as well, no further change
/// is acknowledged. Therefore the path always leads to a file with every entry that was
/// acknowledged.
///
/// A failed write is truncated away, and so is a write whose sync failed. After a failed fsync the
/// kernel may forget that pages are dirty and report success the next time, so the entries must be
/// written again. No failure is permanent: each call retries what earlier calls left undone.
///
/// Sound: `@unchecked Sendable`, because `JournalWriter` calls the journal only while it has the
/// write turn. So there is one caller at a time, and each caller sees what the previous one did.
/// Only `setStateKey` may be called by any thread; it changes nothing but a `Monitor`.
final class Journal: @unchecked Sendable {
    /// What a source of entries reports after each piece of a new file.
    enum Progress {
        case more
        case done
        /// Discard the entries received so far; the source starts again from the first one.
        case again
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let keys: JournalHeader.Keys
    /// Nil if no state file is kept.
    private let stateFile: JournalStateFile?
    /// SHA-256 of the header and of all records on the disk.
    private var hash = SHA256()
    /// The extent of the file that the path may still lead to after a power failure.
    private var previous: JournalExtent?
    private var lock: ProcessLock
    private var file: JournalFile?
    /// Records in the file that are synced.
    private(set) var count = 0
    /// The file may have unacknowledged bytes after these records.
    private var mustTruncate = false
    /// The file was renamed into place, but the folder may not be synced.
    private var mustSyncFolder = false
    /// The file may contain entries whose callers got an error.
    private var hasRejectedEntries = false

    /// Opens no file; call `replace` or `reopen` next.
    /// - Parameters:
    ///   - stateKey: nil to keep no state file.
    ///   - stateTurn: the turn of the existing state file, or 0.
    ///   - previous: the extent of the existing journal, if the next start may continue with it.
    init(
        _ path: String, _ keys: JournalHeader.Keys, _ lock: consuming ProcessLock,
        stateKey: HMACSHA256.Key? = nil, stateTurn: UInt64 = 0, previous: JournalExtent? = nil,
        _ fileSystem: any FileSystem
    ) {
        stateFile = stateKey.map {
            JournalStateFile(Self.statePath(of: path), key: $0, turn: stateTurn, fileSystem)
        }
        self.previous = previous
        self.path = path
        self.keys = keys
        self.lock = lock
        self.fileSystem = fileSystem
    }

    static func size(ofRecords count: Int) -> Int {
        JournalHeader.size + count * JournalRecord.size
    }

    var byteCount: Int { Self.size(ofRecords: count) }
    var isOpen: Bool { file != nil }

    /// Creates the folder and acquires the journal's lock file. Must be called before the journal
    /// is read.
    /// - Throws: `inUse` if another process holds the lock, else `failed`.
    static func lock(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> ProcessLock {
        let lockPath = companion(of: path, "lock")
        let lock: ProcessLock?
        do throws(Errno) {
            try fileSystem.createFolders(folder(of: path), mode: 0o750)
            lock = try ProcessLock(lockPath)
        } catch {
            throw .failed(error)
        }
        guard let lock else { throw .inUse(by: ProcessLock.owner(lockPath)) }
        return lock
    }

    // MARK: Continuing with an existing file

    /// Continues with the file that was read. Truncates a torn write; the rest is synced when this
    /// returns.
    func reopen(_ contents: JournalReader.Contents) throws(Errno) {
        let file = try JournalFile(
            fileSystem.open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0),
            contents.header)
        if contents.tornBytes > 0 {
            try fileSystem.truncate(file.descriptor, to: Self.size(ofRecords: contents.count))
        }
        try fileSystem.synchronize(file.descriptor)
        self.file = file
        count = contents.count
        hash = contents.hash
        mustTruncate = false
        // The process that renamed the file may have stopped before it synced the folder.
        mustSyncFolder = true
        try synchronizeFolder()
        writeState()
    }

    /// Whether the next write must go to a new file.
    var mustBeReplaced: Bool { hasRejectedEntries || !isInPlace }

    /// Whether the path still leads to the open file. True if the check itself fails.
    var isInPlace: Bool {
        guard let file else { return false }
        do throws(Errno) {
            return try fileSystem.status(of: path).isSameFile(as: file.status)
        } catch {
            return error != .noSuchFileOrDirectory
        }
    }

    /// Appends entries in one write, and returns after they are synced.
    /// - Throws: the error of the system call; then none of the entries is in the journal.
    func append(_ entries: [RevocationEntry]) throws(Errno) {
        guard let file else { throw .noSuchFileOrDirectory }
        try synchronizeFolder()
        try truncate()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * JournalRecord.size)
        for (index, entry) in entries.enumerated() {
            JournalRecord.append(
                entry, number: count + index, writeBegan: count, file.header, to: &bytes)
        }
        mustTruncate = true
        do throws(Errno) {
            try write(bytes, to: file)
            try fileSystem.synchronize(file.descriptor)
        } catch {
            // If truncating fails as well, the next write does it first.
            try? truncate()
            throw error
        }
        mustTruncate = false
        count += entries.count
        hash.update(bytes.span)
        writeState()
    }

    private func truncate() throws(Errno) {
        guard mustTruncate, let file else { return }
        try fileSystem.truncate(file.descriptor, to: byteCount)
        mustTruncate = false
    }

    private func synchronizeFolder() throws(Errno) {
        guard mustSyncFolder else { return }
        try fileSystem.synchronizeFolder(Self.folder(of: path))
        mustSyncFolder = false
        previous = nil
    }

    // MARK: The state file

    private var extents: [JournalExtent] {
        guard let file else { return [] }
        return [previous].compactMap(\.self) + [JournalExtent(file.header, count: count, hash)]
    }

    /// Records the journal's extent in the state file, without a sync. Errors are ignored: the next
    /// write or `syncState` retries, and the state file may lag the journal.
    private func writeState() {
        guard let stateFile, isOpen else { return }
        try? stateFile.write(extents, durably: false)
    }

    /// Writes and syncs the state file, under the current key.
    func syncState() throws(Errno) {
        guard let stateFile, isOpen else { return }
        try stateFile.write(extents, durably: true)
    }

    /// Sets the key for all later writes of the state file. For any thread.
    func setStateKey(_ key: HMACSHA256.Key) { stateFile?.setKey(key) }

    private func write(_ bytes: [UInt8], to file: JournalFile) throws(Errno) {
        let bytes = bytes
        var done = 0
        while done < bytes.count {
            let written = try fileSystem.write(
                bytes.span.extracting(done..<bytes.count), to: file.descriptor)
            guard written > 0 else { throw .noSpace }
            done += written
        }
    }

    // MARK: Replacing the file

    /// Replaces the file by a new one that contains the entries from `next`.
    /// - Parameter next: appends the next piece of all entries in force to its argument.
    /// - Throws: the error of the system call. Then either nothing has changed, or the new file is
    ///   in use and only its folder is unsynced; `append` syncs the folder first.
    func replace(_ next: (inout [RevocationEntry]) -> Progress) throws(Errno) {
        let folder = Self.folder(of: path)
        try fileSystem.createFolders(folder, mode: 0o750)
        try reacquireLock()
        let newPath = Self.companion(of: path, "new")
        // A process that was killed may have left one.
        try? fileSystem.remove(newPath)
        do throws(Errno) {
            var written: (file: JournalFile, count: Int, hash: SHA256)?
            while written == nil {
                written = try write(newPath, next)
                if written == nil { try fileSystem.remove(newPath) }
            }
            guard let (file, count, hash) = written else { return }
            try fileSystem.synchronize(file.descriptor)
            let old = extents.last ?? previous
            // The state file must name both files before the rename: the next start may find either
            // of them.
            if let stateFile {
                let new = JournalExtent(file.header, count: count, hash)
                try stateFile.write([old].compactMap(\.self) + [new], durably: true)
            }
            try fileSystem.rename(newPath, to: path)
            previous = old
            self.file = file
            self.count = count
            self.hash = hash
        } catch {
            try? fileSystem.remove(newPath)
            throw error
        }
        mustTruncate = false
        mustSyncFolder = true
        hasRejectedEntries = true
        try synchronizeFolder()
        hasRejectedEntries = false
        writeState()
    }

    /// Writes a new file. Returns nil if `next` asked to start again.
    private func write(
        _ newPath: String, _ next: (inout [RevocationEntry]) -> Progress
    ) throws(Errno) -> (JournalFile, Int, SHA256)? {
        let file = try JournalFile(
            fileSystem.open(
                newPath, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600),
            JournalHeader(keys))
        var bytes = file.header.bytes
        var hash = SHA256()
        var count = 0
        var entries: [RevocationEntry] = []
        var progress = Progress.more
        while progress == .more {
            entries.removeAll(keepingCapacity: true)
            progress = next(&entries)
            if progress == .again { return nil }
            for entry in entries {
                JournalRecord.append(entry, number: count, writeBegan: 0, file.header, to: &bytes)
                count += 1
            }
            if progress == .done {
                JournalRecord.appendMark(
                    number: count, file.header, isGuarded: stateFile != nil, to: &bytes)
                count += 1
            }
            hash.update(bytes.span)
            try write(bytes, to: file)
            bytes.removeAll(keepingCapacity: true)
        }
        return (file, count, hash)
    }

    /// Acquires the lock again if its file was removed together with the folder.
    private func reacquireLock() throws(Errno) {
        let lockPath = Self.companion(of: path, "lock")
        guard !lock.isInPlace(lockPath) else { return }
        guard let new = try ProcessLock(lockPath) else { throw .wouldBlock }
        lock = consume new
    }

    // MARK: Names

    static func statePath(of path: String) -> String { companion(of: path, "state") }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The path of a companion file in the same folder: `.NAME.KIND`.
    static func companion(of path: String, _ kind: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return ".\(path).\(kind)" }
        return "\(path[...slash]).\(path[path.index(after: slash)...]).\(kind)"
    }
}

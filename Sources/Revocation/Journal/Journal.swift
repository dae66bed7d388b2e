import Crypto
import Glibc
import POSIX

/// The file in which entries outlive the process.
///
/// It only grows, one write and one sync at a time, until another takes its place that is written
/// beside it, put on the disk, and then given its name; nothing more is promised until the folder is
/// on the disk, too. So at every moment the name leads to a file with all that was ever acknowledged.
///
/// A write that fails is cut off again, and so is one whose sync fails: after a failed sync the kernel
/// may forget that pages were never written, and report success the next time, so what is owed is
/// written anew. Nothing that fails stays failed: each call tries what is left to do.
///
/// `@unchecked Sendable` is sound: `Revocations` calls it only between setting and clearing
/// `State.isWriting`, both under its lock, so that there is one caller at a time and each sees what
/// the one before it did.
final class Journal: @unchecked Sendable {
    /// How somebody who has entries for a new file goes on.
    enum Progress {
        case more
        case done
        /// What was given until now is to be forgotten; all of it comes again.
        case again
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let keys: JournalHeader.Keys
    /// Nil if no state is kept.
    private let stateFile: JournalStateFile?
    /// The key of the state; it changes with the configuration.
    private let stateKey: Monitor<HMACSHA256.Key?>
    /// Of the records that are on the disk, and of the header.
    private var hash = SHA256()
    /// The extent of a file that the name may still lead to after a power failure.
    private var previous: JournalExtent?
    private var lock: ProcessLock
    private var file: JournalFile?
    /// Records that are in the file, and on the disk.
    private(set) var count = 0
    /// There may be something behind them.
    private var mustCut = false
    /// The file has its name, but perhaps not on the disk.
    private var mustSyncFolder = false
    /// It has entries that somebody may have been told are not in it.
    private var isSpoiled = false

    /// Nothing is opened yet: that is for `replace` or `reopen`.
    /// - Parameters:
    ///   - stateKey: nil to keep no state.
    ///   - stateTurn: of the state that is there.
    ///   - previous: the extent of the journal that is there, if the next start may go on with it.
    init(
        _ path: String, _ keys: JournalHeader.Keys, _ lock: consuming ProcessLock,
        stateKey: HMACSHA256.Key? = nil, stateTurn: UInt64 = 0, previous: JournalExtent? = nil,
        _ fileSystem: any FileSystem
    ) {
        self.stateKey = Monitor(stateKey)
        stateFile = stateKey.map { _ in
            JournalStateFile(Self.statePath(of: path), turn: stateTurn, fileSystem)
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

    /// The lock, and the folder that it is in. Taken before the journal is read.
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

    // MARK: Going on with a file

    /// Goes on with the file that was read: what was torn is cut off, and the rest is on the disk when
    /// this returns.
    func reopen(_ found: JournalReader.Found) throws(Errno) {
        let file = try JournalFile(
            fileSystem.open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0),
            found.header)
        if found.tornBytes > 0 {
            try fileSystem.truncate(file.descriptor, to: Self.size(ofRecords: found.count))
        }
        try fileSystem.synchronize(file.descriptor)
        self.file = file
        count = found.count
        hash = found.hash
        mustCut = false
        // Whoever gave it its name may not have come so far.
        mustSyncFolder = true
        try synchronizeFolder()
        writeState()
    }

    /// Whether the file will not do, and another has to take its place.
    var mustBeReplaced: Bool { isSpoiled || !isInPlace }

    /// Whether the name still leads to the file that is written, as far as can be told.
    var isInPlace: Bool {
        guard let file else { return false }
        do throws(Errno) {
            return try fileSystem.status(of: path).isSameFile(as: file.status)
        } catch {
            return error != .noSuchFileOrDirectory
        }
    }

    /// Appends entries in one write, and returns when they are on the disk. If it throws, none of them
    /// is in the journal.
    func append(_ entries: [RevocationEntry]) throws(Errno) {
        guard let file else { throw .noSuchFileOrDirectory }
        try synchronizeFolder()
        try cut()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * JournalRecord.size)
        for (index, entry) in entries.enumerated() {
            JournalRecord.append(
                entry, number: count + index, writeBegan: count, file.header, to: &bytes)
        }
        mustCut = true
        do throws(Errno) {
            try write(bytes, to: file)
            try fileSystem.synchronize(file.descriptor)
        } catch {
            // If even that fails, it is done before the next write.
            try? cut()
            throw error
        }
        mustCut = false
        count += entries.count
        hash.update(bytes.span)
        writeState()
    }

    private func cut() throws(Errno) {
        guard mustCut, let file else { return }
        try fileSystem.truncate(file.descriptor, to: byteCount)
        mustCut = false
    }

    private func synchronizeFolder() throws(Errno) {
        guard mustSyncFolder else { return }
        try fileSystem.synchronizeFolder(Self.folder(of: path))
        mustSyncFolder = false
        previous = nil
    }

    // MARK: The state

    private var extents: [JournalExtent] {
        guard let file else { return [] }
        return [previous].compactMap(\.self) + [JournalExtent(file.header, count: count, hash)]
    }

    /// Says how far the journal has come. What fails is made up for by the next write, or by `keepUp`:
    /// the state may be behind the journal.
    private func writeState() {
        guard let stateFile, let key = stateKey.withLock({ $0 }), isOpen else { return }
        try? stateFile.write(extents, key, durably: false)
    }

    /// Puts the state on the disk, under the key that is used now.
    func keepUp() throws(Errno) {
        guard let stateFile, let key = stateKey.withLock({ $0 }), isOpen else { return }
        try stateFile.write(extents, key, durably: true)
    }

    /// Has the state written under another key from now on.
    func setStateKey(_ key: HMACSHA256.Key) { stateKey.withLock { $0 = key } }

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

    // MARK: Another file

    /// Puts another file in this one's place. If it throws, either nothing has changed, or the new file
    /// is in use and only its name is not on the disk yet, which `append` sees to first.
    /// - Parameter next: gives a piece of all the entries that the new file has to have.
    func replace(_ next: (inout [RevocationEntry]) -> Progress) throws(Errno) {
        let folder = Self.folder(of: path)
        try fileSystem.createFolders(folder, mode: 0o750)
        try retakeLock()
        let newPath = Self.companion(of: path, "new")
        // Left over from somebody who was killed.
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
            // On the disk before the name leads to the new file: whichever of the two the next start
            // finds is one that the state names.
            if let stateFile, let key = stateKey.withLock({ $0 }) {
                let new = JournalExtent(file.header, count: count, hash)
                try stateFile.write([old].compactMap(\.self) + [new], key, durably: true)
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
        mustCut = false
        mustSyncFolder = true
        isSpoiled = true
        try synchronizeFolder()
        isSpoiled = false
        writeState()
    }

    /// Nil if it has to be begun again.
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

    /// The lock, where the folder has been taken away with it.
    private func retakeLock() throws(Errno) {
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

    /// A file that belongs to the journal, beside it.
    static func companion(of path: String, _ kind: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return ".\(path).\(kind)" }
        return "\(path[...slash]).\(path[path.index(after: slash)...]).\(kind)"
    }
}

/// An open journal.
final class JournalFile: Sendable {
    let descriptor: FileDescriptor
    /// As it was when it was opened: which file it is.
    let status: FileStatus
    let header: JournalHeader

    init(_ descriptor: consuming FileDescriptor, _ header: JournalHeader) throws(Errno) {
        status = try descriptor.status()
        self.descriptor = descriptor
        self.header = header
    }

    /// An open file that is no journal.
    final class Opened {
        let descriptor: FileDescriptor
        let status: FileStatus

        init(_ descriptor: consuming FileDescriptor) throws(Errno) {
            status = try descriptor.status()
            self.descriptor = descriptor
        }
    }
}

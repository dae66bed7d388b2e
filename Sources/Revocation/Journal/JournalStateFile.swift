import Crypto
import Glibc
import POSIX

/// Writes the state file. One caller at a time: the one that holds the journal. Only `setKey` may
/// be called by any thread.
final class JournalStateFile {
    private let path: String
    private let fileSystem: any FileSystem
    private var file: JournalFile.Opened?
    /// The key that authenticates the state; it changes with the configuration.
    private let key: Monitor<HMACSHA256.Key>
    private var turn: UInt64
    /// The extents in the newest slot; `writtenMark` identifies the key.
    private var written: [JournalExtent] = []
    private var writtenMark = ""
    private var isUnsynced = false
    /// The folder may not be synced since the file was created.
    private var isNew = false

    /// - Parameter turn: the turn of the newest slot in the existing file, or 0.
    init(
        _ path: String, key: HMACSHA256.Key, turn: UInt64, _ fileSystem: any FileSystem
    ) {
        self.path = path
        self.key = Monitor(key)
        self.turn = turn
        self.fileSystem = fileSystem
    }

    /// Sets the key for all later writes.
    func setKey(_ new: HMACSHA256.Key) { key.withLock { $0 = new } }

    /// Writes the extents, unless the newest slot already contains them under the current key.
    /// - Parameter durably: whether to return only after they are synced.
    func write(_ extents: [JournalExtent], durably: Bool) throws(Errno) {
        let key = key.withLock { $0 }
        let file = try openedFile()
        let mark = JournalState.mark(of: key)
        if extents != written || mark != writtenMark {
            let slot = JournalState(extents: extents, turn: turn + 1).slot(key)
            try fileSystem.write(
                slot.span, to: file.descriptor, at: Int((turn + 1) % 2) * slot.count)
            turn += 1
            written = extents
            writtenMark = mark
            isUnsynced = true
        }
        guard durably else { return }
        if isUnsynced { try fileSystem.synchronize(file.descriptor) }
        isUnsynced = false
        if isNew { try fileSystem.synchronizeFolder(Journal.folder(of: path)) }
        isNew = false
    }

    /// The file that the path leads to; creates it if it was removed.
    private func openedFile() throws(Errno) -> JournalFile.Opened {
        if let file, (try? fileSystem.status(of: path).isSameFile(as: file.status)) == true {
            return file
        }
        isNew = (try? fileSystem.status(of: path)) == nil
        let opened = try JournalFile.Opened(
            fileSystem.open(
                path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600))
        guard opened.status.isRegularFile else { throw .invalidArgument }
        written = []
        file = opened
        return opened
    }
}

import POSIX

/// Writes that may not be on disk yet. A sync takes a snapshot, runs without holding the logger's
/// write turn, and then reports the result. Changes made meanwhile stay pending.
struct PendingSync {
    /// Archives that wait to be synced. Beyond this number a rotation syncs the oldest itself.
    private static let maximumRetired = 4

    /// Work for a sync. It stays pending until `didSync`, so a sync that fails is repeated.
    struct Snapshot {
        let files: [OpenLogFile]
        /// The folder, if names in it have changed.
        let folder: String?
        let changes: UInt64
        let state: LogState?
        /// Archives to remove after the sync.
        let filesToRemove: [Int]

        /// Waits until everything is on disk.
        func synchronize(_ fileSystem: any FileSystem) throws(Errno) {
            for file in files { try fileSystem.synchronize(file.descriptor) }
            if let folder { try fileSystem.synchronizeFolder(folder) }
        }
    }

    /// Archives whose last lines may not be on disk.
    private var retired: [OpenLogFile] = []
    private(set) var folderHasChanged = false
    /// Counts changes, so that a sync can tell whether it covered the last one.
    private var changes: UInt64 = 0
    private var syncedChanges: UInt64 = 0

    var isNeeded: Bool { syncedChanges != changes }

    mutating func noteChange() { changes += 1 }
    mutating func noteFolderChange() { folderHasChanged = true }

    /// Takes over a file that is not the current one any more.
    /// - Returns: a file that is to be synced now.
    mutating func retire(_ file: OpenLogFile) -> OpenLogFile? {
        guard isNeeded else { return nil }
        retired.append(file)
        return retired.count > Self.maximumRetired ? retired.removeFirst() : nil
    }

    /// - Returns: nil if everything is on disk.
    func snapshot(
        _ file: OpenLogFile, folder: String, _ state: LogState?, filesToRemove: [Int]
    ) -> Snapshot? {
        guard isNeeded else { return nil }
        return Snapshot(
            files: retired + [file], folder: folderHasChanged ? folder : nil, changes: changes,
            state: state, filesToRemove: filesToRemove)
    }

    /// - Returns: false if a later sync was reported before.
    mutating func didSync(_ snapshot: Snapshot) -> Bool {
        // All but the last are archives, and have not changed since.
        let archives = snapshot.files.dropLast()
        retired.removeAll { file in archives.contains { $0 === file } }
        guard snapshot.changes > syncedChanges else { return false }
        syncedChanges = snapshot.changes
        if !isNeeded { folderHasChanged = false }
        return true
    }
}

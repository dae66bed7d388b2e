import POSIX
import Synchronization
import Time

/// The file and the batch of lines that is being written to it.
///
/// `@unchecked Sendable` is sound: `Logger` uses it only between setting and clearing
/// `State.isWriting`, both under its lock. So there is one caller at a time, and each sees the
/// changes of the one before it.
final class LogWriter: @unchecked Sendable {
    private var file: RotatingFile
    private var batch: LineBuffer
    private let fileSystem: any FileSystem
    private var toldRotationFailure: Errno?

    init(
        _ file: consuming RotatingFile, _ batch: LineBuffer, _ fileSystem: any FileSystem
    ) {
        self.file = file
        self.batch = batch
        self.fileSystem = fileSystem
    }

    /// Starts a write turn with the waiting lines; the two buffers are swapped.
    func take(_ pending: inout LineBuffer) {
        CrashReport.haltIfBegun()
        swap(&pending, &batch)
        begin()
    }

    /// Starts a write turn. The crash handler waits for the turn to end; once the handler has
    /// started, this call never returns. Otherwise a line written after `sys_crash` would be
    /// covered by a seal that does not include it.
    func begin() {
        CrashReport.haltIfBegun()
        batch.isUnderway.store(true, ordering: .sequentiallyConsistent)
        // The handler may have started in between, without seeing this turn.
        CrashReport.haltIfBegun()
    }

    func end() { batch.isUnderway.store(false, ordering: .releasing) }

    struct WriteResult {
        var error: Errno?
        /// Lines of the batch that are in the file.
        var lines = 0
        /// Whether the announced event is in the file, too.
        var hasAnnounced = false
    }

    /// Writes the batch; what could not be written stays in it.
    /// - Parameters:
    ///   - event: a line that comes first.
    ///   - lineCount: the number of lines in the batch.
    func write(announcing event: (any LogEvent)?, lineCount: Int) -> WriteResult {
        let outcome = batch.withBytes { file.append($0, announcing: event) }
        var result = WriteResult(error: outcome.error, hasAnnounced: outcome.hasAnnounced)
        result.lines =
            outcome.error == nil ? lineCount : batch.withBytes { $0.lineCount(outcome.written) }
        batch.removeFirst(outcome.written)
        return result
    }

    /// Ends the write turn. Lines that could not be written return to the buffer, before newer
    /// ones.
    func giveBack(_ pending: inout LineBuffer) {
        end()
        guard !batch.isEmpty else { return }
        batch.takeAll(of: pending)
        swap(&pending, &batch)
    }

    private func synchronize() -> Errno? {
        guard let unsynced = file.unsynced() else { return nil }
        do throws(Errno) {
            try unsynced.synchronize(fileSystem)
            try file.markSynced(unsynced)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Maintenance

    func reopenIfGone() throws(Errno) { try file.reopenIfChanged() }

    func performMaintenance() -> Errno? {
        Self.error(of: { () throws(Errno) in try file.performMaintenance() })
    }

    /// What a sync without the write turn has to do.
    func unsynced() -> PendingSync.Snapshot? { file.unsynced() }

    func markSynced(_ unsynced: PendingSync.Snapshot) throws(Errno) {
        try file.markSynced(unsynced)
    }

    func reopen() throws(Errno) { try file.reopen() }

    func change(to options: RotatingFile.Options) -> Errno? {
        Self.error(of: { () throws(Errno) in try file.change(to: options) })
    }

    /// Writes the final seal, and syncs.
    func finish() -> Errno? {
        Self.error(of: { () throws(Errno) in try file.finish() }) ?? synchronize()
    }

    private static func error(of body: () throws(Errno) -> Void) -> Errno? {
        do throws(Errno) { try body() } catch { return error }
        return nil
    }

    /// The events that the file has written about itself, for standard error.
    func takeNews() -> [any LogEvent] { file.notices.takeEvents() }

    /// Why the file could not be rotated; nil if that is reported already.
    func takeRotationFailure() -> Errno? {
        let failure = file.rotation.failure
        defer { toldRotationFailure = failure }
        return failure == toldRotationFailure ? nil : failure
    }

    /// For `CrashReport`.
    var buffer: LineBuffer { batch }

    var head: SealHead? { file.head }
    var oldest: Timestamp? { file.pruner.oldest }
    var fileDescriptor: CInt { file.fileDescriptor }
}

extension Span<UInt8> {
    /// The number of line ends among the first `count` bytes.
    fileprivate func lineCount(_ count: Int) -> Int {
        var lines = 0
        for index in 0..<count where self[index] == UInt8(ascii: "\n") { lines += 1 }
        return lines
    }
}

import POSIX
import Synchronization
import Time

/// The file and a batch of lines on its way there.
///
/// `@unchecked Sendable` is sound: `Logger` calls it only between setting and clearing
/// `State.isWriting`, both under its lock, so that there is one caller at a time and each sees what
/// the one before it did.
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

    /// Begins a turn, and takes the lines over; two buffers take turns.
    func take(_ pending: inout LineBuffer) {
        CrashReport.haltIfBegun()
        swap(&pending, &batch)
        begin()
    }

    /// Begins a turn: `CrashReport` waits for its end, or else it never begins. What is written
    /// behind the last words would be sealed as if they were not there.
    func begin() {
        CrashReport.haltIfBegun()
        batch.isUnderway.store(true, ordering: .sequentiallyConsistent)
        // It may have begun just then, without having seen this turn.
        CrashReport.haltIfBegun()
    }

    func end() { batch.isUnderway.store(false, ordering: .releasing) }

    struct WriteResult {
        var error: Errno?
        /// Lines of the batch that are in the file.
        var lines = 0
        /// Whether the event that was to come first is there, too.
        var hasAnnounced = false
    }

    /// Writes the batch; what could not be written stays in it.
    /// - Parameters:
    ///   - event: what is to be said before anything else.
    ///   - lineCount: of the batch.
    func write(announcing event: (any LogEvent)?, lineCount: Int) -> WriteResult {
        let outcome = batch.withBytes { file.append($0, announcing: event) }
        var result = WriteResult(error: outcome.error, hasAnnounced: outcome.hasAnnounced)
        result.lines =
            outcome.error == nil ? lineCount : batch.withBytes { $0.lineCount(outcome.written) }
        batch.removeFirst(outcome.written)
        return result
    }

    /// Ends a turn, and puts what could not be written in front of what has come since.
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

    // MARK: Now and then

    /// Whether the file is still in its place; if not, another takes it.
    func reopenIfGone() throws(Errno) { try file.reopenIfChanged() }

    /// Whatever is due when nobody writes.
    func performMaintenance() -> Errno? {
        Self.error(of: { () throws(Errno) in try file.performMaintenance() })
    }

    /// What is to be put on the disk without holding up the writers.
    func unsynced() -> PendingSync.Snapshot? { file.unsynced() }

    func markSynced(_ unsynced: PendingSync.Snapshot) throws(Errno) {
        try file.markSynced(unsynced)
    }

    func reopen() throws(Errno) { try file.reopen() }

    func change(to options: RotatingFile.Options) -> Errno? {
        Self.error(of: { () throws(Errno) in try file.change(to: options) })
    }

    /// Seals what is there, and puts it on the disk.
    func finish() -> Errno? {
        Self.error(of: { () throws(Errno) in try file.finish() }) ?? synchronize()
    }

    private static func error(of body: () throws(Errno) -> Void) -> Errno? {
        do throws(Errno) { try body() } catch { return error }
        return nil
    }

    /// What the file has said about itself, for standard error.
    func takeNews() -> [any LogEvent] { file.notices.takeEvents() }

    /// Why the file could not be rotated, once for each time that it begins to fail.
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
    /// The line ends among the first `count` bytes.
    fileprivate func lineCount(_ count: Int) -> Int {
        var lines = 0
        for index in 0..<count where self[index] == UInt8(ascii: "\n") { lines += 1 }
        return lines
    }
}

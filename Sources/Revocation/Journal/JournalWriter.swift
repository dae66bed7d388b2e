import Crypto
import POSIX

/// Writes the changes of a `RevocationList` to the journal. Its lock also guards the list.
///
/// Theory. A change is applied to the list first, so that a revocation is in force while it is
/// being written; its key joins the waiting batch. One of the callers becomes the writer
/// (`WriteTurn`): it takes the batch, copies the current entries, releases the lock, and appends
/// them with one write and one sync. The other callers wait. A caller whose batch was written is
/// done; of the others, one becomes the next writer.
///
/// Failure. If a batch cannot be written, every caller waiting on it gets the error. Revocations
/// stay in force and are retried with the next batch. Tokens marked as used are un-marked, so that
/// a client that retries is not treated as a replay. This is safe because no caller has seen the
/// "used at" time yet: `Revocations.spend` returns only after the sync that has just failed.
final class JournalWriter: Sendable {
    /// Keys of entries that are written together. Used only under the lock.
    final class Batch {
        fileprivate(set) var keys: Set<EntryKey> = []
        /// Set after the write was attempted.
        fileprivate(set) var outcome: Result<Void, Errno>?
    }

    /// What changes under the lock.
    struct State {
        /// Changes that wait to be written.
        fileprivate(set) var waiting = Batch()
        /// Changes that are being written.
        fileprivate var underway: Batch?
        /// The error of the last write; nil if it succeeded.
        fileprivate(set) var failure: Errno?
        /// Failed writes since the start.
        fileprivate(set) var failures: UInt64 = 0
        /// The size of the journal's file; 0 if there is none.
        fileprivate(set) var journalBytes = 0

        /// Adds a change to the waiting batch.
        mutating func add(_ key: EntryKey) { waiting.keys.insert(key) }

        /// The batch that decides whether a change is final; nil if it already is.
        func batch(of key: EntryKey) -> Batch? {
            if waiting.keys.contains(key) { return waiting }
            if let underway, underway.keys.contains(key) { return underway }
            return nil
        }

        /// Changes that are in force and not yet synced.
        var unwritten: Int { waiting.keys.count + (underway?.keys.count ?? 0) }
    }

    /// Slots that are read or copied at a time under the lock, which takes a tenth of a
    /// millisecond.
    private static let slotsAtATime = 4096
    /// The number of obsolete records below which compacting the journal is not worthwhile.
    private static let deadRecords = 1024

    private let list: RevocationList
    /// Used only by the thread that has the turn. Nil: changes are not stored.
    private let journal: Journal?
    private let turn = WriteTurn(State())

    init(_ list: RevocationList, _ journal: Journal?) {
        self.list = list
        self.journal = journal
    }

    /// Replaces the journal by one with the entries in force. If that fails, continues with the
    /// existing one. Must be called once, before any change.
    /// - Parameter contents: the existing journal, if it may be continued.
    func open(_ contents: JournalReader.Contents?) throws(RevocationsError) {
        guard let journal else { return }
        do throws(Errno) {
            // Also if nothing has to be dropped: the records of the new file are before its marker,
            // so that from then on a loss of any of them is detected.
            try replace(journal)
        } catch {
            // If the disk is full, the old journal can still be used.
            if !journal.isOpen {
                guard let contents else { throw .failed(error) }
                do throws(Errno) { try journal.reopen(contents) } catch { throw .failed(error) }
            }
        }
        turn.withLock { $0.journalBytes = journal.byteCount }
    }

    /// Calls `body` under the lock, which also guards the list.
    func withLock<Result>(_ body: (inout State) -> Result) -> Result { turn.withLock(body) }

    /// Sets the key that authenticates the journal's state from the next write on.
    func setStateKey(_ key: HMACSHA256.Key) { journal?.setStateKey(key) }

    // MARK: One batch

    /// Returns after the batch is synced; writes it if no other thread does.
    func waitUntilSynced(_ batch: Batch) throws(Errno) {
        guard let journal else { return turn.withLock { $0.waiting.keys.removeAll() } }
        switch turn.wait(for: { _ in batch.outcome }, orLead: { takeBatch(&$0) }) {
        case .done(let outcome): try outcome.get()
        case .leads(let entries): try write(entries, journal, isCompacting: false)
        }
    }

    /// Writes the waiting batch and syncs the journal's state. A failure is retried with the next
    /// write.
    /// - Parameter isCompacting: whether to replace the journal; gets the number of its records
    ///   without the waiting batch.
    func flush(isCompacting: (Int) -> Bool) {
        guard let journal else { return }
        let entries = turn.take { takeBatch(&$0) }
        try? write(
            entries, journal, isCompacting: isCompacting(journal.count - entries.count),
            syncsState: true)
    }

    /// Takes the waiting batch. The caller has the turn.
    private func takeBatch(_ state: inout State) -> [RevocationEntry] {
        let batch = state.waiting
        state.underway = batch
        state.waiting = Batch()
        return batch.keys.compactMap { list.entry($0) }
    }

    /// Writes the entries from `takeBatch`, and ends the turn.
    private func write(
        _ entries: [RevocationEntry], _ journal: Journal, isCompacting: Bool,
        syncsState: Bool = false
    ) throws(Errno) {
        var failure: Errno?
        var isWritten = false
        do throws(Errno) {
            if isCompacting || journal.mustBeReplaced {
                try replace(journal)
                isWritten = true
            }
        } catch {
            failure = error
        }
        // If compacting fails, appending may still work. It must not be tried if the file was
        // removed.
        if !isWritten, failure == nil || journal.isInPlace, !entries.isEmpty {
            do throws(Errno) {
                try journal.append(entries)
                isWritten = true
            } catch {
                failure = error
            }
        }
        if syncsState {
            // A failure is retried the next time; until then the state lags the journal.
            do throws(Errno) { try journal.syncState() } catch { failure = failure ?? error }
        }
        let outcome: Result<Void, Errno> =
            isWritten || entries.isEmpty && journal.isInPlace
            ? .success(()) : .failure(failure ?? .ioError)
        end(outcome, journal, failure)
        try outcome.get()
    }

    private func end(_ outcome: Result<Void, Errno>, _ journal: Journal, _ failure: Errno?) {
        turn.end { state in
            if failure != nil { state.failures += 1 }
            switch outcome {
            case .success: state.failure = nil
            case .failure(let error):
                state.failure = error
                for key in state.underway?.keys ?? [] {
                    if key.kind == .spentToken {
                        list.remove(key)
                    } else {
                        state.waiting.keys.insert(key)
                    }
                }
            }
            state.underway?.outcome = outcome
            state.underway = nil
            state.journalBytes = journal.byteCount
        }
    }

    // MARK: Expired entries

    /// Removes the entries that may be forgotten at `now`, writes the waiting batch, and compacts
    /// the journal if most of its records are obsolete.
    func removeExpired(at now: Int64) {
        forget(until: now)
        flush { written in
            let live = turn.withLock { _ in list.table.count + 1 }
            let dead = written - live
            return dead > live && dead >= Self.deadRecords
        }
    }

    private func forget(until now: Int64) {
        var next = 0
        var generation: UInt64?
        var isDone = false
        while !isDone {
            turn.withLock { _ in
                let extent = list.table.extent
                // The table was replaced: removed entries are not in the new one, and the others
                // have moved.
                if generation != extent.generation { next = 0 }
                generation = extent.generation
                let end = min(next + Self.slotsAtATime, extent.slots)
                _ = list.table.forget(in: next..<end, until: now)
                next = end
                isDone = end == extent.slots
            }
        }
        turn.withLock { _ in
            list.forgetEveryone(at: now)
            // If there is no memory for a smaller table, the larger one stays.
            try? list.table.shrink()
        }
    }

    /// Replaces the journal by one with all entries in force. The caller has the turn.
    private func replace(_ journal: Journal) throws(Errno) {
        var next = 0
        var generation: UInt64?
        try journal.replace { entries in
            turn.withLock { state in
                let extent = list.table.extent
                if let known = generation, known != extent.generation {
                    next = 0
                    generation = nil
                    return .again
                }
                if generation == nil {
                    generation = extent.generation
                    if let everyone = list.entry(.everyone) { entries.append(everyone) }
                }
                let end = min(next + Self.slotsAtATime, extent.slots)
                list.table.forEach(in: next..<end) { entry in
                    // A waiting token exchange may still be undone; its own batch writes it.
                    if entry.key.kind != .spentToken || !state.waiting.keys.contains(entry.key) {
                        entries.append(entry)
                    }
                }
                next = end
                return end == extent.slots ? .done : .more
            }
        }
    }
}

import POSIX
import Synchronization

/// The entries in force: those of the table, and the cutoff for everyone.
///
/// Any number of threads read without a lock. The functions under "Changing" are called by one
/// thread at a time, which holds the lock of `JournalWriter`.
final class RevocationList: Sendable {
    /// All entries except that for everyone.
    let table: RevocationTable
    private let limit: Int
    /// Tokens of sessions that started up to this moment are revoked; `RevocationEntry.notInForce`
    /// if none.
    private let everyone = Atomic<Int64>(RevocationEntry.notInForce)
    /// The `forgetAfter` of `everyone`.
    private let everyoneForgetAfter = Atomic<Int64>(0)
    /// The latest session start that `noteSessionStart` was called with, or that follows a user's
    /// cutoff.
    private let latest = Atomic<Int64>(RevocationEntry.notInForce)

    /// - Parameter limit: the maximum number of token entries. Session and user entries may use a
    ///   quarter more.
    /// - Throws: `failed` if there is no memory for a table.
    init(limit: Int) throws(RevocationsError) {
        do throws(Errno) {
            table = try RevocationTable()
        } catch {
            throw .failed(error)
        }
        self.limit = limit
    }

    // MARK: Reading, without a lock

    /// The cutoff for everyone; `RevocationEntry.notInForce` if none.
    var everyoneCutoff: Int64 { everyone.load(ordering: .acquiring) }

    /// The latest known session start; `RevocationEntry.notInForce` if none.
    var latestSessionStart: Int64 { latest.load(ordering: .relaxed) }

    func noteSessionStart(_ began: Int64) { latest.max(began, ordering: .relaxed) }

    /// The earliest session start that a user's cutoff does not cover.
    private static func firstSessionStart(after entry: RevocationEntry) -> Int64 {
        // A cutoff at the end of time covers everything.
        entry.key.kind == .user && entry.time < Int64.max
            ? entry.time + 1 : RevocationEntry.notInForce
    }

    // MARK: Changing; the caller holds the lock

    /// The number of entries of all kinds.
    var count: Int { table.count + (hasEveryone ? 1 : 0) }

    var hasEveryone: Bool { everyone.load(ordering: .relaxed) != RevocationEntry.notInForce }

    /// More than a quarter of the limit is used.
    var isNearCapacity: Bool { table.count > limit / 4 }

    /// The current entry, `everyone` included.
    func entry(_ key: EntryKey) -> RevocationEntry? {
        guard key.kind == .everyone else { return table.entry(key) }
        guard hasEveryone else { return nil }
        return RevocationEntry(
            key, time: everyone.load(ordering: .relaxed),
            until: everyoneForgetAfter.load(ordering: .relaxed))
    }

    /// Puts an entry in force, merged with the current one with its key.
    /// - Parameter isLimited: false for entries from the journal, which were accepted before.
    /// - Throws: `noBufferSpace` if the limit is reached, `noMemory` if the table cannot grow.
    func set(_ entry: RevocationEntry, isLimited: Bool = true) throws(Errno) {
        noteSessionStart(Self.firstSessionStart(after: entry))
        if entry.key.kind == .everyone {
            setEveryone(cutoff: entry.time, forgetAfter: entry.forgetAfter)
            return
        }
        if let old = table.entry(entry.key) {
            try table.set(old.merged(with: entry))
            return
        }
        let isToken = entry.key.kind == .token || entry.key.kind == .spentToken
        guard !isLimited || table.count < (isToken ? limit : limit + limit / 4) else {
            throw .noBufferSpace
        }
        try table.set(entry)
    }

    /// Puts a cutoff for everyone in force. Of two cutoffs the later counts; it is kept for as long
    /// as either is needed.
    func setEveryone(cutoff: Int64, forgetAfter: Int64) {
        everyone.store(max(everyone.load(ordering: .relaxed), cutoff), ordering: .releasing)
        everyoneForgetAfter.store(
            max(everyoneForgetAfter.load(ordering: .relaxed), forgetAfter), ordering: .relaxed)
    }

    func remove(_ key: EntryKey) { table.remove(key) }

    /// Forgets the cutoff for everyone if it is no longer needed at `now`.
    func forgetEveryone(at now: Int64) {
        guard everyoneForgetAfter.load(ordering: .relaxed) <= now else { return }
        everyone.store(RevocationEntry.notInForce, ordering: .releasing)
        everyoneForgetAfter.store(0, ordering: .relaxed)
    }
}

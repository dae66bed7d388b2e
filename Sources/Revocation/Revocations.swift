import Crypto
import Dispatch
import POSIX
import Synchronization
import Time

/// The revoked tokens and sessions, the cutoffs of users and of everyone, and the tokens that were
/// exchanged for others.
///
/// `finding` is called at each verification; it takes no lock and allocates nothing. A change from
/// which `revoke` or `spend` has returned is synced, and survives a crash or a power failure.
///
/// Theory. A change is applied to the table first, so that a revocation is in force while it is
/// being written; its key joins the waiting batch. One of the callers becomes the writer: it takes
/// the batch, copies the current entries, releases the lock, and appends them with one write and
/// one sync. The other callers wait. A caller whose batch was written is done; of the others, one
/// becomes the next writer.
///
/// Failure. If a batch cannot be written, every caller waiting on it gets the error. Revocations
/// stay in force and are retried with the next batch. Tokens marked as used are un-marked, so that
/// a client that retries is not treated as a replay. This is safe because no caller has seen the
/// "used at" time yet: `spend` returns only after the sync that has just failed.
@safe package final class Revocations: Sendable {
    /// The maximum number of revoked and exchanged tokens. At 66 bytes an entry, 264 MB.
    package static let defaultLimit = 4_000_000
    /// Slots that are read or copied at a time under the lock, which takes a tenth of a
    /// millisecond.
    private static let slotsAtATime = 4096
    /// The number of obsolete records below which compacting the journal is not worthwhile.
    private static let deadRecords = 1024

    private let table: RevocationTable
    private let keys: JournalHeader.Keys
    private let journal: Journal?
    /// Tokens of sessions that started up to this moment are revoked; `RevocationEntry.notInForce`
    /// if none.
    private let everyone = Atomic<Int64>(RevocationEntry.notInForce)
    /// The latest session start that `noteSessionStart` was called with, or that follows a user's
    /// cutoff.
    private let latest = Atomic<Int64>(RevocationEntry.notInForce)
    private let state: Monitor<State>
    private let limit: Int
    /// Writes changes that no caller waits for.
    private let flushes = DispatchQueue(label: "gatehouse.revocations")
    private let isFlushPending = Atomic<Bool>(false)
    /// What reading the journal found.
    package let start: RecoverySummary

    package struct RecoverySummary: Sendable, Equatable {
        /// Entries that are in force.
        package var entries = 0
        /// Bytes of an unfinished write, truncated at the journal's end. They were not
        /// acknowledged.
        package var tornBytes = 0
        package var proof = JournalProof.proven
    }

    /// How a truncated journal is detected (`JournalState`).
    package struct JournalGuard: Sendable {
        /// The first key signs the state, and each of them is accepted. Empty: no state file is
        /// kept.
        package var keys: [HMACSHA256.Key]
        /// Accept the journal whatever its state says, and end all sessions.
        package var acceptsAnyJournal: Bool
        /// How far ahead of the clock a token may be issued; the cutoff of ended sessions includes
        /// it.
        package var leeway: TimeAmount

        package init(
            keys: [HMACSHA256.Key] = [], acceptsAnyJournal: Bool = false,
            leeway: TimeAmount = TimeAmount(milliseconds: 0)
        ) {
            self.keys = keys
            self.acceptsAnyJournal = acceptsAnyJournal
            self.leeway = leeway
        }
    }

    private struct State {
        /// Changes that wait to be written.
        var waiting = Batch()
        /// Changes that are being written.
        var underway: Batch?
        /// A thread is using the journal.
        var isWriting = false
        /// The `forgetAfter` of `everyone`.
        var everyoneUntil: Int64 = 0
        var failure: Errno?
        var failures: UInt64 = 0
        var journalBytes = 0
    }

    /// Keys of entries that are written together. Used only under the lock.
    private final class Batch {
        var keys: Set<EntryKey> = []
        /// Set after the write was attempted.
        var outcome: Result<Void, Errno>?
    }

    /// Reads the journal, drops expired entries, and writes a new journal with the remaining ones.
    /// - Parameters:
    ///   - path: nil for no journal: revocations are then lost at exit.
    ///   - limit: the maximum number of token entries. Session and user entries may use a quarter
    ///     more, so     that sessions can still be ended when no more tokens can be exchanged.
    package init(
        path: String?, at now: Timestamp, limit: Int = defaultLimit,
        guarded: JournalGuard = JournalGuard(), fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) {
        let table: RevocationTable
        do throws(Errno) {
            table = try RevocationTable()
        } catch {
            throw .failed(error)
        }
        self.table = table
        self.limit = min(max(limit, 1), Self.defaultLimit)
        guard let path else {
            keys = .random()
            journal = nil
            start = RecoverySummary()
            state = Monitor(State())
            return
        }

        let lock = try Journal.lock(path, fileSystem)
        let state = try Self.state(of: path, guarded, fileSystem)
        var (everyone, found) = try Self.read(path, into: table, at: now, state, fileSystem)
        var proof = JournalProof.accepted
        if !guarded.acceptsAnyJournal { proof = try state?.judge(found) ?? .proven }
        let endsAll = proof == .accepted || proof == .foreignKeys
        if endsAll {
            // Before anything is written: then no start can find such a journal without this entry.
            let new = RevocationEntry(
                .everyone, time: (now + guarded.leeway).milliseconds,
                until: RevocationEntry.latestForgetAfter)
            everyone = everyone?.merged(with: new) ?? new
        }
        keys = found?.header.keys ?? .random()
        let journal = Journal(
            path, keys, lock, stateKey: guarded.keys.first, stateTurn: state?.turn ?? 0,
            previous: endsAll
                ? nil : found.map { JournalExtent($0.header, count: $0.count, $0.hash) },
            fileSystem)
        self.journal = journal
        let entries = table.count + (everyone == nil ? 0 : 1)
        start = RecoverySummary(entries: entries, tornBytes: found?.tornBytes ?? 0, proof: proof)
        self.everyone.store(everyone?.time ?? RevocationEntry.notInForce, ordering: .releasing)
        latest.store(Self.firstSessionStart(afterCutoffsIn: table), ordering: .relaxed)
        var first = State()
        first.everyoneUntil = everyone?.forgetAfter ?? 0
        self.state = Monitor(first)
        try open(journal, endsAll ? nil : found)
    }

    /// Reads a journal for inspection only. Takes no lock, changes no file, and sees what a running
    /// process has synced until now. Changes made through this object are not stored.
    /// - Parameter now: entries that may be forgotten by then are skipped.
    package init(
        reading path: String, at now: Timestamp, guarded: JournalGuard = JournalGuard(),
        fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) {
        let table: RevocationTable
        do throws(Errno) {
            table = try RevocationTable()
        } catch {
            throw .failed(error)
        }
        self.table = table
        let (everyone, found, proof) = try Self.readUndisturbed {
            () throws(RevocationsError)
                -> (RevocationEntry?, JournalReader.Contents?, JournalProof) in
            let state = try Self.state(of: path, guarded, fileSystem)
            let (everyone, found) = try Self.read(path, into: table, at: now, state, fileSystem)
            return (everyone, found, try state?.judge(found) ?? .proven)
        }
        limit = Self.defaultLimit
        keys = found?.header.keys ?? .random()
        journal = nil
        let entries = table.count + (everyone == nil ? 0 : 1)
        start = RecoverySummary(entries: entries, tornBytes: found?.tornBytes ?? 0, proof: proof)
        self.everyone.store(everyone?.time ?? RevocationEntry.notInForce, ordering: .releasing)
        latest.store(Self.firstSessionStart(afterCutoffsIn: table), ordering: .relaxed)
        state = Monitor(State())
    }

    /// Reads again if the journal does not match its state: a running server may have replaced the
    /// journal after the state was read.
    private static func readUndisturbed<Content>(
        _ read: () throws(RevocationsError) -> Content
    ) throws(RevocationsError) -> Content {
        for _ in 0..<3 {
            do throws(RevocationsError) { return try read() } catch {
                guard error.isLoss else { throw error }
            }
        }
        return try read()
    }

    /// The journal's state file; nil if none is kept.
    private static func state(
        of path: String, _ guarded: JournalGuard, _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> JournalState.Found? {
        guard !guarded.keys.isEmpty else { return nil }
        do throws(Errno) {
            return try JournalState.read(Journal.statePath(of: path), guarded.keys, fileSystem)
        } catch {
            throw .failed(error)
        }
    }

    /// - Returns: the entry about everyone, and the journal's content; nil if there is no journal.
    private static func read(
        _ path: String, into table: RevocationTable, at now: Timestamp,
        _ state: JournalState.Found?,
        _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> (everyone: RevocationEntry?, found: JournalReader.Contents?) {
        var everyone: RevocationEntry?
        var counts: [Int] = []
        if case .known(let state)? = state { counts = state.extents.map(\.count) }
        let found = try JournalReader.read(path, fileSystem, digestsAfter: counts) {
            entry throws(RevocationsError) in
            guard entry.forgetAfter > now.milliseconds else { return }
            if entry.key.kind == .everyone {
                everyone = everyone?.merged(with: entry) ?? entry
                return
            }
            do throws(Errno) {
                try table.set(table.entry(entry.key)?.merged(with: entry) ?? entry)
            } catch {
                throw .tooMany
            }
        }
        return (everyone, found)
    }

    private func open(
        _ journal: Journal, _ found: JournalReader.Contents?
    ) throws(RevocationsError) {
        do throws(Errno) {
            // Also if nothing has to be dropped: the records of the new file are before its marker,
            // so that from then on a loss of any of them is detected.
            try replace(journal)
        } catch {
            // If the disk is full, the old journal can still be used.
            if !journal.isOpen {
                guard let found else { throw .failed(error) }
                do throws(Errno) { try journal.reopen(found) } catch { throw .failed(error) }
            }
        }
        state.withLock { $0.journalBytes = journal.byteCount }
    }

    /// Sets the key that authenticates the journal's state from now on: the current signing key.
    package func setStateKey(_ key: HMACSHA256.Key) {
        guard let journal else { return }
        journal.setStateKey(key)
        flushes.async { self.flush(isCompacting: { _ in false }) }
    }

    // MARK: Lookup

    /// Why a token is revoked; nil if it is not.
    /// - Parameters:
    ///   - token: its identifier, if it has one.
    ///   - session: the identifier of its session, if it has one.
    ///   - began: the start of the session. Nil if the token does not state it: then it cannot be
    ///     shown to     be later than a cutoff, and every cutoff covers it.
    package func finding(
        token: Span<UInt8>?, session: Span<UInt8>?, user: Int64, began: Timestamp?
    ) -> RevocationStatus? {
        let beginning = began?.milliseconds ?? RevocationEntry.notInForce
        let cutoff = everyone.load(ordering: .acquiring)
        if cutoff != RevocationEntry.notInForce, beginning <= cutoff {
            return .revoked(at: Timestamp(milliseconds: cutoff))
        }
        let kinds = table.kindBits
        guard kinds != 0 else { return nil }
        var query = RevocationTable.Query()
        if let token, kinds & (RevocationTable.bit(.token) | RevocationTable.bit(.spentToken)) != 0
        {
            query.token = keys.token(token)
        }
        if let session, kinds & RevocationTable.bit(.session) != 0 {
            query.session = keys.session(session)
        }
        if kinds & RevocationTable.bit(.user) != 0 { query.user = keys.user(user) }
        let answer = table.lookUp(query)
        if answer.isEmpty { return nil }
        if answer.token != RevocationEntry.notInForce {
            return .revoked(at: Timestamp(milliseconds: answer.token))
        }
        if answer.session != RevocationEntry.notInForce {
            return .revoked(at: Timestamp(milliseconds: answer.session))
        }
        if answer.user != RevocationEntry.notInForce, beginning <= answer.user {
            return .revoked(at: Timestamp(milliseconds: answer.user))
        }
        return answer.spent == RevocationEntry.notInForce
            ? nil : .alreadyUsed(at: Timestamp(milliseconds: answer.spent))
    }

    /// The latest cutoff that covers this user, from `.user` or `.everyone`. A new session must
    /// start after it.
    package func cutoff(user: Int64) -> Timestamp? {
        let everyone = everyone.load(ordering: .acquiring)
        let answer = table.lookUp(RevocationTable.Query(user: keys.user(user)))
        let cutoff = max(everyone, answer.user)
        return cutoff == RevocationEntry.notInForce ? nil : Timestamp(milliseconds: cutoff)
    }

    // MARK: Clocks of other issuers

    /// Records the start of a session that is later than our clock. A cutoff that is to cover all
    /// existing sessions must not be earlier. The value is lost at exit. A session that starts
    /// right after a user's cutoff needs no call: adding a cutoff, or reading it from the journal,
    /// records that start.
    package func noteSessionStart(_ began: Timestamp) {
        latest.max(began.milliseconds, ordering: .relaxed)
    }

    /// The earliest session start that no user's cutoff covers.
    private static func firstSessionStart(afterCutoffsIn table: RevocationTable) -> Int64 {
        var latest = RevocationEntry.notInForce
        table.forEach(in: 0..<table.extent.slots) { entry in
            latest = max(latest, firstSessionStart(after: entry))
        }
        return latest
    }

    private static func firstSessionStart(after entry: RevocationEntry) -> Int64 {
        // A cutoff at the end of time covers everything.
        entry.key.kind == .user && entry.time < Int64.max
            ? entry.time + 1 : RevocationEntry.notInForce
    }

    package var latestSessionStart: Timestamp? {
        let latest = latest.load(ordering: .relaxed)
        return latest == RevocationEntry.notInForce ? nil : Timestamp(milliseconds: latest)
    }

    // MARK: Changing

    /// Revokes all of these, and returns after the change is synced.
    /// - Parameters:
    ///   - moment: the time of the revocation; for `.user` and `.everyone` the cutoff.
    ///   - until: the time from which no token that this covers can be valid.
    /// - Throws: `noBufferSpace` if the limit is reached; then those that did not fit are not
    ///   revoked. Any other error means that the journal could not be written: the revocations are
    ///   in force and are retried with the next write.
    package func revoke(
        _ subjects: [RevocationSubject], at moment: Timestamp, until: Timestamp
    ) throws(Errno) {
        let (batch, refusal) = state.withLock { state in
            let refusal = add(subjects, at: moment, until: until, &state)
            return (state.waiting, refusal)
        }
        if !subjects.isEmpty { try waitUntilSynced(batch) }
        if let refusal { throw refusal }
    }

    /// As `revoke`, for callers that must not wait for the disk: the revocation is in force when
    /// this returns, and is written as soon as the journal is free.
    /// - Parameter failed: called on another thread if it could not be written. It is then retried
    ///   with the next write.
    /// - Throws: `noBufferSpace` if the limit is reached, and it is not in force.
    package func revokeSoon(
        _ subjects: [RevocationSubject], at moment: Timestamp, until: Timestamp,
        failed: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        let refusal = state.withLock { add(subjects, at: moment, until: until, &$0) }
        // A pending flush writes this change as well.
        if !isFlushPending.exchange(true, ordering: .acquiringAndReleasing) {
            flushes.async {
                self.isFlushPending.store(false, ordering: .releasing)
                do throws(Errno) {
                    try self.waitUntilSynced(self.state.withLock { $0.waiting })
                } catch {
                    failed(error)
                }
            }
        }
        if let refusal { throw refusal }
    }

    /// Puts entries in force and adds them to the waiting batch.
    /// - Returns: the error of the last entry that did not fit.
    private func add(
        _ subjects: [RevocationSubject], at moment: Timestamp, until: Timestamp,
        _ state: inout State
    ) -> Errno? {
        var refusal: Errno?
        for subject in subjects {
            let entry = RevocationEntry(
                key(subject), time: moment.milliseconds, until: until.milliseconds)
            do throws(Errno) {
                try set(entry, &state)
                state.waiting.keys.insert(entry.key)
            } catch {
                refusal = error
            }
        }
        return refusal
    }

    private func key(_ subject: RevocationSubject) -> EntryKey {
        switch subject {
        case .token(let id): EntryKey(name: keys.token(id.span), kind: .token)
        case .session(let id): EntryKey(name: keys.session(id.span), kind: .session)
        case .user(let number): EntryKey(name: keys.user(number), kind: .user)
        case .everyone: .everyone
        }
    }

    /// Whether this was revoked or exchanged, and is still remembered.
    package func isKnown(_ subject: RevocationSubject) -> Bool {
        let key = key(subject)
        return state.withLock { state in
            if entry(key, state) != nil { return true }
            guard key.kind == .token else { return false }
            return entry(EntryKey(name: key.name, kind: .spentToken), state) != nil
        }
    }

    /// Marks a token as exchanged for another one, and returns after the change is synced.
    /// - Parameter expires: the time from which the token cannot be valid.
    /// - Returns: when the token was exchanged: `now` for the first caller, and the same time for
    ///   later ones.
    /// - Throws: `noBufferSpace` if the limit is reached, or the error of the journal. The token is
    ///   then not marked.
    package func spend(
        token: Span<UInt8>, expires: Timestamp, at now: Timestamp
    ) throws(Errno) -> Timestamp {
        let key = EntryKey(name: keys.token(token), kind: .spentToken)
        let new = RevocationEntry(key, time: now.milliseconds, until: expires.milliseconds)
        var refusal: Errno?
        // The batch that decides whether the time is final; nil if it already is.
        let (time, batch) = state.withLock { state -> (Int64, Batch?) in
            if let old = table.entry(key) {
                if state.waiting.keys.contains(key) { return (old.time, state.waiting) }
                if let underway = state.underway, underway.keys.contains(key) {
                    return (old.time, underway)
                }
                return (old.time, nil)
            }
            do throws(Errno) {
                try set(new, &state)
                state.waiting.keys.insert(key)
            } catch {
                refusal = error
            }
            return (new.time, state.waiting)
        }
        if let refusal { throw refusal }
        if let batch { try waitUntilSynced(batch) }
        return Timestamp(milliseconds: time)
    }

    private func set(_ entry: RevocationEntry, _ state: inout State) throws(Errno) {
        latest.max(Self.firstSessionStart(after: entry), ordering: .relaxed)
        if entry.key.kind == .everyone {
            let old = everyone.load(ordering: .relaxed)
            everyone.store(max(old, entry.time), ordering: .releasing)
            state.everyoneUntil = max(state.everyoneUntil, entry.forgetAfter)
            return
        }
        if let old = table.entry(entry.key) {
            try table.set(old.merged(with: entry))
            return
        }
        let isToken = entry.key.kind == .token || entry.key.kind == .spentToken
        guard table.count < (isToken ? limit : limit + limit / 4) else { throw .noBufferSpace }
        try table.set(entry)
    }

    /// The current entry, `everyone` included.
    private func entry(_ key: EntryKey, _ state: State) -> RevocationEntry? {
        guard key.kind == .everyone else { return table.entry(key) }
        let cutoff = everyone.load(ordering: .relaxed)
        guard cutoff != RevocationEntry.notInForce else { return nil }
        return RevocationEntry(key, time: cutoff, until: state.everyoneUntil)
    }

    // MARK: Writing

    private enum Turn {
        case done(Result<Void, Errno>)
        case mine([RevocationEntry])
    }

    /// Returns after the batch is synced; writes it if no other thread does.
    private func waitUntilSynced(_ batch: Batch) throws(Errno) {
        guard let journal else { return state.withLock { $0.waiting.keys.removeAll() } }
        let turn = state.waitUntil(
            { batch.outcome != nil || !$0.isWriting },
            then: { state -> Turn in
                if let outcome = batch.outcome { return .done(outcome) }
                return .mine(takeBatch(&state))
            })
        switch turn {
        case .done(let outcome): try outcome.get()
        case .mine(let entries): try write(entries, journal, isCompacting: false)
        }
    }

    /// Claims the journal and takes the waiting batch.
    private func takeBatch(_ state: inout State) -> [RevocationEntry] {
        let batch = state.waiting
        state.isWriting = true
        state.underway = batch
        state.waiting = Batch()
        return batch.keys.compactMap { entry($0, state) }
    }

    /// Writes the entries from `takeBatch`, and releases the journal.
    private func write(
        _ entries: [RevocationEntry], _ journal: Journal, isCompacting: Bool,
        isKeepingUp: Bool = false
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
        if isKeepingUp {
            // A failure is retried the next time; until then the state lags the journal.
            do throws(Errno) { try journal.syncState() } catch { failure = failure ?? error }
        }
        let outcome: Result<Void, Errno> =
            isWritten || entries.isEmpty && journal.isInPlace
            ? .success(()) : .failure(failure ?? .ioError)
        finishWrite(outcome, journal, failure)
        try outcome.get()
    }

    private func finishWrite(_ outcome: Result<Void, Errno>, _ journal: Journal, _ failure: Errno?)
    {
        state.withLock { state in
            if failure != nil { state.failures += 1 }
            switch outcome {
            case .success: state.failure = nil
            case .failure(let error):
                state.failure = error
                for key in state.underway?.keys ?? [] {
                    if key.kind == .spentToken {
                        table.remove(key)
                    } else {
                        state.waiting.keys.insert(key)
                    }
                }
            }
            state.underway?.outcome = outcome
            state.underway = nil
            state.isWriting = false
            state.journalBytes = journal.byteCount
        }
        state.wakeAll()
    }

    /// Replaces the journal by one with all entries in force. The caller has claimed the journal.
    private func replace(_ journal: Journal) throws(Errno) {
        var next = 0
        var generation: UInt64?
        try journal.replace { entries in
            state.withLock { state in
                let extent = table.extent
                if let known = generation, known != extent.generation {
                    next = 0
                    generation = nil
                    return .again
                }
                if generation == nil {
                    generation = extent.generation
                    if let everyone = entry(.everyone, state) { entries.append(everyone) }
                }
                let end = min(next + Self.slotsAtATime, extent.slots)
                table.forEach(in: next..<end) { entry in
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

    // MARK: Maintenance

    /// Removes expired entries, retries failed writes, and compacts the journal if most of its
    /// records are obsolete. Must be called periodically.
    package func removeExpired(at now: Timestamp) {
        forget(until: now.milliseconds)
        flush { written in
            let live = self.state.withLock { _ in self.table.count + 1 }
            let dead = written - live
            return dead > live && dead >= Self.deadRecords
        }
    }

    /// Writes the waiting batch and syncs the journal's state.
    /// - Parameter isCompacting: gets the number of records in the journal without the waiting
    ///   batch.
    private func flush(isCompacting: (Int) -> Bool) {
        guard let journal else { return }
        let turn = state.waitUntil({ !$0.isWriting }, then: { takeBatch(&$0) })
        try? write(
            turn, journal, isCompacting: isCompacting(journal.count - turn.count),
            isKeepingUp: true)
    }

    private func forget(until now: Int64) {
        var next = 0
        var generation: UInt64?
        var isDone = false
        while !isDone {
            state.withLock { state in
                let extent = table.extent
                // The table was replaced: removed entries are not in the new one, and the others
                // have moved.
                if generation != extent.generation { next = 0 }
                generation = extent.generation
                let end = min(next + Self.slotsAtATime, extent.slots)
                _ = table.forget(in: next..<end, until: now)
                next = end
                isDone = end == extent.slots
            }
        }
        state.withLock { state in
            if state.everyoneUntil <= now {
                everyone.store(RevocationEntry.notInForce, ordering: .releasing)
                state.everyoneUntil = 0
            }
            // If there is no memory for a smaller table, the larger one stays.
            try? table.shrink()
        }
    }

    // MARK: Statistics

    package struct Statistics: Sendable, Equatable {
        /// Entries by kind, including those that the next `removeExpired` removes.
        package var tokens = 0
        package var spentTokens = 0
        package var sessions = 0
        package var users = 0
        package var hasEveryone = false
        /// The size of the journal's file; 0 if there is none.
        package var journalBytes = 0
        /// Changes that are in force and not yet synced.
        package var unwritten = 0
        /// Failed writes since the start.
        package var failures: UInt64 = 0
    }

    package var statistics: Statistics {
        state.withLock { state in
            Statistics(
                tokens: table.count(of: .token), spentTokens: table.count(of: .spentToken),
                sessions: table.count(of: .session), users: table.count(of: .user),
                hasEveryone: everyone.load(ordering: .relaxed) != RevocationEntry.notInForce,
                journalBytes: state.journalBytes,
                unwritten: state.waiting.keys.count + (state.underway?.keys.count ?? 0),
                failures: state.failures)
        }
    }

    /// The number of entries of all kinds.
    package var count: Int {
        state.withLock { _ in
            table.count + (everyone.load(ordering: .relaxed) == RevocationEntry.notInForce ? 0 : 1)
        }
    }

    /// More than a quarter of the limit is used: callers should slow down the creation of entries.
    package var isNearCapacity: Bool { state.withLock { _ in table.count > limit / 4 } }

    /// The error of the last write of the journal; nil if it succeeded.
    package var failure: Errno? { state.withLock { $0.failure } }
}

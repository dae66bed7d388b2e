import Crypto
import Dispatch
import POSIX
import Synchronization
import Time

/// What is good no longer: tokens and sessions by their identifiers, all of a user's tokens or
/// everybody's up to a moment, and tokens that were exchanged for others.
///
/// `finding` is asked at each verification; it takes no lock and allocates nothing. What `revoke` and
/// `spend` have returned from is on the disk, and known again after any kind of death.
///
/// Theory. A change is made in the table first, so that a revocation is in force while its write is
/// still under way, and its key joins the batch that waits. One of the callers becomes the writer: it
/// takes the batch, reads the entries as they are by then, lets go of the lock, and appends them with
/// one write and one sync; the others wait, and find their changes written by it, whose batch they had
/// joined, or make themselves the next writer.
///
/// Failure. All callers of a batch that could not be written are told so. Its revocations stay in
/// force and join the next batch; tokens that it spent are unspent, so that whoever tries again is not
/// taken for a thief. Nobody has been given such a token's time: whoever asks waits for the same sync.
@safe package final class Revocations: Sendable {
    /// Tokens that can be known at once, spent or revoked. At 66 bytes an entry, 264 MB.
    package static let usualLimit = 4_000_000
    /// Entries that are read or copied under the lock at a time: a tenth of a millisecond.
    private static let slotsAtATime = 4096
    /// A journal is not worth compacting for fewer records than these that mean nothing any more.
    private static let deadRecords = 1024

    private let table: RevocationTable
    private let keys: JournalHeader.Keys
    private let journal: Journal?
    /// Nobody's tokens that began up to this moment are good; `Entry.noTime` if there is none.
    private let everyone = Atomic<Int64>(RevocationEntry.notInForce)
    /// The latest beginning of a session that `noteBeginning` was told of.
    private let latest = Atomic<Int64>(RevocationEntry.notInForce)
    private let state: Monitor<State>
    private let limit: Int
    /// Writes what nobody waits for.
    private let flushes = DispatchQueue(label: "gatehouse.revocations")
    private let isFlushPending = Atomic<Bool>(false)
    /// What the start found in the journal.
    package let start: RecoverySummary

    package struct RecoverySummary: Sendable, Equatable {
        /// Entries that are in force.
        package var entries = 0
        /// Bytes of a write that was not finished, cut off at the journal's end. Nobody was told that
        /// what they said had been done.
        package var tornBytes = 0
        package var proof = JournalProof.proven
    }

    /// How a journal is kept from being cut without notice (`JournalState`).
    package struct JournalGuard: Sendable {
        /// The first one signs the state, each of them is accepted. None: no state is kept.
        package var keys: [HMACSHA256.Key]
        /// Take the journal as it is, whatever its state says, and end all sessions.
        package var acceptsAnyJournal: Bool
        /// How far ahead of the clock a token may be issued: what is ended covers those, too.
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
        /// What waits to be written.
        var waiting = Batch()
        /// What is on its way to the disk.
        var underway: Batch?
        /// Somebody has the journal.
        var isWriting = false
        /// `Entry.latestUntil` and so on for `everyone`.
        var everyoneUntil: Int64 = 0
        var failure: Errno?
        var failures: UInt64 = 0
        var journalBytes = 0
    }

    /// Keys of entries that go to the disk together. Reached under the lock alone.
    private final class Batch {
        var keys: Set<EntryKey> = []
        /// Set once it has been tried.
        var outcome: Result<Void, Errno>?
    }

    /// Reads the journal, forgets what can matter no more, and makes a new journal of what is left.
    /// - Parameters:
    ///   - path: nil for none: what is revoked then is forgotten with the process.
    ///   - limit: tokens that can be known at once. Sessions and users have a quarter more, so that
    ///     sessions can be ended where no token can be spent any more.
    package init(
        path: String?, at now: Timestamp, limit: Int = usualLimit,
        guarded: JournalGuard = JournalGuard(), fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) {
        let table: RevocationTable
        do throws(Errno) {
            table = try RevocationTable()
        } catch {
            throw .failed(error)
        }
        self.table = table
        self.limit = min(max(limit, 1), Self.usualLimit)
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
            // Before anything is written: no start can find such a journal without this entry.
            let new = RevocationEntry(
                .everyone, time: (now + guarded.leeway).milliseconds,
                until: RevocationEntry.latestUntil)
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
        latest.store(Self.firstBeginning(afterCutoffsIn: table), ordering: .relaxed)
        var first = State()
        first.everyoneUntil = everyone?.forgetAfter ?? 0
        self.state = Monitor(first)
        try open(journal, endsAll ? nil : found)
    }

    /// What a journal says, for somebody who only asks: takes no lock, changes no file, and sees what a
    /// running process has put on the disk until now. What is revoked here is forgotten with it.
    /// - Parameter now: what could be forgotten by then is not there.
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
            () throws(RevocationsError) -> (RevocationEntry?, JournalReader.Found?, JournalProof) in
            let state = try Self.state(of: path, guarded, fileSystem)
            let (everyone, found) = try Self.read(path, into: table, at: now, state, fileSystem)
            return (everyone, found, try state?.judge(found) ?? .proven)
        }
        limit = Self.usualLimit
        keys = found?.header.keys ?? .random()
        journal = nil
        let entries = table.count + (everyone == nil ? 0 : 1)
        start = RecoverySummary(entries: entries, tornBytes: found?.tornBytes ?? 0, proof: proof)
        self.everyone.store(everyone?.time ?? RevocationEntry.notInForce, ordering: .releasing)
        latest.store(Self.firstBeginning(afterCutoffsIn: table), ordering: .relaxed)
        state = Monitor(State())
    }

    /// Reads again if the journal seems to be another one than its state says: a running server may
    /// have replaced it after the state was read.
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

    /// What is kept about the journal beside it; nil if none is kept.
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

    /// - Returns: the entry about everyone, and what there is to go on with; nil for no journal.
    private static func read(
        _ path: String, into table: RevocationTable, at now: Timestamp,
        _ state: JournalState.Found?,
        _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> (everyone: RevocationEntry?, found: JournalReader.Found?) {
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
        _ journal: Journal, _ found: JournalReader.Found?
    ) throws(RevocationsError) {
        do throws(Errno) {
            // Also where nothing has to go: what stands in the new file is behind its mark, so that
            // from then on nothing of it can be lost without being noticed.
            try replace(journal)
        } catch {
            // A full disk need not keep the old journal from being used as it is.
            if !journal.isOpen {
                guard let found else { throw .failed(error) }
                do throws(Errno) { try journal.reopen(found) } catch { throw .failed(error) }
            }
        }
        state.withLock { $0.journalBytes = journal.byteCount }
    }

    /// Has the state of the journal written under another key: one that signs tokens from now on.
    package func setStateKey(_ key: HMACSHA256.Key) {
        guard let journal else { return }
        journal.setStateKey(key)
        flushes.async { self.keepUp(isCompacting: { _ in false }) }
    }

    // MARK: Asking

    /// Why a token is not good, if it is not.
    /// - Parameters:
    ///   - token: its identifier, if it has one.
    ///   - session: its session's.
    ///   - began: when the session began. Nil if the token does not say: then it cannot be shown to be
    ///     younger than a cutoff, and every cutoff there is covers it.
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
        var question = RevocationTable.Query()
        if let token, kinds & (RevocationTable.bit(.token) | RevocationTable.bit(.spentToken)) != 0
        {
            question.token = keys.token(token)
        }
        if let session, kinds & RevocationTable.bit(.session) != 0 {
            question.session = keys.session(session)
        }
        if kinds & RevocationTable.bit(.user) != 0 { question.user = keys.user(user) }
        let answer = table.answer(question)
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

    /// The latest moment up to which this user's tokens are revoked, with everybody's or alone: a new
    /// session has to begin after it.
    package func cutoff(user: Int64) -> Timestamp? {
        let everyone = everyone.load(ordering: .acquiring)
        let answer = table.answer(RevocationTable.Query(user: keys.user(user)))
        let cutoff = max(everyone, answer.user)
        return cutoff == RevocationEntry.notInForce ? nil : Timestamp(milliseconds: cutoff)
    }

    // MARK: Clocks of others

    /// Takes note of a session that began later than it can have, by our clock: a cutoff that is to
    /// cover what there is must not be earlier. Forgotten with the process; but a session that begins
    /// right after a user's cutoff is noted with the cutoff itself, also when the journal is read.
    package func noteSessionStart(_ began: Timestamp) {
        latest.max(began.milliseconds, ordering: .relaxed)
    }

    /// The first moment that none of the users' cutoffs covers.
    private static func firstBeginning(afterCutoffsIn table: RevocationTable) -> Int64 {
        var latest = RevocationEntry.notInForce
        table.forEach(in: 0..<table.extent.slots) { entry in
            latest = max(latest, firstBeginning(after: entry))
        }
        return latest
    }

    private static func firstBeginning(after entry: RevocationEntry) -> Int64 {
        // A cutoff at the end of time covers all.
        entry.key.kind == .user && entry.time < Int64.max
            ? entry.time + 1 : RevocationEntry.notInForce
    }

    package var latestBeginning: Timestamp? {
        let latest = latest.load(ordering: .relaxed)
        return latest == RevocationEntry.notInForce ? nil : Timestamp(milliseconds: latest)
    }

    // MARK: Changing

    /// Revokes all of these, and returns when that is on the disk. If it throws, it is in force all the
    /// same, and goes to the disk with whatever is written next; but for `noBuffers`: then there is no
    /// room, and those for which there was none are not revoked.
    /// - Parameters:
    ///   - at: when; for `.user` and `.everyone` the cutoff.
    ///   - until: from when on nothing that this covers can be valid any more.
    package func revoke(
        _ what: [RevocationSubject], at moment: Timestamp, until: Timestamp
    ) throws(Errno) {
        let (batch, refusal) = state.withLock { state in
            let refusal = add(what, at: moment, until: until, &state)
            return (state.waiting, refusal)
        }
        if !what.isEmpty { try waitUntilSynced(batch) }
        if let refusal { throw refusal }
    }

    /// The same for whoever must not wait for the disk: in force when it returns, and written as soon as
    /// the journal is free.
    /// - Parameter failed: called on another thread if it could not be written; then it goes to the disk
    ///   with whatever is written next.
    /// - Throws: `noBuffers`, if there was no room and it is not in force.
    package func revokeSoon(
        _ what: [RevocationSubject], at moment: Timestamp, until: Timestamp,
        failed: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        let refusal = state.withLock { add(what, at: moment, until: until, &$0) }
        // One that is pending takes this along.
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

    /// Puts entries in force, and among those that wait to be written.
    /// - Returns: why there was no room for one of them.
    private func add(
        _ what: [RevocationSubject], at moment: Timestamp, until: Timestamp, _ state: inout State
    ) -> Errno? {
        var refusal: Errno?
        for revoked in what {
            let entry = RevocationEntry(
                key(revoked), time: moment.milliseconds, until: until.milliseconds)
            do throws(Errno) {
                try set(entry, &state)
                state.waiting.keys.insert(entry.key)
            } catch {
                refusal = error
            }
        }
        return refusal
    }

    private func key(_ revoked: RevocationSubject) -> EntryKey {
        switch revoked {
        case .token(let id): EntryKey(name: keys.token(id.span), kind: .token)
        case .session(let id): EntryKey(name: keys.session(id.span), kind: .session)
        case .user(let number): EntryKey(name: keys.user(number), kind: .user)
        case .everyone: .everyone
        }
    }

    /// Whether this was revoked, or exchanged, and is remembered.
    package func isKnown(_ what: RevocationSubject) -> Bool {
        let key = key(what)
        return state.withLock { state in
            if entry(key, state) != nil { return true }
            guard key.kind == .token else { return false }
            return entry(EntryKey(name: key.name, kind: .spentToken), state) != nil
        }
    }

    /// Marks a token as exchanged for another one, and returns when that is on the disk. If it throws,
    /// the token is as it was.
    /// - Parameter expires: from when on the token cannot be valid any more.
    /// - Returns: when it was spent: `now` for the first caller, and the same for every later one.
    package func spend(
        token: Span<UInt8>, expires: Timestamp, at now: Timestamp
    ) throws(Errno) -> Timestamp {
        let key = EntryKey(name: keys.token(token), kind: .spentToken)
        let new = RevocationEntry(key, time: now.milliseconds, until: expires.milliseconds)
        var refusal: Errno?
        // The batch that says whether the time will stand; nil if it stands already.
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
        latest.max(Self.firstBeginning(after: entry), ordering: .relaxed)
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

    /// The entry as it is now, `everyone` included.
    private func entry(_ key: EntryKey, _ state: State) -> RevocationEntry? {
        guard key.kind == .everyone else { return table.entry(key) }
        let cutoff = everyone.load(ordering: .relaxed)
        guard cutoff != RevocationEntry.notInForce else { return nil }
        return RevocationEntry(key, time: cutoff, until: state.everyoneUntil)
    }

    // MARK: The disk

    private enum Turn {
        case done(Result<Void, Errno>)
        case mine([RevocationEntry])
    }

    /// Returns when the batch is on the disk; writes it if nobody else does.
    private func waitUntilSynced(_ batch: Batch) throws(Errno) {
        guard let journal else { return state.withLock { $0.waiting.keys.removeAll() } }
        let turn = state.waitUntil(
            { batch.outcome != nil || !$0.isWriting },
            then: { state -> Turn in
                if let outcome = batch.outcome { return .done(outcome) }
                return .mine(begin(&state))
            })
        switch turn {
        case .done(let outcome): try outcome.get()
        case .mine(let entries): try write(entries, journal, isCompacting: false)
        }
    }

    /// Takes the journal, and everything that waits.
    private func begin(_ state: inout State) -> [RevocationEntry] {
        let batch = state.waiting
        state.isWriting = true
        state.underway = batch
        state.waiting = Batch()
        return batch.keys.compactMap { entry($0, state) }
    }

    /// Writes what `begin` has taken, and gives the journal back.
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
        // A journal that cannot be compacted can perhaps be appended to; one that has been taken away
        // must not be.
        if !isWritten, failure == nil || journal.isInPlace, !entries.isEmpty {
            do throws(Errno) {
                try journal.append(entries)
                isWritten = true
            } catch {
                failure = error
            }
        }
        if isKeepingUp {
            // What fails is tried again the next time; until then the state is behind.
            do throws(Errno) { try journal.keepUp() } catch { failure = failure ?? error }
        }
        let outcome: Result<Void, Errno> =
            isWritten || entries.isEmpty && journal.isInPlace
            ? .success(()) : .failure(failure ?? .ioError)
        end(outcome, journal, failure)
        try outcome.get()
    }

    private func end(_ outcome: Result<Void, Errno>, _ journal: Journal, _ failure: Errno?) {
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

    /// Gives the journal a new file with all that is in force; for whoever has the journal.
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
                    // What waits is not known to stay: that is its own batch's affair.
                    if entry.key.kind != .spentToken || !state.waiting.keys.contains(entry.key) {
                        entries.append(entry)
                    }
                }
                next = end
                return end == extent.slots ? .done : .more
            }
        }
    }

    // MARK: Now and then

    /// Forgets what can matter no more, tries again what could not be written, and compacts the journal
    /// when most of it means nothing any more. To be called from time to time.
    package func removeExpired(at now: Timestamp) {
        forget(until: now.milliseconds)
        keepUp { written in
            let live = self.state.withLock { _ in self.table.count + 1 }
            let dead = written - live
            return dead > live && dead >= Self.deadRecords
        }
    }

    /// Writes what waits, and puts the journal's state on the disk.
    /// - Parameter isCompacting: told how many records the journal has before what waits is written.
    private func keepUp(isCompacting: (Int) -> Bool) {
        guard let journal else { return }
        let turn = state.waitUntil({ !$0.isWriting }, then: { begin(&$0) })
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
                // Another table meanwhile: what was forgotten is not in it, and the rest is elsewhere.
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
            // Without memory for a smaller table the larger one does as well.
            try? table.shrink()
        }
    }

    // MARK: Figures

    package struct Statistics: Sendable, Equatable {
        /// Entries by kind, those included that the next `sweep` will forget.
        package var tokens = 0
        package var spentTokens = 0
        package var sessions = 0
        package var users = 0
        package var hasEveryone = false
        /// Of the journal's file; 0 if there is none.
        package var journalBytes = 0
        /// Changes that are in force and not yet on the disk.
        package var unwritten = 0
        /// Writes that failed, since the start.
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

    /// Entries of all kinds.
    package var count: Int {
        state.withLock { _ in
            table.count + (everyone.load(ordering: .relaxed) == RevocationEntry.notInForce ? 0 : 1)
        }
    }

    /// More than a quarter of what can be known at once is: time to ask less of it.
    package var isNearCapacity: Bool { state.withLock { _ in table.count > limit / 4 } }

    /// Why the journal could not be written the last time; nil if it could.
    package var failure: Errno? { state.withLock { $0.failure } }
}

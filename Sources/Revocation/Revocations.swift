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
/// `JournalWriter` describes how changes are written, and what happens if that fails.
@safe package final class Revocations: Sendable {
    /// The maximum number of revoked and exchanged tokens. At 66 bytes an entry, 264 MB.
    package static let defaultLimit = 4_000_000

    private let list: RevocationList
    /// The list's table. Through `list`, each lookup would retain and release it.
    private let table: RevocationTable
    private let keys: JournalHeader.Keys
    private let writer: JournalWriter
    /// Writes changes that no caller waits for.
    private let flushes = DispatchQueue(label: "gatehouse.revocations")
    private let isFlushPending = Atomic<Bool>(false)
    /// What reading the journal found.
    package let start: RecoverySummary

    /// Reads the journal, drops expired entries, and writes a new journal with the remaining ones.
    /// - Parameters:
    ///   - path: nil for no journal: revocations are then lost at exit.
    ///   - limit: the maximum number of token entries. Session and user entries may use a quarter
    ///     more, so that sessions can still be ended when no more tokens can be exchanged.
    package init(
        path: String?, at now: Timestamp, limit: Int = defaultLimit,
        guarded: JournalGuard = JournalGuard(), fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) {
        let limit = min(max(limit, 1), Self.defaultLimit)
        guard let path else {
            list = try RevocationList(limit: limit)
            table = list.table
            keys = .random()
            writer = JournalWriter(list, nil)
            start = RecoverySummary()
            return
        }

        let lock = try Journal.lock(path, fileSystem)
        let found = try JournalRecovery(path, limit: limit, at: now, guarded, fileSystem)
        let proof = guarded.acceptsAnyJournal ? .accepted : try found.proof()
        let endsAll = proof == .accepted || proof == .foreignKeys
        if endsAll {
            // Before anything is written: then no start can find such a journal without this entry.
            found.list.setEveryone(
                cutoff: (now + guarded.leeway).milliseconds,
                forgetAfter: RevocationEntry.latestForgetAfter)
        }
        let contents = endsAll ? nil : found.contents
        list = found.list
        table = list.table
        keys = found.keys
        let journal = Journal(
            path, keys, lock, stateKey: guarded.keys.first, stateTurn: found.stateTurn,
            previous: contents.map { JournalExtent($0.header, count: $0.count, $0.hash) },
            fileSystem)
        writer = JournalWriter(list, journal)
        start = found.summary(proof)
        try writer.open(contents)
    }

    /// Reads a journal for inspection only. Takes no lock, changes no file, and sees what a running
    /// process has synced until now. Changes made through this object are not stored.
    /// - Parameter now: entries that may be forgotten by then are skipped.
    package init(
        reading path: String, at now: Timestamp, guarded: JournalGuard = JournalGuard(),
        fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) {
        let (found, proof) = try JournalRecovery.undisturbed {
            () throws(RevocationsError) -> (JournalRecovery, JournalProof) in
            let found = try JournalRecovery(
                path, limit: Self.defaultLimit, at: now, guarded, fileSystem)
            return (found, try found.proof())
        }
        list = found.list
        table = list.table
        keys = found.keys
        writer = JournalWriter(list, nil)
        start = found.summary(proof)
    }

    /// Sets the key that authenticates the journal's state from now on: the current signing key.
    package func setStateKey(_ key: HMACSHA256.Key) {
        writer.setStateKey(key)
        flushes.async { self.writer.flush(isCompacting: { _ in false }) }
    }

    // MARK: Lookup

    /// Why a token is revoked; nil if it is not.
    /// - Parameters:
    ///   - token: its identifier, if it has one.
    ///   - session: the identifier of its session, if it has one.
    ///   - began: the start of the session. Nil if the token does not state it: then it cannot be
    ///     shown to be later than a cutoff, and every cutoff covers it.
    package func finding(
        token: Span<UInt8>?, session: Span<UInt8>?, user: Int64, began: Timestamp?
    ) -> RevocationStatus? {
        let beginning = began?.milliseconds ?? RevocationEntry.notInForce
        let cutoff = list.everyoneCutoff
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
        let match = table.lookUp(query)
        if match.isEmpty { return nil }
        if match.token != RevocationEntry.notInForce {
            return .revoked(at: Timestamp(milliseconds: match.token))
        }
        if match.session != RevocationEntry.notInForce {
            return .revoked(at: Timestamp(milliseconds: match.session))
        }
        if match.user != RevocationEntry.notInForce, beginning <= match.user {
            return .revoked(at: Timestamp(milliseconds: match.user))
        }
        return match.spent == RevocationEntry.notInForce
            ? nil : .alreadyUsed(at: Timestamp(milliseconds: match.spent))
    }

    /// The latest cutoff that covers this user, from `.user` or `.everyone`. A new session must
    /// start after it.
    package func cutoff(user: Int64) -> Timestamp? {
        let everyone = list.everyoneCutoff
        let match = table.lookUp(RevocationTable.Query(user: keys.user(user)))
        let cutoff = max(everyone, match.user)
        return cutoff == RevocationEntry.notInForce ? nil : Timestamp(milliseconds: cutoff)
    }

    // MARK: Clocks of other issuers

    /// Records the start of a session that is later than our clock. A cutoff that is to cover all
    /// existing sessions must not be earlier. The value is lost at exit. A session that starts
    /// right after a user's cutoff needs no call: adding a cutoff, or reading it from the journal,
    /// records that start.
    package func noteSessionStart(_ began: Timestamp) {
        list.noteSessionStart(began.milliseconds)
    }

    /// The latest session start that is recorded.
    package var latestSessionStart: Timestamp? {
        let latest = list.latestSessionStart
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
        let (batch, refusal) = writer.withLock { state in
            let refusal = add(subjects, at: moment, until: until, &state)
            return (state.waiting, refusal)
        }
        if !subjects.isEmpty { try writer.waitUntilSynced(batch) }
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
        let refusal = writer.withLock { add(subjects, at: moment, until: until, &$0) }
        // A pending flush writes this change as well.
        if !isFlushPending.exchange(true, ordering: .acquiringAndReleasing) {
            flushes.async {
                self.isFlushPending.store(false, ordering: .releasing)
                do throws(Errno) {
                    try self.writer.waitUntilSynced(self.writer.withLock { $0.waiting })
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
        _ state: inout JournalWriter.State
    ) -> Errno? {
        var refusal: Errno?
        for subject in subjects {
            let entry = RevocationEntry(
                key(subject), time: moment.milliseconds, until: until.milliseconds)
            do throws(Errno) {
                try list.set(entry)
                state.add(entry.key)
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
        return writer.withLock { _ in
            if list.entry(key) != nil { return true }
            guard key.kind == .token else { return false }
            return list.entry(EntryKey(name: key.name, kind: .spentToken)) != nil
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
        let (time, batch) = writer.withLock { state -> (Int64, JournalWriter.Batch?) in
            if let old = list.entry(key) { return (old.time, state.batch(of: key)) }
            do throws(Errno) {
                try list.set(new)
                state.add(key)
            } catch {
                refusal = error
            }
            return (new.time, state.waiting)
        }
        if let refusal { throw refusal }
        if let batch { try writer.waitUntilSynced(batch) }
        return Timestamp(milliseconds: time)
    }

    // MARK: Maintenance

    /// Removes expired entries, retries failed writes, and compacts the journal if most of its
    /// records are obsolete. Must be called periodically.
    package func removeExpired(at now: Timestamp) {
        writer.removeExpired(at: now.milliseconds)
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
        writer.withLock { state in
            Statistics(
                tokens: table.count(of: .token), spentTokens: table.count(of: .spentToken),
                sessions: table.count(of: .session), users: table.count(of: .user),
                hasEveryone: list.hasEveryone, journalBytes: state.journalBytes,
                unwritten: state.unwritten, failures: state.failures)
        }
    }

    /// The number of entries of all kinds.
    package var count: Int { writer.withLock { _ in list.count } }

    /// More than a quarter of the limit is used: callers should slow down the creation of entries.
    package var isNearCapacity: Bool { writer.withLock { _ in list.isNearCapacity } }

    /// The error of the last write of the journal; nil if it succeeded.
    package var failure: Errno? { writer.withLock { $0.failure } }
}

import Crypto
import POSIX
import Time

extension Revocations {
    /// How a truncated journal is detected (`JournalState`).
    package struct JournalGuard: Sendable {
        /// The first key signs the state, and each of them is accepted. Empty: the journal has no
        /// state file.
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

    /// What reading the journal found.
    package struct RecoverySummary: Sendable, Equatable {
        /// Entries that are in force.
        package var entries = 0
        /// Bytes of an unfinished write, truncated at the journal's end. They were not
        /// acknowledged.
        package var tornBytes = 0
        package var proof = JournalProof.proven
    }
}

/// A journal and its state file, read at the start.
struct JournalRecovery {
    /// The entries of the journal that are in force.
    let list: RevocationList
    /// Nil if there is no journal.
    let contents: JournalReader.Contents?
    /// The keys of the journal, or new ones.
    let keys: JournalHeader.Keys
    /// Nil if the journal has no state file.
    private let state: JournalState.Found?

    /// - Parameters:
    ///   - limit: the limit of the list. The entries of the journal may exceed it.
    ///   - now: entries that may be forgotten by then are skipped.
    /// - Throws: as `JournalReader.read`, `failed` if the state file cannot be read, and `tooMany`
    ///   if the table cannot hold the entries.
    init(
        _ path: String, limit: Int, at now: Timestamp, _ guarded: Revocations.JournalGuard,
        _ fileSystem: any FileSystem
    ) throws(RevocationsError) {
        let list = try RevocationList(limit: limit)
        let state = try Self.state(of: path, guarded, fileSystem)
        var counts: [Int] = []
        if case .known(let state)? = state { counts = state.extents.map(\.count) }
        let contents = try JournalReader.read(path, fileSystem, digestsAfter: counts) {
            entry throws(RevocationsError) in
            guard entry.forgetAfter > now.milliseconds else { return }
            do throws(Errno) {
                try list.set(entry, isLimited: false)
            } catch {
                throw .tooMany
            }
        }
        self.list = list
        self.contents = contents
        keys = contents?.header.keys ?? .random()
        self.state = state
    }

    private static func state(
        of path: String, _ guarded: Revocations.JournalGuard, _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> JournalState.Found? {
        guard !guarded.keys.isEmpty else { return nil }
        do throws(Errno) {
            return try JournalState.read(Journal.statePath(of: path), guarded.keys, fileSystem)
        } catch {
            throw .failed(error)
        }
    }

    /// The turn of the state file's newest slot, or 0.
    var stateTurn: UInt64 { state?.turn ?? 0 }

    /// Checks the journal against its state.
    /// - Throws: as `JournalState.Found.judge`.
    func proof() throws(RevocationsError) -> JournalProof {
        try state?.judge(contents) ?? .proven
    }

    func summary(_ proof: JournalProof) -> Revocations.RecoverySummary {
        Revocations.RecoverySummary(
            entries: list.count, tornBytes: contents?.tornBytes ?? 0, proof: proof)
    }

    /// Reads again if the journal does not match its state: a running server may have replaced the
    /// journal after the state was read.
    static func undisturbed<Content>(
        _ read: () throws(RevocationsError) -> Content
    ) throws(RevocationsError) -> Content {
        for _ in 0..<3 {
            do throws(RevocationsError) { return try read() } catch {
                guard error.isLoss else { throw error }
            }
        }
        return try read()
    }
}

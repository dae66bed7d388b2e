import Auth
import Glibc
import JSON
import JWT
import Logging
import POSIX
import Revocation
import Time

/// Something that an operator wants to be good no longer: told to the running server, or written to the
/// journal where none runs.
struct RevocationSubmission {
    /// What POST /revoke takes.
    private let order: [UInt8]
    private let configuration: Configuration
    /// For a journal that a start refuses.
    private let acceptsShortJournal: Bool

    struct Done: Equatable {
        let destination: Destination
        let target: TargetStatus
    }

    /// Whether the server, or the users file, knows what was revoked.
    enum TargetStatus: Equatable {
        case known, unknown
        /// A user, and the users file cannot be read, for these reasons.
        case unreadable([ConfigurationProblem])

        init(isKnown: Bool) { self = isKnown ? .known : .unknown }
    }

    enum Destination: Equatable {
        case server
        /// Where the next start reads it.
        case journal(path: String)

        /// For the operator; nil if there is nothing to add.
        var note: String? {
            guard case .journal(let path) = self else { return nil }
            return "no server is running: it was written to \(path), which the next start reads; "
                + "the log has no line of it"
        }
    }

    enum Failure: Error {
        case server(AdminAPI.Failure)
        case keysAreTemporary
        case notOwner(path: String)
        /// A server has the journal, and is not to be reached.
        case inUse(path: String, AdminAPI.Failure)
        case unusable(path: String, RevocationsError)
        case notWritten(path: String, Errno)
        case invalid

        /// One for each thing that is wrong.
        var sentences: [String] {
            switch self {
            case .server(let failure): failure.sentences
            case .keysAreTemporary:
                ["the keys are made anew at each start, and no token outlives the server"]
            case .notOwner(let path):
                [
                    "no server is running, and \(path) belongs to another user; run this as the user "
                        + "that the server runs as"
                ]
            case .inUse(let path, let failure):
                failure.sentences
                    + ["a server has \(path); only it can revoke, or whoever stops it first"]
            case .unusable(let path, let error): ["\(path) \(error.sentence)"]
            case .notWritten(let path, let error):
                ["\(path) cannot be written: \(error.description)"]
            case .invalid: ["what was to be revoked is not understood"]
            }
        }

        var exitCode: GatehouseCommand.ExitCode {
            switch self {
            case .server(let failure), .inUse(_, let failure): failure.exitCode
            case .keysAreTemporary: .configuration
            case .notOwner: .notPermitted
            case .unusable(_, let error): error.isLoss ? .configuration : .cannotCreate
            case .notWritten: .inputOutput
            case .invalid: .software
            }
        }

        /// Says it, and returns what to exit with.
        func report() -> GatehouseCommand.ExitCode {
            for sentence in sentences { GatehouseCommand.printError(sentence) }
            return exitCode
        }
    }

    init(
        _ order: [UInt8], _ configuration: Configuration, acceptsShortJournal: Bool = false
    ) {
        self.order = order
        self.acceptsShortJournal = acceptsShortJournal
        self.configuration = configuration
    }

    /// All sessions of a user that have begun until it is carried out.
    init(endingSessionsOf user: UserID, _ configuration: Configuration) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(user.rawValue)
        writer.endObject()
        self.init(writer.bytes, configuration)
    }

    static func ended(_ user: UserID) -> String {
        "all sessions of user \(user.rawValue) that have begun until now have ended"
    }

    /// When it returns, it is on the disk.
    func send() throws(Failure) -> Done {
        do throws(AdminAPI.Failure) {
            let answer = try AdminAPI(configuration).ask("POST", "/revoke", json: order)
            return Done(
                destination: .server,
                target: TargetStatus(isKnown: answer["known"] != .boolean(false)))
        } catch {
            switch error {
            case .noSocket, .unreached(.notRunning): return try write(error)
            default: throw .server(error)
            }
        }
    }

    /// Without a server the journal is nobody's, and what is written there counts from the next start.
    private func write(_ failure: AdminAPI.Failure) throws(Failure) -> Done {
        guard let path = configuration.revocationJournal else { throw .keysAreTemporary }
        guard Self.isOurs(path) else { throw .notOwner(path: path) }
        let now = WallClock.system.now()
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let revocations: Revocations
        do throws(RevocationsError) {
            // Taken by a server that runs, whatever its socket is.
            revocations = try Revocations(
                path: path, at: now,
                guarded: configuration.journalGuard(acceptsAnyJournal: acceptsShortJournal))
        } catch {
            if case .inUse = error { throw .inUse(path: path, failure) }
            throw .unusable(path: path, error)
        }
        guard case .revoke(let target) = RevocationRequest(parsing: order.span, tokens, at: now)
        else { throw .invalid }
        // Before the revocation makes a token or a session known.
        let status = status(of: target, revocations, at: now)
        do throws(Errno) {
            try revocations.revoke(target, at: now, leeway: tokens.policy.leeway)
        } catch {
            throw .notWritten(path: path, error)
        }
        return Done(destination: .journal(path: path), target: status)
    }

    private func status(
        of target: RevocationTarget, _ revocations: Revocations, at now: Timestamp
    ) -> TargetStatus {
        var users = UserDirectory([])
        if case .user = target {
            do throws(Configuration.Invalid) {
                users = try configuration.readUsers()
            } catch {
                return .unreadable(error.problems)
            }
        }
        return TargetStatus(
            isKnown: target.isKnown(to: users, SessionList(), revocations, at: now))
    }

    /// Whether the server, which runs as the owner of its files, could go on with a journal of ours, or
    /// with a folder that is made for it.
    private static func isOurs(_ path: String) -> Bool {
        if let status = try? SystemFileSystem().status(of: path) {
            return status.owner == geteuid()
        }
        // The journal itself says what is wrong with a folder that cannot be opened.
        guard let folder = try? ServiceFolder.lowest(LogFileNames.folder(of: path)) else {
            return true
        }
        return folder.owner == geteuid()
    }
}

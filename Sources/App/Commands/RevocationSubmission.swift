import Auth
import Glibc
import JSON
import JWT
import Logging
import POSIX
import Revocation
import Time

/// A revocation by an operator. It is sent to the running server, or written to the journal if none
/// is running.
struct RevocationSubmission {
    /// The body of POST /revoke.
    private let request: [UInt8]
    private let configuration: Configuration
    /// Accept a journal that lacks records, which a server start refuses.
    private let acceptsShortJournal: Bool

    struct Done: Equatable {
        let destination: Destination
        let target: TargetStatus
    }

    /// Whether the server, or the users file, knows the target.
    enum TargetStatus: Equatable {
        case known, unknown
        /// The target is a user, and the users file cannot be read for these reasons.
        case unreadable([ConfigurationProblem])

        init(isKnown: Bool) { self = isKnown ? .known : .unknown }
    }

    enum Destination: Equatable {
        case server
        /// The next start reads it.
        case journal(path: String)

        /// A note for the operator; nil if there is nothing to add.
        var note: String? {
            guard case .journal(let path) = self else { return nil }
            return "no server is running: written to \(path) for the next start; the log does not "
                + "record it"
        }
    }

    enum Failure: Error {
        case server(AdminAPI.Failure)
        case keysAreTemporary
        case notOwner(path: String)
        /// Another server holds the journal, and cannot be reached.
        case inUse(path: String, AdminAPI.Failure)
        case unusable(path: String, RevocationsError)
        case notWritten(path: String, Errno)
        case invalid

        /// Messages for the operator, one per problem.
        var sentences: [String] {
            switch self {
            case .server(let failure): failure.sentences
            case .keysAreTemporary:
                [
                    "token.keys: none are configured, so every start creates new ones; there is "
                        + "nothing to revoke"
                ]
            case .notOwner(let path):
                [
                    "\(path): belongs to another user, and no server is running; run this command "
                        + "as the server's user"
                ]
            case .inUse(let path, let failure):
                failure.sentences
                    + [
                        "\(path): in use by a running server; configure admin.socket, or stop it "
                            + "first"
                    ]
            case .unusable(let path, let error): ["\(path) \(error.sentence)"]
            case .notWritten(let path, let error):
                ["\(path): cannot be written: \(error.description)"]
            case .invalid: ["internal error: the revocation request is invalid"]
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

        /// Prints the messages and returns the exit code.
        func report() -> GatehouseCommand.ExitCode {
            for sentence in sentences { GatehouseCommand.printError(sentence) }
            return exitCode
        }
    }

    init(
        _ request: [UInt8], _ configuration: Configuration, acceptsShortJournal: Bool = false
    ) {
        self.request = request
        self.acceptsShortJournal = acceptsShortJournal
        self.configuration = configuration
    }

    /// Ends all sessions of a user that began before the request is carried out.
    init(endingSessionsOf user: UserID, _ configuration: Configuration) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(user.rawValue)
        writer.endObject()
        self.init(writer.bytes, configuration)
    }

    static func endedMessage(_ user: UserID) -> String {
        "all current sessions of user \(user.rawValue) have ended"
    }

    /// Carries out the revocation. It is on the disk when this returns.
    func send() throws(Failure) -> Done {
        do throws(AdminAPI.Failure) {
            let answer = try AdminAPI(configuration).ask("POST", "/revoke", json: request)
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

    /// Without a server, no process holds the journal. The revocation takes effect at the next
    /// start.
    private func write(_ failure: AdminAPI.Failure) throws(Failure) -> Done {
        guard let path = configuration.revocationJournal else { throw .keysAreTemporary }
        guard Self.isOurs(path) else { throw .notOwner(path: path) }
        let now = WallClock.system.now()
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let revocations: Revocations
        do throws(RevocationsError) {
            // A running server holds it, whether or not its socket is reachable.
            revocations = try Revocations(
                path: path, at: now,
                guarded: configuration.journalGuard(acceptsAnyJournal: acceptsShortJournal))
        } catch {
            if case .inUse = error { throw .inUse(path: path, failure) }
            throw .unusable(path: path, error)
        }
        guard case .revoke(let target) = RevocationRequest(parsing: request.span, tokens, at: now)
        else { throw .invalid }
        // Before the revocation itself makes the token or session known.
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

    /// Whether the server, which runs as the owner of its files, can continue with a journal that
    /// this process creates, or use a folder that it creates.
    private static func isOurs(_ path: String) -> Bool {
        if let status = try? SystemFileSystem().status(of: path) {
            return status.owner == geteuid()
        }
        // If the folder cannot be opened, opening the journal reports why.
        guard let folder = try? ServiceFolder.deepestExisting(LogFileNames.folder(of: path)) else {
            return true
        }
        return folder.owner == geteuid()
    }
}

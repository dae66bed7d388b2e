import Crypto
import Foundation
import Glibc
import JSON
import JWT
import Logging
import POSIX
import Time

/// `gatehouse secret`: a new key, printed; or put in front of those that a configuration file has.
struct SecretCommand {
    /// The configuration that a key is added to.
    private(set) var file: String?
    private var id: String?

    /// Nil if help was asked for.
    /// - Parameter rest: what stands behind `secret`.
    init?(_ rest: inout ArraySlice<String>) throws(GatehouseCommand.UsageError) {
        if rest.contains("--help") || rest.contains("-h") { return nil }
        while let argument = rest.popFirst() {
            switch argument {
            // A secret is one whatever the configuration is.
            case "--config": _ = try rest.value(of: argument)
            case "--add" where file == nil: file = try rest.value(of: argument, "FILE")
            case "--id" where id == nil: id = try rest.value(of: argument)
            default: throw .unknown(argument)
            }
        }
        guard id == nil || file != nil else {
            throw GatehouseCommand.UsageError(sentence: "--id names a key that --add FILE adds")
        }
        if let id, !KeyInsertion.isID(id) {
            throw GatehouseCommand.UsageError(sentence: "--id: not 1 to 64 of A-Z a-z 0-9 . _ -")
        }
    }

    func run(_ environment: [String: String]) -> GatehouseCommand.ExitCode {
        guard let file else {
            StandardOutput.show(Self.newSecret())
            return .success
        }
        do throws(KeyInsertion.Failure) {
            let added = try KeyInsertion(to: file, id: id, environment: environment).run()
            let config = VisibleText.of(file, limit: 200)
            StandardOutput.show(
                """
                \(added.secretFile) has a new secret; \(config) names it as key \(added.id), in front.
                next: `gatehouse reload --config \(config)`, or a restart; then it signs new tokens.
                """)
            if added.otherKeys > 0 {
                StandardOutput.show(
                    """
                    What was signed before is still good. The old key can be taken out of token.keys \
                    \(HumanTime.span(added.session))
                    (token.session) after that, when no session of before is left; keep its secret for \
                    as long as
                    `log verify` has to check what it sealed.
                    """)
            }
            return .success
        } catch {
            for sentence in error.sentences { GatehouseCommand.printError(sentence) }
            return error.exitCode
        }
    }

    /// 32 random bytes as text, which is itself the secret: 43 characters.
    static func newSecret() -> String {
        let bytes = RandomBytes.array(count: 32)
        return String(decoding: Base64URL.encoded(bytes.span), as: UTF8.self)
    }
}

/// Adds a key to a configuration file: the secret into a file of its own beside it, and its name in front
/// of `token.keys`. Nothing of the configuration's own text is changed but that place; the file is
/// replaced as a whole, and only by one that can be loaded.
struct KeyInsertion {
    struct Result {
        let id: String
        let secretFile: String
        let otherKeys: Int
        let session: TimeAmount
    }

    enum Failure: Error {
        case cannotRead(String, Errno)
        case cannotWrite(String, Errno)
        case wrong([ConfigurationProblem])
        case fromEnvironment
        case tooManyKeys
        case idIsTaken(String)
        case secretFileIsThere(String)
        case inUse(String)
        case changed(String)

        var sentences: [String] {
            switch self {
            case .cannotRead(let path, let error): ["\(path) cannot be read: \(error.description)"]
            case .cannotWrite(let path, let error):
                ["\(path) cannot be written: \(error.description); nothing was changed"]
            case .wrong(let problems): problems.map(\.description) + ["nothing was changed"]
            case .fromEnvironment:
                [
                    "GATEHOUSE_TOKEN_KEYS is set, and stands above what the file says; nothing was changed"
                ]
            case .tooManyKeys:
                [
                    "token.keys: there are \(KeyRing.maximumKeys) already; remove one that no token "
                        + "needs any more, the last first"
                ]
            case .idIsTaken(let id): ["token.keys has a key \(id) already; choose another --id"]
            case .secretFileIsThere(let path):
                ["\(path) is there already; choose another --id, or remove it if nobody needs it"]
            case .inUse(let path):
                [
                    "\(path) is there: somebody else is adding a key, or was killed while doing so; "
                        + "then remove it"
                ]
            case .changed(let path):
                ["\(path) was changed by somebody else meanwhile; nothing was added, try again"]
            }
        }

        var exitCode: GatehouseCommand.ExitCode {
            switch self {
            case .cannotRead(_, .permissionDenied), .cannotWrite(_, .permissionDenied),
                .cannotWrite(_, .readOnlyFileSystem), .cannotWrite(_, .notPermitted):
                .notPermitted
            case .cannotRead: .noInput
            case .cannotWrite(_, .noSpace), .cannotWrite(_, .ioError): .inputOutput
            case .cannotWrite, .secretFileIsThere: .cannotCreate
            case .wrong, .fromEnvironment: .configuration
            case .tooManyKeys, .idIsTaken: .data
            case .inUse, .changed: .unavailable
            }
        }
    }

    /// Where the path leads: the file itself where it is a symbolic link, which a new file must not take
    /// the place of.
    private let folder: ServiceFolder
    private let name: String
    private let before: FileStatus
    private let wantedID: String?
    private let environment: [String: String]
    private let now: Timestamp

    init(
        to path: String, id: String?, environment: [String: String],
        at now: Timestamp = WallClock.system.now()
    ) throws(Failure) {
        do throws(Errno) {
            (folder, name, before) = try ServiceFolder.following(path)
        } catch {
            throw .cannotRead(path, error)
        }
        wantedID = id
        self.environment = environment
        self.now = now
    }

    private var path: String { path(of: name) }

    private func path(of name: String) -> String {
        folder.path == "." ? name : folder.path == "/" ? "/\(name)" : "\(folder.path)/\(name)"
    }

    static func isID(_ text: String) -> Bool {
        let secret = [UInt8](repeating: 0, count: KeyRing.minimumSecretLength)
        return KeyRing.Entry(id: text, secret: secret.span) != nil
    }

    func run() throws(Failure) -> Result {
        guard environment["GATEHOUSE_TOKEN_KEYS"] == nil else { throw .fromEnvironment }
        let bytes: [UInt8]
        do throws(ConfigurationProblem) { bytes = try ConfigurationFile(path).bytes } catch {
            throw .wrong([error])
        }
        let place: KeyInsertionPoint
        do throws(ConfigurationProblem) { place = try KeyInsertionPoint(in: bytes, of: path) } catch
        {
            throw .wrong([error])
        }
        guard place.ids.count < KeyRing.maximumKeys else { throw .tooManyKeys }
        let id = try newID(place.ids)
        let secretFile = Self.secretFile(id)
        try write(Array((SecretCommand.newSecret() + "\n").utf8), to: secretFile, 0o600) {
            .secretFileIsThere($0)
        }
        do throws(Failure) {
            let session = try replace(place.adding(id: id, secretFile: secretFile), id)
            return Result(
                id: id, secretFile: path(of: secretFile), otherKeys: place.ids.count,
                session: session)
        } catch {
            try? folder.remove(secretFile)
            throw error
        }
    }

    /// - Returns: how long a session is.
    private func replace(
        _ bytes: [UInt8], _ id: String
    ) throws(Failure) -> TimeAmount {
        // Also keeps a second one of these out.
        let temporary = ".\(name).new"
        try write(bytes, to: temporary, before.mode & 0o7777) { .inUse($0) }
        do throws(Failure) {
            let configuration: Configuration
            do throws(Configuration.Invalid) {
                configuration = try Configuration.load(
                    file: path(of: temporary), environment: environment)
            } catch {
                throw .wrong(error.problems)
            }
            guard configuration.keys.signing.id == id else {
                throw .wrong([
                    ConfigurationProblem(path: "token.keys", message: "did not take the key")
                ])
            }
            let now = try? folder.status(of: name)
            guard let now, now.isSameFile(as: before), now.modified == before.modified,
                now.size == before.size
            else { throw .changed(path) }
            do throws(Errno) {
                // The secret has its name on the disk before anything speaks of it.
                try folder.reopened().synchronize()
                try folder.rename(temporary, to: name)
                try folder.reopened().synchronize()
            } catch {
                throw .cannotWrite(path, error)
            }
            return configuration.sessionLifetime
        } catch {
            try? folder.remove(temporary)
            throw error
        }
    }

    /// A new file, with the configuration's group, which may have to read it; on the disk when this
    /// returns.
    private func write(
        _ bytes: [UInt8], to name: String, _ mode: mode_t, ifThere: (String) -> Failure
    ) throws(Failure) {
        do throws(Errno) {
            let file = try folder.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            do throws(Errno) {
                if try file.status().group != before.group { try file.change(group: before.group) }
                try file.change(mode: mode)
                try file.write(bytes.span, at: 0)
                try file.synchronize()
            } catch {
                try? folder.remove(name)
                throw error
            }
        } catch {
            throw error == .fileExists
                ? ifThere(path(of: name)) : .cannotWrite(path(of: name), error)
        }
    }

    /// The one that is wished for, or today's date, with a number if that is taken.
    private func newID(_ taken: [String]) throws(Failure) -> String {
        if let wantedID {
            guard !taken.contains(wantedID) else { throw .idIsTaken(wantedID) }
            return wantedID
        }
        let text = now.rfc3339
        let date = String(decoding: (0..<10).map { text[$0] }, as: UTF8.self)
        var id = date
        var number = 2
        // A file of that name may have been somebody's key.
        while taken.contains(id) || (try? folder.status(of: Self.secretFile(id))) != nil {
            id = "\(date)-\(number)"
            number += 1
        }
        return id
    }

    private static func secretFile(_ id: String) -> String { "token-\(id).key" }
}

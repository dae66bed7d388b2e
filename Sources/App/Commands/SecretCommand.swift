import Crypto
import Foundation
import Glibc
import JSON
import JWT
import Logging
import POSIX
import Time

/// `gatehouse secret`: prints a new key, or inserts one at the first place of a configuration's
/// keys.
struct SecretCommand {
    /// The configuration file that a key is added to.
    private(set) var file: String?
    private var id: String?

    /// Returns nil if help was requested.
    /// - Parameter rest: the arguments after `secret`.
    init?(_ rest: inout ArraySlice<String>) throws(GatehouseCommand.UsageError) {
        if rest.contains("--help") || rest.contains("-h") { return nil }
        while let argument = rest.popFirst() {
            switch argument {
            // A new secret does not depend on the configuration.
            case "--config": _ = try rest.value(of: argument)
            case "--add" where file == nil: file = try rest.value(of: argument, "FILE")
            case "--id" where id == nil: id = try rest.value(of: argument)
            default: throw .unknown(argument)
            }
        }
        guard id == nil || file != nil else {
            throw GatehouseCommand.UsageError(sentence: "--id: allowed only with --add FILE")
        }
        if let id, !KeyInsertion.isID(id) {
            throw GatehouseCommand.UsageError(
                sentence: "--id: not a key ID; write 1 to 64 of A-Z a-z 0-9 . _ -")
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
                \(config): key \(added.id) is now the first of token.keys, in \(added.secretFile).
                next: `gatehouse reload --config \(config)` or a restart; then it signs new tokens.
                """)
            if added.otherKeys > 0 {
                StandardOutput.show(
                    """
                    Tokens signed with the old key stay valid. Remove the old key from token.keys
                    after \(HumanTime.span(added.session)) (token.session). Keep its file as long as
                    you want to verify log lines from that time.
                    """)
            }
            return .success
        } catch {
            for sentence in error.sentences { GatehouseCommand.printError(sentence) }
            return error.exitCode
        }
    }

    /// A new secret as text: 32 random bytes in base64url, 43 characters. The text itself is the
    /// secret.
    static func newSecret() -> String {
        let bytes = RandomBytes.array(count: 32)
        return String(decoding: Base64URL.encoded(bytes.span), as: UTF8.self)
    }
}

/// Adds a key to a configuration file. The secret goes into a new file in the same folder, and its
/// name into the first place of `token.keys`. The rest of the configuration's text stays unchanged.
/// The file is replaced atomically, and only if the new one can be loaded.
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
            case .cannotRead(let path, let error): ["\(path): cannot be read: \(error.description)"]
            case .cannotWrite(let path, let error):
                ["\(path): cannot be written: \(error.description); nothing was changed"]
            case .wrong(let problems): problems.map(\.description) + ["nothing was changed"]
            case .fromEnvironment:
                [
                    "GATEHOUSE_TOKEN_KEYS: is set, and overrides token.keys of the file; unset it; "
                        + "nothing was changed"
                ]
            case .tooManyKeys:
                [
                    "token.keys: has the maximum of \(KeyRing.maximumKeys) keys; remove one that "
                        + "no valid token needs, the last first"
                ]
            case .idIsTaken(let id): ["token.keys: key \(id) exists already; choose another --id"]
            case .secretFileIsThere(let path):
                [
                    "\(path): exists already; choose another --id, or remove the file if it is not "
                        + "in use"
                ]
            case .inUse(let path):
                [
                    "\(path): exists: another process is adding a key, or was killed while it did; "
                        + "in that case remove the file"
                ]
            case .changed(let path):
                ["\(path): changed by another process meanwhile; nothing was added, try again"]
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

    /// The folder and the name that the path leads to. A symbolic link is resolved, so that the new
    /// file does not replace the link.
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
            (folder, name, before) = try ServiceFolder.resolving(path)
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

    /// - Returns: the lifetime of a session.
    private func replace(
        _ bytes: [UInt8], _ id: String
    ) throws(Failure) -> TimeAmount {
        // The fixed name also excludes a second process.
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
                    ConfigurationProblem(
                        path: "token.keys", message: "the new key is not the signing key")
                ])
            }
            let now = try? folder.status(of: name)
            guard let now, now.isSameFile(as: before), now.modified == before.modified,
                now.size == before.size
            else { throw .changed(path) }
            do throws(Errno) {
                // The secret file is durable before the configuration names it.
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

    /// Creates a file that has the group of the configuration file, because members of that group
    /// may need to read it. The file is on disk when this returns.
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

    /// The requested ID; otherwise today's date, with a number if that is taken.
    private func newID(_ taken: [String]) throws(Failure) -> String {
        if let wantedID {
            guard !taken.contains(wantedID) else { throw .idIsTaken(wantedID) }
            return wantedID
        }
        let text = now.rfc3339
        let date = String(decoding: (0..<10).map { text[$0] }, as: UTF8.self)
        var id = date
        var number = 2
        // An existing file with that name may contain a key.
        while taken.contains(id) || (try? folder.status(of: Self.secretFile(id))) != nil {
            id = "\(date)-\(number)"
            number += 1
        }
        return id
    }

    private static func secretFile(_ id: String) -> String { "token-\(id).key" }
}

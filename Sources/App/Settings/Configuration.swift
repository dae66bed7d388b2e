import Auth
import Crypto
import Foundation
import Glibc
import HTTP
import JSON
import JWT
import Logging
import POSIX
import Server
import Time

/// Everything an operator decides, checked: whoever holds one can serve with it.
package struct Configuration: Sendable {
    package var server = ServerOptions()
    /// Beside the server's own, the origins whose pages may send state-changing requests.
    package var allowedOrigins = AllowedOrigins.none
    /// `server.workers` and `server.max_connections` were not chosen, and may be made smaller.
    package var workersAreDefault = true
    package var connectionsAreDefault = true
    package var keys: KeyRing
    /// The keys were made for this run, because none were configured.
    package var keysAreTemporary = false
    package var tokenLifetime = TimeAmount.seconds(30 * 60)
    package var sessionLifetime = TimeAmount.seconds(12 * 3600)
    package var policy = TokenPolicy()
    package var refresh = Refresh.Mode.rotate
    package var refreshGrace = Refresh.Grace.any
    package var login = Login()
    package var admin = Admin()
    /// Where what is revoked is kept; nil: in memory alone.
    package var revocationJournal: String?
    package var log: LogOptions
    /// Whether the log is sealed, how often, and with a secret of its own if there is one.
    package var sealsLog = true
    package var sealInterval = TimeAmount.seconds(1)
    package var sealSecret: [UInt8]?
    /// Which verifications that succeed have a line.
    package var verifiedTokens = VerificationLogging.all
    /// What happens to requests whose security events cannot be written.
    package var onLogFailure = LogFailurePolicy.serve
    /// Things an operator should know, that do not keep the server from starting.
    package var warnings: [ConfigurationProblem] = []
    /// The first 16 hexadecimal digits of the SHA-256 of every setting, secrets left out: tells in
    /// the log whether two runs had the same configuration.
    package var digest = ""

    /// The value of every setting by its path, and a digest in place of each secret: what a reload
    /// compares. Never shown.
    var settings: [String: String] = [:]

    package struct Login: Sendable {
        package enum Mode: String, Sendable, CaseIterable { case demo, password }

        package var mode = Mode.demo
        package var usersFile = "users.json"
        /// Of PBKDF2, for new passwords.
        package var iterations = PasswordHash.usualIterations
        package var throttle = LoginThrottle.Options()
    }

    package struct Admin: Sendable {
        /// Of the Unix domain socket; nil: none.
        package var socket: String?
        package var metrics: SocketAddress?
    }

    package enum LogFailurePolicy: String, Sendable, CaseIterable {
        /// Answer all the same.
        case serve
        /// Answer 503 to what cannot be put on record.
        case refuse
    }
}

extension Configuration {
    /// Every problem of a configuration at once.
    package struct Invalid: Error, Sendable {
        package let problems: [ConfigurationProblem]
    }

    /// Reads the file and the environment.
    /// - Parameters:
    ///   - path: of the file; nil for none, which runs the demo.
    ///   - environment: the process's variables; those named `GATEHOUSE_…` count.
    package static func load(
        file path: String?, environment: [String: String]
    ) throws(Invalid) -> Configuration {
        let draft = Draft(file: path, environment: environment)
        guard let configuration = draft.configuration, draft.problems.isEmpty else {
            throw Invalid(problems: draft.problems)
        }
        return configuration
    }

    /// A configuration as far as it can be read, with all that is wrong with it: what `check` goes on
    /// with. A setting that has a problem has its default.
    package struct Draft: Sendable {
        /// Nil if the file is no JSON object.
        package let configuration: Configuration?
        package let problems: [ConfigurationProblem]

        package init(file path: String?, environment: [String: String]) {
            var root: JSONValue?
            var (problems, warnings): ([ConfigurationProblem], [ConfigurationProblem]) = ([], [])
            var faults: Set<PathFault> = []
            if let path {
                do throws(ConfigurationProblem) {
                    let file = try ConfigurationFile(path)
                    problems = file.faults.map {
                        ConfigurationProblem(path: path, message: $0.sentence)
                    }
                    faults = Set(file.faults)
                    warnings = file.warning(path, "configuration")
                    root = try parse(file.bytes, path)
                } catch {
                    self.problems = problems + [error]
                    configuration = nil
                    return
                }
            }
            var reader = ConfigurationReader(
                ConfigurationSource(root, environment: environment), file: path, knownFaults: faults
            )
            var configuration = reader.read()
            self.problems = problems + reader.problems
            configuration.warnings =
                warnings + ServicePlaces(configuration).warnings + configuration.warnings
            self.configuration = configuration
        }
    }

    /// The files that a configuration names, by their settings; none of the files is looked at but the
    /// configuration's own.
    static func places(file path: String?, environment: [String: String]) -> [PathConflicts.Place] {
        var root: JSONValue?
        if let path {
            guard let file = try? ConfigurationFile(path), let value = try? parse(file.bytes, path)
            else { return [] }
            root = value
        }
        var reader = ConfigurationReader(
            ConfigurationSource(root, environment: environment), file: path, readsSecrets: false)
        _ = reader.read()
        return reader.places.all
    }

    static func parse(_ bytes: [UInt8], _ path: String) throws(ConfigurationProblem) -> JSONValue {
        if let encoding = TextEncoding(ofJSON: bytes) {
            throw ConfigurationProblem(path: path, message: encoding.sentence)
        }
        do throws(JSONError) {
            return try JSONValue(parsing: bytes.span)
        } catch {
            let line = bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") } + 1
            throw ConfigurationProblem(path: "\(path):\(line)", message: error.sentence)
        }
    }

    /// A file that others can read is no secret. Of what is no file something else has to be said.
    static func permissionWarning(_ path: String, _ what: String) -> [ConfigurationProblem] {
        guard let status = try? FileStatus(path: path), status.isRegularFile,
            status.isReadableByOthers
        else { return [] }
        return [
            ConfigurationProblem(
                path: path, message: "the \(what) file can be read by others; chmod 600 it")
        ]
    }
}

extension JSONError {
    /// What an operator reads about a broken file.
    var sentence: String {
        switch reason {
        case .unexpectedEnd: "the file ends too early"
        case .unexpectedByte: "not JSON"
        case .trailingBytes: "something follows the object"
        case .duplicateName: "a name that is there twice"
        case .tooDeep: "nested too deeply"
        case .tooManyNames: "too many names in one object"
        case .invalidUTF8: "not UTF-8"
        case .invalidEscape: "a backslash that begins no escape"
        case .loneSurrogate: "half of a surrogate pair"
        case .numberOutOfRange: "a number that is too large"
        case .notAnInteger: "not a whole number"
        case .wrongType: "a value of another type"
        }
    }
}

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

/// Every setting, validated. A server can be started with any value of this type.
package struct Configuration: Sendable {
    package var server = ServerOptions()
    /// `server.cors_origins`: origins besides the server's own whose pages may send state-changing
    /// requests.
    package var allowedOrigins = AllowedOrigins.none
    /// True while `server.workers` and `server.max_connections` have their defaults, which
    /// `StartLimits` may reduce.
    package var workersAreDefault = true
    package var connectionsAreDefault = true
    package var keys: KeyRing
    /// True if no keys were configured, and `keys` contains a random key for this run.
    package var keysAreTemporary = false
    package var tokenLifetime = TimeAmount.seconds(30 * 60)
    package var sessionLifetime = TimeAmount.seconds(12 * 3600)
    package var policy = TokenPolicy()
    package var refresh = Refresh.Mode.rotate
    package var refreshGrace = Refresh.Grace.any
    package var login = Login()
    package var admin = Admin()
    /// Path of the journal of revocations; nil if revocations are in memory alone.
    package var revocationJournal: String?
    package var log: LogOptions
    /// Whether and how often the log is sealed. `sealSecret` is nil if the seal key is derived from
    /// the token keys.
    package var sealsLog = true
    package var sealInterval = TimeAmount.seconds(1)
    package var sealSecret: [UInt8]?
    /// Which successful verifications are logged.
    package var verifiedTokens = VerificationLogging.all
    /// What to answer if a request's security event cannot be written.
    package var onLogFailure = LogFailurePolicy.serve
    /// Findings for the operator that do not prevent a start.
    package var warnings: [ConfigurationProblem] = []
    /// The first 16 hexadecimal digits of the SHA-256 of all settings except secrets. It shows in
    /// the log whether two runs had the same configuration.
    package var digest = ""

    /// The value of every setting by its path, with a digest in place of each secret. A reload
    /// compares it. It must never be displayed.
    var settings: [String: String] = [:]

    package struct Login: Sendable {
        package enum Mode: String, Sendable, CaseIterable { case demo, password }

        package var mode = Mode.demo
        package var usersFile = "users.json"
        /// PBKDF2 iterations for new password hashes.
        package var iterations = PasswordHash.usualIterations
        package var throttle = LoginThrottle.Options()
    }

    package struct Admin: Sendable {
        /// Path of the Unix domain socket; nil for none.
        package var socket: String?
        package var metrics: SocketAddress?
    }

    package enum LogFailurePolicy: String, Sendable, CaseIterable {
        /// Send the response although its event is not in the log.
        case serve
        /// Send 503 in place of a response whose event cannot be written.
        case refuse
    }
}

extension Configuration {
    /// All problems of a configuration.
    package struct Invalid: Error, Sendable {
        package let problems: [ConfigurationProblem]
    }

    /// Reads the file and the environment.
    /// - Parameters:
    ///   - path: path of the file; nil for none, which runs the demo.
    ///   - environment: the process's variables; only those named `GATEHOUSE_…` are used.
    /// - Throws: all problems of the configuration.
    package static func load(
        file path: String?, environment: [String: String]
    ) throws(Invalid) -> Configuration {
        let draft = Draft(file: path, environment: environment)
        guard let configuration = draft.configuration, draft.problems.isEmpty else {
            throw Invalid(problems: draft.problems)
        }
        return configuration
    }

    /// A configuration as far as it could be read, with all its problems; `check` continues with
    /// it. A setting that has a problem has its default.
    package struct Draft: Sendable {
        /// Nil if the file cannot be read or is not valid JSON.
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
                        ConfigurationProblem(path: path, message: $0.message)
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

    /// The files that a configuration names, with the settings that name them. Only the
    /// configuration file itself is read. Empty if it cannot be read.
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

    /// - Throws: the file's path, with the line number of a syntax error, and what is wrong there.
    static func parse(_ bytes: [UInt8], _ path: String) throws(ConfigurationProblem) -> JSONValue {
        if let encoding = TextEncoding(ofJSON: bytes) {
            throw ConfigurationProblem(path: path, message: encoding.message)
        }
        do throws(JSONError) {
            return try JSONValue(parsing: bytes.span)
        } catch {
            let line = bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") } + 1
            throw ConfigurationProblem(path: "\(path):\(line)", message: error.message)
        }
    }

    /// A warning if other accounts can read the file. Empty if it is not a regular file, which is
    /// reported elsewhere.
    /// - Parameter what: the kind of file, as in `the users file`.
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
    /// The message for the operator, without the position.
    var message: String {
        switch reason {
        case .unexpectedEnd: "unexpected end of the file"
        case .unexpectedByte: "invalid JSON"
        case .trailingBytes: "unexpected content after the object"
        case .duplicateName: "duplicate name in an object"
        case .tooDeep: "nested too deeply"
        case .tooManyNames: "too many names in one object"
        case .invalidUTF8: "invalid UTF-8"
        case .invalidEscape: "invalid escape sequence"
        case .loneSurrogate: "unpaired surrogate"
        case .numberOutOfRange: "number out of range"
        case .notAnInteger: "not a whole number"
        case .wrongType: "value of an unexpected type"
        }
    }
}

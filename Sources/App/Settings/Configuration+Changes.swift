import Auth
import Crypto
import HTTP
import JWT
import Revocation
import Server

extension Configuration {
    /// The sorted names of the settings whose values differ in `other`, secrets included.
    func changes(to other: Configuration) -> [String] {
        Set(settings.keys).union(other.settings.keys)
            .filter { settings[$0] != other.settings[$0] }
            .sorted()
    }

    /// Whether the configuration has an entry in `token.keys`.
    var namesKeys: Bool { settings.keys.contains { $0.hasPrefix("token.keys[") } }

    /// Whether a change of the setting takes effect only at the next start: it names a resource
    /// that the running process has open, or it determines how an open log is written.
    static func needsRestart(_ setting: String) -> Bool {
        [
            "server.host", "server.port", "server.workers", "admin.socket", "admin.metrics",
            "log.file.path", "log.audit", "log.audit.path", "log.format",
            "log.durability", "log.seal", "login.mode", "state.revocations",
        ].contains(setting)
    }
}

extension Configuration {
    /// The users who can log in: those of the demo, or those of the users file.
    /// - Throws: every problem of the users file.
    func readUsers() throws(Invalid) -> UserDirectory {
        guard login.mode == .password else { return .demo }
        let file = UsersFile(login.usersFile)
        do throws(UsersFileError) {
            return UserDirectory(try file.read())
        } catch {
            throw Invalid(
                problems: error.messages(login.usersFile).map {
                    ConfigurationProblem(path: "login.users_file", message: $0)
                })
        }
    }

    /// Options of the public listener. Demo mode has no passwords, so only loopback hosts are
    /// accepted there: the Host field distinguishes a local page from DNS rebinding.
    var publicOptions: ServerOptions {
        var options = server
        options.acceptedHosts = login.mode == .demo ? .loopback : .any
        return options
    }

    /// What a start uses to check that the journal of revocations is complete. Temporary keys are
    /// left out: they end with the process, and so do the tokens that their journal would cover.
    func journalGuard(acceptsAnyJournal: Bool = false) -> Revocations.JournalGuard {
        Revocations.JournalGuard(
            keys: keysAreTemporary ? [] : keys.entries.map { Self.stateKey($0.key) },
            acceptsAnyJournal: acceptsAnyJournal, leeway: policy.leeway)
    }

    /// The key that authenticates the journal's state file, derived from a token key.
    static func stateKey(_ key: HMACSHA256.Key) -> HMACSHA256.Key {
        key.derived(label: "gatehouse revocations state v1")
    }

    /// Warnings about user names that are easily confused, although a login distinguishes them.
    static func likenessWarnings(_ users: UserDirectory) -> [ConfigurationProblem] {
        // The first user of each folded name.
        var first: [String: User] = [:]
        var warnings: [ConfigurationProblem] = []
        for user in users.all {
            let folded = Username.folded(user.username)
            guard let other = first[folded] else {
                first[folded] = user
                continue
            }
            // 20 warnings show the pattern; a large users file must not flood the log.
            guard warnings.count < 20 else { break }
            warnings.append(
                ConfigurationProblem(
                    path: "login.users_file",
                    message: "the user names of ids \(other.id.rawValue) and \(user.id.rawValue), "
                        + "\(VisibleText.of(other.username)) and \(VisibleText.of(user.username)), "
                        + "differ only in case, width or invisible characters; rename one"))
        }
        return warnings
    }

    /// Options of the administration listener; nil if `admin.socket` is null.
    var adminOptions: ServerOptions? {
        admin.socket.map { Self.internalListener(.unix(path: $0)) }
    }

    /// Options of the metrics listener; nil if `admin.metrics` is null.
    var metricsOptions: ServerOptions? {
        admin.metrics.map { address in
            var options = Self.internalListener(address)
            options.acceptedHosts = .loopback(and: [address.urlHost])
            return options
        }
    }

    /// Options of a listener with few clients.
    private static func internalListener(_ address: SocketAddress) -> ServerOptions {
        var options = ServerOptions()
        options.address = address
        options.maximumConnections = 100
        options.excessConnections = 32
        // Operators and a metrics collector send one request at a time.
        options.cpuBoundWork.maximumConcurrent = 1
        options.ioBoundWork.maximumConcurrent = 4
        return options
    }
}

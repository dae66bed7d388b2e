import Auth
import Crypto
import HTTP
import JWT
import Revocation
import Server

extension Configuration {
    /// The settings whose values are others there, by name, sorted; secrets too.
    func changes(to other: Configuration) -> [String] {
        Set(settings.keys).union(other.settings.keys)
            .filter { settings[$0] != other.settings[$0] }
            .sorted()
    }

    /// Whether it has any keys of its own.
    var namesKeys: Bool { settings.keys.contains { $0.hasPrefix("token.keys[") } }

    /// Settings that a running process cannot change: they name what it has open, or say how a log is
    /// written that is open.
    static func needsRestart(_ setting: String) -> Bool {
        [
            "server.host", "server.port", "server.workers", "admin.socket", "admin.metrics",
            "log.file.path", "log.audit", "log.audit.path", "log.format",
            "log.durability", "log.seal", "login.mode", "state.revocations",
        ].contains(setting)
    }
}

extension Configuration {
    /// The users who can have tokens: the demo's, or those of the users file.
    func readUsers() throws(Invalid) -> UserDirectory {
        guard login.mode == .password else { return .demo }
        let file = UsersFile(login.usersFile)
        do throws(UsersFileError) {
            return UserDirectory(try file.read())
        } catch {
            throw Invalid(
                problems: error.sentences(login.usersFile).map {
                    ConfigurationProblem(path: "login.users_file", message: $0)
                })
        }
    }

    /// Of the public listener. In demo mode there are no passwords, and the host is what tells a
    /// page of this machine from one of elsewhere.
    var publicOptions: ServerOptions {
        var options = server
        options.acceptedHosts = login.mode == .demo ? .loopback : .any
        return options
    }

    /// What the journal of revocations is held against at a start. Temporary keys end with their process,
    /// and so do the tokens that such a journal is about.
    func journalGuard(acceptsAnyJournal: Bool = false) -> Revocations.JournalGuard {
        Revocations.JournalGuard(
            keys: keysAreTemporary ? [] : keys.entries.map { Self.stateKey($0.key) },
            acceptsAnyJournal: acceptsAnyJournal, leeway: policy.leeway)
    }

    /// The key of the journal's state, from a key that signs tokens.
    static func stateKey(_ key: HMACSHA256.Key) -> HMACSHA256.Key {
        key.derived(label: "gatehouse revocations state v1")
    }

    /// User names that people take for each other: to log in they are different names.
    static func likenessWarnings(_ users: UserDirectory) -> [ConfigurationProblem] {
        var first: [String: User] = [:]
        var warnings: [ConfigurationProblem] = []
        for user in users.all {
            let folded = Username.folded(user.username)
            guard let other = first[folded] else {
                first[folded] = user
                continue
            }
            // Enough to see what is going on.
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

    /// Of the administrator's listener; nil for none.
    var adminOptions: ServerOptions? {
        admin.socket.map { Self.internalListener(.unix(path: $0)) }
    }

    /// Of the listener for metrics; nil for none.
    var metricsOptions: ServerOptions? {
        admin.metrics.map { address in
            var options = Self.internalListener(address)
            options.acceptedHosts = .loopback(and: [address.urlHost])
            return options
        }
    }

    /// A listener for a handful of clients.
    private static func internalListener(_ address: SocketAddress) -> ServerOptions {
        var options = ServerOptions()
        options.address = address
        options.maximumConnections = 100
        options.excessConnections = 32
        // Operators and a collector of metrics ask one after the other.
        options.cpuBoundWork.maximumConcurrent = 1
        options.ioBoundWork.maximumConcurrent = 4
        return options
    }
}

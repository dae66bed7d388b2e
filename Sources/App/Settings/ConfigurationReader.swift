import Auth
import Crypto
import Foundation
import HTTP
import JSON
import JWT
import Logging
import POSIX
import Server
import Time

/// Reads a configuration from its source, with one function for each section. The keys, their
/// defaults and their ranges are declared here and nowhere else.
struct ConfigurationReader {
    private var settings: ConfigurationSource
    /// The folder of the configuration file: relative paths are relative to it. Empty for the
    /// working directory.
    private let folder: String
    /// Whether there is a configuration file.
    private let isFromFile: Bool
    private let readsSecrets: Bool
    private(set) var places = PathConflicts()
    /// Faults of files and folders that are among the problems already.
    private var knownFaults: Set<PathFault>
    private var warnings: [ConfigurationProblem] = []
    /// The value of every setting except secrets, by its path.
    private var record: [String: String] = [:]
    /// The SHA-256 of each secret in hexadecimal digits, by the path of its setting: a reload
    /// detects a change by it.
    private var secretDigests: [String: String] = [:]

    /// - Parameters:
    ///   - file: path of the configuration file; nil if there is none.
    ///   - readsSecrets: whether files with secrets are read; if false, random keys take their
    ///     place without a problem.
    ///   - knownFaults: faults of the configuration file, which are reported already.
    init(
        _ settings: ConfigurationSource, file: String?, readsSecrets: Bool = true,
        knownFaults: Set<PathFault> = []
    ) {
        self.settings = settings
        self.readsSecrets = readsSecrets
        self.knownFaults = knownFaults
        isFromFile = file != nil
        folder = file.flatMap { $0.contains("/") ? LogFileNames.folder(of: $0) : nil } ?? ""
        if let file { places.add("the configuration file", file, isWritten: false) }
    }

    var problems: [ConfigurationProblem] { settings.problems }

    /// Reads every setting. A setting that has a problem gets its default, and unreadable keys are
    /// replaced by random ones.
    mutating func read() -> Configuration {
        let server = readServer()
        let origins = readOrigins()
        let (keys, keysAreTemporary) = readKeys()
        let (lifetime, session) = readLifetimes()
        let policy = readPolicy()
        let refresh = choice("token.refresh", Refresh.Mode.rotate)
        let refreshGrace = choice("token.refresh_grace", Refresh.Grace.any)
        let login = readLogin(server)
        let admin = readAdmin()
        var log = readLog()
        log.tokensNeedNoPassword = login.mode == .demo
        let journal = readJournal(log, keysAreTemporary: keysAreTemporary)
        let onFailure = choice("log.on_failure", Configuration.LogFailurePolicy.serve)
        let seal = readSeal()
        let verified = choice("log.authn_token_verified", VerificationLogging.all)
        for problem in places.problems(
            logs: [log.path, log.audit?.path].compactMap(\.self), journal: journal)
        {
            settings.add(problem.path, problem.message)
        }
        settings.checkUnknown()
        var configuration = Configuration(keys: keys, log: log)
        configuration.server = server
        configuration.allowedOrigins = origins
        configuration.keysAreTemporary = keysAreTemporary
        configuration.tokenLifetime = lifetime
        configuration.sessionLifetime = session
        configuration.workersAreDefault = (record["server.workers"] == "0")
        configuration.connectionsAreDefault = (settings.raw("server.max_connections") == nil)
        configuration.policy = policy
        configuration.refresh = refresh
        configuration.refreshGrace = refreshGrace
        configuration.login = login
        configuration.admin = admin
        configuration.revocationJournal = journal
        configuration.onLogFailure = onFailure
        configuration.sealsLog = seal.isOn
        configuration.sealInterval = seal.interval
        configuration.sealSecret = seal.secret
        configuration.verifiedTokens = verified
        configuration.warnings = warnings
        configuration.settings = record.merging(secretDigests) { value, _ in value }
        let text = Array(
            record.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: "\n").utf8)
        configuration.digest = String(
            hexadecimal(SHA256.digest(of: text.span).span).prefix(16))
        return configuration
    }

    // MARK: Sections

    private mutating func readServer() -> ServerOptions {
        var options = ServerOptions()
        let host = string("server.host", "127.0.0.1")
        let port = integer("server.port", 8080, 0...65_535)
        if let address = SocketAddress(host, port: UInt16(port)) {
            options.address = address
        } else {
            settings.add("server.host", "\"\(host)\" is not an IP address; write 127.0.0.1 or ::1")
        }
        let workers = integer("server.workers", 0, 0...256)
        let processors = max(
            1,
            min(
                ProcessInfo.processInfo.activeProcessorCount,
                ResourceLimits.processorQuota ?? .max))
        options.workers = workers > 0 ? workers : processors
        options.cpuBoundWork.maximumConcurrent = max(1, processors - 1)
        options.maximumConnections = integer("server.max_connections", 10_000, 1...1_000_000)
        options.limits = Conversation.Limits(
            head: size("server.max_header", 16 << 10, 1 << 10...1 << 20),
            body: size("server.max_body", 64 << 10, 1 << 10...16 << 20))
        let timeouts = TimeAmount(milliseconds: 100)...TimeAmount.seconds(3600)
        options.headTimeout = duration("server.header_timeout", .seconds(10), timeouts)
        options.bodyTimeout = duration("server.body_timeout", .seconds(20), timeouts)
        options.idleTimeout = duration("server.idle_timeout", .seconds(75), timeouts)
        options.writeTimeout = duration("server.write_timeout", .seconds(20), timeouts)
        options.drainTimeout = duration("server.drain_timeout", .seconds(10), timeouts)
        options.trustedProxies = readTrustedProxies()
        options.expectsProxyHeader = readProxyProtocol(options.trustedProxies)
        return options
    }

    /// Without `trusted_proxies` the setting would have no effect, and the operator would not
    /// notice. So that is a problem, unless the list has problems of its own.
    private mutating func readProxyProtocol(_ proxies: TrustedProxies) -> Bool {
        let path = "server.proxy_protocol"
        let isOn = settings.boolean(path, default: false)
        record[path] = "\(isOn)"
        let listHasProblems = settings.problems.contains {
            $0.path.hasPrefix("server.trusted_proxies")
        }
        if isOn, proxies.isEmpty, !listHasProblems {
            settings.add(
                path, "has no effect without trusted proxies; list them in server.trusted_proxies")
        }
        return isOn
    }

    private mutating func readTrustedProxies() -> TrustedProxies {
        let path = "server.trusted_proxies"
        guard let texts = strings(path) else { return .none }
        do throws(TrustedProxies.Problems) {
            return try TrustedProxies(parsing: texts)
        } catch {
            for problem in error.all {
                settings.add("\(path)[\(problem.index)]", problem.sentence)
            }
            return .none
        }
    }

    private mutating func readOrigins() -> AllowedOrigins {
        let path = "server.cors_origins"
        guard let texts = strings(path) else { return .none }
        do throws(AllowedOrigins.Problems) {
            return try AllowedOrigins(parsing: texts)
        } catch {
            for problem in error.all {
                settings.add("\(path)[\(problem.index)]", problem.sentence)
            }
            return .none
        }
    }

    private mutating func readLifetimes() -> (TimeAmount, TimeAmount) {
        let day = TimeAmount.seconds(86_400)
        let lifetime = duration("token.ttl", .seconds(1800), .seconds(1)...day)
        let session = duration(
            "token.session", .seconds(43_200),
            .seconds(1)...TimeAmount(milliseconds: day.milliseconds * 365))
        if session < lifetime {
            settings.add("token.session", "is shorter than token.ttl; write at least token.ttl")
        }
        return (lifetime, session)
    }

    private mutating func readPolicy() -> TokenPolicy {
        var policy = TokenPolicy()
        policy.issuer = optionalString("token.issuer")
        policy.audience = optionalString("token.audience")
        policy.leeway = duration(
            "token.leeway", .seconds(5), TimeAmount(milliseconds: 0)...TokenPolicy.maximumLeeway)
        policy.requiresSession = settings.boolean("token.require_session", default: false)
        record["token.require_session"] = "\(policy.requiresSession)"
        for (path, value) in [("issuer", policy.issuer), ("audience", policy.audience)]
        where value == "" {
            settings.add("token.\(path)", "cannot be empty; write null for none")
        }
        return policy
    }

    /// The configuration file of a packaged server. It is read only if `--config` names it.
    private static let usualFile = "/etc/gatehouse/config.json"

    private mutating func readLogin(_ server: ServerOptions) -> Configuration.Login {
        var login = Configuration.Login()
        // Without a configuration file there are no users with passwords.
        login.mode = choice("login.mode", isFromFile ? .password : .demo)
        if login.mode == .demo {
            let isUnused = !isFromFile && (try? FileStatus(path: Self.usualFile)) != nil
            warnings.append(
                ConfigurationProblem(
                    path: "login.mode",
                    message: "demo: anyone who can connect can log in as anyone"
                        + (isUnused
                            ? "; \(Self.usualFile) is read only if --config names it" : "")))
            if !server.address.isForDemo {
                settings.add("server.host", "demo mode listens on 127.0.0.1 or ::1 only")
            }
        }
        let file = string("login.users_file", "users.json")
        if let file = filePath("login.users_file", file) {
            login.usersFile = file
            if login.mode == .password || settings.raw("login.users_file") != nil {
                places.add("login.users_file", login.usersFile)
            }
        }
        login.iterations = integer(
            "login.iterations", PasswordHash.usualIterations, PasswordHash.iterationRange)
        login.throttle.maximumAttempts = integer("login.max_attempts", 5, 0...1000)
        login.throttle.window = duration(
            "login.window", .seconds(300), .seconds(1)...(.seconds(86_400)))
        login.throttle.lockout = duration(
            "login.lockout", .seconds(900), .seconds(1)...(.seconds(86_400)))
        return login
    }

    private mutating func readAdmin() -> Configuration.Admin {
        var admin = Configuration.Admin()
        if let socket = optionalString("admin.socket") {
            if socket.isEmpty {
                settings.add("admin.socket", "cannot be empty; write null for none")
            } else if let socket = filePath("admin.socket", socket) {
                admin.socket = socket
                places.add("admin.socket", socket)
            }
        }
        if let text = optionalString("admin.metrics") {
            if let address = SocketAddress(hostAndPort: text) {
                admin.metrics = address
                if !address.isLoopback {
                    settings.add(
                        "admin.metrics",
                        "\"\(text)\" is not a loopback address; metrics have no password, write "
                            + "127.0.0.1:9090")
                }
            } else {
                settings.add(
                    "admin.metrics",
                    "\"\(text)\" is not an address and a port; write 127.0.0.1:9090")
            }
        }
        return admin
    }

    /// The path of the journal of revocations. The default is in the log's folder, unless the log
    /// is a device. With temporary keys the default is none: no token outlives the process.
    private mutating func readJournal(_ log: LogOptions, keysAreTemporary: Bool) -> String? {
        let isConfigured = settings.raw("state.revocations") != nil
        let isBeside = !isConfigured && PathConflicts.canBeLog(log.path)
        let name = string(
            "state.revocations",
            isBeside ? Self.journalName(forLog: log.path) : "logs/revocations.journal")
        if keysAreTemporary, !isConfigured { return nil }
        guard let path = filePath("state.revocations", name) else { return nil }
        let journal = isBeside ? name : path
        places.add("state.revocations", journal)
        return journal
    }

    /// The default path of the journal: `revocations.journal` in the folder of `app.log`. If the
    /// log has another name, the journal's name begins with that name, so that two servers whose
    /// logs are in one folder do not share a journal.
    private static func journalName(forLog path: String) -> String {
        let base = LogFileNames.base(of: path)
        let stem = base.hasSuffix(".log") ? base.dropLast(4) : base[...]
        let name = stem == "app" ? "revocations.journal" : "\(stem).revocations.journal"
        return path.contains("/") ? "\(LogFileNames.folder(of: path))/\(name)" : name
    }

    private mutating func readLog() -> LogOptions {
        let file = string("log.file.path", "logs/app.log")
        let named = filePath("log.file.path", file)
        var options = LogOptions(path: named ?? path("logs/app.log"))
        if named != nil { places.add("log.file.path", options.path) }
        options.level = level("log.level", .info)
        // Before the areas: an area's own variable overrides this one.
        settings.takeObject("log.areas")
        for area in Area.allCases {
            let path = "log.areas.\(area.name)"
            if settings.raw(path) != nil { options.areas[area] = level(path, options.level) }
        }
        options.fileLevel = optionalLevel("log.file.level")
        options.standardErrorLevel = optionalLevel("log.stderr.level")
        options.maximumSize = size("log.file.max_size", 10 << 20, 4 << 10...1 << 40)
        options.maximumFiles = integer("log.file.keep", 30, 0...100_000)
        let day = TimeAmount.seconds(86_400)
        options.maximumAge = duration(
            "log.file.keep_age", TimeAmount(milliseconds: day.milliseconds * 90),
            .seconds(60)...TimeAmount(milliseconds: day.milliseconds * 36_500))
        options.maximumTotalSize = size("log.file.keep_size", 1 << 30, 4 << 10...1 << 50)
        options.rotatesDaily = choice("log.file.rotate", RotationTime.daily) == .daily
        options.format = choice("log.format", LogFormat.text)
        options.durability = choice("log.durability", LogOptions.Durability.written)
        options.audit = readAudit(
            forLog: options.path,
            isNamed: settings.raw("log.file.path") != nil && PathConflicts.canBeLog(options.path))
        warnings += LevelCheck.warnings(options)
        return options
    }

    /// The audit log; nil if it is switched off. Its keys are read in that case too: they are
    /// known keys, and their values are checked.
    private mutating func readAudit(forLog log: String, isNamed: Bool) -> LogOptions.Audit? {
        let isOn = !settings.isNull("log.audit")
        record["log.audit"] = isOn ? "on" : "null"
        let isConfigured = settings.raw("log.audit.path") != nil
        let name = string(
            "log.audit.path", isNamed ? Self.auditName(forLog: log) : "logs/audit.log")
        let named = filePath("log.audit.path", name)
        var audit = LogOptions.Audit(path: isConfigured || !isNamed ? named ?? name : name)
        audit.level = optionalLevel("log.audit.level")
        audit.maximumSize = size("log.audit.max_size", audit.maximumSize, 4 << 10...1 << 40)
        audit.maximumFiles = integer("log.audit.keep", audit.maximumFiles, 0...100_000)
        let day = TimeAmount.seconds(86_400)
        audit.maximumAge = duration(
            "log.audit.keep_age", TimeAmount(milliseconds: day.milliseconds * 365),
            .seconds(60)...TimeAmount(milliseconds: day.milliseconds * 36_500))
        audit.maximumTotalSize = size("log.audit.keep_size", 1 << 30, 4 << 10...1 << 50)
        guard isOn, named != nil else { return nil }
        places.add("log.audit.path", audit.path)
        return audit
    }

    /// The default path of the audit log: `audit.log` in the folder of `app.log`. If the log has
    /// another name, the name begins with that name, so that two servers whose logs are in one
    /// folder do not share it.
    private static func auditName(forLog path: String) -> String {
        let base = LogFileNames.base(of: path)
        let stem = base.hasSuffix(".log") ? base.dropLast(4) : base[...]
        let name = stem == "app" ? "audit.log" : "\(stem).audit.log"
        return path.contains("/") ? "\(LogFileNames.folder(of: path))/\(name)" : name
    }

    private mutating func readSeal() -> (isOn: Bool, interval: TimeAmount, secret: [UInt8]?) {
        let isOn = settings.boolean("log.seal", default: true)
        record["log.seal"] = "\(isOn)"
        let interval = duration(
            "log.seal_interval", .seconds(1), TimeAmount(milliseconds: 100)...(.seconds(3600)))
        let secret = settings.optionalString("log.seal_secret")
        let file = settings.optionalString("log.seal_secret_file")
        guard secret != nil || file != nil else { return (isOn, interval, nil) }
        var texts: [String: String] = [:]
        texts["secret"] = secret
        texts["secret_file"] = file
        let bytes = readSecret(texts, "log", prefix: "seal_")
        if let bytes, bytes.count < KeyRing.minimumSecretLength {
            settings.add(
                "log.seal_secret",
                "has \(bytes.count) bytes; at least \(KeyRing.minimumSecretLength) are required: "
                    + "make one with `gatehouse secret`")
        }
        return (isOn, interval, bytes)
    }

    /// A setting whose value is one of a few strings.
    private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ path: String, _ value: Choice
    ) -> Choice {
        let text = string(path, value.rawValue)
        if let choice = Choice(rawValue: text) { return choice }
        let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        settings.add(path, "\"\(text)\" is not one of \(choices)")
        return value
    }

    // MARK: Keys

    private mutating func readKeys() -> (KeyRing, isTemporary: Bool) {
        guard let list = settings.list("token.keys") else {
            warnings.append(
                ConfigurationProblem(
                    path: "token.keys",
                    message: "none configured: this run uses a random key, and a restart "
                        + "invalidates its tokens"))
            return (Self.randomKeys(), true)
        }
        guard (1...KeyRing.maximumKeys).contains(list.count) else {
            settings.add(
                "token.keys",
                "has \(list.count) keys; write 1 to \(KeyRing.maximumKeys), or leave it out for a "
                    + "random key")
            return (Self.randomKeys(), false)
        }
        let entries = list.enumerated().compactMap { index, value in
            readKey(value, "token.keys[\(index)]")
        }
        // For each missing entry a problem has been added.
        guard entries.count == list.count, addRepeatedIDs(entries), let ring = KeyRing(entries)
        else { return (Self.randomKeys(), false) }
        return (ring, false)
    }

    private static func randomKeys() -> KeyRing {
        let secret = RandomBytes.array(count: 32)
        // Neither is nil: the id is valid, the secret is long enough, and there is one key.
        return KeyRing.Entry(id: "demo", secret: secret.span).flatMap { KeyRing([$0]) }!
    }

    /// Adds a problem for each id that occurs a second time.
    /// - Returns: whether all ids are different.
    private mutating func addRepeatedIDs(_ entries: [KeyRing.Entry]) -> Bool {
        var first: [String: Int] = [:]
        var isRepeated = false
        for (index, entry) in entries.enumerated() {
            guard let other = first[entry.id] else {
                first[entry.id] = index
                continue
            }
            isRepeated = true
            settings.add(
                "token.keys[\(index)].id",
                "\"\(entry.id)\" is also the id of token.keys[\(other)]; give each key its own id")
        }
        return !isRepeated
    }

    /// The members of an element of `token.keys`.
    private static let keyNames: Set = ["id", "secret", "secret_file"]

    private mutating func readKey(_ value: JSONValue, _ path: String) -> KeyRing.Entry? {
        guard case .object(let members) = value else {
            settings.add(path, "\(value.kindName) is not an object with id and secret_file")
            return nil
        }
        var texts: [String: String] = [:]
        var areStrings = true
        for member in members {
            guard Self.keyNames.contains(member.name) else {
                let nearest = Spelling.nearest(to: member.name, in: Self.keyNames)
                settings.addUnknown("\(path).\(member.name)", nearest.map { "\(path).\($0)" })
                continue
            }
            guard case .string(let text) = member.value else {
                settings.add("\(path).\(member.name)", "\(member.value.kindName) is not a string")
                areStrings = false
                continue
            }
            texts[member.name] = text
        }
        // A member that is not a string is reported already, and is not reported as missing too.
        guard areStrings, let secret = readSecret(texts, path) else { return nil }
        guard let id = texts["id"] else {
            settings.add("\(path).id", "is missing; write a name such as \"2026-11\"")
            return nil
        }
        record["\(path).id"] = id
        guard secret.count >= KeyRing.minimumSecretLength else {
            settings.add(
                path,
                "the secret has \(secret.count) bytes; HS256 requires at least "
                    + "\(KeyRing.minimumSecretLength): make one with `gatehouse secret`")
            return nil
        }
        guard let entry = KeyRing.Entry(id: id, secret: secret.span) else {
            settings.add(
                "\(path).id", "\"\(id)\" is not a key id; write 1 to 64 of A-Z a-z 0-9 . _ -")
            return nil
        }
        return entry
    }

    /// The secret itself, or the content of its file without the line end; nil after adding a
    /// problem. It must never be displayed.
    /// - Parameters:
    ///   - texts: the values of `secret` and `secret_file`.
    ///   - path: the path of the object that contains the two settings.
    ///   - prefix: the beginning of the two settings' names.
    private mutating func readSecret(
        _ texts: [String: String], _ path: String, prefix: String = ""
    ) -> [UInt8]? {
        // With a prefix the object has other settings too, so the problem names the secret.
        let place = prefix.isEmpty ? path : "\(path).\(prefix)secret"
        let bytes: [UInt8]
        switch (texts["secret"], texts["secret_file"]) {
        case (let secret?, nil): bytes = Array(secret.utf8)
        case (nil, let file?):
            let setting = "\(path).\(prefix)secret_file"
            guard let file = filePath(setting, file) else { return nil }
            places.add(setting, file, isSecret: true, isWritten: false)
            guard readsSecrets else { return nil }
            do throws(ConfigurationProblem) {
                let content = try ConfigurationFile(file)
                for fault in content.faults where knownFaults.insert(fault).inserted {
                    settings.add(setting, fault.message)
                }
                warnings += content.warning(file, "key")
                bytes = try content.secret(file)
            } catch {
                // The value is not shown: it may be the secret itself.
                settings.add(setting, error.message)
                return nil
            }
        default:
            settings.add(place, "needs either \(prefix)secret or \(prefix)secret_file")
            return nil
        }
        if let problem = SecretStrength.problem(bytes) {
            settings.add(place, problem)
            return nil
        }
        secretDigests[place] = Self.digest(of: bytes)
        return bytes
    }

    private static func digest(of secret: [UInt8]) -> String {
        hexadecimal(SHA256.digest(of: secret.span).span)
    }

    // MARK: Values, which are also recorded

    private mutating func string(_ path: String, _ value: String) -> String {
        let value = settings.string(path, default: value)
        record[path] = "\(value)"
        return value
    }

    /// A list of strings, empty if there is none; nil if an element is not a string.
    private mutating func strings(_ path: String) -> [String]? {
        let list = settings.list(path) ?? []
        record[path] = list.map { "\($0)" }.joined(separator: ",")
        var texts: [String] = []
        for (index, element) in list.enumerated() {
            guard case .string(let text) = element else {
                settings.add(
                    "\(path)[\(index)]", "\(ConfigurationSource.shown(element)) is not a string")
                continue
            }
            texts.append(text)
        }
        return texts.count == list.count ? texts : nil
    }

    private mutating func optionalString(_ path: String) -> String? {
        let value = settings.optionalString(path)
        record[path] = value ?? "null"
        return value
    }

    private mutating func integer(
        _ path: String, _ value: Int, _ range: ClosedRange<Int>
    ) -> Int {
        let value = settings.integer(path, default: value, in: range)
        record[path] = "\(value)"
        return value
    }

    private mutating func level(_ path: String, _ value: Level) -> Level {
        let value = settings.parsed(
            path, default: value, kind: "a level",
            example: "DEBUG, INFO, WARNING, ERROR or CRITICAL",
            Level.init(name:))
        record[path] = "\(value.name)"
        return value
    }

    /// Nil if the setting is absent.
    private mutating func optionalLevel(_ path: String) -> Level? {
        settings.raw(path) == nil ? nil : level(path, .info)
    }

    private mutating func duration(
        _ path: String, _ value: TimeAmount, _ range: ClosedRange<TimeAmount>
    ) -> TimeAmount {
        let parsed = settings.parsed(
            path, default: value, kind: "a duration", example: DurationAndSize.text(value),
            DurationAndSize.duration)
        record[path] = "\(DurationAndSize.text(parsed))"
        guard range.contains(parsed) else {
            settings.add(
                path,
                "\(DurationAndSize.text(parsed)) is out of range; allowed: "
                    + "\(DurationAndSize.text(range.lowerBound)) "
                    + "to \(DurationAndSize.text(range.upperBound))")
            return value
        }
        return parsed
    }

    private mutating func size(_ path: String, _ value: Int, _ range: ClosedRange<Int>) -> Int {
        let parsed = settings.parsed(
            path, default: value, kind: "a size", example: DurationAndSize.text(size: value),
            DurationAndSize.size)
        record[path] = "\(parsed)"
        guard range.contains(parsed) else {
            settings.add(
                path,
                "\(DurationAndSize.text(size: parsed)) is out of range; allowed: "
                    + "\(DurationAndSize.text(size: range.lowerBound)) to "
                    + DurationAndSize.text(size: range.upperBound))
            return value
        }
        return parsed
    }

    /// The path of the file that a setting names; nil, after adding a problem, if the text cannot
    /// be the path of a file.
    private mutating func filePath(_ setting: String, _ text: String) -> String? {
        let name = LogFileNames.base(of: text)
        if text.isEmpty {
            settings.add(setting, "cannot be empty")
        } else if text.utf8.contains(0) {
            settings.add(setting, "contains a zero byte, which is not valid in a path")
        } else if name.isEmpty || name == "." || name == ".." {
            // Not shown: it may be a secret in the wrong place.
            settings.add(setting, "names a folder; write the path of a file")
        } else {
            return path(text)
        }
        return nil
    }

    private func path(_ path: String) -> String {
        path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)"
    }
}

/// `log.file.rotate`: whether a new day starts a new file. The size limit always does.
private enum RotationTime: String, CaseIterable { case daily, never }

import App
import Auth
import Crypto
import Foundation
import HTTP
import JWT
import Logging
import Server
import TestSupport
import Testing
import Time

private let secret = "0123456789abcdef0123456789ABCDEF"

/// Every key with a value other than its default, and a check that the configuration has that
/// value.
private let settings: [(path: String, value: String, shows: @Sendable (Configuration) -> Bool)] = [
    ("server.host", "\"::1\"", { $0.server.address.urlHost == "[::1]" }),
    ("server.port", "0", { $0.server.address.port == 0 }),
    ("server.workers", "7", { $0.server.workers == 7 }),
    ("server.max_connections", "11", { $0.server.maximumConnections == 11 }),
    ("server.max_header", "\"2KiB\"", { $0.server.limits.head == 2048 }),
    ("server.max_body", "\"1MiB\"", { $0.server.limits.body == 1 << 20 }),
    ("server.header_timeout", "\"1s\"", { $0.server.headTimeout == .seconds(1) }),
    ("server.body_timeout", "\"2m\"", { $0.server.bodyTimeout == .seconds(120) }),
    ("server.idle_timeout", "\"1h\"", { $0.server.idleTimeout == .seconds(3600) }),
    (
        "server.write_timeout", "\"100ms\"",
        { $0.server.writeTimeout == TimeAmount(milliseconds: 100) }
    ),
    ("server.drain_timeout", "\"3s\"", { $0.server.drainTimeout == .seconds(3) }),
    (
        "token.keys", "[{\"id\":\"new\",\"secret\":\"\(secret)\"}]",
        { $0.keys.signing.id == "new" && !$0.keysAreTemporary }
    ),
    ("token.ttl", "\"5m\"", { $0.tokenLifetime == .seconds(300) }),
    ("token.session", "\"7d\"", { $0.sessionLifetime == .seconds(7 * 86_400) }),
    ("token.leeway", "\"0s\"", { $0.policy.leeway == TimeAmount(milliseconds: 0) }),
    ("token.issuer", "\"me\"", { $0.policy.issuer == "me" }),
    ("token.audience", "\"you\"", { $0.policy.audience == "you" }),
    ("token.require_session", "true", { $0.policy.requiresSession }),
    ("log.level", "\"debug\"", { $0.log.level == .debug }),
    ("log.areas.http", "\"WARN\"", { $0.log.areas == [.http: .warning] }),
    ("log.areas.security", "\"CRITICAL\"", { $0.log.areas == [.security: .critical] }),
    ("log.file.path", "\"/tmp/x.log\"", { $0.log.path == "/tmp/x.log" }),
    ("log.file.level", "\"ERROR\"", { $0.log.fileLevel == .error }),
    ("log.file.max_size", "\"1GiB\"", { $0.log.maximumSize == 1 << 30 }),
    ("log.file.keep", "3", { $0.log.maximumFiles == 3 }),
    ("log.file.rotate", "\"never\"", { !$0.log.rotatesDaily }),
    ("log.file.keep_age", "\"7d\"", { $0.log.maximumAge == .seconds(7 * 86_400) }),
    ("log.file.keep_size", "\"100MiB\"", { $0.log.maximumTotalSize == 100 << 20 }),
    ("log.audit.path", "\"/tmp/a.log\"", { $0.log.audit?.path == "/tmp/a.log" }),
    ("log.audit.level", "\"ERROR\"", { $0.log.audit?.level == .error }),
    ("log.audit.max_size", "\"1GiB\"", { $0.log.audit?.maximumSize == 1 << 30 }),
    ("log.audit.keep", "3", { $0.log.audit?.maximumFiles == 3 }),
    ("log.audit.keep_age", "\"7d\"", { $0.log.audit?.maximumAge == .seconds(7 * 86_400) }),
    ("log.audit.keep_size", "\"100MiB\"", { $0.log.audit?.maximumTotalSize == 100 << 20 }),
    ("log.format", "\"logfmt\"", { $0.log.format == .logfmt }),
    ("log.durability", "\"synced\"", { $0.log.durability == .synced }),
    ("log.seal", "false", { !$0.sealsLog }),
    ("log.seal_interval", "\"100ms\"", { $0.sealInterval == TimeAmount(milliseconds: 100) }),
    ("log.authn_token_verified", "\"sample\"", { $0.verifiedTokens == .sample }),
    ("log.stderr.level", "\"CRITICAL\"", { $0.log.standardErrorLevel == .critical }),
    ("log.on_failure", "\"refuse\"", { $0.onLogFailure == .refuse }),
    ("token.refresh", "\"extend\"", { $0.refresh == .extend }),
    ("login.users_file", "\"/tmp/u.json\"", { $0.login.usersFile == "/tmp/u.json" }),
    ("login.iterations", "1000", { $0.login.iterations == 1000 }),
    ("login.max_attempts", "0", { $0.login.throttle.maximumAttempts == 0 }),
    ("login.window", "\"1h\"", { $0.login.throttle.window == .seconds(3600) }),
    ("login.lockout", "\"1s\"", { $0.login.throttle.lockout == .seconds(1) }),
    ("admin.socket", "\"/tmp/a.sock\"", { $0.admin.socket == "/tmp/a.sock" }),
    ("admin.metrics", "\"[::1]:9\"", { $0.admin.metrics?.text == "[::1]:9" }),
    ("state.revocations", "\"/tmp/r.journal\"", { $0.revocationJournal == "/tmp/r.journal" }),
    (
        "server.trusted_proxies", "[\"10.0.0.0/8\",\"::1\"]",
        { !$0.server.trustedProxies.isEmpty }
    ),
    ("server.cors_origins", "[\"https://a.example\"]", { $0.allowedOrigins != .none }),
]

/// `{"log":{"level":…}}` for `log.level`.
private func document(_ path: String, _ value: String) -> String {
    path.split(separator: ".").reversed().reduce(value) { "{\"\($1)\":\($0)}" }
}

private func variable(_ path: String) -> String {
    "GATEHOUSE_" + path.uppercased().replacing(".", with: "_")
}

/// A JSON value as the text of an environment variable: strings have no quotation marks.
private func plain(_ value: String) -> String {
    value.hasPrefix("\"") ? String(value.dropFirst().dropLast()) : value
}

struct ConfigurationTests {
    private let folder = try! TemporaryFolder()

    private func load(
        _ content: String, _ environment: [String: String] = [:]
    ) throws -> Configuration {
        try .load(file: folder.file("c.json", content), environment: environment)
    }

    @Test func `without a file the configuration is that of the demo`() throws {
        let demo = try Configuration.load(file: nil, environment: [:])
        #expect(demo.server.address == .loopback(port: 8080))
        #expect(demo.server.workers >= 1)
        #expect(demo.server.maximumConnections == 10_000)
        #expect(demo.server.limits.head == 16 << 10)
        #expect(demo.server.limits.body == 64 << 10)
        #expect(demo.server.headTimeout == .seconds(10))
        #expect(demo.server.bodyTimeout == .seconds(20))
        #expect(demo.server.idleTimeout == .seconds(75))
        #expect(demo.server.writeTimeout == .seconds(20))
        #expect(demo.server.drainTimeout == .seconds(10))
        #expect(demo.keys.entries.map(\.id) == ["demo"])
        #expect(demo.keysAreTemporary)
        #expect(demo.tokenLifetime == .seconds(1800))
        #expect(demo.sessionLifetime == .seconds(43_200))
        #expect(demo.policy.issuer == nil)
        #expect(demo.policy.audience == nil)
        #expect(demo.policy.leeway == .seconds(5))
        #expect(!demo.policy.requiresSession)
        #expect(demo.log.level == .info)
        #expect(demo.log.areas == [:])
        #expect(demo.log.path == "logs/app.log")
        #expect(demo.log.fileLevel == nil)
        #expect(demo.log.maximumSize == 10 << 20)
        #expect(demo.log.maximumFiles == 30)
        #expect(demo.log.rotatesDaily)
        #expect(demo.log.maximumAge == .seconds(90 * 86_400))
        #expect(demo.log.maximumTotalSize == 1 << 30)
        #expect(demo.log.format == .text)
        #expect(demo.log.durability == .written)
        #expect(demo.log.standardErrorLevel == nil)
        #expect(demo.sealsLog)
        #expect(demo.sealInterval == .seconds(1))
        #expect(demo.sealSecret == nil)
        #expect(demo.verifiedTokens == .all)
        #expect(demo.onLogFailure == .serve)
        #expect(demo.login.mode == .demo)
        #expect(demo.login.usersFile == "users.json")
        #expect(demo.login.iterations == 600_000)
        #expect(demo.login.throttle == LoginThrottle.Options())
        #expect(demo.refresh == .rotate)
        #expect(demo.admin.socket == nil)
        #expect(demo.admin.metrics == nil)
        // No journal: the tokens of a random key end with the process.
        #expect(demo.revocationJournal == nil)
        #expect(demo.server.trustedProxies.isEmpty)
        #expect(!demo.server.expectsProxyHeader)
        #expect(
            demo.warnings.map(\.description) == [
                "token.keys: none configured: this run uses a random key, and a restart "
                    + "invalidates its tokens",
                "login.mode: demo: anyone who can connect can log in as anyone",
            ])
    }

    @Test func `an empty object and empty sections are valid`() throws {
        #expect(try load("{}").digest == load("{\"log\":{\"file\":{}},\"server\":{}}").digest)
    }

    @Test func `every setting can be in the file`() throws {
        for setting in settings {
            #expect(
                setting.shows(try load(document(setting.path, setting.value))), "\(setting.path)")
            #expect(!setting.shows(try load("{}")), "\(setting.path)")
        }
    }

    @Test func `every setting can be an environment variable`() throws {
        for setting in settings {
            let environment = [variable(setting.path): plain(setting.value), "PATH": "/bin"]
            let configuration = try Configuration.load(file: nil, environment: environment)
            #expect(setting.shows(configuration), "\(setting.path)")
        }
    }

    @Test func `an environment variable overrides the file`() throws {
        let file = "{\"log\":{\"file\":{\"max_size\":\"5MiB\",\"keep\":7}}}"
        let configuration = try load(file, ["GATEHOUSE_LOG_FILE_MAX_SIZE": "6MiB"])
        #expect(configuration.log.maximumSize == 6 << 20)
        #expect(configuration.log.maximumFiles == 7)
        // An invalid value in the file does not matter if it is overridden.
        let overridden = try load(
            "{\"server\":{\"port\":\"eighty\"}}", ["GATEHOUSE_SERVER_PORT": "80"])
        #expect(overridden.server.address.port == 80)
    }

    @Test
    func `the areas of the environment replace those of the file, and single areas override both`()
        throws
    {
        let file = #"{"log":{"areas":{"http":"DEBUG","app":"ERROR"}}}"#
        let variable = "GATEHOUSE_LOG_AREAS"
        func areas(_ environment: [String: String]) throws -> [Area: Level] {
            try load(file, environment).log.areas
        }
        #expect(try areas([:]) == [.http: .debug, .app: .error])
        let json = #"{"http":"WARNING","security":"debug"}"#
        #expect(try areas([variable: json]) == [.http: .warning, .security: .debug])
        #expect(try areas([variable: "{}"]) == [:])
        #expect(
            try areas([variable: json, variable + "_HTTP": "CRITICAL"])
                == [.http: .critical, .security: .debug])
        let none = #"{"log":{"areas":"not looked at"}}"#
        #expect(try load(none, [variable: json]).log.areas[.http] == .warning)
    }

    @Test func `null means that a text setting is absent`() throws {
        #expect(try load("{\"token\":{\"issuer\":null}}").policy.issuer == nil)
        let environment = ["GATEHOUSE_TOKEN_ISSUER": "null"]
        #expect(try load("{\"token\":{\"issuer\":\"me\"}}", environment).policy.issuer == nil)
    }

    @Test func `relative paths are relative to the folder of the configuration file`() throws {
        #expect(try load("{}").log.path == "\(folder.path)/logs/app.log")
        #expect(
            try load("{\"log\":{\"file\":{\"path\":\"a/b.log\"}}}").log.path
                == "\(folder.path)/a/b.log")
        #expect(
            try load("{\"log\":{\"file\":{\"path\":\"/a/b.log\"}}}").log.path == "/a/b.log")
    }

    @Test func `PROXY headers can be enabled if trusted proxies are configured`() throws {
        let file = #"{"server":{"trusted_proxies":["::1"],"proxy_protocol":true}}"#
        #expect(try load(file).server.expectsProxyHeader)
        let off = ["GATEHOUSE_SERVER_PROXY_PROTOCOL": "false"]
        #expect(try !load(file, off).server.expectsProxyHeader)
        let trusting = #"{"server":{"trusted_proxies":["::1"]}}"#
        let on = ["GATEHOUSE_SERVER_PROXY_PROTOCOL": "true"]
        #expect(try load(trusting, on).server.expectsProxyHeader)
        #expect(throws: Configuration.Invalid.self) { try load("{}", on) }
    }

    @Test func `the default mode is password with a file, and demo without one`() throws {
        #expect(try load("{}").login.mode == .password)
        #expect(try load("{\"login\":{\"mode\":\"demo\"}}").login.mode == .demo)
        #expect(try Configuration.load(file: nil, environment: [:]).login.mode == .demo)
        let environment = ["GATEHOUSE_LOGIN_MODE": "password"]
        let password = try Configuration.load(file: nil, environment: environment)
        #expect(password.login.mode == .password)
        #expect(!password.warnings.contains { $0.path == "login.mode" })
        // With passwords every address is allowed.
        #expect(throws: Never.self) { try load("{\"server\":{\"host\":\"0.0.0.0\"}}") }
    }

    @Test
    func `the default journal is beside the log, with a name derived from the log's`() throws {
        let keys = "\"token\":{\"keys\":[{\"id\":\"k\",\"secret\":\"\(secret)\"}]}"
        func journal(_ log: String) throws -> String? {
            try load("{\(keys),\"log\":{\"file\":{\"path\":\"\(log)\"}}}").revocationJournal
        }
        let base = folder.path
        #expect(
            try load("{\(keys)}").revocationJournal == "\(base)/logs/revocations.journal")
        #expect(try journal("app.log") == "\(base)/revocations.journal")
        #expect(try journal("/var/log/app.log") == "/var/log/revocations.journal")
        #expect(try journal("/var/log/b.log") == "/var/log/b.revocations.journal")
        #expect(try journal("x/b") == "\(base)/x/b.revocations.journal")
        let named = "{\(keys),\"state\":{\"revocations\":\"r\"}}"
        #expect(try load(named).revocationJournal == "\(base)/r")
        // With a random key there is no journal, unless it is configured.
        #expect(try load("{}").revocationJournal == nil)
        #expect(
            try load("{\"state\":{\"revocations\":\"r\"}}").revocationJournal == "\(base)/r")
    }

    @Test
    func `the administration socket can be null, and the metrics address any loopback address`()
        throws
    {
        #expect(try load("{\"admin\":{\"socket\":null,\"metrics\":null}}").admin.socket == nil)
        let relative = try load("{\"admin\":{\"socket\":\"a.sock\"}}")
        #expect(relative.admin.socket == folder.path("a.sock"))
        for text in ["127.0.0.1:9090", "127.1.2.3:0", "[::1]:9090", "localhost:9090"] {
            let configuration = try load(document("admin.metrics", "\"\(text)\""))
            #expect(configuration.admin.metrics?.isLoopback == true)
        }
    }

    @Test func `the first key signs, and all keys verify`() throws {
        let keys = try load(
            """
            {"token":{"keys":[{"id":"b","secret":"\(secret)"},{"id":"a","secret":"\(secret)x"}]}}
            """
        ).keys
        #expect(keys.entries.map(\.id) == ["b", "a"])
        #expect(keys.signing.id == "b")
    }

    @Test(arguments: ["", "\n", "\r\n"])
    func `a secret is read from a file without the line end`(end: String) throws {
        try folder.file("token.key", secret + end)
        let fromFile = try load(
            "{\"token\":{\"keys\":[{\"id\":\"k\",\"secret_file\":\"token.key\"}]}}")
        let message = Array("message".utf8)
        let code = HMACSHA256.code(for: message.span, key: fromFile.keys.signing.key)
        let key = HMACSHA256.Key(Array(secret.utf8).span)
        let expected = HMACSHA256.code(for: message.span, key: key)
        #expect(hexadecimal(code.span) == hexadecimal(expected.span))
        #expect(fromFile.warnings.isEmpty)
    }

    @Test func `each choice about the log has one name`() throws {
        for (word, format) in [("text", LogFormat.text), ("json", .json), ("logfmt", .logfmt)] {
            #expect(try load(document("log.format", "\"\(word)\"")).log.format == format)
        }
        for (word, isDaily) in [("daily", true), ("never", false)] {
            let configuration = try load(document("log.file.rotate", "\"\(word)\""))
            #expect(configuration.log.rotatesDaily == isDaily)
        }
        for (word, durability) in [("written", LogOptions.Durability.written), ("synced", .synced)]
        {
            let configuration = try load(document("log.durability", "\"\(word)\""))
            #expect(configuration.log.durability == durability)
        }
        for (word, verified) in [
            ("all", VerificationLogging.all), ("sample", .sample), ("off", .off),
        ] {
            let configuration = try load(document("log.authn_token_verified", "\"\(word)\""))
            #expect(configuration.verifiedTokens == verified)
        }
    }

    @Test(arguments: ["", "\n", "\r\n"])
    func `the seal secret is read from the setting, the environment or its own file`(end: String)
        throws
    {
        try folder.file("seal.key", secret + end)
        let expected = Array(secret.utf8)
        #expect(try load(document("log.seal_secret", "\"\(secret)\"")).sealSecret == expected)
        let environment = ["GATEHOUSE_LOG_SEAL_SECRET": secret]
        #expect(try load("{}", environment).sealSecret == expected)
        let fromFile = try load(document("log.seal_secret_file", "\"seal.key\""))
        #expect(fromFile.sealSecret == expected)
        #expect(!fromFile.warnings.contains { $0.path.hasSuffix("seal.key") })
        chmod(folder.path("seal.key"), 0o644)
        let warnings = try load(document("log.seal_secret_file", "\"seal.key\"")).warnings
        #expect(
            warnings.map(\.description).contains(
                "\(folder.path("seal.key")): the key file can be read by others; chmod 600 it"))
    }

    @Test func `files that others can read cause a warning`() throws {
        let key = try folder.file("token.key", secret, mode: 0o604)
        let file = try folder.file(
            "c.json", "{\"token\":{\"keys\":[{\"id\":\"k\",\"secret_file\":\"token.key\"}]}}",
            mode: 0o644)
        let warnings = try Configuration.load(file: file, environment: [:]).warnings
        #expect(
            warnings.map(\.description) == [
                "\(file): the configuration file can be read by others; chmod 600 it",
                "\(key): the key file can be read by others; chmod 600 it",
            ])
    }

    @Test func `the digest covers all settings except secrets`() throws {
        func digest(_ content: String, _ environment: [String: String] = [:]) throws -> String {
            try load(content, environment).digest
        }
        func keys(_ id: String, _ secret: String) -> String {
            "{\"token\":{\"keys\":[{\"id\":\"\(id)\",\"secret\":\"\(secret)\"}]}}"
        }
        let plain = try digest("{}")
        #expect(plain.count == 16)
        #expect(plain.allSatisfy { "0123456789abcdef".contains($0) })
        #expect(try digest("{}") == plain)
        #expect(try digest("{\"server\":{\"port\":8080}}") == plain)
        #expect(try digest("{}", ["GATEHOUSE_SERVER_PORT": "8080"]) == plain)
        #expect(try digest(keys("a", secret)) == digest(keys("a", secret + "x")))
        #expect(try digest(document("log.seal_secret", "\"\(secret)\"")) == plain)
        #expect(try digest(keys("a", secret)) != digest(keys("b", secret)))
        let others = try settings.map { try digest(document($0.path, $0.value)) }
        #expect(Set(others + [plain]).count == settings.count + 1)
    }
}

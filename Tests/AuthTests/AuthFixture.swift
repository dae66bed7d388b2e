import Crypto
import Foundation
import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

@testable import Auth

/// The handlers without sockets, with a clock that moves only when a test sets it, and a log in a
/// temporary file.
final class AuthFixture: Sendable {
    /// 2026-11-21T07:00:00.123Z
    static let now = Timestamp(milliseconds: 1_795_244_400_123)
    static let secret = Array("the secret of key a, 32 bytes up".utf8)
    static let otherSecret = Array("the secret of key b, 32 bytes up".utf8)
    static let fingerprintKey = HMACSHA256.Key(Array("fingerprints".utf8).span)

    /// The settings that a test can change.
    struct Options: Sendable {
        var now = AuthFixture.now
        var issuer: String?
        var audience: String?
        var requiresSession = false
        var leeway = TimeAmount(milliseconds: 0)
        var users = UserDirectory.demo
        var fingerprintKey = AuthFixture.fingerprintKey
        /// Key ids; the first one signs.
        var keys = ["a", "b"]
        var lifetime = TimeAmount.seconds(1800)
        var sessionLifetime = TimeAmount.seconds(43200)
        var refresh = Refresh.Mode.rotate
        var refreshGrace = Refresh.Grace.any
        /// Nil for demo mode.
        var throttle: LoginThrottle.Options?
        var iterations = 1000
        /// Path of the revocation journal; nil to keep revocations in memory.
        var journal: String?
        var revocationLimit = Revocations.defaultLimit
        var fileSystem: any FileSystem = SystemFileSystem()
        /// File system of the log.
        var logFileSystem: any FileSystem = SystemFileSystem()
        var requiresDurableRecord = false
    }

    let options: Options
    let clock: Clock
    let tokens: HS256
    let log: Logger
    let security: SecurityLog
    let revocations: Revocations
    let sessions = SessionList()
    let issuer: TokenIssuer
    let login: Login
    let bearer: BearerAuthentication
    let refresh: Refresh
    let logout: Logout
    let introspection: Introspection
    let revocation: AdminRevocation
    /// The users whose hashes were to be replaced, with the new hashes.
    let upgrades = Monitor<[(user: UserID, hash: PasswordHash)]>([])
    /// Called while a hash is being replaced.
    let whileUpgrading = Monitor<@Sendable () -> Void>({})
    /// The store that is consulted after a password check.
    let current: UserStore
    private let folder: URL

    convenience init(
        now: Timestamp = AuthFixture.now, issuer: String? = nil, audience: String? = nil,
        requiresSession: Bool = false, users: UserDirectory = .demo,
        fingerprintKey: HMACSHA256.Key = AuthFixture.fingerprintKey
    ) throws {
        try self.init {
            $0.now = now
            $0.issuer = issuer
            $0.audience = audience
            $0.requiresSession = requiresSession
            $0.users = users
            $0.fingerprintKey = fingerprintKey
        }
    }

    init(_ change: (inout Options) -> Void) throws {
        var plan = Options()
        change(&plan)
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        var options = LogOptions(path: folder.appending(path: "app.log").path)
        options.standardErrorLevel = .critical
        let testClock = Clock(plan.now)
        let clock = testClock.clock
        // Retry failed writes with the next line.
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        let log = try Logger(
            options, clock: clock, fileSystem: plan.logFileSystem,
            standardErrorDescriptor: nowhere.rawValue)
        let keys = KeyRing(
            plan.keys.map { id in
                let secret = id == "a" ? Self.secret : Self.otherSecret
                return KeyRing.Entry(id: id, secret: secret.span)!
            })!
        let policy = TokenPolicy(
            issuer: plan.issuer, audience: plan.audience, leeway: plan.leeway,
            requiresSession: plan.requiresSession)
        let tokens = HS256(keys: keys, policy: policy)
        let issuer = TokenIssuer(
            tokens, lifetime: plan.lifetime, sessionLifetime: plan.sessionLifetime)
        let refusesUnrecorded = plan.requiresDurableRecord
        let security = SecurityLog(log, refusesUnrecorded: { refusesUnrecorded })
        let revocations = try Revocations(
            path: plan.journal, at: plan.now, limit: plan.revocationLimit,
            fileSystem: plan.fileSystem)
        self.options = plan
        self.clock = testClock
        self.folder = folder
        self.log = log
        self.tokens = tokens
        self.issuer = issuer
        self.security = security
        self.revocations = revocations
        let (upgrades, whileUpgrading) = (upgrades, whileUpgrading)
        let current = UserStore(plan.users)
        self.current = current
        let mode: Login.Mode =
            if let options = plan.throttle {
                .password(
                    PasswordLogin(
                        plan.users, current,
                        PasswordVerifier(plan.users, iterations: plan.iterations),
                        LoginThrottle(options), fingerprintKey: plan.fingerprintKey,
                        upgrade: { user, hash in
                            upgrades.withLock { $0.append((user.id, hash)) }
                            whileUpgrading.withLock { $0 }()
                        }))
            } else { .demo }
        login = Login(
            mode, issuer, revocations: revocations, sessions: sessions, log: security,
            clock: clock)
        bearer = BearerAuthentication(
            tokens, users: plan.users, revocations: revocations, log: security, clock: clock,
            fingerprintKey: plan.fingerprintKey)
        refresh = Refresh(
            plan.refresh, plan.refreshGrace, bearer, issuer, revocations: revocations,
            sessions: sessions, origins: ExchangeOrigins(), limit: RefreshLimit(), log: security,
            clock: clock)
        logout = Logout(
            bearer, revocations: revocations, sessions: sessions, log: security, clock: clock,
            leeway: plan.leeway)
        introspection = Introspection(bearer, users: plan.users, policy: policy)
        revocation = AdminRevocation(
            tokens, users: plan.users, revocations: revocations, sessions: sessions,
            log: security, clock: clock)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Commits the log and returns the content of its file.
    func logFile() throws -> String {
        guard log.commit() == .written else { throw CocoaError(.fileWriteUnknown) }
        return try String(contentsOf: folder.appending(path: "app.log"), encoding: .utf8)
    }

    /// The lines of the security area, without their timestamp.
    func events() throws -> [String] {
        try logFile().split(separator: "\n").compactMap { line in
            let start = "2026-11-21T07:00:00.123Z | "
            guard line.contains(" | security | ") else { return nil }
            guard clock.hasMoved || line.hasPrefix(start) else { return nil }
            return String(line.dropFirst(start.count))
        }
    }

    /// The lines that `body` causes, without address and request id.
    func events(of body: () throws -> Void) throws -> [String] {
        let before = try events().count
        try body()
        return try events().dropFirst(before).map {
            $0.replacing(" | security | ", with: " ")
                .replacing(" ip=192.0.2.7 rid=r-1", with: "")
        }
    }

    /// A token for a new session of this user.
    func token(for user: Int64 = 1) -> String {
        text(issuer.issue(for: UserID(user)!, at: clock.clock.now()).token)
    }

    /// The claims of a token.
    func claims(_ token: String) throws -> Claims {
        try tokens.verify(Array(token.utf8).span, at: clock.clock.now())
    }

    /// The response to GET /resource with this token.
    func requestResource(_ token: String) throws -> Answer {
        try answer(
            to: get("Bearer \(token)"), by: bearer.protecting(Resource(options.users).respond))
    }

    /// `good` if GET /resource accepts the token, otherwise the status and the error.
    func verdict(_ token: String) throws -> String {
        let answer = try requestResource(token)
        return answer.status == 200 ? "good" : "\(answer.status) \(answer.errorMessage)"
    }
}

/// Destination of CRITICAL lines, which the logger also writes to standard error.
private let nowhere = try! FileDescriptor.open("/dev/null", O_WRONLY)

/// A clock that moves only when a test sets it.
final class Clock: Sendable {
    private let start: Timestamp
    private let time: Monitor<Timestamp>

    init(_ start: Timestamp) {
        self.start = start
        time = Monitor(start)
    }

    var clock: WallClock { WallClock { self.time.withLock { $0 } } }
    var hasMoved: Bool { time.withLock { $0 != start } }
    func set(_ moment: Timestamp) { time.withLock { $0 = moment } }
    func advance(_ span: TimeAmount) { time.withLock { $0 = $0 + span } }
}

/// A response as the client receives it.
struct Answer: Equatable {
    let status: Int
    /// Without the fields that every response has.
    let fields: [String]
    let content: String
    /// Whether the response is held until the log is committed.
    let isHeldForCommit: Bool

    /// The message in `{"error":"…"}`.
    var errorMessage: String { String(content.dropFirst(10).dropLast(2)) }

    /// The token in the response to a login or refresh.
    var token: String {
        get throws {
            guard status == 200, let match = content.firstMatch(of: /"token":"([^"]+)"/) else {
                throw ParseFailure.noToken
            }
            return String(match.1)
        }
    }

    func field(_ name: String) -> String? {
        fields.first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
    }
}

enum ParseFailure: Error { case noRequest, noResponse, noToken }

/// Parses the request, calls the handler, and parses the response.
func answer(to bytes: String, by handler: Handler) throws -> Answer {
    try answer(to: bytes, by: { .response(handler($0)) })
}

/// Like `answer(to:by:)`; runs offloaded work at once.
func answer(
    to bytes: String, from address: String = "192.0.2.7", by handler: TwoStepHandler
) throws -> Answer {
    let client = ClientAddress(Array(address.utf8).span)!
    // Enough for two tokens of any length.
    let limits = Conversation.Limits(head: 64 * 1024)
    var conversation = Conversation(limits: limits, client: client, seed: 7)
    let received = bytes.unicodeScalars.map { UInt8($0.value) }
    conversation.receive(received.span)
    guard let request = try conversation.next() else { throw ParseFailure.noRequest }
    let response =
        switch handler(request) {
        case .response(let response): response
        case .offloaded(let work): work.run()
        }
    conversation.complete(response, date: AuthFixture.now.httpDate)

    var sent: [UInt8] = []
    for index in conversation.unsent.indices { sent.append(conversation.unsent[index]) }
    let parts = text(sent).split(
        separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n").map(String.init)
    var common = [
        "Date: Sat, 21 Nov 2026 07:00:00 GMT", "X-Request-Id: r-1",
        "X-Content-Type-Options: nosniff", "Cache-Control: no-store",
    ]
    if !parts[1].isEmpty {
        common += ["Content-Type: application/json", "Content-Length: \(parts[1].utf8.count)"]
    }
    guard common.allSatisfy(lines.contains), let status = Int(lines[0].dropFirst(9).prefix(3))
    else { throw ParseFailure.noResponse }
    return Answer(
        status: status, fields: lines.dropFirst().filter { !common.contains($0) },
        content: String(parts[1]), isHeldForCommit: response.isHeldForCommit)
}

/// `GET /resource` with these Authorization values. Each scalar is one byte.
func get(_ authorization: String..., target: String = "/resource") -> String {
    get(authorization, target: target)
}

func get(_ authorization: [String], target: String = "/resource") -> String {
    "GET \(target) HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + authorization.map { "Authorization: \($0)\r\n" }.joined() + "\r\n"
}

/// A POST without a body, with this bearer token.
func post(to target: String, _ token: String) -> String {
    "POST \(target) HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + "Authorization: Bearer \(token)\r\n\r\n"
}

/// `POST /login` with additional header fields.
func post(_ content: String, _ fields: String...) -> String {
    "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + fields.map { "\($0)\r\n" }.joined()
        + "Content-Length: \(content.unicodeScalars.count)\r\n\r\n\(content)"
}

/// A token of another issuer: any header and payload, signed with any key.
func forged(
    header: String = #"{"alg":"HS256","typ":"JWT"}"#, payload: String,
    secret: [UInt8] = AuthFixture.secret
) -> String {
    let segments = [header, payload].map { text(Base64URL.encoded(Array($0.utf8).span)) }
    let signed = segments.joined(separator: ".")
    let code = HMACSHA256.code(for: Array(signed.utf8).span, key: HMACSHA256.Key(secret.span))
    return "\(signed).\(text(Base64URL.encoded(code.span)))"
}

/// The payload of a token as text.
func payload(of token: String) throws -> String {
    let segment = Array(token.split(separator: ".")[1].utf8)
    return text(try Base64URL.decoded(segment.span))
}

/// The fingerprint of an untrusted token in the log.
func fingerprint(
    of token: String, key: HMACSHA256.Key = AuthFixture.fingerprintKey
) -> String {
    let code = HMACSHA256.code(for: Array(token.utf8).span, key: key)
    return (0..<8).map { index in
        let digits = String(code.bytes[index], radix: 16)
        return digits.count == 1 ? "0\(digits)" : digits
    }.joined()
}

extension Revocations {
    /// With clocks that agree.
    func revokeAll(of user: UserID, at now: Timestamp) throws(Errno) {
        try revokeAll(of: user, at: now, leeway: TimeAmount(milliseconds: 0))
    }

    func revokeEveryone(at now: Timestamp) throws(Errno) {
        try revokeEveryone(at: now, leeway: TimeAmount(milliseconds: 0))
    }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

extension ShortText {
    var string: String { text(utf8.indices.map { utf8[$0] }) }
}

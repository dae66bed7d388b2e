import Auth
import Crypto
import Foundation
import HTTP
import JSON
import JWT
import Logging
import Metrics
import Revocation
import Time

/// The benchmarks of a request's parts, set up once: the components as the server connects them,
/// without its sockets.
struct Fixtures {
    private static let client = ClientAddress(Array("192.0.2.1".utf8).span)!

    let key: HMACSHA256.Key
    let tokens: HS256
    let claims: Claims
    let token: [UInt8]
    let requestBytes: [UInt8]
    /// A request with a token of another issuer, without identifiers or a key ID.
    let foreignRequestBytes: [UInt8]
    let loginBytes: [UInt8]
    let routes: RouteTable
    let log: Logger
    /// All files are written here.
    let folder: String
    let clock = WallClock.system

    init() {
        let secret = Array("a key for measuring, and for nothing else".utf8)
        let ring = KeyRing([KeyRing.Entry(id: "2026-11", secret: secret.span)!])!
        key = HMACSHA256.Key(secret.span)
        tokens = HS256(keys: ring, policy: TokenPolicy(issuer: "gatehouse"))
        let issuer = TokenIssuer(
            tokens, lifetime: .seconds(86_400), sessionLifetime: .seconds(86_400))
        (token, claims) = issuer.issue(for: UserID(1)!, at: clock.now())
        let bearer = String(decoding: token, as: UTF8.self)
        requestBytes = Array(
            """
            GET /resource HTTP/1.1\r
            Host: 127.0.0.1:8080\r
            Authorization: Bearer \(bearer)\r
            \r\n
            """.utf8)
        foreignRequestBytes = Array(
            """
            GET /resource HTTP/1.1\r
            Host: 127.0.0.1:8080\r
            Authorization: Bearer \(Self.foreignToken(key, claims))\r
            \r\n
            """.utf8)
        loginBytes = Array(
            """
            POST /login HTTP/1.1\r
            Host: 127.0.0.1:8080\r
            Content-Type: application/json\r
            Content-Length: 13\r
            \r
            {"user_id":1}
            """.utf8)
        folder = "\(FileManager.default.temporaryDirectory.path)/gatehouse-bench-\(getpid())"
        var options = LogOptions(path: "\(folder)/app.log")
        options.maximumSize = 256 << 20
        options.maximumFiles = 0
        options.audit = LogOptions.Audit(path: "\(folder)/audit.log")
        options.audit?.maximumSize = 256 << 20
        options.audit?.maximumFiles = 0
        options.seal = LogOptions.Seal(key: SealKey(derivedFrom: key))
        // The folder for temporary files is always writable.
        log = try! Logger(options)
        let users = UserDirectory.demo
        let security = SecurityLog(log)
        // Nothing is revoked, and there is no journal that could fail.
        let revocations = try! Revocations(path: nil, at: clock.now())
        let authentication = BearerAuthentication(
            tokens, users: users, revocations: revocations, log: security, clock: clock,
            fingerprintKey: key.derived(label: "bench"))
        let login = Login(
            .demo, issuer, revocations: revocations, sessions: SessionList(), log: security,
            clock: clock)
        var router = Router()
        router.on(.post, "/login", inTwoSteps: login.respond)
        router.on(.get, "/resource", authentication.protecting(Resource(users).respond))
        routes = router.routes()
    }

    /// Handles a request as a worker does, and runs offloaded work directly.
    private func respond(to request: Request) -> Response {
        switch routes.route(for: request) {
        case .onWorker(let handler): return handler(request)
        case .inTwoSteps(let handler):
            switch handler(request) {
            case .response(let response): return response
            case .offloaded(let work): return work.run()
            }
        }
    }

    private static func foreignToken(_ key: HMACSHA256.Key, _ claims: Claims) -> String {
        let payload = #"{"iss":"gatehouse","user_id":1,"exp":\#(claims.expires.seconds)}"#
        var token = Base64URL.encoded(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8).span)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(Array(payload.utf8).span, appendingTo: &token)
        let code = HMACSHA256.code(for: token.span, key: key)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(code.span, appendingTo: &token)
        return String(decoding: token, as: UTF8.self)
    }

    func removeLogs() { try? FileManager.default.removeItem(atPath: folder) }

    /// The 64-byte blocks that an HMAC over `count` bytes takes: the key's block, the padded
    /// message, and the outer block.
    static func blocks(_ count: Int) -> Int { (count + 9 + 63) / 64 + 1 }

    /// The blocks of this token's signature.
    var tokenBlocks: Int { Self.blocks(token.lastIndex(of: UInt8(ascii: "."))!) }

    var all: [Benchmark] {
        let date = clock.now().httpDate
        let metrics = RequestMetrics(
            routes: (0..<16).map { "/\($0)" }, statuses: Status.allCases.map(\.code))
        let longMessage = [UInt8](repeating: 0x61, count: 64 * 1000)
        return [
            Benchmark("SHA-256, one block of a long message") { count in
                var hash = SHA256()
                for _ in 0..<max(1, count / 1000) { hash.update(longMessage.span) }
                blackHole(hash.finalize().bytes[0])
            },
            Benchmark("HMAC-SHA256 of the token's signed part") { count in
                let signed = token.span.extracting(
                    0..<token.lastIndex(of: UInt8(ascii: "."))!)
                for _ in 0..<count {
                    blackHole(HMACSHA256.code(for: signed, key: key).bytes[0])
                }
            },
            Benchmark("PBKDF2, an iteration") { count in
                blackHole(
                    PBKDF2.key(
                        password: longMessage.span.extracting(0..<12),
                        salt: longMessage.span.extracting(0..<16), iterations: count
                    ).bytes[0])
            },
            Benchmark("HS256 verify") { count in
                let now = clock.now()
                for _ in 0..<count {
                    blackHole((try? tokens.verify(token.span, at: now))?.keyIndex)
                }
            },
            Benchmark("HS256 sign", allocations: 2) { count in
                for _ in 0..<count { blackHole(tokens.sign(claims).count) }
            },
            Benchmark("parse a request, and serialize a response") { count in
                let response = Response(.ok, json: Array("{}".utf8))
                converse(requestBytes, count) { conversation, _ in
                    conversation.complete(response, date: date)
                }
            },
            Benchmark("route") { count in
                converse(requestBytes, 1) { conversation, request in
                    for _ in 0..<count {
                        if case .onWorker = routes.route(for: request) { blackHole(true) }
                    }
                    conversation.close()
                }
            },
            Benchmark("count a request") { count in
                for index in 0..<count {
                    metrics.count(
                        route: index & 15, status: index & 1 == 0 ? 200 : 401,
                        nanoseconds: Int64(index & 0xFFFF))
                }
            },
            Benchmark("record an event") { count in
                for _ in 0..<count { log.record(Sample(claims: claims)) }
                _ = log.commit()
            },
            Benchmark("record an event that is switched off") { count in
                for _ in 0..<count { log.record(Unwanted()) }
            },
            Benchmark("record and commit, 64 events a commit") { count in
                for index in 0..<count {
                    log.record(Sample(claims: claims))
                    if index % 64 == 63 { blackHole(log.commit() == .written) }
                }
                _ = log.commit()
            },
            Benchmark("record and commit each event") { count in
                for _ in 0..<count {
                    log.record(Sample(claims: claims))
                    blackHole(log.commit() == .written)
                }
            },
            Benchmark("GET /resource, all but the sockets, 64 a commit") { count in
                var index = 0
                converse(requestBytes, count) { conversation, request in
                    conversation.complete(respond(to: request), date: date)
                    index += 1
                    if index % 64 == 0 { blackHole(log.commit() == .written) }
                }
                _ = log.commit()
            },
            Benchmark("the same with a token from elsewhere") { count in
                var index = 0
                converse(foreignRequestBytes, count) { conversation, request in
                    conversation.complete(respond(to: request), date: date)
                    index += 1
                    if index % 64 == 0 { blackHole(log.commit() == .written) }
                }
                _ = log.commit()
            },
            Benchmark("POST /login, all but the sockets, 64 a commit", allocations: 10) { count in
                var index = 0
                converse(loginBytes, count) { conversation, request in
                    conversation.complete(respond(to: request), date: date)
                    index += 1
                    if index % 64 == 0 { blackHole(log.commit() == .written) }
                }
                _ = log.commit()
            },
        ]
    }

    /// Sends the same request `count` times through one conversation, as on a keep-alive
    /// connection.
    private func converse(
        _ bytes: [UInt8], _ count: Int, _ answer: (inout Conversation, Request) -> Void
    ) {
        var conversation = Conversation(limits: .init(), client: Self.client, seed: 1)
        for _ in 0..<count {
            conversation.receive(bytes.span)
            guard let request = try? conversation.next() else { return }
            answer(&conversation, request)
            conversation.releaseHeldResponses()
            conversation.markSent(conversation.unsentCount)
        }
    }
}

/// An event like `authn_token_verified`.
struct Sample: LogEvent {
    let claims: Claims
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "authn_token_verified" }

    func write(to line: inout LogLine) {
        line.field("user", claims.user.rawValue)
        if let id = claims.tokenID { line.field("jti", id.utf8) }
        if let id = claims.sessionID { line.field("sid", id.utf8) }
        line.field("exp", claims.expires.seconds)
        line.field("kid", "2026-11" as StaticString)
        line.field("ip", "192.0.2.1" as StaticString)
        line.field("rid", "0123456789abcdef" as StaticString)
    }
}

private struct Unwanted: LogEvent {
    var level: Level { .debug }
    var area: Area { .app }
    var name: StaticString { "unwanted" }
    func write(to line: inout LogLine) {}
}

/// Consumes a result, so that the work that made it is not optimized away.
@inline(never) @_optimize(none)
func blackHole<Value>(_ value: Value) {}

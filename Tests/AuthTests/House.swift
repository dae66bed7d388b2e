import Auth
import Crypto
import Foundation
import HTTP
import JWT
import Logging
import Revocation
import Time

/// The handlers without sockets: a clock that stands still, and a log in a file of its own.
final class House {
    /// 2026-11-21T07:00:00.123Z
    static let now = Timestamp(milliseconds: 1_795_244_400_123)
    static let secret = Array("the secret of key a, 32 bytes up".utf8)
    static let otherSecret = Array("the secret of key b, 32 bytes up".utf8)
    static let fingerprintKey = HMACSHA256.Key(Array("fingerprints".utf8).span)

    let tokens: HS256
    let log: Logger
    let security: SecurityLog
    let revocations: Revocations
    let sessions = SessionList()
    let issuer: TokenIssuer
    let login: Login
    let bearer: BearerAuthentication
    private let folder: URL

    init(
        now: Timestamp = House.now, issuer: String? = nil, audience: String? = nil,
        requiresSession: Bool = false, users: UserDirectory = .demo,
        fingerprintKey: HMACSHA256.Key = House.fingerprintKey
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        var options = LogOptions(path: folder.appending(path: "app.log").path)
        options.standardErrorLevel = .critical
        let clock = WallClock.fixed(now)
        let log = try Logger(options, clock: clock)
        let keys = KeyRing([
            KeyRing.Entry(id: "a", secret: Self.secret.span)!,
            KeyRing.Entry(id: "b", secret: Self.otherSecret.span)!,
        ])!
        let tokens = HS256(
            keys: keys,
            policy: TokenPolicy(
                issuer: issuer, audience: audience, leeway: .seconds(0),
                requiresSession: requiresSession))
        let tokenIssuer = TokenIssuer(
            tokens, lifetime: .seconds(1800), sessionLifetime: .seconds(43200))
        self.folder = folder
        self.log = log
        self.tokens = tokens
        self.issuer = tokenIssuer
        let security = SecurityLog(log)
        let revocations = try Revocations(path: nil, at: now)
        self.security = security
        self.revocations = revocations
        login = Login(
            .demo, tokenIssuer, revocations: revocations, sessions: sessions, log: security,
            clock: clock)
        bearer = BearerAuthentication(
            tokens, users: users, revocations: revocations, log: security, clock: clock,
            fingerprintKey: fingerprintKey)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// All that is in the log file once what was recorded is written.
    func logFile() throws -> String {
        guard log.commit() == .written else { throw CocoaError(.fileWriteUnknown) }
        return try String(contentsOf: folder.appending(path: "app.log"), encoding: .utf8)
    }

    /// The lines about security, without the time that they all have.
    func events() throws -> [String] {
        try logFile().split(separator: "\n").compactMap { line in
            let start = "2026-11-21T07:00:00.123Z | "
            guard line.contains(" | security | "), line.hasPrefix(start) else { return nil }
            return String(line.dropFirst(start.count))
        }
    }

    /// A token for a session of this user that has just begun.
    func token(for user: Int64 = 1) -> String {
        text(issuer.issue(for: UserID(user)!, at: Self.now).token)
    }
}

/// What a client gets.
struct Answer: Equatable {
    let status: Int
    /// As they were sent, but for those that every response has.
    let fields: [String]
    let content: String
    /// Whether it waits for the log.
    let isAudited: Bool
}

enum Misread: Error { case noRequest, noResponse }

/// Reads the request from its bytes, has it handled, and reads the response from its bytes.
func answer(to bytes: String, by handler: Handler) throws -> Answer {
    try answer(to: bytes, by: { .response(handler($0)) })
}

/// The same; what is slow is done here.
func answer(to bytes: String, by handler: TwoStepHandler) throws -> Answer {
    let client = ClientAddress(Array("192.0.2.7".utf8).span)!
    // Room for two tokens of any length.
    let limits = Conversation.Limits(head: 64 * 1024)
    var conversation = Conversation(limits: limits, client: client, seed: 7)
    let received = bytes.unicodeScalars.map { UInt8($0.value) }
    conversation.receive(received.span)
    guard let request = try conversation.next() else { throw Misread.noRequest }
    let response =
        switch handler(request) {
        case .response(let response): response
        case .slow(let work): work.run()
        }
    conversation.complete(response, date: House.now.httpDate)

    var sent: [UInt8] = []
    for index in conversation.unsent.indices { sent.append(conversation.unsent[index]) }
    let parts = text(sent).split(
        separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n").map(String.init)
    let common = [
        "Date: Sat, 21 Nov 2026 07:00:00 GMT", "X-Request-Id: r-1",
        "X-Content-Type-Options: nosniff", "Cache-Control: no-store",
        "Content-Type: application/json", "Content-Length: \(parts[1].utf8.count)",
    ]
    guard common.allSatisfy(lines.contains), let status = Int(lines[0].dropFirst(9).prefix(3))
    else { throw Misread.noResponse }
    return Answer(
        status: status, fields: lines.dropFirst().filter { !common.contains($0) },
        content: String(parts[1]), isAudited: response.isAudited)
}

/// `GET /resource` with these values of Authorization. Each character is one byte.
func get(_ authorization: String..., target: String = "/resource") -> String {
    get(authorization, target: target)
}

func get(_ authorization: [String], target: String = "/resource") -> String {
    "GET \(target) HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + authorization.map { "Authorization: \($0)\r\n" }.joined() + "\r\n"
}

/// `POST /login`, with other fields than the length.
func post(_ content: String, _ fields: String...) -> String {
    "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + fields.map { "\($0)\r\n" }.joined()
        + "Content-Length: \(content.unicodeScalars.count)\r\n\r\n\(content)"
}

/// A token from somebody else: any header, any payload, signed with any key.
func forged(
    header: String = #"{"alg":"HS256","typ":"JWT"}"#, payload: String,
    secret: [UInt8] = House.secret
) -> String {
    let segments = [header, payload].map { text(Base64URL.encoded(Array($0.utf8).span)) }
    let signed = segments.joined(separator: ".")
    let code = HMACSHA256.code(for: Array(signed.utf8).span, key: HMACSHA256.Key(secret.span))
    return "\(signed).\(text(Base64URL.encoded(code.span)))"
}

/// What a token says, as it is written in it.
func payload(of token: String) throws -> String {
    let segment = Array(token.split(separator: ".")[1].utf8)
    return text(try Base64URL.decoded(segment.span))
}

/// What a token is known by in the log where it cannot be believed.
func fingerprint(
    of token: String, key: HMACSHA256.Key = House.fingerprintKey
) -> String {
    let code = HMACSHA256.code(for: Array(token.utf8).span, key: key)
    return (0..<8).map { index in
        let digits = String(code.bytes[index], radix: 16)
        return digits.count == 1 ? "0\(digits)" : digits
    }.joined()
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

extension ShortText {
    var string: String { text(utf8.indices.map { utf8[$0] }) }
}

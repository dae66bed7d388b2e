import Crypto
import HTTP
import JWT
import Logging
import Testing
import Time

@testable import Auth

/// A handler that records the claims it gets. Used by one thread.
private final class RecordingHandler: @unchecked Sendable {
    private(set) var claims: [Claims] = []

    func respond(to request: Request, from claims: Claims) -> Response {
        self.claims.append(claims)
        return Response(.ok, json: Array("{}".utf8))
    }
}

private let resource = Resource(.demo)

private func refusal(_ status: Int, _ sentence: String, _ challenge: String?) -> Answer {
    Answer(
        status: status, fields: challenge.map { ["WWW-Authenticate: \($0)"] } ?? [],
        content: #"{"error":"\#(sentence)"}"#, isHeldForCommit: true)
}

private let unauthorized = refusal(401, "Unauthorized", #"Bearer realm="gatehouse""#)
private let invalidRequest = refusal(
    400, "Invalid request",
    #"Bearer realm="gatehouse", error="invalid_request", "#
        + #"error_description="The request is malformed""#)
private let invalidToken = refusal(
    401, "Invalid token",
    #"Bearer realm="gatehouse", error="invalid_token", "#
        + #"error_description="The token is invalid""#)
private let tokenExpired = refusal(
    401, "Token expired",
    #"Bearer realm="gatehouse", error="invalid_token", "#
        + #"error_description="The token expired""#)
private let userNotFound = refusal(404, "User not found", nil)

struct BearerAcceptanceTests {
    @Test func `a request with a valid token is handled and logged`() throws {
        let fixture = try AuthFixture()
        let (token, claims) = fixture.issuer.issue(for: UserID(1)!, at: AuthFixture.now)
        let answer = try answer(
            to: get("Bearer \(text(token))"), by: fixture.bearer.protecting(resource.respond))
        #expect(
            answer
                == Answer(
                    status: 200, fields: [], content: #"{"user":{"id":1,"name":"Alice"}}"#,
                    isHeldForCommit: true))
        let jti = try #require(claims.tokenID?.string)
        let sid = try #require(claims.sessionID?.string)
        #expect(
            try fixture.events() == [
                "INFO | security | authn_token_verified user=1 jti=\(jti) sid=\(sid) "
                    + "exp=1795246200 kid=a ip=192.0.2.7 rid=r-1"
            ])
    }

    @Test func `the handler gets the claims of the token`() throws {
        let fixture = try AuthFixture()
        let recorder = RecordingHandler()
        let handler = fixture.bearer.protecting(recorder.respond)
        for user in [1, 2, 1] as [Int64] {
            let (token, claims) = fixture.issuer.issue(for: UserID(user)!, at: AuthFixture.now)
            _ = try answer(to: get("Bearer \(text(token))"), by: handler)
            #expect(recorder.claims.last == claims)
        }
        #expect(recorder.claims.count == 3)
    }

    @Test func `a token of another issuer that has a key is accepted`() throws {
        let fixture = try AuthFixture()
        let handler = fixture.bearer.protecting(resource.respond)
        for (secret, kid) in [(AuthFixture.secret, "a"), (AuthFixture.otherSecret, "b")] {
            let token = forged(
                payload: #"{"user_id":2,"iat":1795244400,"exp":1795244401}"#, secret: secret)
            let answer = try answer(to: get("Bearer \(token)"), by: handler)
            #expect(answer.content == #"{"user":{"id":2,"name":"Bob"}}"#)
            #expect(
                try fixture.events().last
                    == "INFO | security | authn_token_verified user=2 jti=\(name(of: token)) "
                    + "exp=1795244401 kid=\(kid) ip=192.0.2.7 rid=r-1")
        }
    }

    // RFC 9110 §11.1, RFC 6750 §2.1.
    @Test(
        arguments: [
            "Bearer T", "bearer T", "BEARER T", "bEaReR T", "Bearer  T", "Bearer        T",
            "Bearer T ", "Bearer T \t ", "  Bearer T",
        ])
    func `the scheme is matched without case, and spaces around the token are allowed`(
        pattern: String
    ) throws {
        let fixture = try AuthFixture()
        let value = pattern.replacing("T", with: fixture.token())
        let answer = try answer(
            to: get(value), by: fixture.bearer.protecting(resource.respond))
        #expect(answer.status == 200)
    }

    @Test
    func `the response waits for its log line even if the handler does not ask for it`() throws {
        let fixture = try AuthFixture()
        let unaudited = Response(.ok, json: Array("{}".utf8))
        #expect(!unaudited.isHeldForCommit)
        let handler = fixture.bearer.protecting { _, _ in unaudited }
        #expect(try answer(to: get("Bearer \(fixture.token())"), by: handler).isHeldForCommit)
    }
}

// RFC 6750 §3.
struct BearerRefusalTests {
    /// The handler is not called; the response and the only log line are these.
    private func expect(
        _ request: String, gets refusal: Answer, logs level: String, _ fields: String,
        in fixture: AuthFixture? = nil, at location: SourceLocation = #_sourceLocation
    ) throws {
        let fixture = try fixture ?? AuthFixture()
        let recorder = RecordingHandler()
        let handler = fixture.bearer.protecting(recorder.respond)
        let answer = try answer(to: request, by: handler)
        #expect(answer == refusal, sourceLocation: location)
        #expect(recorder.claims == [], sourceLocation: location)
        #expect(
            try fixture.events() == [
                "\(level) | security | authn_token_rejected \(fields) ip=192.0.2.7 rid=r-1"
            ], sourceLocation: location)
    }

    private static let good = forged(payload: #"{"user_id":1,"exp":1795244500}"#)

    @Test(
        arguments: [
            "", "Basic dXNlcjpwYXNz", "Digest username=\"x\"", "Token \(good)", "XBearer \(good)",
            "Bearer\(good)", "Bearer2 \(good)", good, "Bear \(good)", "\"Bearer\" \(good)",
            ", Bearer \(good)", "=", "\u{E9}", "Negotiate", "Basic Bearer \(good)",
        ])
    func `other credentials count as none and get a bare challenge`(value: String) throws {
        try expect(
            get(value), gets: unauthorized,
            logs: "WARNING", "reason=missing")
    }

    @Test func `no token, or one in the query, gets a bare challenge`() throws {
        // RFC 6750 §2.3 allows the query, but tokens leak from there.
        for target in ["/resource", "/resource?access_token=\(Self.good)"] {
            try expect(
                get(target: target), gets: unauthorized,
                logs: "WARNING", "reason=missing")
        }
    }

    @Test(
        arguments: [
            "Bearer", "bearer", "Bearer ", "Bearer \t", "Bearer\t\(good)", "Bearer: \(good)",
            "Bearer,\(good)", "Bearer=\(good)", "Bearer \t\(good)",
            "Bearer \(good) \(good)", "Bearer \(good), Bearer \(good)",
            "Bearer \(good),", "Bearer \(good);x", "Bearer \(good) x",
            "Bearer \(good)\tx", "Bearer \"\(good)\"", "Bearer <\(good)>",
            "Bearer =", "Bearer ==", "Bearer =\(good)", "Bearer \(good)=x",
            "Bearer \(good)=.", "Bearer \u{E9}", "Bearer \(good)\u{E9}",
            "Bearer \u{FF}.\u{FE}.\u{80}", "Bearer a:b", "Bearer %41", "Bearer {}",
            "Bearer a.b.c!", "Bearer \(String(repeating: "\u{80}", count: 9000))",
        ])
    func `credentials that break the grammar are a bad request`(value: String) throws {
        try expect(
            get(value), gets: invalidRequest,
            logs: "WARNING", "reason=malformed")
    }

    @Test(
        arguments: [
            ["Bearer \(good)", "Bearer \(good)"], ["Bearer \(good)", "Basic eDp5"],
            ["Basic eDp5", "Bearer \(good)"], ["", "Bearer \(good)"], ["Bearer \(good)", ""],
            ["", ""], ["Basic eDp5", "Basic eDp5"],
            ["Bearer \(good)", "Bearer \(good)", "Bearer \(good)"],
        ])
    func `two Authorization fields are a bad request, whatever they contain`(values: [String])
        throws
    {
        try expect(
            get(values), gets: invalidRequest,
            logs: "WARNING", "reason=malformed")
    }

    /// A token, the reason in the log, and the level.
    private static let untrustedTokens: [(token: String, reason: String, level: String)] = [
        ("a", "malformed", "WARNING"), ("a.b", "malformed", "WARNING"),
        ("..", "malformed", "WARNING"), ("~+/._-", "malformed", "WARNING"),
        ("\(good).x", "malformed", "WARNING"), ("a.b.c", "not_canonical", "WARNING"),
        ("null", "malformed", "WARNING"), ("~.+./", "not_canonical", "WARNING"),
        ("\(good)=", "not_canonical", "WARNING"), ("\(good)==", "not_canonical", "WARNING"),
        ("\(good)A", "bad_signature", "WARNING"),
        (String(good.dropLast(3)), "bad_signature", "WARNING"),
        (String(repeating: "a", count: 8193), "too_long", "WARNING"),
        (
            forged(payload: #"{"user_id":1,"exp":1795244500}"#, secret: [1, 2, 3]),
            "bad_signature", "WARNING"
        ),
        (
            forged(header: #"{"alg":"HS256","kid":"c"}"#, payload: #"{"user_id":1}"#),
            "unknown_kid", "WARNING"
        ),
        (
            forged(header: #"{"alg":"HS256","crit":["exp"]}"#, payload: #"{"user_id":1}"#),
            "crit", "WARNING"
        ),
        (
            forged(header: #"{"alg":"HS512"}"#, payload: #"{"user_id":1,"exp":1795244500}"#),
            "alg_not_allowed", "ERROR"
        ),
        // RFC 7519 §6.1, a common attack.
        ("eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxLCJleHAiOjFlMTB9.", "alg_not_allowed", "ERROR"),
        (forged(payload: #"{"user_id":1}"#), "claims", "WARNING"),
        (forged(payload: #"{"user_id":true,"exp":1795244500}"#), "claims", "WARNING"),
        (forged(payload: "[]"), "claims", "WARNING"),
    ]

    @Test(
        arguments: untrustedTokens)
    func `an untrusted token is refused, and the log has its fingerprint`(
        token: String, reason: String, level: String
    ) throws {
        try expect(
            get("Bearer \(token)"), gets: invalidToken,
            logs: level, "reason=\(reason) fingerprint=\(fingerprint(of: token))")
    }

    @Test func `an expired token is reported as expired and logged at INFO`() throws {
        let payload = #"{"user_id":1,"exp":1795244400,"jti":"t-1","sid":"s-1"}"#
        let token = forged(payload: payload)
        try expect(
            get("Bearer \(token)"), gets: tokenExpired,
            logs: "INFO",
            "reason=expired user=1 jti=t-1 sid=s-1 exp=1795244400 "
                + "fingerprint=\(fingerprint(of: token))")

        let fixture = try AuthFixture(now: AuthFixture.now + .seconds(1800))
        let handler = fixture.bearer.protecting(resource.respond)
        let issued = text(fixture.issuer.issue(for: UserID(1)!, at: AuthFixture.now).token)
        #expect(try answer(to: get("Bearer \(issued)"), by: handler) == tokenExpired)
    }

    @Test func `a token for another time or audience is only reported as invalid`() throws {
        let fixture = {
            try AuthFixture(issuer: "gatehouse", audience: "api", requiresSession: true)
        }
        for (reason, members) in [
            ("wrong_issuer", #""exp":1"#), ("wrong_audience", #""iss":"gatehouse","exp":1"#),
            (
                "not_yet_valid",
                #""iss":"gatehouse","aud":"api","nbf":1795244401,"exp":1795244500"#
            ),
            (
                "session_expired",
                #""iss":"gatehouse","aud":"api","sxp":1795244400,"exp":1795244500"#
            ),
        ] {
            let token = forged(payload: #"{"user_id":1,\#(members)}"#)
            let exp = members.hasSuffix(":1") ? "1" : "1795244500"
            try expect(
                get("Bearer \(token)"), gets: invalidToken,
                logs: "WARNING",
                "reason=\(reason) user=1 exp=\(exp) fingerprint=\(fingerprint(of: token))",
                in: fixture())
        }
        // A session is required and missing: the claims are invalid and not logged.
        let token = forged(
            payload: #"{"user_id":1,"iss":"gatehouse","aud":"api","exp":1795244500}"#)
        try expect(
            get("Bearer \(token)"), gets: invalidToken,
            logs: "WARNING", "reason=claims fingerprint=\(fingerprint(of: token))", in: fixture())
    }

    @Test func `a valid token of an unknown user gets 404`() throws {
        try expect(
            get("Bearer \(forged(payload: #"{"user_id":99,"exp":1795244500,"jti":"t-1"}"#))"),
            gets: userNotFound,
            logs: "WARNING", "reason=unknown_user user=99 jti=t-1 exp=1795244500")
        // The user is looked up only if the token is valid.
        let expired = forged(payload: #"{"user_id":99,"exp":1,"jti":"t-1"}"#)
        try expect(
            get("Bearer \(expired)"), gets: tokenExpired,
            logs: "INFO",
            "reason=expired user=99 jti=t-1 exp=1 fingerprint=\(fingerprint(of: expired))")
    }

    @Test
    func `a token of a removed user with revoked sessions gets 404 and is not a replay`() throws {
        let fixture = try AuthFixture { _ in }
        let token = fixture.token(for: 9)
        try fixture.revocations.revokeAll(of: UserID(9)!, at: AuthFixture.now)
        let events = try fixture.events { () throws in
            #expect(try fixture.requestResource(token) == userNotFound)
        }
        #expect(
            events.map { $0.split(separator: " ").prefix(3) } == [
                ["WARNING", "authn_token_rejected", "reason=unknown_user"]
            ])
    }

    @Test func `the claims of a token cannot forge a log line`() throws {
        let id = #"x\n2026-11-21T07:00:00.123Z | INFO | security | y"#
        let token = forged(payload: #"{"user_id":1,"exp":1,"jti":"\#(id)","sid":"\u202e =\""}"#)
        try expect(
            get("Bearer \(token)"), gets: tokenExpired,
            logs: "INFO",
            "reason=expired user=1 "
                + #"jti="x\x0a2026-11-21T07:00:00.123Z | INFO | security | y" "#
                + #"sid="\u{202e} =\"" exp=1 fingerprint=\#(fingerprint(of: token))"#)
    }
}

struct TokenSecrecyTests {
    @Test func `a fingerprint identifies a token and depends on the key`() throws {
        func prints(_ token: String, _ fixture: AuthFixture) throws -> [Substring] {
            let handler = fixture.bearer.protecting(resource.respond)
            _ = try answer(to: get("Bearer \(token)"), by: handler)
            return try fixture.events().compactMap { line in
                line.firstMatch(of: /fingerprint=([0-9a-f]{16})\b/)?.1
            }
        }
        let fixture = try AuthFixture()
        let first = try prints("a.b.c", fixture)
        #expect(first.count == 1)
        #expect(try prints("a.b.c", fixture) == first + first)
        #expect(try Set(prints("a.b.d", fixture)).count == 2)
        #expect(try prints("a.b.c", AuthFixture()) == first)
        let otherKey = HMACSHA256.Key(Array("other".utf8).span)
        #expect(try prints("a.b.c", AuthFixture(fingerprintKey: otherKey)) != first)
    }

    @Test func `no token, part of a token or key is in the log`() throws {
        let fixture = try AuthFixture()
        let login = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond)
        let issued = try #require(login.content.firstMatch(of: /"token":"([^"]+)"/)).1
        let tokens = [
            String(issued), fixture.token(for: 99), forged(payload: #"{"user_id":1,"exp":1}"#),
            forged(payload: #"{"user_id":1,"exp":1795244500,"jti":"t"}"#, secret: [1, 2, 3]),
            forged(header: #"{"alg":"none"}"#, payload: #"{"user_id":1,"exp":1795244500}"#),
            forged(payload: "not JSON at all, and long enough"), String(issued.dropLast(4)),
            "\(issued)=", "\(issued).\(issued)", String(repeating: "abcdefgh", count: 1100),
        ]
        let handler = fixture.bearer.protecting(resource.respond)
        for token in tokens {
            for request in [
                get("Bearer \(token)"), get("Bearer \(token) x"), get(token), get("Basic \(token)"),
                get("Bearer \(token)", "Bearer \(token)"), get(target: "/resource?token=\(token)"),
            ] {
                _ = try answer(to: request, by: handler)
            }
        }
        // Many of them have the same reason within one second.
        _ = fixture.log.stop()
        let count = try fixture.events().reduce(0) { sum, line in
            let suppressed = line.firstMatch(of: /suppressed=([0-9]+)/)
            return sum + (suppressed.flatMap { Int($0.1) } ?? 1)
        }
        #expect(count == 2 + tokens.count * 6)

        let file = try fixture.logFile()
        for token in tokens {
            for segment in token.split(separator: ".") { #expect(!file.contains(segment)) }
        }
        #expect(!file.contains("eyJ"))
        #expect(!file.contains("Bearer"))
        for secret in [AuthFixture.secret, AuthFixture.otherSecret] {
            let hexadecimal = secret.map { String($0, radix: 16) }.joined()
            let spellings = [text(secret), text(Base64URL.encoded(secret.span)), hexadecimal]
            for spelling in spellings { #expect(!file.contains(spelling)) }
        }
    }

    @Test func `refusals are logged at WARNING and above, whatever the log level`() throws {
        let fixture = try AuthFixture()
        fixture.log.levels.set(all: .critical, areas: [.security: .critical])
        let handler = fixture.bearer.protecting(resource.respond)
        for value in ["Bearer a", "Bearer \(fixture.token())", "Basic x"] {
            _ = try answer(to: get(value), by: handler)
        }
        _ = try answer(to: post("{}"), by: fixture.login.respond)
        let words = try fixture.events().map { $0.split(separator: " ")[4] }
        #expect(words == ["authn_token_rejected", "authn_token_rejected", "authn_login_fail"])
    }
}

/// The log's identifier of a token without `jti`: the first 128 bits of its signature's hash.
private func name(of token: String) -> String {
    let signature = Array(token.split(separator: ".")[2].utf8)
    let digest = SHA256.digest(of: signature.span)
    return text(Base64URL.encoded(digest.span.extracting(0..<16)))
}

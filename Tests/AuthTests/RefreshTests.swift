import HTTP
import JWT
import Logging
import Metrics
import POSIX
import Revocation
import TestSupport
import Testing
import Time

@testable import Auth

extension AuthFixture {
    func renew(_ token: String) throws -> Answer {
        try answer(to: post(to: "/refresh", token), by: refresh.respond)
    }

    func logOut(_ token: String, everywhere: Bool = false) throws -> Answer {
        everywhere
            ? try answer(to: post(to: "/logout/all", token), by: logout.endAll)
            : try answer(to: post(to: "/logout", token), by: logout.endSession)
    }
}

private func refusal(_ sentence: String, _ description: String) -> Answer {
    Answer(
        status: 401,
        fields: [
            #"WWW-Authenticate: Bearer realm="gatehouse", error="invalid_token", "#
                + #"error_description="\#(description)""#
        ], content: #"{"error":"\#(sentence)"}"#, isHeldForCommit: true)
}

let tokenRevoked = refusal("Token revoked", "The token was revoked")
private let tokenExpired = refusal("Token expired", "The token expired")
private let sessionExpired = refusal("Session expired", "The token expired")

struct RotatingRefreshTests {
    @Test func `a refresh returns a token of the same session with a later expiry`() throws {
        let fixture = try AuthFixture { _ in }
        let old = fixture.token()
        let oldClaims = try fixture.claims(old)
        fixture.clock.advance(.seconds(100))
        var new = ""
        let events = try fixture.events {
            let answer = try fixture.renew(old)
            new = try answer.token
            #expect(
                answer
                    == Answer(
                        status: 200, fields: ["Pragma: no-cache"],
                        content: #"{"token":"\#(new)","token_type":"Bearer","expires_in":1800,"#
                            + #""session_expires_in":43100}"#,
                        isHeldForCommit: true))
        }
        let claims = try fixture.claims(new)
        #expect(claims.user == oldClaims.user)
        #expect(claims.sessionID == oldClaims.sessionID)
        #expect(claims.sessionExpires == oldClaims.sessionExpires)
        #expect(claims.authenticated == oldClaims.authenticated)
        #expect(claims.issued == Timestamp(seconds: 1_795_244_500))
        #expect(claims.notBefore == claims.issued)
        #expect(claims.expires == Timestamp(seconds: 1_795_246_300))
        let (jti, oldID) = (claims.tokenID?.string, oldClaims.tokenID?.string)
        #expect(jti != oldID)
        #expect(jti?.wholeMatch(of: /[A-Za-z0-9_-]{22}/) != nil)
        let sid = claims.sessionID?.string ?? ""
        #expect(
            events == [
                "INFO authn_token_verified user=1 jti=\(oldID ?? "") sid=\(sid) exp=1795246200 "
                    + "kid=a",
                "INFO authn_token_refreshed user=1 jti=\(jti ?? "") sid=\(sid) exp=1795246300 "
                    + "kid=a old_jti=\(oldID ?? "")",
            ])
        #expect(try fixture.verdict(old) == "good")
        #expect(try fixture.verdict(new) == "good")
        #expect(fixture.sessions.sessions(of: UserID(1)!, at: AuthFixture.now).count == 1)
    }

    @Test
    func `a repeated refresh returns the same token for ten seconds, also after a restart`() throws
    {
        let folder = try TemporaryFolder()
        var successors: Set<String> = []
        let old: String
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            old = fixture.token()
            successors.insert(try fixture.renew(old).token)
            fixture.clock.advance(TimeAmount(milliseconds: 9998))
            successors.insert(try fixture.renew(old).token)
        }
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.now = AuthFixture.now + TimeAmount(milliseconds: 9999)
        }
        successors.insert(try fixture.renew(old).token)
        #expect(successors.count == 1)
        #expect(try fixture.verdict(old) == "good")
        // A successor can be refreshed like any other token.
        let second = try fixture.renew(successors.first!).token
        #expect(try fixture.verdict(second) == "good")
        #expect(try fixture.claims(second).sessionID == fixture.claims(old).sessionID)
        // After ten seconds it is a replay.
        fixture.clock.advance(TimeAmount(milliseconds: 1))
        #expect(try fixture.requestResource(old) == tokenRevoked)
        #expect(try fixture.requestResource(second) == tokenRevoked)
    }

    @Test(arguments: Refresh.Mode.allCases)
    func `a refresh never returns a token that expires earlier than the old one`(mode: Refresh.Mode)
        throws
    {
        let fixture = try AuthFixture { $0.refresh = mode }
        // From another issuer: the token is its own session.
        let foreign = forged(payload: #"{"user_id":1,"iat":1795244400,"exp":1795249400}"#)
        #expect(
            try fixture.claims(fixture.renew(foreign).token).expires
                == fixture.claims(foreign).expires)
        // Issued before the configured lifetime was shortened.
        let longer = try AuthFixture { $0.refresh = mode }
        let token = longer.token()
        let shorter = try AuthFixture {
            $0.refresh = mode
            $0.lifetime = .seconds(60)
        }
        #expect(
            try shorter.claims(shorter.renew(token).token).expires == shorter.claims(token).expires)
    }

    @Test
    func `a refresh that cannot be logged is refused and leaves the token unchanged`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.logFileSystem = disk.fileSystem
            $0.requiresDurableRecord = true
        }
        let token = fixture.token()
        disk.fail(with: .noSpace)
        let refused = try fixture.renew(token)
        #expect(refused.status == 503)
        #expect(refused.errorMessage == "Log unavailable")
        #expect(refused.field("Retry-After") == "1")
        #expect(refused.isHeldForCommit)
        #expect(try fixture.logOut(token).errorMessage == "Log unavailable")
        #expect(try fixture.logOut(token, everywhere: true).errorMessage == "Log unavailable")
        #expect(fixture.revocations.count == 0)
        // Long after the grace period.
        fixture.clock.advance(.seconds(600))
        disk.fail(with: nil)
        let answer = try fixture.renew(token)
        // The refresh is durable, whatever happens to other lines of the batch.
        #expect(!answer.isHeldForCommit)
        let new = try answer.token
        #expect(try fixture.verdict(new) == "good")
        #expect(try fixture.renew(token).token == new)
        let lines = try fixture.logFile().split(separator: "\n").filter {
            $0.contains("authn_token_refreshed") || $0.contains("session_logout")
                || $0.contains("revocation_failed")
        }
        // The events that had to be logged first reach the log late, each followed by its failure.
        #expect(lines.count == 8)
        for index in stride(from: 1, to: 6, by: 2) {
            #expect(
                lines[index].contains("revocation_failed reason=\"No space left on device\" user=1")
            )
        }
        #expect(lines[6...].allSatisfy { $0.contains("authn_token_refreshed") })
        #expect(try !fixture.logFile().contains("CRITICAL"))
        #expect(try fixture.logOut(new).status == 204)
        #expect(try fixture.requestResource(new) == tokenRevoked)
    }

    @Test
    func `a token that returns after the grace period ends its session at every endpoint`() throws {
        for (place, wait) in [0, 1, 2, 3, 4].flatMap({ [($0, 10_000), ($0, 600_000)] }) {
            let fixture = try AuthFixture { _ in }
            let old = fixture.token()
            let other = fixture.token()
            let new = try fixture.renew(old).token
            let claims = try fixture.claims(old)
            let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
            fixture.clock.advance(TimeAmount(milliseconds: Int64(wait)))
            let events = try fixture.events { () throws in
                switch place {
                case 0: #expect(try fixture.requestResource(old) == tokenRevoked)
                case 1: #expect(try fixture.renew(old) == tokenRevoked)
                case 2: #expect(try fixture.logOut(old) == tokenRevoked)
                case 3: #expect(try fixture.logOut(old, everywhere: true) == tokenRevoked)
                default:
                    let verify = fixture.bearer.protecting(Verify(.demo).respond)
                    #expect(try answer(to: get("Bearer \(old)"), by: verify) == tokenRevoked)
                }
            }
            #expect(
                events == [
                    "CRITICAL authn_token_reuse user=1 jti=\(jti) sid=\(sid) revoked_at=1795244400",
                    "INFO authn_token_revoked user=1 sid=\(sid) by=reuse",
                ])
            #expect(try fixture.requestResource(new) == tokenRevoked)
            #expect(try fixture.renew(new) == tokenRevoked)
            #expect(try fixture.verdict(other) == "good")
            #expect(fixture.security.counters.tokensReused.value == 3)
            #expect(fixture.security.counters.revocations.value == 1)
        }
    }

    @Test func `a replay is remembered after a restart`() throws {
        let folder = try TemporaryFolder()
        let new: String
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            let old = fixture.token()
            new = try fixture.renew(old).token
            fixture.clock.advance(.seconds(10))
            #expect(try fixture.requestResource(old) == tokenRevoked)
            // It is written after the response.
            #expect(eventually { fixture.revocations.statistics.unwritten == 0 })
        }
        // The old process releases the journal a moment later.
        var next: AuthFixture?
        #expect(
            try eventually {
                do { next = try AuthFixture { $0.journal = folder.path("journal") } } catch {
                    guard case RevocationsError.inUse = error else { throw error }
                }
                return next != nil
            })
        let fixture = try #require(next)
        #expect(try fixture.requestResource(new) == tokenRevoked)
    }

    @Test func `no refresh returns a token that outlives its session`() throws {
        let fixture = try AuthFixture {
            $0.lifetime = .seconds(1000)
            $0.sessionLifetime = .seconds(2500)
            $0.leeway = .seconds(5)
        }
        var token = fixture.token()
        let first = try fixture.claims(token)
        let end = try #require(first.sessionExpires)
        var count = 0
        while true {
            fixture.clock.advance(.seconds(400))
            let answer = try fixture.renew(token)
            guard answer.status == 200 else { break }
            token = try answer.token
            count += 1
            let claims = try fixture.claims(token)
            #expect(claims.expires <= end)
            #expect(claims.sessionExpires == end)
            #expect(claims.authenticated == first.authenticated)
            #expect(claims.sessionID == first.sessionID)
        }
        #expect(count == 6)
        #expect(try fixture.renew(token) == sessionExpired)
        // Within the leeway the token is still valid, although the session has ended.
        fixture.clock.set(end + .seconds(4))
        let events = try fixture.events { () throws in
            #expect(try fixture.renew(token) == sessionExpired)
        }
        #expect(
            events.last?.hasPrefix("WARNING authn_token_rejected reason=session_expired ") == true)
        #expect(try fixture.verdict(token) == "good")
        fixture.clock.set(end + .seconds(5))
        #expect(try fixture.renew(token) == sessionExpired)
        #expect(try fixture.requestResource(token) == tokenExpired)
    }

    @Test func `an expired token and an expired session are reported differently`() throws {
        let fixture = try AuthFixture { _ in }
        let token = fixture.token()
        fixture.clock.advance(.seconds(1800))
        #expect(try fixture.renew(token) == tokenExpired)
        fixture.clock.advance(.seconds(43_200 - 1801))
        #expect(try fixture.renew(token) == tokenExpired)
        fixture.clock.advance(.seconds(1))
        #expect(try fixture.renew(token) == sessionExpired)
    }

    @Test func `a refresh is refused if the user was removed or is disabled`() throws {
        let disabled = User(id: UserID(2)!, username: "b", name: "B", isDisabled: true)
        let fixture = try AuthFixture { $0.users = UserDirectory([disabled]) }
        for user in [1, 2] as [Int64] {
            let answer = try fixture.renew(fixture.token(for: user))
            #expect(answer.status == 404)
            #expect(answer.errorMessage == "User not found")
        }
    }

    @Test func `a hundred concurrent refreshes of one token return one successor`() throws {
        let folder = try TemporaryFolder()
        let fixture = try AuthFixture { $0.journal = folder.path("journal") }
        let old = fixture.token()
        let successors = Monitor<Set<String>>([])
        inThreads(20) { _ in
            for _ in 0..<5 {
                let token = (try? fixture.renew(old).token) ?? "none"
                successors.withLock { _ = $0.insert(token) }
            }
        }
        let found = successors.withLock { $0 }
        #expect(found.count == 1)
        #expect(try fixture.verdict(found.first!) == "good")
        #expect(fixture.revocations.statistics.spentTokens == 1)
    }

    @Test
    func `a refresh accepts a token signed with the old key and signs with the new one`() throws {
        let old = try AuthFixture { $0.keys = ["b"] }
        let token = old.token()
        let fixture = try AuthFixture { _ in }
        let new = try fixture.renew(token).token
        // {"alg":"HS256","typ":"JWT","kid":"a"}
        #expect(new.hasPrefix("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImEifQ."))
        #expect(try fixture.renew(token).token == new)
        #expect(
            try fixture.events().contains { $0.contains("refreshed") && $0.contains(" kid=a ") })
        // Without the old key, its key id is unknown.
        let last = try AuthFixture { $0.keys = ["a"] }
        #expect(try last.verdict(token) == "401 Invalid token")
        #expect(try last.verdict(new) == "good")
        #expect(try last.events().first?.contains("reason=unknown_kid") == true)
    }

    @Test
    func `the identifier of a successor cannot be computed from the old token alone`() throws {
        let one = try AuthFixture { $0.keys = ["a"] }
        let other = try AuthFixture { $0.keys = ["b"] }
        var claims = try one.claims(one.token())
        claims.tokenID = ShortText(Array("t".utf8).span)
        func name(_ fixture: AuthFixture) -> String? {
            fixture.issuer.successor(of: claims, exchanged: AuthFixture.now)?.claims.tokenID?.string
        }
        #expect(name(one) != name(other))
        #expect(name(one) == name(one))
    }
}

struct ExtendingRefreshTests {
    @Test func `extending keeps the old token valid and never moves the session's end`() throws {
        let fixture = try AuthFixture { $0.refresh = .extend }
        let old = fixture.token()
        let claims = try fixture.claims(old)
        fixture.clock.advance(.seconds(1000))
        let new = try fixture.renew(old).token
        let other = try fixture.renew(old).token
        #expect(new != other)
        fixture.clock.advance(.seconds(700))
        for token in [old, new, other] { #expect(try fixture.verdict(token) == "good") }
        fixture.clock.advance(.seconds(100))
        #expect(try fixture.requestResource(old) == tokenExpired)
        var last = new
        while try fixture.renew(last).status == 200 {
            last = try fixture.renew(last).token
            #expect(try fixture.claims(last).sessionExpires == claims.sessionExpires)
            #expect(try fixture.claims(last).expires <= claims.sessionExpires!)
            fixture.clock.advance(.seconds(1700))
        }
        #expect(try fixture.renew(last) == sessionExpired)
        // A logout ends all tokens of the session.
        let (one, two) = (fixture.token(), fixture.token())
        let three = try fixture.renew(one).token
        #expect(try fixture.logOut(one).status == 204)
        #expect(try fixture.requestResource(three) == tokenRevoked)
        #expect(try fixture.verdict(two) == "good")
    }
}

struct ForeignRefreshTests {
    @Test func `a foreign token's session ends at the token's expiry and can be revoked`() throws {
        let fixture = try AuthFixture { _ in }
        let token = forged(payload: #"{"user_id":1,"iat":1795244300,"exp":1795245400}"#)
        let new = try fixture.renew(token).token
        let claims = try fixture.claims(new)
        #expect(claims.expires == Timestamp(seconds: 1_795_245_400))
        #expect(claims.sessionExpires == claims.expires)
        #expect(claims.authenticated == Timestamp(seconds: 1_795_244_300))
        #expect(try fixture.renew(token).token == new)
        fixture.clock.advance(.seconds(10))
        #expect(try fixture.requestResource(token) == tokenRevoked)
        #expect(try fixture.requestResource(new) == tokenRevoked)
        let other = forged(payload: #"{"user_id":1,"iat":1795244301,"exp":1795245400}"#)
        #expect(try fixture.verdict(other) == "good")
        #expect(try fixture.logOut(other).status == 204)
        #expect(try fixture.requestResource(other) == tokenRevoked)
        let third = forged(payload: #"{"user_id":1,"iat":1795244302,"exp":1795244500}"#)
        fixture.clock.set(Timestamp(seconds: 1_795_244_500))
        #expect(try fixture.renew(third) == tokenExpired)
    }

    @Test func `a token without a session is refused where sessions are required`() throws {
        let fixture = try AuthFixture { $0.requiresSession = true }
        for members in ["", #","sid":"s""#, #","sxp":1795246000"#] {
            let token = forged(payload: #"{"user_id":1,"exp":1795245400\#(members)}"#)
            #expect(try fixture.renew(token).errorMessage == "Invalid token")
        }
        let token = forged(
            payload: #"{"user_id":1,"exp":1795245400,"sid":"s","sxp":1795246000}"#)
        let claims = try fixture.claims(fixture.renew(token).token)
        #expect(claims.expires == Timestamp(seconds: 1_795_246_000))
    }

    @Test func `a refresh does not make a session look younger than it is`() throws {
        let fixture = try AuthFixture { _ in }
        let token = forged(payload: #"{"user_id":1,"exp":1795248000}"#)
        let claims = try fixture.claims(fixture.renew(token).token)
        #expect(claims.sessionStart == nil)
        #expect(claims.issued == nil)
        try fixture.revocations.revokeAll(of: UserID(1)!, at: AuthFixture.now + .seconds(-1000))
        #expect(try fixture.requestResource(token) == tokenRevoked)
    }

    @Test func `a logout revokes all tokens of a named session that has no end`() throws {
        let fixture = try AuthFixture { _ in }
        let short = forged(payload: #"{"user_id":1,"iat":1,"exp":1795244500,"sid":"s"}"#)
        let long = forged(payload: #"{"user_id":1,"iat":1,"exp":1795344500,"sid":"s"}"#)
        let renewed = try fixture.renew(short).token
        #expect(try fixture.claims(renewed).expires == Timestamp(seconds: 1_795_244_500))
        #expect(try fixture.logOut(renewed).status == 204)
        fixture.clock.advance(.seconds(50_000))
        fixture.revocations.removeExpired(at: fixture.clock.clock.now())
        #expect(try fixture.requestResource(long) == tokenRevoked)
    }
}

struct RefreshFailureTests {
    @Test
    func `a refresh whose journal write fails gets 503 and leaves the token unchanged`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
        }
        let token = fixture.token()
        disk.fail(with: .noSpace)
        let answer = try fixture.renew(token)
        #expect(
            answer
                == Answer(
                    status: 503, fields: ["Retry-After: 1"],
                    content: #"{"error":"Storage unavailable"}"#, isHeldForCommit: true))
        #expect(try fixture.logFile().contains(" | ERROR | app | revocation_failed reason="))
        #expect(try !fixture.events().contains { $0.contains("refreshed") })
        // Long after the grace period: the token has not been exchanged.
        fixture.clock.advance(.seconds(60))
        #expect(try fixture.verdict(token) == "good")
        #expect(try fixture.renew(token).status == 503)
        disk.fail(with: nil)
        let new = try fixture.renew(token).token
        #expect(try fixture.verdict(new) == "good")
        fixture.clock.advance(.seconds(10))
        #expect(try fixture.requestResource(token) == tokenRevoked)
    }

    @Test func `a second refresh gets no token before the first exchange is on disk`() throws {
        let folder = try TemporaryFolder()
        let asked = Monitor<AuthFixture?>(nil)
        let seconds = Monitor<[String]>([])
        let token = Monitor("")
        // While the first exchange is being written, the second request arrives; then the write
        // fails.
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .write, let fixture = asked.withLock({ $0 }) else { return .done }
            asked.withLock { $0 = nil }
            let token = token.withLock { $0 }
            // The worker must not answer without waiting for the disk.
            let kind = try? answer(to: post(to: "/refresh", token)) { request in
                guard case .offloaded = fixture.refresh.respond(to: request) else {
                    return .error(.internalServerError)
                }
                return .error(.serviceUnavailable)
            }
            seconds.withLock { $0.append("\(kind?.status ?? 0)") }
            return .failed(.noSpace)
        }
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = fileSystem
        }
        token.withLock { $0 = fixture.token() }
        asked.withLock { $0 = fixture }
        #expect(try fixture.renew(token.withLock { $0 }).status == 503)
        #expect(seconds.withLock { $0 } == ["503"])
    }
}

struct RefreshLimitTests {
    @Test
    func `a session is limited after 600 refreshes a minute, and no other session is`() throws {
        let limit = RefreshLimit()
        let session = Array("session".utf8)
        for _ in 0..<600 {
            #expect(limit.wait(beforeRefreshing: session.span, at: AuthFixture.now) == nil)
        }
        let wait = limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(20))
        #expect(wait == .seconds(40))
        // Far more sessions than the table has entries.
        let others = (0..<40_000).count { number in
            let other = Array("other \(number)".utf8)
            return limit.wait(beforeRefreshing: other.span, at: AuthFixture.now) != nil
        }
        #expect(others == 0)
        // The session has kept its count.
        #expect(limit.wait(beforeRefreshing: session.span, at: AuthFixture.now) != nil)
        #expect(
            limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(60)) == nil)
        // A clock that goes back starts a new window.
        #expect(
            limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(-60)) == nil)
    }

    @Test func `a user's refreshes are limited only while the table is filling up`() throws {
        let fixture = try AuthFixture { $0.revocationLimit = 400 }
        let (tokens, other) = ((0..<170).map { _ in fixture.token() }, fixture.token(for: 2))
        let answers = try tokens.map { try fixture.renew($0).status }
        // A hundred exchanges fill a quarter of the table; sixty more are allowed.
        #expect(answers.prefix(161).allSatisfy { $0 == 200 })
        #expect(answers.suffix(9).allSatisfy { $0 == 429 })
        #expect(try fixture.renew(other).status == 200)
    }

    @Test func `a refresh over the limit gets 429 and is logged`() throws {
        let fixture = try AuthFixture { $0.refresh = .extend }
        let token = fixture.token()
        for _ in 0..<600 { #expect(try fixture.renew(token).status == 200) }
        let events = try fixture.events {
            let answer = try fixture.renew(token)
            #expect(answer.status == 429)
            #expect(answer.field("Retry-After") == "60")
            #expect(answer.errorMessage == "Too many attempts")
        }
        #expect(
            events.last == "WARNING authn_login_throttled user=1 reason=session until=1795244460")
    }
}

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
        ], content: #"{"error":"\#(sentence)"}"#, isAudited: true)
}

let tokenRevoked = refusal("Token revoked", "The token was revoked")
private let tokenExpired = refusal("Token expired", "The token expired")
private let sessionExpired = refusal("Session expired", "The token expired")

@Suite("A refresh that rotates")
struct RotatingRefreshTests {
    @Test("gives a token of the same session that is good for longer")
    func successor() throws {
        let house = try AuthFixture { _ in }
        let old = house.token()
        let oldClaims = try house.claims(old)
        house.clock.advance(.seconds(100))
        var new = ""
        let events = try house.events {
            let answer = try house.renew(old)
            new = try answer.token
            #expect(
                answer
                    == Answer(
                        status: 200, fields: ["Pragma: no-cache"],
                        content: #"{"token":"\#(new)","token_type":"Bearer","expires_in":1800,"#
                            + #""session_expires_in":43100}"#,
                        isAudited: true))
        }
        let claims = try house.claims(new)
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
                "INFO authn_token_verified user=1 jti=\(oldID ?? "") sid=\(sid) exp=1795246200 kid=a",
                "INFO authn_token_refreshed user=1 jti=\(jti ?? "") sid=\(sid) exp=1795246300 kid=a "
                    + "old_jti=\(oldID ?? "")",
            ])
        #expect(try house.verdict(old) == "good")
        #expect(try house.verdict(new) == "good")
        #expect(house.sessions.sessions(of: UserID(1)!, at: AuthFixture.now).count == 1)
    }

    @Test("gives the same token for ten seconds, before and after a restart")
    func same() throws {
        let folder = try TemporaryFolder()
        var successors: Set<String> = []
        let old: String
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            old = house.token()
            successors.insert(try house.renew(old).token)
            house.clock.advance(TimeAmount(milliseconds: 9998))
            successors.insert(try house.renew(old).token)
        }
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.now = AuthFixture.now + TimeAmount(milliseconds: 9999)
        }
        successors.insert(try house.renew(old).token)
        #expect(successors.count == 1)
        #expect(try house.verdict(old) == "good")
        // A successor is a token like any other.
        let second = try house.renew(successors.first!).token
        #expect(try house.verdict(second) == "good")
        #expect(try house.claims(second).sessionID == house.claims(old).sessionID)
        // From ten seconds on it is a replay.
        house.clock.advance(TimeAmount(milliseconds: 1))
        #expect(try house.visit(old) == tokenRevoked)
        #expect(try house.visit(second) == tokenRevoked)
    }

    @Test("never shortens a token's life", arguments: Refresh.Mode.allCases)
    func lasting(mode: Refresh.Mode) throws {
        let house = try AuthFixture { $0.refresh = mode }
        // Of another issuer: its session is itself.
        let foreign = forged(payload: #"{"user_id":1,"iat":1795244400,"exp":1795249400}"#)
        #expect(
            try house.claims(house.renew(foreign).token).expires == house.claims(foreign).expires)
        // From before the tokens were made shorter.
        let longer = try AuthFixture { $0.refresh = mode }
        let token = longer.token()
        let shorter = try AuthFixture {
            $0.refresh = mode
            $0.lifetime = .seconds(60)
        }
        #expect(
            try shorter.claims(shorter.renew(token).token).expires == shorter.claims(token).expires)
    }

    @Test("that is refused because the log cannot be written leaves the token as it was")
    func unrecorded() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.logFileSystem = disk.fileSystem
            $0.refusesUnrecorded = true
        }
        let token = house.token()
        disk.fail(with: .noSpace)
        let refused = try house.renew(token)
        #expect(refused.status == 503)
        #expect(refused.sentence == "Log unavailable")
        #expect(refused.field("Retry-After") == "1")
        #expect(refused.isAudited)
        #expect(try house.logOut(token).sentence == "Log unavailable")
        #expect(try house.logOut(token, everywhere: true).sentence == "Log unavailable")
        #expect(house.revocations.count == 0)
        // Long after the grace.
        house.clock.advance(.seconds(600))
        disk.fail(with: nil)
        let answer = try house.renew(token)
        // It is done, whatever becomes of others' lines.
        #expect(!answer.isAudited)
        let new = try answer.token
        #expect(try house.verdict(new) == "good")
        #expect(try house.renew(token).token == new)
        let lines = try house.logFile().split(separator: "\n").filter {
            $0.contains("authn_token_refreshed") || $0.contains("session_logout")
                || $0.contains("revocation_failed")
        }
        // What had to be in the log first stands there late, and behind it that nothing came of it.
        #expect(lines.count == 8)
        for index in stride(from: 1, to: 6, by: 2) {
            #expect(
                lines[index].contains("revocation_failed reason=\"No space left on device\" user=1")
            )
        }
        #expect(lines[6...].allSatisfy { $0.contains("authn_token_refreshed") })
        #expect(try !house.logFile().contains("CRITICAL"))
        #expect(try house.logOut(new).status == 204)
        #expect(try house.visit(new) == tokenRevoked)
    }

    @Test("takes a token that comes back later for a stolen one, wherever it comes")
    func replay() throws {
        for (place, wait) in [0, 1, 2, 3, 4].flatMap({ [($0, 10_000), ($0, 600_000)] }) {
            let house = try AuthFixture { _ in }
            let old = house.token()
            let other = house.token()
            let new = try house.renew(old).token
            let claims = try house.claims(old)
            let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
            house.clock.advance(TimeAmount(milliseconds: Int64(wait)))
            let events = try house.events { () throws in
                switch place {
                case 0: #expect(try house.visit(old) == tokenRevoked)
                case 1: #expect(try house.renew(old) == tokenRevoked)
                case 2: #expect(try house.logOut(old) == tokenRevoked)
                case 3: #expect(try house.logOut(old, everywhere: true) == tokenRevoked)
                default:
                    let verify = house.bearer.protecting(Verify(.demo).respond)
                    #expect(try answer(to: get("Bearer \(old)"), by: verify) == tokenRevoked)
                }
            }
            #expect(
                events == [
                    "CRITICAL authn_token_reuse user=1 jti=\(jti) sid=\(sid) revoked_at=1795244400",
                    "INFO authn_token_revoked user=1 sid=\(sid) by=reuse",
                ])
            #expect(try house.visit(new) == tokenRevoked)
            #expect(try house.renew(new) == tokenRevoked)
            #expect(try house.verdict(other) == "good")
            #expect(house.security.counters.tokensReused.value == 3)
            #expect(house.security.counters.revocations.value == 1)
        }
    }

    @Test("remembers a replay after a restart")
    func replayStays() throws {
        let folder = try TemporaryFolder()
        let new: String
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            let old = house.token()
            new = try house.renew(old).token
            house.clock.advance(.seconds(10))
            #expect(try house.visit(old) == tokenRevoked)
            // It is written behind the answer.
            #expect(eventually { house.revocations.statistics.unwritten == 0 })
        }
        // Whoever wrote it lets go of the journal a moment later.
        var next: AuthFixture?
        #expect(
            try eventually {
                do { next = try AuthFixture { $0.journal = folder.path("journal") } } catch {
                    guard case RevocationsError.inUse = error else { throw error }
                }
                return next != nil
            })
        let house = try #require(next)
        #expect(try house.visit(new) == tokenRevoked)
    }

    @Test("never makes a token that outlives its session, however often it is asked")
    func sessionEnd() throws {
        let house = try AuthFixture {
            $0.lifetime = .seconds(1000)
            $0.sessionLifetime = .seconds(2500)
            $0.leeway = .seconds(5)
        }
        var token = house.token()
        let first = try house.claims(token)
        let end = try #require(first.sessionExpires)
        var count = 0
        while true {
            house.clock.advance(.seconds(400))
            let answer = try house.renew(token)
            guard answer.status == 200 else { break }
            token = try answer.token
            count += 1
            let claims = try house.claims(token)
            #expect(claims.expires <= end)
            #expect(claims.sessionExpires == end)
            #expect(claims.authenticated == first.authenticated)
            #expect(claims.sessionID == first.sessionID)
        }
        #expect(count == 6)
        #expect(try house.renew(token) == sessionExpired)
        // Within the leeway the token is still good, and the session over.
        house.clock.set(end + .seconds(4))
        let events = try house.events { () throws in
            #expect(try house.renew(token) == sessionExpired)
        }
        #expect(
            events.last?.hasPrefix("WARNING authn_token_rejected reason=session_expired ") == true)
        #expect(try house.verdict(token) == "good")
        house.clock.set(end + .seconds(5))
        #expect(try house.renew(token) == sessionExpired)
        #expect(try house.visit(token) == tokenExpired)
    }

    @Test("tells a token that has expired from a session that has")
    func expired() throws {
        let house = try AuthFixture { _ in }
        let token = house.token()
        house.clock.advance(.seconds(1800))
        #expect(try house.renew(token) == tokenExpired)
        house.clock.advance(.seconds(43_200 - 1801))
        #expect(try house.renew(token) == tokenExpired)
        house.clock.advance(.seconds(1))
        #expect(try house.renew(token) == sessionExpired)
    }

    @Test("is refused to somebody who is not there any more, and to one who is disabled")
    func unknownUser() throws {
        let disabled = User(id: UserID(2)!, username: "b", name: "B", isDisabled: true)
        let house = try AuthFixture { $0.users = UserDirectory([disabled]) }
        for user in [1, 2] as [Int64] {
            let answer = try house.renew(house.token(for: user))
            #expect(answer.status == 404)
            #expect(answer.sentence == "User not found")
        }
    }

    @Test("gives a hundred who ask at once one successor")
    func concurrency() throws {
        let folder = try TemporaryFolder()
        let house = try AuthFixture { $0.journal = folder.path("journal") }
        let old = house.token()
        let successors = Monitor<Set<String>>([])
        inThreads(20) { _ in
            for _ in 0..<5 {
                let token = (try? house.renew(old).token) ?? "none"
                successors.withLock { _ = $0.insert(token) }
            }
        }
        let found = successors.withLock { $0 }
        #expect(found.count == 1)
        #expect(try house.verdict(found.first!) == "good")
        #expect(house.revocations.statistics.spentTokens == 1)
    }

    @Test("takes a token by the old key and signs with the new one")
    func keyRotation() throws {
        let old = try AuthFixture { $0.keys = ["b"] }
        let token = old.token()
        let house = try AuthFixture { _ in }
        let new = try house.renew(token).token
        // {"alg":"HS256","typ":"JWT","kid":"a"}
        #expect(new.hasPrefix("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImEifQ."))
        #expect(try house.renew(token).token == new)
        #expect(try house.events().contains { $0.contains("refreshed") && $0.contains(" kid=a ") })
        // Without the old key it is one that nobody knows.
        let last = try AuthFixture { $0.keys = ["a"] }
        #expect(try last.verdict(token) == "401 Invalid token")
        #expect(try last.verdict(new) == "good")
        #expect(try last.events().first?.contains("reason=unknown_kid") == true)
    }

    @Test("tells nobody a successor's name who has the old token alone")
    func successorID() throws {
        let one = try AuthFixture { $0.keys = ["a"] }
        let other = try AuthFixture { $0.keys = ["b"] }
        var claims = try one.claims(one.token())
        claims.tokenID = ShortText(Array("t".utf8).span)
        func name(_ house: AuthFixture) -> String? {
            house.issuer.successor(of: claims, exchanged: AuthFixture.now)?.claims.tokenID?.string
        }
        #expect(name(one) != name(other))
        #expect(name(one) == name(one))
    }
}

@Suite("A refresh that extends")
struct ExtendingRefreshTests {
    @Test("leaves the old token good to its own end, and the session's end where it was")
    func extend() throws {
        let house = try AuthFixture { $0.refresh = .extend }
        let old = house.token()
        let claims = try house.claims(old)
        house.clock.advance(.seconds(1000))
        let new = try house.renew(old).token
        let other = try house.renew(old).token
        #expect(new != other)
        house.clock.advance(.seconds(700))
        for token in [old, new, other] { #expect(try house.verdict(token) == "good") }
        house.clock.advance(.seconds(100))
        #expect(try house.visit(old) == tokenExpired)
        var last = new
        while try house.renew(last).status == 200 {
            last = try house.renew(last).token
            #expect(try house.claims(last).sessionExpires == claims.sessionExpires)
            #expect(try house.claims(last).expires <= claims.sessionExpires!)
            house.clock.advance(.seconds(1700))
        }
        #expect(try house.renew(last) == sessionExpired)
        // Logging out ends all of them.
        let (one, two) = (house.token(), house.token())
        let three = try house.renew(one).token
        #expect(try house.logOut(one).status == 204)
        #expect(try house.visit(three) == tokenRevoked)
        #expect(try house.verdict(two) == "good")
    }
}

@Suite("A refresh of a token from elsewhere")
struct ForeignRefreshTests {
    @Test("never reaches past its own end, and can be revoked")
    func foreign() throws {
        let house = try AuthFixture { _ in }
        let token = forged(payload: #"{"user_id":1,"iat":1795244300,"exp":1795245400}"#)
        let new = try house.renew(token).token
        let claims = try house.claims(new)
        #expect(claims.expires == Timestamp(seconds: 1_795_245_400))
        #expect(claims.sessionExpires == claims.expires)
        #expect(claims.authenticated == Timestamp(seconds: 1_795_244_300))
        #expect(try house.renew(token).token == new)
        house.clock.advance(.seconds(10))
        #expect(try house.visit(token) == tokenRevoked)
        #expect(try house.visit(new) == tokenRevoked)
        let other = forged(payload: #"{"user_id":1,"iat":1795244301,"exp":1795245400}"#)
        #expect(try house.verdict(other) == "good")
        #expect(try house.logOut(other).status == 204)
        #expect(try house.visit(other) == tokenRevoked)
        let third = forged(payload: #"{"user_id":1,"iat":1795244302,"exp":1795244500}"#)
        house.clock.set(Timestamp(seconds: 1_795_244_500))
        #expect(try house.renew(third) == tokenExpired)
    }

    @Test("is refused where a session is required")
    func sessionRequired() throws {
        let house = try AuthFixture { $0.requiresSession = true }
        for members in ["", #","sid":"s""#, #","sxp":1795246000"#] {
            let token = forged(payload: #"{"user_id":1,"exp":1795245400\#(members)}"#)
            #expect(try house.renew(token).sentence == "Invalid token")
        }
        let token = forged(
            payload: #"{"user_id":1,"exp":1795245400,"sid":"s","sxp":1795246000}"#)
        let claims = try house.claims(house.renew(token).token)
        #expect(claims.expires == Timestamp(seconds: 1_795_246_000))
    }

    @Test("does not make a session look younger than it is")
    func beginning() throws {
        let house = try AuthFixture { _ in }
        let token = forged(payload: #"{"user_id":1,"exp":1795248000}"#)
        let claims = try house.claims(house.renew(token).token)
        #expect(claims.sessionStart == nil)
        #expect(claims.issued == nil)
        try house.revocations.endAll(of: UserID(1)!, at: AuthFixture.now + .seconds(-1000))
        #expect(try house.visit(token) == tokenRevoked)
    }

    @Test("of a session with a name and no end, ends that session for good when it is ended")
    func nameWithoutEnd() throws {
        let house = try AuthFixture { _ in }
        let short = forged(payload: #"{"user_id":1,"iat":1,"exp":1795244500,"sid":"s"}"#)
        let long = forged(payload: #"{"user_id":1,"iat":1,"exp":1795344500,"sid":"s"}"#)
        let renewed = try house.renew(short).token
        #expect(try house.claims(renewed).expires == Timestamp(seconds: 1_795_244_500))
        #expect(try house.logOut(renewed).status == 204)
        house.clock.advance(.seconds(50_000))
        house.revocations.removeExpired(at: house.clock.clock.now())
        #expect(try house.visit(long) == tokenRevoked)
    }
}

@Suite("A refresh whose journal cannot be written")
struct RefreshFailureTests {
    @Test("is answered 503, and leaves the token as it was")
    func failure() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
        }
        let token = house.token()
        disk.fail(with: .noSpace)
        let answer = try house.renew(token)
        #expect(
            answer
                == Answer(
                    status: 503, fields: ["Retry-After: 1"],
                    content: #"{"error":"Storage unavailable"}"#, isAudited: true))
        #expect(try house.logFile().contains(" | ERROR | app | revocation_failed reason="))
        #expect(try !house.events().contains { $0.contains("refreshed") })
        // Long after: it has not been exchanged.
        house.clock.advance(.seconds(60))
        #expect(try house.verdict(token) == "good")
        #expect(try house.renew(token).status == 503)
        disk.fail(with: nil)
        let new = try house.renew(token).token
        #expect(try house.verdict(new) == "good")
        house.clock.advance(.seconds(10))
        #expect(try house.visit(token) == tokenRevoked)
    }

    @Test("gives nothing to the second who asks before the first is on the disk")
    func second() throws {
        let folder = try TemporaryFolder()
        let asked = Monitor<AuthFixture?>(nil)
        let seconds = Monitor<[String]>([])
        let token = Monitor("")
        // Where the first's record is being written, the second comes, and the write fails.
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .write, let house = asked.withLock({ $0 }) else { return .done }
            asked.withLock { $0 = nil }
            let token = token.withLock { $0 }
            // On the worker nothing is given out.
            let kind = try? answer(to: post(to: "/refresh", token)) { request in
                guard case .slow = house.refresh.respond(to: request) else {
                    return .error(.internalServerError)
                }
                return .error(.serviceUnavailable)
            }
            seconds.withLock { $0.append("\(kind?.status ?? 0)") }
            return .failed(.noSpace)
        }
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = fileSystem
        }
        token.withLock { $0 = house.token() }
        asked.withLock { $0 = house }
        #expect(try house.renew(token.withLock { $0 }).status == 503)
        #expect(seconds.withLock { $0 } == ["503"])
    }
}

@Suite("A session that is renewed in a loop")
struct RefreshLimitTests {
    @Test("is told to wait after six hundred times in a minute, and no other is")
    func limit() throws {
        let limit = RefreshLimit()
        let session = Array("session".utf8)
        for _ in 0..<600 {
            #expect(limit.wait(beforeRefreshing: session.span, at: AuthFixture.now) == nil)
        }
        let wait = limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(20))
        #expect(wait == .seconds(40))
        // Far more than there are places.
        let others = (0..<40_000).count { number in
            let other = Array("other \(number)".utf8)
            return limit.wait(beforeRefreshing: other.span, at: AuthFixture.now) != nil
        }
        #expect(others == 0)
        // It has not lost its count to them.
        #expect(limit.wait(beforeRefreshing: session.span, at: AuthFixture.now) != nil)
        #expect(
            limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(60)) == nil)
        // A clock that goes back begins anew.
        #expect(
            limit.wait(beforeRefreshing: session.span, at: AuthFixture.now + .seconds(-60)) == nil)
    }

    @Test("is told to wait for its user's sake where few more can be remembered, and not before")
    func crowd() throws {
        let house = try AuthFixture { $0.revocationLimit = 400 }
        let (tokens, other) = ((0..<170).map { _ in house.token() }, house.token(for: 2))
        let answers = try tokens.map { try house.renew($0).status }
        // A hundred fill a quarter of the table; sixty more are let through.
        #expect(answers.prefix(161).allSatisfy { $0 == 200 })
        #expect(answers.suffix(9).allSatisfy { $0 == 429 })
        #expect(try house.renew(other).status == 200)
    }

    @Test("is answered 429, and on record")
    func answer() throws {
        let house = try AuthFixture { $0.refresh = .extend }
        let token = house.token()
        for _ in 0..<600 { #expect(try house.renew(token).status == 200) }
        let events = try house.events {
            let answer = try house.renew(token)
            #expect(answer.status == 429)
            #expect(answer.field("Retry-After") == "60")
            #expect(answer.sentence == "Too many attempts")
        }
        #expect(
            events.last == "WARNING authn_login_throttled user=1 reason=session until=1795244460")
    }
}

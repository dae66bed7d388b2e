import HTTP
import JWT
import Metrics
import POSIX
import Revocation
import TestSupport
import Testing
import Time

@testable import Auth

struct LogoutTests {
    private static let done = Answer(status: 204, fields: [], content: "", isHeldForCommit: true)

    @Test func `a logout ends its session and no other, also after a restart`() throws {
        let folder = try TemporaryFolder()
        let (token, other, claims): (String, String, Claims)
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            (token, other) = (fixture.token(), fixture.token())
            claims = try fixture.claims(token)
            let events = try fixture.events { () throws in
                #expect(try fixture.logOut(token) == Self.done)
            }
            let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
            #expect(
                events.last
                    == "INFO session_logout user=1 jti=\(jti) sid=\(sid) scope=session by=user")
            let again = try fixture.events { () throws in
                #expect(try fixture.requestResource(token) == tokenRevoked)
                #expect(try fixture.logOut(token) == tokenRevoked)
                #expect(try fixture.renew(token) == tokenRevoked)
            }
            let line =
                "CRITICAL authn_token_reuse user=1 jti=\(jti) sid=\(sid) revoked_at=1795244400"
            #expect(again == [line, line, line])
            #expect(fixture.security.counters.logouts.value == 1)
        }
        let fixture = try AuthFixture { $0.journal = folder.path("journal") }
        #expect(try fixture.requestResource(token) == tokenRevoked)
        #expect(try fixture.verdict(other) == "good")
    }

    @Test func `a logout everywhere ends all sessions of the user and of no other user`() throws {
        let folder = try TemporaryFolder()
        var (tokens, other): ([String], String)
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            tokens = (0..<3).map { _ in fixture.token() }
            tokens.append(try fixture.renew(tokens[0]).token)
            // A token without a time of issue.
            tokens.append(forged(payload: #"{"user_id":1,"exp":1795248000}"#))
            other = fixture.token(for: 2)
            let events = try fixture.events { () throws in
                #expect(try fixture.logOut(tokens[1], everywhere: true) == Self.done)
            }
            #expect(events.last?.hasSuffix(" scope=user by=user") == true)
            #expect(fixture.sessions.sessions(of: UserID(1)!, at: AuthFixture.now).isEmpty)
        }
        let fixture = try AuthFixture { $0.journal = folder.path("journal") }
        for token in tokens { #expect(try fixture.requestResource(token) == tokenRevoked) }
        #expect(try fixture.verdict(other) == "good")
    }

    @Test func `a logout everywhere does not affect a login in the same millisecond`() throws {
        for delay in [0, 1, 500, 876] as [Int64] {
            let fixture = try AuthFixture { _ in }
            let before = fixture.token()
            #expect(try fixture.logOut(before, everywhere: true) == Self.done)
            fixture.clock.advance(TimeAmount(milliseconds: delay))
            let after = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond).token
            #expect(try fixture.verdict(after) == "good")
            #expect(try fixture.verdict(before) == "401 Token revoked")
            // The new session stays valid after a refresh, and can be revoked in turn.
            let renewed = try fixture.renew(after).token
            #expect(try fixture.verdict(renewed) == "good")
            #expect(try fixture.logOut(renewed, everywhere: true) == Self.done)
            #expect(try fixture.requestResource(after) == tokenRevoked)
            #expect(try fixture.requestResource(renewed) == tokenRevoked)
            let last = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond).token
            #expect(try fixture.verdict(last) == "good")
        }
    }

    @Test
    func `a logout everywhere ends sessions that a wrong clock started in the future`() throws {
        let fixture = try AuthFixture { _ in }
        #expect(try fixture.logOut(fixture.token(), everywhere: true) == Self.done)
        fixture.clock.advance(.seconds(-3600))
        let after = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond).token
        #expect(try fixture.verdict(after) == "good")
        #expect(try fixture.logOut(after, everywhere: true) == Self.done)
        #expect(try fixture.requestResource(after) == tokenRevoked)
    }

    @Test
    func `a logout everywhere ends the session of a token whose issuer's clock is ahead`() throws {
        for members in [#""iat":1795244403"#, #""iat":1795244403,"auth_time":1795244404"#] {
            let fixture = try AuthFixture { $0.leeway = .seconds(5) }
            let token = forged(payload: #"{"user_id":1,\#(members),"exp":1795248000}"#)
            let answer = try fixture.logOut(token, everywhere: true)
            #expect(answer == Self.done, "\(members) \(answer)")
            #expect(try fixture.requestResource(token) == tokenRevoked)
        }
    }

    @Test func `a logout everywhere ends other sessions whose issuers' clocks are ahead`() throws {
        for end in ["user", "everyone"] {
            let fixture = try AuthFixture { $0.leeway = .seconds(300) }
            func foreign(_ seconds: Int) -> String {
                forged(
                    payload: "{\"user_id\":1,\"iat\":\(1_795_244_400 + seconds),\"exp\":1795260000}"
                )
            }
            var tokens = [3, 200, 300].map(foreign)
            for token in tokens { #expect(try fixture.verdict(token) == "good") }
            // A session that is refreshed here did not begin later than the refresh.
            tokens += try [100, 200].map { try fixture.renew(foreign($0 + 10)).token }
            for token in tokens { #expect(try fixture.verdict(token) == "good") }
            switch end {
            case "user": #expect(try fixture.logOut(fixture.token(), everywhere: true) == Self.done)
            default:
                try fixture.revocations.revokeEveryone(at: AuthFixture.now, leeway: .seconds(300))
            }
            for token in tokens { #expect(try fixture.requestResource(token) == tokenRevoked) }
            fixture.clock.advance(.seconds(300))
            for token in tokens { #expect(try fixture.requestResource(token) == tokenRevoked) }
            // A later login succeeds.
            let after = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond).token
            #expect(try fixture.verdict(after) == "good")
            // Tokens issued later than any that was acceptable before are valid, too.
            #expect(try fixture.verdict(foreign(301)) == "good")
            #expect(try fixture.verdict(foreign(601)) == "401 Invalid token")
        }
    }

    @Test func `revoking all users covers a login after a logout everywhere and a restart`()
        throws
    {
        let folder = try TemporaryFolder()
        let token: String
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            #expect(try fixture.logOut(fixture.token(), everywhere: true) == Self.done)
            token = try answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond).token
        }
        let fixture = try AuthFixture { $0.journal = folder.path("journal") }
        #expect(try fixture.verdict(token) == "good")
        try fixture.revocations.revokeEveryone(at: AuthFixture.now)
        #expect(try fixture.requestResource(token) == tokenRevoked)
    }

    @Test func `a logout without a valid token is refused like any request`() throws {
        let fixture = try AuthFixture { _ in }
        for handler in [fixture.logout.endSession, fixture.logout.endAll] {
            let missing = try answer(to: get(), by: handler)
            #expect(missing.field("WWW-Authenticate") == #"Bearer realm="gatehouse""#)
            #expect(try answer(to: get("Bearer x"), by: handler).errorMessage == "Invalid token")
            let gone = try answer(to: get("Bearer \(fixture.token(for: 9))"), by: handler)
            #expect(gone.status == 404)
        }
        #expect(fixture.revocations.count == 0)
    }

    @Test func `a logout that cannot be written to disk gets 503 and is in force`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
        }
        let (one, two, three) = (fixture.token(), fixture.token(), fixture.token())
        disk.fail(with: .ioError)
        for (token, everywhere) in [(one, false), (two, true)] {
            let answer = try fixture.logOut(token, everywhere: everywhere)
            #expect(answer.status == 503)
            #expect(answer.errorMessage == "Storage unavailable")
            #expect(answer.field("Retry-After") == "1")
        }
        #expect(try !fixture.events().contains { $0.contains("session_logout") })
        for token in [one, two, three] {
            #expect(try fixture.requestResource(token) == tokenRevoked)
        }
    }
}

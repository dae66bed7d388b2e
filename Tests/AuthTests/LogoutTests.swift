import HTTP
import JWT
import Metrics
import POSIX
import Revocation
import TestSupport
import Testing
import Time

@testable import Auth

@Suite("A logout")
struct LogoutTests {
    private static let done = Answer(status: 204, fields: [], content: "", isAudited: true)

    @Test("ends the token's session and no other, at once and for good")
    func session() throws {
        let folder = try TemporaryFolder()
        let (token, other, claims): (String, String, Claims)
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            (token, other) = (house.token(), house.token())
            claims = try house.claims(token)
            let events = try house.events { () throws in
                #expect(try house.logOut(token) == Self.done)
            }
            let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
            #expect(
                events.last
                    == "INFO session_logout user=1 jti=\(jti) sid=\(sid) scope=session by=user")
            let again = try house.events { () throws in
                #expect(try house.visit(token) == tokenRevoked)
                #expect(try house.logOut(token) == tokenRevoked)
                #expect(try house.renew(token) == tokenRevoked)
            }
            let line =
                "CRITICAL authn_token_reuse user=1 jti=\(jti) sid=\(sid) revoked_at=1795244400"
            #expect(again == [line, line, line])
            #expect(house.security.counters.logouts.value == 1)
        }
        let house = try AuthFixture { $0.journal = folder.path("journal") }
        #expect(try house.visit(token) == tokenRevoked)
        #expect(try house.verdict(other) == "good")
    }

    @Test("everywhere ends all of the user's sessions and nobody else's")
    func everywhere() throws {
        let folder = try TemporaryFolder()
        var (tokens, other): ([String], String)
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            tokens = (0..<3).map { _ in house.token() }
            tokens.append(try house.renew(tokens[0]).token)
            // A token that does not say when it began.
            tokens.append(forged(payload: #"{"user_id":1,"exp":1795248000}"#))
            other = house.token(for: 2)
            let events = try house.events { () throws in
                #expect(try house.logOut(tokens[1], everywhere: true) == Self.done)
            }
            #expect(events.last?.hasSuffix(" scope=user by=user") == true)
            #expect(house.sessions.sessions(of: UserID(1)!, at: AuthFixture.now).isEmpty)
        }
        let house = try AuthFixture { $0.journal = folder.path("journal") }
        for token in tokens { #expect(try house.visit(token) == tokenRevoked) }
        #expect(try house.verdict(other) == "good")
    }

    @Test("everywhere leaves the way open for a login within the same second, and millisecond")
    func sameSecond() throws {
        for delay in [0, 1, 500, 876] as [Int64] {
            let house = try AuthFixture { _ in }
            let before = house.token()
            #expect(try house.logOut(before, everywhere: true) == Self.done)
            house.clock.advance(TimeAmount(milliseconds: delay))
            let after = try answer(to: post(#"{"user_id":1}"#), by: house.login.respond).token
            #expect(try house.verdict(after) == "good")
            #expect(try house.verdict(before) == "401 Token revoked")
            // The session stays good when it is renewed, and can be ended in turn.
            let renewed = try house.renew(after).token
            #expect(try house.verdict(renewed) == "good")
            #expect(try house.logOut(renewed, everywhere: true) == Self.done)
            #expect(try house.visit(after) == tokenRevoked)
            #expect(try house.visit(renewed) == tokenRevoked)
            let last = try answer(to: post(#"{"user_id":1}"#), by: house.login.respond).token
            #expect(try house.verdict(last) == "good")
        }
    }

    @Test("everywhere ends the sessions that a wrong clock has begun in the future")
    func clockWentBack() throws {
        let house = try AuthFixture { _ in }
        #expect(try house.logOut(house.token(), everywhere: true) == Self.done)
        house.clock.advance(.seconds(-3600))
        let after = try answer(to: post(#"{"user_id":1}"#), by: house.login.respond).token
        #expect(try house.verdict(after) == "good")
        #expect(try house.logOut(after, everywhere: true) == Self.done)
        #expect(try house.visit(after) == tokenRevoked)
    }

    @Test("everywhere ends the session of a token whose issuer's clock is ahead")
    func ahead() throws {
        for members in [#""iat":1795244403"#, #""iat":1795244403,"auth_time":1795244404"#] {
            let house = try AuthFixture { $0.leeway = .seconds(5) }
            let token = forged(payload: #"{"user_id":1,\#(members),"exp":1795248000}"#)
            let answer = try house.logOut(token, everywhere: true)
            #expect(answer == Self.done, "\(members) \(answer)")
            #expect(try house.visit(token) == tokenRevoked)
        }
    }

    @Test(
        "everywhere ends the sessions, too, that others than the token's began by a clock that is ahead"
    )
    func othersAhead() throws {
        for end in ["user", "everyone"] {
            let house = try AuthFixture { $0.leeway = .seconds(300) }
            func foreign(_ seconds: Int) -> String {
                forged(
                    payload: "{\"user_id\":1,\"iat\":\(1_795_244_400 + seconds),\"exp\":1795260000}"
                )
            }
            var tokens = [3, 200, 300].map(foreign)
            for token in tokens { #expect(try house.verdict(token) == "good") }
            // A session that is renewed here did not begin later than that.
            tokens += try [100, 200].map { try house.renew(foreign($0 + 10)).token }
            for token in tokens { #expect(try house.verdict(token) == "good") }
            switch end {
            case "user": #expect(try house.logOut(house.token(), everywhere: true) == Self.done)
            default:
                try house.revocations.revokeEveryone(at: AuthFixture.now, leeway: .seconds(300))
            }
            for token in tokens { #expect(try house.visit(token) == tokenRevoked) }
            house.clock.advance(.seconds(300))
            for token in tokens { #expect(try house.visit(token) == tokenRevoked) }
            // Whoever logs in then is in.
            let after = try answer(to: post(#"{"user_id":1}"#), by: house.login.respond).token
            #expect(try house.verdict(after) == "good")
            // And tokens are good that were issued later than any that were accepted then.
            #expect(try house.verdict(foreign(301)) == "good")
            #expect(try house.verdict(foreign(601)) == "401 Invalid token")
        }
    }

    @Test func `everywhere, then a login and a restart, leave nothing that the end of all misses`()
        throws
    {
        let folder = try TemporaryFolder()
        let token: String
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            #expect(try house.logOut(house.token(), everywhere: true) == Self.done)
            token = try answer(to: post(#"{"user_id":1}"#), by: house.login.respond).token
        }
        let house = try AuthFixture { $0.journal = folder.path("journal") }
        #expect(try house.verdict(token) == "good")
        try house.revocations.endEverything(at: AuthFixture.now)
        #expect(try house.visit(token) == tokenRevoked)
    }

    @Test("is refused as any request without a good token is")
    func refused() throws {
        let house = try AuthFixture { _ in }
        for handler in [house.logout.endSession, house.logout.endAll] {
            let missing = try answer(to: get(), by: handler)
            #expect(missing.field("WWW-Authenticate") == #"Bearer realm="gatehouse""#)
            #expect(try answer(to: get("Bearer x"), by: handler).sentence == "Invalid token")
            let gone = try answer(to: get("Bearer \(house.token(for: 9))"), by: handler)
            #expect(gone.status == 404)
        }
        #expect(house.revocations.count == 0)
    }

    @Test("that cannot be put on the disk is told so, and in force all the same")
    func failure() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
        }
        let (one, two, three) = (house.token(), house.token(), house.token())
        disk.fail(with: .ioError)
        for (token, everywhere) in [(one, false), (two, true)] {
            let answer = try house.logOut(token, everywhere: everywhere)
            #expect(answer.status == 503)
            #expect(answer.sentence == "Storage unavailable")
            #expect(answer.field("Retry-After") == "1")
        }
        #expect(try !house.events().contains { $0.contains("session_logout") })
        for token in [one, two, three] { #expect(try house.visit(token) == tokenRevoked) }
    }
}

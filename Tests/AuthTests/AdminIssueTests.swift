import HTTP
import JWT
import Testing
import Time

@testable import Auth

struct AdminIssueTests {
    private func respond(_ content: String, _ fixture: AuthFixture) throws -> Answer {
        let issue = AdminIssue(
            fixture.issuer,
            users: UserDirectory([
                User(id: UserID(1)!, username: "a", name: "A"),
                User(id: UserID(2)!, username: "b", name: "B", isDisabled: true),
            ]), revocations: fixture.revocations, sessions: fixture.sessions, log: fixture.security,
            clock: .fixed(AuthFixture.now))
        return try answer(to: post(content), by: { .response(issue.respond(to: $0)) })
    }

    @Test(
        arguments: [
            (#"{"user":1}"#, 1800, 43200), (#"{"ttl":43200,"user":1}"#, 43200, 43200),
            (#"{"user":1,"ttl":1}"#, 1, 1),
        ])
    func `a token is issued as for a login, and its ttl also ends the session`(
        content: String, lifetime: Int64, session: Int64
    ) throws {
        let fixture = try AuthFixture()
        let answer = try respond(content, fixture)
        #expect(answer.status == 200)
        #expect(answer.isHeldForCommit)
        #expect(answer.fields == ["Pragma: no-cache"])
        let match = try #require(
            answer.content.wholeMatch(
                of:
                    #/
                    \{"token":"([^"]+)","token_type":"Bearer",
                    "expires_in":(\d+),"session_expires_in":(\d+)\}
                    /#
            ))
        #expect(Int64(match.2) == lifetime && Int64(match.3) == session)
        let claims = try fixture.tokens.verify(Array(match.1.utf8).span, at: AuthFixture.now)
        #expect(claims.user == UserID(1))
        let events = try fixture.events()
        #expect(events.count == 1)
        #expect(events[0].hasPrefix("INFO | security | authn_token_created user=1 jti="))
        #expect(fixture.sessions.count == 1)
    }

    @Test(
        arguments: [
            ("", 400, "Invalid JSON"), ("5", 400, "Invalid JSON"), ("{}", 400, "Invalid user"),
            (#"{"user":0}"#, 400, "Invalid user"), (#"{"user":"1"}"#, 400, "Invalid request"),
            (#"{"user":true}"#, 400, "Invalid request"),
            (#"{"user":1,"x":1}"#, 400, "Invalid request"),
            (#"{"user":1,"ttl":0}"#, 400, "Invalid ttl"),
            (#"{"user":1,"ttl":43201}"#, 400, "Invalid ttl"),
            (#"{"user":1,"ttl":1.5}"#, 400, "Invalid request"),
            (#"{"user":2}"#, 404, "User not found"), (#"{"user":3}"#, 404, "User not found"),
        ])
    func `an invalid body or an unknown user is refused and not logged`(
        content: String, status: Int, sentence: String
    ) throws {
        let fixture = try AuthFixture()
        let answer = try respond(content, fixture)
        #expect(answer.status == status)
        #expect(answer.content == "{\"error\":\"\(sentence)\"}")
        #expect(try fixture.events() == [])
        #expect(fixture.sessions.count == 0)
    }

    @Test func `a token issued at the time of a cutoff is not covered by it`() throws {
        let fixture = try AuthFixture()
        try fixture.revocations.revokeAll(of: UserID(1)!, at: AuthFixture.now)
        let answer = try respond(#"{"user":1}"#, fixture)
        let token = try #require(answer.content.split(separator: "\"").dropFirst(3).first)
        let claims = try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        #expect(fixture.revocations.status(for: claims) == nil)
    }
}

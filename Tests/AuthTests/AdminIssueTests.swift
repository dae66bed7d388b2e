import HTTP
import JWT
import Testing
import Time

@testable import Auth

@Suite("POST /issue")
struct AdminIssueTests {
    private func respond(_ content: String, _ house: AuthFixture) throws -> Answer {
        let issue = AdminIssue(
            house.issuer,
            users: UserDirectory([
                User(id: UserID(1)!, username: "a", name: "A"),
                User(id: UserID(2)!, username: "b", name: "B", isDisabled: true),
            ]), revocations: house.revocations, sessions: house.sessions, log: house.security,
            clock: .fixed(AuthFixture.now))
        return try answer(to: post(content), by: { .response(issue.respond(to: $0)) })
    }

    @Test(
        "answers as a login does; with a time to live the session ends with the token",
        arguments: [
            (#"{"user":1}"#, 1800, 43200), (#"{"ttl":43200,"user":1}"#, 43200, 43200),
            (#"{"user":1,"ttl":1}"#, 1, 1),
        ])
    func success(content: String, lifetime: Int64, session: Int64) throws {
        let house = try AuthFixture()
        let answer = try respond(content, house)
        #expect(answer.status == 200)
        #expect(answer.isAudited)
        #expect(answer.fields == ["Pragma: no-cache"])
        let match = try #require(
            answer.content.wholeMatch(
                of:
                    /\{"token":"([^"]+)","token_type":"Bearer","expires_in":(\d+),"session_expires_in":(\d+)\}/
            ))
        #expect(Int64(match.2) == lifetime && Int64(match.3) == session)
        let claims = try house.tokens.verify(Array(match.1.utf8).span, at: AuthFixture.now)
        #expect(claims.user == UserID(1))
        let events = try house.events()
        #expect(events.count == 1)
        #expect(events[0].hasPrefix("INFO | security | authn_token_created user=1 jti="))
        #expect(house.sessions.count == 1)
    }

    @Test(
        "refuses what it was not asked for in its own words, and users that are not there",
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
    func refusals(content: String, status: Int, sentence: String) throws {
        let house = try AuthFixture()
        let answer = try respond(content, house)
        #expect(answer.status == status)
        #expect(answer.content == "{\"error\":\"\(sentence)\"}")
        #expect(try house.events() == [])
        #expect(house.sessions.count == 0)
    }

    @Test("issues a token that a cutoff of the same moment does not cover")
    func cutoff() throws {
        let house = try AuthFixture()
        try house.revocations.endAll(of: UserID(1)!, at: AuthFixture.now)
        let answer = try respond(#"{"user":1}"#, house)
        let token = try #require(answer.content.split(separator: "\"").dropFirst(3).first)
        let claims = try house.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        #expect(house.revocations.status(for: claims) == nil)
    }
}

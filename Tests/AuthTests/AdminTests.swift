import HTTP
import JWT
import POSIX
import Revocation
import TestSupport
import Testing
import Time

@testable import Auth

private func post(_ content: String, _ type: String?) -> String {
    "POST /x HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
        + (type.map { "Content-Type: \($0)\r\n" } ?? "")
        + "Content-Length: \(content.utf8.count)\r\n\r\n\(content)"
}

private let form = "application/x-www-form-urlencoded"
private let json = "application/json"

extension AuthFixture {
    fileprivate func introspect(_ content: String, _ type: String? = form) throws -> Answer {
        try answer(to: post(content, type), by: introspection.respond)
    }

    fileprivate func revoke(_ content: String, _ type: String? = json) throws -> Answer {
        try answer(to: post(content, type), by: revocation.respond)
    }
}

@Suite("An introspection")
struct IntrospectionTests {
    private static let inactive = Answer(
        status: 200, fields: [], content: #"{"active":false}"#, isAudited: true)

    @Test("says what a good token says")
    func active() throws {
        let house = try AuthFixture {
            $0.issuer = "gatehouse"
            $0.audience = "api"
        }
        let token = house.token()
        let claims = try house.claims(token)
        let expected =
            #"{"active":true,"token_type":"Bearer","sub":"1","user_id":1,"username":"alice","#
            + #""iss":"gatehouse","aud":"api","iat":1795244400,"nbf":1795244400,"exp":1795246200,"#
            + #""auth_time":1795244400,"sxp":1795287600,"jti":"\#(claims.tokenID!.string)","#
            + #""sid":"\#(claims.sessionID!.string)"}"#
        let encoded = token.utf8.map { "%" + String($0, radix: 16) }.joined()
        for (content, type) in [
            ("token=\(token)", form), ("token_type_hint=access_token&token=\(token)", form),
            ("token=\(encoded)", "Application/X-WWW-Form-URLEncoded; charset=utf-8"),
            (#"{"token":"\#(token)"}"#, json), (#"{"token":"\#(token)","x":1}"#, nil),
        ] {
            let answer = try house.introspect(content, type)
            #expect(
                answer == Answer(status: 200, fields: [], content: expected, isAudited: true))
        }
        let foreign = forged(
            payload: #"{"user_id":2,"exp":1795244500.5,"iss":"gatehouse","aud":["x","api"]}"#)
        let answer = try house.introspect("token=\(foreign)")
        #expect(answer.content.hasPrefix(#"{"active":true,"token_type":"Bearer","sub":"2","#))
        #expect(answer.content.contains(#""exp":1795244500,"#))
    }

    @Test("says of any other that it is not active, and nothing else")
    func inactive() throws {
        let house = try AuthFixture { _ in }
        let ended = house.token()
        #expect(try house.logOut(ended).status == 204)
        for token in [
            "", "x", "a.b.c", "%00", "%ff%fe", ended, house.token(for: 9), "a+b",
            forged(payload: #"{"user_id":1,"exp":1}"#),
            forged(payload: #"{"user_id":1,"exp":1795244500}"#, secret: [1]),
            String(repeating: "a", count: 9000),
        ] {
            #expect(try house.introspect("token=\(token)") == Self.inactive)
        }
        #expect(try house.introspect(#"{"token":""}"#, json) == Self.inactive)
        #expect(try house.events().last?.contains("authn_token_rejected") == true)
    }

    @Test(
        "wants a token",
        arguments: [
            ("", form), ("x=1", form), ("Token=a", form), ("token=a&token=a", form),
            ("token=%4", form), ("{}", json), (#"{"token":1}"#, json), (#""token""#, json),
            ("token=a", json), ("token=a", nil), ("token=a", "text/plain"), ("", nil),
        ] as [(String, String?)])
    func malformed(content: String, type: String?) throws {
        let answer = try AuthFixture { _ in }.introspect(content, type)
        #expect(answer.status == 400)
        #expect(answer.sentence == "Invalid request")
    }
}

@Suite("A revocation by an administrator")
struct AdminRevocationTests {
    private static let done = response(isKnown: true)

    private static func response(isKnown: Bool) -> Answer {
        Answer(
            status: 200, fields: [], content: #"{"known":\#(isKnown)}"#, isAudited: true)
    }

    @Test("of a token ends it, and what it was exchanged for", arguments: [form, json])
    func token(type: String) throws {
        for isExchanged in [false, true] {
            let house = try AuthFixture { _ in }
            let (token, other) = (house.token(), house.token())
            let successor = isExchanged ? try house.renew(token).token : token
            let claims = try house.claims(token)
            let (jti, sid) = (claims.tokenID!.string, claims.sessionID!.string)
            let content = type == form ? "token=\(token)" : #"{"token":"\#(token)"}"#
            let events = try house.events { () throws in
                #expect(try house.revoke(content, type) == Self.done)
            }
            #expect(
                events == [
                    "INFO authn_token_revoked user=1 jti=\(jti) by=admin",
                    "INFO authn_token_revoked user=1 sid=\(sid) by=admin",
                ])
            #expect(try house.visit(token) == tokenRevoked)
            #expect(try house.visit(successor) == tokenRevoked)
            #expect(try house.verdict(other) == "good")
        }
    }

    @Test("of a token goes by what it says, be it expired or not good yet")
    func oldToken() throws {
        let house = try AuthFixture { $0.issuer = "gatehouse" }
        for members in [
            #""exp":1,"jti":"t""#, #""nbf":1795244500,"exp":1795244600,"jti":"t""#,
            #""iss":"other","exp":1795244600,"jti":"t""#,
        ] {
            let token = forged(payload: #"{"user_id":1,\#(members)}"#)
            let events = try house.events { () throws in
                #expect(try house.revoke("token=\(token)", form) == Self.done)
            }
            #expect(events == ["INFO authn_token_revoked user=1 jti=t by=admin"])
        }
        let foreign = forged(payload: #"{"user_id":1,"iss":"gatehouse","exp":1795244600}"#)
        #expect(try house.verdict(foreign) == "good")
        #expect(
            try house.revoke(#"{"token":"\#(foreign)","token_type_hint":"x"}"#) == Self.done)
        #expect(try house.visit(foreign) == tokenRevoked)
    }

    // RFC 7009 §2.2.
    @Test("of what is no token is done", arguments: ["", "x", "a.b.c", "%00"])
    func nonsense(token: String) throws {
        let house = try AuthFixture { _ in }
        let forgery = forged(payload: #"{"user_id":1,"exp":1795244600}"#, secret: [1])
        for token in [token, forgery] {
            let events = try house.events { () throws in
                #expect(
                    try house.revoke("token=\(token)", form) == Self.response(isKnown: false))
            }
            #expect(events == [])
        }
        #expect(house.revocations.count == 0)
    }

    @Test("takes a token's name, a session's, a user, or everything")
    func others() throws {
        for (what, event, survivors) in [
            (#"{"token_id":"JTI"}"#, "jti=JTI", [false, true, true]),
            (#"{"session":"SID"}"#, "sid=SID", [false, true, true]),
            (#"{"user":1}"#, "user=1 scope=user", [false, false, true]),
            (#"{"all":true}"#, "scope=all", [false, false, false]),
        ] {
            let house = try AuthFixture { _ in }
            let tokens = [house.token(), house.token(), house.token(for: 2)]
            let claims = try house.claims(tokens[0])
            func named(_ text: String) -> String {
                text.replacing("JTI", with: claims.tokenID!.string)
                    .replacing("SID", with: claims.sessionID!.string)
            }
            let events = try house.events { () throws in
                // Of the sessions made here nothing is known to the list of sessions.
                let isKnown = event.contains("scope")
                #expect(
                    try house.revoke(named(what), json) == Self.response(isKnown: isKnown))
            }
            #expect(events == ["INFO authn_token_revoked \(named(event)) by=admin"])
            #expect(try tokens.map { try house.verdict($0) == "good" } == survivors)
            // A login right after it is good, and can be revoked within the same millisecond.
            let next = try answer(to: post(#"{"user_id":1}"#, json), by: house.login.respond).token
            #expect(try house.verdict(next) == "good")
            if event.contains("scope") {
                #expect(try house.revoke(what, json) == Self.done)
                #expect(try house.visit(next) == tokenRevoked)
            }
        }
    }

    @Test func `says whether the server knows what it revokes`() throws {
        let house = try AuthFixture { _ in }
        let token = try answer(to: post(#"{"user_id":1}"#, json), by: house.login.respond).token
        let claims = try house.claims(token)
        let (jti, sid) = (claims.tokenID!.string, claims.sessionID!.string)
        for order in [#"{"token_id":"nosuch"}"#, #"{"session":"nosuch"}"#] {
            #expect(try house.revoke(order) == Self.response(isKnown: false))
            // It was recorded all the same.
            #expect(try house.revoke(order) == Self.done)
        }
        #expect(try house.revoke(#"{"user":99}"#) == Self.response(isKnown: false))
        #expect(try house.verdict(token) == "good")
        // A renewal makes another token the newest of its session.
        let newest = try house.claims(house.renew(token).token).tokenID!.string
        for id in [newest, jti] {
            #expect(try house.revoke(#"{"token_id":"\#(id)"}"#) == Self.done)
        }
        #expect(try house.revoke(#"{"session":"\#(sid)"}"#) == Self.done)
        #expect(try house.revoke(#"{"user":1}"#) == Self.done)
    }

    @Test("by name lasts for as long as the longest session, whatever is configured now")
    func longest() throws {
        let before = try AuthFixture { $0.sessionLifetime = .seconds(86_400 * 300) }
        let token = text(
            before.issuer.issue(for: UserID(1)!, at: AuthFixture.now).token)
        let sid = try before.claims(token).sessionID!.string
        let house = try AuthFixture { $0.sessionLifetime = .seconds(3600) }
        #expect(
            try house.revoke(#"{"session":"\#(sid)"}"#) == Self.response(isKnown: false))
        house.revocations.removeExpired(at: AuthFixture.now + .seconds(86_400 * 299))
        #expect(try house.visit(token) == tokenRevoked)
    }

    @Test(
        "refuses what is not clear",
        arguments: [
            ("", form), ("x=1", form), ("token=a&token=b", form), ("user=1", form),
            ("all=true", form), ("{}", json), ("[]", json), ("", json), (#"{"all":false}"#, json),
            (#"{"all":1}"#, json), (#"{"all":"true"}"#, json), (#"{"user":0}"#, json),
            (#"{"user":-1}"#, json), (#"{"user":1.0}"#, json), (#"{"user":"1"}"#, json),
            (#"{"user":true}"#, json), (#"{"user":9007199254740992}"#, json),
            (#"{"session":""}"#, json), (#"{"session":1}"#, json), (#"{"token_id":""}"#, json),
            (#"{"session":"\#(String(repeating: "s", count: 65))"}"#, json),
            (#"{"user":1,"all":true}"#, json), (#"{"token":"a.b.c","all":true}"#, json),
            (#"{"user":1,"user":1}"#, json), (#"{"users":1}"#, json),
            (#"{"all":true}"#, "text/plain"), (#"{"all":true}"#, form), ("token=a", "text/plain"),
        ])
    func unclear(content: String, type: String) throws {
        let house = try AuthFixture { _ in }
        let answer = try house.revoke(content, type)
        #expect(answer.status == 400)
        #expect(answer.sentence == "Invalid request")
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
        let token = house.token()
        disk.fail(with: .ioError)
        let answer = try house.revoke(#"{"user":1}"#)
        #expect(answer.status == 503)
        #expect(try house.visit(token) == tokenRevoked)
        disk.fail(with: nil)
        #expect(try house.revoke(#"{"user":1}"#) == Self.done)
    }
}

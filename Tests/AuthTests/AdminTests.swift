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

struct IntrospectionTests {
    private static let inactive = Answer(
        status: 200, fields: [], content: #"{"active":false}"#, isHeldForCommit: true)

    @Test func `the claims of a valid token are returned`() throws {
        let fixture = try AuthFixture {
            $0.issuer = "gatehouse"
            $0.audience = "api"
        }
        let token = fixture.token()
        let claims = try fixture.claims(token)
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
            let answer = try fixture.introspect(content, type)
            #expect(
                answer == Answer(status: 200, fields: [], content: expected, isHeldForCommit: true))
        }
        let foreign = forged(
            payload: #"{"user_id":2,"exp":1795244500.5,"iss":"gatehouse","aud":["x","api"]}"#)
        let answer = try fixture.introspect("token=\(foreign)")
        #expect(answer.content.hasPrefix(#"{"active":true,"token_type":"Bearer","sub":"2","#))
        #expect(answer.content.contains(#""exp":1795244500,"#))
    }

    @Test func `any other token is reported as inactive, without a reason`() throws {
        let fixture = try AuthFixture { _ in }
        let ended = fixture.token()
        #expect(try fixture.logOut(ended).status == 204)
        for token in [
            "", "x", "a.b.c", "%00", "%ff%fe", ended, fixture.token(for: 9), "a+b",
            forged(payload: #"{"user_id":1,"exp":1}"#),
            forged(payload: #"{"user_id":1,"exp":1795244500}"#, secret: [1]),
            String(repeating: "a", count: 9000),
        ] {
            #expect(try fixture.introspect("token=\(token)") == Self.inactive)
        }
        #expect(try fixture.introspect(#"{"token":""}"#, json) == Self.inactive)
        #expect(try fixture.events().last?.contains("authn_token_rejected") == true)
    }

    @Test(
        arguments: [
            ("", form), ("x=1", form), ("Token=a", form), ("token=a&token=a", form),
            ("token=%4", form), ("{}", json), (#"{"token":1}"#, json), (#""token""#, json),
            ("token=a", json), ("token=a", nil), ("token=a", "text/plain"), ("", nil),
        ] as [(String, String?)])
    func `a request without a token is a bad request`(content: String, type: String?) throws {
        let answer = try AuthFixture { _ in }.introspect(content, type)
        #expect(answer.status == 400)
        #expect(answer.errorMessage == "Invalid request")
    }
}

struct AdminRevocationTests {
    private static let done = response(isKnown: true)

    private static func response(isKnown: Bool) -> Answer {
        Answer(
            status: 200, fields: [], content: #"{"known":\#(isKnown)}"#, isHeldForCommit: true)
    }

    @Test(arguments: [form, json])
    func `revoking a token also ends its successor`(type: String) throws {
        for isExchanged in [false, true] {
            let fixture = try AuthFixture { _ in }
            let (token, other) = (fixture.token(), fixture.token())
            let successor = isExchanged ? try fixture.renew(token).token : token
            let claims = try fixture.claims(token)
            let (jti, sid) = (claims.tokenID!.string, claims.sessionID!.string)
            let content = type == form ? "token=\(token)" : #"{"token":"\#(token)"}"#
            let events = try fixture.events { () throws in
                #expect(try fixture.revoke(content, type) == Self.done)
            }
            #expect(
                events == [
                    "INFO authn_token_revoked user=1 jti=\(jti) by=admin",
                    "INFO authn_token_revoked user=1 sid=\(sid) by=admin",
                ])
            #expect(try fixture.requestResource(token) == tokenRevoked)
            #expect(try fixture.requestResource(successor) == tokenRevoked)
            #expect(try fixture.verdict(other) == "good")
        }
    }

    @Test func `an expired token or one that is not valid yet can be revoked`() throws {
        let fixture = try AuthFixture { $0.issuer = "gatehouse" }
        for members in [
            #""exp":1,"jti":"t""#, #""nbf":1795244500,"exp":1795244600,"jti":"t""#,
            #""iss":"other","exp":1795244600,"jti":"t""#,
        ] {
            let token = forged(payload: #"{"user_id":1,\#(members)}"#)
            let events = try fixture.events { () throws in
                #expect(try fixture.revoke("token=\(token)", form) == Self.done)
            }
            #expect(events == ["INFO authn_token_revoked user=1 jti=t by=admin"])
        }
        let foreign = forged(payload: #"{"user_id":1,"iss":"gatehouse","exp":1795244600}"#)
        #expect(try fixture.verdict(foreign) == "good")
        #expect(
            try fixture.revoke(#"{"token":"\#(foreign)","token_type_hint":"x"}"#) == Self.done)
        #expect(try fixture.requestResource(foreign) == tokenRevoked)
    }

    // RFC 7009 §2.2.
    @Test(arguments: ["", "x", "a.b.c", "%00"])
    func `revoking an invalid token succeeds and does nothing`(token: String) throws {
        let fixture = try AuthFixture { _ in }
        let forgery = forged(payload: #"{"user_id":1,"exp":1795244600}"#, secret: [1])
        for token in [token, forgery] {
            let events = try fixture.events { () throws in
                #expect(
                    try fixture.revoke("token=\(token)", form) == Self.response(isKnown: false))
            }
            #expect(events == [])
        }
        #expect(fixture.revocations.count == 0)
    }

    @Test func `a token id, a session, a user or everything can be revoked`() throws {
        for (what, event, survivors) in [
            (#"{"token_id":"JTI"}"#, "jti=JTI", [false, true, true]),
            (#"{"session":"SID"}"#, "sid=SID", [false, true, true]),
            (#"{"user":1}"#, "user=1 scope=user", [false, false, true]),
            (#"{"all":true}"#, "scope=all", [false, false, false]),
        ] {
            let fixture = try AuthFixture { _ in }
            let tokens = [fixture.token(), fixture.token(), fixture.token(for: 2)]
            let claims = try fixture.claims(tokens[0])
            func named(_ text: String) -> String {
                text.replacing("JTI", with: claims.tokenID!.string)
                    .replacing("SID", with: claims.sessionID!.string)
            }
            let events = try fixture.events { () throws in
                // The session list does not contain these sessions, which no endpoint has started.
                let isKnown = event.contains("scope")
                #expect(
                    try fixture.revoke(named(what), json) == Self.response(isKnown: isKnown))
            }
            #expect(events == ["INFO authn_token_revoked \(named(event)) by=admin"])
            #expect(try tokens.map { try fixture.verdict($0) == "good" } == survivors)
            // A login right afterwards succeeds, and can be revoked within the same millisecond.
            let next = try answer(to: post(#"{"user_id":1}"#, json), by: fixture.login.respond)
                .token
            #expect(try fixture.verdict(next) == "good")
            if event.contains("scope") {
                #expect(try fixture.revoke(what, json) == Self.done)
                #expect(try fixture.requestResource(next) == tokenRevoked)
            }
        }
    }

    @Test func `the response tells whether the server knows the target`() throws {
        let fixture = try AuthFixture { _ in }
        let token = try answer(to: post(#"{"user_id":1}"#, json), by: fixture.login.respond).token
        let claims = try fixture.claims(token)
        let (jti, sid) = (claims.tokenID!.string, claims.sessionID!.string)
        for order in [#"{"token_id":"nosuch"}"#, #"{"session":"nosuch"}"#] {
            #expect(try fixture.revoke(order) == Self.response(isKnown: false))
            // It was recorded all the same.
            #expect(try fixture.revoke(order) == Self.done)
        }
        #expect(try fixture.revoke(#"{"user":99}"#) == Self.response(isKnown: false))
        #expect(try fixture.verdict(token) == "good")
        // A refresh makes another token the newest of its session.
        let newest = try fixture.claims(fixture.renew(token).token).tokenID!.string
        for id in [newest, jti] {
            #expect(try fixture.revoke(#"{"token_id":"\#(id)"}"#) == Self.done)
        }
        #expect(try fixture.revoke(#"{"session":"\#(sid)"}"#) == Self.done)
        #expect(try fixture.revoke(#"{"user":1}"#) == Self.done)
    }

    @Test func `a named session stays revoked as long as the longest possible session`() throws {
        let before = try AuthFixture { $0.sessionLifetime = .seconds(86_400 * 300) }
        let token = text(
            before.issuer.issue(for: UserID(1)!, at: AuthFixture.now).token)
        let sid = try before.claims(token).sessionID!.string
        let fixture = try AuthFixture { $0.sessionLifetime = .seconds(3600) }
        #expect(
            try fixture.revoke(#"{"session":"\#(sid)"}"#) == Self.response(isKnown: false))
        fixture.revocations.removeExpired(at: AuthFixture.now + .seconds(86_400 * 299))
        #expect(try fixture.requestResource(token) == tokenRevoked)
    }

    @Test(
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
    func `an ambiguous or invalid request is refused`(content: String, type: String) throws {
        let fixture = try AuthFixture { _ in }
        let answer = try fixture.revoke(content, type)
        #expect(answer.status == 400)
        #expect(answer.errorMessage == "Invalid request")
        #expect(fixture.revocations.count == 0)
    }

    @Test func `a revocation that cannot be written to disk gets 503 and is in force`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
        }
        let token = fixture.token()
        disk.fail(with: .ioError)
        let answer = try fixture.revoke(#"{"user":1}"#)
        #expect(answer.status == 503)
        #expect(try fixture.requestResource(token) == tokenRevoked)
        disk.fail(with: nil)
        #expect(try fixture.revoke(#"{"user":1}"#) == Self.done)
    }
}

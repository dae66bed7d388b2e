import Auth
import HTTP
import JWT
import Testing
import Time

/// The token in the response to a login; fails if the rest is not as expected.
private func token(in answer: Answer) throws -> String {
    let pattern =
        #/
        \{"token":"([A-Za-z0-9._-]+)","token_type":"Bearer",
        "expires_in":1800,"session_expires_in":43200\}
        /#
    return String(try #require(answer.content.wholeMatch(of: pattern)).1)
}

struct LoginTests {
    @Test func `a login returns a token with its type and lifetime`() throws {
        let fixture = try AuthFixture()
        let answer = try answer(
            to: post(#"{"user_id":1}"#, "Content-Type: application/json"), by: fixture.login.respond
        )
        let token = try token(in: answer)
        #expect(
            answer
                == Answer(
                    status: 200, fields: ["Pragma: no-cache"],
                    content: #"{"token":"\#(token)","token_type":"Bearer","expires_in":1800,"#
                        + #""session_expires_in":43200}"#,
                    isHeldForCommit: true))
    }

    @Test func `a login logs the login and the token's jti`() throws {
        let fixture = try AuthFixture()
        let answer = try answer(to: post(#"{"user_id":2}"#), by: fixture.login.respond)
        let token = try token(in: answer)
        let claims = try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        let jti = try #require(claims.tokenID?.string)
        let sid = try #require(claims.sessionID?.string)
        #expect(
            try fixture.events() == [
                "INFO | security | authn_login_success user=2 ip=192.0.2.7 rid=r-1",
                "INFO | security | authn_token_created user=2 jti=\(jti) sid=\(sid) exp=1795246200 "
                    + "kid=a ip=192.0.2.7 rid=r-1",
            ])
        // 128 bits in base64url.
        #expect(jti.wholeMatch(of: /[A-Za-z0-9_-]{22}/) != nil)
        #expect(sid.wholeMatch(of: /[A-Za-z0-9_-]{22}/) != nil)
        #expect(jti != sid)
    }

    @Test func `a token has exactly the documented claims`() throws {
        let fixture = try AuthFixture()
        let token = try token(in: answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond))
        let claims = try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        let jti = try #require(claims.tokenID?.string)
        let sid = try #require(claims.sessionID?.string)
        #expect(
            try payload(of: token)
                == #"{"sub":"1","user_id":1,"iat":1795244400,"nbf":1795244400,"exp":1795246200,"#
                + #""jti":"\#(jti)","sid":"\#(sid)","auth_time":1795244400,"sxp":1795287600}"#)
        // {"alg":"HS256","typ":"JWT","kid":"a"}
        #expect(token.hasPrefix("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImEifQ."))
    }

    @Test func `a token names the configured issuer and audience`() throws {
        let fixture = try AuthFixture(issuer: "gatehouse", audience: "api")
        let token = try token(in: answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond))
        let start = #"{"iss":"gatehouse","sub":"1","user_id":1,"aud":"api","iat":1795244400,"#
        #expect(try payload(of: token).hasPrefix(start))
        #expect(throws: Never.self) {
            try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        }
    }

    @Test func `each login starts a new session`() throws {
        let fixture = try AuthFixture()
        var identifiers: Set<String> = []
        for _ in 0..<50 {
            let token = try token(
                in: answer(to: post(#"{"user_id":1}"#), by: fixture.login.respond))
            let claims = try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
            identifiers.insert(try #require(claims.tokenID?.string))
            identifiers.insert(try #require(claims.sessionID?.string))
        }
        #expect(identifiers.count == 100)
    }

    @Test(
        arguments: [
            (#"{"user_id":1}"#, 1), (#"{"user_id":3}"#, 3), (" {\r\n\t\"user_id\" : 2 } ", 2),
            (#"{"user_id":9007199254740991}"#, 9_007_199_254_740_991),
            (#"{"user\u005fid":2}"#, 2), (#"{"password":"x","user_id":2,"a":[{"user_id":0}]}"#, 2),
            (#"{"User_id":0,"user_id ":0,"user_id":2}"#, 2), (#"{"user_id":2,"a":1e400}"#, 2),
        ])
    func `any valid id is accepted, and other members are ignored`(content: String, user: Int64)
        throws
    {
        let fixture = try AuthFixture()
        let token = try token(in: answer(to: post(content), by: fixture.login.respond))
        let claims = try fixture.tokens.verify(Array(token.utf8).span, at: AuthFixture.now)
        #expect(claims.user.rawValue == user)
    }

    @Test func `a chunked body is accepted`() throws {
        let fixture = try AuthFixture()
        let request =
            "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\nTransfer-Encoding: chunked\r\n"
            + "\r\n5\r\n{\"use\r\n8\r\nr_id\":1}\r\n0\r\n\r\n"
        #expect(try answer(to: request, by: fixture.login.respond).status == 200)
    }

    @Test(
        arguments: [
            "X: y", "Content-Type: application/json", "content-type:application/json",
            "Content-Type: application/json; charset=utf-8",
            "Content-Type: application/json;charset=UTF-8", "Content-Type: Application/JSON",
            "Content-Type: application/json ; charset=\"utf-8\"", "Content-Type: APPLICATION/JSON;",
        ])
    func `every spelling of the JSON media type is accepted, and none at all`(field: String) throws
    {
        let fixture = try AuthFixture()
        let answer = try answer(to: post(#"{"user_id":1}"#, field), by: fixture.login.respond)
        #expect(answer.status == 200)
    }
}

struct LoginRefusalTests {
    private func expectRefusal(
        _ request: String, _ status: Int, _ sentence: String, _ reason: String,
        fields: [String] = [], at location: SourceLocation = #_sourceLocation
    ) throws {
        let fixture = try AuthFixture()
        let refusal = Answer(
            status: status, fields: fields, content: #"{"error":"\#(sentence)"}"#,
            isHeldForCommit: true)
        let answer = try answer(to: request, by: fixture.login.respond)
        #expect(answer == refusal, sourceLocation: location)
        #expect(
            try fixture.events() == [
                "WARNING | security | authn_login_fail reason=\(reason) ip=192.0.2.7 rid=r-1"
            ], sourceLocation: location)
    }

    @Test(
        arguments: [
            "", " ", "user_id=1", "1", "null", "true", #""1""#, "[]", #"[{"user_id":1}]"#,
            #"{"user_id":1"#, #"{"user_id":1}}"#, #"{"user_id":1}x"#, #"{"user_id":1}{}"#,
            #"{"user_id":1,}"#, #"{'user_id':1}"#, #"{user_id:1}"#, #"{"user_id":}"#,
            #"{"user_id":01}"#, #"{"user_id":+1}"#, #"{"user_id":1.}"#, #"{"user_id":.5}"#,
            #"{"user_id":-}"#, #"{"user_id":1e}"#, #"{"user_id":0x1}"#, #"{"user_id":NaN}"#,
            #"{"user_id":tru}"#, #"{"user_id":1 /* one */}"#, "\u{EF}\u{BB}\u{BF}{\"user_id\":1}",
            "{\"user_id\":1}\0",
            // Duplicate names, in any spelling, at any depth.
            #"{"user_id":1,"user_id":1}"#, #"{"user_id":1,"user_id":2}"#,
            #"{"user_id":true,"user_id":1}"#, #"{"user_id":1,"\u0075ser_id":2}"#,
            #"{"user_id":1,"a":1,"a":1}"#, #"{"user_id":1,"a":{"b":1,"b":1}}"#,
            // Invalid UTF-8, invalid characters.
            "{\"user_id\":1,\"a\":\"\u{FF}\"}", "{\"user_id\":1,\"a\":\"\u{C0}\u{AF}\"}",
            #"{"user_id":1,"a":"\ud800"}"#, "{\"user_id\":1,\"a\":\"\n\"}",
            // Too deeply nested.
            #"{"user_id":1,"a":"# + String(repeating: "[", count: 16)
                + String(repeating: "]", count: 16) + "}",
            #"{"user_id":1,"a":"# + String(repeating: "[", count: 4000),
            String(repeating: #"{"a":"#, count: 800),
        ])
    func `invalid JSON is refused`(content: String) throws {
        try expectRefusal(post(content), 400, "Invalid JSON", "invalid_json")
    }

    @Test func `JSON nested to sixteen levels is accepted`() throws {
        let fixture = try AuthFixture()
        let content =
            #"{"user_id":1,"a":"# + String(repeating: "[", count: 15)
            + String(repeating: "]", count: 15) + "}"
        #expect(try answer(to: post(content), by: fixture.login.respond).status == 200)
    }

    @Test(
        arguments: [
            "{}", #"{"a":1}"#, #"{"User_ID":1}"#, #"{"username":"alice","password":"x"}"#,
            #"{"a":{"user_id":1}}"#, #"{"user_id":true}"#, #"{"user_id":false}"#,
            #"{"user_id":1.0}"#, #"{"user_id":1e0}"#, #"{"user_id":1E+0}"#, #"{"user_id":1.5}"#,
            #"{"user_id":10e-1}"#, #"{"user_id":1e400}"#, #"{"user_id":-1e400}"#,
            #"{"user_id":"1"}"#, #"{"user_id":""}"#, #"{"user_id":"alice"}"#, #"{"user_id":0}"#,
            #"{"user_id":-0}"#, #"{"user_id":0.0}"#, #"{"user_id":-1}"#,
            #"{"user_id":9007199254740992}"#, #"{"user_id":9223372036854775807}"#,
            #"{"user_id":9223372036854775808}"#, #"{"user_id":-9223372036854775808}"#,
            #"{"user_id":18446744073709551617}"#, #"{"user_id":null}"#, #"{"user_id":[1]}"#,
            #"{"user_id":[]}"#, #"{"user_id":{"id":1}}"#, #"{"user_id":{}}"#,
        ])
    func `an invalid user id is refused`(content: String) throws {
        try expectRefusal(post(content), 400, "Invalid user_id", "invalid_user_id")
    }

    @Test func `invalid JSON is reported rather than an invalid user id`() throws {
        try expectRefusal(post(#"{"user_id":true"#), 400, "Invalid JSON", "invalid_json")
        try expectRefusal(post(#"{"user_id":1.5,}"#), 400, "Invalid JSON", "invalid_json")
    }

    @Test(
        arguments: [
            "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "", "application", "application/", "json", "application/jsonp", "application/json5",
            "application/json-patch+json", "application/problem+json", "text/json", ";",
            "; charset=utf-8", "application/json, text/plain", "application /json", "*/*",
            "\"application/json\"",
        ])
    func `a media type other than JSON is refused`(value: String) throws {
        try expectRefusal(
            post(#"{"user_id":1}"#, "Content-Type: \(value)"), 415, "Unsupported media type",
            "unsupported_media_type")
    }

    // RFC 9110 §15.5.16 and §12.5.3.
    @Test(
        arguments: ["gzip", "br", "identity, gzip", "x"])
    func `a content coding is refused, and the response names the accepted one`(value: String)
        throws
    {
        try expectRefusal(
            post(#"{"user_id":1}"#, "Content-Encoding: \(value)"), 415, "Unsupported media type",
            "unsupported_media_type", fields: ["Accept-Encoding: identity"])
        let plain = post(#"{"user_id":1}"#, "Content-Encoding: identity")
        #expect(try answer(to: plain, by: AuthFixture().login.respond).status == 200)
    }

    // RFC 9110 §15.5.12.
    @Test func `a request that declares no body is refused`() throws {
        let request = "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n\r\n"
        try expectRefusal(
            request, 411, "Length required", "length_required", fields: ["Connection: close"])
    }

    @Test func `no part of a body reaches the log`() throws {
        let fixture = try AuthFixture()
        for content in [
            #"{"user_id":true,"password":"hunter2"}"#, #"{"password":"hunter2""#, "hunter2",
            #"{"user_id":"hunter2"}"#, #"{"user_id":1,"password":"hunter2"}"#,
        ] {
            _ = try answer(to: post(content), by: fixture.login.respond)
        }
        #expect(try fixture.events().count == 6)
        #expect(try !fixture.logFile().contains("hunter2"))
    }
}

import JWT
import Testing
import Time

private func verdict(_ members: String, _ verifier: HS256) -> String {
    verifier.verdict(on: Token(payload: #"{"user_id":1,"exp":1800000060\#(members)}"#))
}

// RFC 7519 §4.1.1.
struct IssuerTests {
    private static let verifier = HS256.with(issuer: "gatehouse")

    @Test(
        arguments: [
            (#","iss":"gatehouse""#, "valid"), (#","iss":"gate\u0068ouse""#, "valid"),
            ("", "wrong_issuer"), (#","iss":"""#, "wrong_issuer"),
            (#","iss":"Gatehouse""#, "wrong_issuer"), (#","iss":"gatehouse ""#, "wrong_issuer"),
            (#","iss":"gatehouse2""#, "wrong_issuer"), (#","iss":"gatehous""#, "wrong_issuer"),
            (#","iss":"gatehouse\u0000""#, "wrong_issuer"),
            (#","ISS":"gatehouse""#, "wrong_issuer"),
            (#","a":{"iss":"gatehouse"}"#, "wrong_issuer"),
            (#","iss":"gatehouse","iss":"gatehouse""#, "claims"),
        ])
    func `the issuer must equal the configured one`(members: String, expected: String) {
        #expect(verdict(members, Self.verifier) == expected)
    }

    @Test(
        arguments: ["", #","iss":"x""#, #","iss":"""#])
    func `any issuer is accepted if none is configured`(members: String) {
        #expect(verdict(members, .plain) == "valid")
    }

    @Test(
        arguments: ["null", "1", "true", "{}", #"["gatehouse"]"#, #"{"gatehouse":1}"#])
    func `an iss that is not a string is always refused`(value: String) {
        #expect(verdict(#","iss":\#(value)"#, Self.verifier) == "claims")
        #expect(verdict(#","iss":\#(value)"#, .plain) == "claims")
    }

    @Test func `a configured issuer may have characters outside ASCII`() {
        let verifier = HS256.with(issuer: "Torhüter €😀")
        #expect(verdict(#","iss":"Torhüter €😀""#, verifier) == "valid")
        #expect(verdict(#","iss":"Torh\u00fcter \u20ac\ud83d\ude00""#, verifier) == "valid")
        // Looks the same, but is another string (RFC 7519 §2, StringOrURI).
        #expect(verdict(",\"iss\":\"Torhu\u{308}ter €😀\"", verifier) == "wrong_issuer")
    }
}

// RFC 7519 §4.1.3.
struct AudienceTests {
    private static let verifier = HS256.with(audience: "api")

    @Test(
        arguments: [
            (#","aud":"api""#, "valid"), (#","aud":["api"]"#, "valid"),
            (#","aud":["web","api"]"#, "valid"), (#","aud":["api","web"]"#, "valid"),
            (#","aud":[ "web" , "a\u0070i" ]"#, "valid"), (#","aud":["api","api"]"#, "valid"),
            ("", "wrong_audience"), (#","aud":"web""#, "wrong_audience"),
            (#","aud":"API""#, "wrong_audience"), (#","aud":"api ""#, "wrong_audience"),
            (#","aud":"""#, "wrong_audience"), (#","aud":[]"#, "wrong_audience"),
            (#","aud":["web","apis",""]"#, "wrong_audience"),
            (#","a":{"aud":"api"}"#, "wrong_audience"), (#","aud":"api","aud":"api""#, "claims"),
        ])
    func `the audience must be or contain the configured one`(members: String, expected: String) {
        #expect(verdict(members, Self.verifier) == expected)
    }

    @Test(
        arguments: ["", #","aud":"x""#, #","aud":[]"#, #","aud":["somebody-else"]"#])
    func `any audience is accepted if none is configured`(members: String) {
        #expect(verdict(members, .plain) == "valid")
    }

    @Test(
        arguments: [
            "null", "1", "true", "{}", #"{"api":1}"#, "[1]", #"["api",1]"#, #"[["api"]]"#,
            #"["api",null]"#, #"["api""#, #"["api",]"#,
        ])
    func `an aud that is not a string or a list of strings is always refused`(value: String) {
        #expect(verdict(#","aud":\#(value)"#, Self.verifier) == "claims")
        #expect(verdict(#","aud":\#(value)"#, .plain) == "claims")
    }
}

struct OrderTests {
    private static let verifier = HS256.with(
        issuer: "gatehouse", audience: "api", requiresSession: true)

    /// Each payload has the fault that it is named after and all faults of the following ones.
    private static let payloads: [(String, String)] = [
        ("claims", #"{"user_id":1,"exp":1,"nbf":9e9,"sxp":"1"}"#),
        ("wrong_issuer", #"{"user_id":1,"exp":1,"nbf":9e9,"sxp":1}"#),
        ("wrong_audience", #"{"user_id":1,"exp":1,"nbf":9e9,"sxp":1,"iss":"gatehouse"}"#),
        (
            "expired",
            #"{"user_id":1,"exp":1,"nbf":9e9,"sxp":1,"iss":"gatehouse","aud":"api"}"#
        ),
        (
            "not_yet_valid",
            #"{"user_id":1,"exp":1e10,"nbf":9e9,"sxp":1,"iss":"gatehouse","aud":"api"}"#
        ),
        (
            "session_expired",
            #"{"user_id":1,"exp":1e10,"nbf":1,"sxp":1,"iss":"gatehouse","aud":"api"}"#
        ),
    ]

    @Test(arguments: payloads)
    func `the first of several faults of the payload is reported`(reason: String, payload: String) {
        #expect(Self.verifier.verdict(on: Token(payload: payload)) == reason)
    }

    @Test(arguments: payloads)
    func `an invalid signature is reported before faults of the payload`(
        reason: String, payload: String
    ) {
        var token = Token(payload: payload)
        token.secret = secretB
        #expect(Self.verifier.outcome(of: token.bytes) == .failure(.badSignature))
    }

    @Test func `faults of the header are reported before an invalid signature`() {
        var token = Token(header: #"{"alg":"none","crit":["x"],"kid":"zzz"}"#)
        token.secret = secretB
        #expect(HS256.plain.verdict(on: token) == "alg_not_allowed")
        token.header = Array(#"{"alg":"HS256","crit":["x"],"kid":"zzz"}"#.utf8)
        #expect(HS256.plain.verdict(on: token) == "crit")
        token.header = Array(#"{"alg":"HS256","kid":"zzz"}"#.utf8)
        #expect(HS256.plain.verdict(on: token) == "unknown_kid")
        token.encodeSignature = { base64URL($0) + Array("=".utf8) }
        #expect(HS256.plain.verdict(on: token) == "unknown_kid")
        token.encodeHeader = { base64URL($0) + Array("=".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }
}

struct TokenErrorTests {
    private static let sample: Claims = {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1))
        claims.tokenID = ShortText("t")
        return claims
    }()

    @Test(
        arguments: [
            (.tooLong, "too_long"), (.malformed, "malformed"), (.notCanonical, "not_canonical"),
            (.algorithmNotAllowed, "alg_not_allowed"), (.criticalExtension, "crit"),
            (.unknownKey, "unknown_kid"), (.badSignature, "bad_signature"), (.claims, "claims"),
            (.expired(sample), "expired"), (.notYetValid(sample), "not_yet_valid"),
            (.wrongIssuer(sample), "wrong_issuer"), (.wrongAudience(sample), "wrong_audience"),
            (.sessionExpired(sample), "session_expired"),
        ] as [(TokenError, String)])
    func `each error has its reason in the log`(error: TokenError, reason: String) {
        #expect("\(error.reason)" == reason)
    }

    @Test func `an error carries the claims only if the signature was valid`() {
        let verifier = HS256.with(issuer: "gatehouse", audience: "api")
        func expect(_ members: String, _ error: (Claims) -> TokenError, nbf: Int64? = nil) {
            var claims = Self.sample
            claims.notBefore = nbf.map(Timestamp.init(seconds:))
            var token = Token(payload: #"{"user_id":1,"jti":"t",\#(members)}"#)
            #expect(verifier.outcome(of: token.bytes, at: at) == .failure(error(claims)))
            #expect(error(claims).claims == claims)
            token.secret = secretB
            #expect(verifier.outcome(of: token.bytes, at: at) == .failure(.badSignature))
        }
        let issuerAndAudience = #""iss":"gatehouse","aud":"api""#
        var at = Timestamp(seconds: 0)
        expect(#""exp":1"#, TokenError.wrongIssuer)
        expect(#""exp":1,"iss":"gatehouse""#, TokenError.wrongAudience)
        expect(#""exp":1,"nbf":1,\#(issuerAndAudience)"#, TokenError.notYetValid, nbf: 1)
        at = Timestamp(seconds: 2)
        expect(#""exp":1,\#(issuerAndAudience)"#, TokenError.expired)
    }

    @Test func `a session_expired error carries the claims`() {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        claims.sessionExpires = now
        let token = Token(payload: #"{"user_id":1,"exp":1800000060,"sxp":1800000000}"#)
        #expect(HS256.plain.outcome(of: token.bytes) == .failure(.sessionExpired(claims)))
        #expect(TokenError.sessionExpired(claims).claims == claims)
    }

    @Test func `an error found before the signature check carries no claims`() {
        let errors: [TokenError] = [
            .tooLong, .malformed, .notCanonical, .algorithmNotAllowed, .criticalExtension,
            .unknownKey, .badSignature, .claims,
        ]
        #expect(errors.allSatisfy { $0.claims == nil })
    }
}

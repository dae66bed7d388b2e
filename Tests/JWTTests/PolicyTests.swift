import JWT
import Testing
import Time

private func verdict(_ members: String, _ verifier: HS256) -> String {
    verifier.verdict(on: Token(payload: #"{"user_id":1,"exp":1800000060\#(members)}"#))
}

// RFC 7519 §4.1.1.
@Suite("A token's iss")
struct IssuerTests {
    private static let verifier = HS256.with(issuer: "gatehouse")

    @Test(
        "must be the configured one, to the byte",
        arguments: [
            (#","iss":"gatehouse""#, "good"), (#","iss":"gate\u0068ouse""#, "good"),
            ("", "wrong_issuer"), (#","iss":"""#, "wrong_issuer"),
            (#","iss":"Gatehouse""#, "wrong_issuer"), (#","iss":"gatehouse ""#, "wrong_issuer"),
            (#","iss":"gatehouse2""#, "wrong_issuer"), (#","iss":"gatehous""#, "wrong_issuer"),
            (#","iss":"gatehouse\u0000""#, "wrong_issuer"),
            (#","ISS":"gatehouse""#, "wrong_issuer"),
            (#","a":{"iss":"gatehouse"}"#, "wrong_issuer"),
            (#","iss":"gatehouse","iss":"gatehouse""#, "claims"),
        ])
    func configured(members: String, expected: String) {
        #expect(verdict(members, Self.verifier) == expected)
    }

    @Test(
        "may be anything where none is configured",
        arguments: ["", #","iss":"x""#, #","iss":"""#])
    func notConfigured(members: String) {
        #expect(verdict(members, .plain) == "good")
    }

    @Test(
        "is a string, configured or not",
        arguments: ["null", "1", "true", "{}", #"["gatehouse"]"#, #"{"gatehouse":1}"#])
    func wrongType(value: String) {
        #expect(verdict(#","iss":\#(value)"#, Self.verifier) == "claims")
        #expect(verdict(#","iss":\#(value)"#, .plain) == "claims")
    }

    @Test("may be beyond ASCII")
    func unicode() {
        let verifier = HS256.with(issuer: "Torhüter €😀")
        #expect(verdict(#","iss":"Torhüter €😀""#, verifier) == "good")
        #expect(verdict(#","iss":"Torh\u00fcter \u20ac\ud83d\ude00""#, verifier) == "good")
        // The same to a reader, another string to RFC 7519 §2 (StringOrURI).
        #expect(verdict(",\"iss\":\"Torhu\u{308}ter €😀\"", verifier) == "wrong_issuer")
    }
}

// RFC 7519 §4.1.3.
@Suite("A token's aud")
struct AudienceTests {
    private static let verifier = HS256.with(audience: "api")

    @Test(
        "must be the configured one, or a list that has it",
        arguments: [
            (#","aud":"api""#, "good"), (#","aud":["api"]"#, "good"),
            (#","aud":["web","api"]"#, "good"), (#","aud":["api","web"]"#, "good"),
            (#","aud":[ "web" , "a\u0070i" ]"#, "good"), (#","aud":["api","api"]"#, "good"),
            ("", "wrong_audience"), (#","aud":"web""#, "wrong_audience"),
            (#","aud":"API""#, "wrong_audience"), (#","aud":"api ""#, "wrong_audience"),
            (#","aud":"""#, "wrong_audience"), (#","aud":[]"#, "wrong_audience"),
            (#","aud":["web","apis",""]"#, "wrong_audience"),
            (#","a":{"aud":"api"}"#, "wrong_audience"), (#","aud":"api","aud":"api""#, "claims"),
        ])
    func configured(members: String, expected: String) {
        #expect(verdict(members, Self.verifier) == expected)
    }

    @Test(
        "may be anything where none is configured",
        arguments: ["", #","aud":"x""#, #","aud":[]"#, #","aud":["somebody-else"]"#])
    func notConfigured(members: String) {
        #expect(verdict(members, .plain) == "good")
    }

    @Test(
        "is a string or a list of strings, configured or not",
        arguments: [
            "null", "1", "true", "{}", #"{"api":1}"#, "[1]", #"["api",1]"#, #"[["api"]]"#,
            #"["api",null]"#, #"["api""#, #"["api",]"#,
        ])
    func wrongType(value: String) {
        #expect(verdict(#","aud":\#(value)"#, Self.verifier) == "claims")
        #expect(verdict(#","aud":\#(value)"#, .plain) == "claims")
    }
}

@Suite("A token with several faults")
struct OrderTests {
    private static let verifier = HS256.with(
        issuer: "gatehouse", audience: "api", requiresSession: true)

    /// Each payload has the fault that it is named after and all those behind it.
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

    @Test("is refused for the gravest of them", arguments: payloads)
    func payload(reason: String, payload: String) {
        #expect(Self.verifier.verdict(on: Token(payload: payload)) == reason)
    }

    @Test("is refused for its signature before its payload", arguments: payloads)
    func signature(reason: String, payload: String) {
        var token = Token(payload: payload)
        token.secret = secretB
        #expect(Self.verifier.outcome(of: token.bytes) == .failure(.badSignature))
    }

    @Test("is refused for its header before its signature")
    func header() {
        var token = Token(header: #"{"alg":"none","crit":["x"],"kid":"zzz"}"#)
        token.secret = secretB
        #expect(HS256.plain.verdict(on: token) == "alg_not_allowed")
        token.header = Array(#"{"alg":"HS256","crit":["x"],"kid":"zzz"}"#.utf8)
        #expect(HS256.plain.verdict(on: token) == "crit")
        token.header = Array(#"{"alg":"HS256","kid":"zzz"}"#.utf8)
        #expect(HS256.plain.verdict(on: token) == "unknown_kid")
        token.spellSignature = { base64URL($0) + Array("=".utf8) }
        #expect(HS256.plain.verdict(on: token) == "unknown_kid")
        token.spellHeader = { base64URL($0) + Array("=".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }
}

@Suite("A token's refusal")
struct TokenErrorTests {
    private static let sample: Claims = {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1))
        claims.tokenID = ShortText("t")
        return claims
    }()

    @Test(
        "has a word for the log",
        arguments: [
            (.tooLong, "too_long"), (.malformed, "malformed"), (.notCanonical, "not_canonical"),
            (.algorithmNotAllowed, "alg_not_allowed"), (.criticalExtension, "crit"),
            (.unknownKey, "unknown_kid"), (.badSignature, "bad_signature"), (.claims, "claims"),
            (.expired(sample), "expired"), (.notYetValid(sample), "not_yet_valid"),
            (.wrongIssuer(sample), "wrong_issuer"), (.wrongAudience(sample), "wrong_audience"),
            (.sessionExpired(sample), "session_expired"),
        ] as [(TokenError, String)])
    func words(error: TokenError, word: String) {
        #expect("\(error.reason)" == word)
    }

    @Test("repeats what the token says where the signature held, and only there")
    func claims() {
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
        let ours = #""iss":"gatehouse","aud":"api""#
        var at = Timestamp(seconds: 0)
        expect(#""exp":1"#, TokenError.wrongIssuer)
        expect(#""exp":1,"iss":"gatehouse""#, TokenError.wrongAudience)
        expect(#""exp":1,"nbf":1,\#(ours)"#, TokenError.notYetValid, nbf: 1)
        at = Timestamp(seconds: 2)
        expect(#""exp":1,\#(ours)"#, TokenError.expired)
    }

    @Test("for its session's end repeats what the token says, too")
    func sessionClaims() {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        claims.sessionExpires = now
        let token = Token(payload: #"{"user_id":1,"exp":1800000060,"sxp":1800000000}"#)
        #expect(HS256.plain.outcome(of: token.bytes) == .failure(.sessionExpired(claims)))
        #expect(TokenError.sessionExpired(claims).claims == claims)
    }

    @Test("without a signature that held has no claims to repeat")
    func noClaims() {
        let errors: [TokenError] = [
            .tooLong, .malformed, .notCanonical, .algorithmNotAllowed, .criticalExtension,
            .unknownKey, .badSignature, .claims,
        ]
        #expect(errors.allSatisfy { $0.claims == nil })
    }
}

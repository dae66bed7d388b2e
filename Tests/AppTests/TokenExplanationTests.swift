import Crypto
import JWT
import TestSupport
import Testing
import Time

@testable import App

private let secretA = Array("the secret of key a, 32 bytes up".utf8)
private let secretB = Array("the secret of key b, 32 bytes up".utf8)
/// 2027-01-15T08:00:00Z
private let now = Timestamp(seconds: 1_800_000_000)
private let header = #"{"alg":"HS256","typ":"JWT"}"#
private let payload = #"{"user_id":1,"exp":1800000060,"iss":"us","aud":"them"}"#

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private func base64URL(_ json: String) -> String { text(Base64URL.encoded(Array(json.utf8).span)) }

/// A token with any header and any payload, signed with any secret.
private func token(
    header: String = header, payload: String = payload, secret: [UInt8] = secretA
) -> String {
    signed("\(base64URL(header)).\(base64URL(payload))", secret)
}

private func signed(_ input: String, _ secret: [UInt8] = secretA) -> String {
    let code = HMACSHA256.code(for: Array(input.utf8).span, key: HMACSHA256.Key(secret.span))
    return "\(input).\(text(Base64URL.encoded(code.span)))"
}

private let tokens: HS256 = {
    let policy = TokenPolicy(issuer: "us", audience: "them", leeway: .seconds(5))
    let keys = KeyRing([
        KeyRing.Entry(id: "a", secret: secretA.span)!,
        KeyRing.Entry(id: "b", secret: secretB.span)!,
    ])!
    return HS256(keys: keys, policy: policy)
}()

private let strict: HS256 = {
    var policy = tokens.policy
    policy.requiresSession = true
    return HS256(keys: tokens.keys, policy: policy)
}()

private func reason(_ explanation: TokenExplanation) -> String? {
    switch explanation.outcome {
    case .success: nil
    case .failure(let error): "\(error.reason)"
    }
}

/// Refused tokens, the step that fails for each, and the `reason=` value.
private let refused: [(String, String, String)] = [
    (String(repeating: "a", count: 8193), "length", "too_long"),
    ("", "segments", "malformed"), ("a.b", "segments", "malformed"),
    ("a.b.c.d.e", "segments", "malformed"),
    ("..", "header", "malformed"), ("!.a.b", "header", "not_canonical"),
    ("YQ=.a.b", "header", "not_canonical"), ("a.b.c", "header", "not_canonical"),
    ("YR.a.b", "header", "not_canonical"),
    (String(repeating: "a", count: 1368) + ".a.b", "header", "malformed"),
    (token(header: "[]"), "header", "malformed"),
    (token(header: #"{"alg":"HS256","alg":"HS256"}"#), "header", "malformed"),
    (token(header: #"{"alg":"HS256","kid":5}"#), "header", "malformed"),
    (token(header: #"{"alg":"HS256"} x"#), "header", "malformed"),
    (
        token(header: "{\"alg\":\"HS256\"" + (0..<64).map { ",\"\($0)\":1" }.joined() + "}"),
        "header", "malformed"
    ),
    (token(header: #"{"typ":"JWT"}"#), "alg", "malformed"),
    (token(header: #"{"alg":"none"}"#), "alg", "alg_not_allowed"),
    (token(header: #"{"alg":["HS256"],"crit":[]}"#), "alg", "alg_not_allowed"),
    (base64URL(#"{"alg":"none"}"#) + "." + base64URL(payload) + ".", "alg", "alg_not_allowed"),
    (token(header: #"{"alg":"HS256","crit":["x"],"kid":"z"}"#), "crit", "crit"),
    (token(header: #"{"alg":"HS256","kid":"z\u001b[2J"}"#), "kid", "unknown_kid"),
    (token(header: #"{"alg":"HS256","kid":"b"}"#), "signature", "bad_signature"),
    (token(secret: Array(repeating: 7, count: 32)), "signature", "bad_signature"),
    ("\(base64URL(header)).\(base64URL(payload)).", "signature", "bad_signature"),
    (token() + "A", "signature", "bad_signature"), (token() + "AAAA", "signature", "bad_signature"),
    (token() + "=", "signature", "not_canonical"), (token() + "AA", "signature", "not_canonical"),
    (String(token().dropLast()) + "-", "signature", "not_canonical"),
    (signed("\(base64URL(header))."), "payload", "claims"),
    (signed("\(base64URL(header)).a"), "payload", "not_canonical"),
    (signed("\(base64URL(header)).YR"), "payload", "not_canonical"),
    (token(payload: "{"), "payload", "claims"), (token(payload: "null"), "payload", "claims"),
    (token(payload: "{}x"), "payload", "claims"),
    (token(payload: #"{"user_id":true,"exp":1800000060}"#), "user_id", "claims"),
    (token(payload: #"{"user_id":1.0,"exp":1800000060}"#), "user_id", "claims"),
    (token(payload: #"{"user_id":0,"exp":1800000060}"#), "user_id", "claims"),
    (token(payload: #"{"exp":1800000060}"#), "user_id", "claims"),
    (token(payload: #"{"sub":"alice","exp":1800000060}"#), "sub", "claims"),
    (token(payload: #"{"sub":"2","user_id":1,"exp":1800000060}"#), "sub", "claims"),
    (token(payload: #"{"user_id":1}"#), "exp", "claims"),
    (token(payload: #"{"user_id":1,"exp":"soon"}"#), "exp", "claims"),
    (token(payload: #"{"user_id":1,"exp":1e999}"#), "exp", "claims"),
    (token(payload: #"{"user_id":1,"exp":1800000060,"aud":[1]}"#), "aud", "claims"),
    (
        token(
            payload:
                #"{"user_id":1,"exp":1800000060,"jti":"\#(String(repeating: "j", count: 65))"}"#),
        "jti", "claims"
    ),
    (token(payload: #"{"user_id":1,"user_id":1,"exp":1800000060}"#), "payload", "claims"),
    (token(payload: #"{"user_id":1,"exp":1800000060,"aud":"them"}"#), "iss", "wrong_issuer"),
    (token(payload: #"{"user_id":1,"exp":1,"iss":"ü","aud":"them"}"#), "iss", "wrong_issuer"),
    (token(payload: #"{"user_id":1,"exp":1800000060,"iss":"us"}"#), "aud", "wrong_audience"),
    (
        token(payload: #"{"user_id":1,"exp":1800000060,"iss":"us","aud":["x","y"]}"#), "aud",
        "wrong_audience"
    ),
    (
        token(payload: #"{"user_id":1,"exp":1799999995,"iss":"us","aud":"them"}"#), "exp", "expired"
    ),
    (
        token(payload: #"{"user_id":1,"exp":-1e300,"nbf":1e300,"iss":"us","aud":"them"}"#), "exp",
        "expired"
    ),
    (
        token(payload: #"{"user_id":1,"exp":1800000060,"nbf":1800000006,"iss":"us","aud":"them"}"#),
        "nbf", "not_yet_valid"
    ),
    (
        token(payload: #"{"user_id":1,"exp":1800000060,"sxp":1799999995,"iss":"us","aud":"them"}"#),
        "sxp", "session_expired"
    ),
]

private let accepted: [String] = [
    token(), token(secret: secretB), token(header: #"{"alg":"HS256","kid":"b"}"#, secret: secretB),
    token(header: #"{"x":{"y":[1,2]},"alg":"HS256"}"#),
    token(payload: #"{"sub":"1","exp":1799999996,"iss":"us","aud":["x","them"],"x":1e999}"#),
    token(
        payload:
            #"{"sub":"1","exp":1800000060.5,"nbf":1800000005,"iss":"us","aud":"them","sid":""}"#),
]

struct TokenExplanationTests {
    @Test(arguments: refused)
    func `the failed step is the one that the verifier refuses the token for`(
        token: String, step: String, word: String
    ) throws {
        let explanation = TokenExplanation(Array(token.utf8), tokens, at: now)
        #expect(reason(explanation) == word)
        #expect(explanation.failure.map { "\($0)" } == word)
        let bad = try #require(explanation.steps.first { $0.mark == .bad })
        #expect(bad.name == step)
    }

    @Test func `every reason that the verifier has is covered by a refused token`() {
        let words = Set(refused.map(\.2))
        let claims = Claims(user: UserID(1)!, expires: now)
        let all: [TokenError] = [
            .tooLong, .malformed, .notCanonical, .algorithmNotAllowed, .criticalExtension,
            .unknownKey, .badSignature, .claims, .expired(claims), .notYetValid(claims),
            .wrongIssuer(claims), .wrongAudience(claims), .sessionExpired(claims),
        ]
        #expect(Set(all.map { "\($0.reason)" }) == words)
    }

    @Test(arguments: accepted)
    func `an accepted token has no failed step`(token: String) throws {
        let explanation = TokenExplanation(Array(token.utf8), tokens, at: now)
        #expect(explanation.claims?.user == UserID(1))
        #expect(reason(explanation) == nil)
        #expect(explanation.failure == nil)
        #expect(explanation.steps.allSatisfy { [.good, .note].contains($0.mark) })
    }

    @Test func `a missing session is explained if sessions are required`() throws {
        let explanation = TokenExplanation(Array(token().utf8), strict, at: now)
        #expect(reason(explanation) == "claims")
        #expect(explanation.failure.map { "\($0)" } == "claims")
        #expect(explanation.steps.last?.name == "session")
    }

    @Test func `a damaged token gets the verifier's reason, signed again or not`() {
        var generator = SeededGenerator(seed: 11)
        let parts = [header, payload]
        let characters = Array(#"{}[]",:0123456789.-eE+ algkidcrtusxpbfnj_\u"#.utf8)
        for _ in 0..<TestScale.rounds(3000, long: 300_000) {
            var texts = parts.map { Array($0.utf8) }
            let part = Int.random(in: 0..<2, using: &generator)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<texts[part].count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: texts[part][index] = characters.randomElement(using: &generator)!
                case 1: texts[part].insert(characters.randomElement(using: &generator)!, at: index)
                default: texts[part].remove(at: index)
                }
            }
            var bytes = Array(token(header: text(texts[0]), payload: text(texts[1])).utf8)
            if Int.random(in: 0..<4, using: &generator) == 0 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = 0x41
            }
            let explanation = TokenExplanation(bytes, tokens, at: now)
            #expect(explanation.failure.map { "\($0)" } == reason(explanation), "\(text(bytes))")
        }
    }

    @Test func `claims without a valid signature are marked as unverified`() throws {
        let forged = token(
            payload: #"{"user_id":1,"exp":1800003600,"sub":"1"}"#,
            secret: Array(repeating: 1, count: 32))
        let steps = TokenExplanation(Array(forged.utf8), tokens, at: now).steps
        let signature = try #require(steps.firstIndex { $0.name == "signature" })
        #expect(steps[(signature + 1)...].map(\.mark).allSatisfy { $0 == .unverified })
        #expect(
            steps[(signature + 1)...].map { "\($0.name): \($0.text)" } == [
                "payload: a JSON object of 40 bytes", "user_id: 1", "sub: 1",
                "exp: 2027-01-15 09:00:00 UTC: expires in 1 hour",
            ])
    }

    @Test func `an explanation contains neither the token nor terminal control characters`() {
        for token in refused.map(\.0) + accepted where token.count > 40 {
            let steps = TokenExplanation(Array(token.utf8), tokens, at: now).steps
            let shown = steps.map { "\($0.name) \($0.text)" }.joined(separator: "\n")
            for part in token.split(separator: ".") where part.count > 8 {
                #expect(!shown.contains(part))
            }
            #expect(
                shown.unicodeScalars.allSatisfy { $0.isASCII && ($0.value >= 0x20 || $0 == "\n") })
        }
    }
}

struct HumanTimeTests {
    @Test(
        arguments: [
            (0, "now"), (-1, "1 millisecond ago"), (1500, "in 1 second"), (-60_000, "1 minute ago"),
            (300_000, "in 5 minutes"), (3_900_000, "in 1 hour 5 minutes"),
            (-90_061_000, "1 day 1 hour ago"), (36_000_000, "in 10 hours"),
            (700_000_000, "in 8 days"), (Int64.max, "in 106751991167 days"),
        ] as [(Int64, String)])
    func `a time relative to now is described in at most two units`(difference: Int64, text: String)
    {
        let start = Timestamp(milliseconds: 0)
        let moment = Timestamp(milliseconds: difference)
        #expect(HumanTime.relative(moment, to: start) == text)
    }

    @Test func `times are formatted in UTC and do not trap at the extremes`() {
        #expect(HumanTime.utc(now) == "2027-01-15 08:00:00 UTC")
        #expect(
            HumanTime.utc(Timestamp(milliseconds: 1_800_000_000_120))
                == "2027-01-15 08:00:00.120 UTC")
        for (moment, words) in [(Int64.max, "after the year 9999"), (.min, "before the year 1")] {
            #expect(HumanTime.utc(Timestamp(milliseconds: moment)) == words)
        }
        let (first, last) = (Timestamp(milliseconds: .min), Timestamp(milliseconds: .max))
        #expect(HumanTime.relative(first, to: last) == "far in the past")
        #expect(HumanTime.relative(last, to: first) == "far in the future")
    }
}

import Crypto
import JWT
import Testing
import Time

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private func payload(of token: [UInt8]) throws -> String {
    let segment = token.split(separator: UInt8(ascii: "."))[1]
    return text(try Base64URL.decoded(Array(segment).span))
}

struct SigningTests {
    private static let full: Claims = {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_001_800))
        claims.issued = now
        claims.notBefore = now
        claims.tokenID = ShortText("token-1")
        claims.sessionID = ShortText("session-1")
        claims.authenticated = now
        claims.sessionExpires = Timestamp(seconds: 1_800_043_200)
        return claims
    }()

    // Computed with another implementation: Python's hmac and base64.
    @Test func `a signed token has exactly the expected bytes`() {
        let verifier = HS256.with(issuer: "gatehouse", audience: "api")
        #expect(
            text(verifier.sign(Self.full))
                == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImEifQ"
                + ".eyJpc3MiOiJnYXRlaG91c2UiLCJzdWIiOiIxIiwidXNlcl9pZCI6MSwiYXVkIjoiYXBpIiwiaWF0"
                + "IjoxODAwMDAwMDAwLCJuYmYiOjE4MDAwMDAwMDAsImV4cCI6MTgwMDAwMTgwMCwianRpIjoidG9r"
                + "ZW4tMSIsInNpZCI6InNlc3Npb24tMSIsImF1dGhfdGltZSI6MTgwMDAwMDAwMCwic3hwIjoxODAw"
                + "MDQzMjAwfQ.hEx-2Zx-ZQlR-LtU2xsjsyjJ7-FsiUQJU3dI-Lq74Wc")
        let claims = Claims(
            user: UserID(UserID.maximum)!, expires: Timestamp(seconds: 1_800_001_800))
        #expect(
            text(HS256.plain.sign(claims))
                == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImEifQ"
                + ".eyJzdWIiOiI5MDA3MTk5MjU0NzQwOTkxIiwidXNlcl9pZCI6OTAwNzE5OTI1NDc0MDk5MSwiZXhw"
                + "IjoxODAwMDAxODAwfQ.SPSqvaI4Gs4W_Wj1kc7JR7PRGaD7wlRM4DloWidOheA")
    }

    @Test func `the claims of a signed token are returned unchanged by verification`() {
        let texts = ["", "x", "é€😀", "\"\\/\u{0}\n\u{1F}\u{7F}", String(repeating: "y", count: 64)]
        for members in 0..<64 {
            var claims = Claims(
                user: UserID(Int64(members) * 140_000_000_000_000 + 1)!,
                expires: Timestamp(seconds: 1_800_000_001))
            if members & 1 > 0 { claims.issued = Timestamp(seconds: -Int64(members)) }
            if members & 2 > 0 { claims.notBefore = Timestamp(seconds: 1_800_000_000) }
            if members & 4 > 0 { claims.tokenID = ShortText(texts[members % texts.count]) }
            if members & 8 > 0 { claims.sessionID = ShortText(texts[members / 7 % texts.count]) }
            if members & 16 > 0 { claims.authenticated = Timestamp(seconds: 0) }
            if members & 32 > 0 { claims.sessionExpires = Timestamp(seconds: 253_402_300_800) }
            #expect(HS256.plain.outcome(of: HS256.plain.sign(claims)) == .success(claims))
        }
    }

    @Test func `a signed token satisfies its own policy and no other`() {
        let verifiers = [
            HS256.plain, .with(issuer: "a"), .with(issuer: "b"), .with(audience: "a"),
            .with(issuer: "\"\\\n", audience: "é€😀"),
        ]
        for (index, issuing) in verifiers.enumerated() {
            let token = issuing.sign(Self.full)
            for (other, verifier) in verifiers.enumerated() {
                let isGood = verifier.verdict(on: token) == "valid"
                #expect(isGood == (other == index || other == 0))
            }
        }
    }

    // RFC 7519 §2: a NumericDate may have a fraction.
    @Test func `a date has a fraction only if needed`() throws {
        var claims = Claims(
            user: UserID(5)!, expires: Timestamp(milliseconds: 1_800_000_000_999))
        claims.issued = Timestamp(milliseconds: 1_700_000_000_050)
        claims.notBefore = Timestamp(seconds: 1_700_000_000)
        let token = HS256.plain.sign(claims)
        #expect(
            try payload(of: token)
                == #"{"sub":"5","user_id":5,"iat":1700000000.05,"nbf":1700000000,"#
                + #""exp":1800000000.999}"#)
        let read = try HS256.plain.verify(token.span, at: Timestamp(seconds: 1_750_000_000))
        #expect(read.issued == claims.issued)
        #expect(read.expires == claims.expires)
    }

    @Test func `a signed payload is valid JSON whatever the issuer is`() throws {
        let verifier = HS256.with(issuer: "\"\\\n\u{0}", audience: "é😀")
        #expect(
            try payload(of: verifier.sign(Self.full)).hasPrefix(
                #"{"iss":"\"\\\u000a\u0000","sub":"1","user_id":1,"aud":"é😀","iat":1800000000"#))
    }

    @Test func `a token is signed with the first key and contains its kid`() throws {
        let old = HS256.with(keys: [("a", secretA)])
        let changing = HS256.with(keys: [("b", secretB), ("a", secretA)])
        let new = HS256.with(keys: [("b", secretB)])

        let token = changing.sign(Self.full)
        #expect(try new.outcome(of: token).get().keyIndex == 0)
        #expect(old.verdict(on: token) == "unknown_kid")
        #expect(try changing.outcome(of: old.sign(Self.full)).get().keyIndex == 1)
        #expect(new.verdict(on: old.sign(Self.full)) == "unknown_kid")
    }
}

struct KeyRingTests {
    private func entry(_ id: String, _ secret: [UInt8] = secretA) -> KeyRing.Entry? {
        KeyRing.Entry(id: id, secret: secret.span)
    }

    @Test func `a key ID has 1 to 64 allowed characters`() {
        for id in ["a", "2026-11", "A.b_c-9", String(repeating: "x", count: 64)] {
            #expect(entry(id)?.id == id)
        }
        for id in [
            "", String(repeating: "x", count: 65), "a b", "a\"b", "a\\b", "a/b", "a\n", "\0", "é",
            "a=b", "a|b", "😀", "a:b",
        ] {
            #expect(entry(id) == nil)
        }
    }

    // RFC 7518 §3.2.
    @Test func `a key has at least 32 bytes`() {
        #expect(entry("a", []) == nil)
        #expect(entry("a", [UInt8](repeating: 1, count: 31)) == nil)
        #expect(entry("a", [UInt8](repeating: 1, count: 32)) != nil)
        #expect(entry("a", [UInt8](repeating: 1, count: 1000)) != nil)
    }

    @Test func `a ring has 1 to 16 keys with different IDs`() {
        func ring(_ ids: some Sequence<String>) -> KeyRing? { KeyRing(ids.map { entry($0)! }) }
        #expect(ring([]) == nil)
        #expect(ring(["a"])?.signing.id == "a")
        #expect(ring((1...16).map { "key-\($0)" })?.entries.count == 16)
        #expect(ring((1...17).map { "key-\($0)" }) == nil)
        #expect(ring(["a", "b", "a"]) == nil)
        #expect(ring(["a", "A"])?.signing.id == "a")
    }
}

struct UserIDTests {
    @Test(arguments: [1, 2, 42, (1 << 53) - 1] as [Int64])
    func `a user ID is from 1 to 2^53 - 1`(number: Int64) {
        #expect(UserID(number)?.rawValue == number)
    }

    @Test(arguments: [0, -1, 1 << 53, .max, .min] as [Int64])
    func `a number out of range is not a user ID`(number: Int64) {
        #expect(UserID(number) == nil)
    }
}

struct ShortTextTests {
    @Test func `a short text contains up to 64 bytes unchanged`() {
        for count in 0...64 {
            let bytes = (0..<count).map { UInt8($0) ^ 0xA5 }
            let text = ShortText(bytes.span)
            #expect(text.map { text in text.utf8.indices.map { text.utf8[$0] } } == bytes)
        }
        #expect(ShortText([UInt8](repeating: 0, count: 65).span) == nil)
    }

    @Test func `short texts are equal if they have the same bytes`() {
        #expect(ShortText("abc") == ShortText("abc"))
        #expect(ShortText("abc") != ShortText("abd"))
        #expect(ShortText("abc") != ShortText("abcd"))
        #expect(ShortText("abc") != ShortText("abc\0"))
        #expect(ShortText("") != ShortText("\0"))
        #expect(ShortText("\u{E9}") != ShortText("e\u{301}"))
    }
}

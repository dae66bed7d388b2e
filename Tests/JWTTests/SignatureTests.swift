import Crypto
import JWT
import Testing
import Time

@Suite("A token's signature")
struct SignatureTests {
    /// RFC 7515 appendix A.1. Its claims name no user, so `claims` says that the signature held.
    private static let example =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    private static let exampleVerifier = HS256.with(keys: [
        (
            "a",
            [
                3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179,
                40, 230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146,
                210, 6, 71, 239, 150, 138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79,
                8, 192, 205, 154, 245, 103, 208, 128, 163,
            ]
        )
    ])

    @Test("holds for the example of RFC 7515")
    func rfc7515() {
        let error = Self.exampleVerifier.outcome(of: Array(Self.example.utf8))
        #expect(error == .failure(.claims))
    }

    @Test("does not hold for the example of RFC 7515 with any bit of it changed")
    func rfc7515Flipped() throws {
        let segments = Self.example.utf8.split(separator: UInt8(ascii: ".")).map { Array($0) }
        let spelt = segments[2]
        let code = try Base64URL.decoded(spelt.span)
        let held = (0..<256).filter { bit in
            var wrong = code
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            let token = segments[0] + dot + segments[1] + dot + base64URL(wrong)
            return Self.exampleVerifier.outcome(of: token) != .failure(.badSignature)
        }
        #expect(held == [])
    }

    @Test("is the HMAC of header and payload as they are spelt")
    func plain() {
        let expected = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        #expect(HS256.plain.outcome(of: Token().bytes) == .success(expected))
    }

    @Test(
        "holds for no other key",
        arguments: [
            [], secretB, secretA + Array("\n".utf8), [UInt8](secretA.dropLast()),
            [UInt8](secretA.prefix(8)), base64URL(secretA), secretA + secretA,
            secretA.map { $0 ^ 1 }, Array("secret".utf8), Array("changeme".utf8),
            Array("your-256-bit-secret".utf8), [UInt8](repeating: 0, count: 32),
        ] as [[UInt8]])
    func otherKeys(secret: [UInt8]) {
        var token = Token()
        token.secret = secret
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
    }

    @Test("is of the whole spelt text, not of a part of it or of what it decodes to")
    func otherMessages() {
        let token = Token()
        let (header, payload) = (base64URL(token.header), base64URL(token.payload))
        let messages = [
            [], payload, header, header + dot, dot + payload, header + payload,
            token.header + dot + token.payload, token.payload, token.signingInput + dot,
            Array("\u{0}".utf8) + token.signingInput,
        ]
        for message in messages {
            let wrong = token.signed(with: code(for: message, secret: secretA))
            #expect(HS256.plain.verdict(on: wrong) == "bad_signature")
        }
    }

    @Test("is an HMAC, not a hash of key and text")
    func otherCodes() {
        let token = Token()
        for message in [secretA + token.signingInput, token.signingInput + secretA] {
            let digest = SHA256.digest(of: message.span)
            let wrong = token.signed(with: digest.bytes.indices.map { digest.bytes[$0] })
            #expect(HS256.plain.verdict(on: wrong) == "bad_signature")
        }
    }

    @Test("has 32 bytes, not more, not fewer, and is not that of another token")
    func otherLengths() {
        let token = Token()
        let right = code(for: token.signingInput, secret: secretA)
        let other = code(for: Token(payload: "{}").signingInput, secret: secretA)
        let wrong =
            (0..<32).map { Array(right.prefix($0)) } + [
                right + [0], right + right, [0] + right, Array(right.reversed()), other,
                Array(repeating: 0, count: 32), Array(repeating: 0, count: 64),
                right + Array(repeating: 0, count: 4000),
            ]
        #expect(HS256.plain.verdict(on: token.signed(with: right)) == "good")
        for signature in wrong {
            #expect(HS256.plain.verdict(on: token.signed(with: signature)) == "bad_signature")
        }
    }

    @Test("covers every bit of a token: with one changed it is refused, and says nothing")
    func everyBit() {
        let claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        for token in [Token().bytes, HS256.plain.sign(claims)] {
            let talkative = (0..<(token.count * 8)).filter { bit in
                var wrong = token
                wrong[bit / 8] ^= 1 << UInt8(bit % 8)
                guard case .failure(let error) = HS256.plain.outcome(of: wrong) else {
                    return true
                }
                // `claims` would mean that the payload was read.
                return error.claims != nil || error == .claims
            }
            #expect(talkative == [])
        }
    }

    @Test("is not that of a payload or a header that was put in later")
    func exchanged() {
        let token = Token()
        let right = code(for: token.signingInput, secret: secretA)
        let richer = Token(payload: #"{"user_id":2,"exp":1800000060}"#)
        #expect(HS256.plain.verdict(on: richer.signed(with: right)) == "bad_signature")
        let longer = Token(header: #"{"alg":"HS256","typ":"JWT","x":1}"#)
        #expect(HS256.plain.verdict(on: longer.signed(with: right)) == "bad_signature")
    }
}

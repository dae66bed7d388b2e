import Crypto
import JWT
import Testing
import Time

struct SignatureTests {
    /// RFC 7515 appendix A.1. Its claims name no user, so the error `claims` means that the
    /// signature is valid.
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

    @Test func `the signature of RFC 7515's example is valid`() {
        let error = Self.exampleVerifier.outcome(of: Array(Self.example.utf8))
        #expect(error == .failure(.claims))
    }

    @Test func `the signature of RFC 7515's example is invalid with any bit changed`() throws {
        let segments = Self.example.utf8.split(separator: UInt8(ascii: ".")).map { Array($0) }
        let encoded = segments[2]
        let code = try Base64URL.decoded(encoded.span)
        let accepted = (0..<256).filter { bit in
            var changed = code
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let token = segments[0] + dot + segments[1] + dot + base64URL(changed)
            return Self.exampleVerifier.outcome(of: token) != .failure(.badSignature)
        }
        #expect(accepted == [])
    }

    @Test func `the signature is the HMAC of the encoded header and payload`() {
        let expected = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        #expect(HS256.plain.outcome(of: Token().bytes) == .success(expected))
    }

    @Test(
        arguments: [
            [], secretB, secretA + Array("\n".utf8), [UInt8](secretA.dropLast()),
            [UInt8](secretA.prefix(8)), base64URL(secretA), secretA + secretA,
            secretA.map { $0 ^ 1 }, Array("secret".utf8), Array("changeme".utf8),
            Array("your-256-bit-secret".utf8), [UInt8](repeating: 0, count: 32),
        ] as [[UInt8]])
    func `a signature with another key is invalid`(secret: [UInt8]) {
        var token = Token()
        token.secret = secret
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
    }

    @Test func `a signature over another text is invalid`() {
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

    @Test func `a hash of key and text is not a valid signature`() {
        let token = Token()
        for message in [secretA + token.signingInput, token.signingInput + secretA] {
            let digest = SHA256.digest(of: message.span)
            let wrong = token.signed(with: digest.bytes.indices.map { digest.bytes[$0] })
            #expect(HS256.plain.verdict(on: wrong) == "bad_signature")
        }
    }

    @Test func `a signature of another length or another token is invalid`() {
        let token = Token()
        let valid = code(for: token.signingInput, secret: secretA)
        let other = code(for: Token(payload: "{}").signingInput, secret: secretA)
        let wrong =
            (0..<32).map { Array(valid.prefix($0)) } + [
                valid + [0], valid + valid, [0] + valid, Array(valid.reversed()), other,
                Array(repeating: 0, count: 32), Array(repeating: 0, count: 64),
                valid + Array(repeating: 0, count: 4000),
            ]
        #expect(HS256.plain.verdict(on: token.signed(with: valid)) == "valid")
        for signature in wrong {
            #expect(HS256.plain.verdict(on: token.signed(with: signature)) == "bad_signature")
        }
    }

    @Test func `a token with any bit changed is refused before its payload is read`() {
        let claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        for token in [Token().bytes, HS256.plain.sign(claims)] {
            let read = (0..<(token.count * 8)).filter { bit in
                var changed = token
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                guard case .failure(let error) = HS256.plain.outcome(of: changed) else {
                    return true
                }
                // The error `claims` would mean that the payload was read.
                return error.claims != nil || error == .claims
            }
            #expect(read == [])
        }
    }

    @Test func `a signature is not valid for another header or payload`() {
        let token = Token()
        let signature = code(for: token.signingInput, secret: secretA)
        let richer = Token(payload: #"{"user_id":2,"exp":1800000060}"#)
        #expect(HS256.plain.verdict(on: richer.signed(with: signature)) == "bad_signature")
        let longer = Token(header: #"{"alg":"HS256","typ":"JWT","x":1}"#)
        #expect(HS256.plain.verdict(on: longer.signed(with: signature)) == "bad_signature")
    }
}

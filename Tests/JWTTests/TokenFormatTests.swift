import JWT
import Testing

private let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

extension [UInt8] {
    fileprivate func inserting(_ text: String, at index: Int) -> [UInt8] {
        Array(self[..<index]) + Array(text.utf8) + Array(self[index...])
    }

    fileprivate func replacingLast(with byte: UInt8) -> [UInt8] { dropLast() + [byte] }
}

// RFC 7515 §7.1, RFC 7519 §7.2.
struct TokenFormatTests {
    @Test(
        arguments: [
            "", ".", "..", "...", "....................", "H", "H.", "H.P", "H.P.", ".H.P.S",
            "H.P.S.", "H.P.S.x", "H.P.S.P.S", "H..P.S", "H.P..S", "H:P:S", "HPS", "H.PS",
            "H%2EP%2ES", "null", "undefined", "true", "{}", "\0", "\"H.P.S\"", ".P.S", "..S",
            #"{"payload":"P","protected":"H","signature":"S"}"#,
        ])
    func `a token must have three segments and two dots`(pattern: String) {
        let token = Token().bytes.split(separator: UInt8(ascii: ".")).map {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(HS256.plain.verdict(on: Array(Self.text(pattern, token).utf8)) != "valid")
        #expect(HS256.plain.verdict(on: Array(Self.text("H.P.S", token).utf8)) == "valid")
    }

    private static func text(_ pattern: String, _ token: [String]) -> String {
        pattern.replacing("H.", with: "\(token[0]).").replacing("P", with: token[1])
            .replacing("S", with: token[2])
    }

    @Test func `a token with a wrong number of dots is malformed`() {
        let valid = Token().bytes
        for token in [[], dot, valid + dot, dot + valid, valid + valid, dot + dot + dot] {
            #expect(HS256.plain.verdict(on: token) == "malformed")
        }
    }

    @Test func `an empty header, payload or signature is refused`() {
        var token = Token()
        token.header = []
        #expect(HS256.plain.verdict(on: token) == "malformed")
        token = Token(payload: [])
        #expect(HS256.plain.verdict(on: token) == "claims")
        #expect(HS256.plain.verdict(on: Token().signed(with: [])) == "bad_signature")
        #expect(HS256.plain.verdict(on: dot + dot) == "malformed")
    }

    @Test func `a token that is shortened or extended by a byte is refused`() {
        let token = Token().bytes
        let accepted = token.indices.filter {
            HS256.plain.verdict(on: Array(token[..<$0])) == "valid"
                || HS256.plain.verdict(on: Array(token[($0 + 1)...])) == "valid"
        }
        #expect(accepted == [])
        for byte in UInt8.min...UInt8.max {
            #expect(HS256.plain.verdict(on: token + [byte]) != "valid")
            #expect(HS256.plain.verdict(on: [byte] + token) != "valid")
        }
    }

    @Test func `a token of more than 8192 characters is refused`() {
        func makeToken(of length: Int) -> [UInt8] {
            // 36 for the header, 43 for the signature, two dots; 29 characters of the payload are
            // not padding.
            let payload = (length - 36 - 43 - 2) * 3 / 4
            let padding = String(repeating: "x", count: payload - validPayload.utf8.count - 9)
            return Token(payload: #"{"pad":"\#(padding)",\#(validPayload.dropFirst())"#).bytes
        }
        #expect(makeToken(of: 8192).count == 8192)
        #expect(HS256.plain.verdict(on: makeToken(of: 8192)) == "valid")
        #expect(makeToken(of: 8193).count == 8193)
        #expect(HS256.plain.verdict(on: makeToken(of: 8193)) == "too_long")
        for byte in [UInt8(ascii: "."), UInt8(ascii: "A"), 0xFF] {
            let token = [UInt8](repeating: byte, count: 8193)
            #expect(HS256.plain.verdict(on: token) == "too_long")
        }
    }
}

struct CanonicalEncodingTests {
    // Lengths whose encodings have no, four and two unused bits.
    private static let payloads = [validPayload, validPayload + " ", validPayload + "  "]

    @Test(arguments: 0..<3)
    func `a header or payload with another last character is refused`(spaces: Int) {
        let space = String(repeating: " ", count: spaces)
        for character in alphabet {
            var token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + space)
            token.encodeHeader = { base64URL($0).replacingLast(with: character) }
            if base64URL(token.header).last != character {
                #expect(["not_canonical", "malformed"].contains(HS256.plain.verdict(on: token)))
            }
            token = Token(payload: Self.payloads[spaces])
            token.encodePayload = { base64URL($0).replacingLast(with: character) }
            if base64URL(token.payload).last != character {
                #expect(["not_canonical", "claims"].contains(HS256.plain.verdict(on: token)))
            }
        }
    }

    @Test func `a segment with nonzero unused bits is refused`() {
        // The unused bits are the lowest ones of the last character.
        func stray(_ text: [UInt8], _ bits: Int) -> [UInt8] {
            text.replacingLast(with: alphabet[alphabet.firstIndex(of: text.last!)! | bits])
        }
        for bits in 1...3 {
            var token = Token()
            token.encodeSignature = { stray(base64URL($0), bits) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
        for (spaces, most) in [(1, 3), (2, 15)] {
            let space = String(repeating: " ", count: spaces == 1 ? 2 : 1)
            for bits in 1...most {
                var token = Token(payload: validPayload + space)
                token.encodePayload = { stray(base64URL($0), bits) }
                #expect(HS256.plain.verdict(on: token) == "not_canonical")
                token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + space)
                token.encodeHeader = { stray(base64URL($0), bits) }
                #expect(HS256.plain.verdict(on: token) == "not_canonical")
            }
        }
    }

    @Test func `exactly one of 64 last characters of the signature is accepted`() {
        let token = Token().bytes
        let verdicts = alphabet.map {
            HS256.plain.verdict(on: token.replacingLast(with: $0))
        }
        #expect(verdicts.count { $0 == "valid" } == 1)
        // Two of the six bits are unused.
        #expect(verdicts.count { $0 == "bad_signature" } == 15)
        #expect(verdicts.count { $0 == "not_canonical" } == 48)
    }

    @Test(
        arguments: [
            "=", " ", "\n", "\t", "\r", "+", "/", "*", "?", ",", "#", "%", "~", "\"", "\0",
            "\u{7F}",
        ])
    func `a segment with a character outside the alphabet is refused`(character: String) {
        for index in 0...36 {
            var token = Token()
            token.encodeHeader = { base64URL($0).inserting(character, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token()
            token.encodePayload = { base64URL($0).inserting(character, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token()
            token.encodeSignature = { base64URL($0).inserting(character, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
    }

    @Test func `a segment with padding is refused`() {
        func padded(_ bytes: [UInt8]) -> [UInt8] {
            let text = base64URL(bytes)
            return text + Array(repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
        }
        var token = Token()
        token.encodeSignature = padded
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        for payload in [validPayload + " ", validPayload + "  "] {
            token = Token(payload: payload)
            token.encodePayload = padded
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + payload.suffix(1))
            token.encodeHeader = padded
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
    }

    @Test func `a segment in the standard base64 alphabet is refused`() {
        var token = Token(payload: #"{"user_id":1,"exp":1800000060,"a":"ÿþû???>>>~~~"}"#)
        #expect(HS256.plain.verdict(on: token) == "valid")
        let text = base64URL(token.payload)
        #expect(text.contains(UInt8(ascii: "-")) || text.contains(UInt8(ascii: "_")))
        token.encodePayload = { bytes in
            base64URL(bytes).map { byte in
                byte == UInt8(ascii: "-")
                    ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
            }
        }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }

    @Test func `a segment in another encoding, or encoded twice, is refused`() {
        func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
            let digits = Array("0123456789abcdef".utf8)
            return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        }
        var token = Token()
        token.encodePayload = { $0 }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token.encodePayload = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "claims")
        token = Token()
        token.encodeHeader = { $0 }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token.encodeHeader = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "malformed")
        token = Token()
        token.encodeSignature = hexadecimal
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
        token.encodeSignature = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
    }

    @Test func `a segment of an impossible length is refused`() {
        var token = Token()
        token.encodePayload = { base64URL($0) + Array("A".utf8) }
        #expect(token.encodePayload(token.payload).count % 4 == 1)
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token = Token()
        token.encodeHeader = { base64URL($0) + Array("A".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token = Token()
        token.encodeSignature = { base64URL($0) + Array("AA".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }
}

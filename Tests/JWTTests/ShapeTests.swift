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
@Suite("A token's shape")
struct ShapeTests {
    @Test(
        "is three segments with two dots",
        arguments: [
            "", ".", "..", "...", "....................", "H", "H.", "H.P", "H.P.", ".H.P.S",
            "H.P.S.", "H.P.S.x", "H.P.S.P.S", "H..P.S", "H.P..S", "H:P:S", "HPS", "H.PS",
            "H%2EP%2ES", "null", "undefined", "true", "{}", "\0", "\"H.P.S\"", ".P.S", "..S",
            #"{"payload":"P","protected":"H","signature":"S"}"#,
        ])
    func segments(pattern: String) {
        let token = Token().bytes.split(separator: UInt8(ascii: ".")).map {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(HS256.plain.verdict(on: Array(Self.text(pattern, token).utf8)) != "good")
        #expect(HS256.plain.verdict(on: Array(Self.text("H.P.S", token).utf8)) == "good")
    }

    private static func text(_ pattern: String, _ token: [String]) -> String {
        pattern.replacing("H.", with: "\(token[0]).").replacing("P", with: token[1])
            .replacing("S", with: token[2])
    }

    @Test("that is wrong is malformed, however many dots it takes")
    func malformed() {
        let token = Token().bytes
        for wrong in [[], dot, token + dot, dot + token, token + token, dot + dot + dot] {
            #expect(HS256.plain.verdict(on: wrong) == "malformed")
        }
    }

    @Test("has an empty segment only where that is refused for what it is")
    func emptySegments() {
        var token = Token()
        token.header = []
        #expect(HS256.plain.verdict(on: token) == "malformed")
        token = Token(payload: [])
        #expect(HS256.plain.verdict(on: token) == "claims")
        #expect(HS256.plain.verdict(on: Token().signed(with: [])) == "bad_signature")
        #expect(HS256.plain.verdict(on: dot + dot) == "malformed")
    }

    @Test("is whole: every shorter token is refused, and every longer one")
    func cutAndExtended() {
        let token = Token().bytes
        let accepted = token.indices.filter {
            HS256.plain.verdict(on: Array(token[..<$0])) == "good"
                || HS256.plain.verdict(on: Array(token[($0 + 1)...])) == "good"
        }
        #expect(accepted == [])
        for byte in UInt8.min...UInt8.max {
            #expect(HS256.plain.verdict(on: token + [byte]) != "good")
            #expect(HS256.plain.verdict(on: [byte] + token) != "good")
        }
    }

    @Test("has 8192 characters at most")
    func length() {
        func token(of length: Int) -> [UInt8] {
            // 36 for the header, 43 for the signature, two dots; 29 of the payload are no padding.
            let payload = (length - 36 - 43 - 2) * 3 / 4
            let padding = String(repeating: "x", count: payload - goodPayload.utf8.count - 9)
            return Token(payload: #"{"pad":"\#(padding)",\#(goodPayload.dropFirst())"#).bytes
        }
        #expect(token(of: 8192).count == 8192)
        #expect(HS256.plain.verdict(on: token(of: 8192)) == "good")
        #expect(token(of: 8193).count == 8193)
        #expect(HS256.plain.verdict(on: token(of: 8193)) == "too_long")
        for byte in [UInt8(ascii: "."), UInt8(ascii: "A"), 0xFF] {
            let wrong = [UInt8](repeating: byte, count: 8193)
            #expect(HS256.plain.verdict(on: wrong) == "too_long")
        }
    }
}

@Suite("A token's spelling")
struct SpellingTests {
    // Lengths that leave over no, four and two bits.
    private static let payloads = [goodPayload, goodPayload + " ", goodPayload + "  "]

    @Test("has no twin: no other last character is accepted in header or payload", arguments: 0..<3)
    func lastCharacters(spaces: Int) {
        let space = String(repeating: " ", count: spaces)
        for character in alphabet {
            var token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + space)
            token.spellHeader = { base64URL($0).replacingLast(with: character) }
            if base64URL(token.header).last != character {
                #expect(["not_canonical", "malformed"].contains(HS256.plain.verdict(on: token)))
            }
            token = Token(payload: Self.payloads[spaces])
            token.spellPayload = { base64URL($0).replacingLast(with: character) }
            if base64URL(token.payload).last != character {
                #expect(["not_canonical", "claims"].contains(HS256.plain.verdict(on: token)))
            }
        }
    }

    @Test("leaves bits that belong to no byte at zero")
    func strayBits() {
        // The bits that are left over are those of the last character.
        func stray(_ text: [UInt8], _ bits: Int) -> [UInt8] {
            text.replacingLast(with: alphabet[alphabet.firstIndex(of: text.last!)! | bits])
        }
        for bits in 1...3 {
            var token = Token()
            token.spellSignature = { stray(base64URL($0), bits) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
        for (spaces, most) in [(1, 3), (2, 15)] {
            let space = String(repeating: " ", count: spaces == 1 ? 2 : 1)
            for bits in 1...most {
                var token = Token(payload: goodPayload + space)
                token.spellPayload = { stray(base64URL($0), bits) }
                #expect(HS256.plain.verdict(on: token) == "not_canonical")
                token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + space)
                token.spellHeader = { stray(base64URL($0), bits) }
                #expect(HS256.plain.verdict(on: token) == "not_canonical")
            }
        }
    }

    @Test("of the signature has one last character of 64")
    func lastCharacterOfSignature() {
        let token = Token().bytes
        let verdicts = alphabet.map {
            HS256.plain.verdict(on: token.replacingLast(with: $0))
        }
        #expect(verdicts.count { $0 == "good" } == 1)
        // Two of the six bits belong to no byte.
        #expect(verdicts.count { $0 == "bad_signature" } == 15)
        #expect(verdicts.count { $0 == "not_canonical" } == 48)
    }

    @Test(
        "has only the 64 characters, signed or not",
        arguments: [
            "=", " ", "\n", "\t", "\r", "+", "/", "*", "?", ",", "#", "%", "~", "\"", "\0",
            "\u{7F}",
        ])
    func characters(stranger: String) {
        for index in 0...36 {
            var token = Token()
            token.spellHeader = { base64URL($0).inserting(stranger, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token()
            token.spellPayload = { base64URL($0).inserting(stranger, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token()
            token.spellSignature = { base64URL($0).inserting(stranger, at: index) }
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
    }

    @Test("has no padding")
    func padding() {
        func padded(_ bytes: [UInt8]) -> [UInt8] {
            let text = base64URL(bytes)
            return text + Array(repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
        }
        var token = Token()
        token.spellSignature = padded
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        for payload in [goodPayload + " ", goodPayload + "  "] {
            token = Token(payload: payload)
            token.spellPayload = padded
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
            token = Token(header: #"{"alg":"HS256","typ":"JWT"}"# + payload.suffix(1))
            token.spellHeader = padded
            #expect(HS256.plain.verdict(on: token) == "not_canonical")
        }
    }

    @Test("is not that of the standard alphabet")
    func standardAlphabet() {
        var token = Token(payload: #"{"user_id":1,"exp":1800000060,"a":"ÿþû???>>>~~~"}"#)
        #expect(HS256.plain.verdict(on: token) == "good")
        let text = base64URL(token.payload)
        #expect(text.contains(UInt8(ascii: "-")) || text.contains(UInt8(ascii: "_")))
        token.spellPayload = { bytes in
            base64URL(bytes).map { byte in
                byte == UInt8(ascii: "-")
                    ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
            }
        }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }

    @Test("is base64url, once")
    func otherCodings() {
        func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
            let digits = Array("0123456789abcdef".utf8)
            return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        }
        var token = Token()
        token.spellPayload = { $0 }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token.spellPayload = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "claims")
        token = Token()
        token.spellHeader = { $0 }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token.spellHeader = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "malformed")
        token = Token()
        token.spellSignature = hexadecimal
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
        token.spellSignature = { base64URL(base64URL($0)) }
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
    }

    @Test("of one character more than whole groups have is of no bytes")
    func impossibleLengths() {
        var token = Token()
        token.spellPayload = { base64URL($0) + Array("A".utf8) }
        #expect(token.spellPayload(token.payload).count % 4 == 1)
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token = Token()
        token.spellHeader = { base64URL($0) + Array("A".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
        token = Token()
        token.spellSignature = { base64URL($0) + Array("AA".utf8) }
        #expect(HS256.plain.verdict(on: token) == "not_canonical")
    }
}

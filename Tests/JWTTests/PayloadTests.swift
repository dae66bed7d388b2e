import JWT
import Testing
import Time

private func verdict(_ payload: String) -> String {
    HS256.plain.verdict(on: Token(payload: payload))
}

@Suite("A token's payload")
struct PayloadTests {
    @Test(
        "is one JSON object",
        arguments: [
            "", " ", "null", "123", "true", "false", #""x""#, "[]", "[\(goodPayload)]", "Test",
            goodPayload + goodPayload, goodPayload + "x", goodPayload + "\0", goodPayload + ",",
            String(goodPayload.dropLast()), String(goodPayload.dropFirst()),
            #"{"user_id":1,"exp":1800000060,}"#, #"{"user_id":1,"exp":1800000060,"a":1"#,
            #"{'user_id':1,'exp':1800000060}"#, #"{user_id:1,exp:1800000060}"#,
            #"{"user_id":1,"exp":1800000060/* c */}"#, "\u{FEFF}" + goodPayload,
            #"{"user_id":1,"exp":1800000060,"a":"\x41"}"#,
            "{\"user_id\":1,\"exp\":1800000060,\"a\":\"b\nc\"}",
            #"{"user_id":1,"exp":1800000060,"a":"\ud83d"}"#,
            #"{"user_id":1,"exp":1800000060,"a":tru}"#, #"{"user_id":1,"exp":1800000060,"a":01}"#,
            #"{"user_id":1 "exp":1800000060}"#, #"{"user_id":1;"exp":1800000060}"#,
        ])
    func notAnObject(payload: String) {
        #expect(verdict(payload) == "claims")
    }

    @Test(
        "has no name twice, at any depth and in any spelling",
        arguments: [
            #"{"user_id":1,"exp":1800000060,"exp":1800000060}"#,
            #"{"user_id":1,"exp":1800000060,"exp":1}"#, #"{"user_id":1,"exp":1,"exp":1800000060}"#,
            #"{"user_id":1,"exp":1800000060,"\u0065xp":1}"#,
            #"{"user_id":1,"\u0065xp":1,"e\u0078p":1800000060}"#,
            #"{"user_id":1,"user_id":2,"exp":1800000060}"#,
            #"{"user_id":2,"user\u005fid":1,"exp":1800000060}"#,
            #"{"user_id":1,"exp":1800000060,"a":1,"a":1}"#,
            #"{"user_id":1,"exp":1800000060,"a":{"b":1,"b":2}}"#,
            #"{"user_id":1,"exp":1800000060,"a":[[{"":1,"":2}]]}"#,
        ])
    func duplicates(payload: String) {
        #expect(verdict(payload) == "claims")
    }

    @Test("is UTF-8")
    func badUTF8() {
        for bytes in notUTF8 {
            let payload =
                Array(#"{"user_id":1,"exp":1800000060,"a":""#.utf8) + bytes + Array("\"}".utf8)
            #expect(HS256.plain.verdict(on: Token(payload: payload)) == "claims")
        }
        let utf16 = Array(goodPayload.utf8.map { [$0, 0] }.joined())
        #expect(HS256.plain.verdict(on: Token(payload: utf16)) == "claims")
    }

    @Test(
        "may have claims that mean nothing here",
        arguments: [
            #""name":"\u4e2d\ud83d\udd11\n\t\"""#, #""name":"é€😀""#, #""name":"x\u0000y""#,
            #""a":1e400"#, #""a":123456789012345678901234567890"#, #""a":null"#, #""a":[[],{}]"#,
            #""a":{"exp":1,"user_id":2,"nbf":9e9}"#, #""EXP":1"#, #""Exp":"x""#, #"" exp":1"#,
            #""exp\u0000":1"#, #""role":"admin""#, #""":"""#,
        ])
    func ignored(member: String) {
        #expect(verdict(#"{"user_id":1,"exp":1800000060,\#(member)}"#) == "good")
        #expect(verdict(#"{\#(member),"user_id":1,"exp":1800000060}"#) == "good")
    }

    @Test("is read in any order, with any white space, names in any spelling")
    func spellings() {
        #expect(verdict(#"{"exp":1800000060,"user_id":1}"#) == "good")
        #expect(verdict(" {\r\n\t\"exp\" : 1800000060 ,\n\"user_id\"\t:\r1 } \n") == "good")
        #expect(verdict(#"{"\u0065xp":1800000060,"user\u005fid":1}"#) == "good")
        #expect(verdict(#"{"\u0065xp":1,"user_id":1}"#) == "expired")
    }

    @Test("is read the same at any length", arguments: [511, 512, 513, 600, 2000, 6000])
    func lengths(count: Int) {
        let start = #"{"user_id":7,"exp":1800000060,"a":""#
        let filler = String(repeating: "x", count: count - start.utf8.count - 2)
        let claims = HS256.plain.claims(of: start + filler + "\"}")
        #expect(claims == Claims(user: UserID(7)!, expires: Timestamp(seconds: 1_800_000_060)))
        #expect(verdict(start + filler + "\"") == "claims")
        #expect(verdict(start.replacing("1800000060", with: "1") + filler + "\"}") == "expired")
    }

    @Test("nests to sixteen levels")
    func depth() {
        func payload(_ levels: Int) -> String {
            let open = String(repeating: "[", count: levels - 1)
            let close = String(repeating: "]", count: levels - 1)
            return #"{"user_id":1,"exp":1800000060,"a":\#(open)\#(close)}"#
        }
        #expect(verdict(payload(16)) == "good")
        #expect(verdict(payload(17)) == "claims")
        #expect(verdict(payload(2400)) == "claims")
    }

    @Test("is not looked at before the signature holds")
    func signatureFirst() {
        var spoilt = Token(payload: goodPayload)
        spoilt.spellPayload = { Array("*".utf8) + base64URL($0) }
        let tokens = [
            Token(payload: "not JSON"), Token(payload: #"{"user_id":1,"exp":1}"#),
            Token(payload: #"{"user_id":1,"exp":1800000060,"nbf":9e9}"#),
            Token(payload: String(repeating: "[", count: 5000)), Token(payload: [0xFF]), spoilt,
        ]
        for var token in tokens {
            token.secret = secretB
            #expect(HS256.plain.outcome(of: token.bytes) == .failure(.badSignature))
        }
    }
}

@Suite("A token's user")
struct UserTests {
    @Test(
        "is user_id, or else sub as a number",
        arguments: [
            (#""user_id":1"#, 1), (#""user_id":42,"sub":"42""#, 42), (#""sub":"42""#, 42),
            (#""sub":"7","user_id":7"#, 7), (#""sub":"\u0037""#, 7), (#""user\u005fid":3"#, 3),
            (#""user_id":9007199254740991"#, 9_007_199_254_740_991),
            (#""sub":"9007199254740991""#, 9_007_199_254_740_991),
        ])
    func users(members: String, expected: Int64) {
        let claims = HS256.plain.claims(of: "{\(members),\"exp\":1800000060}")
        #expect(claims?.user == UserID(expected)!)
    }

    @Test(
        "is from 1 to 2^53 - 1, written as a whole number, and one",
        arguments: [
            // Neither.
            #""a":1"#, #""User_id":1"#, #""SUB":"1""#,
            // No such number.
            #""user_id":0"#, #""user_id":-0"#, #""user_id":-1"#, #""user_id":9007199254740992"#,
            #""user_id":9223372036854775807"#, #""user_id":9223372036854775808"#,
            #""user_id":-9223372036854775808"#, #""user_id":18446744073709551617"#,
            #""user_id":1e300"#, #""user_id":1e400"#,
            // No whole number, or not written as one.
            #""user_id":1.0"#, #""user_id":1.5"#, #""user_id":1e0"#, #""user_id":10e-1"#,
            #""user_id":01"#, #""user_id":+1"#, #""user_id":0x1"#, #""user_id":NaN"#,
            // No number.
            #""user_id":"1""#, #""user_id":true"#, #""user_id":false"#, #""user_id":null"#,
            #""user_id":[1]"#, #""user_id":{"id":1}"#, #""user_id":"""#,
            // A subject that is no user.
            #""sub":"""#, #""sub":"0""#, #""sub":"01""#, #""sub":"-1""#, #""sub":"+1""#,
            #""sub":"1.0""#, #""sub":"1e0""#, #""sub":" 1""#, #""sub":"1 ""#, #""sub":"alice""#,
            #""sub":"9007199254740992""#, #""sub":"18446744073709551617""#,
            #""sub":"99999999999999999999999999999999""#, #""sub":"\u0661""#, #""sub":"１""#,
            #""sub":"1\u0000""#, #""sub":"1:""#, #""sub":"1/""#, #""sub":":""#, #""sub":"/""#,
            // A subject that is no string.
            #""sub":1"#, #""sub":null"#, #""sub":true"#, #""sub":["1"]"#, #""sub":{}"#,
            #""user_id":1,"sub":1"#, #""user_id":1,"sub":null"#,
            // Two that do not agree; one that is right does not help the other.
            #""user_id":1,"sub":"2""#, #""sub":"2","user_id":1"#, #""user_id":1,"sub":"""#,
            #""user_id":1,"sub":"alice""#, #""user_id":1,"sub":"01""#, #""user_id":0,"sub":"1""#,
            #""user_id":"1","sub":"1""#, #""sub":"1","user_id":true"#, #""user_id":1.0,"sub":"1""#,
            #""user_id":0,"sub":"0""#,
        ])
    func noUser(members: String) {
        #expect(verdict("{\(members),\"exp\":1800000060}") == "claims")
    }
}

@Suite("A token's jti and sid")
struct IdentifierTests {
    @Test("are kept as they are", arguments: ["jti", "sid"])
    func kept(name: String) throws {
        func identifier(_ value: String) throws -> String? {
            let payload = #"{"user_id":1,"exp":1800000060,"\#(name)":"\#(value)"}"#
            let claims = try HS256.plain.outcome(of: Token(payload: payload).bytes).get()
            return (name == "jti" ? claims.tokenID : claims.sessionID)?.string
        }
        #expect(try identifier("abc") == "abc")
        #expect(try identifier("") == "")
        #expect(try identifier(#"\u0061\n\"\u20ac\ud83d\ude00"#) == "a\n\"€😀")
        #expect(try identifier("é€😀") == "é€😀")
        let longest = String(repeating: "x", count: 64)
        #expect(try identifier(longest) == longest)
        #expect(try identifier(String(repeating: #"\u0078"#, count: 64)) == longest)
        #expect(try identifier(String(repeating: "é", count: 32)).map(\.utf8.count) == 64)
    }

    @Test("have 64 bytes at most, and are strings", arguments: ["jti", "sid"])
    func refused(name: String) {
        let values = [
            "\"\(String(repeating: "x", count: 65))\"",
            "\"\(String(repeating: "x", count: 2000))\"",
            "\"\(String(repeating: #"\u0078"#, count: 65))\"",
            "\"\(String(repeating: "x", count: 63))é\"", "\"\(String(repeating: "é", count: 33))\"",
            "null", "1", "true", "[]", "{}", #"["a"]"#,
        ]
        for value in values {
            #expect(verdict(#"{"user_id":1,"exp":1800000060,"\#(name)":\#(value)}"#) == "claims")
        }
    }

    @Test("are not there where they are not")
    func absent() {
        let claims = HS256.plain.claims(of: goodPayload)
        #expect(claims?.tokenID == nil)
        #expect(claims?.sessionID == nil)
    }
}

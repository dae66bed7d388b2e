import JWT
import Testing
import Time

private func verdict(_ payload: String) -> String {
    HS256.plain.verdict(on: Token(payload: payload))
}

struct PayloadTests {
    @Test(
        arguments: [
            "", " ", "null", "123", "true", "false", #""x""#, "[]", "[\(validPayload)]", "Test",
            validPayload + validPayload, validPayload + "x", validPayload + "\0",
            validPayload + ",",
            String(validPayload.dropLast()), String(validPayload.dropFirst()),
            #"{"user_id":1,"exp":1800000060,}"#, #"{"user_id":1,"exp":1800000060,"a":1"#,
            #"{'user_id':1,'exp':1800000060}"#, #"{user_id:1,exp:1800000060}"#,
            #"{"user_id":1,"exp":1800000060/* c */}"#, "\u{FEFF}" + validPayload,
            #"{"user_id":1,"exp":1800000060,"a":"\x41"}"#,
            "{\"user_id\":1,\"exp\":1800000060,\"a\":\"b\nc\"}",
            #"{"user_id":1,"exp":1800000060,"a":"\ud83d"}"#,
            #"{"user_id":1,"exp":1800000060,"a":tru}"#, #"{"user_id":1,"exp":1800000060,"a":01}"#,
            #"{"user_id":1 "exp":1800000060}"#, #"{"user_id":1;"exp":1800000060}"#,
        ])
    func `a payload that is not one JSON object is refused`(payload: String) {
        #expect(verdict(payload) == "claims")
    }

    @Test(
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
    func `a payload with a duplicate name at any depth is refused`(payload: String) {
        #expect(verdict(payload) == "claims")
    }

    @Test func `a payload that is not UTF-8 is refused`() {
        for bytes in notUTF8 {
            let payload =
                Array(#"{"user_id":1,"exp":1800000060,"a":""#.utf8) + bytes + Array("\"}".utf8)
            #expect(HS256.plain.verdict(on: Token(payload: payload)) == "claims")
        }
        let utf16 = Array(validPayload.utf8.map { [$0, 0] }.joined())
        #expect(HS256.plain.verdict(on: Token(payload: utf16)) == "claims")
    }

    @Test(
        arguments: [
            #""name":"\u4e2d\ud83d\udd11\n\t\"""#, #""name":"é€😀""#, #""name":"x\u0000y""#,
            #""a":1e400"#, #""a":123456789012345678901234567890"#, #""a":null"#, #""a":[[],{}]"#,
            #""a":{"exp":1,"user_id":2,"nbf":9e9}"#, #""EXP":1"#, #""Exp":"x""#, #"" exp":1"#,
            #""exp\u0000":1"#, #""role":"admin""#, #""":"""#,
        ])
    func `unknown claims are ignored`(member: String) {
        #expect(verdict(#"{"user_id":1,"exp":1800000060,\#(member)}"#) == "valid")
        #expect(verdict(#"{\#(member),"user_id":1,"exp":1800000060}"#) == "valid")
    }

    @Test func `a payload is read with any order, white space and escapes`() {
        #expect(verdict(#"{"exp":1800000060,"user_id":1}"#) == "valid")
        #expect(verdict(" {\r\n\t\"exp\" : 1800000060 ,\n\"user_id\"\t:\r1 } \n") == "valid")
        #expect(verdict(#"{"\u0065xp":1800000060,"user\u005fid":1}"#) == "valid")
        #expect(verdict(#"{"\u0065xp":1,"user_id":1}"#) == "expired")
    }

    @Test(arguments: [511, 512, 513, 600, 2000, 6000])
    func `payloads decoded on the stack and on the heap give the same claims`(count: Int) {
        let start = #"{"user_id":7,"exp":1800000060,"a":""#
        let filler = String(repeating: "x", count: count - start.utf8.count - 2)
        let claims = HS256.plain.claims(of: start + filler + "\"}")
        #expect(claims == Claims(user: UserID(7)!, expires: Timestamp(seconds: 1_800_000_060)))
        #expect(verdict(start + filler + "\"") == "claims")
        #expect(verdict(start.replacing("1800000060", with: "1") + filler + "\"}") == "expired")
    }

    @Test func `a payload with more than sixteen levels of nesting is refused`() {
        func payload(_ levels: Int) -> String {
            let open = String(repeating: "[", count: levels - 1)
            let close = String(repeating: "]", count: levels - 1)
            return #"{"user_id":1,"exp":1800000060,"a":\#(open)\#(close)}"#
        }
        #expect(verdict(payload(16)) == "valid")
        #expect(verdict(payload(17)) == "claims")
        #expect(verdict(payload(2400)) == "claims")
    }

    @Test func `the payload is not read before the signature is verified`() {
        var undecodable = Token(payload: validPayload)
        undecodable.encodePayload = { Array("*".utf8) + base64URL($0) }
        let tokens = [
            Token(payload: "not JSON"), Token(payload: #"{"user_id":1,"exp":1}"#),
            Token(payload: #"{"user_id":1,"exp":1800000060,"nbf":9e9}"#),
            Token(payload: String(repeating: "[", count: 5000)), Token(payload: [0xFF]),
            undecodable,
        ]
        for var token in tokens {
            token.secret = secretB
            #expect(HS256.plain.outcome(of: token.bytes) == .failure(.badSignature))
        }
    }
}

struct UserTests {
    @Test(
        arguments: [
            (#""user_id":1"#, 1), (#""user_id":42,"sub":"42""#, 42), (#""sub":"42""#, 42),
            (#""sub":"7","user_id":7"#, 7), (#""sub":"\u0037""#, 7), (#""user\u005fid":3"#, 3),
            (#""user_id":9007199254740991"#, 9_007_199_254_740_991),
            (#""sub":"9007199254740991""#, 9_007_199_254_740_991),
        ])
    func `the user is user_id, or sub if there is no user_id`(members: String, expected: Int64) {
        let claims = HS256.plain.claims(of: "{\(members),\"exp\":1800000060}")
        #expect(claims?.user == UserID(expected)!)
    }

    @Test(
        arguments: [
            // Neither claim.
            #""a":1"#, #""User_id":1"#, #""SUB":"1""#,
            // Out of range.
            #""user_id":0"#, #""user_id":-0"#, #""user_id":-1"#, #""user_id":9007199254740992"#,
            #""user_id":9223372036854775807"#, #""user_id":9223372036854775808"#,
            #""user_id":-9223372036854775808"#, #""user_id":18446744073709551617"#,
            #""user_id":1e300"#, #""user_id":1e400"#,
            // Not an integer, or not written as one.
            #""user_id":1.0"#, #""user_id":1.5"#, #""user_id":1e0"#, #""user_id":10e-1"#,
            #""user_id":01"#, #""user_id":+1"#, #""user_id":0x1"#, #""user_id":NaN"#,
            // Not a number.
            #""user_id":"1""#, #""user_id":true"#, #""user_id":false"#, #""user_id":null"#,
            #""user_id":[1]"#, #""user_id":{"id":1}"#, #""user_id":"""#,
            // A subject that is not a user ID.
            #""sub":"""#, #""sub":"0""#, #""sub":"01""#, #""sub":"-1""#, #""sub":"+1""#,
            #""sub":"1.0""#, #""sub":"1e0""#, #""sub":" 1""#, #""sub":"1 ""#, #""sub":"alice""#,
            #""sub":"9007199254740992""#, #""sub":"18446744073709551617""#,
            #""sub":"99999999999999999999999999999999""#, #""sub":"\u0661""#, #""sub":"１""#,
            #""sub":"1\u0000""#, #""sub":"1:""#, #""sub":"1/""#, #""sub":":""#, #""sub":"/""#,
            // A subject that is not a string.
            #""sub":1"#, #""sub":null"#, #""sub":true"#, #""sub":["1"]"#, #""sub":{}"#,
            #""user_id":1,"sub":1"#, #""user_id":1,"sub":null"#,
            // Two claims that disagree; a valid one does not make up for an invalid one.
            #""user_id":1,"sub":"2""#, #""sub":"2","user_id":1"#, #""user_id":1,"sub":"""#,
            #""user_id":1,"sub":"alice""#, #""user_id":1,"sub":"01""#, #""user_id":0,"sub":"1""#,
            #""user_id":"1","sub":"1""#, #""sub":"1","user_id":true"#, #""user_id":1.0,"sub":"1""#,
            #""user_id":0,"sub":"0""#,
        ])
    func `an invalid or inconsistent user_id or sub is refused`(members: String) {
        #expect(verdict("{\(members),\"exp\":1800000060}") == "claims")
    }
}

struct IdentifierTests {
    @Test(arguments: ["jti", "sid"])
    func `jti and sid are returned unchanged`(name: String) throws {
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

    @Test(arguments: ["jti", "sid"])
    func `a jti or sid that is not a string or exceeds 64 bytes is refused`(name: String) {
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

    @Test func `a missing jti or sid is nil`() {
        let claims = HS256.plain.claims(of: validPayload)
        #expect(claims?.tokenID == nil)
        #expect(claims?.sessionID == nil)
    }
}

import JWT
import Testing

private func verdict(_ header: String, _ verifier: HS256 = .plain) -> String {
    verifier.verdict(on: Token(header: header))
}

private let twoKeys = HS256.with(keys: [("a", secretA), ("b", secretB)])

// RFC 7515 §4.1.1, RFC 8725 §3.1.
struct AlgorithmTests {
    private static let otherValues = [
        #""none""#, #""None""#, #""NONE""#, #""nOnE""#, #""""#, #""HS384""#, #""HS512""#,
        #""RS256""#, #""ES256""#, #""PS256""#, #""EdDSA""#, #""HMAC""#, #""hs256""#, #""Hs256""#,
        #""HS256 ""#, #"" HS256""#, #""HS-256""#, #""HS25""#, #""HS2566""#, #""HS256\u0000""#,
        #""HS256\n""#, #""ＨＳ256""#, "null", "256", "0", "1e400", "true", "false", "{}", "[]",
        #"{"HS256":1}"#, #"{"alg":"HS256"}"#, #"["HS256"]"#,
    ]

    @Test(arguments: otherValues)
    func `an alg other than HS256 is refused even with a valid signature`(value: String) {
        #expect(verdict(#"{"alg":\#(value),"typ":"JWT"}"#) == "alg_not_allowed")
        #expect(verdict(#"{"typ":"JWT","kid":"a","alg":\#(value)}"#) == "alg_not_allowed")
    }

    // RFC 7519 §6.1: the signature of an unsecured token is the empty string.
    @Test(arguments: otherValues)
    func `an unsecured token is refused for its alg`(value: String) {
        let token = Token(header: #"{"alg":\#(value),"typ":"JWT"}"#)
        #expect(HS256.plain.verdict(on: token.signed(with: [])) == "alg_not_allowed")
    }

    @Test func `a wrong alg is refused before the signature is checked`() {
        let token = Token(header: #"{"alg":"ES256","typ":"JWT"}"#)
        let zeros = token.signed(with: Array(repeating: 0, count: 64))
        #expect(HS256.plain.verdict(on: zeros) == "alg_not_allowed")
    }

    @Test(
        arguments: [
            "{}", #"{"typ":"JWT"}"#, #"{"ALG":"HS256"}"#, #"{"Alg":"HS256"}"#, #"{"":"HS256"}"#,
            #"{" alg":"HS256"}"#, #"{"alg\u0000":"HS256"}"#, #"{"a":{"alg":"HS256"}}"#,
            #"{"a":["alg","HS256"]}"#, #"{"kid":"a"}"#,
        ])
    func `a header without alg is refused`(header: String) {
        #expect(verdict(header) == "malformed")
    }

    @Test(
        arguments: [
            #"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"HS256","alg":"none"}"#,
            #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","\u0061lg":"none"}"#,
            #"{"al\u0067":"none","typ":"JWT","alg":"HS256"}"#,
        ])
    func `a header with two alg members is refused`(header: String) {
        #expect(verdict(header) == "malformed")
        let unsigned = Token(header: header).signed(with: [])
        #expect(HS256.plain.verdict(on: unsigned) == "malformed")
    }

    @Test(
        arguments: [
            #"{"\u0061lg":"HS256"}"#, #"{"alg":"\u0048S256"}"#, #"{"alg":"HS25\u0036"}"#,
            #"{"\u0061\u006c\u0067":"\u0048\u0053\u0032\u0035\u0036"}"#,
            #"{"\u0061\u006C\u0067":"HS256"}"#,
        ])
    func `an alg written with escapes is accepted`(header: String) {
        #expect(verdict(header) == "valid")
    }
}

struct HeaderTests {
    @Test(
        arguments: [
            #"{"alg":"HS256"}"#, #"{"typ":"JWT","alg":"HS256"}"#,
            #"{"kid":"a","alg":"HS256","typ":"JWT"}"#, #"{"typ":"JWT","kid":"a","alg":"HS256"}"#,
            #"  { "alg" : "HS256" , "typ" : "JWT" }  "#,
            "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", "\n\t{\"alg\"\r:\n\"HS256\"\t}\r\n",
        ])
    func `a header is read with its members in any order and with white space`(header: String) {
        #expect(verdict(header) == "valid")
    }

    @Test(
        arguments: [
            #""typ":"at+jwt""#, #""typ":1"#, #""typ":null"#, #""cty":"JWT""#, #""enc":"A256GCM""#,
            #""x":{"a":[1,null,true,-2.5e3,"é€😀",{}]}"#, #""x":1e400"#, #""b64":false"#,
            #""jku":"http://127.0.0.1:1/jwks.json""#, #""x5u":"http://127.0.0.1:1/x""#,
            #""jwk":{"kty":"oct","k":"YXR0YWNrZXI"}"#, #""x5c":["MIIB"]"#, #""CRIT":["x"]"#,
            #""Kid":"zzz""#, #""x":{"alg":"none","crit":["x"],"kid":"zzz"}"#, #""":{}"#,
        ])
    func `unknown header members are ignored`(member: String) {
        #expect(verdict(#"{"alg":"HS256",\#(member)}"#) == "valid")
        #expect(verdict(#"{\#(member),"alg":"HS256"}"#) == "valid")
    }

    @Test func `a key in the header is never used`() {
        for member in [
            #""jwk":{"kty":"oct","k":"YXR0YWNrZXI"}"#, #""jku":"http://127.0.0.1:1/jwks.json""#,
            #""x5u":"http://127.0.0.1:1/x""#,
        ] {
            var token = Token(header: #"{"alg":"HS256",\#(member)}"#)
            token.secret = Array("attacker".utf8)
            #expect(HS256.plain.verdict(on: token) == "bad_signature")
        }
    }

    @Test(
        arguments: [
            "", " ", "[]", "null", "true", "1", "HS256", #""HS256""#, #"{"alg":"HS256""#,
            #"{"alg":"HS256"} x"#, #"{"alg":"HS256"}{}"#, #"{"alg":"HS256"}"# + "\0",
            #"{"alg":"HS256",}"#, #"{,"alg":"HS256"}"#, #"{'alg':'HS256'}"#, #"{alg:"HS256"}"#,
            #"[{"alg":"HS256"}]"#, "\u{FEFF}" + #"{"alg":"HS256"}"#, #"{"alg":"HS256"/* */}"#,
            #"{"alg":"HS256","a":01}"#, #"{"alg":"HS256","a":NaN}"#, #"{"alg":"HS256","a":"\x41"}"#,
            #"{"alg":"HS256","a":"\ud800"}"#, "{\"alg\":\"HS256\",\"a\":\"\n\"}",
            #"{"alg":"HS256","a":1,"a":2}"#, #"{"alg":"HS256","a":{"b":1,"\u0062":2}}"#,
            #"{"alg":"HS256","typ":"JWT","typ":"JWT"}"#,
        ])
    func `a header that is not one JSON object is refused`(header: String) {
        #expect(verdict(header) == "malformed")
    }

    @Test func `a header that is not UTF-8 is refused`() {
        for bytes in notUTF8 {
            var token = Token()
            token.header = Array(#"{"alg":"HS256","a":""#.utf8) + bytes + Array("\"}".utf8)
            #expect(HS256.plain.verdict(on: token) == "malformed")
        }
        var token = Token()
        token.header = Array(token.header.map { [$0, 0] }.joined())
        #expect(HS256.plain.verdict(on: token) == "malformed")
    }

    @Test func `a header with more than sixteen levels of nesting is refused`() {
        func header(_ levels: Int, _ open: String, _ close: String) -> String {
            let open = String(repeating: open, count: levels - 1)
            let close = String(repeating: close, count: levels - 1)
            return #"{"alg":"HS256","a":\#(open)0\#(close)}"#
        }
        #expect(verdict(header(16, "[", "]")) == "valid")
        #expect(verdict(header(16, #"{"a":"#, "}")) == "valid")
        #expect(verdict(header(17, "[", "]")) == "malformed")
        #expect(verdict(header(17, #"{"a":"#, "}")) == "malformed")
        #expect(verdict(header(2400, "[", "]")) == "malformed")
        let endless = #"{"alg":"HS256","a":"# + String(repeating: "[", count: 900)
        #expect(verdict(endless) == "malformed")
    }

    @Test func `a header of more than 1024 bytes is refused`() {
        func header(_ count: Int) -> String {
            let start = #"{"alg":"HS256","a":""#
            return start + String(repeating: "x", count: count - start.utf8.count - 2) + "\"}"
        }
        #expect(verdict(header(1024)) == "valid")
        #expect(verdict(header(1025)) == "malformed")
        #expect(verdict(header(3000)) == "malformed")
    }
}

// RFC 7515 §4.1.11.
struct CriticalTests {
    @Test(
        arguments: [
            #"["x-policy"]"#, #"["exp"]"#, #"["b64"]"#, "[]", "[123]", "{}", #""b64""#, #""""#,
            "null", "true", "false", "0", "1e400", #"{"a":["alg"]}"#,
        ])
    func `a header with crit is refused, whatever its value`(value: String) {
        #expect(verdict(#"{"alg":"HS256","crit":\#(value)}"#) == "crit")
        #expect(verdict(#"{"crit":\#(value),"typ":"JWT","alg":"HS256"}"#) == "crit")
        #expect(verdict(#"{"alg":"HS256","cr\u0069t":\#(value)}"#) == "crit")
        #expect(verdict(#"{"alg":"HS256","b64":false,"crit":\#(value)}"#) == "crit")
        #expect(verdict(#"{"alg":"HS256","kid":"a","crit":\#(value)}"#) == "crit")
    }

    @Test func `crit is checked after alg and before kid`() {
        #expect(verdict(#"{"crit":["x"],"kid":"zzz","alg":"none"}"#) == "alg_not_allowed")
        #expect(verdict(#"{"crit":["x"],"kid":"zzz","alg":"HS256"}"#) == "crit")
        #expect(verdict(#"{"crit":["x"],"crit":["x"],"alg":"HS256"}"#) == "malformed")
    }
}

// RFC 7515 §4.1.4.
struct KeyIDTests {
    @Test func `the kid selects the key`() throws {
        for (index, (id, secret)) in [("a", secretA), ("b", secretB)].enumerated() {
            var token = Token(header: #"{"alg":"HS256","typ":"JWT","kid":"\#(id)"}"#)
            token.secret = secret
            #expect(try twoKeys.outcome(of: token.bytes).get().keyIndex == index)
            // Different bytes from our own header, with the same content.
            token.header = Array(#"{"kid":"\#(id)","alg":"HS256"}"#.utf8)
            #expect(try twoKeys.outcome(of: token.bytes).get().keyIndex == index)
        }
        #expect(verdict(#"{"alg":"HS256","kid":"\u0061"}"#, twoKeys) == "valid")
    }

    @Test func `a token with a kid is not verified with another key`() {
        for header in [
            #"{"alg":"HS256","typ":"JWT","kid":"a"}"#, #"{"kid":"a","alg":"HS256"}"#,
        ] {
            var token = Token(header: header)
            token.secret = secretB
            #expect(twoKeys.verdict(on: token) == "bad_signature")
        }
    }

    @Test func `a token without kid is verified with any key of the ring`() throws {
        var token = Token()
        #expect(try twoKeys.outcome(of: token.bytes).get().keyIndex == 0)
        token.secret = secretB
        #expect(try twoKeys.outcome(of: token.bytes).get().keyIndex == 1)
        #expect(HS256.plain.verdict(on: token) == "bad_signature")
        token.secret = secretA + secretB
        #expect(twoKeys.verdict(on: token) == "bad_signature")
    }

    @Test func `a token without kid is tried with every key of the largest ring`() throws {
        let secrets = (0..<16).map { [UInt8](repeating: $0, count: 32) }
        let verifier = HS256.with(keys: secrets.enumerated().map { ("key-\($0)", $1) })
        for (index, secret) in secrets.enumerated() {
            var token = Token()
            token.secret = secret
            #expect(try verifier.outcome(of: token.bytes).get().keyIndex == index)
        }
    }

    @Test(
        arguments: [
            "zzz", "", "A", "a ", " a", "aa", "a\\u0000", "../../dev/null", "a' UNION SELECT 'x",
            "a\\nb", "é", "{}",
        ])
    func `an unknown kid is refused`(id: String) {
        #expect(verdict(#"{"alg":"HS256","kid":"\#(id)"}"#, twoKeys) == "unknown_kid")
        #expect(verdict(#"{"kid":"\#(id)","typ":"JWT","alg":"HS256"}"#) == "unknown_kid")
    }

    @Test(arguments: ["null", "1", "0", "true", "[]", "{}", #"["a"]"#, #"{"a":1}"#])
    func `a kid that is not a string is refused`(value: String) {
        #expect(verdict(#"{"alg":"HS256","kid":\#(value)}"#) == "malformed")
        #expect(verdict(#"{"kid":\#(value),"alg":"HS256"}"#) == "malformed")
    }

    @Test func `a header with two kid members is refused`() {
        #expect(verdict(#"{"alg":"HS256","kid":"a","kid":"a"}"#) == "malformed")
        #expect(verdict(#"{"alg":"HS256","kid":"a","k\u0069d":"b"}"#, twoKeys) == "malformed")
    }
}

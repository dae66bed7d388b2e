import HTTP
import JWT
import TestSupport
import Testing
import Time

@testable import Auth

private func decoded(_ value: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Array(value.utf8)[...]
    while let byte = rest.popFirst() {
        guard (0x20...0x7E).contains(byte) else { return nil }
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let code = UInt8(text(Array(rest.prefix(2))), radix: 16) else { return nil }
        bytes.append(code)
        rest = rest.dropFirst(2)
    }
    return bytes
}

struct VerifyTests {
    @Test func `a verified request gets the user's fields, and a refused one gets none`() throws {
        let fixture = try AuthFixture { _ in }
        let token = fixture.token()
        let sid = try #require(try fixture.claims(token).sessionID?.string)
        let verify = fixture.bearer.protecting(Verify(.demo).respond)
        let expected = Answer(
            status: 204,
            fields: [
                "X-Auth-User-Id: 1", "X-Auth-User-Name: Alice", "X-Auth-Session: \(sid)",
                "X-Auth-Expires: 1795246200",
            ], content: "", isHeldForCommit: true)
        #expect(try answer(to: get("Bearer \(token)", target: "/verify"), by: verify) == expected)
        let head = get("Bearer \(token)", target: "/verify").replacing("GET ", with: "HEAD ")
        #expect(try answer(to: head, by: verify) == expected)
        let refused = try answer(to: get(target: "/verify"), by: verify)
        #expect(refused.status == 401)
        #expect(!refused.fields.contains { $0.hasPrefix("X-Auth") })
    }

    private func value(of name: String) throws -> String? {
        let user = User(id: UserID(1)!, username: "u", name: name)
        let verify = Verify(UserDirectory([user]))
        let claims = Claims(user: UserID(1)!, expires: AuthFixture.now)
        // An empty value is sent as a colon and a space.
        return try answer(to: get()) { verify.respond(to: $0, from: claims) }
            .fields.first { $0.hasPrefix("X-Auth-User-Name: ") }?.replacing(
                "X-Auth-User-Name: ", with: "")
    }

    @Test(
        arguments: [
            ("Alice", "Alice"), ("", ""), (" ", "%20"), ("  ", "%20%20"), ("a b", "a b"),
            (" a  b ", "%20a  b%20"), ("100%", "100%25"), ("%41", "%2541"),
            ("Zoë", "Zo%C3%AB"), ("日本", "%E6%97%A5%E6%9C%AC"), ("😀", "%F0%9F%98%80"),
            ("a\r\nX-Auth-User-Id: 2", "a%0D%0AX-Auth-User-Id: 2"), ("\0\u{7F}\t", "%00%7F%09"),
            ("a,b;c=\"d\"", "a,b;c=\"d\""), ("\u{85}\u{2028}", "%C2%85%E2%80%A8"),
        ])
    func `a user name is encoded in visible ASCII`(name: String, expected: String) throws {
        #expect(try value(of: name) == expected)
        #expect(decoded(expected).map(text) == name)
    }

    @Test func `every user name can be decoded from its field`() throws {
        var generator = SeededGenerator(seed: 204)
        for _ in 0..<TestScale.rounds(300, long: 20_000) {
            var name = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                let limit: UInt32 = [0x30, 0x80, 0x800, 0x11_0000].randomElement(using: &generator)!
                let number = UInt32.random(in: 0..<limit, using: &generator)
                if let scalar = Unicode.Scalar(number) { name.append(scalar) }
            }
            let value = try #require(try value(of: String(name)))
            #expect(value == value.trimmingSpaces)
            #expect(decoded(value) == Array(String(name).utf8))
        }
    }

    @Test func `the session of a foreign token is encoded in visible ASCII`() throws {
        let fixture = try AuthFixture { _ in }
        let token = forged(
            payload: #"{"user_id":1,"exp":1795246200.5,"sid":"a\r\nX: y\u00e9"}"#)
        let verify = fixture.bearer.protecting(Verify(.demo).respond)
        let answer = try answer(to: get("Bearer \(token)"), by: verify)
        #expect(answer.field("X-Auth-Session") == "a%0D%0AX: y%C3%A9")
        #expect(answer.field("X-Auth-Expires") == "1795246200")
        #expect(answer.fields.count == 4)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var rest = self[...]
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }
}

import Testing

@testable import HTTP

private let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
private let digits = "0123456789"

private func members(_ belongs: (UInt8) -> Bool) -> [UInt8] {
    (UInt8.min...UInt8.max).filter(belongs)
}

@Suite("A character class")
struct GrammarTests {
    @Test("tchar is that of RFC 9110 §5.6.2")
    func token() {
        #expect(members(Grammar.isToken) == wire("!#$%&'*+-.^_`|~" + digits + letters).sorted())
    }

    @Test("path is pchar and slash of RFC 3986 §3.3, a percent sign among them")
    func path() {
        let expected = wire(letters + digits + "-._~" + "%" + "!$&'()*+,;=" + ":@" + "/")
        #expect(members(Grammar.isPath) == expected.sorted())
    }

    @Test("query is that of RFC 3986 §3.4, and eight characters more")
    func query() {
        let expected = wire(
            letters + digits + "-._~" + "%" + "!$&'()*+,;=" + ":@" + "/?" + "[]\\^`{|}")
        #expect(members(Grammar.isQuery) == expected.sorted())
    }

    @Test("host name is reg-name of RFC 3986 §3.2.2, a percent sign among it")
    func hostName() {
        let expected = wire(letters + digits + "-._~" + "%" + "!$&'()*+,;=")
        #expect(members(Grammar.isHostName) == expected.sorted())
    }

    @Test("bearer token is b64token of RFC 6750 §2.1 without its padding")
    func bearerToken() {
        #expect(members(Grammar.isBearerToken) == wire(letters + digits + "-._~+/").sorted())
    }

    @Test("request id is letters, digits, point, underscore and hyphen")
    func requestID() {
        #expect(members(Grammar.isRequestIDCharacter) == wire(letters + digits + "._-").sorted())
    }

    @Test("white space is space and tab, digits are ten")
    func small() {
        #expect(members(Grammar.isWhiteSpace) == wire("\t "))
        #expect(members(Grammar.isDigit) == wire(digits))
    }

    @Test("hexadecimal digits have values from 0 to 15 in both cases")
    func hexadecimal() {
        for (value, digit) in wire("0123456789abcdef").enumerated() {
            #expect(Grammar.hexadecimalValue(digit) == UInt8(value))
        }
        for (value, digit) in wire("0123456789ABCDEF").enumerated() {
            #expect(Grammar.hexadecimalValue(digit) == UInt8(value))
        }
        #expect(members { Grammar.hexadecimalValue($0) != nil }.count == 22)
    }

    @Test("letters alone are compared without case", arguments: UInt8.min...UInt8.max)
    func ignoringCase(byte: UInt8) {
        let text = [byte]
        #expect(text.span.isEqualIgnoringCase("k") == (byte == 0x4B || byte == 0x6B))
        #expect(text.span.isEqualIgnoringCase("-") == (byte == 0x2D))
        #expect(text.span.isEqualIgnoringCase("1") == (byte == 0x31))
        #expect(text.span.isEqual("k") == (byte == 0x6B))
    }

    @Test(
        "white space is trimmed at both ends",
        arguments: [
            ("", ""), (" ", ""), ("\t \t", ""), ("a", "a"), (" a", "a"), ("a ", "a"),
            ("\ta b\t ", "a b"), ("\u{A0}a\u{A0}", "\u{A0}a\u{A0}"), ("\u{B}a\r", "\u{B}a\r"),
        ])
    func trimmed(untrimmed: String, trimmed: String) {
        let bytes = wire(untrimmed)
        #expect(text(bytes.span.trimmed) == trimmed)
    }
}

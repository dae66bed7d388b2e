import Testing

@testable import HTTP

private let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
private let digits = "0123456789"

private func members(_ belongs: (UInt8) -> Bool) -> [UInt8] {
    (UInt8.min...UInt8.max).filter(belongs)
}

struct GrammarTests {
    @Test func `tchar is that of RFC 9110 §5.6.2`() {
        #expect(members(Grammar.isToken) == wire("!#$%&'*+-.^_`|~" + digits + letters).sorted())
    }

    @Test func `path bytes are pchar and slash of RFC 3986 §3.3, including the percent sign`() {
        let expected = wire(letters + digits + "-._~" + "%" + "!$&'()*+,;=" + ":@" + "/")
        #expect(members(Grammar.isPath) == expected.sorted())
    }

    @Test func `query bytes are those of RFC 3986 §3.4 and eight more`() {
        let expected = wire(
            letters + digits + "-._~" + "%" + "!$&'()*+,;=" + ":@" + "/?" + "[]\\^`{|}")
        #expect(members(Grammar.isQuery) == expected.sorted())
    }

    @Test
    func `host name bytes are those of reg-name in RFC 3986 §3.2.2, including the percent sign`() {
        let expected = wire(letters + digits + "-._~" + "%" + "!$&'()*+,;=")
        #expect(members(Grammar.isHostName) == expected.sorted())
    }

    @Test func `bearer token bytes are those of b64token in RFC 6750 §2.1 without padding`() {
        #expect(members(Grammar.isBearerToken) == wire(letters + digits + "-._~+/").sorted())
    }

    @Test func `request id bytes are letters, digits, dot, underscore and hyphen`() {
        #expect(members(Grammar.isRequestIDCharacter) == wire(letters + digits + "._-").sorted())
    }

    @Test func `white space is space and tab, and there are ten digits`() {
        #expect(members(Grammar.isWhiteSpace) == wire("\t "))
        #expect(members(Grammar.isDigit) == wire(digits))
    }

    @Test func `hexadecimal digits have values from 0 to 15 in both cases`() {
        for (value, digit) in wire("0123456789abcdef").enumerated() {
            #expect(Grammar.hexadecimalValue(digit) == UInt8(value))
        }
        for (value, digit) in wire("0123456789ABCDEF").enumerated() {
            #expect(Grammar.hexadecimalValue(digit) == UInt8(value))
        }
        #expect(members { Grammar.hexadecimalValue($0) != nil }.count == 22)
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func `only letters are compared without case`(byte: UInt8) {
        let text = [byte]
        #expect(text.span.isEqualIgnoringCase("k") == (byte == 0x4B || byte == 0x6B))
        #expect(text.span.isEqualIgnoringCase("-") == (byte == 0x2D))
        #expect(text.span.isEqualIgnoringCase("1") == (byte == 0x31))
        #expect(text.span.isEqual("k") == (byte == 0x6B))
    }

    @Test(arguments: [
        ("", ""), (" ", ""), ("\t \t", ""), ("a", "a"), (" a", "a"), ("a ", "a"),
        ("\ta b\t ", "a b"), ("\u{A0}a\u{A0}", "\u{A0}a\u{A0}"), ("\u{B}a\r", "\u{B}a\r"),
    ])
    func `white space is trimmed at both ends`(untrimmed: String, trimmed: String) {
        let bytes = wire(untrimmed)
        #expect(text(bytes.span.trimmed) == trimmed)
    }
}

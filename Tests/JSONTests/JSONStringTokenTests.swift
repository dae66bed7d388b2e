import JSON
import Testing

/// Whether the content of the JSON string `json` is `literal`, as a literal and as UTF-8.
private func compare(_ json: String, _ literal: StaticString) throws -> (Bool, Bool) {
    let bytes = Array(json.utf8)
    let other = Array("\(literal)".utf8)
    var reader = JSONReader(bytes.span)
    let text = try reader.readText()
    return (reader.isEqual(text, literal), reader.isEqual(text, other.span))
}

struct JSONStringTokenTests {
    @Test(
        arguments: [
            (#""exp""#, "exp"), (#""\u0065xp""#, "exp"), (#""e\u0078\u0070""#, "exp"),
            (#""""#, ""), (#""\/""#, "/"), (#""\"\\""#, "\"\\"), (#""a\nb""#, "a\nb"),
            (#""é€😀""#, "é€😀"), (#""\u00e9\u20ac\ud83d\ude00""#, "é€😀"),
        ] as [(String, StaticString)])
    func `a string equals its content, whatever its escapes`(json: String, literal: StaticString)
        throws
    {
        #expect(try compare(json, literal) == (true, true))
    }

    @Test(
        arguments: [
            (#""exp""#, "ex"), (#""exp""#, "expo"), (#""exp""#, "Exp"), (#""exp""#, ""),
            (#""""#, "e"), (#""\u0065xp""#, "ex"), (#""\u0065xp""#, "expo"),
            (#""\u0065xp""#, "exq"), (#""\u0065xp""#, #"\u0065xp"#), (#""\u0065""#, ""),
            (#""exp\u0000""#, "exp"), ("\"e\u{301}\"", "\u{E9}"), (#""e\u0301""#, "\u{E9}"),
        ] as [(String, StaticString)])
    func `a string does not equal longer, shorter or different content`(
        json: String, literal: StaticString
    ) throws {
        #expect(try compare(json, literal) == (false, false))
    }

    @Test(
        arguments: [
            (#""""#, []),
            (#""az""#, [0x61, 0x7a]),
            (#""\"\\\/\b\f\n\r\t""#, [0x22, 0x5c, 0x2f, 0x08, 0x0c, 0x0a, 0x0d, 0x09]),
            (#""\u0000\u007f""#, [0x00, 0x7f]),
            (#""\u0080\u07ff""#, [0xc2, 0x80, 0xdf, 0xbf]),
            (#""\u0800\uffff""#, [0xe0, 0xa0, 0x80, 0xef, 0xbf, 0xbf]),
            (#""\ud800\udc00""#, [0xf0, 0x90, 0x80, 0x80]),
            (#""\udbff\udfff""#, [0xf4, 0x8f, 0xbf, 0xbf]),
            (#""a\ud83d\ude00b""#, [0x61, 0xf0, 0x9f, 0x98, 0x80, 0x62]),
            (#""é\u00e9""#, [0xc3, 0xa9, 0xc3, 0xa9]),
        ] as [(String, [UInt8])])
    func `the content of a string is returned as UTF-8 with escapes resolved`(
        json: String, expected: [UInt8]
    ) throws {
        let bytes = Array(json.utf8)
        var reader = JSONReader(bytes.span)
        let text = try reader.readText()
        var visited: [UInt8] = []
        reader.forEachByte(of: text) { visited.append($0) }
        let copied = reader.bytes(of: text)
        let string = reader.string(of: text)

        #expect(visited == expected)
        #expect(copied == expected)
        #expect(Array(string.utf8) == expected)
    }

    @Test func `a token remains valid while the reader continues`() throws {
        let bytes = Array(#"{"first":"\u0031","second":{"third":[2]}}"#.utf8)
        var reader = JSONReader(bytes.span)
        try reader.beginObject()
        let name = try #require(try reader.nextName())
        let value = try reader.readText()
        while try reader.nextName() != nil { try reader.skipValue() }
        try reader.finish()
        let contents = [reader.string(of: name), reader.string(of: value)]
        #expect(contents == ["first", "1"])
    }
}

import JSON
import Testing

/// The output of a writer.
private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

struct JSONWriterTests {
    @Test func `a writer writes compact text with members in call order`() {
        let text = written { json in
            json.beginObject()
            json.name("b")
            json.integer(1)
            json.name("a")
            json.beginArray()
            json.boolean(true)
            json.boolean(false)
            json.null()
            json.beginArray()
            json.endArray()
            json.beginObject()
            json.endObject()
            json.string("x")
            json.endArray()
            json.name("c")
            json.beginObject()
            json.name("d")
            json.integer(-2)
            json.endObject()
            json.endObject()
        }
        #expect(text == #"{"b":1,"a":[true,false,null,[],{},"x"],"c":{"d":-2}}"#)
    }

    @Test func `a new writer has no output`() {
        #expect(written { _ in } == "")
    }

    @Test(
        arguments: [
            (0, "0"), (7, "7"), (-7, "-7"), (10, "10"), (1_300_819_380, "1300819380"),
            (.max, "9223372036854775807"), (.min, "-9223372036854775808"),
        ] as [(Int64, String)])
    func `integers are written in decimal`(value: Int64, text: String) {
        #expect(written { $0.integer(value) } == text)
    }

    @Test(
        arguments: [
            ("", #""""#), ("plain", #""plain""#), ("\"\\/", #""\"\\/""#),
            ("\0\u{1}\u{8}\t\n\r\u{1F}", #""\u0000\u0001\u0008\u0009\u000a\u000d\u001f""#),
            ("\u{7F}é€😀\u{2028}", "\"\u{7F}é€😀\u{2028}\""),
        ])
    func `only quotation marks, backslashes and control characters are escaped`(
        value: String, text: String
    ) {
        let utf8 = Array(value.utf8)
        #expect(written { $0.string(value) } == text)
        #expect(written { $0.string(utf8.span) } == text)
    }

    @Test func `a name that is not a literal is escaped`() {
        let name = ["a\"b", "\n"].joined()
        let text = written { json in
            json.beginObject()
            json.name(escaping: name)
            json.null()
            json.endObject()
        }
        #expect(text == #"{"a\"b\u000a":null}"#)
    }

    private static let trees: [JSONValue] = [
        [:], [], "", 0, true, false, nil,
        ["a": 1, "b": [true, nil, "x", ["c": []]], "": [:]],
        ["\"\\\n\0": "\u{1F600}\u{FFFF}\u{10FFFF}", "é": "e\u{301}"],
        [-1, 9_223_372_036_854_775_807, -9_223_372_036_854_775_808],
    ]

    @Test(arguments: trees)
    func `a written tree is read back as the same tree`(tree: JSONValue) throws {
        let text = try #require(tree.written)
        #expect(try JSONValue(parsing: text.span) == tree)
    }

    @Test(
        arguments: [
            (0, "0"), (1000, "1"), (1500, "1.5"), (1, "0.001"), (10, "0.01"), (100, "0.1"),
            (999, "0.999"), (1010, "1.01"), (-1, "-0.001"), (-500, "-0.5"), (-1000, "-1"),
            (-1500, "-1.5"), (1_795_244_400_123, "1795244400.123"),
            (.max, "9223372036854775.807"), (.min, "-9223372036854775.808"),
        ] as [(Int64, String)])
    func `seconds are written with a fraction only if there is one`(
        milliseconds: Int64, expected: String
    ) {
        var writer = JSONWriter()
        writer.beginArray()
        writer.seconds(milliseconds: milliseconds)
        writer.seconds(milliseconds: milliseconds)
        writer.endArray()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "[\(expected),\(expected)]")
    }
}

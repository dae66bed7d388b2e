import JSON
import Testing

struct JSONValueTests {
    private static let structures: [(String, JSONValue)] = [
        ("{}", [:]),
        ("[]", []),
        (" \t\r\n{ \t\r\n} \t\r\n", [:]),
        (" [ ] ", []),
        (#"{"a":1}"#, ["a": 1]),
        (#" { "a" : 1 , "b" : [ true , false , null ] } "#, ["a": 1, "b": [true, false, nil]]),
        (#"{"b":1,"a":2}"#, ["b": 1, "a": 2]),
        (#"{"":""}"#, ["": ""]),
        ("[[],[[]],{}]", [[], [[]], [:]]),
        (#"[{"a":{"b":[{"c":null}]}}]"#, [["a": ["b": [["c": nil]]]]]),
        (#"{"a":{"a":{"a":1}}}"#, ["a": ["a": ["a": 1]]]),
        (#"[{"a":1},{"a":2}]"#, [["a": 1], ["a": 2]]),
        ("true", true),
        ("false", false),
        ("null", nil),
        ("\"text\"", "text"),
        ("7", 7),
    ]

    @Test(arguments: structures)
    func `a tree has the structure of its text, with members and elements in order`(
        text: String, value: JSONValue
    ) throws {
        #expect(try JSONValue(text) == value)
    }

    private static let strings: [(String, String)] = [
        (#""""#, ""),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0000\u001f\u007F""#, "\0\u{1F}\u{7F}"),
        (#""\u0041\u00e9\u00E9\u20ac\uFFFF""#, "A\u{E9}\u{E9}\u{20AC}\u{FFFF}"),
        (#""\ud83d\ude00\uD83D\uDE00""#, "\u{1F600}\u{1F600}"),
        (#""\ud800\udc00 \udbff\udfff""#, "\u{10000} \u{10FFFF}"),
        (#""\ud7ff\ue000""#, "\u{D7FF}\u{E000}"),
        ("\"A\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\"", "A\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}"),
        ("\"\u{D7FF}\u{E000}\u{10000}\u{10FFFF}\"", "\u{D7FF}\u{E000}\u{10000}\u{10FFFF}"),
        ("\"\u{2028}\u{FEFF}/'\"", "\u{2028}\u{FEFF}/'"),
        (#""\\u0041""#, #"\u0041"#),
    ]

    @Test(arguments: strings)
    func `escapes are resolved and other characters are unchanged`(text: String, expected: String)
        throws
    {
        #expect(try JSONValue(text) == .string(expected))
        // Strings compare by canonical equivalence; the test is about the exact scalars.
        guard case .string(let found) = try JSONValue(text) else { return }
        #expect(Array(found.unicodeScalars) == Array(expected.unicodeScalars))
    }

    private static let numbers: [(String, JSONNumber)] = [
        ("0", .integer(0)), ("-0", .integer(0)), ("1", .integer(1)), ("-1", .integer(-1)),
        ("10", .integer(10)), ("1234567890", .integer(1_234_567_890)),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .fraction(0x1p63)),
        ("-9223372036854775809", .fraction(-0x1p63)),
        ("100000000000000000000", .fraction(1e20)),
        ("0.5", .fraction(0.5)), ("-0.5", .fraction(-0.5)), ("1.0", .fraction(1)),
        ("1e0", .fraction(1)), ("1E0", .fraction(1)), ("1e+2", .fraction(100)),
        ("1e-2", .fraction(0.01)), ("0e00", .fraction(0)), ("-0.0e-0", .fraction(0)),
        ("12.25E+02", .fraction(1225)), ("1e308", .fraction(1e308)), ("1e-400", .fraction(0)),
        ("1.7976931348623157e308", .fraction(.greatestFiniteMagnitude)),
    ]

    @Test(arguments: numbers)
    func `integers of 64 bits are exact, and other numbers become a Double`(
        text: String, number: JSONNumber
    ) throws {
        #expect(try JSONValue(text) == .number(number))
    }

    @Test(
        arguments: ["1e400", "-1e400", "1e309", "1.8e308", "9e99999999999999999999"])
    func `a number too large for a Double is refused`(text: String) {
        #expect(throws: JSONError(.numberOutOfRange, at: 1)) { try JSONValue("[\(text)]") }
    }

    @Test func `a number with 10,000 digits is refused`() {
        let digits = String(repeating: "9", count: 10_000)
        #expect(throws: JSONError(.numberOutOfRange, at: 0)) { try JSONValue(digits) }
    }

    @Test func `kindName names the type of a value`() {
        let values: [JSONValue] = [[:], [], "", 1, 1.5, true, nil]
        #expect(
            values.map(\.kindName) == [
                "an object", "a list", "a string", "a number", "a number", "true or false", "null",
            ])
    }
}

import Foundation
import JSON
import Testing

private func foundationAccepts(_ text: String) -> Bool {
    let tree = try? JSONSerialization.jsonObject(
        with: Data(text.utf8), options: .fragmentsAllowed)
    return tree != nil
}

/// Texts on which RFC 8259 leaves no choice; on the others we are stricter on purpose.
@Suite("JSON and Foundation")
struct FoundationAgreementTests {
    @Test(
        "both accept what is plainly valid",
        arguments: [
            "{}", "[]", " [ ] ", "\t{\r\n}", "true", "false", "null", "0", "-1", "1.5", "1e3",
            "-0.5E-2", #""""#, #""text""#, #"{"a":1}"#, #"{"a":{"b":[1,2,{"c":null}]}}"#,
            #"["\"\\\/\b\f\n\r\t"]"#, #""\u00e9\ud83d\ude00""#, "\"é€😀\"",
            "[1,\n2,\r3,\t4, 5]", #"{"a":[],"b":{},"c":""}"#, "[[[[[[[[]]]]]]]]",
            "9223372036854775807", "-9223372036854775808",
        ])
    func valid(text: String) {
        #expect(foundationAccepts(text))
        #expect(errorOfParsing(Array(text.utf8)) == nil)
    }

    @Test(
        "both refuse what is plainly invalid",
        arguments: [
            "", " ", "{", "[", "}", "]", "[1", "[1,", "[,1]", "[1,,2]", "[1 2]",
            #"{"a"}"#, #"{"a":}"#, #"{"a" 1}"#, #"{:1}"#, "{a:1}", "{1:2}", "{'a':1}", "'a'",
            #"{"a":1 "b":2}"#, #"{,"a":1}"#, "[}", "{]", "[1}", "\"", "\"abc", #""\"#,
            #""\x41""#, #""\u12""#, #""\u12g4""#, "\"a\nb\"", "\"\u{1}\"", "tru", "TRUE",
            "nul", "falsey", "01", "-01", "-", "+1", ".5", "1e", "1e+", "- 1", "NaN", "Infinity",
            "undefined", "// 1", "/* */ 1", "1 2", "{}{}", "[]]", "null null", "#",
        ])
    func invalid(text: String) {
        #expect(!foundationAccepts(text))
        #expect(errorOfParsing(Array(text.utf8)) != nil)
    }
}

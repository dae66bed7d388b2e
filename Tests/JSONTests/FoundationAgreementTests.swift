import Foundation
import JSON
import Testing

private func foundationAccepts(_ text: String) -> Bool {
    let tree = try? JSONSerialization.jsonObject(
        with: Data(text.utf8), options: .fragmentsAllowed)
    return tree != nil
}

/// Only texts on which RFC 8259 leaves no choice. On others this reader is stricter on purpose.
struct FoundationAgreementTests {
    @Test(
        arguments: [
            "{}", "[]", " [ ] ", "\t{\r\n}", "true", "false", "null", "0", "-1", "1.5", "1e3",
            "-0.5E-2", #""""#, #""text""#, #"{"a":1}"#, #"{"a":{"b":[1,2,{"c":null}]}}"#,
            #"["\"\\\/\b\f\n\r\t"]"#, #""\u00e9\ud83d\ude00""#, "\"é€😀\"",
            "[1,\n2,\r3,\t4, 5]", #"{"a":[],"b":{},"c":""}"#, "[[[[[[[[]]]]]]]]",
            "9223372036854775807", "-9223372036854775808",
        ])
    func `Foundation and this reader accept valid texts`(text: String) {
        #expect(foundationAccepts(text))
        #expect(errorOfParsing(Array(text.utf8)) == nil)
    }

    @Test(
        arguments: [
            "", " ", "{", "[", "}", "]", "[1", "[1,", "[,1]", "[1,,2]", "[1 2]",
            #"{"a"}"#, #"{"a":}"#, #"{"a" 1}"#, #"{:1}"#, "{a:1}", "{1:2}", "{'a':1}", "'a'",
            #"{"a":1 "b":2}"#, #"{,"a":1}"#, "[}", "{]", "[1}", "\"", "\"abc", #""\"#,
            #""\x41""#, #""\u12""#, #""\u12g4""#, "\"a\nb\"", "\"\u{1}\"", "tru", "TRUE",
            "nul", "falsey", "01", "-01", "-", "+1", ".5", "1e", "1e+", "- 1", "NaN", "Infinity",
            "undefined", "// 1", "/* */ 1", "1 2", "{}{}", "[]]", "null null", "#",
        ])
    func `Foundation and this reader refuse invalid texts`(text: String) {
        #expect(!foundationAccepts(text))
        #expect(errorOfParsing(Array(text.utf8)) != nil)
    }
}

import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// The text that `write` appends to a line.
private func written(
    _ format: LogFormat = .text, _ write: (inout LogLine) -> Void
) -> String {
    var memory = [UInt8](repeating: 0, count: 2048)
    var line = LogLine(memory.mutableSpan, format)
    write(&line)
    let count = line.count
    return String(decoding: memory[..<count], as: UTF8.self)
}

/// The value as written after `v=` or `"v":`.
private func shown(_ value: [UInt8], _ format: LogFormat = .text) -> String {
    let text = written(format) { $0.field("v", value.span) }
    return String(text.dropFirst(format == .json ? 5 : 3))
}

private func shown(_ value: String, _ format: LogFormat = .text) -> String {
    shown(Array(value.utf8), format)
}

/// An event with a field of each kind.
private struct Everything: LogEvent {
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_token_rejected" }

    func write(to line: inout LogLine) {
        line.field("reason", "expired" as StaticString)
        line.field("user", 7)
        line.field("known", true)
        line.field("agent", "a \"b\"")
        line.field("path", Array("/resource".utf8).span)
    }
}

struct LogLineTests {
    @Test(
        arguments: [
            (
                .text,
                """
                2026-11-21T07:00:00.123Z | WARNING | security | authn_token_rejected \
                reason=expired user=7 known=true agent="a \\"b\\"" path=/resource

                """
            ),
            (
                .json,
                """
                {"time":"2026-11-21T07:00:00.123Z","level":"WARNING","area":"security",\
                "event":"authn_token_rejected","reason":"expired","user":7,"known":true,\
                "agent":"a \\"b\\"","path":"/resource"}

                """
            ),
            (
                .logfmt,
                """
                time=2026-11-21T07:00:00.123Z level=WARNING area=security \
                event=authn_token_rejected reason=expired user=7 known=true \
                agent="a \\"b\\"" path=/resource

                """
            ),
        ] as [(LogFormat, String)])
    func `a line has time, level, area and event, then the fields in order`(
        format: LogFormat, text: String
    ) {
        let line = LogLine.formatted(Everything(), at: someTime, format)
        #expect(String(decoding: line, as: UTF8.self) == text)
    }

    @Test(
        arguments: [
            (0, "0"), (7, "7"), (-1, "-1"), (10, "10"), (-90, "-90"), (1_795_244_400, "1795244400"),
            (.max, "9223372036854775807"), (.min, "-9223372036854775808"),
        ] as [(Int64, String)])
    func `integers of every size are written in decimal`(value: Int64, text: String) {
        for format in [.text, .logfmt] as [LogFormat] {
            #expect(written(format) { $0.field("n", value) } == " n=\(text)")
        }
        #expect(written(.json) { $0.field("n", value) } == ",\"n\":\(text)")
    }

    @Test func `the three kinds of text fields are written alike`() {
        #expect(written { $0.field("a", "word" as StaticString) } == " a=word")
        #expect(written { $0.field("a", "word" as String) } == " a=word")
        #expect(written { $0.field("a", [UInt8]("word".utf8).span) } == " a=word")
        let json = ",\"a\":\"word\""
        #expect(written(.json) { $0.field("a", "word" as StaticString) } == json)
        #expect(written(.json) { $0.field("a", "word" as String) } == json)
        #expect(written(.json) { $0.field("a", [UInt8]("word".utf8).span) } == json)
    }

    @Test(arguments: [(true, "true"), (false, "false")])
    func `Boolean values are written as true and false`(value: Bool, text: String) {
        #expect(written { $0.field("a", value) } == " a=\(text)")
        #expect(written(.logfmt) { $0.field("a", value) } == " a=\(text)")
        #expect(written(.json) { $0.field("a", value) } == ",\"a\":\(text)")
    }

    @Test(arguments: [
        "a", "0", "-", "/path?x&y", "127.0.0.1", "[::1]:80", "eyJhbGciOi", "{}'`$;#~!",
    ])
    func `plain values are written without quotation marks`(value: String) {
        #expect(shown(value) == value)
        #expect(shown(value, .logfmt) == value)
    }

    @Test(arguments: [
        ("", #""""#), (" ", #"" ""#), ("a b", #""a b""#), ("a=b", #""a=b""#),
        ("a|b", #""a|b""#), ("\"", #""\"""#), ("\\", #""\\""#), ("\\n", #""\\n""#),
        ("\" level=CRITICAL \"", #""\" level=CRITICAL \"""#), ("é", #""é""#),
        ("用户", #""用户""#), ("👩‍🚀", #""👩\u{200d}🚀""#),
        ("\u{10FFFF}", "\"\u{10FFFF}\""),
    ])
    func `ambiguous values are written in quotation marks`(value: String, text: String) {
        #expect(shown(value) == text)
        #expect(shown(value, .logfmt) == text)
    }

    @Test(arguments: [
        ("\0", #"\x00"#), ("\t", #"\x09"#), ("\n", #"\x0a"#), ("\u{B}", #"\x0b"#),
        ("\u{C}", #"\x0c"#), ("\r", #"\x0d"#), ("\r\n", #"\x0d\x0a"#),
        ("\u{1B}[2J", #"\x1b[2J"#),
        ("\u{1F}", #"\x1f"#), ("\u{7F}", #"\x7f"#), ("\u{80}", #"\u{0080}"#),
        ("\u{85}", #"\u{0085}"#), ("\u{9B}31m", #"\u{009b}31m"#), ("\u{9F}", #"\u{009f}"#),
        ("\u{61C}", #"\u{061c}"#), ("\u{200B}", #"\u{200b}"#), ("\u{200E}", #"\u{200e}"#),
        ("\u{200F}", #"\u{200f}"#), ("\u{2028}", #"\u{2028}"#), ("\u{2029}", #"\u{2029}"#),
        ("\u{202A}", #"\u{202a}"#), ("\u{202E}", #"\u{202e}"#), ("\u{2066}", #"\u{2066}"#),
        ("\u{2069}", #"\u{2069}"#), ("\u{FEFF}", #"\u{feff}"#),
    ])
    func `characters that end a line, move the cursor or are invisible are escaped`(
        value: String, text: String
    ) {
        #expect(shown(value) == "\"\(text)\"")
        #expect(shown(value, .logfmt) == "\"\(text)\"")
        #expect(shown("a" + value + "z") == "\"a\(text)z\"")
    }

    @Test(arguments: [
        "\u{A0}", "\u{61B}", "\u{61D}", "\u{200A}", "\u{2010}", "\u{2027}", "\u{202F}",
        "\u{2065}", "\u{206A}", "\u{FEFE}", "\u{FF00}", "\u{FFFD}", "\u{1F600}",
    ])
    func `the neighbors of escaped characters are not escaped`(value: String) {
        #expect(shown(value) == "\"\(value)\"")
    }

    // Table 3-7 of the Unicode Standard, from both sides of each of its limits.
    @Test(arguments: [
        ("80", #"\x80"#), ("BF", #"\xbf"#), ("C0AF", #"\xc0\xaf"#), ("C180", #"\xc1\x80"#),
        ("C2", #"\xc2"#), ("C27F", #"\xc2\x7f"#), ("C2C3A9", #"\xc2é"#),
        ("E0809F", #"\xe0\x80\x9f"#), ("E09FBF", #"\xe0\x9f\xbf"#), ("E282", #"\xe2\x82"#),
        ("E28241", #"\xe2\x82A"#), ("EDA080", #"\xed\xa0\x80"#), ("EDBFBF", #"\xed\xbf\xbf"#),
        ("F08F8080", #"\xf0\x8f\x80\x80"#), ("F09F98", #"\xf0\x9f\x98"#),
        ("F09F9841", #"\xf0\x9f\x98A"#), ("F4908080", #"\xf4\x90\x80\x80"#),
        ("F5808080", #"\xf5\x80\x80\x80"#), ("F888808080", #"\xf8\x88\x80\x80\x80"#),
        ("FE", #"\xfe"#), ("FF", #"\xff"#), ("41FF0A42", #"A\xff\x0aB"#),
        ("DFBF", "\u{7FF}"), ("E0A080", "\u{800}"), ("ED9FBF", "\u{D7FF}"),
        ("EE8080", "\u{E000}"), ("F0908080", "\u{10000}"), ("F48FBFBF", "\u{10FFFF}"),
    ])
    func `each byte that is not valid UTF-8 is escaped`(hexadecimal: String, text: String) {
        #expect(shown([UInt8](hexadecimal: hexadecimal)) == "\"\(text)\"")
        #expect(shown([UInt8](hexadecimal: hexadecimal), .logfmt) == "\"\(text)\"")
    }

    @Test(arguments: [
        ("", ""), (" ", " "), ("a=b|c", "a=b|c"), ("\"", #"\""#), ("\\", #"\\"#), ("/", "/"),
        ("\0", #"\u0000"#), ("\t", #"\u0009"#), ("\r\n", #"\u000d\u000a"#),
        ("\u{1F}", #"\u001f"#), ("\u{7F}", #"\u007f"#), ("\u{85}", #"\u0085"#),
        ("\u{9B}31m", #"\u009b31m"#), ("\u{A0}", "\u{A0}"), ("\u{61C}", #"\u061c"#),
        ("\u{2028}", #"\u2028"#), ("\u{2029}", #"\u2029"#), ("\u{202E}", #"\u202e"#),
        ("\u{2066}", #"\u2066"#), ("\u{FEFF}", #"\ufeff"#), ("é用", "é用"),
        ("👩‍🚀", #"👩\u200d🚀"#), ("\u{10FFFF}", "\u{10FFFF}"),
    ])
    func `JSON values have escapes for what JSON requires and what is invisible`(
        value: String, text: String
    ) {
        #expect(shown(value, .json) == "\"\(text)\"")
        #expect(shown("a" + value + "z", .json) == "\"a\(text)z\"")
    }

    // One replacement for each maximal subpart, as Unicode recommends and Swift does.
    @Test(arguments: [
        ("80", 1), ("C0AF", 2), ("C2", 1), ("E0809F", 3), ("E282", 1), ("E28080E282", 1),
        ("EDA080", 3), ("F08F8080", 4), ("F09F98", 1), ("F09F98F09F98", 2), ("F4908080", 4),
        ("F5808080", 4), ("FF", 1),
    ])
    func `bytes that are not valid UTF-8 are replaced in JSON values`(
        hexadecimal: String, count: Int
    ) {
        let bytes = [UInt8](hexadecimal: hexadecimal)
        let text = shown(bytes, .json)
        #expect(text.unicodeScalars.count { $0 == "\u{FFFD}" } == count)
        #expect(text == "\"\(String(decoding: bytes, as: UTF8.self))\"")
    }
}

struct LongLineTests {
    private static let start = someStamp + "INFO | app | note text="

    private static func line(_ value: String) throws -> String {
        let folder = try TemporaryFolder()
        let logger = try Logger(LogOptions(path: folder.path("app.log")), clock: .fixed(someTime))
        logger.record(Note(value))
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        let lines = try #require(completeLines(try folder.text("app.log")))
        #expect(lines.count == 3)
        #expect(numbers(lines) == [1])
        return String(lines[1])
    }

    // From 1024 bytes on, less the time and the reserved end, a line takes a second pass on the
    // heap.
    @Test(arguments: 970...1030)
    func `a line with values of moderate length is written completely`(length: Int) throws {
        let value = String(repeating: "x", count: length)
        #expect(try Self.line(value) == Self.start + value)
    }

    @Test(arguments: [3839, 3840, 8192, 100_000])
    func `a value is cut at 3840 bytes with its quotation marks`(length: Int) throws {
        let limit = String(repeating: "x", count: 3838)
        #expect(try Self.line(limit) == Self.start + limit)
        let line = try Self.line(String(repeating: "x", count: length))
        #expect(line == Self.start + "\"\(limit)\" cut=true")
    }

    @Test func `a value is cut by its length after escaping`() throws {
        let line = try Self.line(String(repeating: "\n", count: 2500))
        #expect(
            line == Self.start + "\"" + String(repeating: #"\x0a"#, count: 959) + "\" cut=true")
    }

    @Test(arguments: ["é", "用", "👩"], LogFormat.allCases)
    func `a value is cut between two characters`(character: String, format: LogFormat) throws {
        for shift in 0..<4 {
            let x = String(repeating: "x", count: shift)
            let value = x + String(repeating: character, count: 5000)
            let line = LogLine.formatted(Note(value), at: someTime, format)
            let parsed = try #require(ParsedLine(line.dropLast(), format))
            #expect(parsed.isCut == true)
            let count = (3838 - shift) / character.utf8.count
            #expect(
                parsed.text("text") == Array((x + String(repeating: character, count: count)).utf8))
        }
    }

    @Test func `a line has at most 8192 bytes, and short fields that still fit`() throws {
        struct Long: LogEvent {
            let length: Int
            var level: Level { .info }
            var area: Area { .app }
            var name: StaticString { "long" }
            func write(to line: inout LogLine) {
                let value = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                line.field("a", value.span)
                line.field("b", value.span)
                line.field("c", value.span.extracting(0..<300))
                line.field("d", value.span.extracting(0..<300))
                line.field("last", 1)
            }
        }
        for format in LogFormat.allCases {
            var (complete, cut) = (0, 0)
            for length in 3700...3838 {
                let line = LogLine.formatted(Long(length: length), at: someTime, format)
                #expect(line.count <= Logger.maximumLine)
                let parsed = try #require(ParsedLine(line.dropLast(), format))
                let has = { parsed.fields[$0] != nil }
                #expect(has("a") && has("b") && has("c") && (has("d") || has("last")))
                #expect(parsed.isCut == !(has("d") && has("last")))
                if parsed.isCut == true { cut += 1 } else { complete += 1 }
            }
            #expect(complete > 10 && cut > 10)
        }
    }
}

import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// What is written into a line that has `room` bytes.
private func written(
    room: Int = 2048, _ write: (inout LogLine) -> Void
) -> (text: String, isTruncated: Bool) {
    var memory = [UInt8](repeating: 0, count: room)
    var line = LogLine(memory.mutableSpan)
    write(&line)
    let (count, isTruncated) = (line.count, line.isTruncated)
    return (String(decoding: memory[..<count], as: UTF8.self), isTruncated)
}

/// The value as it stands behind `v=`.
private func shown(_ value: [UInt8]) -> String {
    let text = written { $0.field("v", value.span) }.text
    return String(text.dropFirst(" v=".count))
}

private func shown(_ value: String) -> String { shown(Array(value.utf8)) }

@Suite("A line of the log")
struct LogLineTests {
    @Test("says level, area and event, then the fields in order")
    func order() {
        let line = written { line in
            line.begin(.warning, .security, "authn_token_rejected")
            line.field("reason", "expired")
            line.field("user", 7)
            line.field("agent", "a b")
        }
        #expect(
            line.text
                == "WARNING | security | authn_token_rejected reason=expired user=7 agent=\"a b\"")
        #expect(!line.isTruncated)
    }

    @Test(
        "shows whole numbers of every size",
        arguments: [
            (0, "0"), (7, "7"), (-1, "-1"), (10, "10"), (-90, "-90"), (1_795_244_400, "1795244400"),
            (.max, "9223372036854775807"), (.min, "-9223372036854775808"),
        ] as [(Int64, String)])
    func integers(value: Int64, text: String) {
        #expect(written { $0.field("n", value) }.text == " n=\(text)")
    }

    @Test("shows the three kinds of text alike")
    func kinds() {
        #expect(written { $0.field("a", "word" as StaticString) }.text == " a=word")
        #expect(written { $0.field("a", "word" as String) }.text == " a=word")
        #expect(written { $0.field("a", [UInt8]("word".utf8).span) }.text == " a=word")
    }

    @Test(
        "leaves plain values bare",
        arguments: ["a", "0", "-", "/path?x&y", "127.0.0.1", "[::1]:80", "eyJhbGciOi", "{}'`$;#~!"])
    func plain(value: String) {
        #expect(shown(value) == value)
    }

    @Test(
        "puts what could be misread into quotation marks",
        arguments: [
            ("", #""""#), (" ", #"" ""#), ("a b", #""a b""#), ("a=b", #""a=b""#),
            ("a|b", #""a|b""#), ("\"", #""\"""#), ("\\", #""\\""#), ("\\n", #""\\n""#),
            ("\" level=CRITICAL \"", #""\" level=CRITICAL \"""#), ("é", #""é""#),
            ("用户", #""用户""#), ("👩‍🚀", #""👩\u{200d}🚀""#),
            ("\u{10FFFF}", "\"\u{10FFFF}\""),
        ])
    func quoted(value: String, text: String) {
        #expect(shown(value) == text)
    }

    @Test(
        "escapes what would end the line, move the cursor, or not be seen",
        arguments: [
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
    func escaped(value: String, text: String) {
        #expect(shown(value) == "\"\(text)\"")
        #expect(shown("a" + value + "z") == "\"a\(text)z\"")
    }

    @Test(
        "leaves the neighbours of what it escapes as they are",
        arguments: [
            "\u{A0}", "\u{61B}", "\u{61D}", "\u{200A}", "\u{2010}", "\u{2027}", "\u{202F}",
            "\u{2065}", "\u{206A}", "\u{FEFE}", "\u{FF00}", "\u{FFFD}", "\u{1F600}",
        ])
    func neighbours(value: String) {
        #expect(shown(value) == "\"\(value)\"")
    }

    // Table 3-7 of the Unicode Standard, from both sides of each of its limits.
    @Test(
        "escapes each byte that is no UTF-8",
        arguments: [
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
    func invalidUTF8(hexadecimal: String, text: String) {
        #expect(shown([UInt8](hexadecimal: hexadecimal)) == "\"\(text)\"")
    }

    @Test("stops at the end of its memory, holds what came first, and says so")
    func truncation() {
        func cut(_ room: Int) -> (text: String, isTruncated: Bool) {
            written(room: room) { line in
                line.field("a", "x y")
                line.field("b", -12)
            }
        }
        let whole = cut(100).text
        #expect(whole == #" a="x y" b=-12"#)
        for room in 0..<whole.utf8.count {
            #expect(cut(room) == (String(whole.prefix(room)), true))
        }
        #expect(cut(whole.utf8.count) == (whole, false))
    }
}

@Suite("A hostile value")
struct HostileValueTests {
    private static let pieces: [[UInt8]] = [
        "\n", "\r\n", "\t", "\0", "\u{1B}[31m", "\"", "\\", "\\x41", "\\u{2028}", "=", "|", " ",
        " [cut]", someStamp + "INFO | app | note", "\u{7F}", "\u{85}", "\u{2028}", "\u{202E}",
        "\u{FEFF}", "a", "e\u{301}", "\u{10FFFF}",
    ].map { Array($0.utf8) }

    private static func value(_ dice: inout Dice) -> [UInt8] {
        (0..<Int.random(in: 0...12, using: &dice)).flatMap { _ -> [UInt8] in
            switch Int.random(in: 0..<4, using: &dice) {
            case 0: return pieces.randomElement(using: &dice)!
            case 1: return [UInt8.random(in: 0...255, using: &dice)]
            case 2: return [UInt8.random(in: 0x20...0x7E, using: &dice)]
            default:
                let scalar = Unicode.Scalar(UInt32.random(in: 0...0x3000, using: &dice))!
                return Array(String(scalar).utf8)
            }
        }
    }

    /// Takes the escapes back; nil if the text is not what a value can look like.
    private static func decoded(_ text: Substring) -> [UInt8]? {
        var rest = Array(text.utf8)[...]
        guard rest.first == UInt8(ascii: "\"") else { return Array(rest) }
        guard rest.count >= 2, rest.last == UInt8(ascii: "\"") else { return nil }
        rest = rest.dropFirst().dropLast()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return nil
            case UInt8(ascii: "\\"):
                switch rest.popFirst() {
                case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
                case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
                case UInt8(ascii: "x"):
                    guard
                        let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                    else { return nil }
                    bytes.append(byte)
                    rest = rest.dropFirst(2)
                case UInt8(ascii: "u"):
                    let digits = rest.dropFirst().prefix { $0 != UInt8(ascii: "}") }
                    guard let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
                        let scalar = Unicode.Scalar(number)
                    else { return nil }
                    bytes += Array(String(scalar).utf8)
                    rest = rest.dropFirst(digits.count + 2)
                default: return nil
                }
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: !scalar.properties.isBidiControl && scalar != "\u{FEFF}"
        }
    }

    @Test("stays in its one line, shows on a terminal, and can be had back", arguments: 0..<10)
    func manyValues(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        let values = (0..<2000).map { _ in Self.value(&dice) }
        let folder = try TemporaryFolder()
        let logger = try Logger(LogOptions(path: folder.path("app.log")), clock: .fixed(someTime))
        for value in values { logger.record(Note(bytes: value)) }
        #expect(logger.commit() == .written)

        let lines = try #require(wholeLines(try folder.text("app.log"))).dropFirst()
        #expect(lines.count == values.count)
        for (line, value) in zip(lines, values) {
            let start = someStamp + "INFO | app | note text="
            guard line.hasPrefix(start), line.unicodeScalars.allSatisfy(Self.isVisible),
                Self.decoded(line.dropFirst(start.count)) == value
            else {
                Issue.record("\(value) became \(line.debugDescription)")
                continue
            }
        }
    }
}

@Suite("A long line")
struct LongLineTests {
    private static let start = someStamp + "INFO | app | note text="

    private static func line(_ value: String) throws -> String {
        let folder = try TemporaryFolder()
        let logger = try Logger(LogOptions(path: folder.path("app.log")), clock: .fixed(someTime))
        logger.record(Note(value))
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        let lines = try #require(wholeLines(try folder.text("app.log")))
        #expect(lines.count == 3)
        #expect(numbers(lines) == [1])
        return String(lines[1])
    }

    // 1024 bytes without its time is where a line needs more memory; 1051 is the same with it.
    @Test(
        "is written whole up to the limit",
        arguments: [1022, 1023, 1024, 1025, 1050, 1051, 1052, 8184, 8185])
    func whole(length: Int) throws {
        let value = String(repeating: "x", count: length - Self.start.utf8.count)
        #expect(try Self.line(value) == Self.start + value)
    }

    @Test("is cut past it, says so, and takes 8192 bytes", arguments: [8186, 8187, 8192, 100_000])
    func cut(length: Int) throws {
        let value = String(repeating: "x", count: length - Self.start.utf8.count)
        let line = try Self.line(value)
        #expect(line.hasPrefix(Self.start + "xxx"))
        #expect(line.hasSuffix("xxx [cut]"))
        #expect(line.utf8.count + 1 == Logger.maximumLine)
    }

    @Test("grows by its escapes, and is cut by what it has grown to")
    func escapes() throws {
        let value = String(repeating: "\n", count: 2500)
        let line = try Self.line(value)
        #expect(line.hasPrefix(Self.start + #""\x0a\x0a"#))
        #expect(line.hasSuffix(" [cut]"))
        #expect(line.utf8.count + 1 == Logger.maximumLine)
    }

    // Reading the file as UTF-8 fails if a character was cut in two.
    @Test("is cut between two characters", arguments: ["é", "用", "👩"])
    func characters(character: String) throws {
        for shift in 0..<4 {
            let value =
                String(repeating: "x", count: shift) + String(repeating: character, count: 5000)
            let line = try Self.line(value)
            #expect(line.hasSuffix(character + " [cut]"))
            #expect(line.utf8.count < Logger.maximumLine)
        }
    }
}

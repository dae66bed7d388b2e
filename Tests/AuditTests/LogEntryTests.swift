import Audit
import Logging
import TestSupport
import Testing
import Time

/// The parsed line; nil if it is not a log line.
private func parts(_ line: [UInt8]) -> Parts? {
    guard let entry = LogEntry(line.span) else { return nil }
    var fields: [[String]] = []
    entry.forEachField { name, value in fields.append([text(name), text(value)]) }
    return Parts(
        time: entry.time, level: entry.level, area: entry.area, event: text(entry.event),
        fields: fields)
}

private func parts(_ line: String) -> Parts? { parts(Array(line.utf8)) }

private func text(_ bytes: Span<UInt8>) -> String {
    String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
}

private struct Parts: Equatable {
    var time: Timestamp
    var level: Level
    var area: Area
    var event: String
    var fields: [[String]]
}

private struct Long: LogEvent {
    let value: String
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "e" }
    func write(to line: inout LogLine) {
        line.field("a", value)
        line.field("b", 1)
    }
}

private let textLine = """
    2026-11-21T07:00:00.123Z | INFO | security | authn_token_created user=1 name="a b" \
    ip=127.0.0.1 rid=0123456789abcdef
    """
private let jsonLine = """
    {"time":"2026-11-21T07:00:00.123Z","level":"INFO","area":"security",\
    "event":"authn_token_created","user":1,"name":"a b","ip":"127.0.0.1",\
    "rid":"0123456789abcdef"}
    """
private let logfmtLine = """
    time=2026-11-21T07:00:00.123Z level=INFO area=security event=authn_token_created user=1 \
    name="a b" ip=127.0.0.1 rid=0123456789abcdef
    """

struct LogEntryTests {
    @Test(arguments: [textLine, jsonLine, logfmtLine])
    func `an entry is the same in each of the three formats`(line: String) throws {
        let expected = Parts(
            time: Timestamp(milliseconds: 1_795_244_400_123), level: .info, area: .security,
            event: "authn_token_created",
            fields: [
                ["user", "1"], ["name", "a b"], ["ip", "127.0.0.1"], ["rid", "0123456789abcdef"],
            ])
        #expect(parts(line) == expected)
    }

    @Test(arguments: [
        "2026-11-21T07:00:00.123Z | WARNING | log | log_reopen",
        #"{"event":"log_reopen","area":"log","level":"WARNING","time":"2026-11-21T07:00:00.123Z"}"#,
        "time=2026-11-21T07:00:00.123Z level=WARNING area=log event=log_reopen",
    ])
    func `an event without fields has an entry without fields`(line: String) {
        let entry = parts(line)
        #expect(entry?.fields == [])
        #expect(entry?.event == "log_reopen")
        #expect(entry?.level == .warning)
    }

    @Test(arguments: [
        (#"a="\"\\""#, "\"\\"), (#"a="\x00\x1b[2J""#, "\0\u{1B}[2J"),
        (#"a="\u{202e}\u{10ffff}""#, "\u{202E}\u{10FFFF}"), (#"a="\xc3\xa4""#, "ä"),
        (#"a="\xff""#, "\u{FFFD}"), (#"a="""#, ""), ("a=", ""), (#"a="x=1 | y""#, "x=1 | y"),
        ("a=b=c", "b=c"), ("a=ä", "ä"),
    ])
    func `escapes in a value are resolved`(field: String, value: String) {
        let start = "2026-11-21T07:00:00.123Z | INFO | app | e "
        #expect(parts(start + field)?.fields == [["a", value]])
        #expect(parts(start + field + " b=2")?.fields == [["a", value], ["b", "2"]])
    }

    @Test(arguments: [
        (#""\u001b[2J\ud83d\ude00\/""#, "\u{1B}[2J😀/"), ("-12", "-12"), ("1.5", "1.5"),
        ("true", "true"), ("9223372036854775807", "9223372036854775807"),
    ])
    func `strings, numbers and Booleans of JSON are values`(value: String, expected: String) {
        let line = #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"e","#
        #expect(
            parts(line + #""a":\#(value),"b":[{"c":[]}],"d":null}"#)?.fields == [["a", expected]])
    }

    @Test func `a JSON number out of range is skipped`() {
        let line = #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"e","#
        #expect(parts(line + #""a":1e999,"\u0062":2}"#)?.fields == [["b", "2"]])
    }

    @Test func `the first of two fields with one name is returned`() {
        let line = Array("2026-11-21T07:00:00Z | INFO | app | e a=1 a=2".utf8)
        guard let entry = LogEntry(line.span) else {
            Issue.record("unreadable")
            return
        }
        let values = (entry["a"], entry["b"])
        #expect(values == ("1", nil))
    }

    @Test(arguments: LogFormat.allCases)
    func `a line that the log has shortened is still an entry`(format: LogFormat) throws {
        for value in ["x", "\u{1B}", "ä", "\u{202E}", "\""] {
            let event = Long(value: String(repeating: value, count: 5000))
            let line = LogLine.formatted(event, at: Timestamp(seconds: 0), format)
            let fields = try #require(parts(Array(line.dropLast()))).fields
            #expect(fields.map(\.[0]) == ["a", "b", "cut"])
            #expect(fields[0][1].count > 400 && event.value.hasPrefix(fields[0][1]))
            #expect(fields[2][1] == "true")
        }
    }

    @Test(arguments: [
        "", " ", "\n", "2026-11-21T07:00:00.123Z", "2026-11-21T07:00:00.123Z | INFO | app | ",
        "2026-11-21T07:00:00.123Z | INFO | app", "2026-11-21T07:00:00.123Z | LOUD | app | e",
        "2026-11-21T07:00:00.123Z | INFO | roof | e", "2026-11-21T07:00:00.123Z|INFO|app|e",
        "2026-13-21T07:00:00.123Z | INFO | app | e", "2026-11-21 | INFO | app | e",
        "2026-11-21T07:00:00.123Z | INFO | app | e a",
        #"2026-11-21T07:00:00Z | INFO | app | e a="b"#,
        #"2026-11-21T07:00:00Z | INFO | app | e a="b"c"#,
        "2026-11-21T07:00:00Z | INFO | app | e  a=1",
        #"2026-11-21T07:00:00Z | INFO | app | e a="\n""#,
        "2026-11-21T07:00:00Z | INFO | app | e a=1 ",
        #"2026-11-21T07:00:00Z | INFO | app | e a="\u{d800}""#,
        "2026-11-21T07:00:00Z | INFO | app | e a=\u{1B}[2J",
        "2026-11-21T07:00:00Z | INFO | app | e =1",
        "2026-11-21T07:00:00Z | INFO | app | e a=1\r", "{}", "{", #"{"time":1}"#,
        #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"e"}}"#,
        #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"e","event":"f"}"#,
        #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"a b"}"#,
        #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":""}"#,
        "time=2026-11-21T07:00:00Z level=INFO area=app", "time=", "t", "time=1 level=INFO",
        "level=INFO time=2026-11-21T07:00:00Z area=app event=e", " [cut]", "{ [cut]",
    ])
    func `a line that the log does not write is not an entry`(line: String) {
        #expect(parts(line) == nil)
    }

    @Test(arguments: UInt64(0)..<12)
    func `randomly changed lines never trap and always parse to the same result`(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let seeds = [
            textLine, jsonLine, logfmtLine,
            #"2026-11-21T07:00:00Z | INFO | app | e a="\u{202e}\x1b\\" [cut]"#,
        ].map { Array($0.utf8) }
        let pieces = [
            "\"", "\\", "\\u{", "\\x", " ", "=", "|", " [cut]", "{", "}", ",", "\u{1B}", "ä", "Z",
        ]
        for _ in 0..<4000 {
            var line = seeds.randomElement(using: &dice)!
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let index = Int.random(in: 0...line.count, using: &dice)
                switch Int.random(in: 0..<5, using: &dice) {
                case 0 where index < line.count: line[index] = .random(in: 0...255, using: &dice)
                case 1 where index < line.count: line.remove(at: index)
                case 2: line.insert(contentsOf: pieces.randomElement(using: &dice)!.utf8, at: index)
                case 3: line.removeSubrange(index...)
                default:
                    let other = seeds.randomElement(using: &dice)!
                    line += other[Int.random(in: 0..<other.count, using: &dice)...]
                }
            }
            // A line that is accepted can be read twice, with the same result.
            #expect(parts(line) == parts(line))
        }
    }
}

struct TimestampReadingTests {
    private static let now = Timestamp(milliseconds: 1_795_244_400_123)

    @Test(arguments: UInt64(0)..<4)
    func `a time that was written in a log line is read back unchanged`(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            // The years 0000 to 9999.
            let time = Timestamp(
                milliseconds: .random(in: -62_167_219_200_000..<253_402_300_800_000, using: &dice))
            let text = time.rfc3339
            let line = text.indices.map { text[$0] } + Array(" | INFO | app | e".utf8)
            #expect(LogEntry(line.span)?.time == time)
        }
    }

    @Test(arguments: [
        ("30m", 1_795_242_600_123), ("250ms", 1_795_244_399_873), ("0s", 1_795_244_400_123),
        ("7d", 1_794_639_600_123), ("12h", 1_795_201_200_123),
        ("2026-11-21", 1_795_219_200_000),
        ("2026-11-21T08:00:00.5+01:00", 1_795_244_400_500),
        ("2026-11-21t07:00:00z", 1_795_244_400_000), ("2024-02-29", 1_709_164_800_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000), ("0000-01-01", -62_167_219_200_000),
    ])
    func `a time can be given as a duration before now, a time or a date`(
        text: String, milliseconds: Int64
    ) {
        #expect(Timestamp(since: text, now: Self.now)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "7", "d", "7 d", "-7d", "+7d", "7w", "7D", "1234567890d", "٣d", "2026-02-29",
        "1900-02-29", "2026-00-10", "2026-11-31", "26-11-21", "2026-11-21T07:00:00",
        "2026-11-21T24:00:00Z", "2026-11-21T07:60:00Z", "2026-11-21T07:00:61Z",
        "2026-11-21T07:00:00.Z", "2026-11-21T07:00:00+1:00", "2026-11-21T07:00:00Zz",
        "2026-11-21T07:00:00*01:00", "2026-11-21T07:00:00.999999999999999999999999",
    ])
    func `text that is not a time is refused`(text: String) {
        #expect(Timestamp(since: text, now: Self.now) == nil)
    }
}

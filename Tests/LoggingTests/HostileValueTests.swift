import TestSupport
import Testing
import Time

@testable import Logging

/// An event with untrusted values in every kind of field, and a constant at its end.
private struct Hostile: LogEvent {
    var bytes: [UInt8]
    var text: String
    var number: Int64 = 0
    var flag = false
    var more: [UInt8]?
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "hostile" }

    func write(to line: inout LogLine) {
        line.field("n", number)
        line.field("bytes", bytes.span)
        line.field("flag", flag)
        line.field("text", text)
        if let more { line.field("more", more.span) }
        line.field("last", "word" as StaticString)
    }

    /// What is wrong with the event's line; nil if it is correct.
    func fault(in line: [UInt8], _ format: LogFormat) -> String? {
        guard line.count <= Logger.maximumLine, line.last == UInt8(ascii: "\n") else {
            return "not a line, or too long"
        }
        let body = line.dropLast()
        guard body.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let visible = String(validating: body, as: UTF8.self),
            visible.unicodeScalars.allSatisfy(isVisible)
        else { return "a terminal does not show it as it is" }
        guard let parsed = ParsedLine(body, format) else { return "cannot be parsed" }
        guard let isCut = parsed.isCut else { return "malformed cut" }
        for (name, value) in [("bytes", bytes), ("text", Array(text.utf8))] {
            guard let found = parsed.text(name) else { return "no \(name)" }
            let expected =
                format == .json ? Array(String(decoding: value, as: UTF8.self).utf8) : value
            // Escapes make a value at most six times as long.
            let isComplete = found == expected
            guard isComplete || isCut && value.count > 600 && expected.starts(with: found) else {
                return "wrong value in \(name)"
            }
        }
        let isJSON = format == .json
        let others: [String: ParsedLine.Value] = [
            "time": .text(Array("2026-11-21T07:00:00.123Z".utf8)),
            "level": .text(Array("INFO".utf8)), "area": .text(Array("app".utf8)),
            "event": .text(Array("hostile".utf8)),
            "n": isJSON ? .number(number) : .text(Array("\(number)".utf8)),
            "flag": isJSON ? .bool(flag) : .text(Array("\(flag)".utf8)),
            "last": .text(Array("word".utf8)),
        ]
        let hidden = parsed.fields.filter { !["bytes", "text", "cut"].contains($0.key) }
        return hidden == others ? nil : "wrong fields"
    }

    private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x7F: true
        case 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
        default: true
        }
    }
}

struct HostileValueTests {
    private static let pieces: [[UInt8]] = [
        "\n", "\r\n", "\t", "\0", "\u{1B}[31m", "\"", "\\", "\\x41", "\\u{2028}", "\\u0041", "=",
        "|", " ", " cut=true", "\",\"cut\":true}", someStamp + "INFO | app | note", "\u{7F}",
        "\u{85}", "\u{9B}", "\u{2028}", "\u{2029}", "\u{202E}", "\u{2066}", "\u{FEFF}", "\u{FFFD}",
        "\u{FFFF}", "a", "e\u{301}", "\u{10FFFF}", "👩‍🚀",
    ].map { Array($0.utf8) }

    /// Bytes that begin a UTF-8 sequence, or cannot begin one, to be followed by any others.
    private static let leads: [UInt8] = [
        0x80, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
    ]

    private static func piece(_ generator: inout SeededGenerator) -> [UInt8] {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0, 1: return pieces.randomElement(using: &generator)!
        case 2: return [UInt8.random(in: 0...255, using: &generator)]
        case 3: return [UInt8.random(in: 0x20...0x7E, using: &generator)]
        case 4:
            let scalar = Unicode.Scalar(UInt32.random(in: 0...0x3000, using: &generator))!
            return Array(String(scalar).utf8)
        default:
            let count = Int.random(in: 0...3, using: &generator)
            return [leads.randomElement(using: &generator)!]
                + (0..<count).map { _ in UInt8.random(in: 0x7F...0xC0, using: &generator) }
        }
    }

    private static func value(_ generator: inout SeededGenerator) -> [UInt8] {
        // One in five hundred is long enough to be cut, at any place.
        if Int.random(in: 0..<500, using: &generator) == 0 {
            let repeated = piece(&generator) + piece(&generator)
            let count = Int.random(in: 600...5000, using: &generator) / repeated.count
            return piece(&generator) + Array(repeatElement(repeated, count: count).joined())
        }
        return (0..<Int.random(in: 0...7, using: &generator)).flatMap { _ in piece(&generator) }
    }

    @Test(arguments: 0..<10)
    func `a hostile value stays on one line, is visible and can be parsed back`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let event = Hostile(
                bytes: Self.value(&generator),
                text: String(decoding: Self.value(&generator), as: UTF8.self),
                number: Int64(truncatingIfNeeded: generator.next()),
                flag: Bool.random(using: &generator))
            for format in LogFormat.allCases {
                let line = LogLine.formatted(event, at: someTime, format)
                if let fault = event.fault(in: line, format) {
                    Issue.record("\(fault): \(event) \(String(decoding: line, as: UTF8.self))")
                }
            }
        }
    }

    @Test func `a field that does not fit is left out, and later fields that fit are written`() {
        let long = Array(String(repeating: "\nA", count: 4000).utf8)
        var event = Hostile(bytes: long, text: String(decoding: long, as: UTF8.self))
        event.more = long
        for format in LogFormat.allCases {
            let line = LogLine.formatted(event, at: someTime, format)
            #expect(event.fault(in: line, format) == nil)
            #expect(ParsedLine(line.dropLast(), format)?.isCut == true)
        }
    }

    // Covers both passes of a line, and every size of its memory.
    @Test(arguments: LogFormat.allCases)
    func `a line is well-formed for every size of its memory`(format: LogFormat) throws {
        let event = Hostile(
            bytes: Array("a\"\\\n\u{2028}\u{FF}é用👩".utf8) + [0xFF, 0xE2, 0x82],
            text: String(repeating: "b c", count: 50), number: .min, flag: true)
        var wasComplete = false
        for size in 128...512 {
            var memory = [UInt8](repeating: 0, count: size)
            var line = LogLine(memory.mutableSpan, format)
            line.write(event)
            let (count, lacksRoom) = (line.count, line.isTooLong)
            var bytes: [UInt8] = []
            var stamp = TimestampPrefix(format)
            stamp.set(someTime)
            stamp.append(memory.span.extracting(0..<count), to: &bytes)
            let parsed = try #require(ParsedLine(bytes.dropLast(), format))
            #expect(parsed.isCut == lacksRoom)
            #expect(parsed.text("event") == Array("hostile".utf8))
            if !lacksRoom { #expect(event.fault(in: bytes, format) == nil) }
            // A larger size is never worse.
            #expect(!lacksRoom || !wasComplete)
            wasComplete = !lacksRoom
        }
        #expect(wasComplete)
    }
}

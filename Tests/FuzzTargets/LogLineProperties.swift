import Audit
import JSON
import Logging
import Time

/// The bytes are the fields of an event, one after another: `i` and eight bytes are a number, `t`
/// and `f` a Boolean, `w` a constant of the program. `s`, a repeat count (a byte), a length (a
/// byte) and the text are a text.
enum LogLineProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let event = Event(bytes)
        for format in LogFormat.allCases {
            let fullLine = LogLine.formatted(event, at: moment, format)
            try checkForm(fullLine)
            let line = Array(fullLine.dropLast())
            try require(SealLine(line.span) == nil, "an event parses as a seal: \(line.shown)")
            try checkFields(line, event, format)
        }
    }

    private static let moment = Timestamp(milliseconds: 1_795_244_400_123)

    private enum Value: Equatable, Sendable {
        case number(Int64)
        case flag(Bool)
        case word
        case text([UInt8])
    }

    private struct Event: LogEvent {
        let values: [Value]
        var level: Level { .warning }
        var area: Area { .security }
        var name: StaticString { "authn_login_fail" }

        /// None of them is a name that every line has: time, level, area, event, cut.
        static let names: [StaticString] = [
            "user", "reason", "ip", "rid", "mac", "until", "path", "agent", "scope", "sequence",
            "q",
            "fingerprint",
        ]

        static func name(_ index: Int) -> StaticString { names[index % names.count] }

        init(_ bytes: [UInt8]) {
            var rest = bytes[...]
            var values: [Value] = []
            // A name must not occur twice in an object.
            while let kind = rest.popFirst(), values.count < Self.names.count {
                switch kind {
                case UInt8(ascii: "i"):
                    let word = rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
                    rest = rest.dropFirst(8)
                    values.append(.number(Int64(bitPattern: word)))
                case UInt8(ascii: "t"): values.append(.flag(true))
                case UInt8(ascii: "f"): values.append(.flag(false))
                case UInt8(ascii: "w"): values.append(.word)
                default:
                    let times = Int(rest.popFirst() ?? 1)
                    let count = Int(rest.popFirst() ?? 0)
                    let text = Array(rest.prefix(count))
                    rest = rest.dropFirst(count)
                    values.append(.text(Array(repeatElement(text, count: times).joined())))
                }
            }
            self.values = values
        }

        func write(to line: inout LogLine) {
            for (index, value) in values.enumerated() {
                let name = Self.name(index)
                switch value {
                case .number(let number): line.field(name, number)
                case .flag(let flag): line.field(name, flag)
                case .word: line.field(name, "bad_signature" as StaticString)
                case .text(let text): line.field(name, text.span)
                }
            }
        }
    }

    // MARK: Properties

    /// The event is one line, not too long, of visible characters.
    private static func checkForm(_ line: [UInt8]) throws(PropertyFailure) {
        try require(line.last == 0x0A, "the line end is missing")
        try require(line.count <= Logger.maximumLine, "the line has \(line.count) bytes")
        guard let text = String(validating: line.dropLast(), as: UTF8.self) else {
            throw PropertyFailure("not UTF-8: \(line.shown)")
        }
        for scalar in text.unicodeScalars {
            let isVisible =
                switch scalar.value {
                case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: false
                // Unicode's Bidi_Control.
                case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: false
                default: true
                }
            try require(isVisible, "U+\(String(scalar.value, radix: 16)) in a line")
        }
    }

    /// The fields are read as they were written, and a shortened line says that it is.
    private static func checkFields(
        _ line: [UInt8], _ event: Event, _ format: LogFormat
    ) throws(PropertyFailure) {
        guard let fields = fields(of: line, format) else {
            throw PropertyFailure("the line is not parsed: \(line.shown)")
        }
        if format == .json {
            guard case .object? = try? JSONValue(parsing: line.span) else {
                throw PropertyFailure("not JSON: \(line.shown)")
            }
        }
        let all = event.values.enumerated().map { index, value in
            (name: "\(Event.name(index))", value: bytes(of: value, format))
        }
        if fields.count == all.count,
            zip(fields, all).allSatisfy({ $0.name == $1.name && $0.value == $1.value })
        {
            return
        }
        try require(
            fields.last.map { $0.name == "cut" && $0.value == Array("true".utf8) } ?? false,
            "fields are missing without a mark: \(line.shown)")
        // The remaining fields are in order, and each is a prefix of the original.
        var rest = all[...]
        for field in fields.dropLast() {
            rest = rest.drop { $0.name != field.name }
            guard let original = rest.popFirst() else { throw PropertyFailure("an unknown field") }
            try require(
                original.value.starts(with: field.value), "another value: \(field.value.shown)")
        }
    }

    private static func fields(
        of line: [UInt8], _ format: LogFormat
    ) -> [(name: String, value: [UInt8])]? {
        guard let entry = LogEntry(line.span) else { return nil }
        guard entry.time == moment, entry.level == .warning, entry.area == .security,
            entry.format == format,
            Array(copying: entry.event) == Array("authn_login_fail".utf8)
        else { return nil }
        var fields: [(name: String, value: [UInt8])] = []
        entry.forEachField { name, value in
            fields.append(
                (String(decoding: Array(copying: name), as: UTF8.self), Array(copying: value)))
        }
        return fields
    }

    private static func bytes(of value: Value, _ format: LogFormat) -> [UInt8] {
        switch value {
        case .number(let number): Array("\(number)".utf8)
        case .flag(let flag): Array("\(flag)".utf8)
        case .word: Array("bad_signature".utf8)
        case .text(let text):
            // JSON replaces bytes that are not UTF-8.
            format == .json ? Array(String(decoding: text, as: UTF8.self).utf8) : text
        }
    }
}

import Audit
import Logging
import POSIX
import Time

/// Reads the bytes as a log file.
enum LogEntryProperties {
    static func check(_ bytes: [UInt8]) throws {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
        for line in lines { try checkLine(line) }
        try checkLines(bytes, lines)
    }

    private static func checkLine(_ line: [UInt8]) throws(PropertyFailure) {
        if let seal = SealLine(line.span) { try checkSeal(seal, line) }
        guard let entry = LogEntry(line.span) else { return }
        let event = Array(copying: entry.event)
        try require(
            !event.isEmpty && event.allSatisfy { $0 > 0x20 && $0 < 0x7F },
            "the event's name has other characters")
        var fields: [(name: [UInt8], value: [UInt8])] = []
        entry.forEachField { fields.append((Array(copying: $0), Array(copying: $1))) }
        if entry.format != .json {
            let words = entry.format == .text ? 7 : 4
            try require(
                referenceFields(of: line, after: words).elementsEqual(fields, by: ==),
                "the reference parser finds other fields")
        }
        for field in fields {
            guard let name = String(validating: field.name, as: UTF8.self) else { continue }
            guard let found = entry[name] else { throw PropertyFailure("a field is not found") }
            // The first field of this name.
            let first = fields.first { $0.name == field.name }?.value ?? []
            try require(
                Array(found.utf8) == Array(String(decoding: first, as: UTF8.self).utf8),
                "a field has another value if found by name")
        }
        if let value = fields.first?.value { try checkRewritten(entry.time, value) }
    }

    /// The reference parser, byte by byte, for accepted lines other than JSON.
    /// - Parameter words: the number of words before the fields.
    private static func referenceFields(
        of line: [UInt8], after words: Int
    ) -> [(name: [UInt8], value: [UInt8])] {
        var rest = line[...]
        func take(upTo end: UInt8) -> [UInt8] {
            let taken = Array(rest.prefix { $0 != end })
            rest = rest.dropFirst(taken.count + 1)
            return taken
        }
        for _ in 0..<words { _ = take(upTo: UInt8(ascii: " ")) }
        var fields: [(name: [UInt8], value: [UInt8])] = []
        while !rest.isEmpty {
            let name = take(upTo: UInt8(ascii: "="))
            guard rest.first == UInt8(ascii: "\"") else {
                fields.append((name, take(upTo: UInt8(ascii: " "))))
                continue
            }
            rest = rest.dropFirst()
            var value: [UInt8] = []
            while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
                guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
                    value.append(byte)
                    continue
                }
                switch kind {
                case UInt8(ascii: "x"):
                    value.append(UInt8(truncatingIfNeeded: number(Array(rest.prefix(2)))))
                    rest = rest.dropFirst(2)
                case UInt8(ascii: "u"):
                    rest = rest.dropFirst()
                    let scalar = Unicode.Scalar(number(take(upTo: UInt8(ascii: "}"))))
                    value += scalar.map { Array(String($0).utf8) } ?? []
                default: value.append(kind)
                }
            }
            rest = rest.dropFirst()
            fields.append((name, value))
        }
        return fields
    }

    private static func number(_ digits: [UInt8]) -> UInt32 {
        UInt32(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0
    }

    /// A field that the log writes again is read as the same.
    private static func checkRewritten(
        _ time: Timestamp, _ value: [UInt8]
    ) throws(PropertyFailure) {
        // Years have four digits in the log.
        guard (0..<253_402_300_800_000) ~= time.milliseconds else { return }
        for format in LogFormat.allCases {
            let line = LogLine.formatted(OneField(value: value), at: time, format)
            let copy = Array(line.dropLast())
            guard let entry = LogEntry(copy.span) else {
                throw PropertyFailure("written again, it is not parsed: \(copy.shown)")
            }
            try require(entry.time == time, "written again, it has another time")
            var again: [UInt8]?
            entry.forEachField { name, value in if again == nil { again = Array(copying: value) } }
            let text = String(decoding: value, as: UTF8.self)
            let isCut = entry["cut"] != nil
            try require(
                isCut || again == (format == .json ? Array(text.utf8) : value),
                "written again, a value differs: \(copy.shown)")
        }
    }

    private struct OneField: LogEvent {
        let value: [UInt8]
        var level: Level { .info }
        var area: Area { .http }
        var name: StaticString { "http_refused" }
        func write(to line: inout LogLine) { line.field("value", value.span) }
    }

    /// A seal has one form: its parsed parts, put together again, are the line.
    private static func checkSeal(_ seal: SealLine, _ line: [UInt8]) throws(PropertyFailure) {
        let time = String(decoding: seal.time.indices.map { seal.time[$0] }, as: UTF8.self)
        let digits = String(seal.sum, radix: 16)
        let sum = String(repeating: "0", count: 16 - digits.count) + digits
        let head =
            switch seal.format {
            case .text: "\(time) | INFO | log | log_seal"
            case .json: #"{"time":"\#(time)","level":"INFO","area":"log","event":"log_seal""#
            case .logfmt: "time=\(time) level=INFO area=log event=log_seal"
            }
        let isJSON = seal.format == .json
        func field(_ name: String, _ value: String, isText: Bool = true) -> String {
            let quoted = isText && isJSON ? "\"\(value)\"" : value
            return isJSON ? ",\"\(name)\":\(quoted)" : " \(name)=\(quoted)"
        }
        let text =
            head + field("sequence", "\(seal.sequence)", isText: false)
            + field("n", "\(seal.lineCount)", isText: false) + field("sum", sum)
            + field("reason", seal.reason.rawValue) + field("key", seal.keyID)
            + field("previous", seal.previous.text) + field("mac", seal.code.text)
            + (isJSON ? "}" : "")
        // The time is copied as it is, whatever its bytes are.
        try require(
            Array(text.utf8) == line || String(validating: line, as: UTF8.self) == nil,
            "the seal is not canonical: \(line.shown)")
        let again = SealHead(seal.head.text)
        try require(again == seal.head, "the head is parsed differently")
    }

    /// The lines do not depend on the buffer's size, and their pieces contain all bytes.
    private static func checkLines(_ bytes: [UInt8], _ lines: [[UInt8]]) throws {
        for size in [1, 2, 7, 64, 4096] {
            var reader = LineReader(MemoryBytes(bytes), bufferSize: size)
            var pieces: [UInt8] = []
            var found: [[UInt8]] = []
            while let line = try reader.next() {
                try require(line.offset == pieces.count, "a line has another offset")
                pieces += Array(copying: line.raw)
                if line.isBeginning {
                    found.append(Array(copying: line.bytes))
                } else {
                    found[found.count - 1] += Array(copying: line.bytes)
                }
                try require(line.number == found.count, "a line has another number")
            }
            try require(pieces == bytes, "bytes are missing")
            // There is no line after the last line end if no bytes follow it.
            let expected = lines.last == [] ? Array(lines.dropLast()) : lines
            try require(found == expected, "a buffer of \(size) bytes yields other lines")
        }
    }
}

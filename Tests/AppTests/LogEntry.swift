import TestSupport

/// A parsed line of the log: `time | LEVEL | area | event name=value name="value" …`.
struct LogEntry {
    let time: String
    let level: String
    let area: String
    let event: String
    /// Values without their quotation marks.
    let fields: [String: String]

    /// Nil if the text is not a complete line of the log.
    init?(_ line: some StringProtocol) {
        let bytes = Array(line.utf8)
        // 2026-11-21T07:00:00.123Z and three separators.
        guard bytes.count > 30, bytes[23] == UInt8(ascii: "Z") else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "|"), maxSplits: 3)
        guard parts.count == 4, parts[3].first == UInt8(ascii: " ") else { return nil }
        var rest = parts[3].dropFirst()
        func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        func take(upTo end: UInt8) -> String {
            let taken = rest.prefix { $0 != end }
            rest = rest.dropFirst(taken.count + 1)
            return text(taken)
        }
        time = text(parts[0].dropLast())
        level = text(parts[1].dropFirst().dropLast())
        area = text(parts[2].dropFirst().dropLast())
        event = take(upTo: UInt8(ascii: " "))
        var fields: [String: String] = [:]
        while !rest.isEmpty {
            guard rest.contains(UInt8(ascii: "=")) else { return nil }
            let name = take(upTo: UInt8(ascii: "="))
            if rest.first == UInt8(ascii: "\"") {
                rest = rest.dropFirst()
                guard let value = Self.quoted(&rest) else { return nil }
                fields[name] = text(value[...])
                rest = rest.dropFirst()
            } else {
                fields[name] = take(upTo: UInt8(ascii: " "))
            }
        }
        self.fields = fields
    }

    /// Removes a quoted value and its closing quotation mark from the beginning of `rest`, and
    /// resolves escaped quotation marks and backslashes. Nil if there is no closing quotation mark.
    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return value
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                // Other escape sequences stay as they are.
                if next != UInt8(ascii: "\""), next != byte { value.append(byte) }
                value.append(next)
            default: value.append(byte)
            }
        }
        return nil
    }

    subscript(field: String) -> String? { fields[field] }

    /// The lines of a log without its seals; nil for each that cannot be parsed.
    static func all(in text: String) -> [LogEntry?] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last == "" { lines.removeLast() }
        return lines.map { LogEntry($0) }.filter { $0?.event != "log_seal" }
    }
}

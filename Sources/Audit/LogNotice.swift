import Logging

/// What a line of the log says about the log itself, as far as a verifier wants to know.
enum LogNotice: Sendable, Equatable {
    /// `log_seal`, or a line that begins like one.
    case seal
    /// `log_open`
    case opened
    /// `log_reopen`
    case reopened
    /// `log_rotate`: the name of the full file before this one.
    case rotated(String)
    /// `log_recovered reason=torn_line`
    case mendedTornLine
    /// `log_recovered` for another reason
    case recovered
    /// `log_retention`: everything up to this seal has been removed.
    case removed(through: UInt64)

    /// Nil for the lines about anything else. Most are, and a few bytes at a fixed place tell.
    /// - Parameter line: without its end; a beginning is enough for all but the values.
    init?(_ line: Span<UInt8>) {
        guard line.count > Self.shortest else { return nil }
        let format: LogFormat
        let name: Int
        switch line[0] {
        case UInt8(ascii: "{"):
            let head: StaticString = "\",\"level\":\"INFO\",\"area\":\"log\",\"event\":\"log_"
            guard line.has(head, at: 33) else { return nil }
            (format, name) = (.json, 33 + head.utf8CodeUnitCount)
        case UInt8(ascii: "t"):
            let head: StaticString = " level=INFO area=log event=log_"
            guard line.has(head, at: 29) else { return nil }
            (format, name) = (.logfmt, 29 + head.utf8CodeUnitCount)
        default:
            let head: StaticString = " | INFO | log | log_"
            guard line.has(head, at: 24) else { return nil }
            (format, name) = (.text, 24 + head.utf8CodeUnitCount)
        }
        func isNamed(_ event: StaticString) -> Bool {
            let end = name + event.utf8CodeUnitCount
            guard line.has(event, at: name) else { return false }
            return end == line.count || line[end] == UInt8(ascii: format == .json ? "\"" : " ")
        }
        func value(_ field: String) -> String? {
            Self.value(of: field, in: line, from: name, format)
        }
        if isNamed("seal") {
            self = .seal
        } else if isNamed("open") {
            self = .opened
        } else if isNamed("reopen") {
            self = .reopened
        } else if isNamed("rotate") {
            self = .rotated(value("file") ?? "")
        } else if isNamed("recovered") {
            self = value("reason") == "torn_line" ? .mendedTornLine : .recovered
        } else if isNamed("retention"), let sequence = value("sequence").flatMap({ UInt64($0) }) {
            self = .removed(through: sequence)
        } else {
            return nil
        }
    }

    /// `2026-11-21T07:00:00.123Z | INFO | log | log_open`
    private static let shortest = 47

    /// The last field of this name: a name of a file stands before the fields that matter. Only for
    /// values that need no escapes, which these are.
    private static func value(
        of field: String, in line: Span<UInt8>, from start: Int, _ format: LogFormat
    ) -> String? {
        // Events about the log are short; what is longer was not written by this program.
        let words = line.extracting(start..<min(line.count, start + 1024)).text
        let mark = format == .json ? ",\"\(field)\":" : " \(field)="
        guard let place = words.ranges(of: mark).last else { return nil }
        let rest = words[place.upperBound...]
        if format == .json {
            return rest.hasPrefix("\"")
                ? String(rest.dropFirst().prefix { $0 != "\"" })
                : String(rest.prefix { $0 != "," && $0 != "}" })
        }
        return String(rest.prefix { $0 != " " })
    }
}

extension Span where Element == UInt8 {
    func has(_ text: StaticString, at start: Int) -> Bool {
        // Sound: a literal's bytes live as long as the program, and are as many as it says.
        let bytes = unsafe UnsafeBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard start >= 0, count - start >= bytes.count else { return false }
        for index in bytes.indices {
            guard unsafe bytes[index] == self[start + index] else { return false }
        }
        return true
    }

    var text: String {
        // Sound: the pointer does not leave the closure.
        unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

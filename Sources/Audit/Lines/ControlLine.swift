import Logging

/// A line in which the log describes itself, as far as the verifier needs it.
enum ControlLine: Sendable, Equatable {
    /// `log_seal`, or a line that begins like one.
    case seal
    /// `log_open`
    case opened
    /// `log_reopen`
    case reopened
    /// `log_rotate`: the name of the full file before this one.
    case rotated(String)
    /// `log_recovered reason=torn_line`
    case repairedPartialLine
    /// `log_recovered` for another reason
    case recovered
    /// `log_retention`: everything up to and including this sequence number was removed.
    case removed(through: UInt64)
    /// `log_foreign`: bytes that no server wrote, and the file that they were moved to.
    case foreign(file: String)

    /// A field that is present only if the line is about the file of the other log (`app.log` or
    /// `audit.log`).
    private static let otherLog = "log"

    /// Whether only the beginning of a file has such a line.
    var beginsFile: Bool {
        switch self {
        case .rotated, .reopened: true
        default: false
        }
    }

    /// Returns nil for a line about anything else. Most lines are, so a few bytes at a fixed offset
    /// decide.
    /// - Parameter line: the line without its line end. A prefix is enough, except for the values.
    init?(_ line: Span<UInt8>) {
        guard line.count > Self.shortest else { return nil }
        let place: Int
        let (info, warning, error): (StaticString, StaticString, StaticString)
        switch line[0] {
        case UInt8(ascii: "{"):
            place = 33
            info = "\",\"level\":\"INFO\",\"area\":\"log\",\"event\":\"log_"
            warning = "\",\"level\":\"WARNING\",\"area\":\"log\",\"event\":\"log_"
            error = "\",\"level\":\"ERROR\",\"area\":\"log\",\"event\":\"log_"
        case UInt8(ascii: "t"):
            place = 29
            info = " level=INFO area=log event=log_"
            warning = " level=WARNING area=log event=log_"
            error = " level=ERROR area=log event=log_"
        default:
            place = 24
            info = " | INFO | log | log_"
            warning = " | WARNING | log | log_"
            error = " | ERROR | log | log_"
        }
        let isInfo = line.has(info, at: place)
        let isError = !isInfo && line.has(error, at: place)
        guard isInfo || isError || line.has(warning, at: place) else { return nil }
        let name = place + (isInfo ? info : isError ? error : warning).utf8CodeUnitCount
        func isNamed(_ event: StaticString) -> Bool {
            let end = name + event.utf8CodeUnitCount
            guard line.has(event, at: name) else { return false }
            return end == line.count || line[end] == UInt8(ascii: line[0] == 0x7B ? "\"" : " ")
        }
        func value(_ field: String) -> String? { LogEntry(line)?[field] }
        if isError {
            guard isNamed("foreign"), value(Self.otherLog) == nil, let file = value("file") else {
                return nil
            }
            self = .foreign(file: file)
        } else if isNamed("reopen") {
            guard value(Self.otherLog) == nil else { return nil }
            self = .reopened
        } else if isNamed("retention"), let sequence = value("sequence").flatMap({ UInt64($0) }) {
            guard value(Self.otherLog) == nil else { return nil }
            self = .removed(through: sequence)
        } else if !isInfo {
            return nil
        } else if isNamed("seal") {
            self = .seal
        } else if isNamed("open") {
            self = .opened
        } else if isNamed("rotate") {
            self = .rotated(value("file") ?? "")
        } else if isNamed("recovered") {
            self = value("reason") == "torn_line" ? .repairedPartialLine : .recovered
        } else {
            return nil
        }
    }

    /// `2026-11-21T07:00:00.123Z | INFO | log | log_open`
    private static let shortest = 47

    // MARK: Torn lines

    /// Whether the line may be a torn copy of the first line of a run or of a file: the writer may
    /// die after any byte. A line that contains the complete event name is a `ControlLine`, and
    /// this returns false.
    static func isBeginningOfOpening(_ line: Span<UInt8>) -> Bool {
        openings.contains { opening in
            guard 0 < line.count, line.count < opening.utf8CodeUnitCount else { return false }
            return opening.withUTF8Buffer { opening in
                line.indices.allSatisfy { index in
                    // Sound: `index` is an index of the line, which is shorter than the literal.
                    let byte = unsafe opening[index]
                    return byte == UInt8(ascii: "0")
                        ? line[index] &- byte < 10 : line[index] == byte
                }
            }
        }
    }

    /// The digits of the time are replaced by 0.
    private static let openings: [StaticString] = [
        "0000-00-00T00:00:00.000Z | INFO | log | log_open",
        "0000-00-00T00:00:00.000Z | INFO | log | log_rotate",
        "time=0000-00-00T00:00:00.000Z level=INFO area=log event=log_open",
        "time=0000-00-00T00:00:00.000Z level=INFO area=log event=log_rotate",
        #"{"time":"0000-00-00T00:00:00.000Z","level":"INFO","area":"log","event":"log_open"#,
        #"{"time":"0000-00-00T00:00:00.000Z","level":"INFO","area":"log","event":"log_rotate"#,
    ]
}

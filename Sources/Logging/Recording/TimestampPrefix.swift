import POSIX
import Time

/// The time in front of each line, with what stands around it. A second's digits are computed once;
/// within the second only the last three change.
struct TimestampPrefix {
    /// Bytes; JSON's is the longest.
    static let maximumLength = 35

    private var bytes = InlineArray<35, UInt8>(repeating: 0)
    private let length: Int
    /// Where the time begins.
    private let start: Int
    private var second = Int64.min

    init(_ format: LogFormat) {
        let (before, behind): (StaticString, StaticString) =
            switch format {
            case .text: ("", " | ")
            case .json: ("{\"time\":\"", "\",")
            case .logfmt: ("time=", " ")
            }
        start = before.utf8CodeUnitCount
        length = start + 24 + behind.utf8CodeUnitCount
        put(before, at: 0)
        put(behind, at: start + 24)
    }

    /// `2026-11-21T07:00:00.123Z | `, `{"time":"2026-11-21T07:00:00.123Z",` or
    /// `time=2026-11-21T07:00:00.123Z `, once it is set.
    var text: Span<UInt8> {
        @_lifetime(borrow self)
        get { bytes.span.extracting(0..<length) }
    }

    mutating func set(_ moment: Timestamp) {
        let seconds = moment.seconds
        if seconds == second {
            let millisecond = moment.milliseconds - seconds * 1000
            bytes[start + 20] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond / 100)
            bytes[start + 21] =
                UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond / 10 % 10)
            bytes[start + 22] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond % 10)
        } else {
            let stamp = moment.rfc3339
            for index in stamp.indices { bytes[start + index] = stamp[index] }
            second = seconds
        }
    }

    /// Appends a whole line: the time, what `LogLine` has made, and the line end.
    func append(_ line: Span<UInt8>, to lines: inout [UInt8]) {
        lines.append(copying: text)
        lines.append(copying: line)
        lines.append(UInt8(ascii: "\n"))
    }

    private mutating func put(_ text: StaticString, at start: Int) {
        text.withUTF8Buffer { utf8 in
            // Sound: the indices are those of the literal; a place that `bytes` does not have
            // traps.
            for index in utf8.indices { bytes[start + index] = unsafe utf8[index] }
        }
    }
}

import POSIX
import Time

/// The time at the beginning of each line, with the characters around it. All digits are computed
/// once a second; within a second only the milliseconds change.
struct TimestampPrefix {
    /// Bytes; the prefix of JSON is the longest.
    static let maximumLength = 35

    private var bytes = InlineArray<35, UInt8>(repeating: 0)
    private let length: Int
    /// The offset of the time.
    private let start: Int
    private var second = Int64.min

    init(_ format: LogFormat) {
        let (before, after): (StaticString, StaticString) =
            switch format {
            case .text: ("", " | ")
            case .json: ("{\"time\":\"", "\",")
            case .logfmt: ("time=", " ")
            }
        start = before.utf8CodeUnitCount
        length = start + 24 + after.utf8CodeUnitCount
        put(before, at: 0)
        put(after, at: start + 24)
    }

    /// `2026-11-21T07:00:00.123Z | `, `{"time":"2026-11-21T07:00:00.123Z",` or
    /// `time=2026-11-21T07:00:00.123Z `, after `set` was called.
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

    /// Appends a complete line: the time, the text that `LogLine` has made, and the line end.
    func append(_ line: Span<UInt8>, to lines: inout [UInt8]) {
        lines.append(copying: text)
        lines.append(copying: line)
        lines.append(UInt8(ascii: "\n"))
    }

    private mutating func put(_ text: StaticString, at start: Int) {
        text.withUTF8Buffer { utf8 in
            // Sound: the indices are those of the literal; an index that `bytes` does not have
            // traps.
            for index in utf8.indices { bytes[start + index] = unsafe utf8[index] }
        }
    }
}

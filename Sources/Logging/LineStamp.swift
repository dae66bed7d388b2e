import Time

/// The time in front of each line. A second's digits are computed once; within the second only the
/// last three change.
struct LineStamp {
    /// `2026-11-21T07:00:00.123Z | `
    private(set) var text = InlineArray<27, UInt8>(repeating: UInt8(ascii: " "))
    private var second = Int64.min

    init() { text[25] = UInt8(ascii: "|") }

    mutating func set(_ moment: Timestamp) {
        let seconds = moment.seconds
        if seconds == second {
            let millisecond = moment.milliseconds - seconds * 1000
            text[20] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond / 100)
            text[21] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond / 10 % 10)
            text[22] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: millisecond % 10)
        } else {
            let stamp = moment.rfc3339
            for index in stamp.indices { text[index] = stamp[index] }
            second = seconds
        }
    }
}

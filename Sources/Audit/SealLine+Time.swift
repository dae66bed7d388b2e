import Logging
import Time

extension SealLine {
    /// As it stands there; under the seal's code, or worth nothing.
    var timeText: String { time.span.text }

    /// Nil if it is no time.
    var moment: Timestamp? {
        let text = time.span
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for index in range {
                guard text[index] &- 0x30 < 10 else { return nil }
                value = value * 10 + Int64(text[index] - 0x30)
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            let millisecond = number(20..<23), 1...12 ~= month
        else { return nil }
        // Days since 1 March of year 0, as `CivilTime` counts them.
        let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
        return Timestamp(milliseconds: seconds * 1000 + millisecond)
    }
}

import Time

/// Parsing of times: the format of the log, and those that an operator types.
extension Timestamp {
    /// RFC 3339 §5.6: `2026-11-21T07:00:00.123Z`, with any offset and any fraction, truncated to
    /// milliseconds. A leap second (:60) is the first second of the next minute.
    init?(rfc3339 text: Span<UInt8>) {
        guard text.count >= 20, let days = Self.days(text),
            text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"),
            text[16] == UInt8(ascii: ":"),
            let hour = Self.number(text, 11, 2), hour < 24,
            let minute = Self.number(text, 14, 2), minute < 60,
            let second = Self.number(text, 17, 2), second <= 60
        else { return nil }
        var index = 19
        var millisecond: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            var place: Int64 = 100
            while index < text.count, text[index] &- 0x30 < 10 {
                millisecond += Int64(text[index] &- 0x30) * place
                place /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard let offset = Self.offset(text, index) else { return nil }
        // The year has four digits, so this cannot overflow 64 bits.
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
        self.init(milliseconds: seconds * 1000 + millisecond)
    }

    /// The argument of `--since`: a duration before now (`250ms 10s 30m 12h 7d`), a time in RFC
    /// 3339 format, or a date, which means midnight UTC.
    package init?(since text: String, now: Timestamp) {
        let bytes = Array(text.utf8)
        if let time = Timestamp(rfc3339: bytes.span) {
            self = time
        } else if bytes.count == 10, let days = Self.days(bytes.span) {
            self.init(seconds: days * 86_400)
        } else if let span = Self.span(text) {
            self = now + TimeAmount(milliseconds: -span)
        } else {
            return nil
        }
    }

    /// RFC 3339 in UTC, with milliseconds.
    var text: String {
        let text = rfc3339
        return String(decoding: text.indices.map { text[$0] }, as: UTF8.self)
    }

    /// A duration in milliseconds; nil if the text is not one.
    private static func span(_ text: String) -> Int64? {
        let units: KeyValuePairs<String, Int64> = [
            "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        let digits = text.utf8.prefix { $0 &- 0x30 < 10 }
        let unit = String(text.dropFirst(digits.count))
        // Nine digits of days cannot overflow 64 bits.
        guard 1...9 ~= digits.count, let factor = units.first(where: { $0.key == unit })?.value
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 &- 0x30) } * factor
    }

    /// Days from 1970-01-01 to the date that `text` begins with; the inverse of `CivilTime`.
    private static func days(_ text: Span<UInt8>) -> Int64? {
        guard text.count >= 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            let year = number(text, 0, 4), let month = number(text, 5, 2), 1...12 ~= month,
            let day = number(text, 8, 2), 1...length(of: month, in: year) ~= day
        else { return nil }
        // The year that begins on 1 March, plus 400, so that no value is negative.
        let shifted = year + (month <= 2 ? 399 : 400)
        let era = shifted / 400
        let yearOfEra = shifted % 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468 - 146_097
    }

    private static func length(of month: Int64, in year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The offset in minutes east of UTC; nil unless the rest of the text from `index` is an
    /// offset.
    private static func offset(_ text: Span<UInt8>, _ index: Int) -> Int64? {
        if index + 1 == text.count { return text[index] | 0x20 == UInt8(ascii: "z") ? 0 : nil }
        guard index + 6 == text.count, text[index + 3] == UInt8(ascii: ":"),
            let hours = number(text, index + 1, 2), hours < 24,
            let minutes = number(text, index + 4, 2), minutes < 60
        else { return nil }
        switch text[index] {
        case UInt8(ascii: "+"): return hours * 60 + minutes
        case UInt8(ascii: "-"): return -(hours * 60 + minutes)
        default: return nil
        }
    }

    /// - Precondition: `text` has `count` bytes from `start`.
    @inline(__always)
    private static func number(_ text: Span<UInt8>, _ start: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for index in start..<(start + count) {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
        }
        return value
    }
}

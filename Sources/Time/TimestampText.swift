/// The two text forms of a moment, each of a fixed length.
///
/// Years 0 to 9999 have four digits. A moment outside them, which no real clock reaches, is written
/// with the last four digits of its year and without a sign.
extension Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-21T07:00:00.123Z`.
    package var rfc3339: InlineArray<24, UInt8> {
        let time = CivilTime(self)
        var text = InlineArray<24, UInt8>(repeating: 0)
        text.putDigits(time.year, 4, at: 0)
        text[4] = UInt8(ascii: "-")
        text.putDigits(time.month, 2, at: 5)
        text[7] = UInt8(ascii: "-")
        text.putDigits(time.day, 2, at: 8)
        text[10] = UInt8(ascii: "T")
        text.putDigits(time.hour, 2, at: 11)
        text[13] = UInt8(ascii: ":")
        text.putDigits(time.minute, 2, at: 14)
        text[16] = UInt8(ascii: ":")
        text.putDigits(time.second, 2, at: 17)
        text[19] = UInt8(ascii: ".")
        text.putDigits(time.millisecond, 3, at: 20)
        text[23] = UInt8(ascii: "Z")
        return text
    }

    /// IMF-fixdate (RFC 9110 §5.6.7), for the Date field: `Sun, 06 Nov 1994 08:49:37 GMT`.
    package var httpDate: InlineArray<29, UInt8> {
        let time = CivilTime(self)
        var text = InlineArray<29, UInt8>(repeating: UInt8(ascii: " "))
        text.put(Self.weekdays, time.weekday, at: 0)
        text[3] = UInt8(ascii: ",")
        text.putDigits(time.day, 2, at: 5)
        text.put(Self.months, time.month - 1, at: 8)
        text.putDigits(time.year, 4, at: 12)
        text.putDigits(time.hour, 2, at: 17)
        text[19] = UInt8(ascii: ":")
        text.putDigits(time.minute, 2, at: 20)
        text[22] = UInt8(ascii: ":")
        text.putDigits(time.second, 2, at: 23)
        text[26] = UInt8(ascii: "G")
        text[27] = UInt8(ascii: "M")
        text[28] = UInt8(ascii: "T")
        return text
    }

    private static let weekdays = Array("SunMonTueWedThuFriSat".utf8)
    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)
}

extension InlineArray where Element == UInt8 {
    /// Writes the last `width` decimal digits of `value`.
    @inline(__always)
    fileprivate mutating func putDigits(_ value: Int, _ width: Int, at index: Int) {
        var rest = value.magnitude
        for offset in stride(from: width - 1, through: 0, by: -1) {
            self[index + offset] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// Writes the three-letter name with this index of `names`.
    fileprivate mutating func put(_ names: [UInt8], _ number: Int, at index: Int) {
        for offset in 0..<3 { self[index + offset] = names[number * 3 + offset] }
    }
}

import Time

/// Formats times and durations for people.
enum HumanTime {
    /// `2026-11-21 07:00:00 UTC`; with milliseconds unless they are 0.
    static func utc(_ moment: Timestamp) -> String {
        guard years.contains(CivilTime(moment).year) else {
            return moment.milliseconds > 0 ? "after the year 9999" : "before the year 1"
        }
        let rfc3339 = moment.rfc3339
        let text = rfc3339.indices.map { rfc3339[$0] }
        let date = String(decoding: text[..<10], as: UTF8.self)
        let time = String(decoding: text[11..<19], as: UTF8.self)
        let fraction = String(decoding: text[19..<23], as: UTF8.self)
        return "\(date) \(time)\(fraction == ".000" ? "" : fraction) UTC"
    }

    /// `5 minutes ago`, `in 2 hours`, `now`.
    static func relative(_ moment: Timestamp, to now: Timestamp) -> String {
        let (difference, overflow) = moment.milliseconds.subtractingReportingOverflow(
            now.milliseconds)
        if overflow { return moment < now ? "far in the past" : "far in the future" }
        if difference == 0 { return "now" }
        let span = span(TimeAmount(milliseconds: difference))
        return difference < 0 ? "\(span) ago" : "in \(span)"
    }

    /// At most two units, the largest that applies first: `1 hour 5 minutes`.
    static func span(_ span: TimeAmount) -> String {
        let units: [(name: String, length: UInt64)] = [
            ("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000),
            ("millisecond", 1),
        ]
        let length = span.milliseconds.magnitude
        guard let first = units.firstIndex(where: { length >= $0.length }) else {
            return "0 seconds"
        }
        let count = length / units[first].length
        var text = counted(count, units[first].name)
        // From 7 of the larger unit on, the smaller one adds little. Milliseconds never matter.
        if count < 7, first < 3 {
            let rest = length % units[first].length / units[first + 1].length
            if rest > 0 { text += " " + counted(rest, units[first + 1].name) }
        }
        return text
    }

    private static func counted(_ count: UInt64, _ name: String) -> String {
        "\(count) \(name)\(count == 1 ? "" : "s")"
    }

    private static let years = 1...9999
}

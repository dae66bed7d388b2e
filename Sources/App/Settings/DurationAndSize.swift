import Time

/// Reads and writes durations and sizes: a whole number of at most 12 digits, directly followed by
/// a unit.
enum DurationAndSize {
    /// Reads `10s 30m 12h 7d`, and `250ms`; nil for any other text.
    static func duration(_ text: String) -> TimeAmount? {
        let units: [(String, Int64)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        return number(text, units).map(TimeAmount.init)
    }

    /// Reads `512B 64KiB 10MiB 1GiB` as a number of bytes; nil for any other text.
    static func size(_ text: String) -> Int? {
        let units: [(String, Int64)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1),
        ]
        return number(text, units).map { Int($0) }
    }

    /// A duration in the largest unit that divides it.
    static func text(_ duration: TimeAmount) -> String {
        let units: [(String, Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ]
        for (unit, factor) in units
        where duration.milliseconds != 0 && duration.milliseconds % factor == 0 {
            return "\(duration.milliseconds / factor)\(unit)"
        }
        return duration.milliseconds == 0 ? "0s" : "\(duration.milliseconds)ms"
    }

    /// A size, given in bytes, in the largest unit that divides it.
    static func text(size: Int) -> String {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        for (unit, factor) in units where size != 0 && size % factor == 0 {
            return "\(size / factor)\(unit)"
        }
        return "\(size)B"
    }

    private static func number(_ text: String, _ units: [(name: String, factor: Int64)]) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count)
        guard digits.count <= 12, let count = Int64(digits),
            let factor = units.first(where: { $0.name == unit })?.factor
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}

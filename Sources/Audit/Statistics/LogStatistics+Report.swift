import JSON
import Logging
import Time

/// The statistics as tables for a terminal of 80 columns, and as one JSON object.
extension LogStatistics {
    /// Rows of a table before the row `others`.
    private static let rows = 10
    private static let columns = 80

    // MARK: Tables

    func text() -> String {
        var text = "lines       \(lines)\n"
        if unreadable > 0 { text += "unreadable  \(unreadable)\n" }
        if earlier > 0 { text += "earlier     \(earlier)\n" }
        text += "events      \(events)"
        text += suppressed > 0 ? ", \(suppressed) of them suppressed\n" : "\n"
        guard let first = times.first, let last = times.last, let bars = times.bars() else {
            return text
        }
        text += "first       \(first.text)\n"
        text += "last        \(last.text)\n"
        text += Self.chart(bars)
        text += Self.table("by level", levelCounts, total: events, others: 0)
        text += Self.table("by event", kinds, "events")
        text += Self.table("by reason", reasons, "reasons")
        text += Self.table("by user", users, "users")
        text += Self.table("by address", addresses, "addresses")
        return text
    }

    /// The levels that occur, the most severe first.
    private var levelCounts: [(value: [UInt8], count: Int64)] {
        Level.allCases.reversed().compactMap { level in
            let count = levels[Int(level.rawValue)]
            return count > 0 ? (Array("\(level.name)".utf8), count) : nil
        }
    }

    private static func chart(_ bars: TimeHistogram.Bars) -> String {
        let (unit, labelLength) = unitName(bars.width)
        var text = "\nby time, UTC, a line for \(unit)\n"
        let most = bars.counts.max() ?? 0
        let countWidth = String(most).count
        // Two spaces at the margin and between columns.
        let available = columns - labelLength - countWidth - 6
        for (index, count) in bars.counts.enumerated() {
            let start = bars.start + TimeAmount.seconds(bars.width * Int64(index))
            let label = start.text.prefix(labelLength).replacing("T", with: " ")
            // Any count above zero gets at least one mark.
            let length =
                count == 0 ? 0 : max(1, Int(Double(count) / Double(most) * Double(available)))
            text += "  \(label)  \(right(String(count), countWidth))"
            text += length > 0 ? "  \(String(repeating: "#", count: length))\n" : "\n"
        }
        return text
    }

    /// The name of a bar's width, and the length of the part of a time that distinguishes two bars.
    private static func unitName(_ seconds: Int64) -> (unit: String, labelLength: Int) {
        let (unit, length, labelLength): (String, Int64, Int) =
            switch seconds {
            case ..<60: ("second", 1, 19)
            case ..<3600: ("minute", 60, 16)
            case ..<86_400: ("hour", 3600, 16)
            default: ("day", 86_400, 10)
            }
        let count = seconds / length
        return (count == 1 ? "each \(unit)" : "\(count) \(unit)s", labelLength)
    }

    private static func table(
        _ title: String, _ counter: borrowing FrequencyCounter, _ noun: String
    )
        -> String
    {
        let top = counter.top(rows)
        let others = counter.total - top.reduce(0) { $0.addingSaturated($1.count) }
        var title = title
        if !counter.isExact {
            title +=
                ": too many different \(noun); a count may be too low by up to "
                + "\(counter.undercount)"
        } else if counter.distinct > rows {
            title += ": the first \(rows) of \(counter.distinct)"
        }
        return table(title, top, total: counter.total, others: others)
    }

    private static func table(
        _ title: String, _ rows: [(value: [UInt8], count: Int64)], total: Int64, others: Int64
    ) -> String {
        guard !rows.isEmpty else { return "" }
        var text = "\n\(title)\n"
        let countWidth = String(rows.map(\.count).max()!).count
        let width = max(countWidth, String(others).count)
        // ` count 12.3% value`
        let available = columns - width - 12
        func row(_ count: Int64, _ value: String) {
            let tenths = Int((Double(count) / Double(max(total, 1)) * 1000).rounded())
            let share = right("\(tenths / 10).\(tenths % 10)%", 6)
            let value = value.count > available ? value.prefix(available - 3) + "..." : value[...]
            text += "  \(right(String(count), width))  \(share)  \(value)\n"
        }
        for (value, count) in rows { row(count, value.isEmpty ? "\"\"" : EscapedText.value(value)) }
        if others > 0 { row(others, "others") }
        return text
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    // MARK: JSON

    /// One line of ASCII. Strings from the log keep their characters; those outside ASCII are
    /// escaped.
    func json() -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        writer.name("lines")
        writer.integer(lines)
        writer.name("unreadable")
        writer.integer(unreadable)
        writer.name("earlier")
        writer.integer(earlier)
        writer.name("events")
        writer.integer(events)
        writer.name("suppressed")
        writer.integer(suppressed)
        writer.name("first")
        writer.time(times.first)
        writer.name("last")
        writer.time(times.last)
        writer.name("by_time")
        Self.write(times.bars(), to: &writer)
        writer.name("by_level")
        writer.beginObject()
        for level in Level.allCases {
            writer.name(level.name)
            writer.integer(levels[Int(level.rawValue)])
        }
        writer.endObject()
        writer.name("by_event")
        Self.write(kinds, to: &writer)
        writer.name("by_reason")
        Self.write(reasons, to: &writer)
        writer.name("by_user")
        Self.write(users, to: &writer)
        writer.name("by_address")
        Self.write(addresses, to: &writer)
        writer.endObject()
        return EscapedText.ascii(json: writer.bytes) + [UInt8(ascii: "\n")]
    }

    private static func write(_ bars: TimeHistogram.Bars?, to writer: inout JSONWriter) {
        guard let bars else { return writer.null() }
        writer.beginObject()
        writer.name("start")
        writer.time(bars.start)
        writer.name("width_seconds")
        writer.integer(bars.width)
        writer.name("counts")
        writer.beginArray()
        for count in bars.counts { writer.integer(count) }
        writer.endArray()
        writer.endObject()
    }

    private static func write(_ counter: borrowing FrequencyCounter, to writer: inout JSONWriter) {
        let top = counter.top(rows)
        writer.beginObject()
        writer.name("top")
        writer.beginArray()
        for (value, count) in top {
            writer.beginObject()
            writer.name("value")
            writer.string(String(decoding: value, as: UTF8.self))
            writer.name("count")
            writer.integer(count)
            writer.endObject()
        }
        writer.endArray()
        writer.name("others")
        writer.integer(counter.total - top.reduce(0) { $0.addingSaturated($1.count) })
        writer.name("distinct")
        writer.integer(Int64(counter.distinct))
        writer.name("capped")
        writer.boolean(!counter.isExact)
        writer.name("undercount")
        writer.integer(counter.undercount)
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func time(_ time: Timestamp?) {
        if let time { string(time.text) } else { null() }
    }
}

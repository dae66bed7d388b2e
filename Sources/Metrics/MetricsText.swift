/// Writes metrics in the Prometheus text format 0.0.4 (prometheus.io, "Exposition formats").
///
/// Guarantees the format's rules: the samples of a family are contiguous, after one HELP and one
/// TYPE line, and no series occurs twice. A scraper discards the complete text for one of these
/// mistakes.
package struct MetricsText {
    package static let contentType: StaticString =
        "text/plain; version=0.0.4; charset=utf-8"

    package typealias Labels = KeyValuePairs<StaticString, String>

    package private(set) var bytes: [UInt8] = []
    private var names: Set<String> = []

    package init() {}

    /// Writes a family with one sample without labels.
    package mutating func counter(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        counter(name, help) { $0.add(.count(value), [:]) }
    }

    /// Writes a family with one sample without labels.
    package mutating func gauge(
        _ name: StaticString, _ help: StaticString, _ value: MetricValue
    ) {
        gauge(name, help) { $0.add(value, [:]) }
    }

    /// Writes a family.
    /// - Precondition: the name ends in `_total`.
    package mutating func counter(
        _ name: StaticString, _ help: StaticString, _ samples: (inout MetricSamples) -> Void
    ) {
        precondition("\(name)".hasSuffix("_total"), "counter \(name): must end in _total")
        write(name, help, "counter") { bytes in
            var family = MetricSamples(name, continuing: bytes)
            bytes = []
            samples(&family)
            bytes = family.series.bytes
        }
    }

    package mutating func gauge(
        _ name: StaticString, _ help: StaticString, _ samples: (inout MetricSamples) -> Void
    ) {
        precondition(!"\(name)".hasSuffix("_total"), "gauge \(name): must not end in _total")
        write(name, help, "gauge") { bytes in
            var family = MetricSamples(name, continuing: bytes)
            bytes = []
            samples(&family)
            bytes = family.series.bytes
        }
    }

    /// Writes a family of durations, in seconds.
    /// - Precondition: the name ends in `_seconds`.
    package mutating func histogram(
        _ name: StaticString, _ help: StaticString, _ samples: (inout HistogramSamples) -> Void
    ) {
        precondition("\(name)".hasSuffix("_seconds"), "histogram \(name): must end in _seconds")
        write(name, help, "histogram") { bytes in
            var family = HistogramSamples(name, continuing: bytes)
            bytes = []
            samples(&family)
            bytes = family.series.bytes
        }
    }

    /// Writes the HELP and TYPE lines, and calls `body` for the samples. Writes nothing if the
    /// family has no samples.
    private mutating func write(
        _ name: StaticString, _ help: StaticString, _ kind: StaticString,
        _ body: (inout [UInt8]) -> Void
    ) {
        let text = "\(name)"
        precondition(Self.isName(text), "metric \(text): invalid name")
        precondition(names.insert(text).inserted, "metric \(text): written twice")
        let start = bytes.count
        bytes += "# HELP \(text) ".utf8
        bytes.append(escaping: "\(help)", quotationMarks: false)
        bytes += "\n# TYPE \(text) \(kind)\n".utf8
        let end = bytes.count
        body(&bytes)
        if bytes.count == end { bytes.removeSubrange(start...) }
    }

    /// Whether the name has only lowercase letters, digits and underscores, as all names here.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_")
        }
    }
}

/// A sample's value.
package enum MetricValue: Sendable, Equatable {
    case count(UInt64)
    case integer(Int)
    case number(Double)
    /// Written in seconds, to the nanosecond.
    case nanoseconds(UInt64)

    var text: String {
        switch self {
        case .count(let count): return String(count)
        case .integer(let integer): return String(integer)
        case .number(let number):
            if number.isNaN { return "NaN" }
            if number.isInfinite { return number > 0 ? "+Inf" : "-Inf" }
            return "\(number)"
        case .nanoseconds(let nanoseconds):
            let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
            guard rest > 0 else { return String(seconds) }
            var digits = String(1_000_000_000 + rest).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            return "\(seconds).\(digits)"
        }
    }
}

/// The samples of a counter or gauge.
package struct MetricSamples {
    fileprivate var series: MetricSeries

    fileprivate init(_ name: StaticString, continuing bytes: [UInt8]) {
        series = MetricSeries(name, bytes)
    }

    /// Writes a sample. Ignored if the family already has one with these labels.
    package mutating func add(_ value: MetricValue, _ labels: MetricsText.Labels) {
        guard series.isNew(labels) else { return }
        series.write("", labels, value)
    }
}

/// The samples of a histogram.
package struct HistogramSamples {
    fileprivate var series: MetricSeries

    fileprivate init(_ name: StaticString, continuing bytes: [UInt8]) {
        series = MetricSeries(name, bytes)
    }

    /// Writes a complete histogram. Ignored if the family already has one with these labels.
    package mutating func add(_ value: HistogramValue, _ labels: MetricsText.Labels) {
        guard series.isNew(labels) else { return }
        for (bound, count) in zip(value.bounds.nanoseconds, value.cumulativeCounts) {
            let text = MetricValue.nanoseconds(UInt64(clamping: bound)).text
            series.write("_bucket", labels, .count(count), upTo: text)
        }
        series.write("_bucket", labels, .count(value.count), upTo: "+Inf")
        series.write("_sum", labels, .nanoseconds(value.nanoseconds))
        series.write("_count", labels, .count(value.count))
    }
}

/// The lines of a family.
private struct MetricSeries {
    private let name: StaticString
    var bytes: [UInt8]
    /// The label sets that were written, each sorted by name.
    private var labelSets: Set<[String]> = []

    init(_ name: StaticString, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    mutating func isNew(_ labels: MetricsText.Labels) -> Bool {
        let sorted = labels.map { ("\($0.key)", $0.value) }.sorted { $0.0 < $1.0 }
        precondition(
            sorted.allSatisfy { MetricsText.isName($0.0) && $0.0 != "le" },
            "metric \(name): invalid label name")
        precondition(
            zip(sorted, sorted.dropFirst()).allSatisfy { $0.0 != $1.0 },
            "metric \(name): duplicate label")
        return labelSets.insert(sorted.flatMap { [$0.0, $0.1] }).inserted
    }

    mutating func write(
        _ suffix: StaticString, _ labels: MetricsText.Labels, _ value: MetricValue,
        upTo bound: String? = nil
    ) {
        bytes += "\(name)\(suffix)".utf8
        if !labels.isEmpty || bound != nil {
            bytes.append(UInt8(ascii: "{"))
            var isFirst = true
            for (name, value) in labels {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                bytes += "\(name)=\"".utf8
                bytes.append(escaping: value, quotationMarks: true)
                bytes.append(UInt8(ascii: "\""))
            }
            if let bound { bytes += "\(isFirst ? "" : ",")le=\"\(bound)\"".utf8 }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes += " \(value.text)\n".utf8
    }
}

extension [UInt8] {
    /// Escapes backslashes and newlines, and in a label's value also quotation marks.
    fileprivate mutating func append(escaping text: String, quotationMarks: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): self += "\\\\".utf8
            case UInt8(ascii: "\n"): self += "\\n".utf8
            case UInt8(ascii: "\"") where quotationMarks: self += "\\\"".utf8
            default: append(byte)
            }
        }
    }
}

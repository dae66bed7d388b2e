/// A distribution of durations that any thread can add to without a lock or an allocation.
package final class Histogram: Sendable {
    private let bounds: HistogramBounds
    private let table: CounterTable

    package init(_ bounds: HistogramBounds = .latency) {
        self.bounds = bounds
        table = CounterTable(count: bounds.cellCount)
    }

    package func count(nanoseconds: Int64) { bounds.count(nanoseconds, in: table, at: 0) }

    package var value: HistogramValue { bounds.value(in: table, at: 0) }
}

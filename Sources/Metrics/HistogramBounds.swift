/// The upper bounds of a histogram's buckets, in nanoseconds. One more bucket counts longer
/// durations.
package struct HistogramBounds: Sendable, Equatable {
    let nanoseconds: [Int64]

    /// - Precondition: at least one bound, in ascending order.
    package init(nanoseconds: [Int64]) {
        precondition(!nanoseconds.isEmpty)
        precondition(zip(nanoseconds, nanoseconds.dropFirst()).allSatisfy { $0 < $1 })
        self.nanoseconds = nanoseconds
    }

    /// From 50 microseconds, which most responses take less than, to one second, in steps of 2 to
    /// 2.5.
    package static let latency = HistogramBounds(nanoseconds: [
        50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
        50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
    ])

    /// The buckets, followed by the sum.
    var cellCount: Int { nanoseconds.count + 2 }

    var sumIndex: Int { nanoseconds.count + 1 }

    /// The bucket of a duration. A duration equal to a bound belongs to the bucket below it.
    func bucket(of duration: Int64) -> Int {
        // In ascending order, because nearly all durations are short.
        for index in nanoseconds.indices where duration <= nanoseconds[index] { return index }
        return nanoseconds.count
    }

    func count(_ duration: Int64, in table: CounterTable, at start: Int) {
        // A negative duration (the clock was set back) would corrupt the sum.
        let duration = max(0, duration)
        table.add(start + bucket(of: duration))
        table.add(start + sumIndex, UInt64(duration))
    }

    func value(in table: CounterTable, at start: Int) -> HistogramValue {
        var total: UInt64 = 0
        let counts = (0...nanoseconds.count).map { index in
            total &+= table[start + index]
            return total
        }
        return HistogramValue(
            bounds: self, cumulativeCounts: counts, nanoseconds: table[start + sumIndex])
    }
}

/// A snapshot of a histogram.
package struct HistogramValue: Sendable, Equatable {
    package let bounds: HistogramBounds
    /// For each bound the number of durations up to it, and as the last element the number of all.
    package let cumulativeCounts: [UInt64]
    /// The sum of all durations.
    package let nanoseconds: UInt64

    package var count: UInt64 { cumulativeCounts[cumulativeCounts.count - 1] }
}

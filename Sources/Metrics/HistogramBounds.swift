/// The upper bounds of a histogram's buckets, in nanoseconds; behind the last one is a bucket for what
/// is longer than all of them.
package struct HistogramBounds: Sendable, Equatable {
    let nanoseconds: [Int64]

    /// - Precondition: they grow, and there is at least one.
    package init(nanoseconds: [Int64]) {
        precondition(!nanoseconds.isEmpty)
        precondition(zip(nanoseconds, nanoseconds.dropFirst()).allSatisfy { $0 < $1 })
        self.nanoseconds = nanoseconds
    }

    /// From 50 microseconds, which most answers take less than, to a second, by factors of 2 to 2.5.
    package static let latency = HistogramBounds(nanoseconds: [
        50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
        50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
    ])

    /// Buckets, and behind them the sum.
    var cellCount: Int { nanoseconds.count + 2 }

    var sumIndex: Int { nanoseconds.count + 1 }

    /// The bucket for a duration; a bound belongs to the bucket below it.
    func bucket(of duration: Int64) -> Int {
        // From below, where nearly all durations are.
        for index in nanoseconds.indices where duration <= nanoseconds[index] { return index }
        return nanoseconds.count
    }

    func count(_ duration: Int64, in table: CounterTable, at start: Int) {
        // A clock that steps back has no place in a sum.
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

/// A histogram as it was at a moment.
package struct HistogramValue: Sendable, Equatable {
    package let bounds: HistogramBounds
    /// For each bound how many were no longer than that, and at the end how many there were at all.
    package let cumulativeCounts: [UInt64]
    /// The sum of all.
    package let nanoseconds: UInt64

    package var count: UInt64 { cumulativeCounts[cumulativeCounts.count - 1] }
}

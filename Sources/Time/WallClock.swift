import Glibc

/// The source of the time. It is injected everywhere, so that tests can set the time.
package struct WallClock: Sendable {
    package let now: @Sendable () -> Timestamp
    /// For measuring durations; separate, so that tests can inject it as well.
    package let monotonic: @Sendable () -> MonotonicTime

    /// An injected clock. Its monotonic time is the time since 1970.
    package init(now: @escaping @Sendable () -> Timestamp) {
        self.init(
            now: now,
            monotonic: {
                MonotonicTime(nanoseconds: 0) + TimeAmount(milliseconds: now().milliseconds)
            })
    }

    package init(
        now: @escaping @Sendable () -> Timestamp, monotonic: @escaping @Sendable () -> MonotonicTime
    ) {
        self.now = now
        self.monotonic = monotonic
    }

    /// The system's clocks. `now` may jump and must not be used to measure durations.
    package static let system = WallClock(
        now: {
            var time = timespec()
            // Cannot fail: the clock exists. Sound: the call fills in a local structure.
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            return Timestamp(
                milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        },
        monotonic: { .now })

    package static func fixed(_ moment: Timestamp) -> WallClock { WallClock { moment } }
}

/// A moment on a clock that never goes back; for deadlines and durations, not for dates.
package struct MonotonicTime: Sendable, Hashable, Comparable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static var now: MonotonicTime {
        var time = timespec()
        // Sound: the call fills in a local structure.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Later than every other moment; the deadline of something without a deadline.
    package static let distantFuture = MonotonicTime(nanoseconds: .max)

    package static func < (a: MonotonicTime, b: MonotonicTime) -> Bool {
        a.nanoseconds < b.nanoseconds
    }

    /// Saturates: a configured duration may exceed 64 bits of nanoseconds (292 years).
    package static func + (moment: MonotonicTime, span: TimeAmount) -> MonotonicTime {
        let (product, first) = span.milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, second) = moment.nanoseconds.addingReportingOverflow(product)
        let limit: Int64 = span.milliseconds < 0 ? .min : .max
        return MonotonicTime(nanoseconds: first || second ? limit : sum)
    }

    /// The time since `earlier`, in whole milliseconds, rounded toward zero.
    package func since(_ earlier: MonotonicTime) -> TimeAmount {
        TimeAmount(milliseconds: (nanoseconds - earlier.nanoseconds) / 1_000_000)
    }
}

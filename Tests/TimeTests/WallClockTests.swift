import Synchronization
import Testing
import Time

struct WallClockTests {
    @Test func `a fixed clock always returns the same moment`() {
        let clock = WallClock.fixed(Timestamp(seconds: 784_111_777))
        #expect(clock.now() == Timestamp(seconds: 784_111_777))
        #expect(clock.now() == clock.now())
    }

    @Test func `an injected clock calls its closure each time`() {
        let ticks = Atomic<Int64>(0)
        let clock = WallClock {
            Timestamp(seconds: ticks.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        #expect(clock.now().seconds == 1)
        #expect(clock.now().seconds == 2)
    }

    @Test func `the system's clock is in this century`() {
        let year = CivilTime(WallClock.system.now()).year
        #expect((2025..<2100).contains(year))
    }
}

struct MonotonicTimeTests {
    @Test func `monotonic time never goes back`() {
        let readings = (0..<1000).map { _ in MonotonicTime.now }
        #expect(readings == readings.sorted())
        #expect(readings[0] < .distantFuture)
    }

    @Test(
        arguments: [
            (5, 2, 2_000_005), (5, -2, -1_999_995),
            (0, 9_223_372_036_854, 9_223_372_036_854_000_000),
            (0, 9_223_372_036_855, .max), (0, .max, .max), (.max, 1, .max), (.max, 0, .max),
            (0, .min, .min), (.min, -1, .min), (.max, .min, .min),
        ] as [(Int64, Int64, Int64)])
    func `adding a duration to a monotonic time saturates`(moment: Int64, span: Int64, sum: Int64) {
        let moved = MonotonicTime(nanoseconds: moment) + TimeAmount(milliseconds: span)
        #expect(moved == MonotonicTime(nanoseconds: sum))
    }

    @Test(
        arguments: [
            (1_000_000, 0, 1), (1_999_999, 0, 1), (5_000_000, 2_500_000, 2), (0, 0, 0),
            (0, 3_000_000, -3),
        ] as [(Int64, Int64, Int64)])
    func `the difference of monotonic times is in whole milliseconds`(
        later: Int64, earlier: Int64, milliseconds: Int64
    ) {
        let span = MonotonicTime(nanoseconds: later).since(MonotonicTime(nanoseconds: earlier))
        #expect(span == TimeAmount(milliseconds: milliseconds))
    }
}

import Testing
import Time

struct TimestampTests {
    @Test(
        arguments: [
            (0, 0), (1, 1000), (-1, -1000),
            (9_223_372_036_854_775, 9_223_372_036_854_775_000),
            (9_223_372_036_854_776, .max), (.max, .max),
            (-9_223_372_036_854_775, -9_223_372_036_854_775_000),
            (-9_223_372_036_854_776, .min), (.min, .min),
        ] as [(Int64, Int64)])
    func `seconds are converted exactly and saturate`(seconds: Int64, milliseconds: Int64) {
        #expect(Timestamp(seconds: seconds).milliseconds == milliseconds)
    }

    @Test(
        arguments: [
            (0, 0), (-0.0, 0), (1.5, 1500), (1_300_819_380.25, 1_300_819_380_250),
            (0.0009, 0), (-0.0001, -1), (-1.5, -1500), (-1.5004, -1501),
            (9.3e15, .max), (0x1p63, .max),
            // A thousand times this is 2^63 and -2^63, to the nearest Double.
            (9_223_372_036_854_776, .max), (-9_223_372_036_854_776, .min),
            (1e300, .max), (.greatestFiniteMagnitude, .max),
            (.infinity, .max), (-9.3e15, .min), (-1e300, .min), (-.infinity, .min),
            (.nan, .min), (.signalingNaN, .min), (.leastNonzeroMagnitude, 0),
        ] as [(Double, Int64)])
    func `fractional seconds are rounded down to the millisecond and saturate`(
        seconds: Double, milliseconds: Int64
    ) {
        #expect(Timestamp(fractionalSeconds: seconds).milliseconds == milliseconds)
    }

    // 2^31 seconds are in 2038; between then and 2039 the product is below the millisecond that was
    // written for every second time.
    @Test(
        arguments: [
            0, 1, 4, 1_000_000_000, 1_099_511_627, 1_795_244_400, 2_147_483_648, 2_150_000_000,
            2_199_023_255, 4_102_444_800, 253_402_300_799,
        ] as [Int64])
    func `a time written in milliseconds is read exactly, in every year`(second: Int64) throws {
        for millisecond in 0..<1000 as Range<Int64> {
            let digits = String(1000 + millisecond).dropFirst()
            let seconds = try #require(Double("\(second).\(digits)"))
            let read = Timestamp(fractionalSeconds: seconds).milliseconds
            #expect(read == second * 1000 + millisecond)
        }
    }

    @Test(
        arguments: [
            (0, 0), (999, 0), (1000, 1), (1999, 1), (-1, -1), (-999, -1), (-1000, -1),
            (-1001, -2), (-2000, -2), (.max, 9_223_372_036_854_775),
            (.min, -9_223_372_036_854_776), (.min + 1, -9_223_372_036_854_776),
        ] as [(Int64, Int64)])
    func `whole seconds are rounded down, also before the epoch`(
        milliseconds: Int64, seconds: Int64
    ) {
        #expect(Timestamp(milliseconds: milliseconds).seconds == seconds)
    }

    @Test(
        arguments: [
            (1000, 500, 1500), (1000, -1500, -500), (.max, 0, .max), (.max, 1, .max),
            (.max - 1, 1, .max), (.max, .max, .max), (.min, -1, .min), (.min, .min, .min),
            (.max, .min, -1), (.min, .max, -1),
        ] as [(Int64, Int64, Int64)])
    func `adding a duration saturates`(moment: Int64, span: Int64, sum: Int64) {
        let moved = Timestamp(milliseconds: moment) + TimeAmount(milliseconds: span)
        #expect(moved.milliseconds == sum)
    }

    @Test func `timestamps are ordered by time`() {
        let moments = [Int64.min, -1, 0, 1, .max].map(Timestamp.init(milliseconds:))
        #expect(moments.reversed().sorted() == moments)
        #expect(!(moments[1] < moments[1]))
    }
}

struct TimeAmountTests {
    @Test(
        arguments: [(0, 0), (5, 5000), (-5, -5000), (.max, .max), (.min, .min)]
            as [(Int64, Int64)])
    func `seconds become a thousand milliseconds each and saturate`(seconds: Int64, count: Int64) {
        #expect(TimeAmount.seconds(seconds) == TimeAmount(milliseconds: count))
    }

    @Test(
        arguments: [(0, 0), (999, 0), (1000, 1), (3_599_999, 3599), (-999, 0), (-1000, -1)]
            as [(Int64, Int64)])
    func `whole seconds are rounded toward zero`(count: Int64, seconds: Int64) {
        #expect(TimeAmount(milliseconds: count).wholeSeconds == seconds)
    }

    @Test func `durations are ordered by length`() {
        #expect(TimeAmount(milliseconds: -1) < TimeAmount(milliseconds: 0))
        #expect(TimeAmount(milliseconds: 999) < .seconds(1))
        #expect(!(TimeAmount.seconds(1) < TimeAmount(milliseconds: 1000)))
    }
}

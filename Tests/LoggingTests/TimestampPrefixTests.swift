import TestSupport
import Testing
import Time

@testable import Logging

private func text(_ stamp: TimestampPrefix) -> String {
    let text = stamp.text
    return text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
}

struct TimestampPrefixTests {
    @Test func `a timestamp prefix follows the clock across milliseconds, days, years and back`() {
        var stamp = TimestampPrefix(.text)
        for (milliseconds, expected) in [
            (1_795_244_400_000, "2026-11-21T07:00:00.000Z | "),
            (1_795_244_400_001, "2026-11-21T07:00:00.001Z | "),
            (1_795_244_400_123, "2026-11-21T07:00:00.123Z | "),
            (1_795_244_400_123, "2026-11-21T07:00:00.123Z | "),
            (1_795_244_400_999, "2026-11-21T07:00:00.999Z | "),
            (1_795_244_401_000, "2026-11-21T07:00:01.000Z | "),
            (1_795_244_400_999, "2026-11-21T07:00:00.999Z | "),
            (1_795_305_599_999, "2026-11-21T23:59:59.999Z | "),
            (1_795_305_600_000, "2026-11-22T00:00:00.000Z | "),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z | "),
            (1_798_761_600_000, "2027-01-01T00:00:00.000Z | "),
            (1_835_395_200_000, "2028-02-29T00:00:00.000Z | "),
            (0, "1970-01-01T00:00:00.000Z | "),
            (-1, "1969-12-31T23:59:59.999Z | "),
            (-2, "1969-12-31T23:59:59.998Z | "),
        ] as [(Int64, String)] {
            stamp.set(Timestamp(milliseconds: milliseconds))
            #expect(text(stamp) == expected)
        }
    }

    @Test(
        arguments: [
            (.text, "", " | "), (.json, "{\"time\":\"", "\","), (.logfmt, "time=", " "),
        ] as [(LogFormat, String, String)])
    func `a timestamp prefix has the surrounding characters of its format`(
        format: LogFormat, before: String, after: String
    ) {
        var stamp = TimestampPrefix(format)
        for (milliseconds, time) in [
            (1_795_244_400_123, "2026-11-21T07:00:00.123Z"),
            (1_795_244_400_987, "2026-11-21T07:00:00.987Z"),
            (1_795_244_401_001, "2026-11-21T07:00:01.001Z"),
        ] as [(Int64, String)] {
            stamp.set(Timestamp(milliseconds: milliseconds))
            #expect(text(stamp) == before + time + after)
            #expect(stamp.text.count <= TimestampPrefix.maximumLength)
        }
    }

    @Test(arguments: 0..<10)
    func `a timestamp prefix does not depend on earlier times`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var stamp = TimestampPrefix(.text)
        var moment = someTime
        for _ in 0..<1000 {
            let reach = ([2, 500, 5000, 100_000_000] as [Int64]).randomElement(using: &generator)!
            moment =
                moment
                + TimeAmount(milliseconds: Int64.random(in: -reach...reach, using: &generator))
            stamp.set(moment)
            let full = moment.rfc3339
            let expected = String(decoding: full.indices.map { full[$0] }, as: UTF8.self) + " | "
            #expect(text(stamp) == expected)
        }
    }
}

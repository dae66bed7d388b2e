import Testing
import Time

@testable import App

struct UnitsTests {
    @Test(
        arguments: [
            ("0s", 0), ("250ms", 250), ("1s", 1000), ("90s", 90_000), ("30m", 1_800_000),
            ("12h", 43_200_000), ("7d", 604_800_000),
        ] as [(String, Int64)])
    func `a duration is read and written with its unit`(text: String, count: Int64) {
        #expect(DurationAndSize.duration(text) == TimeAmount(milliseconds: count))
        #expect(DurationAndSize.text(TimeAmount(milliseconds: count)) == text)
    }

    @Test(arguments: [
        ("0B", 0), ("512B", 512), ("64KiB", 65_536), ("10MiB", 10_485_760),
        ("1GiB", 1_073_741_824),
    ])
    func `a size is read and written with its unit`(text: String, count: Int) {
        #expect(DurationAndSize.size(text) == count)
        #expect(DurationAndSize.text(size: count) == text)
    }

    @Test func `a value is written in the largest unit that divides it`() {
        #expect(DurationAndSize.text(TimeAmount(milliseconds: 60_000)) == "1m")
        #expect(DurationAndSize.text(TimeAmount(milliseconds: 61_000)) == "61s")
        #expect(DurationAndSize.text(TimeAmount(milliseconds: 1500)) == "1500ms")
        #expect(DurationAndSize.text(size: 1536) == "1536B")
        #expect(DurationAndSize.text(size: 3 << 20) == "3MiB")
    }

    @Test(arguments: [
        "", "5", "s", "ms", "MiB", "5 s", " 5s", "5s ", "-5s", "+5s", "5S", "5M", "1.5h",
        "5sec",
        "5m30s", "5MB", "5Mib", "5K", "0x5s", "५s", "٣B", "5s\0", "5K\u{301}iB",
        "999999999999999s", "999999999999d", "99999999999GiB",
    ])
    func `text that is not exactly a number and a unit is refused`(text: String) {
        #expect(DurationAndSize.duration(text) == nil)
        #expect(DurationAndSize.size(text) == nil)
    }
}

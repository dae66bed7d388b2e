import TestSupport
import Testing

@testable import Metrics

struct HistogramTests {
    private static let bounds = HistogramBounds(nanoseconds: [10, 20, 50])

    @Test(
        arguments: [
            (.min, 0), (-1, 0), (0, 0), (10, 0), (11, 1), (20, 1), (21, 2), (50, 2), (51, 3),
            (.max, 3),
        ] as [(Int64, Int)])
    func `a duration is counted in the first bucket that contains it`(duration: Int64, bucket: Int)
    {
        let histogram = Histogram(Self.bounds)
        histogram.count(nanoseconds: duration)
        let expected = (0...3).map { $0 >= bucket ? UInt64(1) : 0 }
        #expect(histogram.value.cumulativeCounts == expected)
        #expect(histogram.value.count == 1)
        #expect(histogram.value.nanoseconds == UInt64(max(0, duration)))
    }

    @Test func `a histogram is written with bounds in seconds and cumulative counts`() throws {
        let histogram = Histogram()
        for duration in [1000, 60_000, 60_000, 1_000_000, 700_000_000, 2_000_000_000] {
            histogram.count(nanoseconds: Int64(duration))
        }
        var text = MetricsText()
        text.histogram("a_seconds", "A.") { $0.add(histogram.value, ["x": "y"]) }
        let read = try PrometheusText(text.bytes)
        let buckets = try #require(read["a_seconds"]).samples.filter {
            $0.name == "a_seconds_bucket"
        }
        #expect(
            buckets.map { $0.labels["le"] } == [
                "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
                "0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf",
            ])
        #expect(buckets.map(\.value) == [1, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 6])
        #expect(buckets.allSatisfy { $0.labels["x"] == "y" })
        #expect(read.value("a_seconds_count", ["x": "y"]) == 6)
        #expect(read.value("a_seconds_sum", ["x": "y"]) == 2.701121)
    }

    @Test func `concurrent durations are all counted`() {
        let histogram = Histogram(Self.bounds)
        inThreads(4) { thread in
            for _ in 0..<10_000 { histogram.count(nanoseconds: Int64(15 * thread)) }
        }
        #expect(histogram.value.cumulativeCounts == [10_000, 20_000, 40_000, 40_000])
        #expect(histogram.value.nanoseconds == 900_000)
    }
}

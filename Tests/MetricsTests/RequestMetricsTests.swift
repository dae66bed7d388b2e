import Foundation
import Metrics
import TestSupport
import Testing

struct RequestMetricsTests {
    private let metrics = RequestMetrics(
        routes: ["/login", "/resource"], statuses: [200, 401, 404])

    private func text() throws -> PrometheusText {
        var text = MetricsText()
        metrics.write(to: &text, requests: "r_total", duration: "d_seconds")
        return try PrometheusText(text.bytes)
    }

    @Test func `requests are counted by route and status, and durations by route`() throws {
        metrics.count(route: 0, status: 200, nanoseconds: 1_000_000)
        metrics.count(route: 0, status: 200, nanoseconds: 1_000_000)
        metrics.count(route: 0, status: 401, nanoseconds: 500_000_000)
        metrics.count(route: 1, status: 404, nanoseconds: 1000)
        let read = try text()
        #expect(read.families.map(\.name) == ["r_total", "d_seconds"])
        #expect(read["r_total"]?.kind == "counter")
        #expect(read["r_total"]?.samples.count == 3)
        #expect(read.value("r_total", ["route": "/login", "status": "200"]) == 2)
        #expect(read.value("r_total", ["route": "/login", "status": "401"]) == 1)
        #expect(read.value("r_total", ["route": "/resource", "status": "404"]) == 1)
        #expect(read["d_seconds"]?.kind == "histogram")
        #expect(read.value("d_seconds_count", ["route": "/login"]) == 3)
        #expect(read.value("d_seconds_sum", ["route": "/login"]) == 0.502)
        #expect(read.value("d_seconds_bucket", ["route": "/login", "le": "0.001"]) == 2)
        #expect(read.value("d_seconds_count", ["route": "/resource"]) == 1)
        #expect(metrics.count(ofRoute: 0, status: 200) == 2)
    }

    @Test func `requests without a route and undeclared statuses are counted as other`() throws {
        for route in [-1, 2, .max, .min] {
            metrics.count(route: route, status: 404, nanoseconds: 1)
        }
        for status in [-1, 0, 99, 100, 500, 599, 600, .max, .min] {
            metrics.count(route: 1, status: status, nanoseconds: 1)
        }
        let read = try text()
        #expect(read["r_total"]?.samples.count == 2)
        #expect(read.value("r_total", ["route": "other", "status": "404"]) == 4)
        #expect(read.value("r_total", ["route": "/resource", "status": "other"]) == 9)
        #expect(read.value("d_seconds_count", ["route": "other"]) == 4)
    }

    @Test func `responses that belong to no request are counted without a duration`() throws {
        metrics.count(route: 0, status: 200, nanoseconds: 1)
        var text = MetricsText()
        metrics.write(
            to: &text, requests: "r_total", duration: "d_seconds",
            unasked: [(status: 400, count: 3), (status: 408, count: 1)])
        let read = try PrometheusText(text.bytes)
        #expect(read["r_total"]?.samples.count == 3)
        #expect(read.value("r_total", ["route": "none", "status": "400"]) == 3)
        #expect(read.value("r_total", ["route": "none", "status": "408"]) == 1)
        #expect(read.value("d_seconds_count", ["route": "/login"]) == 1)
        #expect(read.value("d_seconds_count", ["route": "none"]) == nil)
    }

    @Test
    func `nothing is written before the first request`() throws {
        #expect(try text().families == [])
    }

    @Test func `concurrent requests are all counted`() throws {
        let metrics = metrics
        inThreads(4) { thread in
            for index in 0..<10_000 {
                metrics.count(
                    route: index % 3, status: thread == 0 ? 200 : 401, nanoseconds: Int64(index))
            }
        }
        let read = try text()
        #expect(read["r_total"]?.samples.map(\.value).reduce(0, +) == 40_000)
        #expect(read.value("r_total", ["route": "/login", "status": "200"]) == 3334)
        #expect(read.value("d_seconds_count", ["route": "other"]) == 13_332)
    }

    // Tests/Scripts/metrics.py reads the file with promtool and prometheus_client.
    @Test(
        .enabled(if: ProcessInfo.processInfo.environment["GATEHOUSE_METRICS_FILE"] != nil))
    func `the metrics are written to a file for a script`() throws {
        for route in 0...2 {
            for status in [200, 401, 404, 500] {
                metrics.count(route: route, status: status, nanoseconds: Int64(status) * 100_000)
            }
        }
        var text = MetricsText()
        metrics.write(
            to: &text, requests: "gatehouse_http_requests_total",
            duration: "gatehouse_http_request_duration_seconds")
        text.gauge("gatehouse_connections", "Connections now, \"all\" of them.", .integer(3))
        text.gauge("gatehouse_resident_memory_bytes", "Memory.", .count(12_000_000))
        text.counter("gatehouse_tokens_refused_total", "Tokens refused, by reason.") {
            $0.add(.count(1), ["reason": "a \\ \"b\"\nc"])
        }
        let path = ProcessInfo.processInfo.environment["GATEHOUSE_METRICS_FILE"]!
        try Data(text.bytes).write(to: URL(filePath: path))
    }
}

import Testing

@testable import Metrics

@Suite("Metrics as text")
struct MetricsTextTests {
    @Test("have a line for HELP, one for TYPE, and one for each series")
    func bytes() {
        var text = MetricsText()
        text.counter("a_total", "How many.", 3)
        text.gauge("b_bytes", "How much now.", .integer(-1))
        text.counter("c_total", "By kind.") {
            $0.add(.count(1), ["kind": "x"])
            $0.add(.count(2), ["kind": "y", "more": "z"])
        }
        #expect(
            String(decoding: text.bytes, as: UTF8.self) == """
                # HELP a_total How many.
                # TYPE a_total counter
                a_total 3
                # HELP b_bytes How much now.
                # TYPE b_bytes gauge
                b_bytes -1
                # HELP c_total By kind.
                # TYPE c_total counter
                c_total{kind="x"} 1
                c_total{kind="y",more="z"} 2

                """)
    }

    @Test(
        "give back every label as it was",
        arguments: [
            "", " ", "\"", "\\", "\n", "\\n", "\\\"", "a\"b\\c\nd", "}", "{,}=", "\r\n", "\t",
            "é", "日本", "\u{2028}", "\\\\\n\"\"",
        ])
    func labels(value: String) throws {
        var text = MetricsText()
        text.gauge("a", "A.") { $0.add(.count(1), ["x": value, "y": "z"]) }
        let family = try #require(try PrometheusText(text.bytes)["a"])
        #expect(family.samples.map { Array($0.labels["x"]!.utf8) } == [Array(value.utf8)])
        #expect(family.samples.map { $0.labels["y"] } == ["z"])
    }

    @Test("give back their help as it was")
    func help() throws {
        var text = MetricsText()
        text.gauge("a", "Back\\slash, \"quoted\", two\nlines.", .count(1))
        #expect(
            try PrometheusText(text.bytes)["a"]?.help
                == "Back\\slash, \"quoted\", two\nlines.")
    }

    @Test(
        "write numbers that are read as the same",
        arguments: [
            (.count(0), "0"), (.count(.max), "18446744073709551615"), (.integer(-5), "-5"),
            (.number(0.5), "0.5"), (.number(1e-7), "1e-07"), (.number(.infinity), "+Inf"),
            (.number(-.infinity), "-Inf"), (.number(.nan), "NaN"), (.nanoseconds(0), "0"),
            (.nanoseconds(1), "0.000000001"), (.nanoseconds(50_000), "0.00005"),
            (.nanoseconds(1_000_000_000), "1"), (.nanoseconds(12_300_000_000), "12.3"),
            (.nanoseconds(.max), "18446744073.709551615"),
        ] as [(MetricValue, String)])
    func numbers(value: MetricValue, written: String) throws {
        #expect(value.text == written)
        var text = MetricsText()
        text.gauge("a", "A.", value)
        _ = try PrometheusText(text.bytes)
    }

    @Test("hold a series once, whatever the order of its labels; the first holds")
    func duplicates() throws {
        var text = MetricsText()
        text.gauge("a", "A.") {
            $0.add(.count(1), ["x": "1", "y": "2"])
            $0.add(.count(2), ["y": "2", "x": "1"])
            $0.add(.count(3), ["x": "2", "y": "1"])
            $0.add(.count(4), [:])
            $0.add(.count(5), [:])
        }
        text.histogram("b_seconds", "B.") {
            $0.add(Histogram().value, ["x": "1"])
            $0.add(Histogram().value, ["x": "1"])
        }
        let read = try PrometheusText(text.bytes)
        #expect(read["a"]?.samples.map(\.value) == [1, 3, 4])
        #expect(read.value("b_seconds_count", ["x": "1"]) == 0)
    }

    @Test("leave out a family of which nothing is known")
    func empty() {
        var text = MetricsText()
        text.counter("a_total", "A.") { _ in }
        text.histogram("b_seconds", "B.") { _ in }
        #expect(text.bytes == [])
        text.gauge("c", "C.", .count(1))
        #expect(text.bytes.starts(with: Array("# HELP c C.\n".utf8)))
    }

    @Test("have no name that Prometheus would not take, nor one of bad habits")
    func names() {
        for name in ["a", "a_b", "_a", "a1"] { #expect(MetricsText.isName(name)) }
        for name in ["", "1a", "a-b", "A", "a b", "a.b", "ä", "a:b"] {
            #expect(!MetricsText.isName(name))
        }
    }

    @Test("do not let a program write a family twice")
    func familyTwice() async {
        await #expect(processExitsWith: .failure) {
            var text = MetricsText()
            text.gauge("a", "A.", .count(1))
            text.gauge("a", "A.", .count(1))
        }
    }

    @Test("do not let a program name a counter as if it were none, nor the other way round")
    func counterNames() async {
        await #expect(processExitsWith: .failure) {
            var text = MetricsText()
            text.counter("a", "A.", 1)
        }
        await #expect(processExitsWith: .failure) {
            var text = MetricsText()
            text.gauge("a_total", "A.", .count(1))
        }
    }
}

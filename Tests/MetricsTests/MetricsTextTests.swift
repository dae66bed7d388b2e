import Testing

@testable import Metrics

struct MetricsTextTests {
    @Test func `a family is written as HELP, TYPE, and one line per series`() {
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
        arguments: [
            "", " ", "\"", "\\", "\n", "\\n", "\\\"", "a\"b\\c\nd", "}", "{,}=", "\r\n", "\t",
            "é", "日本", "\u{2028}", "\\\\\n\"\"",
        ])
    func `label values are escaped so that they are read back unchanged`(value: String) throws {
        var text = MetricsText()
        text.gauge("a", "A.") { $0.add(.count(1), ["x": value, "y": "z"]) }
        let family = try #require(try PrometheusText(text.bytes)["a"])
        #expect(family.samples.map { Array($0.labels["x"]!.utf8) } == [Array(value.utf8)])
        #expect(family.samples.map { $0.labels["y"] } == ["z"])
    }

    @Test func `help text is escaped so that it is read back unchanged`() throws {
        var text = MetricsText()
        text.gauge("a", "Back\\slash, \"quoted\", two\nlines.", .count(1))
        #expect(
            try PrometheusText(text.bytes)["a"]?.help
                == "Back\\slash, \"quoted\", two\nlines.")
    }

    @Test(
        arguments: [
            (.count(0), "0"), (.count(.max), "18446744073709551615"), (.integer(-5), "-5"),
            (.number(0.5), "0.5"), (.number(1e-7), "1e-07"), (.number(.infinity), "+Inf"),
            (.number(-.infinity), "-Inf"), (.number(.nan), "NaN"), (.nanoseconds(0), "0"),
            (.nanoseconds(1), "0.000000001"), (.nanoseconds(50_000), "0.00005"),
            (.nanoseconds(1_000_000_000), "1"), (.nanoseconds(12_300_000_000), "12.3"),
            (.nanoseconds(.max), "18446744073.709551615"),
        ] as [(MetricValue, String)])
    func `numbers are written in the format's syntax`(value: MetricValue, written: String) throws {
        #expect(value.text == written)
        var text = MetricsText()
        text.gauge("a", "A.", value)
        _ = try PrometheusText(text.bytes)
    }

    @Test func `a series is written once, whatever the order of its labels`() throws {
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

    @Test func `a family without samples is not written`() {
        var text = MetricsText()
        text.counter("a_total", "A.") { _ in }
        text.histogram("b_seconds", "B.") { _ in }
        #expect(text.bytes == [])
        text.gauge("c", "C.", .count(1))
        #expect(text.bytes.starts(with: Array("# HELP c C.\n".utf8)))
    }

    @Test func `only names of lowercase letters, digits and underscores are valid`() {
        for name in ["a", "a_b", "_a", "a1"] { #expect(MetricsText.isName(name)) }
        for name in ["", "1a", "a-b", "A", "a b", "a.b", "ä", "a:b"] {
            #expect(!MetricsText.isName(name))
        }
    }

    @Test func `writing a family twice traps`() async {
        await #expect(processExitsWith: .failure) {
            var text = MetricsText()
            text.gauge("a", "A.", .count(1))
            text.gauge("a", "A.", .count(1))
        }
    }

    @Test func `a counter without _total and a gauge with it trap`() async {
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

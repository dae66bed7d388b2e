import Foundation
import JSON
import Logging
import POSIX
import TestSupport
import Testing
import Time

@testable import Audit

/// 2026-11-21T07:00:00Z, in seconds.
private let morning: Int64 = 1_795_244_400

private func line(
    _ second: Int64, _ event: String = "authn_token_verified", fields: String = ""
) -> String {
    let time = Timestamp(seconds: morning + second).text
    return "\(time) | INFO | security | \(event)\(fields.isEmpty ? "" : " ")\(fields)"
}

/// The output of `run` for some files.
private func report(_ options: LogStatistics.Options) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.file("report", "")
    do {
        let file = try FileDescriptor.open(path, O_WRONLY)
        try LogStatistics.run(options, to: file.rawValue)
    }
    return try folder.content("report")
}

private func report(since: Timestamp? = nil, _ lines: [String]) -> String {
    var statistics = LogStatistics(since: since)
    for line in lines { statistics.add(Array(line.utf8).span) }
    return statistics.text()
}

struct LogStatisticsTests {
    @Test func `the tables show events by time, level, kind, reason, user and address`() {
        var lines = (0..<90).map { line($0 * 60, fields: "user=\($0 % 3) ip=10.0.0.1") }
        lines += (0..<8).map {
            line($0 * 600, "authn_token_rejected", fields: "reason=expired ip=::1")
        }
        lines += [
            line(60, "authn_login_throttled", fields: "ip=::2 suppressed=101"), "not a line",
            line(5400, "sys_shutdown", fields: "clean=true").replacing("INFO", with: "CRITICAL"),
        ]
        #expect(
            report(lines) == """
                lines       101
                unreadable  1
                events      200, 101 of them suppressed
                first       2026-11-21T07:00:00.000Z
                last        2026-11-21T08:30:00.000Z

                by time, UTC, a line for 5 minutes
                  2026-11-21 07:00  107  #######################################################
                  2026-11-21 07:05    5  ##
                  2026-11-21 07:10    6  ###
                  2026-11-21 07:15    5  ##
                  2026-11-21 07:20    6  ###
                  2026-11-21 07:25    5  ##
                  2026-11-21 07:30    6  ###
                  2026-11-21 07:35    5  ##
                  2026-11-21 07:40    6  ###
                  2026-11-21 07:45    5  ##
                  2026-11-21 07:50    6  ###
                  2026-11-21 07:55    5  ##
                  2026-11-21 08:00    6  ###
                  2026-11-21 08:05    5  ##
                  2026-11-21 08:10    6  ###
                  2026-11-21 08:15    5  ##
                  2026-11-21 08:20    5  ##
                  2026-11-21 08:25    5  ##
                  2026-11-21 08:30    1  #

                by level
                    1    0.5%  CRITICAL
                  199   99.5%  INFO

                by event
                  101   50.5%  authn_login_throttled
                   90   45.0%  authn_token_verified
                    8    4.0%  authn_token_rejected
                    1    0.5%  sys_shutdown

                by reason
                  8  100.0%  expired

                by user
                  30   33.3%  0
                  30   33.3%  1
                  30   33.3%  2

                by address
                  101   50.8%  ::2
                   90   45.2%  10.0.0.1
                    8    4.0%  ::1

                """)
    }

    @Test func `a table has ten rows and one row for all other values`() {
        let lines = (1...12).flatMap { user in
            (0..<user).map { line(Int64($0), fields: "user=\(user)") }
        }
        let text = report(lines)
        #expect(text.contains("\nby user: the first 10 of 12\n  12   15.4%  12\n"))
        #expect(text.hasSuffix("\n   3    3.8%  3\n   3    3.8%  others\n"))
    }

    @Test func `statistics of nothing contain only zeros`() {
        #expect(report([]) == "lines       0\nevents      0\n")
        #expect(report(["x"]) == "lines       1\nunreadable  1\nevents      0\n")
    }

    @Test func `events before the start time are not counted`() {
        let text = report(
            since: Timestamp(seconds: morning + 10), (0..<20).map { line($0) })
        #expect(text.hasPrefix("lines       20\nearlier     10\nevents      10\n"))
        #expect(text.contains("first       2026-11-21T07:00:10.000Z"))
    }

    @Test func `text from the log is escaped in tables and in JSON`() {
        let values = [
            #""\x1b[2J""#, #""\u{202e}gpj""#, #""ä""#, #""\xff\xfe""#, #""""#, #""a\\b""#,
            "\"\(String(repeating: "x", count: 4000))\"", "\"\u{9B}31m\"",
        ]
        let lines = values.map { line(0, fields: "user=\($0) ip=\($0) reason=\($0)") }
        let text = report(lines + ["\u{1B}[2J"])
        #expect(text.utf8.allSatisfy { $0 == 0x0A || 0x20..<0x7F ~= $0 })
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        for shown in [#"\x1b[2J"#, #"\u{202e}gpj"#, #"\u{00e4}"#, #"\xff\xfe"#, #"  """#, #"a\\b"#]
        {
            #expect(text.contains(shown))
        }
        var statistics = LogStatistics()
        for line in lines { statistics.add(Array(line.utf8).span) }
        let json = statistics.json()
        #expect(json.dropLast().allSatisfy { 0x20..<0x7F ~= $0 })
        let users = statistics.users.top(10).map(\.value)
        #expect(users.contains(Array("\u{202E}gpj".utf8)))
        #expect(String(decoding: json, as: UTF8.self).contains(#"{"value":"\u009b31m","count":1}"#))
    }

    @Test func `the JSON object contains the same numbers as the tables`() throws {
        var statistics = LogStatistics()
        for second: Int64 in 0..<3 {
            statistics.add(Array(line(second, fields: "user=1").utf8).span)
        }
        statistics.add(Array("x".utf8).span)
        #expect(
            String(decoding: statistics.json(), as: UTF8.self) == """
                {"lines":4,"unreadable":1,"earlier":0,"events":3,"suppressed":0,\
                "first":"2026-11-21T07:00:00.000Z","last":"2026-11-21T07:00:02.000Z",\
                "by_time":{"start":"2026-11-21T07:00:00.000Z","width_seconds":1,"counts":[1,1,1]},\
                "by_level":{"DEBUG":0,"INFO":3,"WARNING":0,"ERROR":0,"CRITICAL":0},\
                "by_event":{"top":[{"value":"authn_token_verified","count":3}],"others":0,\
                "distinct":1,"capped":false,"undercount":0},\
                "by_reason":{"top":[],"others":0,"distinct":0,"capped":false,"undercount":0},\
                "by_user":{"top":[{"value":"1","count":3}],"others":0,"distinct":1,\
                "capped":false,"undercount":0},\
                "by_address":{"top":[],"others":0,"distinct":0,"capped":false,"undercount":0}}

                """)
        let empty = LogStatistics().json()
        #expect(throws: Never.self) { try JSONValue(parsing: empty.span) }
    }

    @Test func `counts saturate when the log claims absurd numbers`() {
        let most = "suppressed=999999999999999999"
        let text = report((0..<20).map { line($0, fields: "user=1 ip=\($0) \(most)") })
        #expect(text.contains("events      9223372036854775807, "))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(
            report([line(0, fields: "suppressed=-1"), line(0, fields: "suppressed=x")])
                .contains("events      2\n"))
    }

    // MARK: Files

    @Test func `the log's full files and its current file are read, compressed or not`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("app.log", line(3) + "\n")
        try folder.file("app.log.000001", line(1) + "\n")
        try folder.file("app.log.1000000", line(2) + "\n")
        try folder.file("app.log.000002", line(2) + "\n")
        try compress(folder.path("app.log.000002"))
        // While gzip runs, the file exists twice.
        try folder.file("app.log.000001.gz", "unfinished")
        try folder.file("app.log.old", "not a file of the log")
        try folder.file("app.log.0000010", "nor this")
        let text = try report(LogStatistics.Options(files: .log(path: path)))
        #expect(text.hasPrefix("lines       4\nevents      4\n"))
    }

    @Test func `named files are read in any of the formats`() throws {
        let folder = try TemporaryFolder()
        let json =
            #"{"time":"2026-11-21T07:00:00Z","level":"INFO","area":"app","event":"e","user":1}"#
        let logfmt = "time=2026-11-21T07:00:00Z level=INFO area=app event=e user=1"
        let path = try folder.file(
            "mixed", [line(0, "e", fields: "user=1"), json, logfmt, ""].joined(separator: "\n"))
        let other = try folder.file("-dc", "\(json)\n")
        try compress(other)
        let text = try report(
            LogStatistics.Options(files: .named([path, "\(folder.path)/-dc.gz"])))
        #expect(text.hasPrefix("lines       4\nevents      4\n"))
        #expect(text.hasSuffix("by user\n  4  100.0%  1\n"))
    }

    @Test func `a file that cannot be read is reported with the reason`() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path("missing")
        func failure(_ path: String) -> ReadingError? {
            do throws(ReadingError) {
                try LogStatistics.run(LogStatistics.Options(files: .named([path])), to: 1)
                return nil
            } catch { return error }
        }
        #expect(failure(missing) == .file(path: missing, .noSuchFileOrDirectory))
        #expect(
            failure(missing)?.sentence == "\(missing): cannot be read: No such file or directory")
        #expect(failure(folder.path) == .file(path: folder.path, Errno(EISDIR)))
        let broken = try folder.file("broken.gz", "no gzip at all")
        #expect(failure(broken) == .notGzip(path: broken))
        #expect(throws: ReadingError.file(path: missing, .noSuchFileOrDirectory)) {
            try LogStatistics.run(LogStatistics.Options(files: .log(path: missing)), to: 1)
        }
    }

    @Test func `lines that are too long, torn or not text are skipped and counted`() throws {
        let folder = try TemporaryFolder()
        var bytes: [UInt8] = []
        let start = line(0, "e", fields: "a=")
        for length in [65_535, 65_536, 65_537, 300_000, 1_000_000] {
            bytes += start.utf8
            bytes += [UInt8](repeating: 0x61, count: length - start.utf8.count)
            bytes.append(0x0A)
        }
        bytes += (0..<100_000).map { _ in UInt8.random(in: 0...255) } + [0x0A]
        bytes += line(0).utf8
        let path = folder.path("app.log")
        try Data(bytes).write(to: URL(filePath: path))
        var statistics = LogStatistics()
        try statistics.readLog(path)
        let (events, sum) = (statistics.events, statistics.events + statistics.unreadable)
        #expect(events == 2)
        #expect(sum == statistics.lines)
    }

    private func compress(_ path: String) throws {
        let gzip = try ChildProcess(
            "/bin/gzip", ["--", path], environment: [:], folder: "/")
        #expect(try gzip.wait() == .exited(0))
    }
}

struct FrequencyCounterTests {
    @Test(arguments: UInt64(0)..<4)
    func `counts are exact while there are few different values`(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var counter = FrequencyCounter(capacity: 500)
        var expected: [String: Int64] = [:]
        for _ in 0..<20_000 {
            let value = String(Int.random(in: 0..<1000, using: &dice))
            counter.add(Array(value.utf8).span, 2)
            expected[value, default: 0] += 2
        }
        let top = counter.top(2000).map { (String(decoding: $0.value, as: UTF8.self), $0.count) }
        #expect(Dictionary(uniqueKeysWithValues: top) == expected)
        let (isExact, total) = (counter.isExact, counter.total)
        #expect(isExact)
        #expect(total == 40_000)
    }

    @Test(arguments: UInt64(0)..<4)
    func `frequent values remain, and no count is off by more than the undercount`(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var counter = FrequencyCounter(capacity: 100)
        // One value in ten is one of three; the others occur once.
        for index in 0..<100_000 {
            let value = index % 10 == 0 ? "often\(index % 3)" : "\(dice.next())"
            counter.add(Array(value.utf8).span, 1)
        }
        let (top, undercount) = (counter.top(3), counter.undercount)
        #expect(Set(top.map(\.value)) == Set((0..<3).map { Array("often\($0)".utf8) }))
        for (_, count) in top { #expect(count <= 3334 && count + undercount >= 3333) }
        #expect(undercount <= 100_000 / 100)
        let (isExact, distinct) = (counter.isExact, counter.distinct)
        #expect(!isExact)
        #expect(distinct <= 200)
    }

    @Test func `values of any length are counted, long ones by their beginning`() {
        var counter = FrequencyCounter()
        counter.add([UInt8](repeating: 1, count: 128).span, 1)
        counter.add([UInt8](repeating: 1, count: 5000).span, 1)
        counter.add([UInt8]().span, 1)
        let top = counter.top(3)
        #expect(top.map(\.count) == [2, 1])
        #expect(top.map(\.value.count) == [128, 0])
    }
}

struct TimeHistogramTests {
    @Test(arguments: [
        (0, 1), (22, 1), (23, 1), (24, 2), (600, 30), (7199, 300), (7200, 600), (86_399, 3600),
        (86_400, 7200), (2_000_000, 86_400), (20_000_000, 1_209_600),
        (2_000_000_000, 88_473_600),
        (200_000_000_000, 11_324_620_800),
    ])
    func `a histogram has at most 24 bars for any time range`(span: Int64, width: Int64) throws {
        var histogram = TimeHistogram()
        histogram.add(Timestamp(seconds: morning), 1)
        histogram.add(Timestamp(seconds: morning + span), 2)
        let bars = try #require(histogram.bars())
        #expect(bars.width == width)
        #expect(bars.counts.count <= 24)
        #expect(bars.counts.first == (span == 0 ? 3 : 1))
        #expect(bars.counts.last == (span == 0 ? 3 : 2))
        #expect(bars.start <= Timestamp(seconds: morning))
    }

    @Test(arguments: UInt64(0)..<8)
    func `no event is lost when cells are merged`(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let span = Int64(1) << Int64(10 + 4 * (seed % 8))
        let range = span < 200_000_000_000 ? 0..<span : -62_000_000_000..<200_000_000_000
        let times = (0..<20_000).map { _ in Int64.random(in: range, using: &dice) }
        var histogram = TimeHistogram()
        for time in times { histogram.add(Timestamp(seconds: time), 1) }
        let bars = try #require(histogram.bars())
        #expect(bars.counts.count <= 24)
        for (index, count) in bars.counts.enumerated() {
            let start = bars.start.seconds + Int64(index) * bars.width
            #expect(count == Int64(times.count { start..<(start + bars.width) ~= $0 }))
        }
    }

    @Test func `weekly bars begin on Mondays`() throws {
        var histogram = TimeHistogram()
        for day in 0..<60 { histogram.add(Timestamp(seconds: morning + Int64(day) * 86_400), 1) }
        let bars = try #require(histogram.bars())
        #expect(bars.width == 7 * 86_400)
        #expect(bars.start.text == "2026-11-16T00:00:00.000Z")
        #expect(bars.counts == [2, 7, 7, 7, 7, 7, 7, 7, 7, 2])
    }
}

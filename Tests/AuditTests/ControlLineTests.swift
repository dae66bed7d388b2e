import Testing
import Time

@testable import Audit
@testable import Logging

struct ControlLineTests {
    private func line(_ format: LogFormat, _ event: String, _ fields: [(String, String)]) -> [UInt8]
    {
        let time = "2026-11-21T07:00:00.123Z"
        let plain = fields.map { " \($0.0)=\($0.1)" }.joined()
        switch format {
        case .text: return Array("\(time) | INFO | log | \(event)\(plain)".utf8)
        case .logfmt: return Array("time=\(time) level=INFO area=log event=\(event)\(plain)".utf8)
        case .json:
            let members = fields.map { name, value in
                ",\"\(name)\":" + (Int(value) == nil ? "\"\(value)\"" : value)
            }
            let head =
                "{\"time\":\"\(time)\",\"level\":\"INFO\",\"area\":\"log\",\"event\":\"\(event)\""
            return Array((head + members.joined() + "}").utf8)
        }
    }

    @Test(arguments: LogFormat.allCases)
    func `a control line is recognized in each format`(format: LogFormat) {
        func notice(_ event: String, _ fields: [(String, String)] = []) -> ControlLine? {
            ControlLine(line(format, event, fields).span)
        }
        #expect(notice("log_open", [("file", "app.log")]) == .opened)
        #expect(notice("log_reopen") == .reopened)
        #expect(
            notice("log_rotate", [("file", "app.log.000001"), ("reason", "size")])
                == .rotated("app.log.000001"))
        #expect(notice("log_recovered", [("reason", "torn_line")]) == .repairedPartialLine)
        #expect(notice("log_recovered", [("reason", "written"), ("n", "3")]) == .recovered)
        #expect(
            notice(
                "log_retention",
                [("n", "2"), ("file", "app.log.000002"), ("sequence", "41"), ("reason", "age")])
                == .removed(through: 41))
        #expect(notice("log_retention", [("n", "2")]) == nil)
        #expect(notice("log_seal", [("sequence", "1")]) == .seal)
        #expect(notice("log_opened") == nil)
        #expect(notice("log_") == nil)
        #expect(notice("authn_login_success") == nil)
    }

    @Test(arguments: LogFormat.allCases)
    func `a control line is recognized as the logger writes it`(format: LogFormat) {
        func notice(_ event: some LogEvent) -> ControlLine? {
            let line = LogLine.formatted(
                event, at: Timestamp(milliseconds: 1_795_244_400_123), format)
            return ControlLine(line.span.extracting(droppingLast: 1))
        }
        #expect(notice(LogOpened(file: "app.log")) == .opened)
        #expect(notice(LogReopened(reason: "signal", level: .info)) == .reopened)
        #expect(notice(LogReopened(reason: "moved", level: .warning)) == .reopened)
        #expect(notice(LogRotated(file: "a log.000001", reason: "day")) == .rotated("a log.000001"))
        #expect(notice(LogRecovered(reason: "torn_line")) == .repairedPartialLine)
        #expect(notice(LogRecovered(reason: "writable", dropped: 0, error: "")) == .recovered)
        #expect(
            notice(LogRetention(count: 2, file: "b sequence=9", sequence: 41, reason: "age"))
                == .removed(through: 41))
        #expect(
            notice(
                LogRetention(
                    count: 2, file: "c", sequence: 41, reason: "age", history: 7, isShort: true))
                == .removed(through: 41))
        #expect(
            notice(LogForeign(file: "d", count: 1, reason: .appended)) == .foreign(file: "d"))
        #expect(notice(LogFailed(reason: "x")) == nil)
        let ofOtherLog: [any LogEvent] = [
            LogReopened(reason: "moved", level: .warning),
            LogForeign(file: "d", count: 1, reason: .appended),
            LogRetention(
                count: 2, file: "c", sequence: 41, reason: "age", history: 7, isShort: true),
        ]
        for event in ofOtherLog {
            #expect(notice(OtherLogEvent(event: event, log: "audit.log")) == nil)
        }
        let line = LogLine.formatted(LogOpened(file: "a"), at: Timestamp(seconds: 0), format)
        for count in 1..<line.count {
            let beginning = line.span.extracting(0..<count)
            #expect(
                ControlLine.isBeginningOfOpening(beginning) != (ControlLine(beginning) == .opened))
        }
    }

    @Test func `other lines are not control lines`() {
        for text in [
            "", "{", "t", "2026-11-21T07:00:00.123Z | WARNING | log | log_open file=app.log",
            "2026-11-21T07:00:00.123Z | INFO | security | x user=\" | INFO | log | log_open\"",
        ] { #expect(ControlLine(Array(text.utf8).span) == nil) }
    }
}

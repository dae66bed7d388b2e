import HTTP
import Testing
import Time

@testable import App
@testable import Auth
@testable import Logging

struct EventTests {
    private static let origin = Origin(
        client: ClientAddress(Array("192.0.2.7".utf8).span)!,
        id: RequestID(Array("r-1".utf8).span)!)
    private static let problem = ConfigurationProblem(path: "log.level", message: "is \"loud\"")

    static let lines: [(any LogEvent, String)] = [
        (
            Started(version: "1.2.3", processID: 42, digest: "0123456789abcdef", url: "http://h:1"),
            "INFO | app | sys_startup version=1.2.3 pid=42 config=0123456789abcdef url=http://h:1"
        ),
        (Stopped(isClean: false), "INFO | app | sys_shutdown clean=false"),
        (
            RequestRejected(reason: "head_timeout", status: .requestTimeout, origin: origin),
            "WARNING | http | http_refused reason=head_timeout status=408 ip=192.0.2.7 rid=r-1"
        ),
        (
            AcceptFailed(error: "Too many open files"),
            "WARNING | http | http_refused reason=accept_failed error=\"Too many open files\""
        ),
        (
            ConfigurationWarning(problem: problem),
            "WARNING | config | config_warning key=log.level reason=\"is \\\"loud\\\"\""
        ),
        (
            ConfigurationReloaded(changed: ["log.level", "token.keys"]),
            "WARNING | config | config_reload changed=log.level,token.keys"
        ),
        (
            ConfigurationReloadFailed(
                problem: ConfigurationProblem(
                    path: "log.format", message: #""s3cret" is not one of text, json"#)),
            "ERROR | config | config_reload_fail key=log.format "
                + #"reason="the value is not one of text, json""#
        ),
        (
            ConfigurationReloadFailed(
                problem: ConfigurationProblem(
                    path: "log.seal_interval",
                    message: #""s3cret" is "x" is not a duration; write 1s"#)),
            "ERROR | config | config_reload_fail key=log.seal_interval "
                + "reason=\"the value is not a duration; write 1s\""
        ),
        (
            ConfigurationReloadFailed(problem: problem),
            "ERROR | config | config_reload_fail key=log.level reason=\"is \\\"loud\\\"\""
        ),
        (
            LevelChanged(changed: .http, from: .warning, to: .debug),
            "WARNING | config | log_level_changed key=log.areas.http from=WARNING to=DEBUG"
        ),
        (
            LevelChanged(changed: nil, from: .info, to: .error),
            "WARNING | config | log_level_changed key=log.level from=INFO to=ERROR"
        ),
    ]

    @Test(arguments: lines)
    func `an event is logged with its level, area, name and fields`(
        event: any LogEvent, expected: String
    ) {
        let line = LogLine.formatted(event, at: Timestamp(seconds: 0), .text)
        #expect(
            String(decoding: line, as: UTF8.self) == "1970-01-01T00:00:00.000Z | \(expected)\n")
    }
}

/// The log's events about itself.

/// `log_open`: lines begin to go to this file.
struct LogOpened: LogEvent {
    let file: String
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_open" }
    func write(to line: inout LogLine) { line.field("file", file) }
}

/// `log_rotate`: the first line of a new file; names the full one before it.
struct LogRotated: LogEvent {
    let file: String
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_rotate" }
    func write(to line: inout LogLine) {
        line.field("file", file)
        line.field("reason", "size")
    }
}

/// `log_dropped`: lines that found no room while the file could not be written.
struct LogDropped: LogEvent {
    let dropped: Int64
    var level: Level { .error }
    var area: Area { .log }
    var name: StaticString { "log_dropped" }
    func write(to line: inout LogLine) { line.field("n", dropped) }
}

/// `log_recovered`: the file can be written again, or was found broken and mended.
package struct LogRecovered: LogEvent {
    let reason: StaticString
    let dropped: Int64
    package var level: Level { .info }
    package var area: Area { .log }
    package var name: StaticString { "log_recovered" }
    package func write(to line: inout LogLine) {
        line.field("reason", reason)
        if dropped > 0 { line.field("dropped", dropped) }
    }
}

/// `log_failed`: the file cannot be written or opened. Goes to standard error while it cannot go to
/// the file.
package struct LogFailed: LogEvent {
    let error: String
    package init(error: String) { self.error = error }
    package var level: Level { .error }
    package var area: Area { .log }
    package var name: StaticString { "log_failed" }
    package func write(to line: inout LogLine) { line.field("reason", error) }
}

/// `log_reopen`: the path was opened again.
package struct LogReopened: LogEvent {
    package init() {}
    package var level: Level { .info }
    package var area: Area { .log }
    package var name: StaticString { "log_reopen" }
    package func write(to line: inout LogLine) {}
}

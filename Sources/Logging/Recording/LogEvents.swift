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
    /// `size`, `day` or `format`.
    let reason: StaticString
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_rotate" }
    func write(to line: inout LogLine) {
        line.field("file", file)
        line.field("reason", reason)
    }
}

/// `log_retention`: full files that the log itself removes, the oldest up to this one. Written before
/// they go, so that whoever verifies the log knows why it begins where it does. A WARNING where the
/// lines that stay are few.
struct LogRetained: LogEvent {
    let count: Int
    let file: String
    /// Of the last seal in that file.
    let sequence: UInt64?
    /// `count`, `age` or `size`.
    let reason: StaticString
    /// Seconds since the oldest line that stays.
    var history: Int64?
    var isShort = false
    var level: Level { isShort ? .warning : .info }
    var area: Area { .log }
    var name: StaticString { "log_retention" }
    func write(to line: inout LogLine) {
        line.field("n", Int64(count))
        line.field("file", file)
        if let sequence { line.field("sequence", Int64(clamping: sequence)) }
        line.field("reason", reason)
        if let history { line.field("history", history) }
    }
}

/// `log_foreign`: bytes that no server wrote were at the log's path or in its file. They are not
/// sealed, and a verification names them.
struct LogForeign: LogEvent {
    enum Reason: String {
        /// Another file was at the path.
        case replaced
        /// They were behind the seal of a stop, after which a server writes nothing.
        case afterStop = "after_stop"
        /// Another process appended them to the file that this process writes.
        case appended
        /// The file has a second name, through which others can change it.
        case linked
    }

    /// Where they are now.
    let file: String
    /// Bytes.
    let count: Int
    let reason: Reason
    var level: Level { .error }
    var area: Area { .log }
    var name: StaticString { "log_foreign" }
    func write(to line: inout LogLine) {
        line.field("file", file)
        line.field("n", Int64(count))
        line.field("reason", reason.rawValue)
    }
}

/// `log_dropped`: lines that found no room in memory while the file took the ones before them.
struct LogDropped: LogEvent {
    let dropped: Int64
    var level: Level { .error }
    var area: Area { .log }
    var name: StaticString { "log_dropped" }
    func write(to line: inout LogLine) { line.field("n", dropped) }
}

/// `log_recovered`: the file can be written again, or was found broken and mended.
struct LogRecovered: LogEvent {
    let reason: StaticString
    /// Lines that were lost; nil where none can have been.
    var dropped: Int64?
    /// What was wrong.
    var error: String?
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_recovered" }
    func write(to line: inout LogLine) {
        line.field("reason", reason)
        if let dropped { line.field("dropped", dropped) }
        if let error { line.field("error", error) }
    }
}

/// `log_failed`: the file cannot be written or opened, or its end is missing. Goes to standard error
/// while it cannot go to the file.
package struct LogFailed: LogEvent {
    let reason: String
    /// Up to which seal lines are missing.
    var head: SealHead?
    package init(reason: String) { self.reason = reason }
    init(reason: String, head: SealHead?) {
        self.reason = reason
        self.head = head
    }
    package var level: Level { .error }
    package var area: Area { .log }
    package var name: StaticString { "log_failed" }
    package func write(to line: inout LogLine) {
        line.field("reason", reason)
        if let head { line.field("sequence", Int64(clamping: head.sequence)) }
    }
}

/// `log_reopen`: the path was opened again, because the operator said so or because somebody has taken
/// the file away.
struct LogReopened: LogEvent {
    /// `signal`, or what was found: `removed`, `moved`, `replaced`, `truncated`, `missing`.
    let reason: StaticString
    let level: Level
    var area: Area { .log }
    var name: StaticString { "log_reopen" }
    func write(to line: inout LogLine) { line.field("reason", reason) }
}

/// What one of the two logs has to say of its own file, for the other: with its event's name and
/// fields, and the name of that file.
struct OtherLogEvent: LogEvent {
    let event: any LogEvent
    let log: String
    /// How many more of them have no line in this log.
    var suppressed: Int64 = 0
    var level: Level { event.level }
    var area: Area { event.area }
    var name: StaticString { event.name }
    func write(to line: inout LogLine) {
        event.write(to: &line)
        line.field("log", log)
        if suppressed > 0 { line.field("suppressed", suppressed) }
    }
}

/// The events of the log about itself.

/// `log_open`: this file is now the log.
struct LogOpened: LogEvent {
    let file: String
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_open" }
    func write(to line: inout LogLine) { line.field("file", file) }
}

/// `log_rotate`: the first line of a new file; names the archive before it.
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

/// `log_retention`: archives that the log itself removes, the oldest up to this one. Written before
/// they are removed, so that a verification knows why the log begins where it does. A WARNING if
/// the lines that remain cover too short a time.
/// The number of archives.
struct LogRetention: LogEvent {
    let count: Int
    let file: String
    /// The sequence number of the last seal in that file.
    let sequence: UInt64?
    /// `count`, `age` or `size`.
    let reason: StaticString
    /// Seconds since the oldest remaining line.
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

/// `log_foreign`: there were bytes at the log's path or in its file that no server wrote. They are
/// not sealed, and a verification reports them.
struct LogForeign: LogEvent {
    enum Reason: String {
        /// Another file was at the path.
        case replaced
        /// They followed the seal of a stop, after which a server writes nothing.
        case afterStop = "after_stop"
        /// Another process appended them to the file that this process writes.
        case appended
        /// The file has a second name, through which others can change it.
        case linked
    }

    /// The file that contains them now.
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

/// `log_dropped`: lines that were dropped because the buffer was full while the file was written.
struct LogDropped: LogEvent {
    let dropped: Int64
    var level: Level { .error }
    var area: Area { .log }
    var name: StaticString { "log_dropped" }
    func write(to line: inout LogLine) { line.field("n", dropped) }
}

/// `log_recovered`: the file can be written again, or an incomplete line was repaired.
struct LogRecovered: LogEvent {
    let reason: StaticString
    /// Lines that were lost; nil if that is impossible.
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

/// `log_failed`: the file cannot be written or opened, or its end is missing. Goes to standard
/// error while the file cannot be written.
package struct LogFailed: LogEvent {
    let reason: String
    /// The seal up to which lines are missing.
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

/// `log_reopen`: the path was opened again, after a signal, or because another process has moved,
/// removed, replaced or truncated the file.
struct LogReopened: LogEvent {
    /// `signal`, or what was found: `removed`, `moved`, `replaced`, `truncated`, `missing`.
    let reason: StaticString
    let level: Level
    var area: Area { .log }
    var name: StaticString { "log_reopen" }
    func write(to line: inout LogLine) { line.field("reason", reason) }
}

/// An event of one of the two logs about its own file, recorded in the other log: the same name and
/// fields, and the name of that file.
struct OtherLogEvent: LogEvent {
    let event: any LogEvent
    let log: String
    /// The number of such events that have no line in this log.
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

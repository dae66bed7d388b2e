import Logging

/// The app area of the log: the process's own life. `sys_crash` is `Logging`'s, because nobody else
/// can say it.

/// `sys_startup`
struct Started: LogEvent {
    let version: String
    let processID: Int32
    let digest: String
    let url: String
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "sys_startup" }

    func write(to line: inout LogLine) {
        line.field("version", version)
        line.field("pid", Int64(processID))
        line.field("config", digest)
        line.field("url", url)
    }
}

/// `sys_shutdown`
struct Stopped: LogEvent {
    let isClean: Bool
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "sys_shutdown" }

    func write(to line: inout LogLine) { line.field("clean", isClean) }
}

/// `revocations_mended`: the journal of what is revoked ended inside a record, which nobody was told
/// about, and which is gone.
struct JournalMended: LogEvent {
    let byteCount: Int
    var level: Level { .warning }
    var area: Area { .app }
    var name: StaticString { "revocations_mended" }

    func write(to line: inout LogLine) {
        line.field("reason", "torn" as StaticString)
        line.field("bytes", Int64(byteCount))
    }
}

import Logging
import Revocation

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
struct JournalRepaired: LogEvent {
    let byteCount: Int
    var level: Level { .warning }
    var area: Area { .app }
    var name: StaticString { "revocations_mended" }

    func write(to line: inout LogLine) {
        line.field("reason", "torn" as StaticString)
        line.field("bytes", Int64(byteCount))
    }
}

/// `revocations_lost`: records of the journal are missing, or may be; the start is refused.
struct RevocationsLost: LogEvent {
    let error: RevocationsError
    var level: Level { .critical }
    var area: Area { .security }
    var name: StaticString { "revocations_lost" }

    func write(to line: inout LogLine) {
        switch error {
        case .gone(let records):
            line.field("reason", "gone" as StaticString)
            line.field("expected", Int64(records))
        case .cut(let records, let expected):
            line.field("reason", "cut" as StaticString)
            line.field("records", Int64(records))
            line.field("expected", Int64(expected))
        case .stateMissing: line.field("reason", "state_missing" as StaticString)
        default: line.field("reason", "exchanged" as StaticString)
        }
    }
}

/// `revocations_unproven`: nothing tells whether the journal has all that was written to it.
struct RevocationsUnproven: LogEvent {
    let proof: JournalProof
    var level: Level { proof == .foreignKeys ? .critical : .warning }
    var area: Area { .security }
    var name: StaticString { "revocations_unproven" }

    func write(to line: inout LogLine) {
        let reason: StaticString =
            switch proof {
            case .proven: "proven"
            case .unproven: "no_state"
            case .foreignKeys: "foreign_keys"
            case .accepted: "accepted"
            }
        line.field("reason", reason)
        // So that no revoked token is good again.
        line.field("all_ended", proof == .foreignKeys || proof == .accepted)
    }
}

import Logging
import Revocation

/// Events of the app area: start and stop of the process, and its journal. `sys_crash` is in
/// `Logging`, because only its signal handler can still write.

/// `sys_startup`: the server starts to serve.
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

/// `sys_shutdown`: the server has stopped.
struct Stopped: LogEvent {
    /// Whether all connections ended by themselves.
    let isClean: Bool
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "sys_shutdown" }

    func write(to line: inout LogLine) { line.field("clean", isClean) }
}

/// `revocations_mended`: the journal of revocations ended with a partial record, which was removed.
/// No client had received a response for it.
struct JournalRepaired: LogEvent {
    /// The length of the partial record.
    let byteCount: Int
    var level: Level { .warning }
    var area: Area { .app }
    var name: StaticString { "revocations_mended" }

    func write(to line: inout LogLine) {
        line.field("reason", "torn" as StaticString)
        line.field("bytes", Int64(byteCount))
    }
}

/// `revocations_lost`: records of the journal are missing or may be missing. The start is refused.
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

/// `revocations_unproven`: the journal is not proven to be complete.
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
        // All sessions end, so that no revoked token becomes valid again.
        line.field("all_ended", proof == .foreignKeys || proof == .accepted)
    }
}

import POSIX
import Time

/// What the log and the audit log take of events that clients can cause as often as they like.
final class LineLimits: Sendable {
    private struct State {
        var log = DuplicateSuppressor()
        /// Nil where there is no audit log.
        var audit: LineBudget?
        /// Users, with the event that names them, who have had a line within the hour.
        var named = HourlySet(capacity: 8192)
        var subjects = HourlySet(capacity: 4096)
        private var time: Int64

        init(at now: MonotonicTime) { time = now.milliseconds }

        /// Milliseconds. Never goes back: a thread reads the clock before it waits for the lock, so
        /// that times come out of order here, and a limit would begin again with each.
        mutating func advance(to now: MonotonicTime) -> Int64 {
            time = max(time, now.milliseconds)
            return time
        }
    }

    private let state: Monitor<State>

    init(hasAudit: Bool, at now: MonotonicTime) {
        var state = State(at: now)
        if hasAudit { state.audit = LineBudget(at: now.milliseconds) }
        self.state = Monitor(state)
    }

    /// Which of the two gets a line.
    struct Verdict {
        var isForLog: Bool
        /// Nil if the audit log does not get it.
        var audit: LineBudget.Admission?
    }

    /// - Parameters:
    ///   - isForLog: the log would take it.
    ///   - isForAudit: the audit log would.
    func admit(
        _ event: some LogEvent, _ source: LogSource, isForLog: Bool, isForAudit: Bool,
        at now: MonotonicTime
    ) -> Verdict {
        let (name, level, area) = (event.name, event.level, event.area)
        return state.withLock { state in
            let now = state.advance(to: now)
            let passes =
                source.isAlwaysInLog || state.log.admit(name, source, level, area, at: now)
            var verdict = Verdict(isForLog: passes, audit: nil)
            if source.subject != nil, source.hasToken {
                // Not a refusal; `Evidence.firstInHour` limits it.
                if isForAudit { verdict.audit = .free }
            } else {
                // A user whose line is the first in an hour is named, however many others there are.
                let isFirstOfUser =
                    source.user.map { user in
                        let key = LogSource.hash(SuppressedLines.hash(name), user)
                        return state.named.isFirst(key, at: now / 1000)
                    } ?? false
                if isForAudit {
                    verdict.audit = state.audit?.admit(
                        name, source, level, area, isFirstOfUser: isFirstOfUser,
                        isReserved: !passes, at: now)
                }
                verdict.isForLog = passes || isFirstOfUser
            }
            // What is in the audit log is in the log, too.
            verdict.isForLog = isForLog && (verdict.isForLog || verdict.audit != nil)
            if isForLog, !verdict.isForLog { state.log.add(name, source, level, area, at: now) }
            return verdict
        }
    }

    /// - Parameter byteCount: of the whole line that was admitted.
    func charge(
        _ admission: LineBudget.Admission, _ source: LogSource?, byteCount: Int,
        at now: MonotonicTime
    ) {
        state.withLock { state in
            let now = state.advance(to: now)
            state.audit?.charge(admission, source, byteCount: byteCount, at: now)
        }
    }

    /// Whether it is the first about its subject in an hour.
    func isFirst(of subject: UInt64, at now: MonotonicTime) -> Bool {
        state.withLock { state in
            let now = state.advance(to: now)
            return state.subjects.isFirst(subject, at: now / 1000)
        }
    }

    /// The summaries that are due, or all of them.
    func takeSummaries(
        at now: MonotonicTime, all: Bool
    ) -> (log: [LinesSuppressed], audit: [LinesSuppressed]) {
        state.withLock { state in
            let now = state.advance(to: now)
            var log: [LinesSuppressed] = []
            while let summary = all
                ? state.log.takeLastSummary(at: now) : state.log.takeSummary(at: now)
            {
                log.append(summary)
            }
            var audit: [LinesSuppressed] = []
            while let summary = all
                ? state.audit?.takeLastSummary(at: now) : state.audit?.takeSummary(at: now)
            {
                audit.append(summary)
            }
            return (log, audit)
        }
    }

    /// Lines that were not written, since the start.
    var suppressed: (log: UInt64, audit: UInt64) {
        state.withLock { ($0.log.suppressed.total, $0.audit?.suppressed.total ?? 0) }
    }
}

extension MonotonicTime {
    fileprivate var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

import POSIX
import Time

/// Limits the lines, in the log and in the audit log, that clients can cause without limit.
final class LineLimits: Sendable {
    private struct State {
        var log = DuplicateSuppressor()
        /// Nil if there is no audit log.
        var audit: LineBudget?
        /// User and event name of the failures that had a line within the hour.
        var named = HourlySet(capacity: 8192)
        var subjects = HourlySet(capacity: 4096)
        private var time: Int64

        init(at now: MonotonicTime) { time = now.milliseconds }

        /// The current time in milliseconds; never goes back. Threads read the clock before they
        /// wait for the lock, so times can arrive out of order, and each would restart a limit.
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

    /// Which of the two logs accept a line.
    struct Verdict {
        var isForLog: Bool
        /// Nil if the audit log does not accept it.
        var audit: LineBudget.Admission?
    }

    /// - Parameters:
    ///   - isForLog: The levels of the log accept the line.
    ///   - isForAudit: The level of the audit log accepts it.
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
                // The first line of a user in an hour is written, however many others there are.
                let isFirstOfUser =
                    source.user.map { user in
                        let key = LogSource.hash(SuppressedLines.hash(name), user)
                        return state.named.insert(key, at: now / 1000)
                    } ?? false
                if isForAudit {
                    verdict.audit = state.audit?.admit(
                        name, source, level, area, isFirstOfUser: isFirstOfUser,
                        isReserved: !passes, at: now)
                }
                verdict.isForLog = passes || isFirstOfUser
            }
            // Every line of the audit log is also in the log.
            verdict.isForLog = isForLog && (verdict.isForLog || verdict.audit != nil)
            if isForLog, !verdict.isForLog { state.log.add(name, source, level, area, at: now) }
            return verdict
        }
    }

    /// Corrects the charge of a line that the audit log admitted.
    /// - Parameter byteCount: Of the complete line; 0 if it was not written.
    func charge(
        _ admission: LineBudget.Admission, _ source: LogSource?, byteCount: Int,
        at now: MonotonicTime
    ) {
        state.withLock { state in
            let now = state.advance(to: now)
            state.audit?.charge(admission, source, byteCount: byteCount, at: now)
        }
    }

    /// Whether this is the first event about its subject in an hour.
    func isFirst(of subject: UInt64, at now: MonotonicTime) -> Bool {
        state.withLock { state in
            let now = state.advance(to: now)
            return state.subjects.insert(subject, at: now / 1000)
        }
    }

    /// Removes and returns the summaries that are due, or all of them.
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

    /// The number of lines suppressed since the start.
    var suppressed: (log: UInt64, audit: UInt64) {
        state.withLock { ($0.log.suppressed.total, $0.audit?.suppressed.total ?? 0) }
    }
}

extension MonotonicTime {
    fileprivate var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

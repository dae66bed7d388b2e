import HTTP
import Logging
import Metrics
import POSIX

/// An event of the security area. Recording it also increments its counter, so the log and the
/// metrics agree.
protocol SecurityEvent: LogEvent {
    func count(in counters: SecurityCounters)
}

/// Records security events in the log and in the counters.
package struct SecurityLog: Sendable {
    package let log: Logger
    package let counters: SecurityCounters
    private let refuses: @Sendable () -> Bool

    /// - Parameter refusesUnrecorded: returns true if `log.on_failure` is `refuse`; may change at
    ///   run time.
    package init(
        _ log: Logger, counters: SecurityCounters = SecurityCounters(),
        refusesUnrecorded: @escaping @Sendable () -> Bool = { false }
    ) {
        self.log = log
        self.counters = counters
        refuses = refusesUnrecorded
    }

    func record(_ event: some SecurityEvent) {
        event.count(in: counters)
        log.record(event)
    }

    /// Whether the server runs in demo mode, where a login needs no password.
    var isDemo: Bool { log.tokensNeedNoPassword }

    /// True if `log.on_failure` is `refuse`. State changes must then be logged before they are
    /// made: otherwise a client gets 503 although its token was rotated, and its retry looks like a
    /// replay.
    var requiresDurableRecord: Bool { refuses() }

    /// Marks a response that grants or withdraws access. Depending on `log.durability`, it waits
    /// until its event is on disk.
    func syncedIfConfigured(_ response: Response) -> Response {
        log.syncsAccessChanges ? response.synced : response
    }

    /// Records an event and writes it to the log.
    /// - Returns: nil if it was written, else the error. The event is then written later, when the
    ///   log can be written again; the caller must record another event that says that the change
    ///   was not made.
    func recordAndFlush(_ event: some SecurityEvent) -> Errno? {
        // Any line that is dropped from here on may be this one.
        var mark = log.droppedLines
        record(event)
        if case .failed(let error) = log.commit(since: &mark) { return error }
        return nil
    }
}

/// The numbers of security events since the start.
package final class SecurityCounters: Sendable {
    package let tokensIssued = Counter()
    package let tokensRefreshed = Counter()
    package let tokensVerified = Counter()
    package let tokensReused = Counter()
    package let tokensShared = Counter()
    /// By reason, in the order of the log's documentation.
    package let tokensRejected = ReasonCounters([
        "missing", "malformed", "too_long", "not_canonical", "alg_not_allowed", "unknown_kid",
        "crit", "bad_signature", "claims", "expired", "not_yet_valid", "wrong_issuer",
        "wrong_audience", "session_expired", "unknown_user",
    ])
    package let loginsSucceeded = Counter()
    package let loginsFailed = ReasonCounters([
        "unsupported_media_type", "length_required", "body_too_large", "invalid_json",
        "invalid_user_id",
        "unknown_user", "wrong_user", "wrong_password", "disabled", "revoked_meanwhile",
    ])
    package let lockouts = Counter()
    package let unlocks = Counter()
    package let loginsThrottled = ReasonCounters(["account", "address", "session"])
    package let crossSite = ReasonCounters(["fetch_site", "origin", "repeated_field"])
    package let logouts = Counter()
    package let revocations = Counter()

    package init() {}
}

/// Counters for a closed set of reasons.
package final class ReasonCounters: Sendable {
    package let all: [(reason: StaticString, counter: Counter)]
    private let others = Counter()

    init(_ reasons: [StaticString]) { all = reasons.map { ($0, Counter()) } }

    func add(_ reason: StaticString) {
        // Compare contents, not addresses: equal literals may be stored more than once.
        for (known, counter) in all where Self.isEqual(known, reason) { return counter.add() }
        assertionFailure("\(reason) is not among the reasons that are counted")
        others.add()
    }

    private static func isEqual(_ a: StaticString, _ b: StaticString) -> Bool {
        guard a.utf8CodeUnitCount == b.utf8CodeUnitCount else { return false }
        // Sound: a literal's bytes exist as long as the program runs, and their number is
        // `utf8CodeUnitCount`.
        return unsafe UnsafeBufferPointer(start: a.utf8Start, count: a.utf8CodeUnitCount)
            .elementsEqual(
                UnsafeBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
    }
}

import HTTP
import Logging
import Metrics
import POSIX

/// An event of the security area, which is counted where it is recorded: the two never tell different
/// stories.
protocol SecurityEvent: LogEvent {
    func count(in counters: SecurityCounters)
}

/// Where security events go: a line in the log, and one more in the counters.
package struct SecurityLog: Sendable {
    package let log: Logger
    package let counters: SecurityCounters
    private let refuses: @Sendable () -> Bool

    /// - Parameter refusesUnrecorded: whether nobody is told of what could not be written.
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

    /// Whether anyone can log in as anyone.
    var isDemo: Bool { log.tokensNeedNoPassword }

    /// Whether nobody is told of what could not be written. Then what changes more than an answer says has
    /// to be written before it is done: nobody would know of it, and be taken for a thief perhaps.
    var requiresDurableRecord: Bool { refuses() }

    /// A response that says who may come in from now on. Where the operator wants it (`log.durability`),
    /// it waits until its event is on the disk.
    func deciding(_ response: Response) -> Response {
        log.syncsPivotal ? response.synced : response
    }

    /// Records an event and has it written.
    /// - Returns: why it could not be; then it stands in the log once that can be written, and behind it
    ///   has to stand that nothing came of it.
    func recordAndFlush(_ event: some SecurityEvent) -> Errno? {
        // If any line is lost meanwhile, it may be this one.
        var mark = log.droppedLines
        record(event)
        if case .failed(let error) = log.commit(since: &mark) { return error }
        return nil
    }
}

/// How often each thing has happened since the start.
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

/// A counter for each reason of a closed set.
package final class ReasonCounters: Sendable {
    package let all: [(reason: StaticString, counter: Counter)]
    private let others = Counter()

    init(_ reasons: [StaticString]) { all = reasons.map { ($0, Counter()) } }

    func add(_ reason: StaticString) {
        // Literals of one spelling may stand at several places.
        for (known, counter) in all where Self.isEqual(known, reason) { return counter.add() }
        assertionFailure("\(reason) is not among the reasons that are counted")
        others.add()
    }

    private static func isEqual(_ a: StaticString, _ b: StaticString) -> Bool {
        guard a.utf8CodeUnitCount == b.utf8CodeUnitCount else { return false }
        // Sound: a literal's bytes live as long as the program, and are as many as it says.
        return unsafe UnsafeBufferPointer(start: a.utf8Start, count: a.utf8CodeUnitCount)
            .elementsEqual(
                UnsafeBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
    }
}

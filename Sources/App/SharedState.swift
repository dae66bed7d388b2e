import Auth
import Logging
import Metrics
import POSIX
import Revocation
import Server
import Synchronization
import Time

/// What outlives a reload: everything that remembers.
struct SharedState: Sendable {
    let log: Logger
    let security: SecurityLog
    let revocations: Revocations
    let sessions = SessionList()
    let throttle: LoginThrottle
    let users = UserStore()
    let exchangeOrigins = ExchangeOrigins()
    let refreshLimit = RefreshLimit()
    let refreshLimitInACrowd = RefreshLimit(RefreshLimit.perUserUnderPressure)
    let requests = RequestMetricsMiddleware.table()
    let clock: WallClock
    let isStopping = AtomicFlag()
    /// `log.on_failure` is `refuse`.
    let requiresDurableRecord: AtomicFlag
    /// There is somebody who asks for the counts.
    let countsRequests: Bool
    let callbacks = ApplicationCallbacks()

    /// - Throws: why the journal cannot be used.
    init(
        _ configuration: Configuration, _ log: Logger, _ clock: WallClock
    ) throws(RevocationsError) {
        self.log = log
        self.clock = clock
        revocations = try Revocations(
            path: configuration.revocationJournal, at: clock.now(),
            guarded: configuration.journalGuard())
        countsRequests = configuration.admin.metrics != nil
        throttle = Self.throttle(configuration)
        let refusesUnrecorded = AtomicFlag(configuration.onLogFailure == .refuse)
        self.requiresDurableRecord = refusesUnrecorded
        security = SecurityLog(log, refusesUnrecorded: { refusesUnrecorded.isSet })
    }

    /// With as many places as this machine can hash passwords for.
    private static func throttle(_ configuration: Configuration) -> LoginThrottle {
        let login = configuration.login
        guard login.mode == .password else { return LoginThrottle(login.throttle) }
        return LoginThrottle(
            login.throttle,
            places: LoginThrottle.places(
                for: login.throttle, hashers: configuration.server.cpuBoundWork.maximumConcurrent,
                hashing: PasswordVerifier.hashTime(iterations: login.iterations)))
    }
}

/// A yes or no that several threads look at.
final class AtomicFlag: Sendable {
    private let flag: Atomic<Bool>

    init(_ isSet: Bool = false) { flag = Atomic(isSet) }

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set(_ value: Bool = true) { flag.store(value, ordering: .relaxed) }
    /// - Returns: what it was.
    func exchange(_ value: Bool) -> Bool {
        flag.exchange(value, ordering: .acquiringAndReleasing)
    }
}

/// How a handler reaches the house around it, which is made after the handlers are.
final class ApplicationCallbacks: Sendable {
    private struct Answers {
        var reload: @Sendable () -> AdminEndpoints.ReloadOutcome = { .nothingToRead }
        var hashUpgraded: @Sendable () -> Void = {}
        var changeLevel: @Sendable (Area?, Level) -> Void = { _, _ in }
        var metrics: @Sendable () -> [UInt8] = { [] }
    }

    private let answers = Monitor(Answers())

    func connect(
        reload: @escaping @Sendable () -> AdminEndpoints.ReloadOutcome,
        hashUpgraded: @escaping @Sendable () -> Void,
        changeLevel: @escaping @Sendable (Area?, Level) -> Void,
        metrics: @escaping @Sendable () -> [UInt8]
    ) {
        answers.withLock {
            $0 = Answers(
                reload: reload, hashUpgraded: hashUpgraded, changeLevel: changeLevel,
                metrics: metrics)
        }
    }

    func reload() -> AdminEndpoints.ReloadOutcome { answers.withLock { $0.reload }() }
    func hashUpgraded() { answers.withLock { $0.hashUpgraded }() }
    func changeLevel(_ area: Area?, _ level: Level) {
        answers.withLock { $0.changeLevel }(area, level)
    }
    func metrics() -> [UInt8] { answers.withLock { $0.metrics }() }
}

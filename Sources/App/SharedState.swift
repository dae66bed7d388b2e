import Auth
import Logging
import Metrics
import POSIX
import Revocation
import Server
import Synchronization
import Time

/// The state that survives a reload.
struct SharedState: Sendable {
    let log: Logger
    let security: SecurityLog
    let revocations: Revocations
    let sessions = SessionList()
    let throttle: LoginThrottle
    let users = UserStore()
    let exchangeOrigins = ExchangeOrigins()
    let refreshLimit = RefreshLimit()
    let refreshLimitPerUser = RefreshLimit(RefreshLimit.perUserUnderPressure)
    let requests = RequestMetricsMiddleware.table()
    let clock: WallClock
    let isStopping = AtomicFlag()
    /// Whether `log.on_failure` is `refuse`.
    let requiresDurableRecord: AtomicFlag
    /// Whether requests are counted: only with a metrics listener.
    let countsRequests: Bool
    let callbacks = ApplicationCallbacks()

    /// Opens the journal of revocations, and reads it.
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
        let requiresDurableRecord = AtomicFlag(configuration.onLogFailure == .refuse)
        self.requiresDurableRecord = requiresDurableRecord
        security = SecurityLog(log, refusesUnrecorded: { requiresDurableRecord.isSet })
    }

    /// A throttle whose tables are large enough for the number of passwords that this machine can
    /// hash.
    private static func throttle(_ configuration: Configuration) -> LoginThrottle {
        let login = configuration.login
        guard login.mode == .password else { return LoginThrottle(login.throttle) }
        return LoginThrottle(
            login.throttle,
            places: LoginThrottle.capacity(
                for: login.throttle, hashers: configuration.server.cpuBoundWork.maximumConcurrent,
                hashing: PasswordVerifier.hashTime(iterations: login.iterations)))
    }
}

/// A Boolean that several threads read and write, with relaxed ordering.
final class AtomicFlag: Sendable {
    private let flag: Atomic<Bool>

    init(_ isSet: Bool = false) { flag = Atomic(isSet) }

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set(_ value: Bool = true) { flag.store(value, ordering: .relaxed) }
    /// - Returns: the previous value.
    func exchange(_ value: Bool) -> Bool {
        flag.exchange(value, ordering: .acquiringAndReleasing)
    }
}

/// Callbacks from handlers to the application. The application is created after the handlers are,
/// and installs them then; until that they do nothing.
final class ApplicationCallbacks: Sendable {
    private struct Callbacks {
        var reload: @Sendable () -> AdminEndpoints.ReloadOutcome = { .nothingToRead }
        var hashUpgraded: @Sendable () -> Void = {}
        var changeLevel: @Sendable (Area?, Level) -> Void = { _, _ in }
        var metrics: @Sendable () -> [UInt8] = { [] }
    }

    private let callbacks = Monitor(Callbacks())

    func connect(
        reload: @escaping @Sendable () -> AdminEndpoints.ReloadOutcome,
        hashUpgraded: @escaping @Sendable () -> Void,
        changeLevel: @escaping @Sendable (Area?, Level) -> Void,
        metrics: @escaping @Sendable () -> [UInt8]
    ) {
        callbacks.withLock {
            $0 = Callbacks(
                reload: reload, hashUpgraded: hashUpgraded, changeLevel: changeLevel,
                metrics: metrics)
        }
    }

    func reload() -> AdminEndpoints.ReloadOutcome { callbacks.withLock { $0.reload }() }
    func hashUpgraded() { callbacks.withLock { $0.hashUpgraded }() }
    func changeLevel(_ area: Area?, _ level: Level) {
        callbacks.withLock { $0.changeLevel }(area, level)
    }
    func metrics() -> [UInt8] { callbacks.withLock { $0.metrics }() }
}

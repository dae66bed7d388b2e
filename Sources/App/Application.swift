import Auth
import Dispatch
import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Server
import Time

/// The composition root: it turns a configuration into running servers. The modules that it
/// connects do not know each other: the server gets the log as closures, and the routes as
/// handlers.
///
/// State that survives a reload is created once (`SharedState`). What depends on the configuration
/// alone is created again at each reload (`Routes`), and replaces the routes of the servers.
package final class Application: Sendable {
    package static let version = "0.1.0"
    /// How often expired revocations and sessions are removed, in seconds.
    private static let sweepInterval = 60

    package let server: HTTPServer
    /// The administration server, on a Unix domain socket; nil if there is none.
    private let admin: HTTPServer?
    private let metrics: HTTPServer?
    private let shared: SharedState
    private let source: ConfigurationLocation?
    private let limits: StartLimits
    private let started: Timestamp
    /// The configuration of the start. Settings that need a restart keep its values.
    private let initial: Configuration
    private let state: Monitor<State>
    /// Runs one reload at a time, and never on a worker.
    private let reloads = DispatchQueue(label: "gatehouse.reload")
    private let upgradeIsPending = AtomicFlag()
    private let hasFinished = AtomicFlag()
    private let timers = Monitor<[any DispatchSourceTimer]>([])
    private let manager: ServiceNotifier?

    private struct State {
        /// The current configuration.
        var configuration: Configuration
        var users: UserDirectory
        /// The current levels. An operator can change them until the next reload.
        var level: Level
        var areas: [Area: Level]

        init(_ configuration: Configuration, _ users: UserDirectory) {
            self.configuration = configuration
            self.users = users
            level = configuration.log.level
            areas = configuration.log.areas
        }
    }

    /// The source from which a reload reads the configuration.
    package struct ConfigurationLocation: Sendable {
        /// Path of the file; nil for none.
        let file: String?
        let environment: [String: String]

        package init(file: String?, environment: [String: String]) {
            self.file = file
            self.environment = environment
        }
    }

    /// Opens the log, the journal and the listeners. `start` begins to serve.
    /// - Parameters:
    ///   - source: nil if the configuration cannot be read again.
    ///   - inherited: sockets to serve in place of configured addresses.
    ///   - manager: receives readiness, reload and watchdog messages; nil without a service
    ///     manager.
    /// - Throws: the first part that could not be opened. Those opened before are closed again.
    package convenience init(
        _ configured: Configuration, source: ConfigurationLocation? = nil,
        inherited: [InheritedSocket] = [],
        manager: ServiceNotifier? = nil, clock: WallClock = .system
    ) throws(StartError) {
        try self.init(
            configured, source: source, inherited: inherited, limits: .none, manager: manager,
            clock: clock)
    }

    /// - Parameter limits: the limits that a reloaded configuration is reduced to.
    init(
        _ configured: Configuration, source: ConfigurationLocation?, inherited: [InheritedSocket],
        limits: StartLimits, manager: ServiceNotifier?, clock: WallClock = .system
    ) throws(StartError) {
        let listeners = InheritedListeners(inherited)
        let problems = listeners.problems(configured)
        guard problems.isEmpty else { throw .inherited(problems) }
        let configuration = listeners.serving(configured)
        let (users, shared) = try Self.foundation(configuration, clock)
        do throws(StartError) {
            let routes = Routes(configuration, users, shared)
            server = try Self.listen(
                configuration.publicOptions, listeners.publicSockets, routes.routes, shared)
            admin = try configuration.adminOptions.map { options throws(StartError) in
                try Self.listen(options, listeners.admin, routes.adminRoutes, shared)
            }
            metrics = try configuration.metricsOptions.map { options throws(StartError) in
                try Self.listen(options, listeners.metrics, routes.metricsRoutes, shared)
            }
            self.shared = shared
        } catch {
            _ = shared.log.stop()
            throw error
        }
        self.source = source
        self.limits = limits
        self.manager = manager
        started = clock.now()
        initial = configuration
        state = Monitor(State(configuration, users))
        installCallbacks()
        announce(configuration, users)
    }

    package var url: String { "http://\(server.address.urlHost):\(server.address.port)" }

    package func start() {
        shared.log.startMaintenance()
        for server in [server, admin, metrics] { server?.start() }
        every(.seconds(Self.sweepInterval), leeway: .seconds(1), "sweep") { [shared] in
            shared.revocations.removeExpired(at: shared.clock.now())
            shared.sessions.removeExpired(at: shared.clock.now())
        }
        if let manager, let interval = manager.watchdog {
            let watchdog = Watchdog(
                checkLiveness: { [weak self] answered in self?.checkLiveness(answered) },
                notify: { manager.notify(.alive) })
            watchdog.tick()
            every(
                .milliseconds(Int(interval.milliseconds / 2)), leeway: .milliseconds(1), "watchdog"
            ) {
                watchdog.tick()
            }
        }
        manager?.notify(.ready(status: "Listening on \(url)"))
    }

    private func every(
        _ interval: DispatchTimeInterval, leeway: DispatchTimeInterval, _ name: String,
        _ body: @escaping @Sendable () -> Void
    ) {
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "gatehouse.\(name)"))
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: leeway)
        timer.setEventHandler(handler: body)
        timer.resume()
        timers.withLock { $0.append(timer) }
    }

    /// Calls `answered` once every worker of every server has answered, one server after the other.
    private func checkLiveness(_ answered: @escaping @Sendable () -> Void) {
        // Workers that have stopped read no messages. The time of a stop is limited in any case.
        guard !shared.isStopping.isSet else { return answered() }
        server.checkLiveness { [admin, metrics] in
            guard let admin else { return metrics?.checkLiveness(answered) ?? answered() }
            admin.checkLiveness { metrics?.checkLiveness(answered) ?? answered() }
        }
    }

    /// Installs a signal handler that completes the log if the process crashes. To be called for at
    /// most one application of a process.
    package func installCrashHandler() { shared.log.installCrashReport() }

    /// Stops serving: completes the requests in progress for at most the drain timeout, completes
    /// the log, and returns.
    /// - Returns: the number of lines of the log that could not be written.
    package func stop() -> Int {
        shared.isStopping.set()
        // A reload in progress still notifies the service manager.
        reloads.sync {}
        manager?.notify(.stopping(longestStop))
        // All servers at the same time, so that the drain timeout passes only once.
        let otherStops = DispatchGroup()
        for other in [admin, metrics].compactMap(\.self) {
            DispatchQueue.global().async(group: otherStops) { other.stop() }
        }
        let isClean = server.stop()
        otherStops.wait()
        timers.withLock { timers in
            for timer in timers { timer.cancel() }
            timers = []
        }
        // Also writes revocations whose write failed before: the disk may have space again.
        shared.revocations.removeExpired(at: shared.clock.now())
        manager?.finish()
        return finish(isClean: isClean)
    }

    /// Completes the log. It may be called from another thread while `stop` is blocked.
    /// - Parameter isClean: whether all connections ended by themselves.
    /// - Returns: the number of lines of the log that could not be written.
    func finish(isClean: Bool) -> Int {
        if !hasFinished.exchange(true) { shared.log.record(Stopped(isClean: isClean)) }
        return shared.log.stop()
    }

    /// Closes all remaining connections, so that a stop in progress does not wait for them.
    func closeConnections() {
        for server in [server, admin, metrics] { server?.abandon() }
    }

    /// How long a stop waits for requests in progress.
    var drainTimeout: TimeAmount { state.withLock { $0.configuration.server.drainTimeout } }

    /// How long a stop may take: the drain timeout and 20 seconds for a slow disk. The default
    /// drain timeout is the minimum.
    private var longestStop: TimeAmount {
        TimeAmount(
            milliseconds: max(drainTimeout, ServerOptions().drainTimeout).milliseconds + 20_000)
    }

    /// Opens the log's path again, after the file was moved away.
    package func reopenLog() {
        do throws(Errno) {
            // The log itself records this, in the first line of the new file.
            try shared.log.reopen()
        } catch {
            shared.log.record(LogFailed(reason: "cannot reopen: \(error.description)"))
            _ = shared.log.commit()
        }
    }
}

// MARK: - Starting

extension Application {
    package enum StartError: Error, Sendable {
        /// A log file cannot be opened.
        case log(path: String, LogOpenError)
        /// The journal of revocations cannot be read.
        case revocations(path: String, RevocationsError)
        /// The users file cannot be read.
        case users([ConfigurationProblem])
        /// Files of the log or the journal that are not regular, or that another account could
        /// change.
        case places([ConfigurationProblem])
        /// An inherited socket cannot be served.
        case inherited([ConfigurationProblem])
        /// The server cannot listen on the address.
        case listen(SocketAddress, Errno)

        /// The messages, one for each problem.
        package var messages: [String] {
            switch self {
            case .log(let path, .audit(let error)):
                [Self.message(path, error, setting: "log.audit.path")]
            case .log(let path, let error):
                [Self.message(path, error, setting: "log.file.path")]
            case .revocations(let path, let error): ["the journal \(path) \(error.sentence)"]
            case .users(let problems), .inherited(let problems), .places(let problems):
                problems.map(\.description)
            case .listen(let address, let error): [address.message(for: error)]
            }
        }

        private static func message(
            _ path: String, _ error: LogOpenError, setting: String
        ) -> String {
            switch error {
            case .failed(let error): "cannot open the log \(path): \(error.description)"
            case .isNotRegular(let kind):
                "\(setting): \(path) is \(kind); the log must be a regular file: write another path"
            case .notALog:
                "\(setting): \(path) is not a log; move it away, or write another path"
            case .inUse(let owner):
                "the log \(path) is in use by another process"
                    + (owner.map { " (\($0))" } ?? "")
            case .audit(let error): message(path, error, setting: setting)
            }
        }
    }

    /// Opens everything that a start opens before the listeners.
    private static func foundation(
        _ configuration: Configuration, _ clock: WallClock
    ) throws(StartError) -> (UserDirectory, SharedState) {
        // Before the log is opened: a start that fails here must not leave lines in it.
        let users = try users(of: configuration)
        let misplaced = ServicePlaces(configuration).problems
        guard misplaced.isEmpty else { throw .places(misplaced) }
        let log: Logger
        do throws(LogOpenError) {
            log = try Logger(SealKeys.logOptions(configuration), clock: clock)
        } catch {
            var path = configuration.log.path
            if case .audit = error { path = configuration.log.audit?.path ?? path }
            throw .log(path: path, error)
        }
        do throws(StartError) {
            let shared = try sharedState(configuration, log, clock)
            shared.users.set(users)
            return (users, shared)
        } catch {
            _ = log.stop()
            throw error
        }
    }

    /// Opens everything that a start opens except the listeners, and closes it again.
    /// - Throws: what a start would throw.
    package static func rehearse(_ configuration: Configuration) throws(StartError) {
        let (users, shared) = try foundation(configuration, .system)
        _ = Routes(configuration, users, shared)
        _ = shared.log.stop()
    }

    private static func sharedState(
        _ configuration: Configuration, _ log: Logger, _ clock: WallClock
    ) throws(StartError) -> SharedState {
        do throws(RevocationsError) {
            return try SharedState(configuration, log, clock)
        } catch {
            if error.isLoss { log.record(RevocationsLost(error: error)) }
            throw .revocations(path: configuration.revocationJournal ?? "", error)
        }
    }

    private static func users(of configuration: Configuration) throws(StartError) -> UserDirectory {
        do throws(Configuration.Invalid) {
            return try configuration.readUsers()
        } catch {
            throw .users(error.problems)
        }
    }

    private static func listen(
        _ options: ServerOptions, _ inherited: [InheritedSocket], _ routes: RouteTable,
        _ shared: SharedState
    ) throws(StartError) -> HTTPServer {
        do throws(Errno) {
            return try HTTPServer(
                options, inherited: inherited, routes: routes, hooks: hooks(shared))
        } catch {
            throw .listen(options.address, error)
        }
    }

    private static func hooks(_ shared: SharedState) -> ServerHooks {
        let (log, requiresDurableRecord) = (shared.log, shared.requiresDurableRecord)
        return ServerHooks(
            commit: { mark in
                log.commit(since: &mark) == .written || !requiresDurableRecord.isSet
            },
            synchronize: { done in
                log.synchronize { done($0 == .written || !requiresDurableRecord.isSet) }
            },
            refused: { refusal in
                log.record(
                    RequestRejected(
                        reason: refusal.reason, status: refusal.status,
                        origin: Origin(client: refusal.client, id: refusal.id)))
            },
            acceptFailed: { error in
                log.record(AcceptFailed(error: error.description))
                // There may be no response whose commit would write this event.
                _ = log.commit()
            })
    }

    private func installCallbacks() {
        shared.callbacks.connect(
            reload: { [weak self] in self?.reload() ?? .nothingToRead },
            hashUpgraded: { [weak self] in
                // A pending rebuild will include this hash.
                guard let self, !upgradeIsPending.exchange(true) else { return }
                reloads.async { self.rebuildAfterHashUpgrade() }
            },
            changeLevel: { [weak self] area, level in self?.changeLevel(of: area, to: level) },
            metrics: { [weak self] in self?.metricsText() ?? [] })
    }

    private func announce(_ configuration: Configuration, _ users: UserDirectory) {
        let log = shared.log
        let warnings = configuration.warnings + Configuration.likenessWarnings(users)
        for warning in warnings { log.record(ConfigurationWarning(problem: warning)) }
        let torn = shared.revocations.start.tornBytes
        if torn > 0 { log.record(JournalRepaired(byteCount: torn)) }
        let proof = shared.revocations.start.proof
        if proof != .proven { log.record(RevocationsUnproven(proof: proof)) }
        log.record(
            Started(
                version: Self.version, processID: processID(), digest: configuration.digest,
                url: url))
        _ = log.commit()
    }
}

// MARK: - Reloading

extension Application {
    /// Reads the configuration and the users again. If all of it is valid it takes effect, else
    /// nothing changes. The log records the outcome.
    @discardableResult
    func reload() -> AdminEndpoints.ReloadOutcome {
        reloads.sync {
            guard !shared.isStopping.isSet else { return .nothingToRead }
            // Without a configuration file too: systemd waits for this message after it has sent
            // SIGHUP.
            manager?.notify(.reloading(.now))
            let outcome = read()
            let note =
                if case .invalid = outcome { "; the last reload failed, see the log" } else { "" }
            manager?.notify(.ready(status: "Listening on \(url)\(note)"))
            return outcome
        }
    }

    private func read() -> AdminEndpoints.ReloadOutcome {
        guard let source else { return .nothingToRead }
        let old = state.withLock { $0.configuration }
        do throws(Configuration.Invalid) {
            var new = try Configuration.load(
                file: source.file, environment: source.environment)
            keepFixedSettings(to: old, in: &new)
            new.warnings += limits.fitReload(&new)
            let users = try new.readUsers()
            return apply(new, users, replacing: old)
        } catch {
            for problem in error.problems {
                shared.log.record(ConfigurationReloadFailed(problem: problem))
            }
            _ = shared.log.commit()
            return .invalid(error.problems)
        }
    }

    /// Keeps settings that a running process cannot change safely.
    private func keepFixedSettings(to old: Configuration, in new: inout Configuration) {
        // demo to password would keep accepting tokens that were issued without a password;
        // password to demo would open the server to everyone.
        new.login.mode = initial.login.mode
        // A random key stays for the whole run, and configured keys are not replaced by one: the
        // choice decides at the start whether there is a journal of revocations.
        if initial.keysAreTemporary || new.keysAreTemporary {
            new.keys = old.keys
            new.keysAreTemporary = initial.keysAreTemporary
        }
    }

    /// Settings that take effect at the next start: those that need a restart and differ from the
    /// configuration of the start.
    private func pendingRestart(_ new: Configuration) -> [String] {
        initial.changes(to: new).filter { name in
            Configuration.needsRestart(name)
                || name.hasPrefix("token.keys") && (initial.keysAreTemporary || !new.namesKeys)
        }
    }

    private func apply(
        _ new: Configuration, _ users: UserDirectory, replacing old: Configuration
    ) -> AdminEndpoints.ReloadOutcome {
        let waiting = pendingRestart(new)
        var changed = old.changes(to: new).filter { !waiting.contains($0) }
            .filter { !Configuration.needsRestart($0) }
        if users != state.withLock({ $0.users }) { changed.append("users") }
        shared.throttle.resetAfterPasswordChanges(
            users, replacing: shared.users.snapshot, at: shared.clock.now(), shared.security)
        shared.users.set(users)
        if !new.keysAreTemporary {
            shared.revocations.setStateKey(Configuration.stateKey(new.keys.signing.key))
        }
        let routes = Routes(new, users, shared)
        shared.throttle.options = new.login.throttle
        shared.requiresDurableRecord.set(new.onLogFailure == .refuse)
        if let error = shared.log.change(to: SealKeys.logOptions(new)) {
            shared.log.record(
                LogFailed(reason: "cannot seal with the new key: \(error.description)"))
        }
        // A worker that is blocked in a write picks up the new routes when it next reads its
        // mailbox.
        server.replace(routes: routes.routes, options: new.publicOptions)
        // Even if the new configuration has no socket: it stays open until the restart, and must
        // not accept the old keys until then.
        if let options = initial.adminOptions {
            admin?.replace(routes: routes.adminRoutes, options: options)
        }
        state.withLock { $0 = State(new, users) }
        for warning in new.warnings + Configuration.likenessWarnings(users) {
            shared.log.record(ConfigurationWarning(problem: warning))
        }
        for name in waiting {
            shared.log.record(
                ConfigurationWarning(
                    problem: ConfigurationProblem(
                        path: name, message: "takes effect at the next start")))
        }
        shared.log.record(ConfigurationReloaded(changed: changed))
        _ = shared.log.commit()
        return .reloaded(changed: changed, pendingRestart: waiting)
    }

    /// Creates the routes again with the password hashes that this process has upgraded. Other
    /// changes of the users file take effect at the next reload.
    private func rebuildAfterHashUpgrade() {
        _ = upgradeIsPending.exchange(false)
        guard !shared.isStopping.isSet else { return }
        let users = shared.users.snapshot
        let configuration = state.withLock { state in
            state.users = users
            return state.configuration
        }
        let routes = Routes(configuration, users, shared)
        server.replace(routes: routes.routes, options: configuration.publicOptions)
        if let options = initial.adminOptions {
            admin?.replace(routes: routes.adminRoutes, options: options)
        }
    }

    /// Changes a level until the next reload.
    /// - Parameter area: nil for all areas, including those with their own level.
    private func changeLevel(of area: Area?, to level: Level) {
        let log = shared.log
        let changes = state.withLock { state in
            let changes: [LevelChanged]
            if let area {
                changes = [
                    LevelChanged(
                        changed: area, from: state.areas[area] ?? state.level, to: level)
                ]
                state.areas[area] = level
            } else {
                changes =
                    [LevelChanged(changed: nil, from: state.level, to: level)]
                    + Area.allCases.compactMap { area in
                        state.areas[area].map {
                            LevelChanged(changed: area, from: $0, to: level)
                        }
                    }
                state.level = level
                state.areas = [:]
            }
            log.levels.set(all: state.level, areas: state.areas)
            // The level of the file must not remove the events that the operator asked for.
            log.levels.disableFileLevel(area.map { [$0] } ?? Area.allCases)
            return changes
        }
        for change in changes { log.record(change) }
        _ = log.commit()
    }

    private func metricsText() -> [UInt8] {
        MetricsPage(shared: shared, server: server, started: started).text()
    }
}

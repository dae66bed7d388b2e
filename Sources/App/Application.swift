import Auth
import Dispatch
import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Server
import Time

/// The composition root: a configuration in, running servers out. What meets here knows nothing of
/// each other: the server gets the log as a closure, the routes get handlers.
///
/// What remembers is made once (`LastingParts`). What follows from the configuration alone is made anew
/// whenever it is read (`Service`), and the servers are handed its routes.
package final class Application: Sendable {
    package static let version = "0.1.0"
    /// How often what nobody needs any more is forgotten.
    private static let sweepInterval = 60

    package let server: HTTPServer
    /// The administrator's, on a Unix domain socket.
    private let admin: HTTPServer?
    private let metrics: HTTPServer?
    private let parts: SharedState
    private let source: ConfigurationLocation?
    private let limits: StartLimits
    private let started: Timestamp
    /// The one it was begun with, in which some settings stay.
    private let first: Configuration
    private let state: Monitor<State>
    /// Reloads, one at a time, and never on a worker.
    private let reloads = DispatchQueue(label: "gatehouse.reload")
    private let upgradeIsPending = AtomicFlag()
    private let hasFinished = AtomicFlag()
    private let timers = Monitor<[any DispatchSourceTimer]>([])
    private let manager: ServiceNotifier?

    private struct State {
        /// The one in force.
        var configuration: Configuration
        var users: UserDirectory
        /// Levels, which can be changed by hand until the next reload.
        var level: Level
        var areas: [Area: Level]

        init(_ configuration: Configuration, _ users: UserDirectory) {
            self.configuration = configuration
            self.users = users
            level = configuration.log.level
            areas = configuration.log.areas
        }
    }

    /// Where a reload reads the configuration.
    package struct ConfigurationLocation: Sendable {
        let file: String?
        let environment: [String: String]

        package init(file: String?, environment: [String: String]) {
            self.file = file
            self.environment = environment
        }
    }

    /// Opens the log, the journal and the listeners; `start` begins to serve.
    /// - Parameters:
    ///   - source: nil for a configuration that cannot be read again.
    ///   - inherited: sockets that are served in place of configured addresses.
    ///   - manager: who is told how it is doing, if anybody wants to know.
    package convenience init(
        _ configured: Configuration, source: ConfigurationLocation? = nil,
        inherited: [InheritedSocket] = [],
        manager: ServiceNotifier? = nil, clock: WallClock = .system
    ) throws(StartError) {
        try self.init(
            configured, source: source, inherited: inherited, limits: .none, manager: manager,
            clock: clock)
    }

    /// - Parameter limits: what a reload has to fit into.
    init(
        _ configured: Configuration, source: ConfigurationLocation?, inherited: [InheritedSocket],
        limits: StartLimits, manager: ServiceNotifier?, clock: WallClock = .system
    ) throws(StartError) {
        let doors = InheritedListeners(inherited)
        let problems = doors.problems(configured)
        guard problems.isEmpty else { throw .inherited(problems) }
        let configuration = doors.serving(configured)
        let (users, parts) = try Self.foundation(configuration, clock)
        do throws(StartError) {
            let service = Routes(configuration, users, parts)
            server = try Self.listen(
                configuration.publicOptions, doors.publicSockets, service.routes, parts)
            admin = try configuration.adminOptions.map { options throws(StartError) in
                try Self.listen(options, doors.admin, service.adminRoutes, parts)
            }
            metrics = try configuration.metricsOptions.map { options throws(StartError) in
                try Self.listen(options, doors.metrics, service.metricsRoutes, parts)
            }
            self.parts = parts
        } catch {
            _ = parts.log.stop()
            throw error
        }
        self.source = source
        self.limits = limits
        self.manager = manager
        started = clock.now()
        first = configuration
        state = Monitor(State(configuration, users))
        installCallbacks()
        announce(configuration, users)
    }

    package var url: String { "http://\(server.address.urlHost):\(server.address.port)" }

    package func start() {
        parts.log.startKeepingUp()
        for server in [server, admin, metrics] { server?.start() }
        every(.seconds(Self.sweepInterval), leeway: .seconds(1), "sweep") { [parts] in
            parts.revocations.removeExpired(at: parts.clock.now())
            parts.sessions.removeExpired(at: parts.clock.now())
        }
        if let manager, let interval = manager.watchdog {
            let watchdog = Watchdog(
                ping: { [weak self] answered in self?.ping(answered) },
                tell: { manager.notify(.alive) })
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

    /// Asks every worker of every listener, one listener after the other.
    private func ping(_ answered: @escaping @Sendable () -> Void) {
        // Workers that have nothing left to do read no mail; how long that takes is limited anyway.
        guard !parts.isStopping.isSet else { return answered() }
        server.checkLiveness { [admin, metrics] in
            guard let admin else { return metrics?.checkLiveness(answered) ?? answered() }
            admin.checkLiveness { metrics?.checkLiveness(answered) ?? answered() }
        }
    }

    /// Has the log written to its end if the process dies of a fault of its own; for the one server of
    /// a process.
    package func installCrashHandler() { parts.log.installCrashReport() }

    /// Answers what was begun, writes the log to its end, and returns.
    /// - Returns: how many lines of the log could not be written.
    package func stop() -> Int {
        parts.isStopping.set()
        // One that is under way still has something to say.
        reloads.sync {}
        manager?.notify(.stopping(longestStop))
        // At once, so that a client that keeps its connection is waited for once.
        let sides = DispatchGroup()
        for side in [admin, metrics].compactMap(\.self) {
            DispatchQueue.global().async(group: sides) { side.stop() }
        }
        let isClean = server.stop()
        sides.wait()
        timers.withLock { timers in
            for timer in timers { timer.cancel() }
            timers = []
        }
        // What could not be written when it was asked for, perhaps can be now.
        parts.revocations.removeExpired(at: parts.clock.now())
        manager?.finish()
        return finish(isClean: isClean)
    }

    /// Writes the log to its end. May be called while `stop` hangs.
    /// - Returns: how many lines of the log could not be written.
    func finish(isClean: Bool) -> Int {
        if !hasFinished.exchange(true) { parts.log.record(Stopped(isClean: isClean)) }
        return parts.log.stop()
    }

    /// Closes all remaining connections at once, so that a stop in progress does not wait for them.
    func hasten() {
        for side in [server, admin, metrics] { side?.abandon() }
    }

    /// How long a stop lets clients end what they have begun.
    var drainTimeout: TimeAmount { state.withLock { $0.configuration.server.drainTimeout } }

    /// How long a stop may take: what the drain may, and what a disk may that is slow.
    private var longestStop: TimeAmount {
        TimeAmount(
            milliseconds: max(drainTimeout, ServerOptions().drainTimeout).milliseconds + 20_000)
    }

    /// Opens the log's path again, for whoever moved the file away.
    package func reopenLog() {
        do throws(Errno) {
            // Says so itself, in the first line of the new file.
            try parts.log.reopen()
        } catch {
            parts.log.record(LogFailed(reason: "cannot reopen: \(error.description)"))
            _ = parts.log.commit()
        }
    }
}

// MARK: - Beginning

extension Application {
    package enum StartError: Error, Sendable {
        /// The log file cannot be opened.
        case log(path: String, LogOpenError)
        /// The journal of what is revoked cannot be read.
        case revocations(path: String, RevocationsError)
        /// The users cannot be read.
        case users([ConfigurationProblem])
        /// Files of the log or the journal that are none, or that another account could change.
        case places([ConfigurationProblem])
        /// The sockets that were handed over are not what they should be.
        case inherited([ConfigurationProblem])
        /// The address cannot be listened on.
        case listen(SocketAddress, Errno)

        /// One for each problem.
        package var sentences: [String] {
            switch self {
            case .log(let path, .audit(let error)):
                [Self.sentence(path, error, setting: "log.audit.path")]
            case .log(let path, let error):
                [Self.sentence(path, error, setting: "log.file.path")]
            case .revocations(let path, let error): ["the journal \(path) \(error.sentence)"]
            case .users(let problems), .inherited(let problems), .places(let problems):
                problems.map(\.description)
            case .listen(let address, let error): [address.sentence(for: error)]
            }
        }

        private static func sentence(
            _ path: String, _ error: LogOpenError, setting: String
        ) -> String {
            switch error {
            case .failed(let error): "cannot open the log \(path): \(error.description)"
            case .isNotRegular(let kind):
                "\(path) is \(kind), and a log is a regular file; write another \(setting)"
            case .isNoLog:
                "\(path) is a file that is no log; move it away, or write another \(setting)"
            case .inUse(let owner):
                "the log \(path) is in use by another process"
                    + (owner.map { " (\($0))" } ?? "")
            case .audit(let error): sentence(path, error, setting: setting)
            }
        }
    }

    /// All that is opened before the listeners.
    private static func foundation(
        _ configuration: Configuration, _ clock: WallClock
    ) throws(StartError) -> (UserDirectory, SharedState) {
        // Before the log says that anything has begun.
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
            let parts = try parts(configuration, log, clock)
            parts.users.set(users)
            return (users, parts)
        } catch {
            _ = log.stop()
            throw error
        }
    }

    /// Opens all that a start opens but the listeners, and closes it again.
    package static func rehearse(_ configuration: Configuration) throws(StartError) {
        let (users, parts) = try foundation(configuration, .system)
        _ = Routes(configuration, users, parts)
        _ = parts.log.stop()
    }

    private static func parts(
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
        _ parts: SharedState
    ) throws(StartError) -> HTTPServer {
        do throws(Errno) {
            return try HTTPServer(
                options, inherited: inherited, routes: routes, hooks: hooks(parts))
        } catch {
            throw .listen(options.address, error)
        }
    }

    private static func hooks(_ parts: SharedState) -> ServerHooks {
        let (log, refusesUnrecorded) = (parts.log, parts.requiresDurableRecord)
        return ServerHooks(
            commit: { mark in log.commit(since: &mark) == .written || !refusesUnrecorded.isSet },
            synchronize: { done in
                log.synchronize { done($0 == .written || !refusesUnrecorded.isSet) }
            },
            refused: { refusal in
                log.record(
                    RequestRejected(
                        reason: refusal.reason, status: refusal.status,
                        origin: Origin(client: refusal.client, id: refusal.id)))
            },
            acceptFailed: { error in
                log.record(AcceptFailed(error: error.description))
                // There may be no response that it could be written with.
                _ = log.commit()
            })
    }

    private func installCallbacks() {
        parts.callbacks.connect(
            reload: { [weak self] in self?.reload() ?? .nothingToRead },
            hashUpgraded: { [weak self] in
                // One that is pending takes this along.
                guard let self, !upgradeIsPending.exchange(true) else { return }
                reloads.async { self.rebuildAfterHashUpgrade() }
            },
            changeLevel: { [weak self] area, level in self?.changeLevel(of: area, to: level) },
            metrics: { [weak self] in self?.metricsText() ?? [] })
    }

    private func announce(_ configuration: Configuration, _ users: UserDirectory) {
        let log = parts.log
        let warnings = configuration.warnings + Configuration.likenessWarnings(users)
        for warning in warnings { log.record(ConfigurationWarning(problem: warning)) }
        let torn = parts.revocations.start.tornBytes
        if torn > 0 { log.record(JournalRepaired(byteCount: torn)) }
        let proof = parts.revocations.start.proof
        if proof != .proven { log.record(RevocationsUnproven(proof: proof)) }
        log.record(
            Started(
                version: Self.version, processID: processID(), digest: configuration.digest,
                url: url))
        _ = log.commit()
    }
}

// MARK: - Changing

extension Application {
    /// Reads the configuration and the users again. All of it is right, and counts from now on, or
    /// nothing changes. Says in the log what came of it.
    @discardableResult
    func reload() -> AdminEndpoints.ReloadOutcome {
        reloads.sync {
            guard !parts.isStopping.isSet else { return .nothingToRead }
            // Also where there is nothing to read: who has sent a signal waits for this.
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
                parts.log.record(ConfigurationReloadFailed(problem: problem))
            }
            _ = parts.log.commit()
            return .invalid(error.problems)
        }
    }

    /// Keeps what a running process cannot change, and what makes no sense to change.
    private func keepFixedSettings(to old: Configuration, in new: inout Configuration) {
        // Passwords are asked for by a process from its beginning or not at all: a demo that turned into
        // more would take its visitors' tokens along, and one that is open to others must not become a
        // demo.
        new.login.mode = first.login.mode
        // A random key is good for the whole run, and nothing that it signed is kept for the next.
        if first.keysAreTemporary || new.keysAreTemporary {
            new.keys = old.keys
            new.keysAreTemporary = first.keysAreTemporary
        }
    }

    /// Settings that wait for a restart: what differs from the beginning, said for as long as it does.
    private func pendingRestart(_ new: Configuration) -> [String] {
        first.changes(to: new).filter { name in
            Configuration.needsRestart(name)
                || name.hasPrefix("token.keys") && (first.keysAreTemporary || !new.namesKeys)
        }
    }

    private func apply(
        _ new: Configuration, _ users: UserDirectory, replacing old: Configuration
    ) -> AdminEndpoints.ReloadOutcome {
        let waiting = pendingRestart(new)
        var changed = old.changes(to: new).filter { !waiting.contains($0) }
            .filter { !Configuration.needsRestart($0) }
        if users != state.withLock({ $0.users }) { changed.append("users") }
        parts.throttle.forgive(
            users, replacing: parts.users.snapshot, at: parts.clock.now(), parts.security)
        parts.users.set(users)
        if !new.keysAreTemporary {
            parts.revocations.setStateKey(Configuration.stateKey(new.keys.signing.key))
        }
        let service = Routes(new, users, parts)
        parts.throttle.options = new.login.throttle
        parts.requiresDurableRecord.set(new.onLogFailure == .refuse)
        if let error = parts.log.change(to: SealKeys.logOptions(new)) {
            parts.log.record(
                LogFailed(reason: "cannot seal with the new key: \(error.description)"))
        }
        // A worker that hangs in a write takes them when it reads its mail.
        server.replace(routes: service.routes, options: new.publicOptions)
        // Also where the new one has none: until the restart it is open, and must not judge by old keys.
        if let options = first.adminOptions {
            admin?.replace(routes: service.adminRoutes, options: options)
        }
        state.withLock { $0 = State(new, users) }
        for warning in new.warnings + Configuration.likenessWarnings(users) {
            parts.log.record(ConfigurationWarning(problem: warning))
        }
        for name in waiting {
            parts.log.record(
                ConfigurationWarning(
                    problem: ConfigurationProblem(
                        path: name, message: "takes effect at the next start")))
        }
        parts.log.record(ConfigurationReloaded(changed: changed))
        _ = parts.log.commit()
        return .reloaded(changed: changed, waiting: waiting)
    }

    /// The hashes that this process has replaced; what else has become of the users' file since waits for
    /// a reload.
    private func rebuildAfterHashUpgrade() {
        _ = upgradeIsPending.exchange(false)
        guard !parts.isStopping.isSet else { return }
        let users = parts.users.snapshot
        let configuration = state.withLock { state in
            state.users = users
            return state.configuration
        }
        let service = Routes(configuration, users, parts)
        server.replace(routes: service.routes, options: configuration.publicOptions)
        if let options = first.adminOptions {
            admin?.replace(routes: service.adminRoutes, options: options)
        }
    }

    /// Until the next reload.
    /// - Parameter area: nil for all, also those that have a level of their own.
    private func changeLevel(of area: Area?, to level: Level) {
        let log = parts.log
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
            // Or nobody would see it.
            log.levels.letThrough(area.map { [$0] } ?? Area.allCases)
            return changes
        }
        for change in changes { log.record(change) }
        _ = log.commit()
    }

    private func metricsText() -> [UInt8] {
        MetricsPage(parts: parts, server: server, started: started).text()
    }
}

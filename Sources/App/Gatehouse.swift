import Auth
import Crypto
import HTTP
import JWT
import Logging
import POSIX
import Server
import Synchronization
import Time

/// The composition root: a configuration in, a running server out. What meets here knows nothing of
/// each other: the server gets the log as a closure, the routes get handlers.
package final class Gatehouse: Sendable {
    package static let version = "0.1.0"

    package let server: HTTPServer
    private let log: Logger
    private let isStopping: StopFlag

    package enum StartError: Error, Sendable {
        /// The log file cannot be opened.
        case log(path: String, LogOpenError)
        /// The address cannot be listened on.
        case listen(SocketAddress, Errno)

        package var sentence: String {
            switch self {
            case .log(let path, .failed(let error)): "cannot open the log \(path): \(error.words)"
            case .log(let path, .inUse(let owner)):
                "the log \(path) is in use by another process"
                    + (owner.map { " (\($0))" } ?? "")
            case .listen(let address, let error):
                "cannot listen on \(address.urlHost):\(address.port): \(error.words)"
            }
        }
    }

    /// Opens the log and the listeners; `start` begins to serve.
    package init(
        _ configuration: Configuration, clock: WallClock = .system
    ) throws(StartError) {
        let log: Logger
        do throws(LogOpenError) {
            log = try Logger(SealKeys.completing(configuration), clock: clock)
        } catch {
            throw .log(path: configuration.log.path, error)
        }
        let isStopping = StopFlag()
        self.log = log
        self.isStopping = isStopping
        let mustBeOnRecord = configuration.onLogFailure == .refuse
        let hooks = ServerHooks(
            commit: { mark in log.commit(since: &mark) == .written || !mustBeOnRecord },
            refused: { refusal in
                log.record(
                    RequestRefused(
                        reason: refusal.reason, status: refusal.status,
                        origin: Origin(client: refusal.client, id: refusal.id)))
            },
            acceptFailed: { error in
                log.record(AcceptFailed(error: error.words))
                // There may be no response that it could be written with.
                _ = log.commit()
            })
        do throws(Errno) {
            server = try HTTPServer(
                configuration.server,
                routes: Self.routes(configuration, log, isStopping, clock), hooks: hooks)
        } catch {
            _ = log.stop()
            throw .listen(configuration.server.address, error)
        }
        for warning in configuration.warnings { log.record(ConfigurationWarning(problem: warning)) }
        log.record(
            Started(
                version: Self.version, processID: processID(), digest: configuration.digest,
                url: url))
        _ = log.commit()
    }

    package var url: String { "http://\(server.address.urlHost):\(server.address.port)" }

    package func start() {
        log.startKeepingUp()
        server.start()
    }

    /// Has the log written to its end if the process dies of a fault of its own; for the one server of
    /// a process.
    package func catchFaults() { log.installCrashReport() }

    /// Answers what was begun, writes the log to its end, and returns.
    /// - Returns: how many lines of the log could not be written.
    package func stop() -> Int {
        isStopping.set()
        let isClean = server.stop()
        log.record(Stopped(isClean: isClean))
        return log.stop()
    }

    /// Opens the log's path again, for whoever moved the file away.
    package func reopenLog() {
        do throws(Errno) {
            // Says so itself, in the first line of the new file.
            try log.reopen()
        } catch {
            log.record(LogFailed(reason: "cannot reopen: \(error.words)"))
            _ = log.commit()
        }
    }

    private static func routes(
        _ configuration: Configuration, _ log: Logger, _ isStopping: StopFlag, _ clock: WallClock
    ) -> RouteTable {
        let users = UserDirectory.demo
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let issuer = TokenIssuer(
            tokens, lifetime: configuration.tokenLifetime,
            sessionLifetime: configuration.sessionLifetime)
        let bearer = BearerAuthentication(
            tokens, users: users, log: log, clock: clock,
            fingerprintKey: configuration.keys.signing.key.derived(
                label: "gatehouse log fingerprint v1"),
            onRecord: configuration.verifiedTokens)
        let login = Login(issuer, log: log, clock: clock)
        let resource = Resource(users)
        let health = Health(checks: [
            ("log", { log.failure.map { "the log cannot be written: \($0.words)" } }),
            ("server", { isStopping.isSet ? "stopping" : nil }),
        ])
        var router = Router()
        // Demo logins only compute, so they stay on the worker.
        router.on(.post, "/login", login.respond)
        router.on(.get, "/resource", bearer.protecting(resource.respond))
        router.on(.get, "/health/live", health.live)
        router.on(.get, "/health/ready", health.ready)
        router.use(requestLog(log))
        return router.routes()
    }

    /// One `http_request` line for each request, where somebody asked for them.
    private static func requestLog(_ log: Logger) -> Middleware {
        { handler in
            { request in
                guard log.levels.isEnabled(.debug, .http) else { return handler(request) }
                let start = MonotonicTime.now
                let response = handler(request)
                let end = MonotonicTime.now
                log.record(
                    RequestAnswered(
                        request: request, status: response.status,
                        byteCount: response.content.count,
                        microseconds: (end.nanoseconds - start.nanoseconds) / 1000))
                return response
            }
        }
    }
}

/// Set once, when the process begins to stop.
private final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

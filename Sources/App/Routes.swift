import Auth
import Crypto
import HTTP
import JWT
import Logging
import Metrics
import POSIX
import Revocation
import Time

/// The routes of each listener, as a configuration defines them. Created again at each reload.
struct Routes: Sendable {
    let users: UserDirectory
    let routes: RouteTable
    let adminRoutes: RouteTable
    let metricsRoutes: RouteTable

    init(_ configuration: Configuration, _ users: UserDirectory, _ shared: SharedState) {
        self.users = users
        let (log, clock) = (shared.security, shared.clock)
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let issuer = TokenIssuer(
            tokens, lifetime: configuration.tokenLifetime,
            sessionLifetime: configuration.sessionLifetime)
        let fingerprintKey = configuration.keys.signing.key.derived(
            label: "gatehouse log fingerprint v1")
        let bearer = BearerAuthentication(
            tokens, users: users, revocations: shared.revocations, log: log, clock: clock,
            fingerprintKey: fingerprintKey, onRecord: configuration.verifiedTokens)
        let login = Login(
            Self.loginMode(configuration, users, shared, fingerprintKey), issuer,
            revocations: shared.revocations, sessions: shared.sessions, log: log, clock: clock)
        let refresh = Refresh(
            configuration.refresh, configuration.refreshGrace, bearer, issuer,
            revocations: shared.revocations, sessions: shared.sessions,
            origins: shared.exchangeOrigins, limit: shared.refreshLimit,
            crowdLimit: shared.refreshLimitPerUser, log: log, clock: clock)
        let logout = Logout(
            bearer, revocations: shared.revocations, sessions: shared.sessions, log: log,
            clock: clock, leeway: configuration.policy.leeway)
        let health = Self.health(shared)

        var router = Router()
        router.on(.post, "/login", inTwoSteps: login.respond)
        router.on(.get, "/resource", bearer.protecting(Resource(users).respond))
        router.on(.post, "/refresh", inTwoSteps: refresh.respond)
        router.on(.post, "/logout", inTwoSteps: logout.endSession)
        router.on(.post, "/logout/all", inTwoSteps: logout.endAll)
        router.onEveryMethod("/verify", bearer.protecting(Verify(users).respond))
        router.on(.get, "/health/live", health.live)
        router.on(.get, "/health/ready", health.ready)
        router.on(.get, "/openapi.json", OpenAPI(configuration).respond)
        let crossSite = CrossSitePolicy(allowing: configuration.allowedOrigins)
        router.refuseCrossSite(crossSite, by: CrossSiteRefusal(crossSite, log: log).respond)
        router.use(
            Self.requestLog(shared.log), inTwoSteps: Self.requestLogInTwoSteps(shared.log))
        // Requests are counted only if admin.metrics is configured.
        if shared.countsRequests {
            router.use(
                RequestMetricsMiddleware.middleware(shared.requests),
                inTwoSteps: RequestMetricsMiddleware.inTwoSteps(shared.requests))
        }
        routes = router.routes()

        adminRoutes = Self.adminRoutes(
            configuration, tokens, issuer, bearer, users, shared, fingerprintKey)
        var metrics = Router()
        metrics.on(.get, "/metrics") { _ in
            Response(
                .ok, text: shared.callbacks.metrics(), type: MetricsText.contentType)
        }
        metricsRoutes = metrics.routes()
    }

    private static func adminRoutes(
        _ configuration: Configuration, _ tokens: HS256, _ issuer: TokenIssuer,
        _ bearer: BearerAuthentication, _ users: UserDirectory, _ shared: SharedState,
        _ fingerprintKey: HMACSHA256.Key
    ) -> RouteTable {
        let introspection = Introspection(bearer, users: users, policy: configuration.policy)
        let revocation = AdminRevocation(
            tokens, users: users, revocations: shared.revocations, sessions: shared.sessions,
            log: shared.security, clock: shared.clock)
        let issue = AdminIssue(
            issuer, users: users, revocations: shared.revocations, sessions: shared.sessions,
            log: shared.security, clock: shared.clock)
        let endpoints = AdminEndpoints(
            sessions: shared.sessions, revocations: shared.revocations, clock: shared.clock,
            levels: shared.log.levels, changeLevel: shared.callbacks.changeLevel,
            head: { shared.log.head },
            reload: shared.callbacks.reload
        )
        var router = Router()
        router.on(.post, "/introspect", introspection.respond)
        router.on(.post, "/revoke", inTwoSteps: revocation.respond)
        router.on(.post, "/issue", issue.respond)
        router.on(.post, "/standing") { request in
            TokenStatus.respond(
                to: request, shared.revocations, users)
        }
        router.on(.get, "/sessions", endpoints.listSessions)
        router.on(.get, "/log-level", endpoints.showLevels)
        let locks = AdminLocks(
            shared.throttle, users: users, fingerprintKey: fingerprintKey, log: shared.security,
            clock: shared.clock)
        // Off the worker: listing the locks hashes the identifiers of every user.
        router.on(
            .get, "/locks",
            inTwoSteps: { request in
                .slow(.ioBound) { locks.list(request) }
            })
        router.on(.post, "/unlock", inTwoSteps: locks.unlock)
        router.on(.put, "/log-level", endpoints.setLevel)
        router.on(.get, "/log/head", endpoints.logHead)
        // Off the worker: a reload waits for all workers, including this one.
        router.on(
            .post, "/reload",
            inTwoSteps: { request in
                .slow(.ioBound) { endpoints.reload(request) }
            })
        router.use(requestLog(shared.log), inTwoSteps: requestLogInTwoSteps(shared.log))
        router.refuseContentCodings()
        return router.routes()
    }

    private static func loginMode(
        _ configuration: Configuration, _ users: UserDirectory, _ shared: SharedState,
        _ fingerprintKey: HMACSHA256.Key
    ) -> Login.Mode {
        switch configuration.login.mode {
        case .demo: return .demo
        case .password:
            let file = UsersFile(configuration.login.usersFile)
            return .password(
                PasswordLogin(
                    users, shared.users,
                    PasswordVerifier(users, iterations: configuration.login.iterations),
                    shared.throttle, fingerprintKey: fingerprintKey,
                    canUpgrade: { file.isWritable },
                    upgrade: { user, hash in
                        guard let old = user.password else { return }
                        // If the file cannot be written, the old hash stays valid.
                        if (try? file.replace(old, by: hash, of: user.id)) == true {
                            shared.users.upgrade(old, to: hash, of: user.id)
                            shared.callbacks.hashUpgraded()
                        }
                    }))
        }
    }

    private static func health(_ shared: SharedState) -> Health {
        Health(checks: [
            (
                "log",
                { shared.log.failure.map { "the log cannot be written: \($0.description)" } }
            ),
            (
                "revocations",
                {
                    shared.revocations.failure.map {
                        "the journal of revocations cannot be written: \($0.description)"
                    }
                }
            ),
            ("server", { shared.isStopping.isSet ? "stopping" : nil }),
        ])
    }

    /// Records an `http_request` event for each request if the http area is at DEBUG.
    private static func requestLog(_ log: Logger) -> Middleware {
        { handler in
            { request in
                guard log.levels.isEnabled(.debug, .http) else { return handler(request) }
                let start = MonotonicTime.now
                let response = handler(request)
                log.record(RequestCompleted(request, response, since: start))
                return response
            }
        }
    }

    /// The same for handlers that may return offloaded work. Its duration is part of the request's.
    private static func requestLogInTwoSteps(_ log: Logger) -> TwoStepMiddleware {
        { handler in
            { request in
                guard log.levels.isEnabled(.debug, .http) else { return handler(request) }
                let start = MonotonicTime.now
                let reply = handler(request)
                switch reply {
                case .response(let response):
                    log.record(RequestCompleted(request, response, since: start))
                case .offloaded(let work):
                    return .offloaded(
                        work.then { log.record(RequestCompleted(request, $0, since: start)) })
                }
                return reply
            }
        }
    }
}

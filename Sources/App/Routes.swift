import Auth
import Crypto
import HTTP
import JWT
import Logging
import Metrics
import POSIX
import Revocation
import Time

/// What a configuration makes of the house: the routes of each listener. Made anew at each reload.
struct Routes: Sendable {
    let users: UserDirectory
    let routes: RouteTable
    let adminRoutes: RouteTable
    let metricsRoutes: RouteTable

    init(_ configuration: Configuration, _ users: UserDirectory, _ parts: SharedState) {
        self.users = users
        let (log, clock) = (parts.security, parts.clock)
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let issuer = TokenIssuer(
            tokens, lifetime: configuration.tokenLifetime,
            sessionLifetime: configuration.sessionLifetime)
        let fingerprintKey = configuration.keys.signing.key.derived(
            label: "gatehouse log fingerprint v1")
        let bearer = BearerAuthentication(
            tokens, users: users, revocations: parts.revocations, log: log, clock: clock,
            fingerprintKey: fingerprintKey, onRecord: configuration.verifiedTokens)
        let login = Login(
            Self.loginMode(configuration, users, parts, fingerprintKey), issuer,
            revocations: parts.revocations, sessions: parts.sessions, log: log, clock: clock)
        let refresh = Refresh(
            configuration.refresh, configuration.refreshGrace, bearer, issuer,
            revocations: parts.revocations, sessions: parts.sessions,
            origins: parts.exchangeOrigins, limit: parts.refreshLimit,
            crowdLimit: parts.refreshLimitInACrowd, log: log, clock: clock)
        let logout = Logout(
            bearer, revocations: parts.revocations, sessions: parts.sessions, log: log,
            clock: clock, leeway: configuration.policy.leeway)
        let health = Self.health(parts)

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
            Self.requestLog(parts.log), inTwoSteps: Self.requestLogInTwoSteps(parts.log))
        // Nobody pays for counting who has not asked for the counts.
        if parts.countsRequests {
            router.use(
                RequestMetricsMiddleware.middleware(parts.requests),
                inTwoSteps: RequestMetricsMiddleware.inTwoSteps(parts.requests))
        }
        routes = router.routes()

        adminRoutes = Self.adminRoutes(
            configuration, tokens, issuer, bearer, users, parts, fingerprintKey)
        var metrics = Router()
        metrics.on(.get, "/metrics") { _ in
            Response(
                .ok, text: parts.callbacks.metrics(), type: MetricsText.contentType)
        }
        metricsRoutes = metrics.routes()
    }

    private static func adminRoutes(
        _ configuration: Configuration, _ tokens: HS256, _ issuer: TokenIssuer,
        _ bearer: BearerAuthentication, _ users: UserDirectory, _ parts: SharedState,
        _ fingerprintKey: HMACSHA256.Key
    ) -> RouteTable {
        let introspection = Introspection(bearer, users: users, policy: configuration.policy)
        let revocation = AdminRevocation(
            tokens, users: users, revocations: parts.revocations, sessions: parts.sessions,
            log: parts.security, clock: parts.clock)
        let issue = AdminIssue(
            issuer, users: users, revocations: parts.revocations, sessions: parts.sessions,
            log: parts.security, clock: parts.clock)
        let endpoints = AdminEndpoints(
            sessions: parts.sessions, revocations: parts.revocations, clock: parts.clock,
            levels: parts.log.levels, changeLevel: parts.callbacks.changeLevel,
            head: { parts.log.head },
            reload: parts.callbacks.reload
        )
        var router = Router()
        router.on(.post, "/introspect", introspection.respond)
        router.on(.post, "/revoke", inTwoSteps: revocation.respond)
        router.on(.post, "/issue", issue.respond)
        router.on(.post, "/standing") { request in
            TokenStatus.respond(
                to: request, parts.revocations, users)
        }
        router.on(.get, "/sessions", endpoints.listSessions)
        router.on(.get, "/log-level", endpoints.showLevels)
        let locks = AdminLocks(
            parts.throttle, users: users, fingerprintKey: fingerprintKey, log: parts.security,
            clock: parts.clock)
        // They hash the identifiers of every user.
        router.on(
            .get, "/locks",
            inTwoSteps: { request in
                .slow(.ioBound) { locks.list(request) }
            })
        router.on(.post, "/unlock", inTwoSteps: locks.unlock)
        router.on(.put, "/log-level", endpoints.setLevel)
        router.on(.get, "/log/head", endpoints.logHead)
        // It waits for the workers, this one among them.
        router.on(
            .post, "/reload",
            inTwoSteps: { request in
                .slow(.ioBound) { endpoints.reload(request) }
            })
        router.use(requestLog(parts.log), inTwoSteps: requestLogInTwoSteps(parts.log))
        router.refuseContentCodings()
        return router.routes()
    }

    private static func loginMode(
        _ configuration: Configuration, _ users: UserDirectory, _ parts: SharedState,
        _ fingerprintKey: HMACSHA256.Key
    ) -> Login.Mode {
        switch configuration.login.mode {
        case .demo: return .demo
        case .password:
            let file = UsersFile(configuration.login.usersFile)
            return .password(
                PasswordLogin(
                    users, parts.users,
                    PasswordVerifier(users, iterations: configuration.login.iterations),
                    parts.throttle, fingerprintKey: fingerprintKey,
                    canUpgrade: { file.isWritable },
                    upgrade: { user, hash in
                        guard let old = user.password else { return }
                        // Where the file cannot be written, the old hash goes on being good.
                        if (try? file.replace(old, by: hash, of: user.id)) == true {
                            parts.users.upgrade(old, to: hash, of: user.id)
                            parts.callbacks.hashUpgraded()
                        }
                    }))
        }
    }

    private static func health(_ parts: SharedState) -> Health {
        Health(checks: [
            (
                "log",
                { parts.log.failure.map { "the log cannot be written: \($0.description)" } }
            ),
            (
                "revocations",
                {
                    parts.revocations.failure.map {
                        "the journal of revocations cannot be written: \($0.description)"
                    }
                }
            ),
            ("server", { parts.isStopping.isSet ? "stopping" : nil }),
        ])
    }

    /// One `http_request` line for each request, where somebody asked for them.
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

    /// The same where there may be slow work to do, which is part of its time.
    private static func requestLogInTwoSteps(_ log: Logger) -> TwoStepMiddleware {
        { handler in
            { request in
                guard log.levels.isEnabled(.debug, .http) else { return handler(request) }
                let start = MonotonicTime.now
                let reply = handler(request)
                switch reply {
                case .response(let response):
                    log.record(RequestCompleted(request, response, since: start))
                case .slow(let work):
                    return .slow(
                        work.then { log.record(RequestCompleted(request, $0, since: start)) })
                }
                return reply
            }
        }
    }
}

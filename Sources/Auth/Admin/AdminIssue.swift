import HTTP
import JSON
import JWT
import Logging
import Revocation
import Time

/// POST /issue on the admin socket: a token without a login, for an operator's tests. The body is
/// `{"user":1}`, optionally with `"ttl"` in seconds, at most the session lifetime; the session then
/// ends with the token. Logged like any other token.
package struct AdminIssue: Sendable {
    private let issuer: TokenIssuer
    private let users: UserDirectory
    private let revocations: Revocations
    private let sessions: SessionList
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ issuer: TokenIssuer, users: UserDirectory, revocations: Revocations,
        sessions: SessionList, log: SecurityLog, clock: WallClock
    ) {
        self.issuer = issuer
        self.users = users
        self.revocations = revocations
        self.sessions = sessions
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> Response {
        guard case .object(let members)? = try? JSONValue(parsing: request.body) else {
            return .error(.badRequest, "Invalid JSON")
        }
        var user: UserID?
        var span: TimeAmount?
        for member in members.withoutNulls {
            switch (member.name, member.value) {
            case ("user", .number(.integer(let number))): user = UserID(number)
            case ("ttl", .number(.integer(let seconds))):
                guard (1...issuer.sessionLifetime.wholeSeconds).contains(seconds) else {
                    return .error(.badRequest, "Invalid ttl")
                }
                span = .seconds(seconds)
            default: return .error(.badRequest, "Invalid request")
            }
        }
        guard let user else { return .error(.badRequest, "Invalid user") }
        guard users.contains(user) else { return BearerAuthentication.userNotFound }
        let now = clock.now()
        let (token, claims) = issuer.issue(
            for: user, at: now, after: revocations.cutoff(user: user.rawValue), lasting: span)
        revocations.observeSessionStart(of: claims)
        sessions.record(claims, from: request.client, at: now, isNew: true)
        log.record(
            TokenCreated(claims: claims, keyID: issuer.keyID, origin: Origin(request)))
        return log.syncedIfConfigured(TokenResponse.make(token, claims, at: now))
    }
}

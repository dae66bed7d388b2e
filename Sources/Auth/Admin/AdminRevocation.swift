import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /revoke on the admin socket. A form with `token` revokes that token (RFC 7009) and its
/// session. A JSON object with one of `token`, `token_id`, `session`, `user` and `all` revokes what
/// it names. The revocation is on disk before the response, `{"known":true}`, is sent. An
/// identifier that the server does not know is revoked, too; the response is then
/// `{"known":false}`.
package struct AdminRevocation: Sendable {
    private let tokens: HS256
    private let users: UserDirectory
    private let revocations: Revocations
    private let sessions: SessionList
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ tokens: HS256, users: UserDirectory, revocations: Revocations, sessions: SessionList,
        log: SecurityLog, clock: WallClock
    ) {
        self.users = users
        self.tokens = tokens
        self.revocations = revocations
        self.sessions = sessions
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> HandlerResult {
        switch RevocationRequest(request, tokens, at: clock.now()) {
        case .invalid: .response(Self.invalidRequest)
        // RFC 7009 §2.2: an invalid token does not cause an error.
        case .foreignToken: .response(Self.done(isKnown: false))
        case .revoke(let target): .slow(.ioBound) { revoke(request, target) }
        }
    }

    private func revoke(_ request: Request, _ target: RevocationTarget) -> Response {
        let origin = Origin(request)
        let isKnown = target.isKnown(to: users, sessions, revocations, at: clock.now())
        do throws(Errno) {
            try revocations.revoke(
                target, at: clock.now(), leeway: tokens.policy.leeway)
        } catch {
            log.log.record(RevocationNotStored(error: error, origin: origin))
            return StorageUnavailable.response
        }
        switch target {
        case .token(let claims, _, let session): sessions.remove(session, of: claims.user)
        case .tokenID: break
        case .session(let id): sessions.remove(id)
        case .user(let user): sessions.removeAll(of: user)
        case .all: sessions.removeAll()
        }
        for scope in target.scopes {
            log.record(TokenRevoked(scope: scope, by: "admin", origin: origin))
        }
        return log.syncedIfConfigured(Self.done(isKnown: isKnown))
    }

    private static func done(isKnown: Bool) -> Response {
        Response(.ok, json: Array("{\"known\":\(isKnown)}".utf8)).heldUntilCommitted
    }

    private static let invalidRequest = Response.error(.badRequest, "Invalid request")
}

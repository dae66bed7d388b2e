import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /logout ends the token's session; POST /logout/all ends all sessions of its user. The
/// revocation is on disk before the response is sent.
package struct Logout: Sendable {
    private let bearer: BearerAuthentication
    private let revocations: Revocations
    private let sessions: SessionList
    private let log: SecurityLog
    private let clock: WallClock
    private let leeway: TimeAmount

    /// - Parameter leeway: the clock leeway of the policy that tokens are verified with.
    package init(
        _ bearer: BearerAuthentication, revocations: Revocations, sessions: SessionList,
        log: SecurityLog, clock: WallClock, leeway: TimeAmount
    ) {
        self.bearer = bearer
        self.leeway = leeway
        self.revocations = revocations
        self.sessions = sessions
        self.log = log
        self.clock = clock
    }

    package func endSession(_ request: Request) -> HandlerResult {
        end(request, isEverywhere: false)
    }

    package func endAll(_ request: Request) -> HandlerResult { end(request, isEverywhere: true) }

    private func end(_ request: Request, isEverywhere: Bool) -> HandlerResult {
        let claims: Claims
        do throws(BearerAuthentication.Rejection) {
            claims = try bearer.authenticate(request).claims
        } catch { return .response(error.response) }
        return .slow(.ioBound) { end(request, claims, isEverywhere) }
    }

    private func end(_ request: Request, _ claims: Claims, _ isEverywhere: Bool) -> Response {
        let now = clock.now()
        let origin = Origin(request)
        let event = LoggedOut(
            claims: claims, isEverywhere: isEverywhere, origin: origin, isDemo: log.isDemo)
        let isRecordedFirst = log.requiresDurableRecord
        if isRecordedFirst, let error = log.recordAndFlush(event) {
            log.log.record(RevocationNotStored(error: error, claims: claims, origin: origin))
            return LogUnavailable.response
        }
        do throws(Errno) {
            if isEverywhere {
                try revocations.revokeAll(of: claims.user, at: now, leeway: leeway)
                sessions.removeAll(of: claims.user)
            } else if let session = claims.sessionID {
                try revocations.revoke(session, of: claims, at: now)
                sessions.remove(session, of: claims.user)
            }
        } catch {
            log.log.record(RevocationNotStored(error: error, claims: claims, origin: origin))
            return StorageUnavailable.response
        }
        // The revocation is durable: a later log failure in this batch must not replace the
        // response.
        if isRecordedFirst { return log.syncedIfConfigured(Self.done).alreadyCommitted }
        log.record(event)
        return log.syncedIfConfigured(Self.done)
    }

    private static let done = Response(.noContent).heldUntilCommitted
}

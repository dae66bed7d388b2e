import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /refresh: exchanges a valid token for a token of the same session with a later expiry.
///
/// A session has a fixed end that no refresh moves. With `rotate` the old token stays valid for
/// `BearerAuthentication.grace` (10 s). Refreshing it again in that time gives the same successor,
/// so two browser tabs cannot log each other out, and a client can retry after a lost response. A
/// later use of the old token is a replay and ends the session. With `extend` the old token stays
/// valid until its own `exp`.
///
/// A second refresh from another network within the grace period may be one user who changed
/// networks, or an attacker with a copy of the token. `Grace` selects the reaction.
package struct Refresh: Sendable {
    package enum Mode: String, Sendable, CaseIterable { case rotate, extend }

    /// From which networks a token may be exchanged again within the grace period.
    package enum Grace: String, Sendable, CaseIterable {
        /// Any network. An exchange from another network is logged (`authn_token_shared`).
        case any
        /// Only the network of the first exchange. An exchange from another network is a replay.
        case sameNetwork = "same_network"
    }

    private let mode: Mode
    private let grace: Grace
    private let origins: ExchangeOrigins
    private let bearer: BearerAuthentication
    private let issuer: TokenIssuer
    private let revocations: Revocations
    private let sessions: SessionList
    private let limit: RefreshLimit
    private let userLimit: RefreshLimit
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ mode: Mode, _ grace: Grace, _ bearer: BearerAuthentication, _ issuer: TokenIssuer,
        revocations: Revocations, sessions: SessionList, origins: ExchangeOrigins,
        limit: RefreshLimit,
        crowdLimit: RefreshLimit = RefreshLimit(RefreshLimit.perUserUnderPressure),
        log: SecurityLog,
        clock: WallClock
    ) {
        self.mode = mode
        self.grace = grace
        self.origins = origins
        self.bearer = bearer
        self.issuer = issuer
        self.revocations = revocations
        self.sessions = sessions
        self.limit = limit
        self.userLimit = crowdLimit
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> HandlerResult {
        let presented: BearerAuthentication.AuthenticatedToken
        do throws(BearerAuthentication.Rejection) {
            presented = try bearer.authenticate(request, isRenewal: true)
        } catch { return .response(error.response) }
        let claims = presented.claims
        let now = clock.now()
        // A client in a loop must fill neither the table of exchanged tokens nor the log. Repeats
        // within the grace period count, too.
        if let wait = wait(before: claims, now) {
            log.record(
                LoginThrottled(
                    reason: "session", user: claims.user, hasToken: true, until: now + wait,
                    origin: Origin(request)))
            return .response(TooManyAttempts.response(retryAfter: wait))
        }
        // A repeated exchange waits for the same sync as the first one: until that sync succeeds,
        // the exchange may still be undone.
        if let exchanged = presented.exchanged {
            return .slow(.ioBound) { exchange(request, claims, now, after: exchanged) }
        }
        // A token of an expired session must not be exchanged.
        guard now < claims.sessionExpires ?? claims.expires else {
            return .response(answer(request, claims, nil, now))
        }
        switch mode {
        case .extend: return .response(answer(request, claims, issuer.renew(claims, at: now), now))
        case .rotate:
            return .slow(.ioBound) { exchange(request, claims, now, after: nil) }
        }
    }

    private func wait(before claims: Claims, _ now: Timestamp) -> TimeAmount? {
        if mode == .rotate, revocations.isNearCapacity,
            let wait = userLimit.wait(beforeRefreshingAnyOf: claims.user.rawValue, at: now)
        {
            return wait
        }
        guard let session = claims.sessionID else { return nil }
        return limit.wait(beforeRefreshing: session.utf8, at: now)
    }

    /// Records the exchange on disk, then returns the successor.
    /// - Parameter earlier: when the token was exchanged before, as far as known; nil if it was
    ///   not. Another worker may exchange the token concurrently.
    private func exchange(
        _ request: Request, _ claims: Claims, _ now: Timestamp, after earlier: Timestamp?
    ) -> Response {
        let expected = earlier ?? now
        guard let id = claims.tokenID else { return BearerAuthentication.sessionExpired }
        let first = origins.firstClient(exchanging: id.utf8, from: request.client, at: now)
        let isElsewhere = ClientNetworks(first)[0] != ClientNetworks(request.client)[0]
        if isElsewhere, grace == .sameNetwork {
            return bearer.replay(request, claims, exchanged: expected, now).response
        }
        // A 503 must leave the token unchanged, so that the client can retry: log the exchange
        // before it is made.
        let isRecordedFirst = log.requiresDurableRecord
        let issued = isRecordedFirst ? issuer.successor(of: claims, exchanged: expected) : nil
        if isRecordedFirst, let issued,
            let error = log.recordAndFlush(
                refreshed(request, claims, issued, isRepeat: earlier != nil))
        {
            if earlier == nil { origins.forget(id.utf8, from: request.client) }
            return failure(request, claims, error, LogUnavailable.response)
        }
        let exchanged: Timestamp
        do throws(Errno) {
            exchanged = try revocations.spend(
                token: id.utf8, expires: claims.expires + TokenPolicy.maximumLeeway, at: now)
        } catch {
            if earlier == nil { origins.forget(id.utf8, from: request.client) }
            return failure(request, claims, error, StorageUnavailable.response)
        }
        // Another worker exchanged the token first, more than the grace period ago.
        guard now < exchanged + BearerAuthentication.grace else {
            return bearer.replay(request, claims, exchanged: exchanged, now).response
        }
        if isElsewhere {
            log.record(TokenShared(claims: claims, other: first, origin: Origin(request)))
        }
        if isRecordedFirst, exchanged == expected, let issued {
            // The exchange is durable: a later log failure in this batch must not replace the
            // response.
            return answer(request, issued, now).alreadyCommitted
        }
        return answer(
            request, claims, issuer.successor(of: claims, exchanged: exchanged), now,
            isRepeat: earlier != nil || exchanged != now)
    }

    private func failure(
        _ request: Request, _ claims: Claims, _ error: Errno, _ response: Response
    ) -> Response {
        log.log.record(RevocationNotStored(error: error, claims: claims, origin: Origin(request)))
        return response
    }

    private func answer(
        _ request: Request, _ old: Claims, _ issued: TokenIssuer.Issued?, _ now: Timestamp,
        isRepeat: Bool = false
    ) -> Response {
        guard let issued else {
            log.record(
                TokenRejected(
                    reason: "session_expired", level: .warning, claims: old,
                    origin: Origin(request)))
            return BearerAuthentication.sessionExpired
        }
        log.record(refreshed(request, old, issued, isRepeat: isRepeat))
        return answer(request, issued, now)
    }

    private func answer(
        _ request: Request, _ issued: TokenIssuer.Issued, _ now: Timestamp
    ) -> Response {
        sessions.record(issued.claims, from: request.client, at: now)
        return log.syncedIfConfigured(TokenResponse.make(issued.token, issued.claims, at: now))
    }

    private func refreshed(
        _ request: Request, _ old: Claims, _ issued: TokenIssuer.Issued, isRepeat: Bool
    ) -> TokenRefreshed {
        TokenRefreshed(
            claims: issued.claims, keyID: issuer.keyID, oldTokenID: old.tokenID,
            isRepeat: isRepeat, origin: Origin(request), isDemo: log.isDemo)
    }
}

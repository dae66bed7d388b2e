import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /refresh: a good token for one of the same session that is good for longer.
///
/// A session has an end that no renewal moves. With `rotate` the old token is good for ten seconds more,
/// in which renewing it again gives the same successor: so two tabs cannot log each other out, and an
/// answer that was lost can be asked for again. Whoever brings it later has a copy, and the session
/// ends. With `extend` the old token lives on to its own end.
package struct Refresh: Sendable {
    package enum Mode: String, Sendable, CaseIterable { case rotate, extend }

    private let mode: Mode
    private let bearer: BearerAuthentication
    private let issuer: TokenIssuer
    private let revocations: Revocations
    private let sessions: SessionList
    private let limit: RefreshLimit
    private let crowdLimit: RefreshLimit
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ mode: Mode, _ bearer: BearerAuthentication, _ issuer: TokenIssuer,
        revocations: Revocations, sessions: SessionList, limit: RefreshLimit,
        crowdLimit: RefreshLimit = RefreshLimit(RefreshLimit.ofUserInACrowd), log: SecurityLog,
        clock: WallClock
    ) {
        self.mode = mode
        self.bearer = bearer
        self.issuer = issuer
        self.revocations = revocations
        self.sessions = sessions
        self.limit = limit
        self.crowdLimit = crowdLimit
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> Reply {
        let presented: BearerAuthentication.Presented
        do throws(BearerAuthentication.Refused) {
            presented = try bearer.authenticate(request, isRenewal: true)
        } catch { return .response(error.response) }
        let claims = presented.claims
        let now = clock.now()
        // Whoever asks a second time waits for the same sync as the first: until then nothing is known
        // to stay.
        if let exchanged = presented.exchanged {
            return .slow(.waiting) { exchange(request, claims, now, expecting: exchanged) }
        }
        // A client in a loop must not fill the table of exchanged tokens.
        if let wait = wait(before: claims, now) {
            log.record(
                LoginThrottled(
                    reason: "session", user: claims.user, until: now + wait,
                    origin: Origin(request)))
            return .response(TooManyAttempts.response(retryAfter: wait))
        }
        // A session that is over has nothing to exchange its token for.
        guard now < claims.sessionExpires ?? claims.expires else {
            return .response(answer(request, claims, nil, now))
        }
        switch mode {
        case .extend: return .response(answer(request, claims, issuer.renew(claims, at: now), now))
        case .rotate:
            return .slow(.waiting) { exchange(request, claims, now, expecting: now) }
        }
    }

    private func wait(before claims: Claims, _ now: Timestamp) -> Milliseconds? {
        if mode == .rotate, revocations.isCrowded,
            let wait = crowdLimit.wait(beforeRefreshingAnyOf: claims.user.number, at: now)
        {
            return wait
        }
        guard let session = claims.sessionID else { return nil }
        return limit.wait(beforeRefreshing: session.utf8, at: now)
    }

    /// Puts on the disk that the token is exchanged, and then gives its successor out.
    /// - Parameter expected: when it was exchanged, unless another worker is faster.
    private func exchange(
        _ request: Request, _ claims: Claims, _ now: Timestamp, expecting expected: Timestamp
    ) -> Response {
        guard let id = claims.tokenID else { return BearerAuthentication.sessionExpired }
        let issued = issuer.successor(of: claims, exchanged: expected)
        // A client that is told to come again must find its token as it was.
        let isRecordedFirst = log.refusesUnrecorded
        if isRecordedFirst, let issued,
            let error = log.recordNow(refreshed(request, claims, issued))
        {
            return notDone(request, claims, error, LogUnavailable.response)
        }
        let exchanged: Timestamp
        do throws(Errno) {
            exchanged = try revocations.spend(
                token: id.utf8, expires: claims.expires + TokenPolicy.maximumLeeway, at: now)
        } catch {
            return notDone(request, claims, error, StorageUnavailable.response)
        }
        // Another worker was faster, by more than the grace.
        guard now < exchanged + BearerAuthentication.grace else {
            return bearer.replay(request, claims, exchanged: exchanged, now).response
        }
        if isRecordedFirst, exchanged == expected, let issued {
            // Not to be taken back for what others could not write: it is done.
            return answer(request, issued, now).settled
        }
        return answer(request, claims, issuer.successor(of: claims, exchanged: exchanged), now)
    }

    private func notDone(
        _ request: Request, _ claims: Claims, _ error: Errno, _ response: Response
    ) -> Response {
        log.log.record(RevocationNotStored(error: error, claims: claims, origin: Origin(request)))
        return response
    }

    private func answer(
        _ request: Request, _ old: Claims, _ issued: TokenIssuer.Issued?, _ now: Timestamp
    ) -> Response {
        guard let issued else {
            log.record(
                TokenRejected(
                    reason: "session_expired", level: .warning, claims: old,
                    origin: Origin(request)))
            return BearerAuthentication.sessionExpired
        }
        log.record(refreshed(request, old, issued))
        return answer(request, issued, now)
    }

    private func answer(
        _ request: Request, _ issued: TokenIssuer.Issued, _ now: Timestamp
    ) -> Response {
        sessions.note(issued.claims, from: request.client, at: now)
        return TokenResponse.make(issued.token, issued.claims, at: now)
    }

    private func refreshed(
        _ request: Request, _ old: Claims, _ issued: TokenIssuer.Issued
    ) -> TokenRefreshed {
        TokenRefreshed(
            claims: issued.claims, keyID: issuer.keyID, oldTokenID: old.tokenID,
            origin: Origin(request))
    }
}

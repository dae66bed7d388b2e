import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /login: who shows who they are gets a token, and with it a session.
///
/// In demo mode saying it is enough: any valid user id gets one. With passwords an attempt is admitted or
/// turned away on the worker, and checked beside it. Whoever is refused learns nothing about which part
/// was wrong, neither from the answer nor from its time.
package struct Login: Sendable {
    package enum Mode: Sendable {
        case demo
        case password(PasswordLogin)
    }

    private let mode: Mode
    private let issuer: TokenIssuer
    private let revocations: Revocations
    private let sessions: SessionList
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ mode: Mode, _ issuer: TokenIssuer, revocations: Revocations, sessions: SessionList,
        log: SecurityLog, clock: WallClock
    ) {
        self.mode = mode
        self.issuer = issuer
        self.revocations = revocations
        self.sessions = sessions
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> Reply {
        guard !request.hasContentCoding else {
            return refuse(request, "unsupported_media_type", Self.unsupportedContentCoding)
        }
        switch ContentType(request) {
        case .json, .unnamed: break
        case .form, .other:
            return refuse(request, "unsupported_media_type", Self.unsupportedMediaType)
        }
        // RFC 9110 §15.5.12: content is needed, and nothing said that any comes.
        guard request.declaresContent else {
            return refuse(request, "length_required", Self.lengthRequired)
        }
        switch (Credentials(parsing: request.body), mode) {
        case (.notJSON, _): return refuse(request, "invalid_json", Self.invalidJSON)
        case (.noUser, _), (.claimed(.name, _), .demo):
            return refuse(request, "invalid_user_id", Self.invalidUserID)
        case (.claimed(.id(let user), _), .demo), (.claimed(.both(let user, _), _), .demo):
            let now = clock.now()
            let cutoff = revocations.cutoff(user: user.number)
            return .response(accept(request, user, at: now, after: cutoff))
        case (.claimed(let identity, let password), .password(let passwords)):
            // No password is a wrong one.
            return admit(
                request, passwords, passwords.applicant(identity), password ?? SecretBytes([]))
        }
    }

    // MARK: Passwords

    private func admit(
        _ request: Request, _ passwords: PasswordLogin, _ applicant: PasswordLogin.Applicant,
        _ password: SecretBytes
    ) -> Reply {
        switch passwords.throttle.admit(applicant.account, from: request.client, at: clock.now()) {
        case .refused(let refusal):
            log.record(
                LoginThrottled(
                    reason: refusal.cause == .account ? "account" : "address",
                    user: applicant.holder, fingerprint: applicant.fingerprint,
                    until: refusal.until, origin: Origin(request)))
            return .response(TooManyAttempts.response(retryAfter: .seconds(refusal.retryAfter)))
        case .admitted(let ticket):
            let cutoff = applicant.user.flatMap { revocations.cutoff(user: $0.id.number) }
            return .slow(
                SlowWork(
                    .computing, precedence: ticket.standing.precedence,
                    { check(request, passwords, applicant, password, ticket, cutoff) },
                    refused: { ticket.abandon() }))
        }
    }

    private func check(
        _ request: Request, _ passwords: PasswordLogin, _ applicant: PasswordLogin.Applicant,
        _ password: SecretBytes, _ ticket: LoginThrottle.Ticket, _ cutoff: Timestamp?
    ) -> Response {
        guard
            case .accepted(let needsUpgrade) = passwords.authenticator.check(
                password, of: applicant.user), let user = applicant.user
        else { return turnAway(request, applicant, ticket.failed(at: clock.now())) }
        // Read before it is compared what was ended: a later end lies behind this moment.
        let now = clock.now()
        // Whoever changes a password, disables a user or ends all sessions of one means those, too, that
        // are about to begin with what was good before.
        guard passwords.current.stillAccept(user),
            revocations.cutoff(user: user.id.number) == cutoff
        else {
            ticket.abandon()
            log.record(
                LoginFailed(reason: "revoked_meanwhile", user: user.id, origin: Origin(request)))
            return Self.tryAgain
        }
        ticket.succeeded(at: now)
        // First the session, which is then there to be ended, and begins before whatever ends it: another
        // hash takes as long as the first.
        let response = accept(request, user.id, at: now, after: cutoff)
        if needsUpgrade, passwords.canUpgrade(),
            let hash = passwords.authenticator.newHash(of: password)
        {
            passwords.upgrade(user, hash)
        }
        return response
    }

    private func turnAway(
        _ request: Request, _ applicant: PasswordLogin.Applicant,
        _ failure: LoginThrottle.Failure
    ) -> Response {
        let origin = Origin(request)
        let reason: StaticString =
            switch applicant.user {
            case nil: applicant.holder == nil ? "unknown_user" : "wrong_user"
            case let user? where user.isDisabled: "disabled"
            default: "wrong_password"
            }
        log.record(
            LoginFailed(
                reason: reason, user: applicant.holder, fingerprint: applicant.fingerprint,
                attempts: failure.account.attempts, origin: origin))
        if let until = failure.account.lockedUntil {
            log.record(
                LoginLocked(
                    reason: "account", user: applicant.holder,
                    fingerprint: applicant.fingerprint, attempts: failure.account.attempts,
                    until: until, origin: origin))
        }
        if let until = failure.address.lockedUntil {
            log.record(
                LoginLocked(
                    reason: "address", user: nil, fingerprint: nil,
                    attempts: failure.address.attempts, until: until, origin: origin))
        }
        return Self.invalidCredentials
    }

    // MARK: Answers

    /// - Parameter cutoff: until when the user's sessions are ended, as far as was known at `now`.
    private func accept(
        _ request: Request, _ user: UserID, at now: Timestamp, after cutoff: Timestamp?
    ) -> Response {
        let (token, claims) = issuer.issue(for: user, at: now, after: cutoff)
        revocations.noteBeginning(of: claims)
        let origin = Origin(request)
        sessions.note(claims, from: request.client, at: now, isNew: true)
        let isDemo = if case .demo = mode { true } else { false }
        log.record(LoginSucceeded(user: user, origin: origin, isDemo: isDemo))
        log.record(
            TokenCreated(claims: claims, keyID: issuer.keyID, origin: origin, isDemo: isDemo))
        return log.deciding(TokenResponse.make(token, claims, at: now))
    }

    private func refuse(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> Reply {
        log.record(LoginFailed(reason: reason, origin: Origin(request)))
        return .response(response)
    }

    private static let unsupportedMediaType = Response.error(.unsupportedMediaType).audited
    private static let unsupportedContentCoding = Response.unsupportedContentCoding.audited
    private static let lengthRequired = Response.error(.lengthRequired).audited
    private static let invalidJSON = Response.error(.badRequest, "Invalid JSON").audited
    private static let invalidUserID = Response.error(.badRequest, "Invalid user_id").audited
    private static let tryAgain = Response.error(.serviceUnavailable, "Busy")
        .adding("Retry-After", "1").audited
    /// RFC 9110 §15.5.2: a 401 has a challenge.
    private static let invalidCredentials = Response.error(.unauthorized, "Invalid credentials")
        .adding("WWW-Authenticate", #"Bearer realm="gatehouse""#).audited
}

extension LoginThrottle.Standing {
    fileprivate var precedence: SlowWork.Precedence {
        switch self {
        case .suspect: .last
        case .unknown: .ordinary
        case .known: .first
        }
    }
}

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

    package func respond(to request: Request) -> HandlerResult {
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
        switch mode {
        case .demo: return logIn(request)
        case .password(let passwords): return logIn(request, passwords)
        }
    }

    private func logIn(_ request: Request) -> HandlerResult {
        guard request.body.count <= Self.maximumBody else { return refuseLength(request) }
        switch Credentials(parsing: request.body) {
        case .notJSON: return refuse(request, "invalid_json", Self.invalidJSON)
        case .noUser, .claimed(.name, _):
            return refuse(request, "invalid_user_id", Self.invalidUserID)
        case .claimed(.id(let user), _), .claimed(.both(let user, _), _):
            let now = clock.now()
            let cutoff = revocations.cutoff(user: user.rawValue)
            return .response(accept(request, user, at: now, after: cutoff))
        }
    }

    // MARK: Passwords

    /// Cheap checks first: a client whose network is refused costs the same whatever it sends.
    private func logIn(_ request: Request, _ passwords: PasswordLogin) -> HandlerResult {
        let client = passwords.throttle.client(at: request.client)
        if let refusal = passwords.throttle.refusal(of: client, at: clock.now()) {
            return throttle(request, refusal)
        }
        guard request.body.count <= Self.maximumBody else { return refuseLength(request) }
        switch Credentials(parsing: request.body) {
        case .notJSON: return refuse(request, "invalid_json", Self.invalidJSON)
        case .noUser: return refuse(request, "invalid_user_id", Self.invalidUserID)
        case .claimed(let identity, let password):
            // No password is a wrong one.
            return admit(request, passwords, identity, password ?? SecretBytes([]), client)
        }
    }

    /// Nothing that is looked at in a login is longer: a name has 256 bytes, a password 1,024.
    package static let maximumBody = 4096

    private func admit(
        _ request: Request, _ passwords: PasswordLogin, _ identity: Credentials.Identity,
        _ password: SecretBytes, _ client: LoginThrottle.Client
    ) -> HandlerResult {
        let applicant = passwords.applicant(identity)
        switch passwords.throttle.admit(applicant.account, from: client, at: clock.now()) {
        case .refused(let refusal): return throttle(request, refusal, applicant)
        case .admitted(let ticket):
            let cutoff = applicant.user.flatMap { revocations.cutoff(user: $0.id.rawValue) }
            return .slow(
                OffloadedWork(
                    .cpuBound, priority: ticket.standing.priority,
                    { check(request, passwords, applicant, password, ticket, cutoff) },
                    refused: { ticket.abandon() }))
        }
    }

    /// - Parameter applicant: nil where the request was not read.
    private func throttle(
        _ request: Request, _ refusal: LoginThrottle.Refusal,
        _ applicant: PasswordLogin.LoginSubject? = nil
    ) -> HandlerResult {
        log.record(
            LoginThrottled(
                reason: refusal.cause == .account ? "account" : "address",
                user: applicant?.accountOwner, fingerprint: applicant?.fingerprint,
                until: refusal.until, origin: Origin(request)))
        return .response(TooManyAttempts.response(retryAfter: .seconds(refusal.retryAfter)))
    }

    private func check(
        _ request: Request, _ passwords: PasswordLogin, _ applicant: PasswordLogin.LoginSubject,
        _ password: SecretBytes, _ ticket: LoginThrottle.Attempt, _ cutoff: Timestamp?
    ) -> Response {
        let outcome = passwords.authenticator.check(password, of: applicant.user)
        if let until = ticket.jointRefusal {
            // Also for the right password: a different answer would tell that the account exists.
            log.record(
                LoginThrottled(
                    reason: "account", user: applicant.accountOwner,
                    fingerprint: applicant.fingerprint, until: until, origin: Origin(request)))
            recordLocks(request, applicant, ticket.failed(at: clock.now()))
            return Self.invalidCredentials
        }
        guard case .accepted(let needsUpgrade) = outcome, let user = applicant.user else {
            return turnAway(request, applicant, ticket.failed(at: clock.now()))
        }
        // Read before it is compared what was ended: a later end lies behind this moment.
        let now = clock.now()
        // Whoever changes a password, disables a user or ends all sessions of one means those, too, that
        // are about to begin with what was good before.
        guard passwords.current.isStillValid(user),
            revocations.cutoff(user: user.id.rawValue) == cutoff
        else {
            ticket.abandon()
            log.record(
                LoginFailed(reason: "revoked_meanwhile", user: user.id, origin: Origin(request)))
            return Self.tryAgain
        }
        ticket.succeeded(by: user, at: now)
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
        _ request: Request, _ applicant: PasswordLogin.LoginSubject,
        _ failure: LoginThrottle.Failure
    ) -> Response {
        let reason: StaticString =
            switch applicant.user {
            case nil: applicant.accountOwner == nil ? "unknown_user" : "wrong_user"
            case let user? where user.isDisabled: "disabled"
            default: "wrong_password"
            }
        log.record(
            LoginFailed(
                reason: reason, user: applicant.accountOwner, fingerprint: applicant.fingerprint,
                attempts: failure.account.attempts, origin: Origin(request)))
        recordLocks(request, applicant, failure)
        return Self.invalidCredentials
    }

    private func recordLocks(
        _ request: Request, _ applicant: PasswordLogin.LoginSubject,
        _ failure: LoginThrottle.Failure
    ) {
        let origin = Origin(request)
        if let until = failure.account.lockedUntil {
            log.record(
                LoginLocked(
                    reason: "account", user: applicant.accountOwner,
                    fingerprint: applicant.fingerprint, network: nil,
                    attempts: failure.account.attempts, until: until, origin: origin))
        }
        for lock in failure.lockedNetworks {
            log.record(
                LoginLocked(
                    reason: "address", user: nil, fingerprint: nil, network: lock.number,
                    attempts: lock.attempts, until: lock.until, origin: origin))
        }
    }

    // MARK: Answers

    /// - Parameter cutoff: until when the user's sessions are ended, as far as was known at `now`.
    private func accept(
        _ request: Request, _ user: UserID, at now: Timestamp, after cutoff: Timestamp?
    ) -> Response {
        let (token, claims) = issuer.issue(for: user, at: now, after: cutoff)
        revocations.observeSessionStart(of: claims)
        let origin = Origin(request)
        sessions.record(claims, from: request.client, at: now, isNew: true)
        log.record(LoginSucceeded(user: user, origin: origin, isDemo: log.isDemo))
        log.record(
            TokenCreated(
                claims: claims, keyID: issuer.keyID, origin: origin, isDemo: log.isDemo))
        return log.deciding(TokenResponse.make(token, claims, at: now))
    }

    private func refuseLength(_ request: Request) -> HandlerResult {
        refuse(request, "body_too_large", Self.contentTooLarge)
    }

    private func refuse(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> HandlerResult {
        log.record(LoginFailed(reason: reason, origin: Origin(request)))
        return .response(response)
    }

    private static let unsupportedMediaType = Response.error(.unsupportedMediaType)
        .heldUntilCommitted
    private static let unsupportedContentCoding = Response.unsupportedContentCoding
        .heldUntilCommitted
    private static let lengthRequired = Response.error(.lengthRequired).heldUntilCommitted
    private static let contentTooLarge = Response.error(.contentTooLarge).heldUntilCommitted
    private static let invalidJSON = Response.error(.badRequest, "Invalid JSON").heldUntilCommitted
    private static let invalidUserID = Response.error(.badRequest, "Invalid user_id")
        .heldUntilCommitted
    private static let tryAgain = Response.error(.serviceUnavailable, "Busy")
        .adding("Retry-After", "1").heldUntilCommitted
    /// RFC 9110 §15.5.2: a 401 has a challenge.
    private static let invalidCredentials = Response.error(.unauthorized, "Invalid credentials")
        .adding("WWW-Authenticate", #"Bearer realm="gatehouse""#).heldUntilCommitted
}

extension LoginThrottle.Reputation {
    fileprivate var priority: OffloadedWork.Priority {
        switch self {
        case .suspicious: .last
        case .neutral: .ordinary
        case .trusted: .first
        }
    }
}

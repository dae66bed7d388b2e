import HTTP
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /login: checks the client's credentials and returns a token, which starts a session.
///
/// In demo mode the user id is enough: any valid id gets a token. With passwords, the worker
/// decides whether the throttle admits the attempt, and the offload queue checks the password. A
/// refused client does not learn which part was wrong, neither from the response nor from its
/// timing.
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
        // RFC 9110 §15.5.12: content is required, and the request declares none.
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
            // A missing password is treated as a wrong one.
            return admit(request, passwords, identity, password ?? SecretBytes([]), client)
        }
    }

    /// No valid login needs more bytes: a name has at most 256, a password at most 1,024.
    package static let maximumBody = 4096

    private func admit(
        _ request: Request, _ passwords: PasswordLogin, _ identity: Credentials.Identity,
        _ password: SecretBytes, _ client: LoginThrottle.Client
    ) -> HandlerResult {
        let subject = passwords.applicant(identity)
        switch passwords.throttle.admit(subject.account, from: client, at: clock.now()) {
        case .refused(let refusal): return throttle(request, refusal, subject)
        case .admitted(let attempt):
            let cutoff = subject.user.flatMap { revocations.cutoff(user: $0.id.rawValue) }
            return .offloaded(
                OffloadedWork(
                    .cpuBound, priority: attempt.reputation.priority,
                    { check(request, passwords, subject, password, attempt, cutoff) },
                    refused: { attempt.abandon() }))
        }
    }

    /// - Parameter subject: nil if the request was refused before its body was read.
    private func throttle(
        _ request: Request, _ refusal: LoginThrottle.Refusal,
        _ subject: PasswordLogin.LoginSubject? = nil
    ) -> HandlerResult {
        log.record(
            LoginThrottled(
                reason: refusal.cause == .account ? "account" : "address",
                user: subject?.accountOwner, fingerprint: subject?.fingerprint,
                until: refusal.until, origin: Origin(request)))
        return .response(TooManyAttempts.response(retryAfter: .seconds(refusal.retryAfter)))
    }

    private func check(
        _ request: Request, _ passwords: PasswordLogin, _ subject: PasswordLogin.LoginSubject,
        _ password: SecretBytes, _ attempt: LoginThrottle.Attempt, _ cutoff: Timestamp?
    ) -> Response {
        let outcome = passwords.authenticator.check(password, of: subject.user)
        if let until = attempt.jointRefusal {
            // The right password gets the same answer: a different one would reveal that the
            // account exists.
            log.record(
                LoginThrottled(
                    reason: "account", user: subject.accountOwner,
                    fingerprint: subject.fingerprint, until: until, origin: Origin(request)))
            recordLocks(request, subject, attempt.failed(at: clock.now()))
            return Self.invalidCredentials
        }
        guard case .accepted(let needsUpgrade) = outcome, let user = subject.user else {
            return rejectCredentials(request, subject, attempt.failed(at: clock.now()))
        }
        // Take the time before checking revocations: a revocation made after this line then has a
        // later timestamp than the new session, and covers it.
        let now = clock.now()
        // A password change, a disabled account and "log out everywhere" also apply to logins that
        // are being checked right now.
        guard passwords.current.isStillValid(user),
            revocations.cutoff(user: user.id.rawValue) == cutoff
        else {
            attempt.abandon()
            log.record(
                LoginFailed(reason: "revoked_meanwhile", user: user.id, origin: Origin(request)))
            return Self.tryAgain
        }
        attempt.succeeded(by: user, at: now)
        // Create the session before rehashing. Rehashing takes as long as the check did, and a
        // revocation in that time must find the session.
        let response = accept(request, user.id, at: now, after: cutoff)
        if needsUpgrade, passwords.canUpgrade(),
            let hash = passwords.authenticator.newHash(of: password)
        {
            passwords.upgrade(user, hash)
        }
        return response
    }

    private func rejectCredentials(
        _ request: Request, _ subject: PasswordLogin.LoginSubject,
        _ failure: LoginThrottle.Failure
    ) -> Response {
        let reason: StaticString =
            switch subject.user {
            case nil: subject.accountOwner == nil ? "unknown_user" : "wrong_user"
            case let user? where user.isDisabled: "disabled"
            default: "wrong_password"
            }
        log.record(
            LoginFailed(
                reason: reason, user: subject.accountOwner, fingerprint: subject.fingerprint,
                attempts: failure.account.attempts, origin: Origin(request)))
        recordLocks(request, subject, failure)
        return Self.invalidCredentials
    }

    private func recordLocks(
        _ request: Request, _ subject: PasswordLogin.LoginSubject,
        _ failure: LoginThrottle.Failure
    ) {
        let origin = Origin(request)
        if let until = failure.account.lockedUntil {
            log.record(
                LoginLocked(
                    reason: "account", user: subject.accountOwner,
                    fingerprint: subject.fingerprint, network: nil,
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

    /// - Parameter cutoff: the user's revocation cutoff, as read before the credentials were
    ///   checked; nil if there is none.
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
        return log.syncedIfConfigured(TokenResponse.make(token, claims, at: now))
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
    /// RFC 9110 §15.5.2: a 401 response has a challenge.
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

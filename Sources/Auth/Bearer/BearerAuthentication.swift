import Crypto
import HTTP
import JWT
import Logging
import Metrics
import POSIX
import Revocation
import Time

/// A handler that cannot be called without a verified token.
package typealias ProtectedHandler = @Sendable (Request, Claims) -> Response

/// Lets requests with a good bearer token through to a handler (RFC 6750), and puts every
/// verification on record, good or bad.
///
/// Credentials are taken from the Authorization field alone (§2.1), never from a query or a form.
/// What a refused client learns is one of a few sentences (§3.1); the log has the reason.
package struct BearerAuthentication: Sendable {
    /// How long a token that was exchanged for another still works: two tabs that renew at once, an
    /// answer that was lost on its way.
    package static let grace = TimeAmount.seconds(10)

    private let tokens: any TokenVerifier
    private let users: UserDirectory
    private let revocations: Revocations
    private let log: SecurityLog
    private let clock: WallClock
    private let fingerprintKey: HMACSHA256.Key
    private let verifications: VerificationSampler

    package init(
        _ tokens: any TokenVerifier, users: UserDirectory, revocations: Revocations,
        log: SecurityLog, clock: WallClock, fingerprintKey: HMACSHA256.Key,
        onRecord verified: VerificationLogging = .all
    ) {
        self.tokens = tokens
        self.users = users
        self.revocations = revocations
        self.log = log
        self.clock = clock
        self.fingerprintKey = fingerprintKey
        verifications = VerificationSampler(verified)
    }

    package func protecting(_ handler: @escaping ProtectedHandler) -> Handler {
        { request in
            do throws(Rejection) {
                let presented = try authenticate(request)
                return handler(request, presented.claims).heldUntilCommitted
            } catch { return error.response }
        }
    }

    /// A good token.
    struct AuthenticatedToken {
        let claims: Claims
        /// When it was exchanged for another, less than `grace` ago.
        let exchanged: Timestamp?
    }

    /// What the client is told instead; it is on record.
    struct Rejection: Error {
        let response: Response
    }

    /// - Parameter isRenewal: the token is to be exchanged, for which the end of its session matters
    ///   more than its own.
    func authenticate(
        _ request: Request, isRenewal: Bool = false
    ) throws(Rejection) -> AuthenticatedToken {
        // Two fields are two answers to one question, whichever of them is good.
        guard request.authorizationCount <= 1 else {
            throw reject(request, "malformed", Self.invalidRequest)
        }
        guard let field = request.value(of: .authorization) else {
            throw reject(request, "missing", Self.noCredentials)
        }
        switch BearerCredentials(field) {
        case .otherScheme: throw reject(request, "missing", Self.noCredentials)
        case .malformed: throw reject(request, "malformed", Self.invalidRequest)
        case .token(let start):
            return try check(request, field.extracting(start..<field.count), isRenewal: isRenewal)
        }
    }

    /// - Parameter token: what the request presents, wherever it did.
    func check(
        _ request: Request, _ token: Span<UInt8>, isRenewal: Bool = false
    ) throws(Rejection) -> AuthenticatedToken {
        let now = clock.now()
        var claims: Claims
        do throws(TokenError) {
            claims = try tokens.verify(token, at: now)
        } catch {
            // Only now, because a token that verifies has only characters that a token may have.
            guard BearerCredentials.isToken(token) else {
                throw reject(request, "malformed", Self.invalidRequest)
            }
            throw reject(request, token, isRenewal ? error.ofRenewal(at: now) : error, isRenewal)
        }
        TokenIdentity.complete(&claims, of: token)
        // Before what was revoked: whoever removes a user ends the sessions, too, and that clients still
        // come with their tokens is no theft.
        guard users.contains(claims.user) else {
            log.record(
                TokenRejected(
                    reason: "unknown_user", level: .warning, claims: claims,
                    origin: Origin(request)))
            throw Rejection(response: Self.userNotFound)
        }
        let exchanged = try checkRevocations(request, claims, now)
        if verifications.wantsNext {
            log.record(
                TokenVerified(
                    claims: claims, keyID: tokens.keyID(of: claims), origin: Origin(request)))
        } else {
            log.counters.tokensVerified.add()
        }
        return AuthenticatedToken(claims: claims, exchanged: exchanged)
    }

    /// - Returns: when the token was exchanged for another, if it was and is still good.
    private func checkRevocations(
        _ request: Request, _ claims: Claims, _ now: Timestamp
    ) throws(Rejection) -> Timestamp? {
        if let began = claims.sessionStart, began > now {
            revocations.observeSessionStart(began, at: now)
        }
        switch revocations.status(for: claims) {
        case nil: return nil
        case .alreadyUsed(let exchanged) where now < exchanged + Self.grace: return exchanged
        case .alreadyUsed(let exchanged): throw replay(request, claims, exchanged: exchanged, now)
        case .revoked(let moment):
            log.record(
                TokenReused(
                    claims: claims, revoked: min(moment, now), origin: Origin(request)))
            throw Rejection(response: Self.tokenReused)
        }
    }

    /// A token came back after it had been exchanged and its grace was over: somebody has a copy of it,
    /// and nobody can tell who of the two is the user. The session ends for both.
    func replay(
        _ request: Request, _ claims: Claims, exchanged: Timestamp, _ now: Timestamp
    ) -> Rejection {
        let origin = Origin(request)
        log.record(TokenReused(claims: claims, revoked: exchanged, origin: origin))
        if let session = claims.sessionID {
            // The answer is a refusal, which need not wait for the disk, nor let others wait.
            let notStored = { @Sendable [log] (error: Errno) in
                log.log.record(RevocationNotStored(error: error, claims: claims, origin: origin))
            }
            do throws(Errno) {
                try revocations.revokeAsync(session, of: claims, at: now, failed: notStored)
                log.record(
                    TokenRevoked(
                        scope: .session(claims.user, session), by: "reuse", origin: origin,
                        isDemo: log.isDemo))
            } catch {
                notStored(error)
            }
        }
        return Rejection(response: Self.tokenReused)
    }

    private func reject(
        _ request: Request, _ token: Span<UInt8>, _ error: TokenError, _ isRenewal: Bool
    ) -> Rejection {
        let (level, response) = Self.refusal(of: error, isRenewal: isRenewal)
        log.record(
            TokenRejected(
                reason: error.reason, level: level,
                fingerprint: Fingerprint(of: token, key: fingerprintKey), claims: error.claims,
                origin: Origin(request)))
        return Rejection(response: response)
    }

    /// A request that has no token to speak of.
    private func reject(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> Rejection {
        log.record(TokenRejected(reason: reason, level: .warning, origin: Origin(request)))
        return Rejection(response: response)
    }
}

// MARK: - Answers

extension BearerAuthentication {
    /// What a client is told about a token that the verifier refuses, and how grave it is.
    package static func refusal(
        of error: TokenError, isRenewal: Bool = false
    ) -> (level: Level, response: Response) {
        switch error {
        case .expired: (.info, tokenExpired)
        case .sessionExpired where isRenewal: (.warning, sessionExpired)
        case .algorithmNotAllowed: (.error, invalidToken)
        default: (.warning, invalidToken)
        }
    }

    /// RFC 6750 §3.1: a request without credentials is told the scheme and nothing else.
    private static let noCredentials = Response.error(.unauthorized)
        .adding("WWW-Authenticate", #"Bearer realm="gatehouse""#).heldUntilCommitted
    package static let invalidRequest = Response.error(.badRequest, "Invalid request")
        .challenging("invalid_request", "The request is malformed")
    private static let invalidToken = Response.error(.unauthorized, "Invalid token")
        .challenging("invalid_token", "The token is invalid")
    private static let tokenExpired = Response.error(.unauthorized, "Token expired")
        .challenging("invalid_token", "The token expired")
    package static let tokenRevoked = Response.error(.unauthorized, "Token revoked")
        .challenging("invalid_token", "The token was revoked")
    /// The event of a reuse is CRITICAL, and on the disk before its answer.
    private static let tokenReused = tokenRevoked.synced
    static let sessionExpired = Response.error(.unauthorized, "Session expired")
        .challenging("invalid_token", "The token expired")
    package static let userNotFound = Response.error(.notFound, "User not found").heldUntilCommitted
}

extension Response {
    fileprivate func challenging(_ error: String, _ description: String) -> Response {
        adding(
            "WWW-Authenticate",
            #"Bearer realm="gatehouse", error="\#(error)", error_description="\#(description)""#
        ).heldUntilCommitted
    }
}

extension TokenError {
    /// The same to somebody who wants to renew a session: that it is over says more than that its last
    /// token is.
    fileprivate func ofRenewal(at now: Timestamp) -> TokenError {
        guard case .expired(let claims) = self, let end = claims.sessionExpires, end <= now else {
            return self
        }
        return .sessionExpired(claims)
    }
}

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

/// Checks the bearer token of a request before a handler runs (RFC 6750), and logs every
/// verification, successful or not.
///
/// Credentials come from the Authorization field only (§2.1), never from a query or a form. A
/// refused client gets one of a few fixed sentences (§3.1); the log has the precise reason.
package struct BearerAuthentication: Sendable {
    /// How long an exchanged token stays valid: two tabs may refresh at the same time, and a
    /// response may be lost in transit.
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

    /// A token that was verified and is not revoked.
    struct AuthenticatedToken {
        let claims: Claims
        /// When the token was exchanged for another one, less than `grace` ago; nil if it was not.
        let exchanged: Timestamp?
    }

    /// The response for a request that was refused. The refusal is already logged.
    struct Rejection: Error {
        let response: Response
    }

    /// - Parameter isRenewal: the token is about to be exchanged: if the session has ended, report
    ///   that instead of the token's own expiry.
    /// - Throws: `Rejection` if the request has no valid token.
    func authenticate(
        _ request: Request, isRenewal: Bool = false
    ) throws(Rejection) -> AuthenticatedToken {
        // Two Authorization fields are ambiguous, even if one of them is valid.
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

    /// Verifies a token, checks revocations and the user, and logs the result.
    /// - Parameter token: the token, from whichever part of the request the caller read it.
    /// - Throws: `Rejection` if the token is not valid.
    func check(
        _ request: Request, _ token: Span<UInt8>, isRenewal: Bool = false
    ) throws(Rejection) -> AuthenticatedToken {
        let now = clock.now()
        var claims: Claims
        do throws(TokenError) {
            claims = try tokens.verify(token, at: now)
        } catch {
            // Only after a failed verification: a token that verifies contains only allowed
            // characters.
            guard BearerCredentials.isToken(token) else {
                throw reject(request, "malformed", Self.invalidRequest)
            }
            throw reject(request, token, isRenewal ? error.ofRenewal(at: now) : error, isRenewal)
        }
        TokenIdentity.complete(&claims, of: token)
        // Check the user before revocations: removing a user also revokes the sessions, and a
        // client that still sends its token is not a replay.
        guard users.contains(claims.user) else {
            log.record(
                TokenRejected(
                    reason: "unknown_user", level: .warning, claims: claims,
                    origin: Origin(request)))
            throw Rejection(response: Self.userNotFound)
        }
        let exchanged = try checkRevocations(request, claims, now)
        if verifications.shouldLogNext {
            log.record(
                TokenVerified(
                    claims: claims, keyID: tokens.keyID(of: claims), origin: Origin(request)))
        } else {
            log.counters.tokensVerified.add()
        }
        return AuthenticatedToken(claims: claims, exchanged: exchanged)
    }

    /// - Returns: when the token was exchanged for another one, if it is still within the grace
    ///   period; nil if it was not exchanged.
    /// - Throws: `Rejection` if the token is revoked, or was exchanged more than `grace` ago.
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

    /// Handles an exchanged token that came back after its grace period: there are two holders of
    /// the token, and the server cannot know which one is the user. Ends the session for both.
    func replay(
        _ request: Request, _ claims: Claims, exchanged: Timestamp, _ now: Timestamp
    ) -> Rejection {
        let origin = Origin(request)
        log.record(TokenReused(claims: claims, revoked: exchanged, origin: origin))
        if let session = claims.sessionID {
            // Do not wait for the disk: the response is a refusal anyway, and other requests must
            // not wait.
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

    /// Rejects a request without a usable token.
    private func reject(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> Rejection {
        log.record(TokenRejected(reason: reason, level: .warning, origin: Origin(request)))
        return Rejection(response: response)
    }
}

// MARK: - Answers

extension BearerAuthentication {
    /// The response to a token that the verifier refuses, and the level of its log line.
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

    /// RFC 6750 §3.1: a request without credentials gets the scheme and no error code.
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
    /// `authn_token_reuse` is CRITICAL and must be on disk before the response is sent.
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
    /// The error for a client that refreshes: if the session has ended, report that rather than the
    /// expiry of its last token.
    fileprivate func ofRenewal(at now: Timestamp) -> TokenError {
        guard case .expired(let claims) = self, let end = claims.sessionExpires, end <= now else {
            return self
        }
        return .sessionExpired(claims)
    }
}

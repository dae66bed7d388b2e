import Crypto
import HTTP
import JWT
import Logging
import Time

/// A handler that cannot be called without a verified token.
package typealias ProtectedHandler = @Sendable (Request, Claims) -> Response

/// Lets requests with a good bearer token through to a handler (RFC 6750), and puts every
/// verification on record, good or bad.
///
/// Credentials are taken from the Authorization field alone (§2.1), never from a query or a form.
/// What a refused client learns is one of a few sentences (§3.1); the log has the reason.
package struct BearerAuthentication: Sendable {
    private let tokens: any TokenVerifier
    private let users: UserDirectory
    private let log: Logger
    private let clock: WallClock
    private let fingerprintKey: HMACSHA256.Key
    private let verifications: VerificationRecord

    package init(
        _ tokens: any TokenVerifier, users: UserDirectory, log: Logger, clock: WallClock,
        fingerprintKey: HMACSHA256.Key, onRecord verified: VerifiedTokens = .all
    ) {
        self.tokens = tokens
        self.users = users
        self.log = log
        self.clock = clock
        self.fingerprintKey = fingerprintKey
        verifications = VerificationRecord(verified)
    }

    package func protecting(_ handler: @escaping ProtectedHandler) -> Handler {
        { request in
            // Two fields are two answers to one question, whichever of them is good.
            guard request.authorizationCount <= 1 else {
                return reject(request, "malformed", Self.invalidRequest)
            }
            guard let field = request.value(of: .authorization) else {
                return reject(request, "missing", Self.noCredentials)
            }
            switch BearerCredentials(field) {
            case .otherScheme: return reject(request, "missing", Self.noCredentials)
            case .malformed: return reject(request, "malformed", Self.invalidRequest)
            case .token(let start):
                return check(request, field.extracting(start..<field.count), handler)
            }
        }
    }

    private func check(
        _ request: Request, _ token: Span<UInt8>, _ handler: ProtectedHandler
    ) -> Response {
        let claims: Claims
        do throws(TokenError) {
            claims = try tokens.verify(token, at: clock.now())
        } catch {
            // Only now, because a token that verifies has only characters that a token may have.
            guard BearerCredentials.isToken(token) else {
                return reject(request, "malformed", Self.invalidRequest)
            }
            return reject(request, token, error)
        }
        guard users.contains(claims.user) else {
            log.record(
                TokenRejected(
                    reason: "unknown_user", level: .warning, claims: claims,
                    origin: Origin(request)))
            return Self.userNotFound
        }
        if verifications.wantsNext {
            log.record(
                TokenVerified(
                    claims: claims, keyID: tokens.keyID(of: claims),
                    origin: Origin(request)))
        }
        return handler(request, claims).audited
    }

    private func reject(
        _ request: Request, _ token: Span<UInt8>, _ error: TokenError
    ) -> Response {
        let (level, response): (Level, Response) =
            switch error {
            case .expired: (.info, Self.tokenExpired)
            case .algorithmNotAllowed: (.error, Self.invalidToken)
            default: (.warning, Self.invalidToken)
            }
        log.record(
            TokenRejected(
                reason: error.reason, level: level,
                fingerprint: Fingerprint(of: token, key: fingerprintKey), claims: error.claims,
                origin: Origin(request)))
        return response
    }

    /// A request that has no token to speak of.
    private func reject(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> Response {
        log.record(TokenRejected(reason: reason, level: .warning, origin: Origin(request)))
        return response
    }

    // MARK: Answers

    /// RFC 6750 §3.1: a request without credentials is told the scheme and nothing else.
    private static let noCredentials = Response.error(.unauthorized)
        .adding("WWW-Authenticate", #"Bearer realm="gatehouse""#).audited
    private static let invalidRequest = Response.error(.badRequest, "Invalid request")
        .challenging("invalid_request", "The request is malformed")
    private static let invalidToken = Response.error(.unauthorized, "Invalid token")
        .challenging("invalid_token", "The token is invalid")
    private static let tokenExpired = Response.error(.unauthorized, "Token expired")
        .challenging("invalid_token", "The token expired")
    private static let userNotFound = Response.error(.notFound, "User not found").audited
}

extension Response {
    fileprivate func challenging(_ error: String, _ description: String) -> Response {
        adding(
            "WWW-Authenticate",
            #"Bearer realm="gatehouse", error="\#(error)", error_description="\#(description)""#
        ).audited
    }
}

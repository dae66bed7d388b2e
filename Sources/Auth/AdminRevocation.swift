import HTTP
import JSON
import JWT
import Logging
import POSIX
import Revocation
import Time

/// POST /revoke for whoever may use the administrator's socket. A form with `token` revokes that token
/// (RFC 7009); a JSON object with one of `token`, `token_id`, `session`, `user` and `all` revokes what it
/// names. On the disk before it is answered.
package struct AdminRevocation: Sendable {
    private let tokens: HS256
    private let revocations: Revocations
    private let sessions: SessionList
    private let log: SecurityLog
    private let clock: WallClock
    private let sessionLifetime: Milliseconds

    package init(
        _ tokens: HS256, revocations: Revocations, sessions: SessionList, log: SecurityLog,
        clock: WallClock, sessionLifetime: Milliseconds
    ) {
        self.tokens = tokens
        self.revocations = revocations
        self.sessions = sessions
        self.log = log
        self.clock = clock
        self.sessionLifetime = sessionLifetime
    }

    package func respond(to request: Request) -> Reply {
        switch Order(request, tokens, at: clock.now()) {
        case .invalid: .response(Self.invalidRequest)
        // RFC 7009 §2.2: a token that is none needs no revocation.
        case .nothing: .response(Self.done)
        case .revoke(let scope, let until): .slow(.waiting) { revoke(request, scope, until) }
        }
    }

    private func revoke(
        _ request: Request, _ scope: TokenRevoked.Scope, _ expiry: Timestamp?
    ) -> Response {
        let now = clock.now()
        let origin = Origin(request)
        do throws(Errno) {
            // Whatever has been named by hand may be as young as can be.
            let until = expiry ?? now + sessionLifetime
            switch scope {
            case .token(_, let id):
                try revocations.revoke(
                    [.token(id.bytes)], at: now, until: until + TokenPolicy.maximumLeeway)
            case .session(let user, let id):
                try revocations.revoke(
                    [.session(id.bytes)], at: now, until: until + TokenPolicy.maximumLeeway)
                sessions.remove(id, of: user)
            case .user(let user):
                try revocations.endAll(of: user, at: now)
                sessions.removeAll(of: user)
            case .all:
                try revocations.revoke([.everyone], at: now, until: now + Revocations.longest)
                sessions.removeAll()
            }
        } catch {
            log.log.record(RevocationNotStored(error: error, origin: origin))
            return StorageUnavailable.response
        }
        log.record(TokenRevoked(scope: scope, by: "admin", origin: origin))
        return Self.done
    }

    private static let done = Response(.ok, json: Array("{}".utf8)).audited
    private static let invalidRequest = Response.error(.badRequest, "Invalid request")
}

/// What the content of POST /revoke asks for.
private enum Order {
    case revoke(TokenRevoked.Scope, until: Timestamp?)
    case nothing
    case invalid

    init(_ request: Request, _ tokens: HS256, at now: Timestamp) {
        self = .invalid
        if case .token(let token) = TokenParameter(request) {
            self = Order(token, tokens, at: now)
            return
        }
        guard ContentType(request) != .form,
            case .object(let members)? = try? JSONValue(parsing: request.body),
            members.count == 1, let member = members.first
        else { return }
        switch (member.name, member.value) {
        case ("token_id", .string(let text)):
            guard let id = Self.identifier(text) else { return }
            self = .revoke(.token(nil, id), until: nil)
        case ("session", .string(let text)):
            guard let id = Self.identifier(text) else { return }
            self = .revoke(.session(nil, id), until: nil)
        case ("user", .number(.integer(let number))):
            guard let user = UserID(number) else { return }
            self = .revoke(.user(user), until: nil)
        case ("all", .boolean(true)): self = .revoke(.all, until: nil)
        default: return
        }
    }

    /// A token is revoked by what it says, so its signature has to hold; that it is not good yet, or not
    /// for us, or expired, changes nothing.
    private init(_ token: [UInt8], _ tokens: HS256, at now: Timestamp) {
        var claims: Claims?
        do throws(TokenError) { claims = try tokens.verify(token.span, at: now) } catch {
            claims = error.claims
        }
        guard let claims else {
            self = .nothing
            return
        }
        let named = TokenIdentity.completing(claims, of: token.span)
        self =
            named.tokenID.map { .revoke(.token(named.user, $0), until: named.expires) } ?? .nothing
    }

    private static func identifier(_ text: String) -> ShortText? {
        let bytes = Array(text.utf8)
        return bytes.isEmpty ? nil : ShortText(bytes.span)
    }
}

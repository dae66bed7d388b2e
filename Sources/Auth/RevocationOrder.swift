import HTTP
import JSON
import JWT
import POSIX
import Revocation
import Time

/// What an administrator wants to be good no longer: the content of POST /revoke.
package enum RevocationOrder: Sendable {
    /// - Parameter until: when what is named is over anyhow; nil if that is not known.
    case revoke(TokenRevoked.Scope, until: Timestamp?)
    /// A token that none of our keys has signed.
    case nothing
    case invalid

    init(_ request: Request, _ tokens: HS256, at now: Timestamp) {
        self = .invalid
        if case .token(let token) = TokenParameter(request) {
            self = RevocationOrder(token: token, tokens, at: now)
        } else if ContentType(request) != .form {
            self = RevocationOrder(parsing: request.body, tokens, at: now)
        }
    }

    /// - Parameter json: an object with one of `token`, `token_id`, `session`, `user` and `all`.
    package init(parsing json: Span<UInt8>, _ tokens: HS256, at now: Timestamp) {
        self = .invalid
        guard case .object(let members)? = try? JSONValue(parsing: json),
            members.count == 1, let member = members.first
        else { return }
        switch (member.name, member.value) {
        case ("token", .string(let text)):
            self = RevocationOrder(token: Array(text.utf8), tokens, at: now)
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
    private init(token: [UInt8], _ tokens: HS256, at now: Timestamp) {
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

extension Revocations {
    /// Revokes what an administrator has named, and returns when that is on the disk.
    /// - Parameter expiry: when it is over anyhow, if that is known.
    package func revoke(
        _ scope: TokenRevoked.Scope, at now: Timestamp, until expiry: Timestamp?,
        sessionLifetime: Milliseconds
    ) throws(Errno) {
        // Whatever has been named by hand may be as young as can be.
        let until = (expiry ?? now + sessionLifetime) + TokenPolicy.maximumLeeway
        switch scope {
        case .token(_, let id): try revoke([.token(id.bytes)], at: now, until: until)
        case .session(_, let id): try revoke([.session(id.bytes)], at: now, until: until)
        case .user(let user): try endAll(of: user, at: now)
        case .all: try revoke([.everyone], at: now, until: now + Self.longest)
        }
    }
}

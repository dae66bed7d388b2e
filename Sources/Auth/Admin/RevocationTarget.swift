import HTTP
import JSON
import JWT
import POSIX
import Revocation
import Time

/// The body of POST /revoke: what an administrator wants to revoke.
package enum RevocationRequest: Sendable {
    case revoke(RevocationTarget)
    /// A token that none of our keys has signed: there is nothing to revoke.
    case foreignToken
    case invalid

    init(_ request: Request, _ tokens: HS256, at now: Timestamp) {
        self = .invalid
        switch ContentType(request) {
        case .other: return
        case .form:
            guard case .token(let token) = TokenParameter(request) else { return }
            self = RevocationRequest(token: token, tokens, at: now)
        case .json, .unnamed:
            self = RevocationRequest(parsing: request.body, tokens, at: now)
        }
    }

    /// - Parameter json: an object with one of `token`, `token_id`, `session`, `user` and `all`.
    package init(parsing json: Span<UInt8>, _ tokens: HS256, at now: Timestamp) {
        self = .invalid
        guard case .object(let all)? = try? JSONValue(parsing: json) else { return }
        var members = all.withoutNulls
        // RFC 7009 §2.1: ignored, because there is only one kind of token.
        members.removeAll { $0.name == "token_type_hint" }
        guard members.count == 1, let member = members.first else { return }
        switch (member.name, member.value) {
        case ("token", .string(let text)):
            self = RevocationRequest(token: Array(text.utf8), tokens, at: now)
        case ("token_id", .string(let text)):
            guard let id = Self.identifier(text) else { return }
            self = .revoke(.tokenID(id))
        case ("session", .string(let text)):
            guard let id = Self.identifier(text) else { return }
            self = .revoke(.session(id))
        case ("user", .number(.integer(let number))):
            guard let user = UserID(number) else { return }
            self = .revoke(.user(user))
        case ("all", .boolean(true)): self = .revoke(.all)
        default: return
        }
    }

    /// Revokes a token by its claims, so its signature must be valid. A token that is expired, not
    /// valid yet or for another audience can be revoked, too.
    private init(token: [UInt8], _ tokens: HS256, at now: Timestamp) {
        var claims: Claims?
        do throws(TokenError) { claims = try tokens.verify(token.span, at: now) } catch {
            claims = error.claims
        }
        self = .foreignToken
        guard let claims else { return }
        let named = TokenIdentity.fillingIdentifiers(claims, of: token.span)
        guard let id = named.tokenID, let session = named.sessionID else { return }
        self = .revoke(.token(named, id, session: session))
    }

    private static func identifier(_ text: String) -> ShortText? {
        let bytes = Array(text.utf8)
        return bytes.isEmpty ? nil : ShortText(bytes.span)
    }
}

extension Revocations {
    /// Revokes what an administrator has named. Returns when the revocation is on disk.
    /// - Parameter leeway: the clock leeway of the policy that tokens are verified with.
    /// - Throws: as `Revocations.revoke(_:at:until:)`.
    package func revoke(
        _ target: RevocationTarget, at now: Timestamp, leeway: TimeAmount
    ) throws(Errno) {
        // Nothing is known about the expiry of a named identifier: keep the revocation for the
        // maximum time.
        let longest = now + Self.longest
        switch target {
        case .token(let claims, let token, let session):
            try revoke(
                [.token(token.bytes), .session(session.bytes)], at: now,
                until: claims.sessionEnd(after: now))
        case .tokenID(let id): try revoke([.token(id.bytes)], at: now, until: longest)
        case .session(let id): try revoke([.session(id.bytes)], at: now, until: longest)
        case .user(let user): try revokeAll(of: user, at: now, leeway: leeway)
        case .all: try revokeEveryone(at: now, leeway: leeway)
        }
    }
}

package enum RevocationTarget: Sendable {
    /// A presented token, together with its session: it may have been exchanged before.
    case token(Claims, ShortText, session: ShortText)
    /// A token alone: its identifier does not show which session it belongs to.
    case tokenID(ShortText)
    case session(ShortText)
    case user(UserID)
    case all

    /// Whether the server has seen the target, as far as it remembers.
    /// - Parameter sessions: the sessions that this process has started or refreshed.
    package func isKnown(
        to users: UserDirectory, _ sessions: SessionList, _ revocations: Revocations,
        at now: Timestamp
    ) -> Bool {
        switch self {
        // A token was signed with one of our keys.
        case .token, .all: true
        case .tokenID(let id):
            sessions.isKnown(token: id, at: now) || revocations.isKnown(.token(id.bytes))
        case .session(let id):
            sessions.isKnown(id, at: now) || revocations.isKnown(.session(id.bytes))
        case .user(let id): users[id] != nil
        }
    }

    /// The scopes of the log events for this target.
    var scopes: [TokenRevoked.Scope] {
        switch self {
        case .token(let claims, let token, let session):
            token == session
                ? [.token(claims.user, token)]
                : [.token(claims.user, token), .session(claims.user, session)]
        case .tokenID(let id): [.token(nil, id)]
        case .session(let id): [.session(nil, id)]
        case .user(let user): [.user(user)]
        case .all: [.all]
        }
    }
}

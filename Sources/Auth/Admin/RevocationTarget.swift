import HTTP
import JSON
import JWT
import POSIX
import Revocation
import Time

/// What an administrator wants to be good no longer: the content of POST /revoke.
package enum RevocationRequest: Sendable {
    case revoke(RevocationTarget)
    /// A token that none of our keys has signed.
    case nothing
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
        // RFC 7009 §2.1: of no use here, where there is one kind of token.
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

    /// A token is revoked by what it says, so its signature has to hold; that it is not good yet, or not
    /// for us, or expired, changes nothing.
    private init(token: [UInt8], _ tokens: HS256, at now: Timestamp) {
        var claims: Claims?
        do throws(TokenError) { claims = try tokens.verify(token.span, at: now) } catch {
            claims = error.claims
        }
        self = .nothing
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
    /// Revokes what an administrator has named, and returns when that is on the disk.
    /// - Parameter leeway: of the policy that tokens are verified by.
    package func revoke(
        _ target: RevocationTarget, at now: Timestamp, leeway: TimeAmount
    ) throws(Errno) {
        // What is named by hand may be good for as long as anything is.
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
    /// A token that was shown, and its session with it: whoever has the token may have exchanged it
    /// long ago.
    case token(Claims, ShortText, session: ShortText)
    /// An identifier alone does not tell what its token was exchanged for.
    case tokenID(ShortText)
    case session(ShortText)
    case user(UserID)
    case all

    /// Whether it is something that the server has met, as far as it remembers.
    /// - Parameter sessions: those that this process has begun or renewed.
    package func isKnown(
        to users: UserDirectory, _ sessions: SessionList, _ revocations: Revocations,
        at now: Timestamp
    ) -> Bool {
        switch self {
        // One of the keys has signed it.
        case .token, .all: true
        case .tokenID(let id):
            sessions.isKnown(token: id, at: now) || revocations.isKnown(.token(id.bytes))
        case .session(let id):
            sessions.isKnown(id, at: now) || revocations.isKnown(.session(id.bytes))
        case .user(let id): users[id] != nil
        }
    }

    /// As the log has it.
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

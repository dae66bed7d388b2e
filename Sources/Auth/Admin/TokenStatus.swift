import HTTP
import JSON
import JWT
import Revocation
import Time

/// What the server knows about a token beyond its claims: whether it was revoked, and whether its
/// user exists. The lookup uses identifiers only, so the token need not be sent to the server. It
/// is not logged, because no token was presented.
package struct TokenStatus: Sendable, Equatable {
    package let revocation: RevocationStatus?
    package let isUserKnown: Bool

    /// - Parameter claims: with `jti` and `sid`, as `TokenIdentity.fillingIdentifiers` returns
    ///   them.
    package init(
        of claims: Claims, _ revocations: Revocations, _ users: UserDirectory
    ) {
        revocation = revocations.status(for: claims)
        isUserKnown = users.contains(claims.user)
    }

    private init(finding: RevocationStatus?, isUserKnown: Bool) {
        self.revocation = finding
        self.isUserKnown = isUserKnown
    }

    /// The status for a verification at `moment`. A cutoff can be later than the clock by the
    /// leeway, and is in force at once; it then counts as of `moment`.
    /// - Parameter leeway: nil if `moment` is the present: every revocation is in force.
    package func inForce(at moment: Timestamp, leeway: TimeAmount?) -> TokenStatus {
        guard case .revoked(let revoked)? = revocation, revoked > moment else { return self }
        if let leeway, revoked > moment + leeway { return self }
        return TokenStatus(finding: .revoked(at: moment), isUserKnown: isUserKnown)
    }

    // MARK: Over the administrator's socket

    /// The body of POST /standing. Times are in milliseconds, because cutoffs are.
    package static func requestBody(about claims: Claims) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(claims.user.rawValue)
        if let id = claims.tokenID {
            writer.name("jti")
            writer.string(id.utf8)
        }
        if let id = claims.sessionID {
            writer.name("sid")
            writer.string(id.utf8)
        }
        if let issued = claims.issued {
            writer.name("issued_ms")
            writer.integer(issued.milliseconds)
        }
        if let login = claims.authenticated {
            writer.name("auth_ms")
            writer.integer(login.milliseconds)
        }
        writer.endObject()
        return writer.bytes
    }

    /// Handles POST /standing.
    package static func respond(
        to request: Request, _ revocations: Revocations, _ users: UserDirectory
    ) -> Response {
        guard let claims = claims(in: request.body) else {
            return .error(.badRequest, "Invalid request")
        }
        let standing = TokenStatus(of: claims, revocations, users)
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user_known")
        writer.boolean(standing.isUserKnown)
        switch standing.revocation {
        case .revoked(let moment)?:
            writer.name("revoked_ms")
            writer.integer(moment.milliseconds)
        case .alreadyUsed(let moment)?:
            writer.name("exchanged_ms")
            writer.integer(moment.milliseconds)
        case nil: break
        }
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    /// Parses a response to POST /standing; nil if it is not one.
    package init?(_ answer: JSONValue) {
        guard case .object(let members) = answer else { return nil }
        var finding: RevocationStatus?
        var isUserKnown: Bool?
        for member in members {
            switch (member.name, member.value) {
            case ("user_known", .boolean(let isKnown)): isUserKnown = isKnown
            case ("revoked_ms", .number(.integer(let moment))):
                finding = .revoked(at: Timestamp(milliseconds: moment))
            case ("exchanged_ms", .number(.integer(let moment))):
                finding = .alreadyUsed(at: Timestamp(milliseconds: moment))
            default: return nil
            }
        }
        guard let isUserKnown else { return nil }
        self.revocation = finding
        self.isUserKnown = isUserKnown
    }

    private static func claims(in json: Span<UInt8>) -> Claims? {
        guard case .object(let members)? = try? JSONValue(parsing: json) else { return nil }
        var user: UserID?
        var (token, session): (ShortText?, ShortText?)
        var (issued, login): (Timestamp?, Timestamp?)
        for member in members.withoutNulls {
            switch (member.name, member.value) {
            case ("user", .number(.integer(let number))): user = UserID(number)
            case ("jti", .string(let text)): token = ShortText(Array(text.utf8).span)
            case ("sid", .string(let text)): session = ShortText(Array(text.utf8).span)
            case ("issued_ms", .number(.integer(let moment))):
                issued = Timestamp(milliseconds: moment)
            case ("auth_ms", .number(.integer(let moment))):
                login = Timestamp(milliseconds: moment)
            default: return nil
            }
        }
        guard let user else { return nil }
        var claims = Claims(user: user, expires: Timestamp(milliseconds: .max))
        claims.tokenID = token
        claims.sessionID = session
        claims.issued = issued
        claims.authenticated = login
        return claims
    }
}

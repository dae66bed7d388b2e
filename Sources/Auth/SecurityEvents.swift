import HTTP
import JWT
import Logging
import Time

/// The security area of the log: who was let in, who was not, and why. One value for each event of
/// the table in README; names and fields are a promise to the programs that read the log.
///
/// No event has room for a token or a password: a token is known by its `jti`, and where nothing it
/// says can be believed, by a fingerprint.

/// Where a request came from and what it is known by: the last fields of every event.
package struct Origin: Sendable {
    let client: ClientAddress
    let id: RequestID

    /// The client's address as text.
    package var address: Span<UInt8> {
        @_lifetime(borrow self)
        get { client.utf8 }
    }

    package init(_ request: Request) {
        client = request.client
        id = request.id
    }

    package init(client: ClientAddress, id: RequestID) {
        self.client = client
        self.id = id
    }
}

extension LogLine {
    package mutating func fields(_ origin: Origin) {
        field("ip", origin.client.utf8)
        field("rid", origin.id.utf8)
    }

    fileprivate mutating func fields(_ claims: Claims) {
        field("user", claims.user.number)
        if let id = claims.tokenID { field("jti", id.utf8) }
        if let id = claims.sessionID { field("sid", id.utf8) }
        field("exp", claims.expires.seconds)
    }
}

/// `authn_login_success`
struct LoginSucceeded: LogEvent {
    let user: UserID
    let origin: Origin
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_login_success" }
    var isPivotal: Bool { true }

    func write(to line: inout LogLine) {
        line.field("user", user.number)
        line.fields(origin)
    }
}

/// `authn_login_fail`
struct LoginFailed: LogEvent {
    let reason: StaticString
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_login_fail" }
    var repetition: Repetition? { Repetition(name, reason, from: origin.client.utf8) }

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        line.fields(origin)
    }
}

/// `authn_token_created`
struct TokenCreated: LogEvent {
    let claims: Claims
    let keyID: String
    let origin: Origin
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_token_created" }
    var isPivotal: Bool { true }

    func write(to line: inout LogLine) {
        line.fields(claims)
        line.field("kid", keyID)
        line.fields(origin)
    }
}

/// `authn_token_verified`
struct TokenVerified: LogEvent {
    let claims: Claims
    let keyID: String
    let origin: Origin
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_token_verified" }

    func write(to line: inout LogLine) {
        line.fields(claims)
        line.field("kid", keyID)
        line.fields(origin)
    }
}

/// `authn_token_rejected`: expired tokens are everyday traffic, a foreign algorithm is an attack or a
/// grave mistake, the rest lies between.
struct TokenRejected: LogEvent {
    let reason: StaticString
    let level: Level
    /// What the token is known by, whether or not its `jti` can be believed.
    var fingerprint: Fingerprint?
    /// Only once the signature held.
    var claims: Claims?
    let origin: Origin
    var area: Area { .security }
    var name: StaticString { "authn_token_rejected" }
    var repetition: Repetition? { Repetition(name, reason, from: origin.client.utf8) }

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        if let claims { line.fields(claims) }
        if let fingerprint { line.field("fingerprint", fingerprint.digits.span) }
        line.fields(origin)
    }
}

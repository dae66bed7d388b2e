import HTTP
import JWT
import Logging
import Metrics
import Time

/// The events of the log's security area. One type for each event of the log's documentation; names
/// and fields are stable, because programs parse them.
///
/// No event contains a token or a password. A token is identified by its `jti`, or by a fingerprint
/// if its claims cannot be trusted.

/// The client address and the id of a request: the last fields of each event.
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
        field("user", claims.user.rawValue)
        if let id = claims.tokenID { field("jti", id.utf8) }
        if let id = claims.sessionID, !claims.isSingleTokenSession { field("sid", id.utf8) }
        field("exp", claims.expires.seconds)
    }
}

/// `authn_login_success`
struct LoginSucceeded: SecurityEvent {
    let user: UserID
    let origin: Origin
    /// True in demo mode: no password was required.
    var isDemo = false
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_login_success" }
    var affectsAccess: Bool { true }
    var source: LogSource? { isDemo ? origin.sourceOfDemo() : nil }

    func count(in counters: SecurityCounters) { counters.loginsSucceeded.add() }

    func write(to line: inout LogLine) {
        line.field("user", user.rawValue)
        line.fields(origin)
    }
}

/// `authn_login_fail`
struct LoginFailed: SecurityEvent {
    let reason: StaticString
    /// The existing user that the attempt was for.
    var user: UserID?
    /// Fingerprint of a name that no user has; the name itself may be a password typed into the
    /// wrong field.
    var fingerprint: Fingerprint?
    /// Failures within the throttle's window.
    var attempts: Int?
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_login_fail" }
    var source: LogSource? { origin.source(reason, user: user) }

    func count(in counters: SecurityCounters) { counters.loginsFailed.add(reason) }

    func write(to line: inout LogLine) {
        if let user { line.field("user", user.rawValue) }
        if let fingerprint { line.field("fingerprint", fingerprint.digits.span) }
        line.field("reason", reason)
        if let attempts { line.field("attempts", Int64(attempts)) }
        line.fields(origin)
    }
}

/// `authn_login_lock`: the throttle locked an account or a network for a while.
struct LoginLocked: SecurityEvent {
    /// `account` or `address`.
    let reason: StaticString
    /// Nil for a network, and for an identifier that no user has.
    let user: UserID?
    let fingerprint: Fingerprint?
    /// Nil for an account.
    let network: UInt128?
    let attempts: Int
    let until: Timestamp
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_login_lock" }
    var source: LogSource? { origin.source(reason, user: user) }

    func count(in counters: SecurityCounters) { counters.lockouts.add() }

    func write(to line: inout LogLine) {
        if let user { line.field("user", user.rawValue) }
        if let fingerprint { line.field("fingerprint", fingerprint.digits.span) }
        line.field("reason", reason)
        if let network { line.field("network", ClientNetworks.text(of: network)) }
        line.field("attempts", Int64(attempts))
        line.field("until", until.seconds)
        line.fields(origin)
    }
}

/// `authn_unlock`: failure counts and locks were reset before their time.
struct LoginUnlocked: SecurityEvent {
    enum Subject: Sendable {
        case user(UserID)
        /// An identifier that no user has.
        case unknown(Fingerprint)
        /// As the operator wrote it.
        case address(String)
        case all
    }

    let subject: Subject
    /// `admin`, or `set-password` if a reload found a changed password.
    let by: StaticString
    /// Number of locks that ended.
    let locks: Int
    /// Nil if no client request caused it.
    let origin: Origin?
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_unlock" }

    func count(in counters: SecurityCounters) { counters.unlocks.add() }

    func write(to line: inout LogLine) {
        switch subject {
        case .user(let user): line.field("user", user.rawValue)
        case .unknown(let fingerprint): line.field("fingerprint", fingerprint.digits.span)
        case .address(let text): line.field("address", text)
        case .all: line.field("scope", "all" as StaticString)
        }
        line.field("locks", Int64(locks))
        line.field("by", by)
        if let origin { line.fields(origin) }
    }
}

/// `authn_login_throttled`: an attempt was refused without checking the password. If the account's
/// joint count refuses it, the password is hashed all the same and the client gets the usual 401.
struct LoginThrottled: SecurityEvent {
    /// `account`, `address` or `session`: which limit was exceeded.
    let reason: StaticString
    /// The existing user that the attempt was for; `fingerprint` is for an identifier that no user
    /// has.
    var user: UserID?
    var fingerprint: Fingerprint?
    /// True for a refresh, whose token belongs to `user`.
    var hasToken = false
    let until: Timestamp
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_login_throttled" }
    var source: LogSource? { origin.source(reason, user: user, hasToken: hasToken) }

    func count(in counters: SecurityCounters) { counters.loginsThrottled.add(reason) }

    func write(to line: inout LogLine) {
        if let user { line.field("user", user.rawValue) }
        if let fingerprint { line.field("fingerprint", fingerprint.digits.span) }
        line.field("reason", reason)
        line.field("until", until.seconds)
        line.fields(origin)
    }
}

/// `authn_token_created`
struct TokenCreated: SecurityEvent {
    let claims: Claims
    let keyID: String
    let origin: Origin
    /// True in demo mode: no password was required.
    var isDemo = false
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_token_created" }
    var affectsAccess: Bool { true }
    var source: LogSource? { isDemo ? origin.sourceOfDemo() : nil }

    func count(in counters: SecurityCounters) { counters.tokensIssued.add() }

    func write(to line: inout LogLine) {
        line.fields(claims)
        line.field("kid", keyID)
        line.fields(origin)
    }
}

/// `authn_token_verified`
struct TokenVerified: SecurityEvent {
    let claims: Claims
    let keyID: String
    let origin: Origin
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_token_verified" }
    var isPerRequest: Bool { true }
    /// A client can cause any number of these with one token.
    var evidence: Evidence { .no }

    func count(in counters: SecurityCounters) { counters.tokensVerified.add() }

    func write(to line: inout LogLine) {
        line.fields(claims)
        line.field("kid", keyID)
        line.fields(origin)
    }
}

/// `authn_token_rejected`. Expired tokens are routine (INFO), a wrong algorithm is an attack or a
/// serious mistake (ERROR), the rest is WARNING.
struct TokenRejected: SecurityEvent {
    let reason: StaticString
    let level: Level
    /// Identifies the token, whether or not its `jti` can be trusted.
    var fingerprint: Fingerprint?
    /// Only if the signature was valid.
    var claims: Claims?
    let origin: Origin
    var area: Area { .security }
    var name: StaticString { "authn_token_rejected" }
    var source: LogSource? {
        origin.source(reason, user: claims?.user, hasToken: claims != nil)
    }

    func count(in counters: SecurityCounters) { counters.tokensRejected.add(reason) }

    func write(to line: inout LogLine) {
        line.field("reason", reason)
        if let claims { line.fields(claims) }
        if let fingerprint { line.field("fingerprint", fingerprint.digits.span) }
        line.fields(origin)
    }
}

/// `authn_token_refreshed`
struct TokenRefreshed: SecurityEvent {
    let claims: Claims
    let keyID: String
    /// The `jti` of the token that was exchanged.
    let oldTokenID: ShortText?
    /// The old token had been exchanged before, within the grace period.
    var isRepeat = false
    let origin: Origin
    var isDemo = false
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_token_refreshed" }
    var affectsAccess: Bool { true }
    /// A client can repeat an exchange; repeats get one line a second. The first exchange always
    /// gets its line.
    var source: LogSource? {
        guard isRepeat, let old = oldTokenID, let new = claims.tokenID else {
            return isDemo ? origin.sourceOfDemo() : nil
        }
        return LogSource("repeated", user: claims.user.rawValue, about: old.utf8, and: new.utf8)
    }
    /// A token can be refreshed any number of times.
    var evidence: Evidence {
        guard let session = claims.sessionID ?? oldTokenID else { return .yes }
        return .onceAnHour(for: session.utf8)
    }

    func count(in counters: SecurityCounters) { counters.tokensRefreshed.add() }

    func write(to line: inout LogLine) {
        line.fields(claims)
        line.field("kid", keyID)
        if let oldTokenID { line.field("old_jti", oldTokenID.utf8) }
        line.fields(origin)
    }
}

/// `authn_token_shared`: a token was exchanged again from another network, within the grace period.
struct TokenShared: SecurityEvent {
    /// Claims of the token that was exchanged.
    let claims: Claims
    /// The client that exchanged it first.
    let other: ClientAddress
    let origin: Origin
    var level: Level { .warning }
    var area: Area { .security }
    var name: StaticString { "authn_token_shared" }
    var source: LogSource? { origin.source("shared", user: claims.user, hasToken: true) }

    func count(in counters: SecurityCounters) { counters.tokensShared.add() }

    func write(to line: inout LogLine) {
        line.field("user", claims.user.rawValue)
        if let id = claims.tokenID { line.field("jti", id.utf8) }
        if let id = claims.sessionID { line.field("sid", id.utf8) }
        line.field("other_ip", other.utf8)
        line.fields(origin)
    }
}

/// `authn_token_revoked`
package struct TokenRevoked: SecurityEvent {
    /// What was revoked.
    package enum Scope: Sendable {
        case token(UserID?, ShortText)
        case session(UserID?, ShortText)
        /// Every token of the user issued so far.
        case user(UserID)
        /// Every token of every user issued so far.
        case all
    }

    let scope: Scope
    /// The cause: `user`, `admin` or `reuse`.
    let by: StaticString
    /// Nil if no client request caused it.
    let origin: Origin?
    /// True in demo mode: the client needed no password.
    var isDemo = false
    package var level: Level { .info }
    package var area: Area { .security }
    package var name: StaticString { "authn_token_revoked" }
    package var affectsAccess: Bool { true }

    package var source: LogSource? { isDemo ? origin?.sourceOfDemo() : nil }

    func count(in counters: SecurityCounters) { counters.revocations.add() }

    package func write(to line: inout LogLine) {
        switch scope {
        case .token(let user, let id):
            if let user { line.field("user", user.rawValue) }
            line.field("jti", id.utf8)
        case .session(let user, let id):
            if let user { line.field("user", user.rawValue) }
            line.field("sid", id.utf8)
        case .user(let user):
            line.field("user", user.rawValue)
            line.field("scope", "user" as StaticString)
        case .all: line.field("scope", "all" as StaticString)
        }
        line.field("by", by)
        if let origin { line.fields(origin) }
    }
}

/// `session_logout`
struct LoggedOut: SecurityEvent {
    let claims: Claims
    /// True if all of the user's sessions end, false for this session only.
    let isEverywhere: Bool
    let origin: Origin
    var isDemo = false
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "session_logout" }
    var affectsAccess: Bool { true }

    var source: LogSource? { isDemo ? origin.sourceOfDemo() : nil }

    func count(in counters: SecurityCounters) { counters.logouts.add() }

    func write(to line: inout LogLine) {
        line.field("user", claims.user.rawValue)
        if let id = claims.tokenID { line.field("jti", id.utf8) }
        if let id = claims.sessionID { line.field("sid", id.utf8) }
        line.field("scope", isEverywhere ? "user" : "session" as StaticString)
        line.field("by", "user" as StaticString)
        line.fields(origin)
    }
}

/// `authn_token_reuse`: a token came back after it was revoked or exchanged. There may be a copy of
/// it.
struct TokenReused: SecurityEvent {
    let claims: Claims
    let revoked: Timestamp
    let origin: Origin
    var level: Level { .critical }
    var area: Area { .security }
    var name: StaticString { "authn_token_reuse" }
    var source: LogSource? { origin.source("reuse", user: claims.user, hasToken: true) }

    func count(in counters: SecurityCounters) { counters.tokensReused.add() }

    func write(to line: inout LogLine) {
        line.field("user", claims.user.rawValue)
        if let id = claims.tokenID { line.field("jti", id.utf8) }
        if let id = claims.sessionID { line.field("sid", id.utf8) }
        line.field("revoked_at", revoked.seconds)
        line.fields(origin)
    }
}

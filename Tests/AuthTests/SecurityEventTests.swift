import Crypto
import HTTP
import JWT
import Testing
import Time

@testable import Auth
@testable import Logging

struct SecurityEventTests {
    private static let origin = Origin(
        client: ClientAddress(Array("192.0.2.7".utf8).span)!,
        id: RequestID(Array("r-1".utf8).span)!)
    private static let claims: Claims = {
        var claims = Claims(user: UserID(17)!, expires: Timestamp(seconds: 1_795_246_200))
        claims.tokenID = ShortText(Array("the-token".utf8).span)
        claims.sessionID = ShortText(Array("the-session".utf8).span)
        return claims
    }()
    private static let fingerprint = Fingerprint(
        of: Array("an unknown name".utf8).span, key: AuthFixture.fingerprintKey)
    private static let user = UserID(17)!
    private static let session = ShortText(Array("the-session".utf8).span)!
    private static let later = Timestamp(seconds: 1_795_245_300)

    static let lines: [(any LogEvent, String)] = [
        (LoginSucceeded(user: user, origin: origin), "INFO authn_login_success user=17"),
        (
            LoginFailed(reason: "invalid_json", origin: origin),
            "WARNING authn_login_fail reason=invalid_json"
        ),
        (
            LoginFailed(reason: "wrong_password", user: user, attempts: 3, origin: origin),
            "WARNING authn_login_fail user=17 reason=wrong_password attempts=3"
        ),
        (
            LoginFailed(reason: "unknown_user", fingerprint: fingerprint, origin: origin),
            "WARNING authn_login_fail fingerprint=\(digits(fingerprint)) reason=unknown_user"
        ),
        (
            LoginLocked(
                reason: "account", user: user, fingerprint: nil, network: nil, attempts: 5,
                until: later, origin: origin),
            "WARNING authn_login_lock user=17 reason=account attempts=5 until=1795245300"
        ),
        (
            LoginLocked(
                reason: "address", user: nil, fingerprint: nil,
                network: ClientNetworks(ClientAddress(Array("2001:db8::1".utf8).span)!)[1],
                attempts: 200, until: later, origin: origin),
            "WARNING authn_login_lock reason=address network=2001:db8::/56 attempts=200 "
                + "until=1795245300"
        ),
        (
            LoginUnlocked(subject: .user(user), by: "admin", locks: 2, origin: origin),
            "WARNING authn_unlock user=17 locks=2 by=admin"
        ),
        (
            LoginUnlocked(subject: .unknown(fingerprint), by: "admin", locks: 1, origin: origin),
            "WARNING authn_unlock fingerprint=\(digits(fingerprint)) locks=1 by=admin"
        ),
        (
            LoginUnlocked(subject: .address("192.0.2.7"), by: "admin", locks: 0, origin: origin),
            "WARNING authn_unlock address=192.0.2.7 locks=0 by=admin"
        ),
        (
            LoginUnlocked(subject: .all, by: "admin", locks: 9, origin: origin),
            "WARNING authn_unlock scope=all locks=9 by=admin"
        ),
        (
            LoginThrottled(reason: "address", until: later, origin: origin),
            "WARNING authn_login_throttled reason=address until=1795245300"
        ),
        (
            TokenCreated(claims: claims, keyID: "k1", origin: origin),
            "INFO authn_token_created user=17 jti=the-token sid=the-session exp=1795246200 kid=k1"
        ),
        (
            TokenVerified(claims: claims, keyID: "k1", origin: origin),
            "INFO authn_token_verified user=17 jti=the-token sid=the-session exp=1795246200 kid=k1"
        ),
        (
            TokenRefreshed(claims: claims, keyID: "k1", oldTokenID: session, origin: origin),
            "INFO authn_token_refreshed user=17 jti=the-token sid=the-session exp=1795246200 "
                + "kid=k1 old_jti=the-session"
        ),
        (
            TokenRejected(reason: "expired", level: .info, claims: claims, origin: origin),
            "INFO authn_token_rejected reason=expired user=17 jti=the-token sid=the-session "
                + "exp=1795246200"
        ),
        (
            TokenRejected(
                reason: "malformed", level: .warning, fingerprint: fingerprint, origin: origin),
            "WARNING authn_token_rejected reason=malformed fingerprint=\(digits(fingerprint))"
        ),
        (
            TokenRevoked(scope: .token(user, session), by: "admin", origin: origin),
            "INFO authn_token_revoked user=17 jti=the-session by=admin"
        ),
        (
            TokenRevoked(scope: .session(user, session), by: "reuse", origin: origin),
            "INFO authn_token_revoked user=17 sid=the-session by=reuse"
        ),
        (
            TokenRevoked(scope: .user(user), by: "admin", origin: origin),
            "INFO authn_token_revoked user=17 scope=user by=admin"
        ),
        (
            TokenRevoked(scope: .all, by: "admin", origin: origin),
            "INFO authn_token_revoked scope=all by=admin"
        ),
        (
            LoggedOut(claims: claims, isEverywhere: false, origin: origin),
            "INFO session_logout user=17 jti=the-token sid=the-session scope=session by=user"
        ),
        (
            LoggedOut(claims: claims, isEverywhere: true, origin: origin),
            "INFO session_logout user=17 jti=the-token sid=the-session scope=user by=user"
        ),
        (
            TokenShared(claims: claims, other: origin.client, origin: origin),
            "WARNING authn_token_shared user=17 jti=the-token sid=the-session other_ip=192.0.2.7"
        ),
        (
            TokenReused(claims: claims, revoked: later, origin: origin),
            "CRITICAL authn_token_reuse user=17 jti=the-token sid=the-session revoked_at=1795245300"
        ),
        (
            CrossSiteRequest(.origin, crossSite(["Origin: https://evil.example"])),
            "WARNING authn_cross_site reason=origin origin=https://evil.example"
        ),
        (
            CrossSiteRequest(.fetchSite, crossSite(["Sec-Fetch-Site: cross-site"])),
            "WARNING authn_cross_site reason=fetch_site"
        ),
        (
            CrossSiteRequest(.repeatedField, crossSite(["Origin: a b=\"\u{FF}", "Origin: c"])),
            #"WARNING authn_cross_site reason=repeated_field origin="a b=\"\xff""#
        ),
        (
            CrossSiteRequest(.origin, crossSite(["Origin: https://eyJhbGciOiJIUzI1NiJ9"])),
            "WARNING authn_cross_site reason=origin origin=hidden"
        ),
        (
            CrossSiteRequest(
                .origin, crossSite(["Origin: " + String(repeating: "o", count: 9000)])),
            "WARNING authn_cross_site reason=origin origin=" + String(repeating: "o", count: 280)
        ),
    ]

    private static func crossSite(_ fields: [String]) -> Request {
        var conversation = Conversation(limits: .init(), client: origin.client, seed: 7)
        let text =
            "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
            + fields.map { "\($0)\r\n" }.joined() + "\r\n"
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        conversation.receive(bytes.span)
        guard let request = try? conversation.next() else { preconditionFailure(text) }
        return request
    }

    private static func digits(_ fingerprint: Fingerprint) -> String {
        String(decoding: (0..<16).map { fingerprint.digits[$0] }, as: UTF8.self)
    }

    @Test(arguments: lines)
    func `a line has the event's level, name, fields and origin`(
        event: any LogEvent, expected: String
    ) {
        let line = String(
            decoding: LogLine.formatted(event, at: AuthFixture.now, .text), as: UTF8.self)
        let (level, rest) = (expected.prefix { $0 != " " }, expected.drop { $0 != " " }.dropFirst())
        #expect(
            line
                == "2026-11-21T07:00:00.123Z | \(level) | security | \(rest) ip=192.0.2.7 rid=r-1\n"
        )
    }

    @Test func `the limits on log lines apply to refusals, not to logins or refreshes`() {
        for (event, line) in Self.lines {
            let limited = [
                "fail", "lock", "throttled", "rejected", "reuse", "site", "shared",
            ]
            let isLimited =
                "\(event.name)" != "authn_unlock"
                && limited.contains { "\(event.name)".hasSuffix($0) }
            #expect((event.source != nil) == isLimited, "\(line)")
        }
    }

    @Test func `all events but verified tokens and most refreshes are evidence`() {
        for (event, line) in Self.lines {
            switch (event.evidence, "\(event.name)") {
            case (.no, "authn_token_verified"), (.firstInHour, "authn_token_refreshed"): break
            case (.yes, let name):
                #expect(!["authn_token_verified", "authn_token_refreshed"].contains(name))
            default: Issue.record("\(line)")
            }
        }
    }

    @Test func `replayed tokens of one user get at most twenty lines a second`()
        throws
    {
        let fixture = try AuthFixture { _ in }
        let tokens = (0..<60).map { _ in fixture.token() }
        for token in tokens { try #require(fixture.logOut(token).status == 204) }
        let events = try fixture.events { () throws in
            for token in tokens { #expect(try fixture.requestResource(token) == tokenRevoked) }
        }
        #expect(events.count == 20)
        #expect(events.allSatisfy { $0.hasPrefix("CRITICAL authn_token_reuse user=") })
    }

    @Test func `exactly the events that grant or withdraw access can wait for the disk`() {
        let names = Set(Self.lines.filter { $0.0.affectsAccess }.map { "\($0.0.name)" })
        #expect(
            names == [
                "authn_login_success", "authn_token_created", "authn_token_refreshed",
                "authn_token_revoked", "session_logout",
            ])
    }
}

import HTTP
import JWT
import Logging
import Metrics
import POSIX
import TestSupport
import Testing
import Time

@testable import Auth

extension AuthFixture {
    fileprivate func renew(_ token: String, from address: String) throws -> Answer {
        try answer(to: post(to: "/refresh", token), from: address, by: refresh.respond)
    }
}

private func client(_ address: String) -> ClientAddress {
    ClientAddress(Array(address.utf8).span)!
}

struct SharedTokenTests {
    @Test(arguments: [
        ("192.0.2.7", "198.51.100.9"), ("192.0.2.7", "192.0.2.8"), ("192.0.2.7", "2001:db8::1"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
    ])
    func `refreshes from two networks get one successor and are logged with both addresses`(
        first: String, second: String
    ) throws {
        let fixture = try AuthFixture { _ in }
        let old = fixture.token()
        let claims = try fixture.claims(old)
        let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
        let new = try fixture.renew(old, from: first).token
        fixture.clock.advance(TimeAmount(milliseconds: 9999))
        let before = try fixture.events().count
        #expect(try fixture.renew(old, from: second).token == new)
        let shared = try fixture.events().dropFirst(before).filter { $0.contains("shared") }
        #expect(
            shared == [
                "WARNING | security | authn_token_shared user=1 jti=\(jti) sid=\(sid) "
                    + "other_ip=\(first) ip=\(second) rid=r-1"
            ])
        // The first client is still the first.
        #expect(try fixture.renew(old, from: first).token == new)
        #expect(try fixture.verdict(new) == "good")
        #expect(fixture.security.counters.tokensShared.value == 1)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
        ("192.0.2.7", "64:ff9b::192.0.2.7"),
    ])
    func `refreshes from one network are not reported, whatever the grace`(
        first: String, second: String
    ) throws {
        for grace in Refresh.Grace.allCases {
            let fixture = try AuthFixture { $0.refreshGrace = grace }
            let old = fixture.token()
            let new = try fixture.renew(old, from: first).token
            #expect(try fixture.renew(old, from: second).token == new)
            #expect(try !fixture.logFile().contains("authn_token_shared"))
            #expect(try fixture.verdict(new) == "good")
        }
    }

    @Test func `a refresh from another network ends the session if the grace is same_network`()
        throws
    {
        let fixture = try AuthFixture { $0.refreshGrace = .sameNetwork }
        let old = fixture.token()
        let new = try fixture.renew(old, from: "192.0.2.7").token
        let before = try fixture.events().count
        #expect(try fixture.renew(old, from: "198.51.100.9") == tokenRevoked)
        let names = try fixture.events().dropFirst(before).map { $0.split(separator: " ")[4] }
        #expect(names == ["authn_token_verified", "authn_token_reuse", "authn_token_revoked"])
        for token in [old, new] { #expect(try fixture.requestResource(token) == tokenRevoked) }
        #expect(fixture.security.counters.tokensReused.value == 3)
        #expect(fixture.security.counters.tokensShared.value == 0)
    }

    @Test func `after a restart the next network to refresh counts as the first`() throws {
        let folder = try TemporaryFolder()
        let old: String
        let new: String
        do {
            let fixture = try AuthFixture { $0.journal = folder.path("journal") }
            old = fixture.token()
            new = try fixture.renew(old, from: "192.0.2.7").token
        }
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.refreshGrace = .sameNetwork
            $0.now = AuthFixture.now + .seconds(1)
        }
        #expect(try fixture.renew(old, from: "198.51.100.9").token == new)
        // From here on it is the first.
        #expect(try fixture.renew(old, from: "192.0.2.7") == tokenRevoked)
    }

    @Test func `a failed first refresh does not bind the token to its network`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let fixture = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
            $0.refreshGrace = .sameNetwork
        }
        let old = fixture.token()
        disk.fail(with: .noSpace)
        #expect(try fixture.renew(old, from: "192.0.2.7").status == 503)
        disk.fail(with: nil)
        #expect(try fixture.renew(old, from: "198.51.100.9").status == 200)
    }

    @Test func `repeated refreshes count against the limit of the session`() throws {
        let fixture = try AuthFixture { _ in }
        let old = fixture.token()
        let new = try fixture.renew(old).token
        fixture.clock.advance(.seconds(1))
        for _ in 1..<RefreshLimit.ofSession { #expect(try fixture.renew(old).status == 200) }
        let refused = try fixture.renew(old)
        #expect(refused.status == 429)
        #expect(refused.field("Retry-After") == "59")
        // Refreshes of its successor count with them; those of another session do not.
        #expect(try fixture.renew(new).status == 429)
        #expect(try fixture.renew(fixture.token()).status == 200)
        fixture.clock.advance(.seconds(59))
        #expect(try fixture.renew(new).status == 200)
    }

    @Test func `refreshes in a loop get at most twenty lines, and all are counted`() throws {
        let fixture = try AuthFixture { _ in }
        let old = fixture.token()
        _ = try fixture.renew(old)
        let before = try fixture.events().count
        for _ in 0..<400 { #expect(try fixture.renew(old).status == 200) }
        let lines = try fixture.events().dropFirst(before)
        #expect(lines.count { $0.contains("authn_token_refreshed") } <= 20)
        #expect(fixture.security.counters.tokensRefreshed.value == 401)
    }
}

struct ExchangeOriginsTests {
    private static let token = Array("a".utf8)
    private static let other = Array("b".utf8)

    @Test func `the first client is remembered until the grace period ends`() {
        let origins = ExchangeOrigins()
        let (one, two) = (client("192.0.2.1"), client("192.0.2.2"))
        func first(_ token: [UInt8], _ client: ClientAddress, _ after: Int64) -> String {
            origins.firstClient(
                exchanging: token.span, from: client,
                at: AuthFixture.now + TimeAmount(milliseconds: after)
            ).string
        }
        #expect(first(Self.token, one, 0) == "192.0.2.1")
        #expect(first(Self.token, two, 9999) == "192.0.2.1")
        #expect(first(Self.other, two, 9999) == "192.0.2.2")
        #expect(origins.count == 2)
        #expect(first(Self.token, two, 10_000) == "192.0.2.2")
        #expect(first(Self.token, one, 19_999) == "192.0.2.2")
        #expect(origins.count == 1)
        // A clock that was set back.
        #expect(first(Self.token, one, -5000) == "192.0.2.1")
        #expect(origins.count == 1)
    }

    @Test func `a full table forgets the oldest exchange`() {
        let origins = ExchangeOrigins(capacity: 100)
        for index in 0..<5000 {
            let token = Array("\(index)".utf8)
            _ = origins.firstClient(
                exchanging: token.span, from: client("192.0.2.1"), at: AuthFixture.now)
            #expect(origins.count == min(index + 1, 100))
        }
        for (index, expected) in [(4900, "192.0.2.1"), (4999, "192.0.2.1"), (4000, "192.0.2.2")] {
            let token = Array("\(index)".utf8)
            let first = origins.firstClient(
                exchanging: token.span, from: client("192.0.2.2"), at: AuthFixture.now)
            #expect(first.string == expected)
        }
    }

    @Test func `after an exchange is undone, the next client is the first`() {
        let origins = ExchangeOrigins()
        let (one, two) = (client("192.0.2.1"), client("192.0.2.2"))
        _ = origins.firstClient(exchanging: Self.token.span, from: one, at: AuthFixture.now)
        // An exchange by another client is not undone.
        origins.forget(Self.token.span, from: two)
        #expect(origins.count == 1)
        origins.forget(Self.token.span, from: one)
        let first = origins.firstClient(exchanging: Self.token.span, from: two, at: AuthFixture.now)
        #expect(first.string == "192.0.2.2")
        // The leftover key in the order does no harm.
        for _ in 0..<2 {
            _ = origins.firstClient(
                exchanging: Self.other.span, from: one, at: AuthFixture.now + .seconds(60))
        }
        #expect(origins.count == 1)
    }
}

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

@Suite("A token that is renewed twice within the grace period")
struct SharedTokenTests {
    @Test(arguments: [
        ("192.0.2.7", "198.51.100.9"), ("192.0.2.7", "192.0.2.8"), ("192.0.2.7", "2001:db8::1"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
    ])
    func `from two networks has the same successor, and is on record with both addresses`(
        first: String, second: String
    ) throws {
        let house = try AuthFixture { _ in }
        let old = house.token()
        let claims = try house.claims(old)
        let (jti, sid) = (claims.tokenID?.string ?? "", claims.sessionID?.string ?? "")
        let new = try house.renew(old, from: first).token
        house.clock.advance(TimeAmount(milliseconds: 9999))
        let before = try house.events().count
        #expect(try house.renew(old, from: second).token == new)
        let shared = try house.events().dropFirst(before).filter { $0.contains("shared") }
        #expect(
            shared == [
                "WARNING | security | authn_token_shared user=1 jti=\(jti) sid=\(sid) "
                    + "other_ip=\(first) ip=\(second) rid=r-1"
            ])
        // The first client has not changed.
        #expect(try house.renew(old, from: first).token == new)
        #expect(try house.verdict(new) == "good")
        #expect(house.security.counters.tokensShared.value == 1)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
        ("192.0.2.7", "64:ff9b::192.0.2.7"),
    ])
    func `from one network is nothing to report, whatever the grace`(
        first: String, second: String
    ) throws {
        for grace in Refresh.Grace.allCases {
            let house = try AuthFixture { $0.refreshGrace = grace }
            let old = house.token()
            let new = try house.renew(old, from: first).token
            #expect(try house.renew(old, from: second).token == new)
            #expect(try !house.logFile().contains("authn_token_shared"))
            #expect(try house.verdict(new) == "good")
        }
    }

    @Test func `from another network ends the session where the grace is of the same network`()
        throws
    {
        let house = try AuthFixture { $0.refreshGrace = .sameNetwork }
        let old = house.token()
        let new = try house.renew(old, from: "192.0.2.7").token
        let before = try house.events().count
        #expect(try house.renew(old, from: "198.51.100.9") == tokenRevoked)
        let names = try house.events().dropFirst(before).map { $0.split(separator: " ")[4] }
        #expect(names == ["authn_token_verified", "authn_token_reuse", "authn_token_revoked"])
        for token in [old, new] { #expect(try house.visit(token) == tokenRevoked) }
        #expect(house.security.counters.tokensReused.value == 3)
        #expect(house.security.counters.tokensShared.value == 0)
    }

    @Test func `counts as from one network where the first one was forgotten in a restart`() throws
    {
        let folder = try TemporaryFolder()
        let old: String
        let new: String
        do {
            let house = try AuthFixture { $0.journal = folder.path("journal") }
            old = house.token()
            new = try house.renew(old, from: "192.0.2.7").token
        }
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.refreshGrace = .sameNetwork
            $0.now = AuthFixture.now + .seconds(1)
        }
        #expect(try house.renew(old, from: "198.51.100.9").token == new)
        // It is the first one from here on.
        #expect(try house.renew(old, from: "192.0.2.7") == tokenRevoked)
    }

    @Test func `by a client whose first renewal failed may come from another network`() throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let house = try AuthFixture {
            $0.journal = folder.path("journal")
            $0.fileSystem = disk.fileSystem
            $0.refreshGrace = .sameNetwork
        }
        let old = house.token()
        disk.fail(with: .noSpace)
        #expect(try house.renew(old, from: "192.0.2.7").status == 503)
        disk.fail(with: nil)
        #expect(try house.renew(old, from: "198.51.100.9").status == 200)
    }

    @Test func `counts against the limit of its session`() throws {
        let house = try AuthFixture { _ in }
        let old = house.token()
        let new = try house.renew(old).token
        house.clock.advance(.seconds(1))
        for _ in 1..<RefreshLimit.ofSession { #expect(try house.renew(old).status == 200) }
        let refused = try house.renew(old)
        #expect(refused.status == 429)
        #expect(refused.field("Retry-After") == "59")
        // Those of its successor count with them; another session's do not.
        #expect(try house.renew(new).status == 429)
        #expect(try house.renew(house.token()).status == 200)
        house.clock.advance(.seconds(59))
        #expect(try house.renew(new).status == 200)
    }

    @Test func `in a loop has a few lines, and one that says how many there were`() throws {
        let house = try AuthFixture { _ in }
        let old = house.token()
        _ = try house.renew(old)
        let before = try house.events().count
        for _ in 0..<400 { #expect(try house.renew(old).status == 200) }
        let lines = try house.events().dropFirst(before)
        #expect(lines.count { $0.contains("authn_token_refreshed") } <= 20)
        #expect(house.security.counters.tokensRefreshed.value == 401)
    }
}

@Suite("The origins of exchanges")
struct ExchangeOriginsTests {
    private static let token = Array("a".utf8)
    private static let other = Array("b".utf8)

    @Test func `are those of the first client until the grace period ends`() {
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
        // A clock that was put back.
        #expect(first(Self.token, one, -5000) == "192.0.2.1")
        #expect(origins.count == 1)
    }

    @Test func `are as many as there is room for, and the oldest make room`() {
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

    @Test func `that were taken back are those of the next client`() {
        let origins = ExchangeOrigins()
        let (one, two) = (client("192.0.2.1"), client("192.0.2.2"))
        _ = origins.firstClient(exchanging: Self.token.span, from: one, at: AuthFixture.now)
        // Another client's is not taken back.
        origins.forget(Self.token.span, from: two)
        #expect(origins.count == 1)
        origins.forget(Self.token.span, from: one)
        let first = origins.firstClient(exchanging: Self.token.span, from: two, at: AuthFixture.now)
        #expect(first.string == "192.0.2.2")
        // What is left of the first one in the order does no harm.
        for _ in 0..<2 {
            _ = origins.firstClient(
                exchanging: Self.other.span, from: one, at: AuthFixture.now + .seconds(60))
        }
        #expect(origins.count == 1)
    }
}

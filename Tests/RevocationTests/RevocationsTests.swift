import POSIX
import TestSupport
import Testing
import Time

@testable import Revocation

struct RevocationsTests {
    let table: Revocations

    init() throws {
        table = try Revocations(path: nil, at: noon)
    }

    @Test func `an empty table finds nothing`() {
        #expect(table.finding(token: "t", session: "s") == nil)
        #expect(table.finding(began: nil) == nil)
        #expect(table.cutoff(user: 1) == nil)
        #expect(table.count == 0)
        #expect(table.statistics == Revocations.Statistics())
    }

    @Test func `revoking a token affects no other token`() throws {
        try table.revoke(.token("t"), at: minutes(1))
        #expect(table.finding(token: "t", session: "s") == .revoked(at: minutes(1)))
        #expect(table.finding(token: "T", session: "t") == nil)
        #expect(table.finding(session: "s") == nil)
    }

    @Test func `revoking a session revokes all its tokens`() throws {
        try table.revoke(.session("s"), at: minutes(1))
        #expect(table.finding(token: "t", session: "s") == .revoked(at: minutes(1)))
        #expect(table.finding(session: "s", user: 9) == .revoked(at: minutes(1)))
        #expect(table.finding(token: "s", session: "s2") == nil)
    }

    @Test(arguments: [1, 7, 8, 9, 22, 63, 64])
    func `identifiers of any length are distinguished`(count: Int) throws {
        let id = String(repeating: "x", count: count)
        try table.revoke(.token(id), at: noon)
        #expect(table.finding(token: id) != nil)
        #expect(table.finding(token: id + "x") == nil)
        #expect(table.finding(token: String(id.dropLast()) + "y") == nil)
        #expect(table.finding(token: id + "\0") == nil)
    }

    @Test(
        arguments: [(-1, true), (0, true), (1, false)] as [(Int64, Bool)])
    func `a user's cutoff revokes tokens that began up to it, to the millisecond`(
        offset: Int64, isHit: Bool
    ) throws {
        let cutoff = Timestamp(milliseconds: noon.milliseconds + 500)
        try table.revoke(.user(7), at: cutoff)
        let began = Timestamp(milliseconds: cutoff.milliseconds + offset)
        #expect(table.finding(user: 7, began: began) == (isHit ? .revoked(at: cutoff) : nil))
        #expect(table.finding(user: 8, began: began) == nil)
        #expect(table.cutoff(user: 7) == cutoff)
        #expect(table.cutoff(user: 8) == nil)
    }

    @Test func `a cutoff for everyone covers all users`() throws {
        try table.revoke(.everyone, at: minutes(5))
        #expect(table.finding(user: 3, began: minutes(5)) == .revoked(at: minutes(5)))
        #expect(table.finding(user: 3, began: minutes(6)) == nil)
        #expect(table.cutoff(user: 3) == minutes(5))
        try table.revoke(.user(3), at: minutes(9))
        #expect(table.cutoff(user: 3) == minutes(9))
        #expect(table.cutoff(user: 4) == minutes(5))
        #expect(table.count == 2)
        #expect(table.statistics.hasEveryone)
    }

    @Test func `a token without a start is covered by every cutoff`() throws {
        try table.revoke(.user(7), at: minutes(-600))
        #expect(table.finding(user: 7, began: nil) != nil)
        #expect(table.finding(user: 8, began: nil) == nil)
        try table.revoke(.everyone, at: minutes(-900))
        #expect(table.finding(user: 8, began: nil) != nil)
    }

    @Test func `a token is spent once, and later callers get the time of the first`() throws {
        #expect(try table.spend("t", at: minutes(1)) == minutes(1))
        #expect(try table.spend("t", at: minutes(2)) == minutes(1))
        #expect(try table.spend("u", at: minutes(3)) == minutes(3))
        #expect(table.finding(token: "t") == .alreadyUsed(at: minutes(1)))
    }

    @Test func `a token that is both spent and revoked is reported as revoked`() throws {
        _ = try table.spend("t", at: minutes(1))
        try table.revoke(.token("t"), at: minutes(2))
        #expect(table.finding(token: "t") == .revoked(at: minutes(2)))
        _ = try table.spend("u", at: minutes(1))
        try table.revoke(.session("s"), at: minutes(3))
        #expect(table.finding(token: "u", session: "s") == .revoked(at: minutes(3)))
        #expect(try table.spend("t", at: minutes(9)) == minutes(1))
    }

    @Test func `the first revocation time counts, and the latest cutoff`() throws {
        for moment in [minutes(2), minutes(1), minutes(3)] {
            try table.revoke(
                [.token("t"), .session("s"), .user(7), .everyone], at: moment, until: midnight)
        }
        #expect(table.finding(token: "t", began: midnight) == .revoked(at: minutes(1)))
        #expect(table.finding(session: "s", began: midnight) == .revoked(at: minutes(1)))
        #expect(table.cutoff(user: 7) == minutes(3))
        #expect(table.cutoff(user: 8) == minutes(3))
        #expect(table.count == 4)
    }

    @Test
    func `entries are removed when no token that they cover can be valid, and not before`() throws {
        try table.revoke(
            [.token("t"), .session("s"), .user(7), .everyone], at: noon, until: evening)
        _ = try table.spend("u", at: noon, expires: evening)
        // The later end counts.
        try table.revoke(.session("long"), at: noon, until: midnight)
        try table.revoke(.session("long"), at: noon, until: evening)
        table.removeExpired(at: Timestamp(milliseconds: evening.milliseconds - 1))
        #expect(table.count == 6)
        table.removeExpired(at: evening)
        #expect(table.count == 1)
        #expect(table.finding(token: "t", session: "s", user: 7, began: nil) == nil)
        #expect(table.finding(token: "u") == nil)
        #expect(table.finding(session: "long") != nil)
        table.removeExpired(at: midnight)
        #expect(table.count == 0)
        // A removed token can be spent again.
        #expect(try table.spend("u", at: midnight, expires: minutes(9999)) == midnight)
        #expect(table.finding(token: "u") == .alreadyUsed(at: midnight))
    }

    @Test func `extreme times do not trap`() throws {
        let ends = [Timestamp(milliseconds: .min), Timestamp(milliseconds: .max)]
        for moment in ends {
            for until in ends {
                try table.revoke(
                    [.token("t"), .session("s"), .user(.min), .user(.max), .everyone],
                    at: moment, until: until)
            }
            _ = try table.spend("u", at: moment, expires: moment)
        }
        #expect(table.finding(token: "t") != nil)
        #expect(table.finding(began: Timestamp(milliseconds: .max)) != nil)
        table.removeExpired(at: ends[0])
        table.removeExpired(at: ends[1])
        #expect(table.finding(token: "t", session: "s", began: nil) == nil)
    }

    @Test(arguments: [100, 300, 3000, 20_000])
    func `a table that grows and shrinks keeps its entries`(count: Int) throws {
        for index in 0..<count {
            let until = index % 10 == 0 ? midnight : evening
            if index % 3 == 0 {
                _ = try table.spend("t\(index)", at: minutes(Int64(index)), expires: until)
            } else {
                try table.revoke(.session("s\(index)"), at: noon, until: until)
            }
        }
        #expect(table.count == count)
        table.removeExpired(at: evening)
        #expect(table.count == (count + 9) / 10)
        for index in 0..<count {
            let finding = table.finding(token: "t\(index)", session: "s\(index)")
            #expect((finding != nil) == (index % 10 == 0))
        }
    }

    @Test
    func `tokens have a limit, sessions and users a higher one, and everyone has none`() throws {
        let table = try Revocations(path: nil, at: noon, limit: 4)
        for index in 0..<4 { _ = try table.spend("t\(index)", at: noon) }
        #expect(throws: Errno.noBufferSpace) { try table.spend("t4", at: noon) }
        #expect(throws: Errno.noBufferSpace) { try table.revoke(.token("t4"), at: noon) }
        #expect(table.finding(token: "t4") == nil)
        #expect(try table.spend("t3", at: minutes(1)) == noon)
        // The session is ended although its token did not fit; the caller gets the error.
        #expect(throws: Errno.noBufferSpace) {
            try table.revoke([.token("t4"), .session("s")], at: noon, until: midnight)
        }
        #expect(table.finding(session: "s") != nil)
        #expect(throws: Errno.noBufferSpace) { try table.revoke(.user(1), at: noon) }
        try table.revoke(.everyone, at: noon)
        #expect(table.finding(began: noon) != nil)
        table.removeExpired(at: midnight)
        #expect(try table.spend("t4", at: midnight) == midnight)
    }

    @Test func `statistics count the entries by kind`() throws {
        try table.revoke(
            [.token("t"), .session("s"), .session("s2"), .user(1)], at: noon, until: midnight)
        _ = try table.spend("t", at: noon)
        let statistics = table.statistics
        #expect(statistics.tokens == 1)
        #expect(statistics.spentTokens == 1)
        #expect(statistics.sessions == 2)
        #expect(statistics.users == 1)
        #expect(statistics.unwritten == 0)
        #expect(table.count == 5)
        #expect(table.failure == nil)
    }
}

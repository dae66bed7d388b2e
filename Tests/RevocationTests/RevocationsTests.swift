import POSIX
import TestSupport
import Testing
import Time

@testable import Revocation

@Suite("What is good no longer")
struct RevocationsTests {
    let table: Revocations

    init() throws {
        table = try Revocations(path: nil, at: noon)
    }

    @Test("an empty table finds nothing")
    func empty() {
        #expect(table.finding(token: "t", session: "s") == nil)
        #expect(table.finding(began: nil) == nil)
        #expect(table.cutoff(user: 1) == nil)
        #expect(table.count == 0)
        #expect(table.statistics == Revocations.Statistics())
    }

    @Test("a token is revoked, and no other")
    func token() throws {
        try table.revoke(.token("t"), at: minutes(1))
        #expect(table.finding(token: "t", session: "s") == .revoked(at: minutes(1)))
        #expect(table.finding(token: "T", session: "t") == nil)
        #expect(table.finding(session: "s") == nil)
    }

    @Test("a session is revoked, with all of its tokens")
    func session() throws {
        try table.revoke(.session("s"), at: minutes(1))
        #expect(table.finding(token: "t", session: "s") == .revoked(at: minutes(1)))
        #expect(table.finding(session: "s", user: 9) == .revoked(at: minutes(1)))
        #expect(table.finding(token: "s", session: "s2") == nil)
    }

    @Test("identifiers are told apart at any length", arguments: [1, 7, 8, 9, 22, 63, 64])
    func lengths(count: Int) throws {
        let id = String(repeating: "x", count: count)
        try table.revoke(.token(id), at: noon)
        #expect(table.finding(token: id) != nil)
        #expect(table.finding(token: id + "x") == nil)
        #expect(table.finding(token: String(id.dropLast()) + "y") == nil)
        #expect(table.finding(token: id + "\0") == nil)
    }

    @Test(
        "a user's tokens are revoked that began up to the cutoff, to the millisecond",
        arguments: [(-1, true), (0, true), (1, false)] as [(Int64, Bool)])
    func user(offset: Int64, isHit: Bool) throws {
        let cutoff = Timestamp(milliseconds: noon.milliseconds + 500)
        try table.revoke(.user(7), at: cutoff)
        let began = Timestamp(milliseconds: cutoff.milliseconds + offset)
        #expect(table.finding(user: 7, began: began) == (isHit ? .revoked(at: cutoff) : nil))
        #expect(table.finding(user: 8, began: began) == nil)
        #expect(table.cutoff(user: 7) == cutoff)
        #expect(table.cutoff(user: 8) == nil)
    }

    @Test("everybody's, too")
    func everyone() throws {
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

    @Test("a token that does not say when it began is covered by any cutoff")
    func unknownBeginning() throws {
        try table.revoke(.user(7), at: minutes(-600))
        #expect(table.finding(user: 7, began: nil) != nil)
        #expect(table.finding(user: 8, began: nil) == nil)
        try table.revoke(.everyone, at: minutes(-900))
        #expect(table.finding(user: 8, began: nil) != nil)
    }

    @Test("a token is spent once, and every later caller is told when")
    func spending() throws {
        #expect(try table.spend("t", at: minutes(1)) == minutes(1))
        #expect(try table.spend("t", at: minutes(2)) == minutes(1))
        #expect(try table.spend("u", at: minutes(3)) == minutes(3))
        #expect(table.finding(token: "t") == .alreadyUsed(at: minutes(1)))
    }

    @Test("what is spent and revoked is revoked")
    func both() throws {
        _ = try table.spend("t", at: minutes(1))
        try table.revoke(.token("t"), at: minutes(2))
        #expect(table.finding(token: "t") == .revoked(at: minutes(2)))
        _ = try table.spend("u", at: minutes(1))
        try table.revoke(.session("s"), at: minutes(3))
        #expect(table.finding(token: "u", session: "s") == .revoked(at: minutes(3)))
        #expect(try table.spend("t", at: minutes(9)) == minutes(1))
    }

    @Test("what is revoked twice was revoked the first time, a cutoff is the latest")
    func merging() throws {
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

    @Test("entries are forgotten when nothing that they cover can be valid, and not before")
    func sweeping() throws {
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
        // And what is forgotten can happen again.
        #expect(try table.spend("u", at: midnight, expires: minutes(9999)) == midnight)
        #expect(table.finding(token: "u") == .alreadyUsed(at: midnight))
    }

    @Test("times may be absurd")
    func absurd() throws {
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

    @Test("what grows and shrinks keeps what it has", arguments: [100, 300, 3000, 20_000])
    func growth(count: Int) throws {
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

    @Test("tokens have a limit, sessions and users a little more, and everyone none")
    func limit() throws {
        let table = try Revocations(path: nil, at: noon, limit: 4)
        for index in 0..<4 { _ = try table.spend("t\(index)", at: noon) }
        #expect(throws: Errno.noBufferSpace) { try table.spend("t4", at: noon) }
        #expect(throws: Errno.noBufferSpace) { try table.revoke(.token("t4"), at: noon) }
        #expect(table.finding(token: "t4") == nil)
        #expect(try table.spend("t3", at: minutes(1)) == noon)
        // A session ends even where its token finds no room; the caller is told of that.
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

    @Test("counts its entries by kind")
    func statistics() throws {
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

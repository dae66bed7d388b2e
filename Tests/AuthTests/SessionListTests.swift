import HTTP
import JWT
import Testing
import Time

@testable import Auth

struct SessionListTests {
    private func claims(_ user: Int64, _ session: String, ends: Int64 = 100) -> Claims {
        var claims = Claims(user: UserID(user)!, expires: AuthFixture.now + .seconds(10))
        claims.sessionID = ShortText(Array(session.utf8).span)
        claims.sessionExpires = AuthFixture.now + .seconds(ends)
        return claims
    }

    private let client = ClientAddress(Array("192.0.2.7".utf8).span)!

    private func names(
        _ list: SessionList, _ user: Int64, at seconds: Int64 = 0
    ) -> [String] {
        list.sessions(of: UserID(user)!, at: AuthFixture.now + .seconds(seconds)).map(\.id.string)
    }

    @Test func `the list has a user's unexpired sessions, the most recently seen first`() {
        let list = SessionList()
        for (index, name) in ["a", "b", "c"].enumerated() {
            list.record(claims(1, name), from: client, at: AuthFixture.now + .seconds(Int64(index)))
        }
        list.record(claims(2, "d"), from: client, at: AuthFixture.now)
        list.record(claims(1, "short", ends: 5), from: client, at: AuthFixture.now)
        #expect(names(list, 1) == ["c", "b", "a", "short"])
        list.record(claims(1, "a"), from: client, at: AuthFixture.now + .seconds(4))
        #expect(names(list, 1, at: 5) == ["a", "c", "b"])
        #expect(names(list, 1, at: 100) == [])
        #expect(names(list, 3) == [])
        #expect(list.count == 5)
        list.remove(ShortText(Array("b".utf8).span)!, of: UserID(2)!)
        #expect(names(list, 1, at: 5) == ["a", "c", "b"])
        list.remove(ShortText(Array("b".utf8).span)!)
        #expect(names(list, 1, at: 5) == ["a", "c"])
        list.removeAll(of: UserID(1)!)
        #expect(list.count == 1)
        list.removeAll()
        #expect(list.count == 0)
    }

    @Test func `a user has at most a hundred sessions, and a new one replaces the oldest`() {
        let list = SessionList()
        for number in 0..<250 {
            list.record(
                claims(1, "\(number)"), from: client,
                at: AuthFixture.now + TimeAmount(milliseconds: Int64(number)))
        }
        #expect(list.count == 100)
        #expect(names(list, 1).first == "249")
        #expect(names(list, 1).last == "150")
    }

    @Test func `expired sessions are removed`() {
        let list = SessionList()
        list.record(claims(1, "short", ends: 5), from: client, at: AuthFixture.now)
        list.record(claims(1, "long", ends: 100), from: client, at: AuthFixture.now)
        list.removeExpired(at: AuthFixture.now + .seconds(6))
        #expect(list.count == 1)
        #expect(names(list, 1) == ["long"])
    }

    @Test func `a full list accepts new sessions only after others have expired`() {
        let list = SessionList(capacity: 10)
        for user in 1...30 as ClosedRange<Int64> {
            list.record(
                claims(user, "s", ends: user <= 5 ? 5 : 100), from: client, at: AuthFixture.now)
        }
        #expect(list.count == 10)
        list.record(claims(99, "s"), from: client, at: AuthFixture.now + .seconds(6))
        #expect(list.count == 6)
        #expect(names(list, 99) == ["s"])
        #expect(names(list, 1) == [])
        #expect(names(list, 10) == ["s"])
    }
}

import HTTP
import JWT
import Logging
import Testing
import Time

@testable import Auth

@Suite("The administrator's list of locks")
struct AdminLocksTests {
    private static let alice = User(id: UserID(1)!, username: "alice", name: "Alice")

    private struct Place {
        let house: AuthFixture
        let throttle = LoginThrottle()
        let locks: AdminLocks

        init() throws {
            let users = UserDirectory([AdminLocksTests.alice])
            house = try AuthFixture { $0.users = users }
            locks = AdminLocks(
                throttle, users: users, fingerprintKey: AuthFixture.fingerprintKey,
                log: house.security,
                clock: house.clock.clock)
        }

        /// Five failures from as many addresses.
        func lock(_ account: LoginThrottle.Account) {
            for number in 1...5 { fail(account, from: "192.0.2.\(number)") }
        }

        func fail(_ account: LoginThrottle.Account, from address: String) {
            let client = throttle.client(at: ClientAddress(Array(address.utf8).span)!)
            if case .admitted(let ticket) = throttle.admit(
                account, from: client, at: AuthFixture.now)
            {
                _ = ticket.failed(at: AuthFixture.now)
            }
        }

        func account(named text: String, of holder: UserID?) -> LoginThrottle.Account {
            let name = PresentedName(text)
            let fingerprint = Fingerprint(of: name.canonical.span, key: AuthFixture.fingerprintKey)
            return throttle.account(throttle.identifier(name, fingerprint), of: holder)
        }

        func listed() throws -> String {
            try answer(to: get(target: "/locks"), by: locks.list).content
        }

        func unlock(_ body: String) throws -> String {
            let answer = try answer(to: post(body), by: locks.unlock)
            return answer.status == 200 ? answer.content : "\(answer.status) \(answer.sentence)"
        }
    }

    @Test
    func `users, unknown identifiers and networks are listed, and no unknown name is`() throws {
        let place = try Place()
        #expect(try place.listed() == #"{"locks":[]}"#)
        place.lock(place.account(named: "alice", of: UserID(1)!))
        place.lock(place.account(named: "mallory", of: nil))
        let listed = try place.listed()
        for lock in [
            #"{"kind":"name","user":1,"username":"alice","until":1795245300}"#,
            #"{"kind":"account","user":1,"username":"alice","until":1795245300}"#,
            #"{"kind":"unknown","fingerprint":"\#(fingerprint(of: "mallory"))","until":1795245300}"#,
        ] {
            #expect(listed.contains(lock))
        }
        #expect(!listed.contains("mallory"))
        for number in 0..<50 {
            place.fail(place.account(named: "n\(number)", of: nil), from: "2001:db8::1")
        }
        #expect(
            try place.listed().contains(
                #"{"kind":"address","address":"2001:db8::/64","until":1795245300}"#))
        place.house.clock.advance(.seconds(900))
        #expect(try place.listed() == #"{"locks":[]}"#)
    }

    @Test
    func `an unlock ends what it names, says how much, and is on record`() throws {
        let place = try Place()
        place.lock(place.account(named: "alice", of: UserID(1)!))
        place.lock(place.account(named: "mallory", of: nil))
        let events = try place.house.events { () throws in
            #expect(try place.unlock(#"{"user":1,"username":null}"#) == #"{"locks":2}"#)
            #expect(try place.unlock(#"{"username":"alice"}"#) == #"{"locks":0}"#)
            #expect(try place.unlock(#"{"username":"mallory"}"#) == #"{"locks":1}"#)
            #expect(try place.unlock(#"{"address":"192.0.2.1"}"#) == #"{"locks":0}"#)
            #expect(try place.unlock(#"{"all":true}"#) == #"{"locks":0}"#)
        }
        #expect(
            events == [
                "WARNING authn_unlock user=1 locks=2 by=admin",
                "WARNING authn_unlock user=1 locks=0 by=admin",
                "WARNING authn_unlock fingerprint=\(fingerprint(of: "mallory")) locks=1 by=admin",
                "WARNING authn_unlock address=192.0.2.1 locks=0 by=admin",
                "WARNING authn_unlock scope=all locks=0 by=admin",
            ])
        #expect(try place.listed() == #"{"locks":[]}"#)
    }

    @Test(
        arguments: [
            "", "[]", "{}", #"{"all":false}"#, #"{"user":"1"}"#, #"{"user":0}"#,
            #"{"address":"alice"}"#, #"{"user":1,"all":true}"#, #"{"user":null}"#, #"{"name":"a"}"#,
        ])
    func `an unlock of nothing that it knows is refused`(body: String) throws {
        let place = try Place()
        #expect(try place.unlock(body).hasPrefix("400 "))
    }

    @Test
    func `a new password resets the counts of its user alone`() throws {
        let place = try Place()
        place.lock(place.account(named: "alice", of: UserID(1)!))
        place.lock(place.account(named: "mallory", of: nil))
        var changed = Self.alice
        changed.password = PasswordHash(of: Password("another one")!, iterations: 1000)
        let old = UserDirectory([Self.alice])
        let events = try place.house.events {
            place.throttle.forgive(old, replacing: old, at: AuthFixture.now, place.house.security)
            let new = UserDirectory([changed])
            place.throttle.forgive(new, replacing: old, at: AuthFixture.now, place.house.security)
            // Nothing was locked any more.
            place.throttle.forgive(old, replacing: new, at: AuthFixture.now, place.house.security)
        }
        #expect(events == ["WARNING authn_unlock user=1 locks=2 by=set-password"])
        #expect(
            try place.listed()
                == #"{"locks":[{"kind":"unknown","fingerprint":"\#(fingerprint(of: "mallory"))","#
                + #""until":1795245300}]}"#)
    }
}

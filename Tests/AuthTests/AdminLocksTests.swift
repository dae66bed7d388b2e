import HTTP
import JWT
import Logging
import Testing
import Time

@testable import Auth

struct AdminLocksTests {
    private static let alice = User(id: UserID(1)!, username: "alice", name: "Alice")

    private struct Setup {
        let fixture: AuthFixture
        let throttle = LoginThrottle()
        let locks: AdminLocks

        init() throws {
            let users = UserDirectory([AdminLocksTests.alice])
            fixture = try AuthFixture { $0.users = users }
            locks = AdminLocks(
                throttle, users: users, fingerprintKey: AuthFixture.fingerprintKey,
                log: fixture.security,
                clock: fixture.clock.clock)
        }

        /// Causes five failures from five addresses.
        func lock(_ account: LoginThrottle.Account) {
            for number in 1...5 { fail(account, from: "192.0.2.\(number)") }
        }

        func fail(_ account: LoginThrottle.Account, from address: String) {
            let client = throttle.client(at: ClientAddress(Array(address.utf8).span)!)
            if case .admitted(let attempt) = throttle.admit(
                account, from: client, at: AuthFixture.now)
            {
                _ = attempt.failed(at: AuthFixture.now)
            }
        }

        func account(named text: String, of owner: UserID?) -> LoginThrottle.Account {
            let name = PresentedName(text)
            let fingerprint = Fingerprint(of: name.canonical.span, key: AuthFixture.fingerprintKey)
            return throttle.account(throttle.identifier(name, fingerprint), of: owner)
        }

        func listed() throws -> String {
            try answer(to: get(target: "/locks"), by: locks.list).content
        }

        func unlock(_ body: String) throws -> String {
            let answer = try answer(to: post(body), by: locks.unlock)
            return answer.status == 200 ? answer.content : "\(answer.status) \(answer.errorMessage)"
        }
    }

    @Test
    func `the list has users, unknown identifiers and networks, but no unknown names`() throws {
        let setup = try Setup()
        #expect(try setup.listed() == #"{"locks":[]}"#)
        setup.lock(setup.account(named: "alice", of: UserID(1)!))
        setup.lock(setup.account(named: "mallory", of: nil))
        let listed = try setup.listed()
        for lock in [
            #"{"kind":"name","user":1,"username":"alice","until":1795245300}"#,
            #"{"kind":"account","user":1,"username":"alice","until":1795245300}"#,
            #"{"kind":"unknown","fingerprint":"\#(fingerprint(of: "mallory"))","#
                + #""until":1795245300}"#,
        ] {
            #expect(listed.contains(lock))
        }
        #expect(!listed.contains("mallory"))
        for number in 0..<50 {
            setup.fail(setup.account(named: "n\(number)", of: nil), from: "2001:db8::1")
        }
        #expect(
            try setup.listed().contains(
                #"{"kind":"address","address":"2001:db8::/64","until":1795245300}"#))
        setup.fixture.clock.advance(.seconds(900))
        #expect(try setup.listed() == #"{"locks":[]}"#)
    }

    @Test func `an unlock ends the named locks, reports their number and is logged`() throws {
        let setup = try Setup()
        setup.lock(setup.account(named: "alice", of: UserID(1)!))
        setup.lock(setup.account(named: "mallory", of: nil))
        let events = try setup.fixture.events { () throws in
            #expect(try setup.unlock(#"{"user":1,"username":null}"#) == #"{"locks":2}"#)
            #expect(try setup.unlock(#"{"username":"alice"}"#) == #"{"locks":0}"#)
            #expect(try setup.unlock(#"{"username":"mallory"}"#) == #"{"locks":1}"#)
            #expect(try setup.unlock(#"{"address":"192.0.2.1"}"#) == #"{"locks":0}"#)
            #expect(try setup.unlock(#"{"all":true}"#) == #"{"locks":0}"#)
        }
        #expect(
            events == [
                "WARNING authn_unlock user=1 locks=2 by=admin",
                "WARNING authn_unlock user=1 locks=0 by=admin",
                "WARNING authn_unlock fingerprint=\(fingerprint(of: "mallory")) locks=1 by=admin",
                "WARNING authn_unlock address=192.0.2.1 locks=0 by=admin",
                "WARNING authn_unlock scope=all locks=0 by=admin",
            ])
        #expect(try setup.listed() == #"{"locks":[]}"#)
    }

    @Test(
        arguments: [
            "", "[]", "{}", #"{"all":false}"#, #"{"user":"1"}"#, #"{"user":0}"#,
            #"{"address":"alice"}"#, #"{"user":1,"all":true}"#, #"{"user":null}"#, #"{"name":"a"}"#,
        ])
    func `an unlock with an invalid body is refused`(body: String) throws {
        let setup = try Setup()
        #expect(try setup.unlock(body).hasPrefix("400 "))
    }

    @Test func `a new password resets the counts of its user only`() throws {
        let setup = try Setup()
        setup.lock(setup.account(named: "alice", of: UserID(1)!))
        setup.lock(setup.account(named: "mallory", of: nil))
        var changed = Self.alice
        changed.password = PasswordHash(of: Password("another one")!, iterations: 1000)
        let old = UserDirectory([Self.alice])
        let events = try setup.fixture.events {
            setup.throttle.resetAfterPasswordChanges(
                old, replacing: old, at: AuthFixture.now, setup.fixture.security)
            let new = UserDirectory([changed])
            setup.throttle.resetAfterPasswordChanges(
                new, replacing: old, at: AuthFixture.now, setup.fixture.security)
            // There is no lock any more.
            setup.throttle.resetAfterPasswordChanges(
                old, replacing: new, at: AuthFixture.now, setup.fixture.security)
        }
        #expect(events == ["WARNING authn_unlock user=1 locks=2 by=set-password"])
        #expect(
            try setup.listed()
                == #"{"locks":[{"kind":"unknown","fingerprint":"\#(fingerprint(of: "mallory"))","#
                + #""until":1795245300}]}"#)
    }
}

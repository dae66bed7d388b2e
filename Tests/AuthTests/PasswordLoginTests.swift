import Foundation
import HTTP
import JWT
import Metrics
import POSIX
import Testing
import Time

@testable import Auth

private let alicePassword = "correct horse battery"
private let bobPassword = "tr0ub4dor and more"

private func hash(_ text: String, _ iterations: Int = 1000) -> PasswordHash {
    PasswordHash(of: Password(text)!, iterations: iterations)
}

private let users = UserDirectory([
    User(id: UserID(1)!, username: "alice", name: "Alice", password: hash(alicePassword)),
    User(id: UserID(2)!, username: "bob", name: "Bob", password: hash(bobPassword)),
    User(
        id: UserID(3)!, username: "carol", name: "Carol", password: hash(alicePassword),
        isDisabled: true),
    User(id: UserID(4)!, username: "dave", name: "Dave"),
    User(id: UserID(5)!, username: "zo\u{EB}", name: "Zoë", password: hash(alicePassword)),
])

private func makeFixture(
    attempts: Int = 5, iterations: Int = 1000, users: UserDirectory = users
) throws -> AuthFixture {
    try AuthFixture {
        $0.users = users
        $0.iterations = iterations
        var throttle = LoginThrottle.Options()
        throttle.maximumAttempts = attempts
        $0.throttle = throttle
    }
}

extension AuthFixture {
    fileprivate func logIn(_ content: String) throws -> Answer {
        // `post` sends each scalar as one byte.
        let bytes = Array(content.utf8).map { Unicode.Scalar($0) }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: bytes)
        return try answer(
            to: post(String(text), "Content-Type: application/json"), by: login.respond)
    }
}

private let refused = Answer(
    status: 401, fields: [#"WWW-Authenticate: Bearer realm="gatehouse""#],
    content: #"{"error":"Invalid credentials"}"#, isHeldForCommit: true)

struct PasswordLoginTests {
    @Test(
        arguments: [
            (#"{"user_id":1,"password":"correct horse battery"}"#, 1),
            (#"{"username":"alice","password":"correct horse battery"}"#, 1),
            (#"{"password":"correct horse battery","username":"alice","user_id":1}"#, 1),
            (#"{"user_id":2,"password":"tr0ub4dor and more","x":[null]}"#, 2),
            // null counts as absent.
            (#"{"user_id":null,"username":"alice","password":"correct horse battery"}"#, 1),
            (#"{"user_id":2,"username":null,"password":"tr0ub4dor and more"}"#, 2),
            // Any composition of letters and any kind of space.
            ("{\"username\":\"zoe\u{308}\",\"password\":\"correct\u{A0}horse battery\"}", 5),
        ])
    func `a login works by id, by name, or by both if they agree`(content: String, user: Int64)
        throws
    {
        let fixture = try makeFixture()
        let events = try fixture.events {
            let answer = try fixture.logIn(content)
            #expect(answer.fields == ["Pragma: no-cache"])
            #expect(answer.isHeldForCommit)
            let token = try answer.token
            #expect(try fixture.claims(token).user.rawValue == user)
            #expect(try fixture.verdict(token) == "good")
        }
        #expect(events.first == "INFO authn_login_success user=\(user)")
        #expect(
            events.dropFirst().first?.hasPrefix("INFO authn_token_created user=\(user) ") == true)
        #expect(fixture.sessions.sessions(of: UserID(user)!, at: AuthFixture.now).count == 1)
    }

    private static let refusals: [(content: String, fields: String)] = [
        (#"{"user_id":1,"password":"wrong password"}"#, "user=1 reason=wrong_password attempts=1"),
        (#"{"username":"alice","password":"x"}"#, "user=1 reason=wrong_password attempts=1"),
        (#"{"username":"alice"}"#, "user=1 reason=wrong_password attempts=1"),
        (#"{"username":"alice","password":""}"#, "user=1 reason=wrong_password attempts=1"),
        (#"{"username":"alice","password":null}"#, "user=1 reason=wrong_password attempts=1"),
        (#"{"username":"alice","password":17}"#, "user=1 reason=wrong_password attempts=1"),
        (
            #"{"username":"alice","password":["correct horse battery"]}"#,
            "user=1 reason=wrong_password attempts=1"
        ),
        (
            #"{"username":"alice","password":"\#(String(repeating: "p", count: 1025))"}"#,
            "user=1 reason=wrong_password attempts=1"
        ),
        (
            #"{"username":"alice","password":"\#(String(repeating: "p", count: 4000))"}"#,
            "user=1 reason=wrong_password attempts=1"
        ),
        (
            #"{"username":"alice","password":"correct horse battery\u0000"}"#,
            "user=1 reason=wrong_password attempts=1"
        ),
        (
            #"{"user_id":9,"password":"correct horse battery"}"#,
            "fingerprint=\(fingerprint(of: "9")) reason=unknown_user attempts=1"
        ),
        (
            #"{"username":"mallory","password":"correct horse battery"}"#,
            "fingerprint=\(fingerprint(of: "mallory")) reason=unknown_user attempts=1"
        ),
        (
            #"{"username":"","password":"correct horse battery"}"#,
            "fingerprint=\(fingerprint(of: "")) reason=unknown_user attempts=1"
        ),
        (
            #"{"username":"mallory","user_id":1,"password":"correct horse battery"}"#,
            "fingerprint=\(fingerprint(of: "mallory")) reason=unknown_user attempts=1"
        ),
        (
            #"{"username":"alice","user_id":2,"password":"correct horse battery"}"#,
            "user=1 reason=wrong_user attempts=1"
        ),
        (
            #"{"username":"bob","user_id":1,"password":"correct horse battery"}"#,
            "user=2 reason=wrong_user attempts=1"
        ),
        (#"{"user_id":3,"password":"correct horse battery"}"#, "user=3 reason=disabled attempts=1"),
        (#"{"user_id":3,"password":"not even right"}"#, "user=3 reason=disabled attempts=1"),
        (#"{"user_id":4,"password":""}"#, "user=4 reason=wrong_password attempts=1"),
    ]

    @Test(arguments: refusals)
    func `a failed login gets the same answer whatever is wrong`(content: String, fields: String)
        throws
    {
        let fixture = try makeFixture()
        let events = try fixture.events { () throws in
            #expect(try fixture.logIn(content) == refused)
        }
        #expect(events == ["WARNING authn_login_fail \(fields)"])
        #expect(fixture.sessions.count == 0)
        let file = try fixture.logFile()
        for word in ["correct", "wrong password", "not even", "mallory", "ppp"] {
            #expect(!file.contains(word))
        }
    }

    @Test(
        arguments: [
            #"{"password":"correct horse battery"}"#, #"{"username":1,"password":"x"}"#,
            #"{"username":null,"user_id":null,"password":"correct horse battery"}"#,
            #"{"username":null,"password":"x"}"#, #"{"user_id":null}"#,
            #"{"username":"alice","user_id":"1","password":"correct horse battery"}"#,
            #"{"username":"alice","user_id":true,"password":"correct horse battery"}"#,
            #"{"username":["alice"],"password":"correct horse battery"}"#,
            #"{"user_id":1.0,"password":"correct horse battery"}"#,
        ])
    func `a login that names no user is a bad request`(content: String) throws {
        let fixture = try makeFixture()
        let events = try fixture.events {
            let answer = try fixture.logIn(content)
            #expect(answer.status == 400)
            #expect(answer.errorMessage == "Invalid user_id")
        }
        #expect(events == ["WARNING authn_login_fail reason=invalid_user_id"])
    }

    @Test func `a login with invalid JSON or a repeated name is a bad request`() throws {
        let fixture = try makeFixture()
        for content in [
            #"{"username":"alice","password":"a","password":"correct horse battery"}"#,
            #"{"username":"alice","password":"\ud800"}"#, #"{"username":"\udc00"}"#, "",
        ] {
            #expect(try fixture.logIn(content).errorMessage == "Invalid JSON")
        }
    }

    @Test
    func `an account, known or not, is locked after too many failures and logged once`() throws {
        for (name, who, reason) in [
            (#""username":"alice""#, "user=1 ", "wrong_password"),
            (#""user_id":1"#, "user=1 ", "wrong_password"),
            (
                #""username":"mallory""#, "fingerprint=\(fingerprint(of: "mallory")) ",
                "unknown_user"
            ),
            (#""user_id":9"#, "fingerprint=\(fingerprint(of: "9")) ", "unknown_user"),
            (#""user_id":3"#, "user=3 ", "disabled"),
            (#""username":"alice","user_id":2"#, "user=1 ", "wrong_user"),
        ] {
            let fixture = try makeFixture(attempts: 3)
            let events = try fixture.events {
                for _ in 0..<3 {
                    #expect(try fixture.logIn("{\(name),\"password\":\"x\"}") == refused)
                }
                let answer = try fixture.logIn("{\(name),\"password\":\"correct horse battery\"}")
                #expect(
                    answer
                        == Answer(
                            status: 429, fields: ["Retry-After: 900"],
                            content: #"{"error":"Too many attempts"}"#, isHeldForCommit: true))
            }
            #expect(
                events == [
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=1",
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=2",
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=3",
                    "WARNING authn_login_lock \(who)reason=account attempts=3 until=1795245300",
                    "WARNING authn_login_throttled \(who)reason=account until=1795245300",
                ])
            // Other users can still log in, and so can the locked one, later.
            let other = try fixture.logIn(#"{"username":"bob","password":"tr0ub4dor and more"}"#)
            #expect(other.status == 200)
            fixture.clock.advance(.seconds(900))
            let after = try fixture.logIn("{\(name),\"password\":\"correct horse battery\"}")
            let isAlice = name.hasSuffix(#""alice""#) || name == #""user_id":1"#
            #expect(after.status == (isAlice ? 200 : 401))
        }
    }

    @Test func `failures from one address are counted across accounts`() throws {
        let fixture = try makeFixture(attempts: 1)
        let events = try fixture.events {
            for id in 100..<110 { _ = try fixture.logIn("{\"user_id\":\(id),\"password\":\"x\"}") }
            let answer = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
            #expect(answer.status == 429)
        }
        #expect(
            events.contains(
                "WARNING authn_login_lock reason=address network=192.0.2.7 attempts=10 "
                    + "until=1795245300"))
        #expect(
            events.last
                == "WARNING authn_login_throttled reason=address until=1795245300")
    }

    @Test
    func `a joint lock answers the right password like a wrong one, and the log has the reason`()
        throws
    {
        let fixture = try makeFixture(attempts: 3)
        for _ in 0..<3 { _ = try fixture.logIn(#"{"username":"alice","password":"x"}"#) }
        let events = try fixture.events { () throws in
            #expect(
                try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#) == refused)
            #expect(
                try fixture.logIn(#"{"user_id":77,"password":"correct horse battery"}"#) == refused)
        }
        #expect(
            events == [
                "WARNING authn_login_throttled user=1 reason=account until=1795245300",
                "WARNING authn_login_fail fingerprint=\(fingerprint(of: "77")) "
                    + "reason=unknown_user attempts=1",
            ])
        fixture.clock.advance(.seconds(900))
        let good = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
    }

    @Test
    func `a body over 4 KiB is refused, and one from a locked address is not read`() throws {
        let fixture = try makeFixture(attempts: 1)
        let long = "{\"username\":\"alice\",\"x\":\"\(String(repeating: "x", count: 4096))\"}"
        let events = try fixture.events {
            let answer = try fixture.logIn(long)
            #expect(answer.status == 413)
            #expect(answer.errorMessage == "Content too large")
            for id in 100..<110 { _ = try fixture.logIn("{\"user_id\":\(id)}") }
            #expect(try fixture.logIn(long).status == 429)
            #expect(try fixture.logIn("no JSON").status == 429)
        }
        #expect(events.first == "WARNING authn_login_fail reason=body_too_large")
    }

    @Test func `a long name is refused and counted like any other name`() throws {
        let fixture = try makeFixture(attempts: 3)
        let marks = String(repeating: "\u{315}\u{300}", count: 400)
        for name in [String(repeating: "a", count: 300), "a" + marks, "alice\u{0}"] {
            var answers: [Int] = []
            let body = #"{"username":"\#(name)","password":"x"}"#
                .replacing("\u{0}", with: "\\u0000")
            for _ in 0..<4 { answers.append(try fixture.logIn(body).status) }
            #expect(answers == [401, 401, 401, 429])
        }
    }

    @Test func `a successful login resets the failures of its account`() throws {
        let fixture = try makeFixture(attempts: 3)
        for _ in 0..<4 {
            for _ in 0..<2 {
                #expect(try fixture.logIn(#"{"user_id":1,"password":"x"}"#) == refused)
            }
            let good = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
            #expect(good.status == 200)
        }
    }

    @Test func `a login that the queue rejects is not counted`() throws {
        let fixture = try makeFixture(attempts: 1)
        for _ in 0..<20 {
            let answer = try answer(to: post(#"{"user_id":1,"password":"x"}"#)) { request in
                guard case .offloaded(let work) = fixture.login.respond(to: request) else {
                    return .error(.internalServerError)
                }
                #expect(work.kind == .cpuBound)
                work.rejected()
                return .error(.serviceUnavailable, "Busy")
            }
            #expect(answer.status == 503)
        }
        let good = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
    }

    @Test func `a login with the right password upgrades a weak hash`() throws {
        let fixture = try makeFixture(iterations: 2000)
        _ = try fixture.logIn(#"{"user_id":1,"password":"wrong password"}"#)
        _ = try fixture.logIn(#"{"user_id":3,"password":"correct horse battery"}"#)
        #expect(fixture.upgrades.withLock { $0.count } == 0)
        let good = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
        let upgrades = fixture.upgrades.withLock { $0 }
        #expect(upgrades.map(\.user) == [UserID(1)!])
        #expect(upgrades.first?.hash.iterations == 2000)
        #expect(upgrades.first?.hash.matches(Password(alicePassword)!) == true)
    }

    @Test func `the session starts before the rehash, so that a revocation finds it`() throws {
        let fixture = try makeFixture(iterations: 2000)
        let (revocations, clock) = (fixture.revocations, fixture.clock)
        let isListed = Monitor(false)
        fixture.whileUpgrading.withLock {
            $0 = { [sessions = fixture.sessions] in
                isListed.withLock { $0 = sessions.count == 1 }
                clock.advance(.seconds(2))
                try? revocations.revokeAll(of: UserID(1)!, at: clock.clock.now())
            }
        }
        let answer = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(fixture.upgrades.withLock { $0.count } == 1)
        #expect(isListed.withLock { $0 })
        clock.advance(.seconds(1))
        #expect(try fixture.verdict(answer.token) == "401 Token revoked")
    }

    @Test func `a login does not upgrade a hash that is strong enough`() throws {
        let fixture = try makeFixture()
        let answer = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(answer.status == 200)
        #expect(fixture.upgrades.withLock { $0.count } == 0)
    }

    @Test func `a revocation during the password check prevents the login`() throws {
        for everyone in [false, true] {
            let fixture = try makeFixture()
            let events = try fixture.events {
                let answer = try answer(
                    to: post(#"{"user_id":1,"password":"correct horse battery"}"#)
                ) { request in
                    guard case .offloaded(let work) = fixture.login.respond(to: request) else {
                        return .error(.internalServerError)
                    }
                    // While the password is being checked.
                    fixture.clock.advance(.seconds(1))
                    let now = fixture.clock.clock.now()
                    if everyone {
                        try? fixture.revocations.revokeEveryone(at: now)
                    } else {
                        try? fixture.revocations.revokeAll(of: UserID(1)!, at: now)
                    }
                    return work.run()
                }
                #expect(
                    answer
                        == Answer(
                            status: 503, fields: ["Retry-After: 1"],
                            content: #"{"error":"Busy"}"#, isHeldForCommit: true))
            }
            #expect(events == ["WARNING authn_login_fail user=1 reason=revoked_meanwhile"])
            // It does not count as a failure, and the next login succeeds.
            let again = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
            #expect(try fixture.verdict(again.token) == "good")
        }
    }

    private static let changes: [(change: String, users: UserDirectory)] = [
        (
            "another password",
            UserDirectory([
                User(id: UserID(1)!, username: "alice", name: "Alice", password: hash(bobPassword))
            ])
        ),
        (
            "the same password, set again",
            UserDirectory([
                User(
                    id: UserID(1)!, username: "alice", name: "Alice", password: hash(alicePassword))
            ])
        ),
        (
            "no password",
            UserDirectory([User(id: UserID(1)!, username: "alice", name: "Alice")])
        ),
        (
            "disabled",
            UserDirectory(
                users.all.map { user in
                    var user = user
                    user.isDisabled = true
                    return user
                })
        ),
        ("removed", UserDirectory(Array(users.all.dropFirst()))),
    ]

    @Test(arguments: changes)
    func `a change of the user during the password check prevents the login`(
        change: String, changed: UserDirectory
    ) throws {
        let fixture = try makeFixture(attempts: 1)
        let events = try fixture.events {
            let answer = try answer(
                to: post(#"{"user_id":1,"password":"correct horse battery"}"#)
            ) { request in
                guard case .offloaded(let work) = fixture.login.respond(to: request) else {
                    return .error(.internalServerError)
                }
                fixture.current.set(changed)
                return work.run()
            }
            #expect(answer.status == 503)
            #expect(answer.field("Retry-After") == "1")
            #expect(answer.errorMessage == "Busy")
            #expect(answer.isHeldForCommit)
        }
        #expect(events == ["WARNING authn_login_fail user=1 reason=revoked_meanwhile"])
        #expect(fixture.sessions.count == 0)
        // It does not count as a failure.
        fixture.current.set(users)
        let again = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(again.status == 200)
    }

    @Test
    func `a change of another user during the password check does not prevent the login`() throws {
        let fixture = try makeFixture()
        fixture.current.set(UserDirectory([users[UserID(1)!]!]))
        let answer = try fixture.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(answer.status == 200)
    }

    @Test func `the counters agree with the log`() throws {
        let fixture = try makeFixture(attempts: 2)
        for content in [
            #"{"user_id":1,"password":"correct horse battery"}"#, #"{"user_id":1}"#, "{}", "x",
            #"{"user_id":3}"#, #"{"user_id":3}"#, #"{"user_id":3}"#, #"{"user_id":9}"#,
            #"{"username":"bob","user_id":1}"#,
        ] {
            _ = try fixture.logIn(content)
        }
        let counters = fixture.security.counters
        let events = try fixture.events()
        func count(_ word: String) -> UInt64 {
            UInt64(events.count { $0.contains(" \(word) ") })
        }
        #expect(counters.loginsSucceeded.value == count("authn_login_success"))
        #expect(counters.tokensIssued.value == count("authn_token_created"))
        #expect(counters.lockouts.value == count("authn_login_lock"))
        for (reason, counter) in counters.loginsFailed.all {
            let lines = events.count {
                $0.contains(" authn_login_fail ") && $0.contains(" reason=\(reason) ")
            }
            #expect(counter.value == UInt64(lines), "\(reason)")
        }
        #expect(counters.loginsFailed.all.map(\.counter.value).reduce(0, +) == 7)
        #expect(counters.loginsThrottled.all.map(\.counter.value).reduce(0, +) == 1)
    }
}

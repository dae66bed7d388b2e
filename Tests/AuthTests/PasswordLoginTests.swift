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

private func house(
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
        // The helper writes a character as a byte.
        let bytes = Array(content.utf8).map { Unicode.Scalar($0) }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: bytes)
        return try answer(
            to: post(String(text), "Content-Type: application/json"), by: login.respond)
    }
}

private let refused = Answer(
    status: 401, fields: [#"WWW-Authenticate: Bearer realm="gatehouse""#],
    content: #"{"error":"Invalid credentials"}"#, isAudited: true)

@Suite("A login with a password")
struct PasswordLoginTests {
    @Test(
        "is good by id, by name, or by both if they agree",
        arguments: [
            (#"{"user_id":1,"password":"correct horse battery"}"#, 1),
            (#"{"username":"alice","password":"correct horse battery"}"#, 1),
            (#"{"password":"correct horse battery","username":"alice","user_id":1}"#, 1),
            (#"{"user_id":2,"password":"tr0ub4dor and more","x":[null]}"#, 2),
            // Null is absent.
            (#"{"user_id":null,"username":"alice","password":"correct horse battery"}"#, 1),
            (#"{"user_id":2,"username":null,"password":"tr0ub4dor and more"}"#, 2),
            // However the letters and the spaces were typed.
            ("{\"username\":\"zoe\u{308}\",\"password\":\"correct\u{A0}horse battery\"}", 5),
        ])
    func good(content: String, user: Int64) throws {
        let house = try house()
        let events = try house.events {
            let answer = try house.logIn(content)
            #expect(answer.fields == ["Pragma: no-cache"])
            #expect(answer.isAudited)
            let token = try answer.token
            #expect(try house.claims(token).user.rawValue == user)
            #expect(try house.verdict(token) == "good")
        }
        #expect(events.first == "INFO authn_login_success user=\(user)")
        #expect(
            events.dropFirst().first?.hasPrefix("INFO authn_token_created user=\(user) ") == true)
        #expect(house.sessions.sessions(of: UserID(user)!, at: AuthFixture.now).count == 1)
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

    @Test("is refused with one answer, whatever is wrong", arguments: refusals)
    func wrong(content: String, fields: String) throws {
        let house = try house()
        let events = try house.events { () throws in #expect(try house.logIn(content) == refused) }
        #expect(events == ["WARNING authn_login_fail \(fields)"])
        #expect(house.sessions.count == 0)
        let file = try house.logFile()
        for word in ["correct", "wrong password", "not even", "mallory", "ppp"] {
            #expect(!file.contains(word))
        }
    }

    @Test(
        "is refused as a request where nobody is named",
        arguments: [
            #"{"password":"correct horse battery"}"#, #"{"username":1,"password":"x"}"#,
            #"{"username":null,"user_id":null,"password":"correct horse battery"}"#,
            #"{"username":null,"password":"x"}"#, #"{"user_id":null}"#,
            #"{"username":"alice","user_id":"1","password":"correct horse battery"}"#,
            #"{"username":"alice","user_id":true,"password":"correct horse battery"}"#,
            #"{"username":["alice"],"password":"correct horse battery"}"#,
            #"{"user_id":1.0,"password":"correct horse battery"}"#,
        ])
    func nobody(content: String) throws {
        let house = try house()
        let events = try house.events {
            let answer = try house.logIn(content)
            #expect(answer.status == 400)
            #expect(answer.sentence == "Invalid user_id")
        }
        #expect(events == ["WARNING authn_login_fail reason=invalid_user_id"])
    }

    @Test("is refused as a request where it is no JSON, or says a name twice")
    func malformed() throws {
        let house = try house()
        for content in [
            #"{"username":"alice","password":"a","password":"correct horse battery"}"#,
            #"{"username":"alice","password":"\ud800"}"#, #"{"username":"\udc00"}"#, "",
        ] {
            #expect(try house.logIn(content).sentence == "Invalid JSON")
        }
    }

    @Test("locks an account, known or not, after so many failures, and says so once")
    func lock() throws {
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
            let house = try house(attempts: 3)
            let events = try house.events {
                for _ in 0..<3 {
                    #expect(try house.logIn("{\(name),\"password\":\"x\"}") == refused)
                }
                let answer = try house.logIn("{\(name),\"password\":\"correct horse battery\"}")
                #expect(
                    answer
                        == Answer(
                            status: 429, fields: ["Retry-After: 900"],
                            content: #"{"error":"Too many attempts"}"#, isAudited: true))
            }
            #expect(
                events == [
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=1",
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=2",
                    "WARNING authn_login_fail \(who)reason=\(reason) attempts=3",
                    "WARNING authn_login_lock \(who)reason=account attempts=3 until=1795245300",
                    "WARNING authn_login_throttled \(who)reason=account until=1795245300",
                ])
            // The others can log in all the same, and so can the locked one, later.
            let other = try house.logIn(#"{"username":"bob","password":"tr0ub4dor and more"}"#)
            #expect(other.status == 200)
            house.clock.advance(.seconds(900))
            let after = try house.logIn("{\(name),\"password\":\"correct horse battery\"}")
            let isAlice = name.hasSuffix(#""alice""#) || name == #""user_id":1"#
            #expect(after.status == (isAlice ? 200 : 401))
        }
    }

    @Test("counts the failures of an address, whoever they are at")
    func address() throws {
        let house = try house(attempts: 1)
        let events = try house.events {
            for id in 100..<110 { _ = try house.logIn("{\"user_id\":\(id),\"password\":\"x\"}") }
            let answer = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
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
    func `a linked lock answers the right password as a wrong one, and the log says why`() throws {
        let house = try house(attempts: 3)
        for _ in 0..<3 { _ = try house.logIn(#"{"username":"alice","password":"x"}"#) }
        let events = try house.events { () throws in
            #expect(
                try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#) == refused)
            #expect(
                try house.logIn(#"{"user_id":77,"password":"correct horse battery"}"#) == refused)
        }
        #expect(
            events == [
                "WARNING authn_login_throttled user=1 reason=account until=1795245300",
                "WARNING authn_login_fail fingerprint=\(fingerprint(of: "77")) "
                    + "reason=unknown_user attempts=1",
            ])
        house.clock.advance(.seconds(900))
        let good = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
    }

    @Test
    func `a body over 4 KiB is refused, and one from a locked address is not read`() throws {
        let house = try house(attempts: 1)
        let long = "{\"username\":\"alice\",\"x\":\"\(String(repeating: "x", count: 4096))\"}"
        let events = try house.events {
            let answer = try house.logIn(long)
            #expect(answer.status == 413)
            #expect(answer.sentence == "Content too large")
            for id in 100..<110 { _ = try house.logIn("{\"user_id\":\(id)}") }
            #expect(try house.logIn(long).status == 429)
            #expect(try house.logIn("no JSON").status == 429)
        }
        #expect(events.first == "WARNING authn_login_fail reason=body_too_large")
    }

    @Test
    func `a long name is refused and counted as any name is`() throws {
        let house = try house(attempts: 3)
        let marks = String(repeating: "\u{315}\u{300}", count: 400)
        for name in [String(repeating: "a", count: 300), "a" + marks, "alice\u{0}"] {
            var answers: [Int] = []
            let body = #"{"username":"\#(name)","password":"x"}"#
                .replacing("\u{0}", with: "\\u0000")
            for _ in 0..<4 { answers.append(try house.logIn(body).status) }
            #expect(answers == [401, 401, 401, 429])
        }
    }

    @Test("forgets an account's failures once its owner has come")
    func forgiven() throws {
        let house = try house(attempts: 3)
        for _ in 0..<4 {
            for _ in 0..<2 {
                #expect(try house.logIn(#"{"user_id":1,"password":"x"}"#) == refused)
            }
            let good = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
            #expect(good.status == 200)
        }
    }

    @Test("is not counted where there was no room to look at it")
    func busy() throws {
        let house = try house(attempts: 1)
        for _ in 0..<20 {
            let answer = try answer(to: post(#"{"user_id":1,"password":"x"}"#)) { request in
                guard case .slow(let work) = house.login.respond(to: request) else {
                    return .error(.internalServerError)
                }
                #expect(work.kind == .cpuBound)
                work.refused()
                return .error(.serviceUnavailable, "Busy")
            }
            #expect(answer.status == 503)
        }
        let good = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
    }

    @Test("asks for a stronger hash where there is a weaker one, and only with the right password")
    func upgrade() throws {
        let house = try house(iterations: 2000)
        _ = try house.logIn(#"{"user_id":1,"password":"wrong password"}"#)
        _ = try house.logIn(#"{"user_id":3,"password":"correct horse battery"}"#)
        #expect(house.upgrades.withLock { $0.count } == 0)
        let good = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(good.status == 200)
        let upgrades = house.upgrades.withLock { $0 }
        #expect(upgrades.map(\.user) == [UserID(1)!])
        #expect(upgrades.first?.hash.iterations == 2000)
        #expect(upgrades.first?.hash.matches(Password(alicePassword)!) == true)
    }

    @Test("begins its session before it hashes again, so that it can be ended meanwhile")
    func revokedWhileUpgrading() throws {
        let house = try house(iterations: 2000)
        let (revocations, clock) = (house.revocations, house.clock)
        let isListed = Monitor(false)
        house.whileUpgrading.withLock {
            $0 = { [sessions = house.sessions] in
                isListed.withLock { $0 = sessions.count == 1 }
                clock.advance(.seconds(2))
                try? revocations.endAll(of: UserID(1)!, at: clock.clock.now())
            }
        }
        let answer = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(house.upgrades.withLock { $0.count } == 1)
        #expect(isListed.withLock { $0 })
        clock.advance(.seconds(1))
        #expect(try house.verdict(answer.token) == "401 Token revoked")
    }

    @Test("asks for no other hash where there is one that is strong enough")
    func noUpgrade() throws {
        let house = try house()
        let answer = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(answer.status == 200)
        #expect(house.upgrades.withLock { $0.count } == 0)
    }

    @Test("does not begin a session with what was proved before all of them were ended")
    func revokedMeanwhile() throws {
        for everyone in [false, true] {
            let house = try house()
            let events = try house.events {
                let answer = try answer(
                    to: post(#"{"user_id":1,"password":"correct horse battery"}"#)
                ) { request in
                    guard case .slow(let work) = house.login.respond(to: request) else {
                        return .error(.internalServerError)
                    }
                    // While the password is being checked.
                    house.clock.advance(.seconds(1))
                    let now = house.clock.clock.now()
                    if everyone {
                        try? house.revocations.endEverything(at: now)
                    } else {
                        try? house.revocations.endAll(of: UserID(1)!, at: now)
                    }
                    return work.run()
                }
                #expect(
                    answer
                        == Answer(
                            status: 503, fields: ["Retry-After: 1"],
                            content: #"{"error":"Busy"}"#, isAudited: true))
            }
            #expect(events == ["WARNING authn_login_fail user=1 reason=revoked_meanwhile"])
            // Nobody has failed, and the next one is good.
            let again = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
            #expect(try house.verdict(again.token) == "good")
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
            "the same one, set anew",
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
        ("gone", UserDirectory(Array(users.all.dropFirst()))),
    ]

    @Test("is not good for what was changed while it was checked", arguments: changes)
    func changedMeanwhile(change: String, changed: UserDirectory) throws {
        let house = try house(attempts: 1)
        let events = try house.events {
            let answer = try answer(
                to: post(#"{"user_id":1,"password":"correct horse battery"}"#)
            ) { request in
                guard case .slow(let work) = house.login.respond(to: request) else {
                    return .error(.internalServerError)
                }
                house.current.set(changed)
                return work.run()
            }
            #expect(answer.status == 503)
            #expect(answer.field("Retry-After") == "1")
            #expect(answer.sentence == "Busy")
            #expect(answer.isAudited)
        }
        #expect(events == ["WARNING authn_login_fail user=1 reason=revoked_meanwhile"])
        #expect(house.sessions.count == 0)
        // Nobody has failed.
        house.current.set(users)
        let again = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(again.status == 200)
    }

    @Test("is good still when somebody else was changed while it was checked")
    func othersChangedMeanwhile() throws {
        let house = try house()
        house.current.set(UserDirectory([users[UserID(1)!]!]))
        let answer = try house.logIn(#"{"user_id":1,"password":"correct horse battery"}"#)
        #expect(answer.status == 200)
    }

    @Test("agrees with the counters about what has happened")
    func counters() throws {
        let house = try house(attempts: 2)
        for content in [
            #"{"user_id":1,"password":"correct horse battery"}"#, #"{"user_id":1}"#, "{}", "x",
            #"{"user_id":3}"#, #"{"user_id":3}"#, #"{"user_id":3}"#, #"{"user_id":9}"#,
            #"{"username":"bob","user_id":1}"#,
        ] {
            _ = try house.logIn(content)
        }
        let counters = house.security.counters
        let events = try house.events()
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

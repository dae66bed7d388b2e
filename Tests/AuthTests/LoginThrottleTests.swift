import HTTP
import JWT
import POSIX
import TestSupport
import Testing
import Time

@testable import Auth

/// The result of an attempt with a wrong password.
private enum Outcome: Equatable {
    case refused(LoginThrottle.Cause, after: Int64)
    /// Failures of the account, and the seconds until its lock ends.
    case failed(Int, locked: Int64? = nil)
}

extension Outcome {
    fileprivate var isFailure: Bool { if case .failed = self { true } else { false } }
}

private func moment(_ seconds: Double) -> Timestamp {
    Timestamp(milliseconds: 1_795_244_400_000 + Int64(seconds * 1000))
}

private let someFingerprint = Fingerprint(number: 0x0123_4567_89AB_CDEF)
private let otherUser = User(id: UserID(4711)!, username: "other", name: "Other")
private let alice = User(id: UserID(1)!, username: "alice", name: "Alice")

private func client(_ text: String) -> ClientAddress { ClientAddress(Array(text.utf8).span)! }

private func address(_ number: Int) -> ClientAddress {
    NetworkAddress(ipv4: UInt32(truncatingIfNeeded: number)).text
}

extension LoginThrottle {
    /// Presents the id of a user.
    fileprivate func user(_ number: Int) -> Account {
        let id = UserID(Int64(number))!
        return account(identifier(id, someFingerprint), of: id)
    }

    /// Presents a name that no user has.
    fileprivate func name(_ name: String) -> Account {
        account(identifier(PresentedName(name), someFingerprint), of: nil)
    }

    /// Presents the name of a user.
    fileprivate func name(_ name: String, of number: Int) -> Account {
        account(identifier(PresentedName(name), someFingerprint), of: UserID(Int64(number))!)
    }

    fileprivate func both(_ number: Int, _ name: String, of holder: Int?) -> Account {
        account(
            identifier(PresentedName(name), someFingerprint),
            identifier(UserID(Int64(number))!, someFingerprint),
            of: holder.map { UserID(Int64($0))! })
    }

    fileprivate func admit(
        _ account: Account, from address: ClientAddress, at now: Timestamp
    ) -> Admission {
        admit(account, from: client(at: address), at: now)
    }

    fileprivate func fail(
        _ account: Account, from client: ClientAddress = address(1), at seconds: Double = 0
    ) -> Outcome {
        let now = moment(seconds)
        switch admit(account, from: client, at: now) {
        case .refused(let refusal): return .refused(refusal.cause, after: refusal.retryAfter)
        case .admitted(let attempt):
            let count = attempt.failed(at: now).account
            return .failed(
                count.attempts, locked: count.lockedUntil.map { $0.seconds - now.seconds })
        }
    }

    /// Logs in successfully; false if the attempt was refused.
    fileprivate func succeed(
        _ account: Account, by user: User = otherUser, from client: ClientAddress = address(1),
        at seconds: Double = 0
    ) -> Bool {
        switch admit(account, from: client, at: moment(seconds)) {
        case .refused: return false
        case .admitted(let attempt):
            attempt.succeeded(by: user, at: moment(seconds))
            return true
        }
    }

    /// The reputation of an attempt that is made now; nil if it is refused.
    fileprivate func standing(
        _ account: Account, from client: ClientAddress, at seconds: Double = 0
    ) -> Reputation? {
        switch admit(account, from: client, at: moment(seconds)) {
        case .refused: return nil
        case .admitted(let attempt): return attempt.reputation
        }
    }

    /// Fails until the account is locked.
    fileprivate func lock(
        _ account: Account, from client: ClientAddress, at seconds: Double = 0
    ) {
        while true {
            guard case .failed(_, locked: nil) = fail(account, from: client, at: seconds) else {
                return
            }
        }
    }
}

struct LoginThrottleTests {
    @Test func `an account is locked for 15 minutes after five failures in five minutes`() {
        let throttle = LoginThrottle()
        let user = throttle.user(1)
        for attempt in 1...4 {
            #expect(throttle.fail(user, at: Double(attempt)) == .failed(attempt))
        }
        #expect(throttle.fail(user, at: 299) == .failed(5, locked: 900))
        #expect(throttle.fail(user, at: 299) == .refused(.account, after: 900))
        #expect(throttle.fail(user, at: 299.001) == .refused(.account, after: 900))
        #expect(!throttle.succeed(user, from: address(2), at: 300))
        #expect(throttle.fail(user, at: 1198) == .refused(.account, after: 1))
        #expect(throttle.fail(user, at: 1198.999) == .refused(.account, after: 1))
        // Refused attempts have not prolonged the lock, and the failures before it have expired.
        #expect(throttle.fail(user, at: 1199) == .failed(1))
    }

    @Test func `failures count only within the window`() {
        let throttle = LoginThrottle()
        let user = throttle.user(1)
        for second in [0.0, 100, 200, 299.999] { _ = throttle.fail(user, at: second) }
        // The first failure has just expired.
        #expect(throttle.fail(user, at: 300) == .failed(4))
        #expect(throttle.fail(user, at: 399.999) == .failed(5, locked: 900))

        let other = throttle.user(2)
        for second in [0.0, 100, 200, 299] { _ = throttle.fail(other, at: second) }
        #expect(throttle.fail(other, at: 599) == .failed(1))
    }

    @Test func `unknown names and ids are treated like those of users`() {
        let throttle = LoginThrottle()
        let accounts = [
            throttle.user(1),
            throttle.account(throttle.identifier(UserID(2)!, someFingerprint), of: nil),
            throttle.name("eve"),
            throttle.name(""),
        ]
        for account in accounts {
            let outcomes = (0..<6).map { _ in throttle.fail(account) }
            #expect(
                outcomes == [
                    .failed(1), .failed(2), .failed(3), .failed(4), .failed(5, locked: 900),
                    .refused(.account, after: 900),
                ])
        }
        #expect(throttle.fail(throttle.name("Eve")) == .failed(1))
        #expect(throttle.statistics(at: moment(0)).lockedAccounts == 4)
        #expect(throttle.statistics(at: moment(900)).lockedAccounts == 0)
    }

    @Test func `an address is locked after ten times as many failures at any accounts`() {
        let throttle = LoginThrottle()
        for number in 1...49 {
            #expect(throttle.fail(throttle.user(number)) == .failed(1))
        }
        switch throttle.admit(throttle.user(50), from: address(1), at: moment(0)) {
        case .refused: Issue.record("refused")
        case .admitted(let attempt):
            let failure = attempt.failed(at: moment(0))
            #expect(failure.account.lockedUntil == nil)
            #expect(failure.address.attempts == 50)
            #expect(failure.address.lockedUntil == moment(900))
        }
        #expect(throttle.fail(throttle.user(51)) == .refused(.address, after: 900))
        #expect(!throttle.succeed(throttle.user(51)))
        // Other addresses are not affected.
        #expect(throttle.fail(throttle.user(51), from: address(2)) == .failed(1))
        let statistics = throttle.statistics(at: moment(1))
        #expect(statistics.lockedAddresses == 1)
        #expect(statistics.refusedForAddress == 2)
        #expect(statistics.refusedForAccount == 0)
        #expect(throttle.fail(throttle.user(51), at: 900) == .failed(1))
    }

    @Test func `the failures of an address count until the window is over, and then no longer`() {
        let throttle = LoginThrottle()
        for number in 1...49 { _ = throttle.fail(throttle.user(number), at: Double(number)) }
        #expect(throttle.fail(throttle.user(60), at: 300) == .failed(1))
        #expect(throttle.fail(throttle.user(61), at: 300) == .refused(.address, after: 900))

        let second = LoginThrottle()
        for number in 1...49 { _ = second.fail(second.user(number), at: Double(number)) }
        for number in 50...98 {
            #expect(second.fail(second.user(number), at: 349) == .failed(1))
        }
    }

    @Test func `each /64 of a /48 is counted alone, and the /48 has sixteen times its limit`() {
        let throttle = LoginThrottle()
        // Forty failures from each /64 lock none of them; five such /64 fill a /56, and four /56
        // the /48.
        var refused: LoginThrottle.Cause?
        var failures = 0
        for site in 0..<64 {
            for _ in 0..<40 where refused == nil {
                let subnet = String((site / 4) << 8 | site % 4, radix: 16)
                let from = client("2001:db8:1:\(subnet)::1")
                switch throttle.fail(throttle.name("n\(failures)"), from: from) {
                case .failed: failures += 1
                case .refused(let cause, after: 900): refused = cause
                case .refused: Issue.record("refused for another time")
                }
            }
        }
        #expect(refused == .address)
        #expect(failures == 16 * 50)
        #expect(throttle.fail(throttle.name("x"), from: client("2001:db8:2::1")) == .failed(1))
        let locks = throttle.locks(of: UserDirectory([]), at: moment(1)).map(\.subject)
        let network = ClientNetworks(client("2001:db8:1::1"))[2]
        #expect(locks == [.network(network)])
        #expect(ClientNetworks.text(of: network) == "2001:db8:1::/48")
    }

    @Test func `a /64 may have four attempts in flight, and a /56 sixteen`() {
        let throttle = LoginThrottle()
        var attempts: [LoginThrottle.Attempt] = []
        for number in 0..<24 {
            let from = client("2001:db8:1:\(number / 4)::\(number)")
            let account = throttle.name("n\(number)")
            if case .admitted(let attempt) = throttle.admit(account, from: from, at: moment(0)) {
                attempts.append(attempt)
            }
        }
        #expect(attempts.count == 16)
        // The first attempt from each /64 is not suspicious, until the /56 has four in flight.
        #expect(attempts.map(\.reputation).filter { $0 == .neutral }.count == 1)
        attempts.removeLast()
        let other = client("2001:db8:1:9::")
        #expect(throttle.fail(throttle.name("x"), from: other) == .failed(1))
    }

    @Test func `an identifier is counted as presented, whether or not a user has it`() {
        let throttle = LoginThrottle()
        for _ in 0..<5 { _ = throttle.fail(throttle.user(1)) }
        #expect(throttle.fail(throttle.user(1)) == .refused(.account, after: 900))
        // Neither the name of the same user nor an unknown name is refused.
        #expect(throttle.fail(throttle.name("alice", of: 1)).isFailure)
        #expect(throttle.fail(throttle.name("eve")) == .failed(1))
        // An attempt with both identifiers is refused if either is locked.
        let both = throttle.both(1, "alice", of: 1)
        #expect(throttle.fail(both) == .refused(.account, after: 900))
        let other = throttle.both(1, "eve", of: nil)
        #expect(throttle.fail(other) == .refused(.account, after: 900))
    }

    @Test
    func `an attempt with an id and a name counts under both`() {
        let throttle = LoginThrottle()
        for _ in 0..<5 { _ = throttle.fail(throttle.both(7, "eve", of: nil)) }
        for account in [
            throttle.name("eve"),
            throttle.account(throttle.identifier(UserID(7)!, someFingerprint), of: nil),
        ] {
            #expect(throttle.fail(account) == .refused(.account, after: 900))
        }
    }

    @Test
    func `an account whose identifiers fail too often together is refused invisibly`() throws {
        let throttle = LoginThrottle()
        let name = throttle.name("alice", of: 1)
        for _ in 0..<3 { _ = throttle.fail(throttle.user(1)) }
        #expect(throttle.fail(name) == .failed(4))
        #expect(throttle.fail(name) == .failed(5, locked: 900))
        switch throttle.admit(name, from: address(1), at: moment(1)) {
        case .refused: Issue.record("refused")
        case .admitted(let attempt):
            #expect(attempt.jointRefusal == moment(900))
            _ = attempt.failed(at: moment(1))
        }
        let users = UserDirectory([alice])
        #expect(throttle.locks(of: users, at: moment(2)).map(\.subject) == [.account(alice)])
        // A failure during the joint lock does not prolong it, but counts under the name.
        #expect(throttle.fail(name, at: 2).isFailure)
        #expect(throttle.fail(name, at: 3).isFailure)
        let locks = throttle.locks(of: users, at: moment(4))
        #expect(locks.map(\.subject) == [.account(alice), .name(alice)])
        #expect(locks.map(\.until) == [moment(900), moment(903)])
    }

    @Test func `a successful login resets every identifier of its user, and no other`() {
        let throttle = LoginThrottle()
        for _ in 0..<2 {
            for account in [
                throttle.user(1), throttle.name("alice", of: 1), throttle.name("eve"),
            ] {
                _ = throttle.fail(account)
            }
        }
        #expect(throttle.succeed(throttle.user(1), by: alice))
        #expect(throttle.fail(throttle.name("alice", of: 1)) == .failed(1))
        #expect(throttle.fail(throttle.user(1)) == .failed(2))
        #expect(throttle.fail(throttle.name("eve")) == .failed(3))
    }

    @Test
    func `an unlock ends the locks of one user, identifier or network, or all`() {
        let throttle = LoginThrottle()
        let users = UserDirectory([alice])
        func lockAll() {
            throttle.lock(throttle.user(1), from: address(2))
            throttle.lock(throttle.name("eve"), from: address(4))
            for number in 100..<150 { _ = throttle.fail(throttle.user(number)) }
        }
        func locked() -> Set<String> {
            Set(
                throttle.locks(of: users, at: moment(1)).map { lock in
                    switch lock.subject {
                    case .id: "id"
                    case .name: "name"
                    case .account: "account"
                    case .unknown: "unknown"
                    case .network: "network"
                    }
                })
        }
        lockAll()
        #expect(locked() == ["id", "account", "unknown", "network"])
        #expect(throttle.unlock(alice, at: moment(1)) == 2)
        #expect(locked() == ["unknown", "network"])
        #expect(throttle.unlock(PresentedName("eve"), at: moment(1)) == 1)
        #expect(throttle.unlock(PresentedName("eve"), at: moment(1)) == 0)
        let numbers = ClientNetworks.numbers(named: "0.0.0.1") ?? []
        #expect(throttle.unlock(networks: numbers, at: moment(1)) == 1)
        #expect(locked() == [])
        #expect(throttle.fail(throttle.user(1), at: 1) == .failed(1))
        #expect(throttle.fail(throttle.name("eve"), from: address(4), at: 1) == .failed(1))
        #expect(throttle.unlockAll(of: users, at: moment(1)) == 0)
        lockAll()
        #expect(throttle.unlockAll(of: users, at: moment(1)) == 4)
        #expect(locked() == [])
    }

    @Test func `the capacity suffices for all logins that can be hashed, up to a maximum`() {
        let options = LoginThrottle.Options()
        // One hasher at 0.1 s makes 9,000 failures in 900 s; half of the entries should be free.
        #expect(LoginThrottle.capacity(for: options, hashers: 1, hashing: 100_000_000) == 32_768)
        #expect(LoginThrottle.capacity(for: options, hashers: 1, hashing: 120_000_000) == 16_384)
        #expect(LoginThrottle.capacity(for: options, hashers: 1, hashing: 900_000_000) == 8192)
        #expect(LoginThrottle.capacity(for: options, hashers: 64, hashing: 1) == 32_768)
        #expect(LoginThrottle.capacity(for: options, hashers: 0, hashing: 0) == 32_768)
        var long = options
        long.window = TimeAmount(milliseconds: .max)
        #expect(LoginThrottle.capacity(for: long, hashers: 1, hashing: 1) == 32_768)
    }

    @Test(
        arguments: [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false), ("local", "unix", true),
        ])
    func `the first 64 bits of an IPv6 address identify a client`(
        one: String, other: String, areSame: Bool
    ) {
        let throttle = LoginThrottle()
        for number in 1...50 { _ = throttle.fail(throttle.user(number), from: client(one)) }
        let expected = areSame ? Outcome.refused(.address, after: 900) : .failed(1)
        #expect(throttle.fail(throttle.user(51), from: client(other)) == expected)
    }

    @Test func `a successful login resets the failures of its account, not of its address`() {
        let throttle = LoginThrottle()
        let (own, other) = (throttle.user(1), throttle.user(2))
        for _ in 0..<4 { _ = throttle.fail(own) }
        #expect(throttle.succeed(own))
        #expect(throttle.fail(own) == .failed(1))
        // Logging in to an account of their own does not help attackers.
        for number in 3...47 {
            #expect(throttle.succeed(other))
            #expect(throttle.fail(throttle.user(number)) == .failed(1))
        }
        #expect(!throttle.succeed(other))
    }

    @Test func `attempts in flight count as failed until they end`() {
        let throttle = LoginThrottle()
        let user = throttle.user(1)
        func withAttempts(_ count: Int, _ body: () -> Void) {
            guard count > 0 else { return body() }
            switch throttle.admit(user, from: address(count), at: moment(0)) {
            case .refused: Issue.record("refused")
            case .admitted(let attempt):
                withAttempts(count - 1, body)
                attempt.abandon()
            }
        }
        withAttempts(4) { #expect(throttle.fail(user) == .failed(1)) }
        // One has failed; with four more in flight no other attempt is admitted for now.
        withAttempts(4) { #expect(throttle.fail(user) == .refused(.account, after: 1)) }
        #expect(throttle.fail(user) == .failed(2))
        #expect(throttle.statistics(at: moment(0)).refusedForAccount == 1)
    }

    @Test func `an address may have four attempts in flight, at any accounts`() {
        let throttle = LoginThrottle()
        var attempts: [LoginThrottle.Attempt] = []
        for number in 1...4 {
            switch throttle.admit(throttle.user(number), from: address(1), at: moment(0)) {
            case .refused: Issue.record("refused")
            case .admitted(let attempt): attempts.append(attempt)
            }
        }
        #expect(throttle.fail(throttle.user(5)) == .refused(.address, after: 1))
        #expect(throttle.fail(throttle.user(5), from: address(2)) == .failed(1))
        attempts.removeLast()
        #expect(throttle.fail(throttle.user(6)) == .failed(1))
    }

    @Test func `the reputation of an address depends on its logins and failures`() {
        let throttle = LoginThrottle()
        let (new, failed, known) = (address(1), address(2), address(3))
        // Whether the account exists makes no difference.
        for account in [throttle.user(1), throttle.name("eve")] {
            #expect(throttle.standing(account, from: new) == .neutral)
        }
        _ = throttle.fail(throttle.user(1), from: failed)
        for account in [throttle.user(1), throttle.name("eve")] {
            #expect(throttle.standing(account, from: failed) == .suspicious)
        }
        #expect(throttle.standing(throttle.user(1), from: failed, at: 300) == .neutral)

        #expect(throttle.succeed(throttle.user(2), from: known))
        for account in [throttle.user(1), throttle.name("eve")] {
            #expect(throttle.standing(account, from: known) == .trusted)
        }
        for number in 1...4 {
            _ = throttle.fail(throttle.name("\(number)"), from: known)
            #expect(throttle.standing(throttle.user(2), from: known) == .neutral)
        }
        _ = throttle.fail(throttle.name("5"), from: known)
        #expect(throttle.standing(throttle.user(2), from: known) == .suspicious)
        #expect(throttle.standing(throttle.user(2), from: known, at: 300) == .trusted)
        let week = 7.0 * 86_400
        #expect(throttle.standing(throttle.user(2), from: known, at: week - 1) == .trusted)
        #expect(throttle.standing(throttle.user(2), from: known, at: week) == .neutral)
    }

    @Test func `a second attempt in flight is suspicious, unless the address is trusted`() {
        let throttle = LoginThrottle()
        for (client, expected) in [
            (address(1), LoginThrottle.Reputation.suspicious), (address(2), .trusted),
        ] {
            if expected == .trusted { #expect(throttle.succeed(throttle.user(1), from: client)) }
            switch throttle.admit(throttle.user(2), from: client, at: moment(0)) {
            case .refused: Issue.record("refused")
            case .admitted(let attempt):
                #expect(throttle.standing(throttle.user(1), from: client) == expected)
                attempt.abandon()
            }
        }
    }

    @Test func `failures evict no known address, and new logins evict the oldest`() {
        let throttle = LoginThrottle(places: 8)
        #expect(throttle.succeed(throttle.user(1), from: address(1)))
        for number in 2..<500 { _ = throttle.fail(throttle.user(number), from: address(number)) }
        #expect(throttle.standing(throttle.user(1), from: address(1)) == .trusted)
        for number in 1000..<1500 {
            let isAdmitted = throttle.succeed(throttle.user(2), from: address(number), at: 1)
            #expect(isAdmitted)
        }
        #expect(throttle.standing(throttle.user(1), from: address(1), at: 1) == .neutral)
        #expect(throttle.standing(throttle.user(1), from: address(1499), at: 1) == .trusted)
    }

    @Test func `an attempt that is released without an outcome is not counted`() {
        let throttle = LoginThrottle()
        for _ in 0..<100 {
            switch throttle.admit(throttle.user(1), from: address(1), at: moment(0)) {
            case .refused: Issue.record("refused")
            case .admitted(let attempt): _ = consume attempt
            }
        }
        #expect(throttle.fail(throttle.user(1)) == .failed(1))
    }

    @Test(arguments: [1, 5, 8, 20])
    func `parallel attempts never exceed the limit`(limit: Int) {
        var options = LoginThrottle.Options()
        options.maximumAttempts = limit
        let throttle = LoginThrottle(options)
        // Two identifiers of one account, alternating.
        let accounts = [throttle.user(1), throttle.name("alice", of: 1)]
        let hashed = Monitor(0)
        let rounds = TestScale.rounds(50, long: 2000)
        inThreads(8) { thread in
            for round in 0..<rounds {
                switch throttle.admit(
                    accounts[(thread + round) % 2], from: address(thread * rounds + round),
                    at: moment(0))
                {
                case .refused: break
                case .admitted(let attempt):
                    if attempt.jointRefusal == nil { hashed.withLock { $0 += 1 } }
                    _ = attempt.failed(at: moment(0))
                }
            }
        }
        #expect(hashed.withLock { $0 } == limit)
    }

    @Test func `the count in flight stays correct for all outcomes on many threads`() {
        let throttle = LoginThrottle()
        let inFlight = Monitor(0)
        let rounds = TestScale.rounds(300, long: 20_000)
        inThreads(8) { thread in
            var generator = SeededGenerator(seed: UInt64(thread))
            for _ in 0..<rounds {
                switch throttle.admit(throttle.user(1), from: address(1), at: moment(0)) {
                case .refused: break
                case .admitted(let attempt):
                    let count = inFlight.withLock { count in
                        count += 1
                        return count
                    }
                    #expect(count <= 5)
                    inFlight.withLock { $0 -= 1 }
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: attempt.succeeded(by: alice, at: moment(0))
                    case 1: attempt.abandon()
                    default: _ = consume attempt
                    }
                }
            }
        }
        #expect(throttle.fail(throttle.user(1)) == .failed(1))
    }

    @Test func `memory does not grow with 100,000 addresses, and other users can log in`() {
        let throttle = LoginThrottle()
        let alice = throttle.user(1)
        _ = throttle.fail(throttle.name("eve"))
        for _ in 0..<5 { _ = throttle.fail(alice, from: address(7)) }
        #expect(throttle.fail(alice, from: address(8)) == .refused(.account, after: 900))
        let memory = throttle.statistics(at: moment(0)).memory
        #expect(memory > 0 && memory < 8 << 20)
        for number in 0..<TestScale.rounds(2000, long: 100_000) {
            let address = address(1 << 24 + number)
            // At unknown names and at users.
            #expect(throttle.fail(throttle.name("user\(number)"), from: address) == .failed(1))
            #expect(throttle.fail(throttle.user(10 + number), from: address) == .failed(1))
        }
        #expect(throttle.statistics(at: moment(0)).memory == memory)
        #expect(throttle.succeed(throttle.user(2), from: address(9)))
        #expect(throttle.fail(alice, from: address(8)) == .refused(.account, after: 900))
    }

    @Test func `users can log in however many accounts and addresses are locked`() {
        let throttle = LoginThrottle(places: 8)
        for number in 0..<100 {
            throttle.lock(throttle.user(1000 + number), from: address(number))
            throttle.lock(throttle.name("\(number)"), from: address(number))
        }
        let statistics = throttle.statistics(at: moment(0))
        #expect(statistics.lockedAccounts == 8)
        #expect(throttle.succeed(throttle.user(1), from: address(500)))
    }

    @Test func `a full table evicts the fewest failures before any lock`() {
        let throttle = LoginThrottle(places: 8)
        let (locked, four) = (throttle.user(1), throttle.user(2))
        throttle.lock(locked, from: address(1))
        for _ in 0..<4 { _ = throttle.fail(four) }
        // Each of these keys evicts another one of them.
        for number in 10..<200 {
            _ = throttle.fail(throttle.user(number), from: address(number), at: 1)
            _ = throttle.fail(throttle.user(number), from: address(number), at: 2)
            _ = throttle.fail(throttle.name("\(number)"), from: address(number), at: 3)
        }
        #expect(throttle.fail(locked, at: 4) == .refused(.account, after: 896))
        #expect(throttle.fail(four, at: 4) == .failed(5, locked: 900))
    }

    @Test func `a table full of locks evicts the one that ends first`() {
        let throttle = LoginThrottle(places: 8)
        for number in 1...8 {
            throttle.lock(throttle.user(number), from: address(number), at: Double(number))
        }
        throttle.lock(throttle.user(9), from: address(9), at: 9)
        #expect(throttle.fail(throttle.user(9), at: 10) == .refused(.account, after: 899))
        for number in 2...8 {
            #expect(
                throttle.fail(throttle.user(number), at: 10)
                    == .refused(.account, after: Int64(890 + number)))
        }
        #expect(throttle.fail(throttle.user(1), at: 10) == .failed(1))
    }

    @Test func `attempts in flight are never evicted`() {
        let throttle = LoginThrottle(places: 8)
        func withAttempts(_ numbers: Range<Int>, _ body: () -> Void) {
            guard let number = numbers.first else { return body() }
            switch throttle.admit(throttle.user(number), from: address(number), at: moment(0)) {
            case .refused: Issue.record("refused")
            case .admitted(let attempt):
                withAttempts(numbers.dropFirst(), body)
                #expect(attempt.failed(at: moment(0)).account.attempts == 1)
            }
        }
        withAttempts(1..<9) {
            #expect(throttle.fail(throttle.user(9)) == .refused(.account, after: 1))
            #expect(throttle.fail(throttle.user(1)) == .failed(1))
            #expect(throttle.succeed(throttle.user(1)))
        }
        #expect(throttle.fail(throttle.user(9)) == .failed(1))
    }

    @Test func `a limit of zero disables counting and refusals`() {
        var options = LoginThrottle.Options()
        options.maximumAttempts = 0
        let throttle = LoginThrottle(options)
        for _ in 0..<100 { #expect(throttle.fail(throttle.user(1)) == .failed(0)) }
        #expect(throttle.statistics(at: moment(0)).memory == 0)
    }

    @Test func `counts survive a change of the options`() {
        let throttle = LoginThrottle()
        let (one, two) = (throttle.user(1), throttle.user(2))
        for _ in 0..<3 { _ = throttle.fail(one) }
        throttle.lock(two, from: address(2))
        throttle.options.maximumAttempts = 4
        #expect(throttle.fail(one) == .failed(4, locked: 900))
        // A lock ends no later than a new one would.
        throttle.options.lockout = .seconds(60)
        #expect(throttle.fail(two, at: 10) == .refused(.account, after: 60))
        #expect(throttle.fail(two, at: 69) == .refused(.account, after: 1))
        #expect(throttle.fail(two, at: 70) == .failed(1))
        // There are more failures than the new limit allows: refused until the oldest expires.
        throttle.options.maximumAttempts = 8
        let three = throttle.user(3)
        for second in 100..<106 { _ = throttle.fail(three, at: Double(second)) }
        throttle.options.maximumAttempts = 5
        #expect(throttle.fail(three, at: 106) == .refused(.account, after: 294))
    }

    @Test func `the throttle can be switched off and on while attempts are in flight`() {
        let throttle = LoginThrottle()
        func attempt(_ meanwhile: () -> Void) -> Int {
            switch throttle.admit(throttle.user(1), from: address(1), at: moment(0)) {
            case .refused: return -1
            case .admitted(let attempt):
                meanwhile()
                return attempt.failed(at: moment(0)).account.attempts
            }
        }
        #expect(attempt { throttle.options.maximumAttempts = 0 } == 0)
        #expect(attempt { throttle.options.maximumAttempts = 1 } == 0)
        #expect(attempt {} == 1)
        #expect(attempt {} == -1)
    }

    @Test func `a clock that goes back neither loses failures nor prolongs locks`() {
        let throttle = LoginThrottle()
        let (one, two) = (throttle.user(1), throttle.user(2))
        for _ in 0..<4 { _ = throttle.fail(one, at: 1_000_000) }
        throttle.lock(two, from: address(2), at: 1_000_000)
        // Both count as of now.
        #expect(throttle.fail(two, from: address(3), at: 0) == .refused(.account, after: 900))
        #expect(throttle.fail(two, from: address(3), at: 899) == .refused(.account, after: 1))
        #expect(throttle.fail(two, from: address(3), at: 900) == .failed(1))
        #expect(throttle.fail(one, from: address(4), at: 0) == .failed(5, locked: 900))
    }

    @Test(arguments: [Int64.min, -1, 0, 1, Int64.max])
    func `extreme times do not trap`(milliseconds: Int64) {
        var options = LoginThrottle.Options()
        options.window = TimeAmount(milliseconds: .max)
        options.lockout = TimeAmount(milliseconds: .max)
        let throttle = LoginThrottle(options)
        let times = [milliseconds, .min, 0, .max]
        for time in times {
            for number in 1...8 {
                switch throttle.admit(
                    throttle.user(number), from: address(1), at: Timestamp(milliseconds: time))
                {
                case .refused(let refusal): #expect(refusal.retryAfter >= 1)
                case .admitted(let attempt):
                    _ = attempt.failed(at: Timestamp(milliseconds: milliseconds))
                }
            }
            _ = throttle.statistics(at: Timestamp(milliseconds: time))
        }
    }
}

import Crypto
import HTTP
import JWT
import POSIX
import Synchronization
import Time

/// Says who may try a password now: counts failed logins for each account and for each client address,
/// and refuses further attempts for a while when they are too many. To be asked before any hashing, so
/// that a refused attempt costs next to nothing; and it does not make the refusal last longer.
///
/// An attempt is counted from the moment it is admitted, as if it had failed: a hundred guesses at
/// once are not a hundred guesses for the price of one. Its ticket then says how it ended.
///
/// A good login forgets the failures of its account, because its owner has come, and not those of its
/// address, because else whoever has one account clears the way to all others. An address may fail
/// `addressFactor` times as often as an account: behind one there may be a whole office.
///
/// Accounts that exist, names that nobody has, and addresses are counted in three tables of a fixed
/// size, so that guessing at names or from many addresses forgets no lock on an account. In all three
/// the rules are the same, so that a lock does not tell who exists. Memory holds no names and no
/// addresses, only hashes under a key of this process. A restart forgets all of it.
///
/// What it cannot do: who knows an account's name can keep its owner out, by failing on purpose, from
/// a few addresses even by turns. That is the price of a limit for each account; tokens that the owner
/// has are good all the same.
package final class LoginThrottle: Sendable {
    package struct Options: Sendable, Equatable {
        /// What `maximumAttempts` may be. An address's limit must fit into 16 bits.
        package static let attempts = 0...1000

        /// Failures of one account within the window after which it takes no logins; 0 counts nothing
        /// and refuses nobody.
        package var maximumAttempts = 5
        package var window = Milliseconds.seconds(300)
        package var lockout = Milliseconds.seconds(900)

        package init() {}

        fileprivate var isOn: Bool { maximumAttempts > 0 }

        fileprivate var account: AttemptRule {
            AttemptRule(limit: maximumAttempts, window: window, lockout: lockout)
        }

        fileprivate var address: AttemptRule {
            AttemptRule(
                limit: maximumAttempts * LoginThrottle.addressFactor,
                maximumInFlight: LoginThrottle.addressInFlight, window: window, lockout: lockout)
        }
    }

    /// Offices and mobile networks have thousands of people behind an address, some of whom mistype;
    /// fifty guesses in five minutes are still none worth making against passwords of eight bytes.
    package static let addressFactor = 10

    /// Attempts of an address at a time. One person has one, an office seldom more than a few, and the room
    /// for those that wait to be hashed should be filled by no handful of addresses.
    package static let addressInFlight = 4

    /// What speaks for an address when there is more to hash than can be. Nothing about the account goes
    /// into it, so that nobody learns from a wait whether there is one.
    package enum Standing: Sendable, Equatable {
        /// Has failed within the window, or has another attempt in flight, which counts as a failure here,
        /// too; if known, has failed as often as an account may.
        case suspect
        /// Has done neither; if known, has failed a few times.
        case unknown
        /// Somebody has logged in from there within the last days, and nobody has failed.
        case known
    }

    /// An account that somebody wants to log in to; see `account(_:isKnown:)`.
    package struct AccountKey: Sendable, Equatable {
        fileprivate let hash: UInt64
        /// Which of the tables of accounts.
        fileprivate let table: Int
    }

    /// Whose attempts were too many: `account` or `address`.
    package enum Cause: Sendable, Equatable { case account, address }

    package struct Refusal: Sendable, Equatable {
        package let cause: Cause
        /// When the next attempt may be admitted.
        package let until: Timestamp
        /// The same in seconds from now, rounded up, at least 1: for Retry-After.
        package let retryAfter: Int64

        fileprivate init(_ cause: Cause, until: Timestamp, at now: Timestamp) {
            self.cause = cause
            self.until = until
            // Both lie within what configuration allows, so the difference does not overflow; if a
            // clock is absurd, the answer may be, and must not trap.
            let (wait, overflow) = until.milliseconds.subtractingReportingOverflow(now.milliseconds)
            retryAfter = overflow ? 1 : max(1, wait / 1000 + (wait % 1000 > 0 ? 1 : 0))
        }
    }

    /// What a failed attempt has come to.
    package struct Failure: Sendable, Equatable {
        package struct Count: Sendable, Equatable {
            /// Failures within the window, this one included.
            package let attempts: Int
            /// Not nil if this failure was the last one allowed.
            package let lockedUntil: Timestamp?
        }

        package let account: Count
        package let address: Count
    }

    package struct Statistics: Sendable, Equatable {
        /// Locked now; names that nobody has count, too.
        package var lockedAccounts = 0
        package var lockedAddresses = 0
        /// Refused since the start, for their account's or their address's sake.
        package var refusedForAccount: UInt64 = 0
        package var refusedForAddress: UInt64 = 0
        /// Bytes.
        package var memory = 0
    }

    fileprivate struct State {
        var options: Options
        /// Of names and ids that nobody has, and of users.
        var accounts: InlineArray<2, AttemptTable>
        var addresses: AttemptTable
        var known: KnownAddresses
        var refusedForAccount: UInt64 = 0
        var refusedForAddress: UInt64 = 0
    }

    /// The lock guards all that changes: the tables, the options and the numbers.
    private let state: Locked<State>
    private let key: HMACSHA256.Key

    /// - Parameter capacity: how many accounts are counted at a time, and as many names that nobody
    ///   has, and twice as many addresses; a power of two, at least 8. As it is, the tables have
    ///   3.75 MiB, with the addresses that are known, as many again. More than so many accounts with a failure in the last window is more than a machine
    ///   of a few cores can hash.
    package init(_ options: Options = Options(), capacity: Int = 8192) {
        precondition(Options.attempts.contains(options.maximumAttempts))
        let accounts = AttemptTable(capacity: capacity)
        state = Locked(
            State(
                options: options, accounts: [accounts, accounts],
                addresses: AttemptTable(capacity: 2 * capacity),
                known: KnownAddresses(capacity: 2 * capacity)))
        key = HMACSHA256.Key(RandomBytes.array(count: 32).span)
    }

    /// May change at any time: what was counted stays, and is judged by the new ones.
    package var options: Options {
        get { state.withLock { $0.options } }
        set {
            precondition(Options.attempts.contains(newValue.maximumAttempts))
            state.withLock { $0.options = newValue }
        }
    }
}

// MARK: - Keys

extension LoginThrottle {
    /// An account by its id.
    /// - Parameter isKnown: whether there is such a user.
    package func account(_ user: UserID, isKnown: Bool) -> AccountKey {
        let number = UInt64(bitPattern: user.number)
        return AccountKey(hash: hash(0, UInt128(number)), table: isKnown ? 1 : 0)
    }

    /// An account by a name that nobody has.
    /// - Parameter name: normalised as names are before they are looked up, or else each spelling had
    ///   its own count and would tell that the account does not exist.
    package func account(unknownName name: Span<UInt8>) -> AccountKey {
        var hmac = HMACSHA256(key: key)
        let kind: InlineArray<1, UInt8> = [1]
        hmac.update(kind.span)
        hmac.update(name)
        return AccountKey(hash: Self.head(of: hmac.finalize()), table: 0)
    }

    /// IPv4 by address, IPv6 by its first 64 bits. What has no address (a Unix domain socket) is one
    /// client.
    private func hash(of client: ClientAddress) -> UInt64 {
        guard let address = NetworkAddress(client.utf8) else { return hash(3, 0) }
        return hash(2, address.client.bits)
    }

    private func hash(_ kind: UInt8, _ number: UInt128) -> UInt64 {
        var bytes = InlineArray<17, UInt8>(repeating: kind)
        for index in 0..<16 {
            bytes[index + 1] = UInt8(truncatingIfNeeded: number >> UInt128(8 * index))
        }
        return Self.head(of: HMACSHA256.code(for: bytes.span, key: key))
    }

    private static func head(of digest: SHA256.Digest) -> UInt64 {
        var head: UInt64 = 0
        for index in 0..<8 { head = head << 8 | UInt64(digest.bytes[index]) }
        // Zero stands in places that nobody has taken.
        return max(1, head)
    }
}

// MARK: - Attempts

extension LoginThrottle {
    package enum Admission: Sendable {
        case admitted(Ticket)
        case refused(Refusal)
    }

    /// An attempt in flight. Its end is told by the first of `failed`, `succeeded` and `abandon`; to let
    /// it go is to abandon it, so that no way out of a handler leaves it in flight for ever.
    package final class Ticket: Sendable {
        private let throttle: LoginThrottle
        private let account: AccountKey
        private let address: UInt64
        /// As it was when the attempt was admitted.
        package let standing: Standing
        /// Nothing is to be given back: it has been, or nothing was counted.
        private let isSettled: Atomic<Bool>

        fileprivate init(
            _ throttle: LoginThrottle, _ account: AccountKey, _ address: UInt64,
            _ standing: Standing, isCounted: Bool
        ) {
            self.throttle = throttle
            self.account = account
            self.address = address
            self.standing = standing
            isSettled = Atomic(!isCounted)
        }

        /// Whether this is the first end that is told.
        private func settle() -> Bool {
            !isSettled.exchange(true, ordering: .acquiringAndReleasing)
        }

        /// The password was wrong, or nobody has this account.
        package func failed(at now: Timestamp) -> Failure {
            settle() ? throttle.fail(account, address, at: now) : .uncounted
        }

        package func succeeded(at now: Timestamp) {
            if settle() { throttle.succeed(account, address, at: now) }
        }

        /// It was not tried: too busy, or the user is disabled.
        package func abandon() {
            if settle() { throttle.abandon(account, address) }
        }

        deinit { abandon() }
    }

    /// Whether an attempt may be made now.
    package func admit(
        _ account: AccountKey, from client: ClientAddress, at now: Timestamp
    ) -> Admission {
        let address = hash(of: client)
        switch state.withLock({ $0.admit(account, address, at: now) }) {
        case .counted(let standing):
            return .admitted(Ticket(self, account, address, standing, isCounted: true))
        case .uncounted:
            return .admitted(Ticket(self, account, address, .unknown, isCounted: false))
        case .refused(let refusal): return .refused(refusal)
        }
    }

    /// Counts the locks, which takes some tens of microseconds under the lock.
    package func statistics(at now: Timestamp) -> Statistics {
        state.withLock { state in
            Statistics(
                lockedAccounts: state.accounts[0].lockedCount(at: now)
                    + state.accounts[1].lockedCount(at: now),
                lockedAddresses: state.addresses.lockedCount(at: now),
                refusedForAccount: state.refusedForAccount,
                refusedForAddress: state.refusedForAddress,
                memory: state.accounts[0].memory + state.accounts[1].memory
                    + state.addresses.memory + state.known.bytes)
        }
    }

    private func fail(_ account: AccountKey, _ address: UInt64, at now: Timestamp) -> Failure {
        state.withLock { $0.fail(account, address, at: now) }
    }

    private func succeed(_ account: AccountKey, _ address: UInt64, at now: Timestamp) {
        state.withLock { state in
            state.end(account, address, clearing: true)
            state.known.note(address, at: now)
        }
    }

    private func abandon(_ account: AccountKey, _ address: UInt64) {
        state.withLock { $0.end(account, address, clearing: false) }
    }
}

extension LoginThrottle.Failure {
    /// Of an attempt while nothing is counted.
    fileprivate static let uncounted = LoginThrottle.Failure(account: .none, address: .none)
}

extension LoginThrottle.Failure.Count {
    static let none = LoginThrottle.Failure.Count(attempts: 0, lockedUntil: nil)
}

// MARK: - Under the lock

extension LoginThrottle.State {
    enum Outcome {
        case counted(LoginThrottle.Standing)
        case uncounted
        case refused(LoginThrottle.Refusal)
    }

    mutating func admit(
        _ account: LoginThrottle.AccountKey, _ address: UInt64, at now: Timestamp
    ) -> Outcome {
        guard options.isOn else { return .uncounted }
        let (rule, addressRule) = (options.account, options.address)
        // Both are asked before a place is taken for either: who is refused leaves no trace.
        if let until = accounts[account.table].refusal(of: account.hash, at: now, rule) {
            return refuse(.account, until, at: now)
        }
        if let until = addresses.refusal(of: address, at: now, addressRule) {
            return refuse(.address, until, at: now)
        }
        let standing = standing(of: address, at: now)
        guard accounts[account.table].begin(account.hash, at: now, rule) else {
            return refuse(.account, now, at: now)
        }
        guard addresses.begin(address, at: now, addressRule) else {
            accounts[account.table].end(account.hash, clearing: false)
            return refuse(.address, now, at: now)
        }
        return .counted(standing)
    }

    private mutating func standing(
        of address: UInt64, at now: Timestamp
    ) -> LoginThrottle.Standing {
        let (failures, inFlight) = addresses.spent(by: address, at: now, options.address)
        if known.contains(address, at: now) {
            if failures == 0 { return .known }
            // Whoever mistypes is not to stand behind a crowd that guesses.
            return failures < options.maximumAttempts ? .unknown : .suspect
        }
        return failures + inFlight == 0 ? .unknown : .suspect
    }

    private mutating func refuse(
        _ cause: LoginThrottle.Cause, _ until: Timestamp, at now: Timestamp
    ) -> Outcome {
        switch cause {
        case .account: refusedForAccount += 1
        case .address: refusedForAddress += 1
        }
        return .refused(LoginThrottle.Refusal(cause, until: until, at: now))
    }

    mutating func fail(
        _ account: LoginThrottle.AccountKey, _ address: UInt64, at now: Timestamp
    ) -> LoginThrottle.Failure {
        guard options.isOn else {
            // Switched off meanwhile.
            end(account, address, clearing: false)
            return .uncounted
        }
        return LoginThrottle.Failure(
            account: accounts[account.table].fail(account.hash, at: now, options.account),
            address: addresses.fail(address, at: now, options.address))
    }

    /// - Parameter clearing: forgets the account's failures.
    mutating func end(
        _ account: LoginThrottle.AccountKey, _ address: UInt64, clearing: Bool
    ) {
        accounts[account.table].end(account.hash, clearing: clearing)
        addresses.end(address, clearing: false)
    }
}

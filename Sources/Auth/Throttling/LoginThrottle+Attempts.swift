import POSIX
import Synchronization
import Time

extension LoginThrottle {
    /// What speaks for a client when there is more to hash than can be hashed. Nothing about the
    /// account goes into it, so that a wait does not tell whether there is one.
    package enum Reputation: Sendable, Equatable {
        /// Has failed within the window, or has another attempt in flight; a larger network as many
        /// times as its factor says. Or is known and has failed as often as an account may.
        case suspicious
        /// Has done neither; or is known and has failed a few times.
        case neutral
        /// A login from there succeeded within the last days, and none failed within the window.
        case trusted
    }

    /// What had too many attempts: the account's identifier, or the client's network.
    package enum Cause: Sendable, Equatable { case account, address }

    package struct Refusal: Sendable, Equatable {
        package let cause: Cause
        /// When the next attempt may be admitted.
        package let until: Timestamp
        /// The same in seconds from now, rounded up, at least 1: for Retry-After.
        package let retryAfter: Int64

        init(_ cause: Cause, until: Timestamp, at now: Timestamp) {
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

            static let none = Count(attempts: 0, lockedUntil: nil)

            /// Both in one: the higher count, and the lock that is new.
            func joined(with other: Count) -> Count {
                Count(
                    attempts: max(attempts, other.attempts),
                    lockedUntil: lockedUntil ?? other.lockedUntil)
            }
        }

        /// A network that this failure locked.
        package struct LockedNetwork: Sendable, Equatable {
            package let number: UInt128
            package let attempts: Int
            package let until: Timestamp
        }

        /// The identifiers that were presented and the account's joint count, in one.
        package let account: Count
        /// The smallest network.
        package let address: Count
        package let lockedNetworks: [LockedNetwork]

        /// Of an attempt while nothing is counted.
        static let uncounted = Failure(account: .none, address: .none, lockedNetworks: [])
    }

    package enum Admission: Sendable {
        case admitted(Attempt)
        case refused(Refusal)
    }

    /// An attempt in flight. Its end is the first of `failed`, `succeeded` and `abandon`; to
    /// release it is to abandon it, so that no way out of a handler leaves it in flight for ever.
    package final class Attempt: Sendable {
        private let throttle: LoginThrottle
        private let account: Account
        private let client: Client
        private let admitted: State.Admitted
        /// As it was when the attempt was admitted.
        package var standing: Reputation { admitted.standing }
        /// Not nil if the account's joint count refuses the attempt, and until when. It has to be
        /// hashed all the same, and must then fail.
        package var jointRefusal: Timestamp? { admitted.jointRefusal }
        /// Nothing is to be given back: it has been, or nothing was counted.
        private let isSettled: Atomic<Bool>

        fileprivate init(
            _ throttle: LoginThrottle, _ account: Account, _ client: Client,
            _ admitted: State.Admitted, isCounted: Bool
        ) {
            self.throttle = throttle
            self.account = account
            self.client = client
            self.admitted = admitted
            isSettled = Atomic(!isCounted)
        }

        /// Whether this is the first end that is told.
        private func settle() -> Bool {
            !isSettled.exchange(true, ordering: .acquiringAndReleasing)
        }

        /// The password was wrong, or there is no such account, or the joint count refuses it.
        package func failed(at now: Timestamp) -> Failure {
            guard settle() else { return .uncounted }
            return throttle.state.withLock { $0.fail(account, client, admitted, at: now) }
        }

        /// Resets the counts of the identifiers that were presented, of the others that the user
        /// has, and of the account.
        package func succeeded(by user: User, at now: Timestamp) {
            guard settle() else { return }
            let keys = throttle.keys(of: user)
            throttle.state.withLock { state in
                state.end(account, client, admitted, clearing: true)
                state.reset(keys, at: now)
                state.known.record(client.keys[0], at: now)
            }
        }

        /// It was not tried: too busy, or the user changed meanwhile.
        package func abandon() {
            guard settle() else { return }
            throttle.state.withLock { $0.end(account, client, admitted, clearing: false) }
        }

        deinit { abandon() }
    }

    /// Whether a client is refused whatever it sends; asked before its request is read.
    package func refusal(of client: Client, at now: Timestamp) -> Refusal? {
        state.withLock { $0.refusal(of: client, at: now) }
    }

    /// Whether an attempt may be made now.
    package func admit(
        _ account: Account, from client: Client, at now: Timestamp
    ) -> Admission {
        switch state.withLock({ $0.admit(account, client, at: now) }) {
        case .counted(let admitted):
            return .admitted(Attempt(self, account, client, admitted, isCounted: true))
        case .uncounted:
            return .admitted(Attempt(self, account, client, .uncounted, isCounted: false))
        case .refused(let refusal): return .refused(refusal)
        }
    }
}

import POSIX
import Synchronization
import Time

extension LoginThrottle {
    /// What is known about a client's network; decides the order when there is more to hash than
    /// the processors can do. Nothing about the account is part of it, so the waiting time does not
    /// reveal whether an account exists.
    package enum Reputation: Sendable, Equatable {
        /// The network has failed within the window or has another attempt in flight (for a larger
        /// network, as often as its factor). A network with a recent successful login becomes
        /// suspicious only after as many failures as lock an account.
        case suspicious
        /// Neither failures nor attempts in flight; or a recent successful login and a few
        /// failures.
        case neutral
        /// A login from this network succeeded within the last days, and none failed within the
        /// window.
        case trusted
    }

    /// Which count refused an attempt: that of the account's identifier or of the client's network.
    package enum Cause: Sendable, Equatable { case account, address }

    package struct Refusal: Sendable, Equatable {
        package let cause: Cause
        /// When the next attempt may be admitted.
        package let until: Timestamp
        /// The wait in seconds, rounded up, at least 1: the value for Retry-After.
        package let retryAfter: Int64

        init(_ cause: Cause, until: Timestamp, at now: Timestamp) {
            self.cause = cause
            self.until = until
            // Configured limits keep the difference within range. With an absurd clock the answer
            // may be wrong, but must not trap.
            let (wait, overflow) = until.milliseconds.subtractingReportingOverflow(now.milliseconds)
            retryAfter = overflow ? 1 : max(1, wait / 1000 + (wait % 1000 > 0 ? 1 : 0))
        }
    }

    /// The counts after a failed attempt.
    package struct Failure: Sendable, Equatable {
        package struct Count: Sendable, Equatable {
            /// Failures within the window, including this one.
            package let attempts: Int
            /// The end of the lock if this failure caused one, else nil.
            package let lockedUntil: Timestamp?

            static let none = Count(attempts: 0, lockedUntil: nil)

            /// The higher count, and the lock that either of them has.
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

        /// The presented identifiers and the account's joint count, combined.
        package let account: Count
        /// The count of the client's smallest network.
        package let address: Count
        package let lockedNetworks: [LockedNetwork]

        /// The result while the throttle is off, or after the attempt has ended already.
        static let uncounted = Failure(account: .none, address: .none, lockedNetworks: [])
    }

    package enum Admission: Sendable {
        case admitted(Attempt)
        case refused(Refusal)
    }

    /// An admitted attempt, in flight until it ends. The first call of `failed`, `succeeded` or
    /// `abandon` ends it; later calls do nothing. Releasing the attempt abandons it, so that no
    /// path through a handler leaves it in flight.
    package final class Attempt: Sendable {
        private let throttle: LoginThrottle
        private let account: Account
        private let client: Client
        private let admitted: State.Admitted
        /// The reputation of the client's network at admission.
        package var reputation: Reputation { admitted.standing }
        /// Until when the account's joint count refuses the attempt; nil if it does not. A refused
        /// attempt must still be hashed, and must then fail.
        package var jointRefusal: Timestamp? { admitted.jointRefusal }
        /// True if the attempt has ended or was never counted.
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

        /// Ends the attempt; false if it has ended before.
        private func settle() -> Bool {
            !isSettled.exchange(true, ordering: .acquiringAndReleasing)
        }

        /// Reports a wrong password, an unknown account, or a refusal by the joint count.
        package func failed(at now: Timestamp) -> Failure {
            guard settle() else { return .uncounted }
            return throttle.state.withLock { $0.fail(account, client, admitted, at: now) }
        }

        /// Reports a successful login. Resets the counts of the presented identifiers, of the
        /// user's other identifiers, and of the account.
        package func succeeded(by user: User, at now: Timestamp) {
            guard settle() else { return }
            let keys = throttle.keys(of: user)
            throttle.state.withLock { state in
                state.end(account, client, admitted, clearing: true)
                state.reset(keys, at: now)
                state.recentAddresses.record(client.keys[0], at: now)
            }
        }

        /// Reports that the password was not checked: the queue was full, or the user was changed
        /// meanwhile.
        package func abandon() {
            guard settle() else { return }
            throttle.state.withLock { $0.end(account, client, admitted, clearing: false) }
        }

        deinit { abandon() }
    }

    /// Whether the client's network is refused; checked before the request body is read.
    package func refusal(of client: Client, at now: Timestamp) -> Refusal? {
        state.withLock { $0.refusal(of: client, at: now) }
    }

    /// Decides whether an attempt may be made now, and counts it as in flight.
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

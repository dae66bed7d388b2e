import Crypto
import POSIX
import Synchronization
import Time

/// Decides whether a login attempt may be made now. Counts failed logins per identifier and per
/// client network, and refuses further attempts for a while after too many. It is consulted before
/// any hashing, so a refused attempt costs almost nothing. A refusal does not prolong the lock.
///
/// **No oracle.** The throttle counts the identifier as it was presented (kind and canonical
/// value), in one table for all identifiers, whether or not a user has it. An attempt with an id
/// and a name counts under both. So every answer depends only on what was presented, from which
/// network and when.
///
/// **Joint count.** An account has two identifiers, which would allow twice the guesses. Therefore
/// a joint count per account is checked after those of the identifiers. Its refusal is invisible:
/// the attempt is hashed as usual and then fails, even with the right password.
///
/// **In flight.** An admitted attempt counts as failed until its `Attempt` reports the outcome, so
/// parallel guesses cannot exceed the limit. Failure counts are reset by time, or by something that
/// needs the password or the operator: a successful login, a new password, an unlock. A successful
/// login does not reset the counts of the client's networks; otherwise an attacker who has one
/// account could try all others.
///
/// **Memory** is bounded and contains neither names nor addresses, only keyed hashes; a lock also
/// has its fingerprint or network. A restart clears everything.
///
/// **Limitation.** An attacker who knows an identifier can lock its user out by failing on purpose.
/// Every limit per account has this cost. The user's existing tokens stay valid.
package final class LoginThrottle: Sendable {
    package struct Options: Sendable, Equatable {
        /// The range of `maximumAttempts`.
        package static let attempts = 0...1000

        /// Failures per identifier within the window that lock it; 0 disables the throttle.
        package var maximumAttempts = 5
        package var window = TimeAmount.seconds(300)
        package var lockout = TimeAmount.seconds(900)

        package init() {}

        var isEnabled: Bool { maximumAttempts > 0 }

        /// The rule for one identifier, and for the joint count of an account.
        var account: AttemptRule {
            AttemptRule(limit: maximumAttempts, window: window, lockout: lockout)
        }

        /// The rule for a network.
        /// - Parameter factor: the network's limit as a multiple of the limit of one address.
        func network(_ factor: Int) -> AttemptRule {
            AttemptRule(
                limit: maximumAttempts * LoginThrottle.addressFactor * factor,
                maximumInFlight: LoginThrottle.addressInFlight * factor, window: window,
                lockout: lockout)
        }
    }

    /// Offices and mobile networks have thousands of users at one address, some of whom mistype.
    /// Fifty guesses in five minutes are still useless against passwords of at least eight bytes.
    package static let addressFactor = 10

    /// Attempts in flight per address. One user has one, an office seldom more than a few. A few
    /// addresses must not fill the queue for hashing.
    package static let addressInFlight = 4

    package struct Statistics: Sendable, Equatable {
        /// Identifiers that are locked now, whether or not a user has them.
        package var lockedAccounts = 0
        package var lockedAddresses = 0
        /// Attempts refused since the start, because of the identifier or of the client's network.
        package var refusedForAccount: UInt64 = 0
        package var refusedForAddress: UInt64 = 0
        /// Number of table operations; tests compare the work for different inputs.
        package var tableOperations: UInt64 = 0
        /// Bytes.
        package var memory = 0
    }

    /// Guards all mutable state: the tables, the options and the counters.
    let state: Monitor<State>
    let key: HMACSHA256.Key

    /// - Parameters:
    ///   - places: how many identifiers are counted at the same time; a power of two, at least 8.
    ///     The tables of accounts and of networks have half of it.
    ///   - secret: key material for the keyed hashes; fixed in tests.
    package init(
        _ options: Options = Options(), places: Int = LoginThrottle.capacityRange.upperBound,
        secret: [UInt8] = RandomBytes.array(count: 32)
    ) {
        precondition(Options.attempts.contains(options.maximumAttempts))
        let half = max(8, places / 2)
        state = Monitor(
            State(
                options: options, identifiers: AttemptTable(capacity: places),
                joint: AttemptTable(capacity: half), networks: AttemptTable(capacity: half),
                recentAddresses: RecentLoginAddresses(capacity: half)))
        key = HMACSHA256.Key(secret.span)
    }

    /// Less would save little; more would exceed 7.25 MiB for all tables together, at 112 bytes an
    /// entry and two entries per identifier.
    package static let capacityRange = 8192...32_768

    /// The capacity at which no count is evicted before its time, within `capacityRange`.
    ///
    /// At most `hashers` divided by the time of a hash can fail per second. A count is kept for the
    /// window or the lockout, and a table indexed by a hash should be half empty. With very cheap
    /// hashes the table can be filled; it then evicts the identifiers with the fewest failures
    /// first, whether or not a user has them.
    /// - Parameter nanoseconds: the time of one hash.
    package static func capacity(
        for options: Options, hashers: Int, hashing nanoseconds: Int64
    ) -> Int {
        let span = Double(max(options.window, options.lockout).milliseconds) * 1e6
        let wanted = 2 * Double(max(1, hashers)) * span / Double(max(1, nanoseconds))
        var places = capacityRange.lowerBound
        while places < capacityRange.upperBound, Double(places) < wanted { places *= 2 }
        return places
    }

    /// May change at any time: existing counts stay, and the new options apply to them.
    package var options: Options {
        get { state.withLock { $0.options } }
        set {
            precondition(Options.attempts.contains(newValue.maximumAttempts))
            state.withLock { $0.options = newValue }
        }
    }

    /// Scans the tables for locks, which takes some tens of microseconds while the lock is held.
    package func statistics(at now: Timestamp) -> Statistics {
        state.withLock { state in
            Statistics(
                lockedAccounts: state.identifiers.lockedCount(at: now),
                lockedAddresses: state.networks.lockedCount(at: now),
                refusedForAccount: state.refusedForAccount,
                refusedForAddress: state.refusedForAddress,
                tableOperations: state.identifiers.operations + state.joint.operations
                    + state.networks.operations,
                memory: state.identifiers.memory + state.joint.memory + state.networks.memory
                    + state.recentAddresses.memory)
        }
    }
}

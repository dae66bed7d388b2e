import Crypto
import POSIX
import Synchronization
import Time

/// Decides whether a password may be tried now: counts failed logins by identifier and by client
/// network, and refuses further attempts for a while when there were too many. It is asked before
/// any hashing, so a refused attempt costs next to nothing; a refusal does not prolong itself.
///
/// **Nothing tells whether an identifier exists.** What is counted is the identifier as it was
/// presented (kind and canonical value), in one table for all of them, whether or not a user has
/// it. An attempt that presents an id and a name counts under both. So every answer depends on what
/// was presented, from where and when, and on nothing else.
///
/// An account has two identifiers, and would so allow twice the guesses. Therefore a joint count of
/// each account is kept after those. Its refusal is invisible: the attempt is hashed as always, and
/// then fails, even with the right password.
///
/// An attempt is counted from its admission as if it had failed: a hundred guesses at once are not
/// a hundred guesses for the price of one. Its ticket then says how it ended. Counts of failures
/// end by time alone, and by what needs the password or the operator: a good login, a new password,
/// an unlock. A good login does not reset the counts of the client's networks, or an attacker with
/// an account could try all others.
///
/// Memory is bounded, and holds neither names nor addresses: only keyed hashes, and of what is
/// locked the fingerprint or the network. A restart forgets all of it.
///
/// What it cannot do: a person who knows an identifier can keep its owner out by failing on
/// purpose. That is the price of a limit for each account; tokens that the owner has stay valid.
package final class LoginThrottle: Sendable {
    package struct Options: Sendable, Equatable {
        /// What `maximumAttempts` may be.
        package static let attempts = 0...1000

        /// Failures under one identifier within the window after which it takes no logins; 0 counts
        /// nothing and refuses nothing.
        package var maximumAttempts = 5
        package var window = TimeAmount.seconds(300)
        package var lockout = TimeAmount.seconds(900)

        package init() {}

        var isOn: Bool { maximumAttempts > 0 }

        /// For one identifier, and for the identifiers of one account together.
        var account: AttemptRule {
            AttemptRule(limit: maximumAttempts, window: window, lockout: lockout)
        }

        /// - Parameter factor: how many times the limits of one address the network may have.
        func network(_ factor: Int) -> AttemptRule {
            AttemptRule(
                limit: maximumAttempts * LoginThrottle.addressFactor * factor,
                maximumInFlight: LoginThrottle.addressInFlight * factor, window: window,
                lockout: lockout)
        }
    }

    /// Offices and mobile networks have thousands of people at one address, some of whom mistype;
    /// fifty guesses in five minutes are still not worth making against passwords of eight bytes.
    package static let addressFactor = 10

    /// Attempts of an address at a time. One person has one, an office seldom more than a few; a
    /// handful of addresses must not fill the queue of those that wait to be hashed.
    package static let addressInFlight = 4

    package struct Statistics: Sendable, Equatable {
        /// Identifiers that are locked now, whether or not a user has them.
        package var lockedAccounts = 0
        package var lockedAddresses = 0
        /// Refused since the start, because of the identifier or of the client's network.
        package var refusedForAccount: UInt64 = 0
        package var refusedForAddress: UInt64 = 0
        /// How often a table was asked or changed; for tests that compare work.
        package var tableOperations: UInt64 = 0
        /// Bytes.
        package var memory = 0
    }

    /// The lock guards all that changes: the tables, the options and the numbers.
    let state: Monitor<State>
    let key: HMACSHA256.Key

    /// - Parameters:
    ///   - places: how many identifiers are counted at a time; a power of two, at least 8. Half as
    ///     many accounts and half as many networks are.
    ///   - secret: of the keyed hashes; tests fix it.
    package init(
        _ options: Options = Options(), places: Int = LoginThrottle.placesRange.upperBound,
        secret: [UInt8] = RandomBytes.array(count: 32)
    ) {
        precondition(Options.attempts.contains(options.maximumAttempts))
        let half = max(8, places / 2)
        state = Monitor(
            State(
                options: options, identifiers: AttemptTable(capacity: places),
                joint: AttemptTable(capacity: half), networks: AttemptTable(capacity: half),
                known: RecentLoginAddresses(capacity: half)))
        key = HMACSHA256.Key(secret.span)
    }

    /// Fewer are not worth saving; more would take over 7.25 MiB for all tables together, at 112
    /// bytes a place and two places for each identifier.
    package static let placesRange = 8192...32_768

    /// Places enough that no count is lost to others before its time: at most `hashers` divided by
    /// the time of a hash fail in a second, a count is kept for the window or the lock, and a table
    /// whose places are chosen by a hash should be half empty. Within `placesRange`: with very
    /// cheap hashes the table can be filled, and then forgets the identifiers with the fewest
    /// failures first, whether or not a user has them.
    /// - Parameter nanoseconds: of one hash.
    package static func places(
        for options: Options, hashers: Int, hashing nanoseconds: Int64
    ) -> Int {
        let span = Double(max(options.window, options.lockout).milliseconds) * 1e6
        let wanted = 2 * Double(max(1, hashers)) * span / Double(max(1, nanoseconds))
        var places = placesRange.lowerBound
        while places < placesRange.upperBound, Double(places) < wanted { places *= 2 }
        return places
    }

    /// May change at any time: what was counted stays, and is judged by the new ones.
    package var options: Options {
        get { state.withLock { $0.options } }
        set {
            precondition(Options.attempts.contains(newValue.maximumAttempts))
            state.withLock { $0.options = newValue }
        }
    }

    /// Counts the locks, which takes some tens of microseconds under the lock.
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
                    + state.known.bytes)
        }
    }
}

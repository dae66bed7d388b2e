import Crypto
import POSIX
import Time

/// Says whether a password is a user's, and takes the same time whoever the user is, and whether there
/// is one.
///
/// Theory: the time of a check is its iterations. There is one number of them for everybody, the
/// configured one, or that of the most expensive hash there is. A hash with fewer is topped up with the
/// rest; for somebody who is not there or has no password, and for what cannot be a password, all of them
/// are done for nothing. Slow by intent: for a queue that may wait.
package struct PasswordVerifier: Sendable {
    package enum Outcome: Equatable, Sendable {
        /// The password is right. An upgrade is due where the hash has fewer iterations than are
        /// configured.
        case accepted(needsUpgrade: Bool)
        /// The password is wrong, or the user is not there, is disabled or has no password.
        case refused
    }

    /// Of a new hash.
    package let iterations: Int
    private let total: Int
    /// Of work that nobody needs.
    private let salt = RandomBytes.array(count: 16)
    private let derive: PasswordHash.Derivation

    /// - Parameters:
    ///   - users: those who will be checked.
    ///   - iterations: the configured ones, within `PasswordHash.iterationRange`.
    package init(_ users: UserDirectory, iterations: Int) {
        self.init(users, iterations: iterations, derivingBy: PBKDF2.key)
    }

    /// - Parameter derive: tests count what is done.
    package init(
        _ users: UserDirectory, iterations: Int,
        derivingBy derive: @escaping PasswordHash.Derivation
    ) {
        precondition(PasswordHash.iterationRange.contains(iterations))
        self.iterations = iterations
        total = max(iterations, users.maximumIterations)
        self.derive = derive
    }

    /// - Parameters:
    ///   - secret: the password as it came, of any length.
    ///   - user: nil for one that is not known.
    package func check(_ secret: SecretBytes, of user: User?) -> Outcome {
        check(Password(utf8: secret), of: user)
    }

    private func check(_ password: Password?, of user: User?) -> Outcome {
        guard let password, let hash = user?.password else {
            work(total, password)
            return .refused
        }
        let isRight = hash.matches(password.utf8, by: derive)
        work(total - hash.iterations, password)
        guard isRight, user?.isDisabled == false else { return .refused }
        return .accepted(needsUpgrade: hash.iterations < iterations)
    }

    /// What a user gets whose hash is due for an upgrade. As much work again as a check.
    /// - Parameter secret: the password that was accepted; nil for one that never is.
    package func newHash(of secret: SecretBytes) -> PasswordHash? {
        Password(utf8: secret).map { PasswordHash(of: $0, iterations: iterations) }
    }

    /// How many nanoseconds a hash takes on this machine, by a short one that is measured.
    package static func hashTime(iterations: Int) -> Int64 {
        let sample = 2000
        let nothing: [UInt8] = []
        let start = MonotonicTime.now
        _ = PBKDF2.key(password: nothing.span, salt: nothing.span, iterations: sample)
        let time = MonotonicTime.now.nanoseconds - start.nanoseconds
        return max(1, time * Int64(iterations) / Int64(sample))
    }

    /// Iterations that nobody needs. What is called is only known while it runs, so that no optimiser
    /// can find out.
    private func work(_ count: Int, _ password: Password?) {
        guard count > 0 else { return }
        let nothing: [UInt8] = []
        if let password {
            _ = derive(password.utf8, salt.span, count)
        } else {
            _ = derive(nothing.span, salt.span, count)
        }
    }
}

import Crypto
import POSIX
import Time

/// Checks a user's password. The check takes the same time for every user and for unknown users.
///  Theory: the time of a check is proportional to its iterations, so every check performs the same
/// number: the configured one, or the number of the most expensive stored hash if that is higher.
/// After a hash with fewer iterations, dummy work makes up the difference. An unknown user, a user
/// without a password, and input that cannot be a password cause dummy work only. Slow by design:
/// run it on a queue that may block.
package struct PasswordVerifier: Sendable {
    package enum Outcome: Equatable, Sendable {
        /// The password is right. `needsUpgrade` is true if the hash has fewer iterations than
        /// configured.
        case accepted(needsUpgrade: Bool)
        /// The password is wrong, or the user does not exist, is disabled or has no password.
        case refused
    }

    /// The configured iterations, which a new hash has.
    package let iterations: Int
    private let total: Int
    /// The salt of dummy work.
    private let salt = RandomBytes.array(count: 16)
    private let derive: PasswordHash.Derivation

    /// - Parameters:
    ///   - users: the users whose passwords will be checked.
    ///   - iterations: the configured number, within `PasswordHash.iterationRange`.
    package init(_ users: UserDirectory, iterations: Int) {
        self.init(users, iterations: iterations, derivingBy: PBKDF2.key)
    }

    /// - Parameter derive: replaced by tests to count iterations.
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
    ///   - secret: the password as received, of any length.
    ///   - user: nil if there is no such user.
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

    /// Hashes a password with the configured iterations; takes as long as a check.
    /// - Parameter secret: the password that was accepted.
    /// - Returns: nil if `secret` cannot be a password.
    package func newHash(of secret: SecretBytes) -> PasswordHash? {
        Password(utf8: secret).map { PasswordHash(of: $0, iterations: iterations) }
    }

    /// The estimated time of a hash on this machine in nanoseconds, at least 1; measures a short
    /// one.
    package static func hashTime(iterations: Int) -> Int64 {
        let sample = 2000
        let nothing: [UInt8] = []
        let start = MonotonicTime.now
        _ = PBKDF2.key(password: nothing.span, salt: nothing.span, iterations: sample)
        let time = MonotonicTime.now.nanoseconds - start.nanoseconds
        return max(1, time * Int64(iterations) / Int64(sample))
    }

    /// Performs iterations whose result is discarded. `derive` is a stored closure, so the
    /// optimizer cannot remove the call.
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

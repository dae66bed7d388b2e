import Crypto
import JWT

/// The services that a password login needs: users, password check, throttle, and replacement of
/// hashes.
package struct PasswordLogin: Sendable {
    let users: UserDirectory
    /// The current users, consulted again after the password has been checked.
    let current: UserStore
    let authenticator: PasswordVerifier
    let throttle: LoginThrottle
    let fingerprintKey: HMACSHA256.Key
    /// Whether hashes can be replaced at all; asked before a new one is computed.
    let canUpgrade: @Sendable () -> Bool
    /// Replaces a user's hash with one that has the configured iterations.
    let upgrade: @Sendable (_ user: User, _ hash: PasswordHash) -> Void

    package init(
        _ users: UserDirectory, _ current: UserStore, _ authenticator: PasswordVerifier,
        _ throttle: LoginThrottle, fingerprintKey: HMACSHA256.Key,
        canUpgrade: @escaping @Sendable () -> Bool = { true },
        upgrade: @escaping @Sendable (_ user: User, _ hash: PasswordHash) -> Void
    ) {
        self.users = users
        self.current = current
        self.authenticator = authenticator
        self.throttle = throttle
        self.fingerprintKey = fingerprintKey
        self.canUpgrade = canUpgrade
        self.upgrade = upgrade
    }

    /// The identifier of a login attempt, resolved before the password is checked.
    struct LoginSubject: Sendable {
        /// The user whose password is to be checked; nil if there is no such user, or if id and
        /// name belong to different users.
        let user: User?
        /// What the throttle counts the attempt under.
        let account: LoginThrottle.Account
        /// The user that the presented identifier belongs to, for the log.
        let accountOwner: UserID?
        /// Fingerprint of the identifier if no user has it, else nil.
        let fingerprint: Fingerprint?
    }

    /// Does the same work whether or not a user has the identifier.
    func applicant(_ identity: Credentials.Identity) -> LoginSubject {
        switch identity {
        case .id(let id):
            let (user, print) = (users[id], fingerprint(of: id))
            return applicant(
                user, throttle.identifier(id, print), nil, print, isOneUser: true)
        case .name(let text):
            let name = PresentedName(text)
            let (user, print) = (users.user(named: name), fingerprint(of: name))
            return applicant(
                user, throttle.identifier(name, print), nil, print, isOneUser: true)
        case .both(let id, let text):
            let name = PresentedName(text)
            let (user, print) = (users.user(named: name), fingerprint(of: name))
            return applicant(
                user, throttle.identifier(name, print),
                throttle.identifier(id, fingerprint(of: id)), print, isOneUser: user?.id == id)
        }
    }

    private func applicant(
        _ user: User?, _ first: LoginThrottle.Identifier, _ second: LoginThrottle.Identifier?,
        _ fingerprint: Fingerprint, isOneUser: Bool
    ) -> LoginSubject {
        LoginSubject(
            user: isOneUser ? user : nil,
            account: throttle.account(first, second, of: user?.id), accountOwner: user?.id,
            fingerprint: user == nil ? fingerprint : nil)
    }

    private func fingerprint(of id: UserID) -> Fingerprint {
        let digits = Array("\(id.rawValue)".utf8)
        return Fingerprint(of: digits.span, key: fingerprintKey)
    }

    private func fingerprint(of name: PresentedName) -> Fingerprint {
        Fingerprint(of: name.canonical.span, key: fingerprintKey)
    }
}

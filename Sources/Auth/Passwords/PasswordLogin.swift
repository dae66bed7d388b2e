import Crypto
import JWT

/// What a login by password takes: the users, how passwords are checked, how often one may try.
package struct PasswordLogin: Sendable {
    let users: UserDirectory
    /// Who there is when the password has been checked.
    let current: UserStore
    let authenticator: PasswordVerifier
    let throttle: LoginThrottle
    let fingerprintKey: HMACSHA256.Key
    /// Whether a hash can be replaced at all; asked before another one is made.
    let canUpgrade: @Sendable () -> Bool
    /// Has a user's hash replaced by one with as many iterations as are wanted now.
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

    /// What a login names, before the password is looked at.
    struct LoginSubject: Sendable {
        /// Whose password is asked for; nil if there is no such user, and for two users at once.
        let user: User?
        /// What the attempt is counted under.
        let account: LoginThrottle.Account
        /// The user that the identifier belongs to, for the log.
        let accountOwner: UserID?
        /// Of an identifier that no user has.
        let fingerprint: Fingerprint?
    }

    /// The same work for an identifier that a user has and for one that no user has.
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

import Crypto
import JWT

/// What a login by password takes: who there is, how passwords are checked, how often one may try.
package struct PasswordLogin: Sendable {
    let users: UserDirectory
    /// Who there is when the password has been checked.
    let current: CurrentUsers
    let authenticator: PasswordAuthenticator
    let throttle: LoginThrottle
    let fingerprintKey: HMACSHA256.Key
    /// Whether a hash can be replaced at all; asked before another one is made.
    let canUpgrade: @Sendable () -> Bool
    /// Has a user's hash replaced by one with as many iterations as are wanted now.
    let upgrade: @Sendable (_ user: User, _ hash: PasswordHash) -> Void

    package init(
        _ users: UserDirectory, _ current: CurrentUsers, _ authenticator: PasswordAuthenticator,
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

    /// Somebody who wants in, as far as can be said before the password is looked at.
    struct Applicant: Sendable {
        /// Whose password is asked for; nil for nobody who is known, and for two people at once.
        let user: User?
        /// Against which the attempt counts, and whose it is if somebody's.
        let account: LoginThrottle.AccountKey
        let holder: UserID?
        /// Of a name or a number that nobody has.
        let fingerprint: Fingerprint?
    }

    func applicant(_ identity: Credentials.Identity) -> Applicant {
        switch identity {
        case .id(let id):
            let user = users[id]
            let digits = Array("\(id.number)".utf8)
            let fingerprint = Fingerprint(of: digits.span, key: fingerprintKey)
            return Applicant(
                user: user, account: throttle.account(id, isKnown: user != nil), holder: user?.id,
                fingerprint: user == nil ? fingerprint : nil)
        case .name(let name): return applicant(named: name, isWanted: { _ in true })
        case .both(let id, let name): return applicant(named: name, isWanted: { $0.id == id })
        }
    }

    /// The same work for a name that somebody has and for one that nobody has.
    private func applicant(named name: String, isWanted: (User) -> Bool) -> Applicant {
        let user = users.user(named: name)
        let normalized = Array((Username.normalized(name) ?? name).utf8)
        let unknown = throttle.account(unknownName: normalized.span)
        let known = throttle.account(user?.id ?? Self.anyID, isKnown: true)
        let bytes = Array(name.utf8)
        let fingerprint = Fingerprint(of: bytes.span, key: fingerprintKey)
        guard let user else {
            return Applicant(user: nil, account: unknown, holder: nil, fingerprint: fingerprint)
        }
        return Applicant(
            user: isWanted(user) ? user : nil, account: known, holder: user.id, fingerprint: nil)
    }

    private static let anyID = UserID(1)!
}

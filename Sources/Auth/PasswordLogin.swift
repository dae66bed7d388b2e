import Crypto
import JWT

/// What a login by password takes: who there is, how passwords are checked, how often one may try.
package struct PasswordLogin: Sendable {
    let users: UserDirectory
    let authenticator: PasswordAuthenticator
    let throttle: LoginThrottle
    let fingerprintKey: HMACSHA256.Key
    /// Has a user's hash replaced by one with as many iterations as are wanted now.
    let upgrade: @Sendable (_ user: User, _ hash: PasswordHash) -> Void

    package init(
        _ users: UserDirectory, _ authenticator: PasswordAuthenticator, _ throttle: LoginThrottle,
        fingerprintKey: HMACSHA256.Key,
        upgrade: @escaping @Sendable (_ user: User, _ hash: PasswordHash) -> Void
    ) {
        self.users = users
        self.authenticator = authenticator
        self.throttle = throttle
        self.fingerprintKey = fingerprintKey
        self.upgrade = upgrade
    }

    /// Somebody who wants in, as far as can be said before the password is looked at.
    struct Applicant: Sendable {
        /// Nil for nobody who is known.
        let user: User?
        let account: LoginThrottle.AccountKey
        /// Of a name that nobody has.
        let fingerprint: Fingerprint?
    }

    func applicant(_ identity: Credentials.Identity) -> Applicant {
        switch identity {
        case .id(let id):
            let user = users[id]
            return Applicant(
                user: user, account: throttle.account(id, isKnown: user != nil), fingerprint: nil)
        case .name(let name): return applicant(named: name)
        case .both(let id, let name):
            let named = applicant(named: name)
            // Two people at once are nobody; the attempt counts against the name.
            return named.user?.id == id
                ? named
                : Applicant(user: nil, account: named.account, fingerprint: fingerprint(name))
        }
    }

    private func applicant(named name: String) -> Applicant {
        if let user = users.user(named: name) {
            return Applicant(
                user: user, account: throttle.account(user.id, isKnown: true), fingerprint: nil)
        }
        let normalized = Array((Username.normalized(name) ?? name).utf8)
        return Applicant(
            user: nil, account: throttle.account(unknownName: normalized.span),
            fingerprint: fingerprint(name))
    }

    private func fingerprint(_ name: String) -> Fingerprint {
        let bytes = Array(name.utf8)
        return Fingerprint(of: bytes.span, key: fingerprintKey)
    }
}

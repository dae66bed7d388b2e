import POSIX

/// The users as they are now. A handler has those it was made with, and what it began may take longer
/// than they are good for: whoever is about to say yes asks here, too.
package final class CurrentUsers: Sendable {
    private let users: Locked<UserDirectory>

    /// Nobody, until somebody is set.
    package init(_ users: UserDirectory = UserDirectory([])) { self.users = Locked(users) }

    /// To be told before any handler is made with the new ones.
    package func set(_ users: UserDirectory) { self.users.withLock { $0 = users } }

    /// Whether a password that was right for this user is so still: the same hash, and not disabled.
    func stillAccept(_ user: User) -> Bool {
        guard let now = users.withLock({ $0[user.id] }) else { return false }
        return !now.isDisabled && now.password == user.password
    }
}

import JWT
import POSIX

/// The users as they are now. A handler has those it was made with, and what it began may take longer
/// than they are good for: whoever is about to say yes asks here, too.
package final class UserStore: Sendable {
    private struct State {
        var users: UserDirectory
        /// Hashes that were replaced by others of the same passwords.
        var upgraded: [UserID: PasswordHash] = [:]
    }

    private let state: Monitor<State>

    /// Nobody, until somebody is set.
    package init(_ users: UserDirectory = UserDirectory([])) {
        state = Monitor(State(users: users))
    }

    /// To be told before any handler is made with the new ones.
    package func set(_ users: UserDirectory) { state.withLock { $0 = State(users: users) } }

    /// The same password has another hash.
    package func upgrade(_ old: PasswordHash, to new: PasswordHash, of id: UserID) {
        state.withLock { state in
            guard state.users[id]?.password == old else { return }
            state.users = state.users.replacing(old, by: new, of: id)
            state.upgraded[id] = old
        }
    }

    package var snapshot: UserDirectory { state.withLock { $0.users } }

    /// Whether a password that was right for this user is so still: the same hash, or one that took its
    /// place without a change of the password, and not disabled.
    func isStillValid(_ user: User) -> Bool {
        state.withLock { state in
            guard let now = state.users[user.id], !now.isDisabled else { return false }
            return now.password == user.password
                || user.password != nil && state.upgraded[user.id] == user.password
        }
    }
}

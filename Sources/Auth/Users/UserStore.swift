import JWT
import POSIX

/// The current users. Handlers keep the snapshot they were built with; a password check outlives a
/// reload, so it consults this store again before it accepts.
package final class UserStore: Sendable {
    private struct State {
        var users: UserDirectory
        /// Hashes that were replaced with stronger ones of the same passwords.
        var upgraded: [UserID: PasswordHash] = [:]
    }

    private let state: Monitor<State>

    /// No users until `set` is called.
    package init(_ users: UserDirectory = UserDirectory([])) {
        state = Monitor(State(users: users))
    }

    /// Replaces the users. Must be called before any handler is built with the new ones.
    package func set(_ users: UserDirectory) { state.withLock { $0 = State(users: users) } }

    /// Records that a user's hash was replaced with another one of the same password.
    package func upgrade(_ old: PasswordHash, to new: PasswordHash, of id: UserID) {
        state.withLock { state in
            guard state.users[id]?.password == old else { return }
            state.users = state.users.replacing(old, by: new, of: id)
            state.upgraded[id] = old
        }
    }

    package var snapshot: UserDirectory { state.withLock { $0.users } }

    /// Whether an accepted password of this user is still valid: the user is not disabled and has
    /// the same hash, or one that replaced it without a change of the password.
    func isStillValid(_ user: User) -> Bool {
        state.withLock { state in
            guard let now = state.users[user.id], !now.isDisabled else { return false }
            return now.password == user.password
                || user.password != nil && state.upgraded[user.id] == user.password
        }
    }
}

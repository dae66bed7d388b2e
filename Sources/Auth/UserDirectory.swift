import Foundation
import JWT

/// Somebody who can have a token.
package struct User: Sendable, Equatable {
    package let id: UserID
    /// What they log in with; see `Username`.
    package let username: String
    /// What they are called.
    package let name: String
    /// Nil for somebody who cannot log in with a password.
    package var password: PasswordHash?
    /// Keeps its place and gets nothing: no token, and none it has is taken.
    package var isDisabled: Bool

    /// - Parameter username: normalised, as `Username` does.
    package init(
        id: UserID, username: String, name: String, password: PasswordHash? = nil,
        isDisabled: Bool = false
    ) {
        self.id = id
        self.username = username
        self.name = name
        self.password = password
        self.isDisabled = isDisabled
    }
}

extension User {
    /// Whether somebody can be called that. Goes into header fields, and so has no control characters.
    package static func isName(_ text: String) -> Bool {
        text.unicodeScalars.count <= 256 && !Username.hasControlCharacters(text)
    }

    /// What an operator reads about a name that is none.
    package static let nameRule = "not a name: at most 256 characters, no control characters"
}

/// The spelling of user names: composed (NFC), and otherwise as they were typed.
package enum Username {
    /// In characters, which are Unicode scalars here.
    package static let lengths = 1...64

    /// The one spelling of the name; nil for what is no name: too long, nothing at all, control
    /// characters, white space at an end.
    package static func normalized(_ text: String) -> String? {
        // No scalar has more than four bytes, and composing leaves at least a third of them.
        guard text.utf8.count <= 12 * lengths.upperBound else { return nil }
        let name = text.precomposedStringWithCanonicalMapping
        let scalars = name.unicodeScalars
        guard lengths.contains(scalars.count), let first = scalars.first,
            let last = scalars.last, !first.properties.isWhitespace,
            !last.properties.isWhitespace, !Self.hasControlCharacters(name)
        else { return nil }
        return name
    }

    /// What an operator reads about a name that is none.
    package static let rule =
        "not a user name: 1 to 64 characters, no control characters, no white space at the ends"

    static func hasControlCharacters(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}

/// The users that are known, by id and by user name. A value: what changes is another directory.
package struct UserDirectory: Sendable, Equatable {
    private var users: [UserID: User]
    private let ids: [String: UserID]
    /// Whether each is not disabled: what each verification asks.
    private let active: UserTable<Bool>
    /// Of the hash that takes the longest; 0 where nobody has one.
    let maximumIterations: Int

    /// - Precondition: ids differ, and so do user names.
    package init(_ users: [User]) {
        self.users = Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) })
        ids = Dictionary(uniqueKeysWithValues: users.map { ($0.username, $0.id) })
        active = UserTable(users.map { ($0.id, !$0.isDisabled) })
        maximumIterations = users.lazy.compactMap(\.password?.iterations).max() ?? 0
    }

    /// Alice and Bob, who need no password.
    package static let demo = UserDirectory([
        User(id: UserID(1)!, username: "alice", name: "Alice"),
        User(id: UserID(2)!, username: "bob", name: "Bob"),
    ])

    /// Whether somebody has this id who is not disabled.
    package func contains(_ id: UserID) -> Bool { active[id] ?? false }

    /// Whoever has this id, disabled or not.
    package subscript(id: UserID) -> User? { users[id] }

    /// Whoever has this user name, disabled or not; however its letters are composed.
    package func user(named text: String) -> User? {
        Username.normalized(text).flatMap { ids[$0] }.flatMap { users[$0] }
    }

    /// The same users, with another hash for one of them, if the one they have is still `old`.
    package func replacing(
        _ old: PasswordHash, by new: PasswordHash, of id: UserID
    ) -> UserDirectory {
        guard users[id]?.password == old else { return self }
        var directory = self
        directory.users[id]?.password = new
        return directory
    }

    /// In the order of their ids.
    package var all: [User] { users.values.sorted { $0.id.number < $1.id.number } }

    /// Everything else in it follows from the users.
    package static func == (a: UserDirectory, b: UserDirectory) -> Bool { a.users == b.users }
}

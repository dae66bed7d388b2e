import JWT

/// Somebody who can have a token.
package struct User: Sendable, Equatable {
    package let id: UserID
    package let name: String

    package init(id: UserID, name: String) {
        self.id = id
        self.name = name
    }
}

/// The users that are known, by id.
package struct UserDirectory: Sendable {
    private let users: [UserID: User]

    /// - Precondition: ids differ.
    package init(_ users: [User]) {
        self.users = Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) })
    }

    /// Alice and Bob, who need no password.
    package static let demo = UserDirectory([
        User(id: UserID(1)!, name: "Alice"), User(id: UserID(2)!, name: "Bob"),
    ])

    package func contains(_ id: UserID) -> Bool { users[id] != nil }

    package var all: [User] { users.values.sorted { $0.id.number < $1.id.number } }
}

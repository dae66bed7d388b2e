import Foundation
import JWT

/// A user that tokens can be issued for.
package struct User: Sendable, Equatable {
    package let id: UserID
    /// The login name; see `Username`.
    package let username: String
    /// The display name.
    package let name: String
    /// Nil if the user cannot log in with a password.
    package var password: PasswordHash?
    /// A disabled user stays in the directory, gets no tokens, and existing tokens are refused.
    package var isDisabled: Bool

    /// - Parameter username: normalized with `Username.normalized`.
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
    /// Whether the text can be a display name. Display names go into header fields, so they have no
    /// control characters.
    package static func isName(_ text: String) -> Bool {
        text.unicodeScalars.count <= 256 && !Username.hasControlCharacters(text)
    }

    /// The message for an invalid display name.
    package static let nameRule = "not a name: at most 256 characters, no control characters"
}

/// Normalization of user names: NFC, otherwise as typed.
package enum Username {
    /// Allowed lengths, in Unicode scalars.
    package static let lengths = 1...64
    /// Maximum size as presented, in bytes: 64 scalars of four bytes. A longer text is not a name,
    /// whatever its length in NFC.
    package static let maximumSize = 256

    /// The name in NFC. Nil if the text is not a name: it is empty or too long, has control
    /// characters, or begins or ends with white space.
    package static func normalized(_ text: String) -> String? {
        guard (1...maximumSize).contains(text.utf8.count), mayFit(text) else { return nil }
        let name = isComposed(text) ? text : text.precomposedStringWithCanonicalMapping
        let scalars = name.unicodeScalars
        guard lengths.contains(scalars.count), let first = scalars.first,
            let last = scalars.last, !first.properties.isWhitespace,
            !last.properties.isWhitespace, !Self.hasControlCharacters(name)
        else { return nil }
        return name
    }

    /// No scalar below U+0300 changes under NFC, or composes with a preceding one.
    private static func isComposed(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value < 0x300 }
    }

    /// False if NFC has too many scalars in any case; counting is far cheaper than composing. A
    /// letter remains a scalar of its own unless it is a Hangul vowel or final. A letter composes
    /// with at most three marks, because no canonical decomposition has more than four scalars.
    private static func mayFit(_ text: String) -> Bool {
        var (letters, marks) = (0, 0)
        for scalar in text.unicodeScalars where scalar.value >= 0x300 {
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .spacingMark, .enclosingMark: marks += 1
            default:
                if !(0x1161...0x11C2).contains(scalar.value) { letters += 1 }
            }
        }
        let simple = text.unicodeScalars.count { $0.value < 0x300 }
        let starters = letters + simple
        return starters <= lengths.upperBound
            && marks <= 3 * max(1, starters) + lengths.upperBound
    }

    /// The message for an invalid user name.
    package static let rule =
        "not a user name: 1 to 64 characters, no control characters, no white space at the ends"

    static func hasControlCharacters(_ text: String) -> Bool {
        // Category Cc is exactly C0, DEL and C1.
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}

/// The users by id and by user name. A value type: a change makes another directory.
package struct UserDirectory: Sendable, Equatable {
    private var users: [UserID: User]
    /// Keyed by the bytes of the name in NFC, because hashing a String normalizes it again.
    private let ids: [[UInt8]: UserID]
    /// Whether each user is enabled; looked up by every verification.
    private let active: UserIDMap<Bool>
    /// The highest iterations of any user's hash; 0 if there is none.
    let maximumIterations: Int

    /// - Precondition: ids differ, and so do user names.
    package init(_ users: [User]) {
        self.users = Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) })
        ids = Dictionary(uniqueKeysWithValues: users.map { (Array($0.username.utf8), $0.id) })
        active = UserIDMap(users.map { ($0.id, !$0.isDisabled) })
        maximumIterations = users.lazy.compactMap(\.password?.iterations).max() ?? 0
    }

    /// The users of demo mode, Alice and Bob, without passwords.
    package static let demo = UserDirectory([
        User(id: UserID(1)!, username: "alice", name: "Alice"),
        User(id: UserID(2)!, username: "bob", name: "Bob"),
    ])

    /// Whether there is a user with this id who is not disabled.
    package func contains(_ id: UserID) -> Bool { active[id] ?? false }

    /// The user with this id, disabled or not.
    package subscript(id: UserID) -> User? { users[id] }

    /// The user with this user name, disabled or not. Composed and decomposed spellings are equal.
    package func user(named text: String) -> User? {
        user(named: PresentedName(text))
    }

    package func user(named name: PresentedName) -> User? {
        // `canonical` of an invalid name is truncated and could equal a user's name.
        name.isName ? ids[name.canonical].flatMap { users[$0] } : nil
    }

    /// The same users, with `new` as the hash of user `id` if it is `old` now.
    package func replacing(
        _ old: PasswordHash, by new: PasswordHash, of id: UserID
    ) -> UserDirectory {
        guard users[id]?.password == old else { return self }
        var directory = self
        directory.users[id]?.password = new
        return directory
    }

    /// Sorted by id.
    package var all: [User] { users.values.sorted { $0.id.rawValue < $1.id.rawValue } }

    /// All other properties are derived from the users.
    package static func == (a: UserDirectory, b: UserDirectory) -> Bool { a.users == b.users }
}

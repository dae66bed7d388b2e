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
    /// In bytes, as it is presented: 64 scalars of four bytes. What is longer is no name, however
    /// it would compose.
    package static let maximumSize = 256

    /// The one spelling of the name; nil for what is no name: too long, nothing at all, control
    /// characters, white space at an end.
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

    /// No scalar below U+0300 changes under NFC, or composes with one that precedes it.
    private static func isComposed(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value < 0x300 }
    }

    /// False if NFC has too many scalars in any case: composing costs far more than counting. A
    /// letter stays a scalar of its own, unless it is a Hangul vowel or final; a letter takes in at
    /// most three marks, because no canonical decomposition has more than four scalars.
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

    /// What an operator reads about a name that is none.
    package static let rule =
        "not a user name: 1 to 64 characters, no control characters, no white space at the ends"

    static func hasControlCharacters(_ text: String) -> Bool {
        // Category Cc is exactly C0, DEL and C1.
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}

/// The users that are known, by id and by user name. A value: what changes is another directory.
package struct UserDirectory: Sendable, Equatable {
    private var users: [UserID: User]
    /// By the bytes of the name in NFC: hashing a String composes it again.
    private let ids: [[UInt8]: UserID]
    /// Whether each is not disabled: what each verification asks.
    private let active: UserIDMap<Bool>
    /// Of the hash that takes the longest; 0 where nobody has one.
    let maximumIterations: Int

    /// - Precondition: ids differ, and so do user names.
    package init(_ users: [User]) {
        self.users = Dictionary(uniqueKeysWithValues: users.map { ($0.id, $0) })
        ids = Dictionary(uniqueKeysWithValues: users.map { (Array($0.username.utf8), $0.id) })
        active = UserIDMap(users.map { ($0.id, !$0.isDisabled) })
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
        user(named: PresentedName(text))
    }

    package func user(named name: PresentedName) -> User? {
        // What is no name may begin as a user's name does.
        name.isName ? ids[name.canonical].flatMap { users[$0] } : nil
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
    package var all: [User] { users.values.sorted { $0.id.rawValue < $1.id.rawValue } }

    /// Everything else in it follows from the users.
    package static func == (a: UserDirectory, b: UserDirectory) -> Bool { a.users == b.users }
}

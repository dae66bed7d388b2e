import Auth
import JWT
import TestSupport

/// Reads the bytes as a users file.
enum UsersProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        let path = "\(folder)/users.json"
        try Files.write(bytes, to: path)
        // The test needs no protection against power failures.
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .synchronize ? .skipped : .done
        }
        let file = UsersFile(path, fileSystem: fileSystem)
        let users: [User]
        let next: UserID?
        do throws(UsersFileError) {
            let all = try file.readAll()
            (users, next) = (all.users, all.ids.next)
        } catch {
            try checkRefusal(error, path)
            return
        }
        try checkUsers(users)
        guard let first = users.first else { return }
        // A change that is then undone: the file is written twice.
        try change(file) { $0[0].isDisabled.toggle() }
        let written = try Files.bytes(of: path)
        var expected = users
        expected[0].isDisabled.toggle()
        try checkSame(file, expected, next)
        try change(file) { $0[0].isDisabled = first.isDisabled }
        try checkSame(file, users, next)
        try change(file) { $0[0].isDisabled.toggle() }
        try require(
            try Files.bytes(of: path) == written, "the same users are written differently")
        // The id of a removed user is never assigned again.
        let highest = users.map(\.id.rawValue).max()
        try change(file) { $0.removeAll { $0.id.rawValue == highest } }
        try require(try file.readAll().ids.next == next, "a removed user's id is assigned again")
    }

    private static func change(_ file: UsersFile, _ body: (inout [User]) -> Void) throws {
        do throws(UsersFileError) {
            try file.update { users in body(&users) }
        } catch {
            throw PropertyFailure("users that were read cannot be written: \(error)")
        }
    }

    private static func checkSame(
        _ file: UsersFile, _ users: [User], _ next: UserID?
    ) throws(PropertyFailure) {
        guard let again = try? file.readAll() else {
            throw PropertyFailure("the written file is rejected")
        }
        try require(again.users == users, "the written file has other users")
        try require(again.ids.next == next, "ids are assigned again")
        // Swift compares strings by canonical equivalence, so the bytes are compared too.
        for (one, other) in zip(again.users, users) {
            try require(
                one.username.utf8.elementsEqual(other.username.utf8)
                    && one.name.utf8.elementsEqual(other.name.utf8), "a name has other bytes")
        }
    }

    /// No two users are the same, and each user name can be used at a login.
    private static func checkUsers(_ users: [User]) throws(PropertyFailure) {
        try require(Set(users.map(\.id)).count == users.count, "a duplicate id")
        try require(Set(users.map(\.username)).count == users.count, "a duplicate user name")
        let directory = UserDirectory(users)
        for user in users {
            try require(User.isName(user.name), "an invalid name")
            try require(
                Username.normalized(user.username) == user.username, "a user name not normalized")
            try require(directory.user(named: user.username) == user, "a user is not found")
            if let hash = user.password {
                try require(PasswordHash(hash.text) == hash, "a hash is parsed differently")
            }
        }
    }

    private static func checkRefusal(_ error: UsersFileError, _ path: String)
        throws(PropertyFailure)
    {
        switch error {
        case .notJSON(let line, _): try require(line > 0, "no line number")
        case .invalid(let problems):
            try require((1...100).contains(problems.count), "\(problems.count) problems")
            try require(problems.allSatisfy { !$0.message.isEmpty }, "a problem without a message")
        default: throw PropertyFailure("cannot be read: \(error)")
        }
        for sentence in error.messages(path) {
            try require(sentence.hasPrefix(path), "a message without the file")
            try require(
                !sentence.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F },
                "the message has a control character: \(Array(sentence.utf8).shown)")
        }
    }
}

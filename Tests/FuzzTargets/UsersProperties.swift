import Auth
import JWT
import TestSupport

/// The bytes are a users file.
enum UsersProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        let path = "\(folder)/users.json"
        try Files.write(bytes, to: path)
        // No power failure is to be survived here.
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .synchronize ? .pretended : .done
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
        // A change, and back: the file is written twice.
        try change(file) { $0[0].isDisabled.toggle() }
        let written = try Files.bytes(of: path)
        var expected = users
        expected[0].isDisabled.toggle()
        try checkSame(file, expected, next)
        try change(file) { $0[0].isDisabled = first.isDisabled }
        try checkSame(file, users, next)
        try change(file) { $0[0].isDisabled.toggle() }
        try require(try Files.bytes(of: path) == written, "the same users are written differently")
        // Who is gone leaves no id behind for somebody else.
        let highest = users.map(\.id.rawValue).max()
        try change(file) { $0.removeAll { $0.id.rawValue == highest } }
        try require(try file.readAll().ids.next == next, "the id of who is gone is free")
    }

    private static func change(_ file: UsersFile, _ body: (inout [User]) -> Void) throws {
        do throws(UsersFileError) {
            try file.update { users in body(&users) }
        } catch {
            throw PropertyFailure("what was read cannot be written: \(error)")
        }
    }

    private static func checkSame(
        _ file: UsersFile, _ users: [User], _ next: UserID?
    ) throws(PropertyFailure) {
        guard let again = try? file.readAll() else {
            throw PropertyFailure("what was written is refused")
        }
        try require(again.users == users, "what was written is read as others")
        try require(again.ids.next == next, "ids are given again")
        // Swift calls strings equal that are not so byte for byte.
        for (one, other) in zip(again.users, users) {
            try require(
                one.username.utf8.elementsEqual(other.username.utf8)
                    && one.name.utf8.elementsEqual(other.name.utf8), "another spelling")
        }
    }

    /// No two are the same, and each name is one that can be typed at a login.
    private static func checkUsers(_ users: [User]) throws(PropertyFailure) {
        try require(Set(users.map(\.id)).count == users.count, "an id twice")
        try require(Set(users.map(\.username)).count == users.count, "a user name twice")
        let directory = UserDirectory(users)
        for user in users {
            try require(User.isName(user.name), "a name that is none")
            try require(Username.normalized(user.username) == user.username, "an odd user name")
            try require(directory.user(named: user.username) == user, "a user is not found")
            if let hash = user.password {
                try require(PasswordHash(hash.text) == hash, "a hash is read as another")
            }
        }
    }

    private static func checkRefusal(_ error: UsersFileError, _ path: String)
        throws(PropertyFailure)
    {
        switch error {
        case .notJSON(let line, _): try require(line > 0, "no line")
        case .invalid(let problems):
            try require((1...100).contains(problems.count), "\(problems.count) problems")
            try require(problems.allSatisfy { !$0.message.isEmpty }, "a problem without words")
        default: throw PropertyFailure("cannot be read: \(error)")
        }
        for sentence in error.sentences(path) {
            try require(sentence.hasPrefix(path), "a sentence without the file")
            try require(
                !sentence.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F },
                "a control character on its way to a terminal: \(Array(sentence.utf8).shown)")
        }
    }
}

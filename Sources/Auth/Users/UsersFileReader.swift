import JSON
import JWT

/// Parses a users file into users, or into a list of all its problems.
struct UsersFileReader {
    /// Limits the output; more would not help the operator.
    private static let maximumProblems = 100

    private var problems: [UsersFileProblem] = []
    /// `next_id` as written in the file.
    private var nextID: Int64?
    /// The index in the list where each id and user name first occurs.
    private var ids: [UserID: Int] = [:]
    private var usernames: [String: Int] = [:]

    static func users(
        in bytes: [UInt8]
    ) throws(UsersFileError) -> (users: [User], ids: UsersFile.IDAllocation) {
        if let encoding = TextEncoding(ofJSON: bytes) { throw .encoding(encoding) }
        let root: JSONValue
        do throws(JSONError) {
            root = try JSONValue(parsing: bytes.span)
        } catch {
            let line = bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") } + 1
            throw .notJSON(line: line, error.reason)
        }
        var reader = UsersFileReader()
        let users = try reader.read(root)
        guard reader.problems.isEmpty else { throw .invalid(reader.problems) }
        let next = max(reader.nextID ?? 1, UsersFile.nextID(after: users))
        return (users, UsersFile.IDAllocation(next: UserID(next), written: reader.nextID))
    }

    private mutating func add(_ place: String, _ message: String) {
        guard problems.count < Self.maximumProblems else { return }
        problems.append(UsersFileProblem(place: place, message: message))
    }

    private mutating func read(_ root: JSONValue) throws(UsersFileError) -> [User] {
        guard case .object(let members) = root else {
            add("", "the file must hold one object, {\"users\":[…]}")
            return []
        }
        var list: JSONValue?
        for member in members {
            switch member.name {
            case "users": list = member.value
            case "next_id":
                if case .number(.integer(let number)) = member.value, number > 0 {
                    nextID = number
                } else {
                    add("next_id", "not a whole number above 0")
                }
            default: add(Self.displayed(member.name), "unknown key; allowed: users, next_id")
            }
        }
        switch list {
        case .array(let elements):
            guard elements.count <= UsersFile.maximumUsers else { throw .tooManyUsers }
            return elements.enumerated().compactMap { readUser($1, $0) }
        case let other?: add("users", "\(other.kindName) is not a list")
        case nil: add("users", "is missing; write {\"users\":[]} for an empty list")
        }
        return []
    }

    /// Nil if the user has a problem.
    private mutating func readUser(_ value: JSONValue, _ index: Int) -> User? {
        let place = "users[\(index)]"
        guard case .object(let members) = value else {
            add(place, "\(value.kindName) is not an object with id, username and name")
            return nil
        }
        let before = problems.count
        var (id, username, name): (UserID?, String?, String?)
        var password: PasswordHash?
        var isDisabled = false
        var present: Set<String> = []
        for member in members {
            present.insert(member.name)
            let place = "\(place).\(Self.displayed(member.name))"
            switch member.name {
            case "id": id = readID(member.value, place, index)
            case "username": username = readUsername(member.value, place, index)
            case "name": name = readName(member.value, place)
            case "password": password = readPassword(member.value, place)
            case "disabled":
                if case .boolean(let value) = member.value {
                    isDisabled = value
                } else {
                    add(place, "\(member.value.kindName) is neither true nor false")
                }
            default:
                add(
                    place,
                    "unknown key; allowed: id, username, name, password, disabled")
            }
        }
        for required in ["id", "username", "name"] where !present.contains(required) {
            add("\(place).\(required)", "is missing")
        }
        guard problems.count == before, let id, let username, let name else { return nil }
        return User(
            id: id, username: username, name: name, password: password, isDisabled: isDisabled)
    }

    private mutating func readID(_ value: JSONValue, _ place: String, _ index: Int) -> UserID? {
        guard case .number(.integer(let number)) = value, let id = UserID(number) else {
            add(place, "not a whole number from 1 to \(UserID.maximum)")
            return nil
        }
        if let first = ids[id] {
            add(place, "\(number) is also the id of users[\(first)]")
            return nil
        }
        ids[id] = index
        return id
    }

    private mutating func readUsername(
        _ value: JSONValue, _ place: String, _ index: Int
    ) -> String? {
        guard case .string(let text) = value else {
            add(place, "\(value.kindName) is not a string")
            return nil
        }
        guard let username = Username.normalized(text) else {
            add(place, Username.rule)
            return nil
        }
        if let first = usernames[username] {
            add(place, "\"\(username)\" is also the user name of users[\(first)]")
            return nil
        }
        usernames[username] = index
        return username
    }

    private mutating func readName(_ value: JSONValue, _ place: String) -> String? {
        guard case .string(let text) = value else {
            add(place, "\(value.kindName) is not a string")
            return nil
        }
        guard User.isName(text) else {
            add(place, User.nameRule)
            return nil
        }
        return text
    }

    /// The value is never part of a message: it may be a password in plain text.
    private mutating func readPassword(_ value: JSONValue, _ place: String) -> PasswordHash? {
        switch value {
        case .null: return nil
        case .string(let text):
            if let hash = PasswordHash(text) { return hash }
            add(
                place,
                "not a password hash ($pbkdf2-sha256$i=…); set it with "
                    + "`gatehouse user set-password`"
            )
        default: add(place, "\(value.kindName) is neither a string nor null")
        }
        return nil
    }

    /// A member name as messages show it.
    private static func displayed(_ name: String) -> String {
        Username.hasControlCharacters(name)
            ? "(a name with control characters)" : String(name.prefix(40))
    }
}

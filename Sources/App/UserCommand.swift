import Auth
import Glibc
import JWT
import POSIX

/// `gatehouse user …`: who may log in. Changes the users file and nothing else, and has a running server
/// read it again; one without an admin socket does at SIGHUP.
struct UserCommand {
    private enum Verb: String, CaseIterable {
        case add
        case setPassword = "set-password"
        case remove, disable, enable, list
    }

    private let verb: Verb
    private let username: String?
    private let id: UserID?
    private let name: String?
    private let path: String?

    /// Nil if help was asked for.
    /// - Parameter rest: what stands behind `user`.
    init?(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(Command.UsageError) {
        var verb: Verb?
        var values: [String: String] = [:]
        while let argument = rest.popFirst() {
            let option = String(argument.prefix { $0 != "=" })
            switch (verb, option) {
            case (_, "--help"), (_, "-h"): return nil
            case (_, "--password"):
                // Whatever follows is not repeated.
                throw Command.UsageError(
                    sentence: "--password: everybody on this machine can read arguments; "
                        + "type the password at the prompt, or give it as a line of standard input")
            case (_, _) where argument.hasPrefix("-") && option != argument:
                throw Command.UsageError(sentence: "\(option)=…: write \(option) VALUE")
            case (_, "--config"): configurationPath = try Self.value(of: option, &rest)
            case (_, "--users-file"), (_, "--username"), (_, "--name"), (_, "--id"):
                guard values.updateValue(try Self.value(of: option, &rest), forKey: option) == nil
                else { throw Command.UsageError(sentence: "\(option) is there twice") }
            case (_, _) where argument.hasPrefix("-"):
                throw Command.UsageError(sentence: "unknown argument: \(option)")
            case (nil, _):
                guard let named = Verb(rawValue: argument) else {
                    throw Command.UsageError(sentence: "user \(argument): write \(Self.verbs)")
                }
                verb = named
            case (let verb?, _):
                // Not shown: people try to write the password here.
                throw Command.UsageError(
                    sentence: "user \(verb.rawValue): a word that belongs to no option; "
                        + "write --username NAME; a password is never an argument")
            }
        }
        guard let verb else {
            throw Command.UsageError(sentence: "user what? write \(Self.verbs)")
        }
        self.verb = verb
        path = values["--users-file"]
        name = values["--name"]
        username = try values["--username"].map { text throws(Command.UsageError) in
            guard let username = Username.normalized(text) else {
                throw Command.UsageError(sentence: "--username: \(Username.rule)")
            }
            return username
        }
        id = try values["--id"].map { text throws(Command.UsageError) in
            let digits = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
            guard digits, let id = Int64(text).flatMap({ UserID($0) }) else {
                throw Command.UsageError(
                    sentence: "--id: not a whole number from 1 to \(UserID.maximum)")
            }
            return id
        }
        try check()
    }

    /// Which options belong to which verb.
    private func check() throws(Command.UsageError) {
        switch verb {
        case .add:
            guard username != nil, let name else {
                throw Command.UsageError(
                    sentence: "user add needs --username and --name, and takes --id")
            }
            guard User.isName(name) else {
                throw Command.UsageError(sentence: "--name: \(User.nameRule)")
            }
        case .list:
            guard username == nil, id == nil, name == nil else {
                throw Command.UsageError(sentence: "user list takes --config or --users-file alone")
            }
        case .setPassword, .remove, .disable, .enable:
            guard (username == nil) != (id == nil), name == nil else {
                throw Command.UsageError(
                    sentence: "user \(verb.rawValue) needs either --username or --id")
            }
        }
    }

    private static func value(
        of option: String, _ rest: inout ArraySlice<String>
    ) throws(Command.UsageError) -> String {
        guard let value = rest.popFirst() else {
            throw Command.UsageError(sentence: "\(option) needs a value")
        }
        return value
    }

    private static let verbs = "user add, set-password, remove, disable, enable or list"

    // MARK: Running

    /// Where a configuration has what this needs.
    private struct Settings {
        let usersFile: String?
        let iterations: Int

        /// The demo has no users file.
        init(_ configuration: Configuration) {
            usersFile =
                configuration.login.mode == .password ? configuration.login.usersFile : nil
            iterations = configuration.login.iterations
        }
    }

    func run(_ configuration: Configuration) -> Command.ExitCode {
        let settings = Settings(configuration)
        let changed: String?
        guard let path = path ?? settings.usersFile else {
            Command.say(
                "which users file? write --users-file FILE, or --config FILE with login.mode "
                    + "\"password\" and login.users_file")
            return .usage
        }
        do throws(Failure) {
            switch verb {
            case .add: changed = try add(path, settings.iterations)
            case .setPassword: changed = try setPassword(path, settings.iterations)
            case .remove:
                changed = try change(path, "was removed") { users, index in
                    users.remove(at: index)
                }
            case .disable:
                changed = try change(path, "is disabled") { users, index in
                    users[index].isDisabled = true
                }
            case .enable:
                changed = try change(path, "is enabled") { users, index in
                    users[index].isDisabled = false
                }
            case .list:
                try list(path)
                changed = nil
            }
        } catch {
            for sentence in error.sentences(path) { Command.say(sentence) }
            return error.exitCode
        }
        for warning in Configuration.permissionWarning(path, "users") {
            Command.say("warning: \(warning)")
        }
        guard let changed else { return .success }
        return tell(changed, path == settings.usersFile ? configuration : nil)
    }

    /// Says what was done, and has the server take it.
    /// - Parameter configuration: of the server; nil if it is not its users file.
    private func tell(_ changed: String, _ configuration: Configuration?) -> Command.ExitCode {
        if let configuration {
            do throws(RunningServer.Failure) {
                _ = try RunningServer(configuration).reload()
                print("\(changed); the running server has taken it")
                return .success
            } catch {
                switch error {
                case .noSocket, .unreached(.notRunning): break
                default:
                    print("\(changed); the running server has not taken it")
                    return error.told()
                }
            }
        }
        print("\(changed); a running server takes it at SIGHUP")
        return .success
    }

    private func add(_ path: String, _ iterations: Int) throws(Failure) -> String? {
        guard let username, let name else { return nil }
        let file = UsersFile(path)
        // Before the password is asked for; what counts is what is there when the user is added.
        try Self.seek(file, making: true) { users in Self.clash(users, username, id) }
        let password = try hash(for: username, username, iterations)
        let outcome = try Self.update(file, making: true) {
            users, nextID -> Result<User, Failure> in
            if let clash = Self.clash(users, username, self.id) { return .failure(clash) }
            guard let id = self.id ?? nextID else { return .failure(.noID) }
            let user = User(id: id, username: username, name: name, password: password)
            users.append(user)
            return .success(user)
        }
        return Self.words(try outcome.get(), "was added")
    }

    private func setPassword(_ path: String, _ iterations: Int) throws(Failure) -> String? {
        let file = UsersFile(path)
        var found: User?
        try Self.seek(file) { users in
            found = position(users).map { users[$0] }
            return found == nil ? .noUser : nil
        }
        guard let found else { return nil }
        let password = try hash(for: found.username, found.username, iterations)
        return try change(path, "has a new password") { users, index in
            users[index].password = password
        }
    }

    private func change(
        _ path: String, _ what: String, _ body: (inout [User], Int) -> Void
    ) throws(Failure) -> String {
        let outcome = try Self.update(UsersFile(path)) { users, _ -> Result<User, Failure> in
            guard let index = position(users) else { return .failure(.noUser) }
            let user = users[index]
            body(&users, index)
            return .success(user)
        }
        return Self.words(try outcome.get(), what)
    }

    private func list(_ path: String) throws(Failure) {
        var rows = [["id", "username", "name", "state", "iterations"]]
        try Self.seek(UsersFile(path)) { users in
            rows += users.map { user in
                [
                    "\(user.id.number)", user.username, user.name, user.state,
                    user.password.map { "\($0.iterations)" } ?? "-",
                ]
            }
            return nil
        }
        for line in PlainTable.lines(rows) { print(line) }
    }

    // MARK: Parts

    private func hash(
        for who: String, _ username: String, _ iterations: Int
    ) throws(Failure) -> PasswordHash {
        let text: String
        do throws(PasswordPrompt.Failure) {
            text = try PasswordPrompt.newPassword(for: who)
        } catch {
            throw .prompt(error)
        }
        do throws(PasswordError) {
            return PasswordHash(of: try Password(new: text, for: username), iterations: iterations)
        } catch {
            throw .password(error)
        }
    }

    private func position(_ users: [User]) -> Int? {
        users.firstIndex { user in
            id.map { $0 == user.id } ?? (username == user.username)
        }
    }

    private static func clash(_ users: [User], _ username: String, _ id: UserID?) -> Failure? {
        if users.contains(where: { $0.username == username }) { return .usernameIsTaken }
        guard let id else {
            return users.contains { $0.id.number == UserID.maximum } ? .noID : nil
        }
        return users.contains { $0.id == id } ? .idIsTaken : nil
    }

    private static func seek(
        _ file: UsersFile, making isMade: Bool = false, _ body: ([User]) -> Failure?
    ) throws(Failure) {
        var users: [User] = []
        do throws(UsersFileError) {
            users = try file.read()
        } catch {
            guard isMade, error == .cannotRead(.isNotThere) else { throw .file(error) }
        }
        if let failure = body(users) { throw failure }
    }

    private static func update<Answer>(
        _ file: UsersFile, making isMade: Bool = false,
        _ body: (inout [User], UserID?) -> Answer
    ) throws(Failure) -> Answer {
        do throws(UsersFileError) {
            return try file.update(making: isMade, body)
        } catch {
            throw .file(error)
        }
    }

    private static func words(_ user: User, _ what: String) -> String {
        "\(user.username) (id \(user.id.number)) \(what)"
    }

    private enum Failure: Error {
        case file(UsersFileError)
        case prompt(PasswordPrompt.Failure)
        case password(PasswordError)
        case noUser
        case usernameIsTaken
        case idIsTaken
        case noID

        func sentences(_ path: String) -> [String] {
            switch self {
            case .file(.cannotRead(.isNotThere)):
                ["\(path): there is no such file; `gatehouse user add` makes it"]
            case .file(let error): error.sentences(path)
            case .prompt(let error): [error.sentence]
            case .password(let error): [error.sentence]
            case .noUser: ["\(path): no such user; `gatehouse user list` shows who there is"]
            case .usernameIsTaken:
                [
                    "\(path): the user name is taken; `gatehouse user set-password` changes a password"
                ]
            case .idIsTaken: ["\(path): the id is taken; leave --id out for the next free one"]
            case .noID: ["\(path): no id is left above the highest; give one with --id"]
            }
        }

        var exitCode: Command.ExitCode {
            switch self {
            case .file(.cannotRead(.notPermitted)), .file(.cannotWrite(.notPermitted)),
                .file(.cannotWrite(.readOnly)), .file(.wouldChangeOwner):
                .notPermitted
            case .file(.cannotRead): .noInput
            case .file(.cannotWrite(.noSpace)), .file(.cannotWrite(.inputOutput)): .inputOutput
            case .file(.cannotWrite): .cannotCreate
            case .file(.inUse): .unavailable
            case .file, .prompt, .password: .data
            case .noUser: .noUser
            case .usernameIsTaken, .idIsTaken, .noID: .data
            }
        }
    }

    // MARK: Words

    static let help = """
        gatehouse user: who may log in with a password, in the users file.

          user add --username alice --name Alice [--id N]   a new user; asks for the password
          user set-password --username alice                another password
          user disable --username alice                     keeps the user, who gets no token
          user enable --username alice                      undoes that
          user remove --username alice
          user list                                         who there is; no hashes

          --id N             instead of --username; for add: the id to give
          --users-file FILE  the users file; without it login.users_file of --config FILE

        The password is typed twice at the prompt, or is one line of standard input where that
        is no terminal; it is never an argument. 8 to 1,024 bytes, not the user name, not a
        common one. A running server takes a change at once through admin.socket, else at SIGHUP.

        Exit codes: 0 done, 64 wrong arguments, 65 the password or the file will not do, 66 no
        such file, 67 no such user, 73 and 74 not written, 77 not permitted, 78 wrong
        configuration.
        """
}

extension User {
    fileprivate var state: String {
        if isDisabled { return "disabled" }
        return password == nil ? "no password" : "active"
    }
}

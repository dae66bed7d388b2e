import Auth
import Glibc
import JSON
import JWT
import POSIX

/// `gatehouse user …`: manages the users file. After a change it makes a running server read the
/// file again; a server without an admin socket reads it at SIGHUP. A change that removes a user's
/// access also ends the user's sessions: through the server, or in the journal if none is running.
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
    /// The users file, if the command line names one.
    let path: String?
    private let asJSON: Bool

    /// Returns nil if help was requested.
    /// - Parameter rest: the arguments after `user`.
    init?(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        var verb: Verb?
        var values: [String: String] = [:]
        var asJSON = false
        while let argument = rest.popFirst() {
            let option = String(argument.prefix { $0 != "=" })
            switch (verb, option) {
            case (_, "--help"), (_, "-h"): return nil
            case (_, "--password"):
                // The value is not shown.
                throw GatehouseCommand.UsageError(
                    sentence:
                        "--password: not accepted, because every user of this machine can read "
                        + "arguments; type the password at the prompt, or pass it on standard "
                        + "input")
            case (_, _) where argument.hasPrefix("-") && option != argument:
                throw GatehouseCommand.UsageError(sentence: "unknown argument: \(option)")
            case (_, "--config"): configurationPath = try rest.value(of: option)
            case (_, "--users-file"), (_, "--username"), (_, "--name"), (_, "--id"):
                guard values.updateValue(try rest.value(of: option), forKey: option) == nil
                else {
                    throw GatehouseCommand.UsageError(
                        sentence: "\(option): given twice; give it once")
                }
            case (.list, "--json"): asJSON = true
            case (_, _) where argument.hasPrefix("-"):
                throw GatehouseCommand.UsageError(sentence: "unknown argument: \(option)")
            case (nil, _):
                guard let named = Verb(rawValue: argument) else {
                    throw GatehouseCommand.UsageError(
                        sentence: "user: unknown subcommand \(argument); write \(Self.verbs)")
                }
                verb = named
            case (let verb?, _):
                // The argument is not shown: it may be a password.
                throw GatehouseCommand.UsageError(
                    sentence: "user \(verb.rawValue): unexpected argument (not shown, it may be a "
                        + "password); use --username NAME")
            }
        }
        guard let verb else {
            throw GatehouseCommand.UsageError(
                sentence: "user: missing subcommand; write \(Self.verbs)")
        }
        self.verb = verb
        self.asJSON = asJSON
        path = values["--users-file"]
        name = values["--name"]
        username = try values["--username"].map { text throws(GatehouseCommand.UsageError) in
            guard let username = Username.normalized(text) else {
                throw GatehouseCommand.UsageError(sentence: "--username: \(Username.rule)")
            }
            return username
        }
        id = try values["--id"].map { text throws(GatehouseCommand.UsageError) in
            let digits = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
            guard digits, let id = Int64(text).flatMap({ UserID($0) }) else {
                throw GatehouseCommand.UsageError(
                    sentence: "--id: not a whole number from 1 to \(UserID.maximum)")
            }
            return id
        }
        try check()
    }

    /// Checks that the options fit the subcommand.
    private func check() throws(GatehouseCommand.UsageError) {
        switch verb {
        case .add:
            guard username != nil, let name else {
                throw GatehouseCommand.UsageError(
                    sentence: "user add: needs --username and --name; --id is optional")
            }
            guard User.isName(name) else {
                throw GatehouseCommand.UsageError(sentence: "--name: \(User.nameRule)")
            }
        case .list:
            guard username == nil, id == nil, name == nil else {
                throw GatehouseCommand.UsageError(
                    sentence: "user list: accepts only --config, --users-file and --json")
            }
        case .setPassword, .remove, .disable, .enable:
            guard (username == nil) != (id == nil), name == nil else {
                throw GatehouseCommand.UsageError(
                    sentence: "user \(verb.rawValue): give exactly one of --username and --id, and "
                        + "no --name")
            }
        }
    }

    private static let verbs = "user add, set-password, remove, disable, enable or list"

    // MARK: Running

    /// The settings that this command needs.
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

    /// A change that was made, and its user.
    private struct Change {
        let user: User
        let what: String
        let names: VisibleText

        var description: String {
            "\(names.of(user.username)) (id \(user.id.rawValue)) \(what)"
        }
    }

    /// - Parameter names: how names are printed.
    func run(_ configuration: Configuration, _ names: VisibleText) -> GatehouseCommand.ExitCode {
        let settings = Settings(configuration)
        let changed: Change?
        guard let path = path ?? settings.usersFile else {
            GatehouseCommand.printError(
                "users file: none is configured; write --users-file FILE, or --config FILE with "
                    + "login.mode \"password\" and login.users_file")
            return .usage
        }
        do throws(Failure) {
            switch verb {
            case .add: changed = try add(path, settings.iterations, names)
            case .setPassword: changed = try setPassword(path, settings.iterations, names)
            case .remove:
                changed = try change(path, "was removed", names) { users, index in
                    users.remove(at: index)
                }
            case .disable:
                changed = try change(path, "is disabled", names) { users, index in
                    users[index].isDisabled = true
                }
            case .enable:
                changed = try change(path, "is enabled", names) { users, index in
                    users[index].isDisabled = false
                }
            case .list:
                try list(path, names)
                changed = nil
            }
        } catch {
            for sentence in error.sentences(path) { GatehouseCommand.printError(sentence) }
            return error.exitCode
        }
        for warning in Configuration.permissionWarning(path, "users") {
            GatehouseCommand.printError("warning: \(warning)")
        }
        guard let changed else { return .success }
        let isServers = settings.usersFile.map { Self.isSame(path, $0) } ?? false
        return applyToServer(changed, isServers ? configuration : nil)
    }

    /// Whether both paths lead to the same file.
    private static func isSame(_ path: String, _ other: String) -> Bool {
        guard path != other else { return true }
        guard let status = try? FileStatus(path: path),
            let otherStatus = try? FileStatus(path: other)
        else { return false }
        return status.isSameFile(as: otherStatus)
    }

    /// Whether the user's existing sessions must end.
    private var endsSessions: Bool {
        switch verb {
        case .setPassword, .disable, .remove: true
        case .add, .enable, .list: false
        }
    }

    /// Reports the change, makes the server apply it, and ends the user's sessions if required.
    /// - Parameter configuration: the server's configuration; nil if the users file is not the
    ///   server's.
    private func applyToServer(_ change: Change, _ configuration: Configuration?)
        -> GatehouseCommand.ExitCode
    {
        let atSignal = "\(change.description); a running server applies it at SIGHUP"
        guard let configuration else {
            StandardOutput.show(atSignal)
            if endsSessions { printNextStep(change.user) }
            return .success
        }
        let isNotRunning: Bool
        do throws(AdminAPI.Failure) {
            _ = try AdminAPI(configuration).reload()
            StandardOutput.show("\(change.description); the running server has applied it")
            return endsSessions ? endSessions(change.user, configuration) : .success
        } catch {
            switch error {
            case .noSocket: isNotRunning = false
            case .unreached(.notRunning): isNotRunning = true
            default:
                StandardOutput.show("\(change.description); the running server has not applied it")
                let exitCode = error.report()
                if endsSessions { printNextStep(change.user) }
                return exitCode
            }
        }
        guard endsSessions else {
            StandardOutput.show(
                isNotRunning ? "\(change.description); no server is running" : atSignal)
            return .success
        }
        do throws(RevocationSubmission.Failure) {
            let destination = try RevocationSubmission(
                endingSessionsOf: change.user.id, configuration
            ).send().destination
            // This process got the journal, so no server holds it.
            StandardOutput.show("\(change.description); no server is running")
            printSessionsEnded(change.user, destination)
            return .success
        } catch {
            switch error {
            case .inUse:
                StandardOutput.show(atSignal)
                printNextStep(change.user)
                return .success
            case .keysAreTemporary where isNotRunning:
                StandardOutput.show("\(change.description); no server is running")
                return .success
            case .keysAreTemporary:
                StandardOutput.show(atSignal)
                StandardOutput.show(
                    "existing sessions end when the server stops, because its keys are temporary")
                return .success
            default:
                StandardOutput.show(
                    isNotRunning ? "\(change.description); no server is running" : atSignal)
                let exitCode = error.report()
                printNextStep(change.user)
                return exitCode
            }
        }
    }

    private func endSessions(_ user: User, _ configuration: Configuration)
        -> GatehouseCommand.ExitCode
    {
        do throws(RevocationSubmission.Failure) {
            printSessionsEnded(
                user,
                try RevocationSubmission(endingSessionsOf: user.id, configuration).send()
                    .destination)
            return .success
        } catch {
            let exitCode = error.report()
            printNextStep(user)
            return exitCode
        }
    }

    private func printSessionsEnded(_ user: User, _ destination: RevocationSubmission.Destination) {
        StandardOutput.show(RevocationSubmission.endedMessage(user.id))
        if let note = destination.note { GatehouseCommand.printError(note) }
    }

    private func printNextStep(_ user: User) {
        StandardOutput.show(
            "existing sessions continue; next: `gatehouse revoke --user \(user.id.rawValue)`")
    }

    private func add(
        _ path: String, _ iterations: Int, _ names: VisibleText
    ) throws(Failure) -> Change? {
        guard let username, let name else { return nil }
        let file = UsersFile(path)
        // Check before the password prompt. The check inside `update` below decides.
        try Self.inspect(file, making: true) { users, ids in Self.conflict(users, ids, username, id)
        }
        let password = try hash(for: names.of(username), username, iterations)
        var alike: [String] = []
        let outcome = try Self.update(file, making: true) {
            users, ids -> Result<User, Failure> in
            if let conflict = Self.conflict(users, ids, username, self.id) {
                return .failure(conflict)
            }
            guard let id = self.id ?? ids.next else { return .failure(.noID) }
            let user = User(id: id, username: username, name: name, password: password)
            alike = users.map(\.username).filter {
                !Username.skeletons($0).isDisjoint(with: Username.skeletons(username))
            }
            users.append(user)
            return .success(user)
        }
        let user = try outcome.get()
        for other in alike {
            GatehouseCommand.printError(
                "warning: the user name \(names.of(username)) looks like that of another user, "
                    + names.of(other))
        }
        return Change(user: user, what: "was added", names: names)
    }

    private func setPassword(
        _ path: String, _ iterations: Int, _ names: VisibleText
    ) throws(Failure) -> Change? {
        let file = UsersFile(path)
        var found: User?
        try Self.inspect(file) { users, _ in
            found = position(users).map { users[$0] }
            return found == nil ? .noUser : nil
        }
        guard let found else { return nil }
        let password = try hash(for: names.of(found.username), found.username, iterations)
        return try change(path, "has a new password", names) { users, index in
            users[index].password = password
        }
    }

    private func change(
        _ path: String, _ what: String, _ names: VisibleText,
        _ body: (inout [User], Int) -> Void
    ) throws(Failure) -> Change {
        let outcome = try Self.update(UsersFile(path)) { users, _ -> Result<User, Failure> in
            guard let index = position(users) else { return .failure(.noUser) }
            let user = users[index]
            body(&users, index)
            return .success(user)
        }
        return Change(user: try outcome.get(), what: what, names: names)
    }

    private func list(_ path: String, _ names: VisibleText) throws(Failure) {
        var users: [User] = []
        try Self.inspect(UsersFile(path)) { found, _ in
            users = found
            return nil
        }
        guard !asJSON else {
            StandardOutput.show(String(decoding: Self.json(users), as: UTF8.self))
            return
        }
        let rows = users.map { user in
            [
                "\(user.id.rawValue)", names.of(user.username), names.of(user.name, limit: 256),
                user.state, user.password.map { "\($0.iterations)" } ?? "-",
            ]
        }
        let title = ["id", "username", "name", "state", "iterations"]
        StandardOutput.show(TextTable.lines([title] + rows).joined(separator: "\n"))
    }

    private static func json(_ users: [User]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("users")
        writer.beginArray()
        for user in users {
            writer.beginObject()
            writer.name("id")
            writer.integer(user.id.rawValue)
            writer.name("username")
            writer.string(user.username)
            writer.name("name")
            writer.string(user.name)
            writer.name("state")
            writer.string(user.state)
            if let password = user.password {
                writer.name("iterations")
                writer.integer(Int64(password.iterations))
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    // MARK: Parts

    private func hash(
        for displayName: String, _ username: String, _ iterations: Int
    ) throws(Failure) -> PasswordHash {
        let text: String
        do throws(PasswordPrompt.Failure) {
            text = try PasswordPrompt.newPassword(for: displayName)
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

    private static func conflict(
        _ users: [User], _ ids: UsersFile.IDAllocation, _ username: String, _ id: UserID?
    ) -> Failure? {
        if users.contains(where: { $0.username == username }) { return .usernameIsTaken }
        let folded = Username.folded(username)
        if let other = users.first(where: { Username.folded($0.username) == folded }) {
            return .usernameIsTooLike(other.username)
        }
        guard let id else { return ids.next == nil ? .noID : nil }
        if users.contains(where: { $0.id == id }) { return .idIsTaken }
        return ids.mayHaveBeenUsed(id) ? .idWasUsed : nil
    }

    private static func inspect(
        _ file: UsersFile, making creates: Bool = false,
        _ body: ([User], UsersFile.IDAllocation) -> Failure?
    ) throws(Failure) {
        var (users, ids): ([User], UsersFile.IDAllocation) = ([], UsersFile.noIDs)
        do throws(UsersFileError) {
            (users, ids) = try file.readAll()
        } catch {
            guard creates, error == .cannotRead(.noSuchFileOrDirectory) else { throw .file(error) }
        }
        if let failure = body(users, ids) { throw failure }
    }

    private static func update<Answer>(
        _ file: UsersFile, making creates: Bool = false,
        _ body: (inout [User], UsersFile.IDAllocation) -> Answer
    ) throws(Failure) -> Answer {
        do throws(UsersFileError) {
            return try file.update(making: creates, body)
        } catch {
            throw .file(error)
        }
    }

    private enum Failure: Error {
        case file(UsersFileError)
        case prompt(PasswordPrompt.Failure)
        case password(PasswordError)
        case noUser
        case usernameIsTaken
        /// The other user name, which differs only in case, width or invisible characters.
        case usernameIsTooLike(String)
        case idIsTaken
        case idWasUsed
        case noID

        func sentences(_ path: String) -> [String] {
            switch self {
            case .file(.cannotRead(.noSuchFileOrDirectory)):
                ["\(path): no such file; create it with gatehouse user add"]
            case .file(let error): error.messages(path)
            case .prompt(let error): [error.description]
            case .password(let error): [error.description]
            case .noUser: ["\(path): no such user; see gatehouse user list"]
            case .usernameIsTaken:
                [
                    "\(path): the user name is taken; to change its password, use gatehouse user "
                        + "set-password"
                ]
            case .usernameIsTooLike(let other):
                [
                    "\(path): the user name differs from \(VisibleText.of(other)) only in case, "
                        + "width or invisible characters; choose another"
                ]
            case .idIsTaken: ["\(path): the ID is taken; omit --id to get the next free one"]
            case .idWasUsed:
                [
                    "\(path): the ID may have belonged to a removed user, whose tokens would then "
                        + "be the new user's; omit --id to get the next free one"
                ]
            case .noID:
                [
                    "\(path): no ID above the highest is left; when no token of a removed user can "
                        + "be valid any more, remove next_id from the file and choose an ID with "
                        + "--id"
                ]
            }
        }

        var exitCode: GatehouseCommand.ExitCode {
            switch self {
            case .file(.cannotRead(.permissionDenied)), .file(.cannotWrite(.permissionDenied)),
                .file(.cannotWrite(.readOnlyFileSystem)), .file(.wouldChangeOwner),
                .file(.folderNotWritable):
                .notPermitted
            case .file(.untrusted): .configuration
            case .file(.cannotRead), .file(.notRegular), .file(.isLink): .noInput
            case .file(.cannotWrite(.noSpace)), .file(.cannotWrite(.ioError)): .inputOutput
            case .file(.cannotWrite): .cannotCreate
            case .file(.inUse): .unavailable
            case .file, .prompt, .password: .data
            case .noUser: .noUser
            case .usernameIsTaken, .usernameIsTooLike, .idIsTaken, .idWasUsed, .noID: .data
            }
        }
    }

    // MARK: Help

    static let help = """
        gatehouse user: manage the users that can log in with a password

          user add --username alice --name Alice [--id N]   add a user, ask the password
          user set-password --username alice                change the password
          user disable --username alice                     refuse logins and tokens
          user enable --username alice                      undo disable
          user remove --username alice                      remove the user
          user list [--json]                                list the users, no hashes

          --id N             instead of --username; with add: the ID of the new user
          --users-file FILE  the users file; default: login.users_file of --config FILE

        The password is typed twice at the prompt, or read as one line from standard
        input; it is never an argument. 8 to 1,024 bytes, not the user name, not common.
        A running server applies a change at once through admin.socket, else at SIGHUP.
        set-password, disable and remove end the existing sessions of the user.

        Exit codes: 0 done, 64 wrong arguments, 65 password or file refused, 66 no such
        file, 67 no such user, 73 and 74 not written, 77 not permitted, 78 wrong
        configuration.
        """
}

extension User {
    fileprivate var state: String {
        if isDisabled { return "disabled" }
        return password == nil ? "no password" : "active"
    }
}

import Auth
import JWT

/// A user as an option names one: `--user N` or `--username NAME`.
enum NamedUser: Equatable {
    case id(UserID)
    /// Normalized by `Username`.
    case username(String)

    enum Failure: Error {
        /// The users file cannot be read.
        case users([ConfigurationProblem])
        case unknown(username: String)

        /// Prints the messages and returns the exit code.
        func report(_ names: VisibleText) -> GatehouseCommand.ExitCode {
            switch self {
            case .users(let problems):
                for problem in problems { GatehouseCommand.printError("\(problem)") }
                return .configuration
            case .unknown(let username):
                GatehouseCommand.printError(
                    "no such user: \(names.of(username)); see gatehouse user list")
                return .noUser
            }
        }
    }

    /// The user's ID; a user name is looked up among the configuration's users.
    func id(_ configuration: Configuration) throws(Failure) -> UserID {
        switch self {
        case .id(let id): return id
        case .username(let username):
            let users: UserDirectory
            do throws(Configuration.Invalid) {
                users = try configuration.readUsers()
            } catch {
                throw .users(error.problems)
            }
            guard let user = users.user(named: username) else {
                throw .unknown(username: username)
            }
            return user.id
        }
    }

    static func isOption(_ argument: String) -> Bool {
        argument == "--user" || argument == "--username"
    }
}

extension ArraySlice<String> {
    /// The user that `--user` or `--username` names.
    mutating func namedUser(of option: String) throws(GatehouseCommand.UsageError) -> NamedUser {
        guard option == "--username" else { return .id(try user(of: option)) }
        guard let username = Username.normalized(try value(of: option)) else {
            throw GatehouseCommand.UsageError(sentence: "--username: \(Username.rule)")
        }
        return .username(username)
    }
}

import Auth
import Crypto
import Glibc
import Logging
import POSIX
import Revocation
import Server

/// A parsed command line, and its execution. Exit codes are those of sysexits.h.
package struct GatehouseCommand {
    package enum ExitCode: Int32, Sendable {
        case success = 0
        /// `log verify`: tampered with. `token explain`: the token is not accepted.
        case failed = 1
        /// Used by `log verify` alone, as is the next.
        case indeterminate = 2
        case notSealed = 3
        case usage = 64
        case data = 65
        case noInput = 66
        case noUser = 67
        case unavailable = 69
        case software = 70
        /// The system allows too few threads or descriptors, or too little memory.
        case system = 71
        case cannotCreate = 73
        case inputOutput = 74
        case notPermitted = 77
        case configuration = 78
    }

    private enum Verb: String {
        case serve, check, secret, user, token, server, log, help, version
    }

    private var verb = Verb.serve
    private var configurationPath: String?
    private var logCommand: LogCommand?
    private var userCommand: UserCommand?
    private var tokenCommand: TokenCommand?
    private var serverCommand: AdminCommand?
    private var secretCommand: SecretCommand?
    private var helpCommand: HelpCommand?
    private var helpText = Self.help
    private let environment: [String: String]

    /// - Parameter arguments: the arguments without the program name.
    /// - Throws: `UsageError` about the first argument that is wrong.
    package init(
        _ arguments: [String], environment: [String: String]
    ) throws(UsageError) {
        self.environment = environment
        let arguments = arguments.splittingValues
        var rest = arguments[...]
        var sawVerb = false
        while rest.first == "--config" {
            rest.removeFirst()
            configurationPath = try rest.value(of: "--config", "FILE")
        }
        try readGroup(&rest)
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h": verb = .help
            case "--version": verb = .version
            case "--config":
                configurationPath = try rest.value(of: argument, "FILE")
            case "serve", "check", "secret":
                guard !sawVerb else {
                    throw UsageError(
                        sentence: "unexpected command: \(argument); give one at a time")
                }
                sawVerb = true
                if verb == .serve { verb = Verb(rawValue: argument)! }
            default: throw .unknown(argument)
            }
        }
        if configurationPath == nil, let path = environment[ConfigurationSource.fileVariable],
            !path.isEmpty
        {
            configurationPath = path
        }
    }

    /// Parses a command with subcommands or options of its own; afterwards no argument is left.
    /// Only `--config` may precede it.
    private mutating func readGroup(_ rest: inout ArraySlice<String>) throws(UsageError) {
        guard let command = rest.first else { return }
        switch command {
        case "log":
            verb = .log
            rest.removeFirst()
            logCommand = try LogCommand(&rest, &configurationPath)
            if logCommand == nil { verb = .help }
        case "user":
            verb = .user
            rest.removeFirst()
            userCommand = try UserCommand(&rest, &configurationPath)
            if userCommand == nil { (verb, helpText, rest) = (.help, UserCommand.help, []) }
        case "token":
            verb = .token
            rest.removeFirst()
            tokenCommand = try TokenCommand(&rest, &configurationPath)
            if tokenCommand == nil { (verb, helpText, rest) = (.help, TokenCommand.help, []) }
        case "secret":
            verb = .secret
            rest.removeFirst()
            secretCommand = try SecretCommand(&rest)
            if secretCommand == nil { (verb, rest) = (.help, []) }
        case "help", "version":
            verb = .help
            rest.removeFirst()
            helpCommand = try HelpCommand(command, &rest)
        default:
            guard let named = AdminCommand.Verb(rawValue: command) else { return }
            verb = .server
            rest.removeFirst()
            serverCommand = try AdminCommand(named, &rest, &configurationPath)
            if serverCommand == nil { (verb, helpText, rest) = (.help, AdminCommand.help, []) }
        }
    }

    package struct UsageError: Error, Sendable {
        package let sentence: String
    }

    /// Runs a command line, and returns the exit code of the process.
    package static func run(_ arguments: [String], environment: [String: String]) -> ExitCode {
        Signals.ignoreBrokenPipes()
        do throws(UsageError) {
            return StandardOutput.finish(
                try GatehouseCommand(arguments, environment: environment).run())
        } catch {
            printError("\(error.sentence)\n\(usage)")
            var rest = arguments.splittingValues[...]
            while rest.first == "--config" { rest = rest.dropFirst(2) }
            // `log verify` has exit codes of its own, which scripts rely on.
            return rest.starts(with: ["log", "verify"]) ? .indeterminate : .usage
        }
    }

    private func run() -> ExitCode {
        do throws(RootCommand.Refusal) {
            if let account = try actAsOwner(), verb == .check {
                Self.printError("checked as \(account.description), the owner of the files")
            }
        } catch {
            for sentence in error.sentences { Self.printError(sentence) }
            return .notPermitted
        }
        switch verb {
        case .help:
            if let helpCommand { return helpCommand.run(environment) }
            StandardOutput.show(helpText)
            return .success
        case .version:
            StandardOutput.show("gatehouse \(Application.version)")
            return .success
        case .secret:
            guard let secretCommand else {
                StandardOutput.show(SecretCommand.newSecret())
                return .success
            }
            return secretCommand.run(environment)
        case .check: return check()
        case .serve: return serve()
        case .user:
            guard let userCommand, let configuration = load() else { return .configuration }
            return userCommand.run(configuration, VisibleText(environment))
        case .token:
            guard let tokenCommand, let configuration = load() else { return .configuration }
            return tokenCommand.run(configuration, environment)
        case .server:
            guard let serverCommand, let configuration = load() else { return .configuration }
            return serverCommand.run(configuration, VisibleText(environment))
        case .log:
            guard let logCommand, let configuration = load() else { return .configuration }
            ResourceLimits.raiseDescriptors()
            return logCommand.run(
                configuration, isConfigured: configurationPath != nil, environment)
        }
    }

    // MARK: Root

    /// The files, other than the configuration, that the command line names.
    private var namedFiles: [String] {
        switch verb {
        case .secret: [secretCommand?.file].compactMap(\.self)
        case .user: [userCommand?.path].compactMap(\.self)
        case .log: logCommand?.namedFiles ?? []
        default: []
        }
    }

    /// Switches to the account that owns the files, before any file is opened.
    /// - Returns: the account that the process now runs as; nil if it did not change.
    private func actAsOwner() throws(RootCommand.Refusal) -> Account? {
        guard geteuid() == 0, verb != .help, verb != .version else { return nil }
        let named = namedFiles
        if verb == .secret, named.isEmpty { return nil }
        let command = RootCommand(
            configurationPath: verb == .secret ? secretCommand?.file : configurationPath,
            environment: environment,
            named: named, namedKeys: logCommand?.keyFiles ?? [],
            usesConfiguredFiles: named.isEmpty)
        guard verb != .serve else {
            try command.refuseForeignFiles()
            return nil
        }
        return try command.becomeOwner()
    }

    // MARK: Commands

    private func check() -> ExitCode {
        // A start already runs its two signal threads when it measures; `check` does not.
        let limits = StartLimits.measured(missingThreads: 2)
        if let shortage = limits.shortageOfDescriptors {
            Self.printError(shortage.message)
            return .system
        }
        let draft = Configuration.Draft(file: configurationPath, environment: environment)
        var (problems, warnings) = (draft.problems, draft.configuration?.warnings ?? [])
        var userCount: Int?
        var shortage: StartLimits.Shortage?
        if var configuration = draft.configuration {
            let check = Preflight(configuration, known: draft.problems)
            problems += check.problems
            warnings += check.warnings
            userCount = check.userCount
            do throws(StartLimits.Shortage) {
                warnings += try limits.fit(&configuration)
            } catch {
                shortage = error
            }
        }
        // Warnings about a configuration that is wrong anyway would mislead.
        if draft.problems.isEmpty {
            for warning in warnings { Self.printError("warning: \(warning)") }
        }
        for problem in problems { Self.printError("\(problem)") }
        if let shortage { Self.printError(shortage.message) }
        guard problems.isEmpty else { return .configuration }
        guard shortage == nil else { return .system }
        StandardOutput.show(
            "the configuration is valid"
                + (userCount.map { $0 == 1 ? "; 1 user" : "; \($0) users" } ?? ""))
        return .success
    }

    private func serve() -> ExitCode {
        let signals: Signals
        do throws(Errno) {
            signals = try Signals()
        } catch {
            Self.printError(
                "threads: cannot create one: \(error.description); raise the limit (ulimit -u)")
            return .system
        }
        let limits = StartLimits.measured()
        if let shortage = limits.shortageOfDescriptors {
            Self.printError(shortage.message)
            return .system
        }
        // Before any other file is opened, whose descriptor could get a number that belongs to an
        // inherited socket.
        let inherited: [InheritedSocket]
        do throws(InheritedSocket.Failure) {
            inherited = try InheritedSocket.all(environment, processID: processID())
        } catch {
            Self.printError(error.message)
            return .configuration
        }
        do throws(SelfTest.Failure) {
            try SelfTest.run()
        } catch {
            Self.printError(
                "self-test: \(error.check) gives a wrong result; this build or machine is defective"
            )
            return .software
        }
        guard var configuration = load() else { return .configuration }
        do throws(StartLimits.Shortage) {
            configuration.warnings += try limits.fit(&configuration)
        } catch {
            Self.printError(error.message)
            return .system
        }
        let gatehouse: Application
        do throws(Application.StartError) {
            let source = Application.ConfigurationLocation(
                file: configurationPath, environment: environment)
            gatehouse = try Application(
                configuration, source: source, inherited: inherited, limits: limits,
                manager: ServiceNotifier(environment, processID: processID()))
        } catch {
            for sentence in error.messages { Self.printError(sentence) }
            switch error {
            case .revocations(_, let error) where error.isLoss: return .configuration
            case .log, .revocations, .places: return .cannotCreate
            case .users, .inherited: return .configuration
            case .listen: return .unavailable
            }
        }
        Signals.ignoreUnusedSignals()
        gatehouse.installCrashHandler()
        gatehouse.start()
        signals.serve(
            Signals.Handlers(
                reload: {
                    gatehouse.reopenLog()
                    gatehouse.reload()
                },
                reopen: { gatehouse.reopenLog() },
                stopTimeout: { gatehouse.drainTimeout },
                closeConnections: { gatehouse.closeConnections() },
                finishLog: {
                    let code: ExitCode =
                        gatehouse.finish(isClean: false) == 0 ? .success : .inputOutput
                    return code.rawValue
                }))
        Self.printError("listening on \(gatehouse.url)")
        signals.waitForStop()
        let lost = gatehouse.stop()
        guard lost == 0 else {
            Self.printError("log: \(lost) lines could not be written")
            return .inputOutput
        }
        return .success
    }

    private func load() -> Configuration? {
        do throws(Configuration.Invalid) {
            return try Configuration.load(file: configurationPath, environment: environment)
        } catch {
            for problem in error.problems { Self.printError("\(problem)") }
            return nil
        }
    }

    // MARK: Messages

    package static func printError(_ text: String) {
        let line = Array("gatehouse: \(text)\n".utf8)
        // If standard error cannot be written, the failure cannot be reported.
        _ = try? writeOnce(2, line.span)
    }

    private static let usage = """
        usage: gatehouse [COMMAND] [OPTIONS] [--config FILE]; see gatehouse --help
        """

    private static let help = """
        gatehouse \(Application.version): issues and verifies HS256 tokens, keeps a security log

          serve      answer requests until SIGTERM or SIGINT; the default command
          check      read the configuration and report everything that is wrong
          secret     print a new key; --add FILE [--id NAME] adds it to token.keys
          user add|set-password|remove|disable|enable|list   see user --help
          token issue|explain   issue a token, or explain one; see token --help
          revoke --user N | --session SID | --token [JTI] | --all; see revoke --help
          level [AREA LEVEL], reload, sessions, locks, unlock; see revoke --help
          log verify [FILES] [--anchor SEQ.MAC] [--key-file FILE] [--json] [--audit]
          log head   print the newest seal of each log: keep it as an anchor
          log stats [FILES] [--audit] [--since WHEN] [--json]   count the events
          log tail [FILE] [--audit] [--lines N] [--level L] [--area A] [--event E]
                   [--user U] [--no-follow]   print the last lines and new ones

          --config FILE   JSON; or GATEHOUSE_CONFIG; without it, the demo on port 8080
          --help          print this text
          --version       print the version

        Without FILES, log verify and head read both logs, log stats and tail app.log;
        --audit: only audit.log. - is standard input. --username NAME replaces --user.
        Variables: GATEHOUSE_LOG_FILE_MAX_SIZE is log.file.max_size. SIGHUP: reload.
        Exit codes: 0 done, 64 arguments, 66 no log file, 69 address in use, 71 limits,
        73 log not opened, 74 output lost, 77 not permitted, 78 configuration.
        """
}

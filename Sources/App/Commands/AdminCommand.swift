import Auth
import JSON
import JWT
import Logging
import Time

/// `gatehouse revoke`, `level`, `reload`, `sessions`, `locks` and `unlock`: what an operator can do
/// with a running server through its admin socket.
struct AdminCommand {
    enum Verb: String { case revoke, level, reload, sessions, locks, unlock }

    private enum Target {
        case user(NamedUser)
        case session(String)
        case tokenID(String)
        /// The token is read from standard input.
        case token
        case all
    }

    private enum Action {
        case revoke(Target, RevocationOptions)
        case level(Area?, Level)
        case levels
        case reload
        case sessions(NamedUser, asJSON: Bool)
        case locks(LocksCommand)
    }

    private struct RevocationOptions {
        /// Do not ask the operator for confirmation.
        var isConfirmed = false
        /// Accept a journal that lacks records, which a server start refuses.
        var acceptsShortJournal = false
    }

    private let action: Action

    /// Returns nil if help was requested.
    /// - Parameter rest: the arguments after the command.
    init?(
        _ verb: Verb, _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        if rest.contains("--help") || rest.contains("-h") { return nil }
        switch verb {
        case .revoke: action = try Self.revocation(&rest, &configurationPath)
        case .level: action = try Self.levelChange(&rest, &configurationPath)
        case .reload:
            while let argument = rest.popFirst() {
                guard argument == "--config" else { throw .unknown(argument) }
                configurationPath = try rest.value(of: argument)
            }
            action = .reload
        case .sessions:
            var user: NamedUser?
            var asJSON = false
            while let argument = rest.popFirst() {
                switch argument {
                case "--config": configurationPath = try rest.value(of: argument)
                case "--json": asJSON = true
                case _ where user == nil && NamedUser.isOption(argument):
                    user = try rest.namedUser(of: argument)
                default: throw .unknown(argument)
                }
            }
            guard let user else {
                throw GatehouseCommand.UsageError(
                    sentence: "missing option --user N or --username NAME; "
                        + "see gatehouse sessions --help")
            }
            action = .sessions(user, asJSON: asJSON)
        case .locks: action = .locks(try LocksCommand(listing: &rest, &configurationPath))
        case .unlock: action = .locks(try LocksCommand(unlocking: &rest, &configurationPath))
        }
    }

    private static func revocation(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) -> Action {
        var targets: [Target] = []
        var options = RevocationOptions()
        while let argument = rest.popFirst() {
            switch argument {
            case "--config": configurationPath = try rest.value(of: argument)
            case "--yes": options.isConfirmed = true
            case "--accept-short-journal": options.acceptsShortJournal = true
            case "--all": targets.append(.all)
            case "--user", "--username":
                targets.append(.user(try rest.namedUser(of: argument)))
            case "--session":
                // An identifier may begin with hyphens.
                guard let next = rest.popFirst(), !Self.allOptions.contains(next) else {
                    throw GatehouseCommand.UsageError(
                        sentence: "option --session needs a value; write --session SID")
                }
                targets.append(.session(try identifier(next, argument)))
            case "--token":
                // The same holds for a `jti`.
                guard let next = rest.first, !Self.allOptions.contains(next) else {
                    targets.append(.token)
                    continue
                }
                rest.removeFirst()
                targets.append(next == "-" ? .token : .tokenID(try identifier(next, argument)))
            default:
                if argument.hasPrefix("-") { throw .unknown(argument) }
                throw GatehouseCommand.UsageError(
                    sentence: TokenPrompt.looksLikeToken(argument)
                        ? TokenPrompt.refusal
                        : "revoke: unexpected argument; see gatehouse revoke --help")
            }
        }
        guard targets.count == 1, let target = targets.first else {
            throw GatehouseCommand.UsageError(
                sentence: "revoke: give exactly one of --user N, --username NAME, --session SID, "
                    + "--token [JTI] and --all")
        }
        if options.acceptsShortJournal {
            guard case .all = target else {
                throw GatehouseCommand.UsageError(
                    sentence:
                        "--accept-short-journal: allowed only with --all, because the missing "
                        + "records are unknown")
            }
        }
        return .revoke(target, options)
    }

    private static let allOptions = [
        "--config", "--yes", "--all", "--user", "--username", "--session", "--token",
        "--accept-short-journal",
    ]

    /// A `jti` or `sid` as the log shows it.
    private static func identifier(
        _ text: String, _ option: String
    ) throws(GatehouseCommand.UsageError) -> String {
        guard !TokenPrompt.looksLikeToken(text) else {
            throw GatehouseCommand.UsageError(sentence: "\(option): \(TokenPrompt.refusal)")
        }
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard (1...ShortText.capacity).contains(text.utf8.count), isPlain else {
            throw GatehouseCommand.UsageError(
                sentence:
                    "\(option): not an identifier of 1 to \(ShortText.capacity) bytes; copy it "
                    + "from the log")
        }
        return text
    }

    private static func levelChange(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) -> Action {
        var operands: [String] = []
        while let argument = rest.popFirst() {
            if argument == "--config" {
                configurationPath = try rest.value(of: argument)
            } else if argument.hasPrefix("-") {
                throw .unknown(argument)
            } else {
                operands.append(argument)
            }
        }
        if operands.isEmpty { return .levels }
        let areas = Area.allCases.map { "\($0.name)" }.joined(separator: ", ")
        guard operands.count == 2 else {
            throw GatehouseCommand.UsageError(
                sentence: "level: needs an area (\(areas) or all) and a level, for example: level "
                    + "http DEBUG; without arguments it shows the current levels")
        }
        let area = Area(name: operands[0])
        guard area != nil || operands[0] == "all" else {
            throw GatehouseCommand.UsageError(
                sentence: "\(operands[0]): unknown area; write \(areas) or all")
        }
        guard let level = Level(name: operands[1]) else {
            throw GatehouseCommand.UsageError(
                sentence: "\(operands[1]): unknown level; write DEBUG, INFO, WARNING, ERROR or "
                    + "CRITICAL")
        }
        return .level(area, level)
    }

    // MARK: Running

    /// - Parameter names: how user names are printed.
    func run(_ configuration: Configuration, _ names: VisibleText) -> GatehouseCommand.ExitCode {
        do throws(AdminAPI.Failure) {
            switch action {
            case .revoke(let target, let options):
                return revoke(target, options, configuration, names)
            case .level(let area, let level): try set(area, level, configuration)
            case .levels: try showLevels(configuration)
            case .reload: try reload(configuration)
            case .sessions(let named, let asJSON):
                let user: UserID
                do throws(NamedUser.Failure) { user = try named.id(configuration) } catch {
                    return error.report(names)
                }
                try list(user, asJSON: asJSON, configuration)
            case .locks(let command): try command.run(configuration)
            }
            return .success
        } catch {
            return error.report()
        }
    }

    private func set(
        _ area: Area?, _ level: Level, _ configuration: Configuration
    ) throws(AdminAPI.Failure) {
        var writer = JSONWriter()
        writer.beginObject()
        if let area {
            writer.name("area")
            writer.string("\(area.name)")
        }
        writer.name("level")
        writer.string("\(level.name)")
        writer.endObject()
        try AdminAPI(configuration).ask("PUT", "/log-level", json: writer.bytes)
        let setting = area.map { "log.areas.\($0.name)" } ?? "log.level"
        StandardOutput.show("\(setting) is \(level.name) until the next reload or restart")
        if area == nil { StandardOutput.show("until then, no area has a level of its own") }
    }

    private func showLevels(_ configuration: Configuration) throws(AdminAPI.Failure) {
        let answer = try AdminAPI(configuration).ask("GET", "/log-level")
        let areas = Area.allCases.map { area in
            ["\(area.name)", answer["areas"]?["\(area.name)"]?.text ?? ""]
        }
        let sinks = [("file", "log.file"), ("stderr", "log.stderr"), ("audit", "log.audit")]
            .map { name, setting in
                let sentence =
                    switch answer[name] {
                    case .string(let level)?: "writes \(level) and above"
                    case .boolean(false)?: "off"
                    default: "writes what the levels of the areas allow"
                    }
                return [setting, sentence]
            }
        for line in TextTable.lines(areas + sinks) { StandardOutput.show(line) }
    }

    private func reload(_ configuration: Configuration) throws(AdminAPI.Failure) {
        let (changed, waiting) = try AdminAPI(configuration).reload()
        if changed.isEmpty, waiting.isEmpty {
            StandardOutput.show("reloaded; no setting has changed")
        }
        for name in changed { StandardOutput.show("changed: \(name)") }
        for name in waiting { StandardOutput.show("needs a restart: \(name)") }
    }

    private func list(
        _ user: UserID, asJSON: Bool, _ configuration: Configuration
    ) throws(AdminAPI.Failure) {
        let answer = try AdminAPI(configuration).ask("GET", "/sessions?user=\(user.rawValue)")
        let sessions = answer["sessions"]?.elements ?? []
        guard !asJSON else {
            StandardOutput.show(String(decoding: Self.json(user, sessions), as: UTF8.self))
            return
        }
        guard !sessions.isEmpty else {
            GatehouseCommand.printError(
                "user \(user.rawValue): no session that this server has begun or renewed")
            return
        }
        var rows = [["session", "began", "seen", "ends", "from"]]
        for session in sessions {
            let times = ["began", "seen", "ends"].map { name in
                session[name]?.integer.map { HumanTime.utc(Timestamp(seconds: $0)) } ?? "-"
            }
            rows.append(
                [Self.shown(session["session"]?.text)] + times + [Self.shown(session["ip"]?.text)])
        }
        StandardOutput.show(TextTable.lines(rows).joined(separator: "\n"))
    }

    /// The response of the server, written again.
    private static func json(_ user: UserID, _ sessions: [JSONValue]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(user.rawValue)
        writer.name("sessions")
        writer.beginArray()
        for session in sessions {
            writer.beginObject()
            for name in ["session", "began", "ends", "seen", "ip"] as [StaticString] {
                if let text = session["\(name)"]?.text {
                    writer.name(name)
                    writer.string(text)
                } else if let number = session["\(name)"]?.integer {
                    writer.name(name)
                    writer.integer(number)
                }
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// A session identifier may come from a token that another issuer has made.
    private static func shown(_ text: String?) -> String { VisibleText.of(text ?? "-") }

    // MARK: Revoking

    private func revoke(
        _ target: Target, _ options: RevocationOptions, _ configuration: Configuration,
        _ names: VisibleText
    ) -> GatehouseCommand.ExitCode {
        if case .all = target, !options.isConfirmed, let refusal = Self.refusalOfAll() {
            return refusal
        }
        var writer = JSONWriter()
        writer.beginObject()
        let message: String
        /// The message and the exit code if the target is not known.
        var unknown = (sentence: "", exitCode: GatehouseCommand.ExitCode.success)
        switch target {
        case .user(let named):
            let user: UserID
            do throws(NamedUser.Failure) { user = try named.id(configuration) } catch {
                return error.report(names)
            }
            writer.name("user")
            writer.integer(user.rawValue)
            message = RevocationSubmission.endedMessage(user)
            unknown = ("no such user: \(user.rawValue)", .noUser)
        case .session(let id):
            writer.name("session")
            writer.string(id)
            message = "session \(VisibleText.of(id)) has ended"
            unknown.sentence = "unknown session"
        case .tokenID(let id):
            writer.name("token_id")
            writer.string(id)
            message = """
                token \(VisibleText.of(id)) is revoked
                only this token, not its successors; to end the session, use revoke --session SID
                """
            unknown.sentence = "unknown token"
        case .all:
            writer.name("all")
            writer.boolean(true)
            message = "all current sessions of all users have ended"
        case .token:
            guard let token = TokenPrompt.token() else { return .data }
            let claims: Claims
            switch Self.claims(of: token, configuration) {
            case .signed(let signed): claims = signed
            case .malformed:
                GatehouseCommand.printError(
                    "standard input: not a token; a token is three base64url parts with dots "
                        + "between"
                )
                return .usage
            case .unsigned:
                GatehouseCommand.printError(
                    "standard input: no key of this configuration signed this token; nothing to "
                        + "revoke"
                )
                return .data
            }
            writer.name("token")
            writer.string(token.span)
            let id = claims.tokenID.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "-"
            message = "token \(VisibleText.of(id)) of user \(claims.user.rawValue) is revoked"
        }
        writer.endObject()
        do throws(RevocationSubmission.Failure) {
            let done = try RevocationSubmission(
                writer.bytes, configuration, acceptsShortJournal: options.acceptsShortJournal
            ).send()
            if let note = done.destination.note { GatehouseCommand.printError(note) }
            switch done.target {
            case .known: break
            case .unreadable(let problems):
                for problem in problems { GatehouseCommand.printError("\(problem)") }
                GatehouseCommand.printError(
                    "the user may be unknown, because the users file cannot be read; recorded "
                        + "anyway"
                )
            case .unknown:
                let sentence = "\(unknown.sentence); recorded anyway"
                if unknown.exitCode == .success {
                    StandardOutput.show(sentence)
                } else {
                    GatehouseCommand.printError(sentence)
                }
                return unknown.exitCode
            }
            StandardOutput.show(message)
            return .success
        } catch {
            return error.report()
        }
    }

    /// Asks for confirmation. Returns nil if it was given, otherwise the exit code.
    private static func refusalOfAll() -> GatehouseCommand.ExitCode? {
        guard StandardInput.isTerminal else {
            GatehouseCommand.printError(
                "--all: ends every session of all users; confirm with --yes")
            return .usage
        }
        StandardInput.show("This ends every session of all users. Type yes to continue: ")
        guard let line = try? StandardInput.line(upTo: 100), line == Array("yes".utf8) else {
            GatehouseCommand.printError("nothing was revoked")
            return .usage
        }
        return nil
    }

    private enum ShownToken {
        case signed(Claims)
        case malformed
        case unsigned
    }

    /// The claims of a token that one of the keys has signed, valid or not.
    private static func claims(of token: [UInt8], _ configuration: Configuration) -> ShownToken {
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let claims: Claims?
        do throws(TokenError) {
            claims = try tokens.verify(token.span, at: WallClock.system.now())
        } catch {
            switch error {
            case .malformed, .notCanonical, .tooLong: return .malformed
            default: claims = error.claims
            }
        }
        return claims.map { .signed(TokenIdentity.fillingIdentifiers($0, of: token.span)) }
            ?? .unsigned
    }

    // MARK: Help

    static let help = """
        gatehouse revoke, level, reload, sessions, locks, unlock: control a running
        server through admin.socket

          revoke --user N        end all sessions of a user; also --username NAME
          revoke --session SID   end one session; SID as in the log and in sessions
          revoke --token [JTI]   revoke this token alone; without JTI, read the token
                                 from standard input and end its session, too
          revoke --all [--yes]   end all sessions of all users; --yes: do not ask
          level [AREA LEVEL]     show the log levels, or set one until the next
                                 reload: app, http, security, log, config or all
          reload                 read the configuration again, report the changes
          sessions --user N [--json]   sessions that this server began or renewed
          locks [--json]         users, unknown names and networks that are locked
          unlock --username NAME | --user N | --address IP | --all   end locks

          --config FILE          the configuration of the server
          --accept-short-journal with revoke --all: accept missing journal records

        Without a server, revoke writes to the journal (state.revocations) for the next
        start; run it as the server's user. Unknown targets are reported and recorded.
        Exit codes: 0 done, 64 wrong arguments or not a token, 65 a token of another
        key, 67 no such user, 69 no server, 73 and 74 not written, 77 not permitted, 78
        wrong configuration, no admin.socket, or a journal that lacks records.
        """
}

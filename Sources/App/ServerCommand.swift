import Auth
import JSON
import JWT
import Logging
import Time

/// `gatehouse revoke`, `level`, `reload` and `sessions`: what an operator has a running server do, through
/// its admin socket.
struct ServerCommand {
    enum Verb: String { case revoke, level, reload, sessions }

    private enum Target {
        case user(UserID)
        case session(String)
        case tokenID(String)
        /// On standard input.
        case token
        case all
    }

    private enum Task {
        case revoke(Target, isConfirmed: Bool)
        case level(Area?, Level)
        case reload
        case sessions(UserID)
    }

    private let task: Task

    /// Nil if help was asked for.
    /// - Parameter rest: what stands behind the verb.
    init?(
        _ verb: Verb, _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(Command.UsageError) {
        if rest.contains("--help") || rest.contains("-h") { return nil }
        switch verb {
        case .revoke: task = try Self.revocation(&rest, &configurationPath)
        case .level: task = try Self.levelChange(&rest, &configurationPath)
        case .reload:
            while let argument = rest.popFirst() {
                guard argument == "--config" else { throw .unknown(argument) }
                configurationPath = try rest.value(of: argument)
            }
            task = .reload
        case .sessions:
            var user: UserID?
            while let argument = rest.popFirst() {
                switch argument {
                case "--config": configurationPath = try rest.value(of: argument)
                case "--user" where user == nil: user = try rest.user(of: argument)
                default: throw .unknown(argument)
                }
            }
            guard let user else {
                throw Command.UsageError(sentence: "sessions of whom? write sessions --user N")
            }
            task = .sessions(user)
        }
    }

    private static func revocation(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(Command.UsageError) -> Task {
        var targets: [Target] = []
        var isConfirmed = false
        while let argument = rest.popFirst() {
            switch argument {
            case "--config": configurationPath = try rest.value(of: argument)
            case "--yes": isConfirmed = true
            case "--all": targets.append(.all)
            case "--user": targets.append(.user(try rest.user(of: argument)))
            case "--session":
                // An identifier may begin with hyphens.
                guard let next = rest.popFirst(), !Self.options.contains(next) else {
                    throw Command.UsageError(
                        sentence: "--session needs a value; write --session SID")
                }
                targets.append(.session(try identifier(next, argument)))
            case "--token":
                // This one, too.
                guard let next = rest.first, !Self.options.contains(next) else {
                    targets.append(.token)
                    continue
                }
                rest.removeFirst()
                targets.append(next == "-" ? .token : .tokenID(try identifier(next, argument)))
            default:
                if argument.hasPrefix("-") { throw .unknown(argument) }
                throw Command.UsageError(
                    sentence: TokenInput.looksLikeToken(argument)
                        ? TokenInput.refusal : "revoke: a word that belongs to no option")
            }
        }
        guard targets.count == 1, let target = targets.first else {
            throw Command.UsageError(
                sentence: "revoke exactly one of --user N, --session SID, --token [JTI] and --all")
        }
        return .revoke(target, isConfirmed: isConfirmed)
    }

    private static let options = ["--config", "--yes", "--all", "--user", "--session", "--token"]

    /// A `jti` or `sid`, as they stand in the log.
    private static func identifier(
        _ text: String, _ option: String
    ) throws(Command.UsageError) -> String {
        guard !TokenInput.looksLikeToken(text) else {
            throw Command.UsageError(sentence: "\(option): \(TokenInput.refusal)")
        }
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard (1...ShortText.capacity).contains(text.utf8.count), isPlain else {
            throw Command.UsageError(
                sentence: "\(option): not an identifier of 1 to \(ShortText.capacity) bytes, as "
                    + "the log has them")
        }
        return text
    }

    private static func levelChange(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(Command.UsageError) -> Task {
        var words: [String] = []
        while let argument = rest.popFirst() {
            if argument == "--config" {
                configurationPath = try rest.value(of: argument)
            } else if argument.hasPrefix("-") {
                throw .unknown(argument)
            } else {
                words.append(argument)
            }
        }
        let areas = Area.allCases.map { "\($0.name)" }.joined(separator: ", ")
        guard words.count == 2 else {
            throw Command.UsageError(
                sentence: "level wants an area (\(areas), or all) and a level, as in level http "
                    + "DEBUG")
        }
        let area = Area(name: words[0])
        guard area != nil || words[0] == "all" else {
            throw Command.UsageError(sentence: "\(words[0]): no such area; write \(areas) or all")
        }
        guard let level = Level(name: words[1]) else {
            throw Command.UsageError(
                sentence: "\(words[1]): no such level; write DEBUG, INFO, WARNING, ERROR or "
                    + "CRITICAL")
        }
        return .level(area, level)
    }

    // MARK: Running

    func run(_ configuration: Configuration) -> Command.ExitCode {
        do throws(RunningServer.Failure) {
            switch task {
            case .revoke(let target, let isConfirmed):
                return revoke(target, isConfirmed, configuration)
            case .level(let area, let level): try set(area, level, configuration)
            case .reload: try reload(configuration)
            case .sessions(let user): try list(user, configuration)
            }
            return .success
        } catch {
            return error.told()
        }
    }

    private func set(
        _ area: Area?, _ level: Level, _ configuration: Configuration
    ) throws(RunningServer.Failure) {
        var writer = JSONWriter()
        writer.beginObject()
        if let area {
            writer.name("area")
            writer.string("\(area.name)")
        }
        writer.name("level")
        writer.string("\(level.name)")
        writer.endObject()
        try RunningServer(configuration).ask("PUT", "/log-level", json: writer.bytes)
        let what = area.map { "log.areas.\($0.name)" } ?? "log.level"
        StandardOutput.show("\(what) is \(level.name) until the next reload or restart")
    }

    private func reload(_ configuration: Configuration) throws(RunningServer.Failure) {
        let (changed, waiting) = try RunningServer(configuration).reload()
        if changed.isEmpty, waiting.isEmpty {
            StandardOutput.show("read again; no setting has changed")
        }
        for name in changed { StandardOutput.show("changed: \(name)") }
        for name in waiting { StandardOutput.show("waits for a restart: \(name)") }
    }

    private func list(
        _ user: UserID, _ configuration: Configuration
    ) throws(RunningServer.Failure) {
        let answer = try RunningServer(configuration).ask("GET", "/sessions?user=\(user.number)")
        let sessions = answer["sessions"]?.elements ?? []
        guard !sessions.isEmpty else {
            Command.say("no session of user \(user.number) that this server has begun or renewed")
            return
        }
        var rows = [["session", "began", "seen", "ends", "from"]]
        for session in sessions {
            let times = ["began", "seen", "ends"].map { name in
                session[name]?.integer.map { MomentWords.utc(Timestamp(seconds: $0)) } ?? "-"
            }
            rows.append(
                [Self.shown(session["session"]?.text)] + times + [Self.shown(session["ip"]?.text)])
        }
        StandardOutput.show(PlainTable.lines(rows).joined(separator: "\n"))
    }

    /// A session's identifier may come from a token of somebody else's making.
    private static func shown(_ text: String?) -> String { VisibleText.of(text ?? "-") }

    // MARK: Revoking

    private func revoke(
        _ target: Target, _ isConfirmed: Bool, _ configuration: Configuration
    ) -> Command.ExitCode {
        if case .all = target, !isConfirmed, let refusal = Self.refusalOfAll() { return refusal }
        var writer = JSONWriter()
        writer.beginObject()
        let what: String
        switch target {
        case .user(let user):
            writer.name("user")
            writer.integer(user.number)
            what = RevocationRequest.ended(user)
        case .session(let id):
            writer.name("session")
            writer.string(id)
            what = "session \(VisibleText.of(id)) has ended"
        case .tokenID(let id):
            writer.name("token_id")
            writer.string(id)
            what = """
                token \(VisibleText.of(id)) is revoked
                this token alone, not what it was exchanged for; to end its session use --session SID
                """
        case .all:
            writer.name("all")
            writer.boolean(true)
            what = "all sessions of everybody that have begun until now have ended"
        case .token:
            guard let token = TokenInput.token() else { return .data }
            guard let claims = Self.claims(of: token, configuration) else {
                Command.say(
                    "no key of this configuration has signed that; there is nothing to revoke")
                return .data
            }
            writer.name("token")
            writer.string(token.span)
            let id = claims.tokenID.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "-"
            what = "token \(VisibleText.of(id)) of user \(claims.user.number) is revoked"
        }
        writer.endObject()
        do throws(RevocationRequest.Failure) {
            let way = try RevocationRequest(writer.bytes, configuration).send()
            StandardOutput.show(what)
            if let note = way.note { Command.say(note) }
            return .success
        } catch {
            return error.told()
        }
    }

    /// Nil if it may go on.
    private static func refusalOfAll() -> Command.ExitCode? {
        guard StandardInput.isTerminal else {
            Command.say("--all ends every session of everybody; write --yes if that is meant")
            return .usage
        }
        StandardInput.show("This ends every session of everybody. Type yes to go on: ")
        guard let line = try? StandardInput.line(upTo: 100), line == Array("yes".utf8) else {
            Command.say("nothing was revoked")
            return .usage
        }
        return nil
    }

    /// What a token says that one of the keys has signed, whether or not it is good.
    private static func claims(of token: [UInt8], _ configuration: Configuration) -> Claims? {
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        let claims: Claims?
        do throws(TokenError) {
            claims = try tokens.verify(token.span, at: WallClock.system.now())
        } catch {
            claims = error.claims
        }
        return claims.map { TokenIdentity.completing($0, of: token.span) }
    }

    // MARK: Words

    static let help = """
        gatehouse revoke, level, reload, sessions: what a running server is told, through the socket
        that admin.socket of its configuration names.

          revoke --user N        end all sessions that the user has begun until now
          revoke --session SID   end one session; SID as the log and sessions have it
          revoke --token [JTI]   with its jti: this token alone; to end its session use --session
                                 SID. Without JTI the token itself is read from standard input,
                                 never from an argument; its session ends, too
          revoke --all [--yes]   end all sessions of everybody; asks first, but with --yes
          level AREA LEVEL       app, http, security, log, config or all; until the next reload
          reload                 read the configuration again; says what changed, and what waits
          sessions --user N      those that this server has begun or renewed

          --config FILE          the server's own

        Without a server, revoke writes to the journal (state.revocations), for the next start; run
        it as the user that the server runs as.

        Exit codes: 0 done, 64 wrong arguments, 65 no token, 69 no server answers, 73 and 74 not
        written, 77 not permitted, 78 wrong configuration, or none with admin.socket.
        """
}

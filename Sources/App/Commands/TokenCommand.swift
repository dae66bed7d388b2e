import Audit
import Auth
import Foundation
import Glibc
import HTTP
import JSON
import JWT
import POSIX
import Revocation
import Server
import Time

/// `gatehouse token …`: issues a token for an operator, and explains the verdict on a token.
struct TokenCommand {
    private enum Verb: String { case issue, explain }

    private let verb: Verb
    private var user: NamedUser?
    private var span: TimeAmount?
    private var moment: Timestamp?

    /// Returns nil if help was requested.
    /// - Parameter rest: the arguments after `token`.
    init?(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        if rest.contains("--help") || rest.contains("-h") { return nil }
        var verb: Verb?
        while let argument = rest.popFirst() {
            switch (verb, argument) {
            case (_, "--config"): configurationPath = try rest.value(of: argument)
            case (nil, _):
                guard let named = Verb(rawValue: argument) else {
                    throw GatehouseCommand.UsageError(
                        sentence: TokenPrompt.looksLikeToken(argument)
                            ? TokenPrompt.refusal
                            : "token: unknown subcommand \(argument); write token issue or explain"
                    )
                }
                verb = named
            case (.issue, _) where user == nil && NamedUser.isOption(argument):
                user = try rest.namedUser(of: argument)
            case (.issue, "--ttl") where span == nil:
                span = try Self.span(rest.value(of: argument))
            case (.explain, "--at") where moment == nil:
                moment = try Self.moment(rest.value(of: argument), WallClock.system.now())
            case (_, _) where argument.hasPrefix("-"): throw .unknown(argument)
            case (let verb?, _):
                // The argument is not shown: it may be a token.
                throw GatehouseCommand.UsageError(
                    sentence: verb == .issue
                        ? "token issue: unexpected argument; see gatehouse token --help"
                        : "token explain: \(TokenPrompt.refusal)")
            }
        }
        guard let verb else {
            throw GatehouseCommand.UsageError(
                sentence: "token: missing subcommand; write token issue or token explain")
        }
        guard verb != .issue || user != nil else {
            throw GatehouseCommand.UsageError(
                sentence: "token issue: missing option --user N or --username NAME")
        }
        self.verb = verb
    }

    private static func span(_ text: String) throws(GatehouseCommand.UsageError) -> TimeAmount {
        guard let span = DurationAndSize.duration(text), span.milliseconds >= 1000,
            span.milliseconds % 1000 == 0
        else {
            throw GatehouseCommand.UsageError(
                sentence: "--ttl: \"\(text)\" is not a lifetime; write 10m or 12h")
        }
        return span
    }

    /// The argument of `--at`: what `log stats --since` accepts, or a duration after now, or
    /// seconds since 1970.
    static func moment(_ text: String, _ now: Timestamp) throws(GatehouseCommand.UsageError)
        -> Timestamp
    {
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        if isNumber, let seconds = Int64(text) { return Timestamp(seconds: seconds) }
        if text.hasPrefix("+"), let span = DurationAndSize.duration(String(text.dropFirst())) {
            return now + span
        }
        guard let moment = Timestamp(since: text, now: now) else {
            throw GatehouseCommand.UsageError(
                sentence:
                    "--at: \"\(text)\" is not a time; write 2026-11-21T07:00:00Z, 30m (ago), +30m "
                    + "or seconds since 1970")
        }
        return moment
    }

    func run(
        _ configuration: Configuration, _ environment: [String: String]
    ) -> GatehouseCommand.ExitCode {
        switch verb {
        case .issue: return issue(configuration, VisibleText(environment))
        case .explain:
            let isColored = isatty(1) == 1 && environment["NO_COLOR", default: ""].isEmpty
            return explain(configuration, VisibleText(environment), isColored: isColored)
        }
    }

    // MARK: Issue

    /// The running server issues the token, so that its log records it.
    private func issue(
        _ configuration: Configuration, _ names: VisibleText
    ) -> GatehouseCommand.ExitCode {
        let user: UserID
        do throws(NamedUser.Failure) {
            guard let named = self.user else { return .software }
            user = try named.id(configuration)
        } catch {
            return error.report(names)
        }
        if let span, configuration.sessionLifetime < span {
            GatehouseCommand.printError(
                "--ttl: \(DurationAndSize.text(span)) is longer than a session; "
                    + "token.session is \(DurationAndSize.text(configuration.sessionLifetime))")
            return .usage
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(user.rawValue)
        if let span {
            writer.name("ttl")
            writer.integer(span.wholeSeconds)
        }
        writer.endObject()
        do throws(AdminAPI.Failure) {
            let answer = try AdminAPI(configuration).ask("POST", "/issue", json: writer.bytes)
            guard let token = answer["token"]?.text else { return .software }
            StandardOutput.show(token)
            return .success
        } catch {
            if case .refused(404, "User not found", _) = error {
                GatehouseCommand.printError(
                    "user \(user.rawValue): unknown to the server, or disabled; "
                        + "see gatehouse user list")
                return .noUser
            }
            if error.isNotRunning {
                GatehouseCommand.printError(
                    "tokens are issued by the running server so that they are logged; start it "
                        + "first"
                )
            }
            return error.report()
        }
    }

    // MARK: Explain

    private func explain(
        _ configuration: Configuration, _ names: VisibleText, isColored: Bool
    ) -> GatehouseCommand.ExitCode {
        guard !configuration.keysAreTemporary else {
            GatehouseCommand.printError(
                "token.keys: none are configured, and a server without them uses a random key; "
                    + "name its configuration with --config")
            return .configuration
        }
        guard let token = TokenPrompt.token() else { return .noInput }
        let isNow = moment == nil
        let moment = moment ?? WallClock.system.now()
        let tokens = HS256(keys: configuration.keys, policy: configuration.policy)
        var explanation = TokenExplanation(token, tokens, at: moment)
        let users: UserDirectory
        do throws(Configuration.Invalid) {
            users = try configuration.readUsers()
        } catch {
            for problem in error.problems { GatehouseCommand.printError("\(problem)") }
            return .configuration
        }
        var lookup: RevocationLookup?
        if let claims = explanation.claims {
            let named = TokenIdentity.fillingIdentifiers(claims, of: token.span)
            lookup = RevocationLookup(of: named, configuration, users, at: moment, isNow: isNow)
        }
        let verdict = TokenVerdict(
            token, explanation, lookup?.known, users, at: moment,
            longestHead: configuration.server.limits.head)
        lookup?.describe(in: &explanation, users, names, at: moment)

        StandardOutput.show("At \(HumanTime.utc(moment)):")
        for step in explanation.steps { StandardOutput.show(Self.line(step, isColored: isColored)) }
        StandardOutput.show(verdict.description)
        return verdict.exitCode
    }

    private static func line(_ step: TokenExplanation.Step, isColored: Bool) -> String {
        var mark = step.mark.rawValue
        mark += String(repeating: " ", count: 5 - mark.count)
        let name = step.name + String(repeating: " ", count: max(0, 10 - step.name.count))
        let color: String? =
            switch step.mark {
            case .good: "32"
            case .bad: "31"
            case .unverified, .unknown: "33"
            case .note: nil
            }
        if isColored, let color { mark = "\u{1B}[\(color)m\(mark)\u{1B}[0m" }
        let text = step.mark == .unverified ? "\(step.text) (unverified)" : step.text
        return "\(mark) \(name) \(text)"
    }

    // MARK: Help

    static let help = """
        gatehouse token: issue a token, or explain whether a token is accepted

          token issue --user N [--ttl 10m]   print a token that the server issues and
                                             logs; with --ttl, its session ends with
                                             it; --username NAME replaces --user N
          token explain [--at TIME]          read a token from standard input, never
                                             from an argument, and explain each check

          --at TIME       2026-11-21T07:00:00Z, 30m (ago), +30m, or seconds since 1970
          --config FILE   the configuration of the server

        Each step is marked ok, NO, - (information) or ? (unknown). What a token without
        a valid signature claims is marked says. The running server, or else its
        journal, tells whether the token was revoked. Nothing is logged, and neither the
        token nor its signature is shown.

        Exit codes of token explain: 0 accepted, 1 not accepted, 64 wrong arguments, 66
        no token, 69 revocation unknown, 74 not written, 78 wrong configuration. Of
        token issue: 0 done, 64, 67 no such user, 69 no server, 74, 77 no permission, 78
        """
}

/// The revocation state of a token, and where it was found.
private struct RevocationLookup {
    /// Nil if it could not be determined.
    private(set) var known: TokenStatus?
    /// Where the state comes from, or why it is unknown.
    private let source: String
    private let claims: Claims

    /// - Parameter claims: with the identifiers filled in.
    init(
        of claims: Claims, _ configuration: Configuration, _ users: UserDirectory,
        at moment: Timestamp, isNow: Bool
    ) {
        self.claims = claims
        let leeway = isNow ? nil : configuration.policy.leeway
        do throws(AdminAPI.Failure) {
            let answer = try AdminAPI(configuration).ask(
                "POST", "/standing", json: TokenStatus.requestBody(about: claims))
            known = TokenStatus(answer)?.inForce(at: moment, leeway: leeway)
            source =
                known == nil
                ? "the running server does not report it" : "according to the running server"
            return
        } catch {
            // The journal contains the same, except for what is not on the disk yet.
        }
        guard let path = configuration.revocationJournal else {
            source = "there is no journal"
            return
        }
        do throws(RevocationsError) {
            let revocations = try Revocations(
                reading: path, at: moment, guarded: configuration.journalGuard())
            known = TokenStatus(of: claims, revocations, users)
                .inForce(at: moment, leeway: leeway)
            source = "according to \(path)"
        } catch {
            source = "\(path) \(error.sentence)"
        }
    }

    func describe(
        in explanation: inout TokenExplanation, _ users: UserDirectory, _ names: VisibleText,
        at moment: Timestamp
    ) {
        guard let known else {
            explanation.add(.unknown, "revoked", source)
            return
        }
        let user =
            users[claims.user].map { names.of($0.name) } ?? "user \(claims.user.rawValue)"
        if known.isUserKnown {
            explanation.add(.good, "user", user)
        } else {
            explanation.add(
                .bad, "user",
                "\(user) is "
                    + (users[claims.user]?.isDisabled == true ? "disabled" : "unknown"))
        }
        let name = "revoked"
        switch known.revocation {
        case nil: explanation.add(.good, name, "no, \(source)")
        case .revoked(let revoked)? where moment < revoked:
            explanation.add(.good, name, "not yet: \(timeText(revoked, moment)), \(source)")
        case .revoked(let revoked)?:
            explanation.add(.bad, name, "\(timeText(revoked, moment)), \(source)")
        case .alreadyUsed(let exchanged)? where moment < exchanged:
            explanation.add(
                .good, name, "not yet exchanged: \(timeText(exchanged, moment)), \(source)")
        case .alreadyUsed(let exchanged)? where moment < exchanged + BearerAuthentication.grace:
            explanation.add(
                .good, name,
                "exchanged for a new token \(timeText(exchanged, moment)); for "
                    + "\(HumanTime.span(BearerAuthentication.grace)) both are valid, \(source)")
        case .alreadyUsed(let exchanged)?:
            explanation.add(
                .bad, name,
                "exchanged for a new token \(timeText(exchanged, moment)), \(source); presenting "
                    + "it again ends its session")
        }
    }

    private func timeText(_ past: Timestamp, _ moment: Timestamp) -> String {
        "\(HumanTime.utc(past)), \(HumanTime.relative(past, to: moment))"
    }
}

/// The response of GET /resource to the token.
private struct TokenVerdict {
    private let response: Response
    private let isAccepted: Bool
    private let isCertain: Bool
    private let disagrees: Bool

    init(
        _ token: [UInt8], _ explanation: TokenExplanation, _ status: TokenStatus?,
        _ users: UserDirectory, at moment: Timestamp, longestHead: Int
    ) {
        var isCertain = true
        switch explanation.outcome {
        case .failure(let error):
            disagrees = explanation.failure.map { "\($0)" } != "\(error.reason)"
            if token.count >= longestHead {
                // The server refuses the request before it looks at the token.
                response = .error(.requestHeaderFieldsTooLarge)
            } else if BearerCredentials.isToken(token.span) {
                response = BearerAuthentication.refusal(of: error).response
            } else {
                response = BearerAuthentication.invalidRequest
            }
        case .success(let claims):
            disagrees = explanation.failure != nil
            if !(status?.isUserKnown ?? users.contains(claims.user)) {
                response = BearerAuthentication.userNotFound
            } else if status?.isRevoked(at: moment) == true {
                response = BearerAuthentication.tokenRevoked
            } else {
                // A server that has not reloaded its users may know a user that is not in the file.
                response = Resource.response(
                    for: users[claims.user] ?? User(id: claims.user, username: "", name: "…"))
                isCertain = status != nil
            }
        }
        self.isCertain = isCertain
        isAccepted = response.status == .ok
    }

    var description: String {
        let body = String(decoding: response.content, as: UTF8.self)
        var text = "GET /resource answers \(response.status.rawValue) \(body)"
        if !isCertain { text += ", unless it was revoked" }
        if disagrees { text += "\nthe steps above do not explain this result: please report it" }
        return text
    }

    var exitCode: GatehouseCommand.ExitCode {
        if !isAccepted { return .failed }
        return isCertain ? .success : .unavailable
    }
}

extension TokenStatus {
    fileprivate func isRevoked(at moment: Timestamp) -> Bool {
        switch revocation {
        case nil: false
        case .revoked(let revoked)?: revoked <= moment
        case .alreadyUsed(let exchanged)?: exchanged + BearerAuthentication.grace <= moment
        }
    }
}

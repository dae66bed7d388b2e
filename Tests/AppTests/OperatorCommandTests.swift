import Foundation
import Glibc
import JWT
import TestSupport
import Testing
import Time

@testable import App

/// A server with an admin socket and a known key, and commands that use its configuration.
private struct Installation {
    let folder: TemporaryFolder

    init(_ token: String = "", admin: String = "\"admin\":{\"socket\":\"s\"},") throws {
        folder = try TemporaryFolder()
        try folder.file(
            "config.json",
            """
            {"server":{"port":0},\(admin)"login":{"mode":"demo"},
             "token":{"keys":[{"id":"a","secret":"\(Self.secret)"}]\(token)},
             "log":{"file":{"path":"app.log"},"stderr":{"level":"CRITICAL"}}}
            """)
    }

    static let secret = "the secret of key a, 32 bytes up"

    func serve() throws -> ServerProcess {
        try ServerProcess(in: folder, ["SERVER_PORT": "0"], ["serve", "--config", "config.json"])
    }

    @discardableResult
    func run(
        _ arguments: [String], typing input: String? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try folder.file(".input", $0) }
        let process = try ServerProcess.start(
            in: folder, [:], arguments + ["--config", "config.json"], input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    func issue(_ arguments: String...) throws -> String {
        let (ending, output, errors) = try run(["token", "issue", "--user", "1"] + arguments)
        try #require(ending == .exited(0), "\(errors)")
        return output.trimmingCharacters(in: .newlines)
    }

    func log() throws -> String { try folder.content("app.log") }
}

extension ServerProcess {
    fileprivate func status(of token: String) throws -> Int { try ask(.resource(token)).status }
}

@Suite(.blocking, .serialized, .tags(.timing))
struct OperatorCommandTests {
    // MARK: Tokens

    @Test func `token issue prints only the token, and the log records it`() throws {
        let installation = try Installation()
        let server = try installation.serve()
        let token = try installation.issue("--ttl", "10m")
        #expect(try server.status(of: token) == 200)
        let keys = KeyRing([KeyRing.Entry(id: "a", secret: Array(Installation.secret.utf8).span)!])!
        let tokens = HS256(keys: keys, policy: TokenPolicy())
        let claims = try tokens.verify(Array(token.utf8).span, at: WallClock.system.now())
        let issued = try #require(claims.issued)
        #expect(claims.expires == issued + .seconds(600))
        #expect(claims.sessionExpires == claims.expires)
        let lines = try installation.log().split(separator: "\n").filter {
            $0.contains("authn_token_created user=1 ") && $0.contains(" ip=unix ")
        }
        #expect(lines.count == 1)
        #expect(try !installation.log().contains(token))

        for (arguments, code, words) in [
            (["--user", "9"], 67 as CInt, "user 9: unknown to the server"),
            (["--user", "1", "--ttl", "13h"], 64, "longer than a session"),
        ] {
            let (ending, output, errors) = try installation.run(["token", "issue"] + arguments)
            #expect(ending == .exited(code))
            #expect(output == "")
            #expect(errors.contains(words))
        }
    }

    @Test func `a command without a server explains how to reach one`() throws {
        let installation = try Installation()
        let unreachable = try Installation(admin: "")
        for arguments in [
            ["token", "issue", "--user", "1"], ["level", "all", "DEBUG"], ["reload"],
            ["sessions", "--user", "1"],
        ] {
            let (ending, output, errors) = try installation.run(arguments)
            #expect(ending == .exited(69))
            #expect(output == "")
            #expect(errors.contains("s: no server is running; start it"))
            let other = try unreachable.run(arguments)
            #expect(other.ending == .exited(78))
            #expect(other.errors.contains("admin.socket: not configured"))
        }
    }

    @Test func `token explain agrees with the server before and after a revocation`() throws {
        let installation = try Installation()
        let server = try installation.serve()
        let token = try installation.issue()
        let explain = ["token", "explain"]
        var (ending, output, errors) = try installation.run(explain, typing: token + "\r\n")
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(output.contains("ok    revoked    no, according to the running server\n"))
        #expect(output.contains("ok    user       Alice\n"))
        var answer = try server.ask(.resource(token))
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
        for part in token.split(separator: ".") { #expect(!output.contains(part)) }
        #expect(!output.contains("\u{1B}"))
        let verified = try installation.log().components(separatedBy: "authn_token_verified").count

        (ending, output, _) = try installation.run(["revoke", "--token"], typing: token + "\n")
        #expect(ending == .exited(0))
        #expect(output.hasSuffix(" of user 1 is revoked\n"))
        (ending, output, _) = try installation.run(explain, typing: token)
        #expect(ending == .exited(1))
        answer = try server.ask(.resource(token))
        #expect(answer.status == 401)
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
        #expect(output.contains("\nNO    revoked    "))
        // None of this counts as a verification.
        #expect(
            try installation.log().components(separatedBy: "authn_token_verified").count == verified
        )

        // The journal gives the same result.
        try server.stop()
        (ending, output, _) = try installation.run(explain, typing: token)
        #expect(ending == .exited(1))
        #expect(output.contains("according to revocations.journal\n"))
        (ending, output, _) = try installation.run(explain + ["--at", "+1h"], typing: token)
        #expect(ending == .exited(1))
        #expect(output.contains("\nNO    exp        "))
        #expect(output.hasSuffix("\nGET /resource answers 401 {\"error\":\"Token expired\"}\n"))
    }

    @Test(arguments: [
        "abc", "a.b.c", "a b", "{\"token\":1}", "a.b.c=", "ü",
        String(repeating: "a", count: 9000), String(repeating: "a", count: 20_000),
    ])
    func `token explain predicts the server's answer to text that is not a token`(token: String)
        throws
    {
        let installation = try Installation()
        let server = try installation.serve()
        let (ending, output, _) = try installation.run(["token", "explain"], typing: token + "\n")
        #expect(ending == .exited(1))
        let answer = try server.ask(.resource(token))
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
    }

    @Test(arguments: [
        ["token", "explain", "eyJhbGciOiJIUzI1NiJ9.e30.x"], ["token", "eyJhbGciOiJIUzI1NiJ9"],
        ["revoke", "--token", "eyJhbGciOiJIUzI1NiJ9.e30.x"], ["revoke", "--session", "a.b.c"],
        ["revoke", "eyJhbGciOiJIUzI1NiJ9"], ["eyJhbGciOiJIUzI1NiJ9.e30.x"],
        ["token", "explain", "--eyJhbGciOiJIUzI1NiJ9"],
    ])
    func `a token as an argument is refused and not repeated`(arguments: [String]) throws {
        let installation = try Installation()
        let (ending, output, errors) = try installation.run(arguments)
        #expect(ending == .exited(64))
        #expect(!(output + errors).contains("eyJ") && !(output + errors).contains("a.b.c"))
        #expect(errors.contains("looks like a token"))
    }

    @Test func `a missing token on standard input is reported`() throws {
        let installation = try Installation()
        for input in ["", "\n", "  \n"] {
            let (ending, _, errors) = try installation.run(["token", "explain"], typing: input)
            #expect(ending == .exited(66))
            #expect(errors.contains("standard input: no token"))
        }
        let (ending, _, errors) = try installation.run(
            ["token", "explain"], typing: "Bearer eyJ\n")
        #expect(ending == .exited(66))
        #expect(errors.contains("without `Authorization` and `Bearer`"))
        #expect(!errors.contains("eyJ"))
    }

    @Test(
        arguments: [
            ("5m", 1_799_999_700_000), ("+2h", 1_800_007_200_000),
            ("1800000060", 1_800_000_060_000),
            ("2027-01-15T08:00:00.5Z", 1_800_000_000_500), ("2027-01-15", 1_799_971_200_000),
            ("", nil), ("+", nil), ("soon", nil), ("-5m", nil), ("+5", nil),
            ("99999999999999999999", nil),
        ] as [(String, Int64?)])
    func `--at accepts the times of log stats, durations after now and seconds`(
        text: String, milliseconds: Int64?
    ) {
        let now = Timestamp(seconds: 1_800_000_000)
        #expect((try? TokenCommand.moment(text, now))?.milliseconds == milliseconds)
    }

    // MARK: Revocation

    @Test func `revoke ends one session, all sessions of a user, and all sessions`() throws {
        let installation = try Installation()
        let server = try installation.serve()
        let (first, second, third) = (
            try installation.issue(), try installation.issue(), try installation.issue()
        )
        var (ending, output, _) = try installation.run(["sessions", "--user", "1"])
        #expect(ending == .exited(0))
        let rows = output.split(separator: "\n")
        #expect(rows.count == 4)
        #expect(rows.first?.hasPrefix("session ") == true)
        #expect(rows.dropFirst().allSatisfy { $0.hasSuffix(" UTC  unix") })

        // Normally the newest comes first; but all three may be of the same millisecond, so it is
        // any of them.
        let session = try #require(rows[1].split(separator: " ").first)
        (ending, output, _) = try installation.run(["revoke", "--session", String(session)])
        #expect(ending == .exited(0))
        #expect(output == "session \(session) has ended\n")
        let statuses = try [first, second, third].map(server.status)
        #expect(statuses.sorted() == [200, 200, 401])

        (ending, _, _) = try installation.run(["revoke", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(try [first, second, third].map(server.status) == [401, 401, 401])
        (ending, output, _) = try installation.run(["sessions", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(output == "")

        let fourth = try installation.issue()
        #expect(try server.status(of: fourth) == 200)
        let asked = try installation.run(["revoke", "--all"])
        #expect(asked.ending == .exited(64))
        #expect(asked.errors.contains("confirm with --yes"))
        #expect(try server.status(of: fourth) == 200)
        #expect(try installation.run(["revoke", "--all", "--yes"]).ending == .exited(0))
        #expect(try server.status(of: fourth) == 401)
        #expect(try installation.log().contains("authn_token_revoked scope=all by=admin ip=unix"))
    }

    @Test(arguments: [("yes", 0 as CInt, 401), ("no", 64, 200), ("", 64, 200), ("YES", 64, 200)])
    func `revoke --all asks for confirmation at a terminal`(word: String, code: CInt, status: Int)
        throws
    {
        let installation = try Installation()
        let server = try installation.serve()
        let token = try installation.issue()
        let terminal = try Terminal()
        let process = try ServerProcess.start(
            in: installation.folder, [:], ["revoke", "--all", "--config", "config.json"],
            input: terminal.path)
        #expect(eventually { process.standardError.contains("Type yes to continue: ") })
        terminal.type(word + "\n")
        #expect(try process.wait() == .exited(code))
        #expect(try server.status(of: token) == status)
    }

    @Test func `a token typed at a terminal is not echoed`() throws {
        let installation = try Installation()
        let terminal = try Terminal()
        let process = try ServerProcess.start(
            in: installation.folder, [:], ["token", "explain", "--config", "config.json"],
            input: terminal.path)
        #expect(eventually { process.standardError.contains("Token: ") })
        #expect(!terminal.hasEcho)
        terminal.type("some.secret.token\n")
        #expect(try process.wait() == .exited(1))
        #expect(terminal.hasEcho)
        #expect(!terminal.shown.contains("secret"))
    }

    @Test func `revoke without a server takes effect at the next start`() throws {
        let installation = try Installation()
        var server = try installation.serve()
        let (byID, byToken, kept) = (
            try installation.issue(), try installation.issue(), try installation.issue()
        )
        try server.stop()
        let lines = try installation.log()
        let id = try #require(
            lines.firstMatch(of: #/authn_token_created user=1 jti=([A-Za-z0-9_-]+)/#)?.1)
        for (arguments, input) in [
            (["revoke", "--token", String(id)], nil), (["revoke", "--token", "-"], byToken),
        ] {
            let (ending, output, errors) = try installation.run(arguments, typing: input)
            #expect(ending == .exited(0))
            // An identifier alone does not show whether the token exists.
            let isByID = input == nil
            #expect(
                isByID
                    ? output == "unknown token; recorded anyway\n"
                    : output.hasSuffix("is revoked\n"))
            #expect(errors.contains("no server is running: written to revocations.journal"))
        }
        #expect(try installation.log() == lines)
        server = try installation.serve()
        #expect(try [byID, byToken, kept].map(server.status) == [401, 401, 200])
    }

    @Test func `revoke does not write the journal of a server that it cannot reach`() throws {
        let installation = try Installation(admin: "")
        let server = try installation.serve()
        let (ending, output, errors) = try installation.run(["revoke", "--user", "1"])
        #expect(ending == .exited(78))
        #expect(output == "")
        #expect(errors.contains("revocations.journal: in use by a running server"))
        withExtendedLifetime(server) {}
    }

    @Test func `a token that no key has signed is not revoked`() throws {
        let installation = try Installation()
        let token = "eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        let (ending, output, errors) = try installation.run(["revoke", "--token"], typing: token)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(errors.contains("nothing to revoke"))
        #expect(!installation.folder.names.contains("revocations.journal"))
    }

    @Test(arguments: [
        (
            ["revoke"],
            "revoke: give exactly one of --user N, --username NAME, --session SID, --token [JTI] "
                + "and --all"
        ),
        (
            ["revoke", "--all", "--user", "1"],
            "revoke: give exactly one of --user N, --username NAME, --session SID, --token [JTI] "
                + "and --all"
        ),
        (
            ["revoke", "--user", "alice"],
            "--user: not a whole number from 1 to 9007199254740991"
        ),
        (["revoke", "--session", ""], "--session: not an identifier of 1 to 64 bytes"),
        (["revoke", "x"], "revoke: unexpected argument; see gatehouse revoke --help"),
        (["level", "http"], "level: needs an area (app, http, security, log, config or all)"),
        (
            ["level", "web", "DEBUG"],
            "web: unknown area; write app, http, security, log, config"
        ),
        (["level", "http", "LOUD"], "LOUD: unknown level; write DEBUG, INFO, WARNING"),
        (["reload", "now"], "unknown argument: now"),
        (
            ["sessions"],
            "missing option --user N or --username NAME; see gatehouse sessions --help"
        ),
        (["token"], "token: missing subcommand; write token issue or token explain"),
        (["token", "make"], "token: unknown subcommand make; write token issue or explain"),
        (
            ["token", "issue"],
            "token issue: missing option --user N or --username NAME"
        ),
        (["token", "issue", "--user", "1", "--ttl", "1"], "--ttl: \"1\" is not a lifetime"),
        (["token", "issue", "--user", "1", "--ttl", "0s"], "--ttl: \"0s\" is not a lifetime"),
        (["token", "explain", "--at", "soon"], "--at: \"soon\" is not a time; write 2026"),
    ])
    func `an operator command that is wrong is refused with the reason`(
        arguments: [String], sentence: String
    ) throws {
        let installation = try Installation()
        let (ending, output, errors) = try installation.run(arguments)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: \(sentence)"), "\(errors)")
        #expect(errors.contains("\nusage: gatehouse "))
    }

    // MARK: Levels and reload

    @Test func `a level is in force until the next reload, which reports the changes`() throws {
        let installation = try Installation()
        let server = try installation.serve()
        var (ending, output, errors) = try installation.run(["level", "http", "debug"])
        #expect(ending == .exited(0))
        #expect(output == "log.areas.http is DEBUG until the next reload or restart\n")
        // A level that is set by hand overrides the file's own level.
        #expect(errors == "")
        (ending, output, errors) = try installation.run(["level", "all", "WARN"])
        #expect(ending == .exited(0))
        #expect(
            output == """
                log.level is WARNING until the next reload or restart
                until then, no area has a level of its own

                """)
        (ending, output, errors) = try installation.run(["level"])
        #expect(ending == .exited(0))
        for area in ["app", "http", "security", "log", "config"] {
            #expect(output.contains(try Regex("(?m)^\\Q\(area)\\E +WARNING$")))
        }
        #expect(output.contains("log.audit   writes INFO and above"))
        #expect(errors == "")
        let token = try installation.issue()
        #expect(try server.status(of: token) == 200)
        let lines = try installation.log()
        #expect(lines.contains("log_level_changed key=log.areas.http from=INFO to=DEBUG"))
        #expect(lines.contains("log_level_changed key=log.level from=INFO to=WARNING"))
        #expect(!lines.contains("authn_token_verified"))

        (ending, output, _) = try installation.run(["reload"])
        #expect(ending == .exited(0))
        #expect(output == "reloaded; no setting has changed\n")
        let content = try installation.folder.content("config.json")
        let changed = content.replacing(
            "\"port\":0", with: "\"port\":0,\"workers\":1,\"max_body\":\"1KiB\"")
        try installation.folder.file("config.json", changed)
        (ending, output, _) = try installation.run(["reload"])
        #expect(ending == .exited(0))
        #expect(output == "changed: server.max_body\nneeds a restart: server.workers\n")

        try installation.folder.file("config.json", changed.replacing("1KiB", with: "no size"))
        (ending, _, errors) = try installation.run(["reload"])
        #expect(ending == .exited(78))
        #expect(errors.contains("server.max_body: \"no size\" is not a size; write 64KiB"))
    }
}

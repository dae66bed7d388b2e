import Foundation
import Glibc
import JWT
import TestSupport
import Testing
import Time

@testable import App

/// A server with an admin socket and a key that is known, and the commands beside it.
private struct Place {
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

@Suite("A command to a running server", .blocking, .serialized)
struct OperatorCommandTests {
    // MARK: Tokens

    @Test("issues a token that is logged like any other, and prints nothing but it")
    func issuing() throws {
        let place = try Place()
        let house = try place.serve()
        let token = try place.issue("--ttl", "10m")
        #expect(try house.status(of: token) == 200)
        let keys = KeyRing([KeyRing.Entry(id: "a", secret: Array(Place.secret.utf8).span)!])!
        let tokens = HS256(keys: keys, policy: TokenPolicy())
        let claims = try tokens.verify(Array(token.utf8).span, at: WallClock.system.now())
        let issued = try #require(claims.issued)
        #expect(claims.expires == issued + .seconds(600))
        #expect(claims.sessionExpires == claims.expires)
        let lines = try place.log().split(separator: "\n").filter {
            $0.contains("authn_token_created user=1 ") && $0.contains(" ip=unix ")
        }
        #expect(lines.count == 1)
        #expect(try !place.log().contains(token))

        for (arguments, code, words) in [
            (["--user", "9"], 67 as CInt, "the server knows no user 9"),
            (["--user", "1", "--ttl", "13h"], 64, "longer than a session"),
        ] {
            let (ending, output, errors) = try place.run(["token", "issue"] + arguments)
            #expect(ending == .exited(code))
            #expect(output == "")
            #expect(errors.contains(words))
        }
    }

    @Test("without a server says that one has to run, or how it could be reached")
    func noServer() throws {
        let place = try Place()
        let unreachable = try Place(admin: "")
        for arguments in [
            ["token", "issue", "--user", "1"], ["level", "all", "DEBUG"], ["reload"],
            ["sessions", "--user", "1"],
        ] {
            let (ending, output, errors) = try place.run(arguments)
            #expect(ending == .exited(69))
            #expect(output == "")
            #expect(errors.contains("no server is running at s; start it"))
            let other = try unreachable.run(arguments)
            #expect(other.ending == .exited(78))
            #expect(other.errors.contains("admin.socket is not in the configuration"))
        }
    }

    @Test("explains a token as the server answers it, before and after it is revoked")
    func explaining() throws {
        let place = try Place()
        let house = try place.serve()
        let token = try place.issue()
        let explain = ["token", "explain"]
        var (ending, output, errors) = try place.run(explain, typing: token + "\r\n")
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(output.contains("ok    revoked    no, says the running server\n"))
        #expect(output.contains("ok    user       Alice\n"))
        var answer = try house.ask(.resource(token))
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
        for part in token.split(separator: ".") { #expect(!output.contains(part)) }
        #expect(!output.contains("\u{1B}"))
        let verified = try place.log().components(separatedBy: "authn_token_verified").count

        (ending, output, _) = try place.run(["revoke", "--token"], typing: token + "\n")
        #expect(ending == .exited(0))
        #expect(output.hasSuffix(" of user 1 is revoked\n"))
        (ending, output, _) = try place.run(explain, typing: token)
        #expect(ending == .exited(1))
        answer = try house.ask(.resource(token))
        #expect(answer.status == 401)
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
        #expect(output.contains("\nNO    revoked    "))
        // Nothing of that was a verification.
        #expect(
            try place.log().components(separatedBy: "authn_token_verified").count == verified)

        // The journal says the same.
        try house.stop()
        (ending, output, _) = try place.run(explain, typing: token)
        #expect(ending == .exited(1))
        #expect(output.contains("says revocations.journal\n"))
        (ending, output, _) = try place.run(explain + ["--at", "+1h"], typing: token)
        #expect(ending == .exited(1))
        #expect(output.contains("\nNO    exp        "))
        #expect(output.hasSuffix("\nGET /resource answers 401 {\"error\":\"Token expired\"}\n"))
    }

    @Test(
        "explains what the server answers to what is no token of its",
        arguments: [
            "abc", "a.b.c", "a b", "{\"token\":1}", "a.b.c=", "ü",
            String(repeating: "a", count: 9000), String(repeating: "a", count: 20_000),
        ])
    func nonsense(token: String) throws {
        let place = try Place()
        let house = try place.serve()
        let (ending, output, _) = try place.run(["token", "explain"], typing: token + "\n")
        #expect(ending == .exited(1))
        let answer = try house.ask(.resource(token))
        #expect(output.hasSuffix("\nGET /resource answers \(answer.status) \(answer.content)\n"))
    }

    @Test(
        "takes no token as an argument, and does not repeat it",
        arguments: [
            ["token", "explain", "eyJhbGciOiJIUzI1NiJ9.e30.x"], ["token", "eyJhbGciOiJIUzI1NiJ9"],
            ["revoke", "--token", "eyJhbGciOiJIUzI1NiJ9.e30.x"], ["revoke", "--session", "a.b.c"],
            ["revoke", "eyJhbGciOiJIUzI1NiJ9"], ["eyJhbGciOiJIUzI1NiJ9.e30.x"],
            ["token", "explain", "--eyJhbGciOiJIUzI1NiJ9"],
        ])
    func arguments(arguments: [String]) throws {
        let place = try Place()
        let (ending, output, errors) = try place.run(arguments)
        #expect(ending == .exited(64))
        #expect(!(output + errors).contains("eyJ") && !(output + errors).contains("a.b.c"))
        #expect(errors.contains("looks like a token"))
    }

    @Test("without a token on standard input says how to give one")
    func noToken() throws {
        let place = try Place()
        for input in ["", "\n", "  \n"] {
            let (ending, _, errors) = try place.run(["token", "explain"], typing: input)
            #expect(ending == .exited(66))
            #expect(errors.contains("no token came"))
        }
        let (ending, _, errors) = try place.run(["token", "explain"], typing: "Bearer eyJ\n")
        #expect(ending == .exited(66))
        #expect(errors.contains("without `Authorization` and `Bearer`"))
        #expect(!errors.contains("eyJ"))
    }

    @Test(
        "reads a moment as log stats does, and some more",
        arguments: [
            ("5m", 1_799_999_700_000), ("+2h", 1_800_007_200_000),
            ("1800000060", 1_800_000_060_000),
            ("2027-01-15T08:00:00.5Z", 1_800_000_000_500), ("2027-01-15", 1_799_971_200_000),
            ("", nil), ("+", nil), ("soon", nil), ("-5m", nil), ("+5", nil),
            ("99999999999999999999", nil),
        ] as [(String, Int64?)])
    func moments(text: String, milliseconds: Int64?) {
        let now = Timestamp(seconds: 1_800_000_000)
        #expect((try? TokenCommand.moment(text, now))?.milliseconds == milliseconds)
    }

    // MARK: Revoking

    @Test("ends a session, a user's sessions, and everybody's")
    func revoking() throws {
        let place = try Place()
        let house = try place.serve()
        let (first, second, third) = (try place.issue(), try place.issue(), try place.issue())
        var (ending, output, _) = try place.run(["sessions", "--user", "1"])
        #expect(ending == .exited(0))
        let rows = output.split(separator: "\n")
        #expect(rows.count == 4)
        #expect(rows.first?.hasPrefix("session ") == true)
        #expect(rows.dropFirst().allSatisfy { $0.hasSuffix(" UTC  unix") })

        // The newest comes first, but all three may be of one millisecond: it is one of them.
        let session = try #require(rows[1].split(separator: " ").first)
        (ending, output, _) = try place.run(["revoke", "--session", String(session)])
        #expect(ending == .exited(0))
        #expect(output == "session \(session) has ended\n")
        let statuses = try [first, second, third].map(house.status)
        #expect(statuses.sorted() == [200, 200, 401])

        (ending, _, _) = try place.run(["revoke", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(try [first, second, third].map(house.status) == [401, 401, 401])
        (ending, output, _) = try place.run(["sessions", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(output == "")

        let fourth = try place.issue()
        #expect(try house.status(of: fourth) == 200)
        let asked = try place.run(["revoke", "--all"])
        #expect(asked.ending == .exited(64))
        #expect(asked.errors.contains("write --yes"))
        #expect(try house.status(of: fourth) == 200)
        #expect(try place.run(["revoke", "--all", "--yes"]).ending == .exited(0))
        #expect(try house.status(of: fourth) == 401)
        #expect(try place.log().contains("authn_token_revoked scope=all by=admin ip=unix"))
    }

    @Test(
        "asks at a terminal before it ends everybody's sessions",
        arguments: [("yes", 0 as CInt, 401), ("no", 64, 200), ("", 64, 200), ("YES", 64, 200)])
    func confirming(word: String, code: CInt, status: Int) throws {
        let place = try Place()
        let house = try place.serve()
        let token = try place.issue()
        let terminal = try Terminal()
        let process = try ServerProcess.start(
            in: place.folder, [:], ["revoke", "--all", "--config", "config.json"],
            input: terminal.path)
        #expect(eventually { process.standardError.contains("Type yes to go on: ") })
        terminal.type(word + "\n")
        #expect(try process.wait() == .exited(code))
        #expect(try house.status(of: token) == status)
    }

    @Test("reads a token at a terminal without showing it")
    func hidden() throws {
        let place = try Place()
        let terminal = try Terminal()
        let process = try ServerProcess.start(
            in: place.folder, [:], ["token", "explain", "--config", "config.json"],
            input: terminal.path)
        #expect(eventually { process.standardError.contains("Token: ") })
        #expect(!terminal.hasEcho)
        terminal.type("some.secret.token\n")
        #expect(try process.wait() == .exited(1))
        #expect(terminal.hasEcho)
        #expect(!terminal.shown.contains("secret"))
    }

    @Test("revokes without a server, for the next start, and says what is missing then")
    func offline() throws {
        let place = try Place()
        var house = try place.serve()
        let (byID, byToken, kept) = (try place.issue(), try place.issue(), try place.issue())
        try house.stop()
        let lines = try place.log()
        let id = try #require(
            lines.firstMatch(of: #/authn_token_created user=1 jti=([A-Za-z0-9_-]+)/#)?.1)
        for (arguments, input) in [
            (["revoke", "--token", String(id)], nil), (["revoke", "--token", "-"], byToken),
        ] {
            let (ending, output, errors) = try place.run(arguments, typing: input)
            #expect(ending == .exited(0))
            // The identifier alone does not tell whether there is such a token.
            let isByID = input == nil
            #expect(
                isByID
                    ? output == "no such token is known; recorded all the same\n"
                    : output.hasSuffix("is revoked\n"))
            #expect(errors.contains("no server is running: it was written to revocations.journal"))
        }
        #expect(try place.log() == lines)
        house = try place.serve()
        #expect(try [byID, byToken, kept].map(house.status) == [401, 401, 200])
    }

    @Test("does not touch the journal of a server that it cannot reach")
    func locked() throws {
        let place = try Place(admin: "")
        let house = try place.serve()
        let (ending, output, errors) = try place.run(["revoke", "--user", "1"])
        #expect(ending == .exited(78))
        #expect(output == "")
        #expect(errors.contains("a server has revocations.journal"))
        withExtendedLifetime(house) {}
    }

    @Test("has nothing to revoke in what no key has signed")
    func foreign() throws {
        let place = try Place()
        let token = "eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        let (ending, output, errors) = try place.run(["revoke", "--token"], typing: token)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(errors.contains("nothing to revoke"))
        #expect(!place.folder.names.contains("revocations.journal"))
    }

    @Test(
        "that makes no sense is told what would",
        arguments: [
            (
                ["revoke"],
                "revoke exactly one of --user N, --username NAME, --session SID, --token [JTI] and --all"
            ),
            (
                ["revoke", "--all", "--user", "1"],
                "revoke exactly one of --user N, --username NAME, --session SID, --token [JTI] and --all"
            ),
            (
                ["revoke", "--user", "alice"],
                "--user: not a whole number from 1 to 9007199254740991"
            ),
            (["revoke", "--session", ""], "--session: not an identifier of 1 to 64 bytes"),
            (["revoke", "x"], "revoke: a word that belongs to no option"),
            (["level", "http"], "level wants an area (app, http, security, log, config, or all)"),
            (
                ["level", "web", "DEBUG"],
                "web: no such area; write app, http, security, log, config"
            ),
            (["level", "http", "LOUD"], "LOUD: no such level; write DEBUG, INFO, WARNING"),
            (["reload", "now"], "unknown argument: now"),
            (
                ["sessions"],
                "missing option --user N or --username NAME; see gatehouse sessions --help"
            ),
            (["token"], "token what? write token issue or token explain"),
            (["token", "make"], "token make: write token issue or explain"),
            (
                ["token", "issue"],
                "token issue needs --user N or --username NAME, and takes --ttl 10m"
            ),
            (["token", "issue", "--user", "1", "--ttl", "1"], "\"1\" is no time to live"),
            (["token", "issue", "--user", "1", "--ttl", "0s"], "\"0s\" is no time to live"),
            (["token", "explain", "--at", "soon"], "\"soon\" is no time; write 2026"),
        ])
    func usage(arguments: [String], sentence: String) throws {
        let place = try Place()
        let (ending, output, errors) = try place.run(arguments)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: \(sentence)"), "\(errors)")
        #expect(errors.contains("\nusage: gatehouse "))
    }

    // MARK: Level and reload

    @Test("sets a level until the next reload, which says what changed and what waits")
    func reloading() throws {
        let place = try Place()
        let house = try place.serve()
        var (ending, output, errors) = try place.run(["level", "http", "debug"])
        #expect(ending == .exited(0))
        #expect(output == "log.areas.http is DEBUG until the next reload or restart\n")
        // What is set by hand reaches the file whatever the file's own level is.
        #expect(errors == "")
        (ending, output, errors) = try place.run(["level", "all", "WARN"])
        #expect(ending == .exited(0))
        #expect(
            output == """
                log.level is WARNING until the next reload or restart
                no area has a level of its own until then

                """)
        (ending, output, errors) = try place.run(["level"])
        #expect(ending == .exited(0))
        for area in ["app", "http", "security", "log", "config"] {
            #expect(output.contains(try Regex("(?m)^\\Q\(area)\\E +WARNING$")))
        }
        #expect(output.contains("log.audit   takes INFO and above"))
        #expect(errors == "")
        let token = try place.issue()
        #expect(try house.status(of: token) == 200)
        let lines = try place.log()
        #expect(lines.contains("log_level_changed key=log.areas.http from=INFO to=DEBUG"))
        #expect(lines.contains("log_level_changed key=log.level from=INFO to=WARNING"))
        #expect(!lines.contains("authn_token_verified"))

        (ending, output, _) = try place.run(["reload"])
        #expect(ending == .exited(0))
        #expect(output == "read again; no setting has changed\n")
        let content = try place.folder.content("config.json")
        let changed = content.replacing(
            "\"port\":0", with: "\"port\":0,\"workers\":1,\"max_body\":\"1KiB\"")
        try place.folder.file("config.json", changed)
        (ending, output, _) = try place.run(["reload"])
        #expect(ending == .exited(0))
        #expect(output == "changed: server.max_body\nwaits for a restart: server.workers\n")

        try place.folder.file("config.json", changed.replacing("1KiB", with: "no size"))
        (ending, _, errors) = try place.run(["reload"])
        #expect(ending == .exited(78))
        #expect(errors.contains("server.max_body: \"no size\" is not a size; write 64KiB"))
    }
}

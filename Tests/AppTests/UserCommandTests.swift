import Auth
import Foundation
import Glibc
import JWT
import POSIX
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct UserCommandTests {
    private let folder = try! TemporaryFolder()

    /// The minimum number of iterations, so that hashing is fast.
    private let fewIterations = ["LOGIN_ITERATIONS": "1000"]

    /// Runs `gatehouse user …` with this text on standard input.
    private func user(
        _ arguments: [String], typing input: String? = nil, _ settings: [String: String]? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try folder.file("input", $0) }
        defer { if let file { unlink(file) } }
        let process = try ServerProcess.start(
            in: folder, settings ?? fewIterations, ["user"] + arguments, input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    private let place = ["--users-file", "users.json"]

    private func users() throws -> [User] { try UsersFile(folder.path("users.json")).read() }

    /// Creates users with these names, IDs from 1, and a cheap hash.
    private func make(_ usernames: String...) throws {
        let password = PasswordHash(of: Password("correct horse")!, iterations: 1000)
        try UsersFile(folder.path("users.json")).update(making: true) { users in
            users = usernames.enumerated().map { index, username in
                User(
                    id: UserID(Int64(index) + 1)!, username: username, name: "N",
                    password: password)
            }
        }
    }

    @Test(arguments: ["Alice", "\u{FF41}lice", "ali\u{200D}ce"])
    func `a new name that differs only in case, width or invisible characters is refused`(
        name: String
    ) throws {
        try make("alice")
        let (ending, _, errors) = try user(
            ["add", "--username", name, "--name", "N"] + place, typing: "correct horse\n")
        #expect(ending == .exited(65))
        #expect(
            errors.contains(
                "the user name differs from alice only in case, width or invisible characters"))
        #expect(try users().count == 1)
    }

    @Test
    func `a new name that looks like another is added with a warning`() throws {
        try make("alice")
        let (ending, _, errors) = try user(
            ["add", "--username", "\u{430}lice", "--name", "N"] + place,
            typing: "correct horse\n")
        #expect(ending == .exited(0))
        #expect(errors.contains("looks like that of another user, alice"))
        #expect(try users().count == 2)
    }

    @Test
    func `names that differ only in case are a warning of check and of a start`() throws {
        try make("alice", "bob", "Alice")
        let settings = [
            "LOGIN_MODE": "password", "LOGIN_USERS_FILE": "users.json",
            "LOG_FILE_PATH": "app.log", "SERVER_PORT": "0",
        ]
        let sentence = "the user names of ids 1 and 3, alice and Alice, differ only in case"
        let check = try ServerProcess.run(["check"], in: folder, settings)
        #expect(check.ending == .exited(0))
        #expect(check.errors.contains("gatehouse: warning: login.users_file: \(sentence)"))
        #expect(try ServerProcess(in: folder, settings).stop() == .exited(0))
        let warnings = LogEntry.all(in: try folder.content("app.log")).compactMap(\.self)
            .filter { $0.event == "config_warning" && $0["key"] == "login.users_file" }
        #expect(warnings.count == 1)
        #expect(warnings.first?["reason"]?.hasPrefix(sentence) == true)
    }

    @Test(arguments: [
        (
            [],
            "user: missing subcommand; write user add, set-password, remove, disable, enable or "
                + "list"
        ),
        (
            ["x"],
            "user: unknown subcommand x; write user add, set-password, remove, disable, enable or "
                + "list"
        ),
        (["add"], "user add: needs --username and --name; --id is optional"),
        (
            ["add", "--username", "alice"],
            "user add: needs --username and --name; --id is optional"
        ),
        (["add", "--username"], "option --username needs a value; write --username VALUE"),
        (["add", "--nope"], "unknown argument: --nope"),
        (["add", "--username=alice"], "user add: needs --username and --name; --id is optional"),
        (["list", "--id", "1"], "user list: accepts only --config, --users-file and --json"),
        (["remove"], "user remove: give exactly one of --username and --id, and no --name"),
        (
            ["disable", "--username", "a", "--id", "1"],
            "user disable: give exactly one of --username and --id, and no --name"
        ),
        (
            ["set-password", "--username", "alice", "hunter2hunter2"],
            "user set-password: unexpected argument (not shown, it may be a "
                + "password); use --username NAME"
        ),
        (["enable", "--id", "0"], "--id: not a whole number from 1 to 9007199254740991"),
        (["enable", "--id", "+1"], "--id: not a whole number from 1 to 9007199254740991"),
        (["enable", "--id", "1", "--id", "2"], "--id: given twice; give it once"),
        (
            ["enable", "--username", " x"],
            "--username: not a user name: 1 to 64 characters, no control characters, no white "
                + "space at the ends"
        ),
        (
            ["add", "--username", "x", "--name", "a\nb"],
            "--name: not a name: at most 256 characters, no control characters"
        ),
    ])
    func `a user command that is wrong is refused without repeating its values`(
        arguments: [String], sentence: String
    ) throws {
        let (ending, output, errors) = try user(arguments)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: \(sentence)\nusage: gatehouse "))
    }

    @Test(arguments: [["--password", "hunter2hunter2"], ["--password=hunter2hunter2"]])
    func `a password as an argument is refused and not repeated`(password: [String]) throws {
        let arguments = ["add", "--username", "alice", "--name", "Alice"] + password + place
        let (ending, output, errors) = try user(arguments)
        #expect(ending == .exited(64))
        #expect(errors.contains("every user of this machine can read arguments"))
        #expect(!(output + errors).contains("hunter2"))
        #expect(folder.allNames == [])
    }

    @Test func `a command without a users file explains how to name one`() throws {
        let (ending, _, errors) = try user(["list"])
        #expect(ending == .exited(64))
        #expect(errors.contains("--users-file FILE"))
    }

    @Test func `help about user commands fits one screen`() throws {
        for arguments in [["--help"], ["add", "-h"]] {
            let (ending, output, errors) = try user(arguments)
            #expect(ending == .exited(0))
            #expect(errors == "")
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            #expect(lines.count <= 24)
            for line in lines { #expect(line.count <= 80, "\(line)") }
            for verb in ["add", "set-password", "remove", "disable", "enable", "list"] {
                #expect(lines.contains { $0.hasPrefix("  user \(verb)") }, "\(verb)")
            }
        }
    }

    @Test func `user add reads the password from standard input and assigns the next ID`() throws {
        let (ending, output, errors) = try user(
            ["add", "--username", "zoe\u{308}", "--name", "Zo\u{EB}"] + place,
            typing: "correct horse\r\nand what follows\n", [:])
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(output == "zo\\u{eb} (id 1) was added; a running server applies it at SIGHUP\n")
        let users = try users()
        #expect(users.map(\.id.rawValue) == [1])
        #expect(users.map(\.username) == ["zo\u{EB}"])
        #expect(users.map(\.name) == ["Zo\u{EB}"])
        let hash = try #require(users[0].password)
        #expect(hash.matches(try #require(Password("correct horse"))))
        #expect(hash.iterations == 600_000)
        #expect(try FileStatus(path: folder.path("users.json")).mode & 0o777 == 0o600)
    }

    @Test(arguments: [
        ("hunter2\n", "the password is too short; use at least 8 bytes"),
        (
            "Alice Smith\n",
            "the password is the user name, repeated or with digits around it; choose another"
        ),
        (
            "Password1\n",
            "the password is a common one, or a common one with digits around it; choose "
                + "another"
        ),
        (
            String(repeating: "hunter2", count: 147) + "\n",
            "the password is too long; at most 1,024 bytes are accepted"
        ),
        (
            String(repeating: "hunter2", count: 5000),
            "the password is too long; at most 1,024 bytes are accepted"
        ),
        (
            "hunter2\u{1}hunter2\n",
            "the password has control characters; remove them"
        ),
        ("", "password: none was given; type it at the prompt, or pass one line on standard input"),
        (
            "\n",
            "password: none was given; type it at the prompt, or pass one line on standard input"
        ),
    ])
    func `an unacceptable password is refused with a reason that does not contain it`(
        input: String, sentence: String
    ) throws {
        let (ending, output, errors) = try user(
            ["add", "--username", "alice smith", "--name", "Alice"] + place, typing: input)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(errors == "gatehouse: \(sentence)\n")
        #expect(folder.names == [])
    }

    @Test func `an existing user name or ID is refused before the password prompt`() throws {
        try make("alice")
        for (arguments, sentence) in [
            (["--username", "alice"], "the user name is taken"),
            (["--username", "bob", "--id", "1"], "the ID is taken"),
        ] {
            let (ending, _, errors) = try user(["add", "--name", "N"] + arguments + place)
            #expect(ending == .exited(65))
            #expect(errors.hasPrefix("gatehouse: users.json: \(sentence); "))
        }
        #expect(try users().count == 1)
    }

    @Test func `a new user gets the ID above the highest, or the requested one`() throws {
        try make("alice", "bob")
        try UsersFile(folder.path("users.json")).update { users in users.removeFirst(1) }
        for (arguments, id) in [([], 3), (["--id", "9007199254740991"], UserID.maximum)] {
            let (ending, output, _) = try user(
                ["add", "--username", "u\(id)", "--name", "N"] + arguments + place,
                typing: "correct horse\n")
            #expect(ending == .exited(0))
            #expect(output.hasPrefix("u\(id) (id \(id)) was added; "))
        }
        let (ending, _, errors) = try user(
            ["add", "--username", "x", "--name", "X"] + place, typing: "correct horse\n")
        #expect(ending == .exited(65))
        #expect(errors.contains("choose an ID with --id"))
        #expect(try users().map(\.id.rawValue) == [2, 3, UserID.maximum])
    }

    @Test func `the ID of a removed user is refused unless the file has no record of it`() throws {
        try make("alice", "bob", "carol")
        try UsersFile(folder.path("users.json")).update { users in users.removeFirst(2) }
        let add = ["add", "--username", "mallory", "--name", "M", "--id", "2"] + place
        // Before the password prompt.
        var (ending, output, errors) = try user(add)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(
            errors
                == "gatehouse: users.json: the ID may have belonged to a removed user, "
                + "whose tokens would then be the new user's; omit --id to get the next free "
                + "one\n")
        let content = try folder.content("users.json")
        try folder.file("users.json", content.replacing("\"next_id\":4,", with: ""))
        (ending, output, errors) = try user(add, typing: "correct horse\n")
        #expect(ending == .exited(0))
        #expect(output.hasPrefix("mallory (id 2) was added"))
    }

    @Test func `names are shown with confusable and control characters escaped`() throws {
        try UsersFile(folder.path("users.json")).update(making: true) { users in
            users = [User(id: UserID(1)!, username: "a\u{202E}b", name: "N\u{200B}")]
        }
        let (_, output, _) = try user(["list"] + place)
        #expect(output.contains("1   a\\u{202e}b  N\\u{200b}  "))
        let (_, changed, _) = try user(["disable", "--id", "1"] + place)
        #expect(changed.hasPrefix("a\\u{202e}b (id 1) is disabled"))
    }

    @Test func `a command changes one user, by name or ID, and no other`() throws {
        try make("alice", "bob", "carol")
        let before = try users()

        var (ending, output, _) = try user(
            ["set-password", "--id", "2"] + place, typing: "battery staple\n")
        #expect(ending == .exited(0))
        #expect(
            output == """
                bob (id 2) has a new password; a running server applies it at SIGHUP
                existing sessions continue; next: `gatehouse revoke --user 2`

                """)
        #expect(try users()[1].password?.matches(Password("battery staple")!) == true)

        (ending, output, _) = try user(["disable", "--username", "carol"] + place)
        #expect(ending == .exited(0))
        #expect(
            output == """
                carol (id 3) is disabled; a running server applies it at SIGHUP
                existing sessions continue; next: `gatehouse revoke --user 3`

                """)
        #expect(try users().map(\.isDisabled) == [false, false, true])

        (ending, output, _) = try user(["list"] + place)
        #expect(ending == .exited(0))
        #expect(
            output == """
                id  username  name  state     iterations
                1   alice     N     active    1000
                2   bob       N     active    1000
                3   carol     N     disabled  1000

                """)

        (ending, output, _) = try user(["enable", "--id", "3"] + place)
        #expect(ending == .exited(0))
        #expect(output == "carol (id 3) is enabled; a running server applies it at SIGHUP\n")
        (ending, output, _) = try user(["remove", "--username", "bob"] + place)
        #expect(ending == .exited(0))
        #expect(
            output == """
                bob (id 2) was removed; a running server applies it at SIGHUP
                existing sessions continue; next: `gatehouse revoke --user 2`

                """)
        #expect(try users() == [before[0], before[2]])
    }

    @Test(arguments: ["set-password", "remove", "disable", "enable"])
    func `a command for an unknown user or a missing file reports it`(verb: String) throws {
        let missing = try user([verb, "--id", "1"] + place)
        #expect(missing.ending == .exited(66))
        #expect(
            missing.errors
                == "gatehouse: users.json: no such file; create it with gatehouse user add\n")
        try folder.file("users.json", "{\"users\":[]}")
        let unknown = try user([verb, "--username", "alice"] + place)
        #expect(unknown.ending == .exited(67))
        #expect(
            unknown.errors
                == "gatehouse: users.json: no such user; see gatehouse user list\n"
        )
    }

    @Test func `a broken users file is reported and left unchanged`() throws {
        try folder.file("users.json", "{\"users\":[{\"id\":0,\"username\":\"a\",\"name\":5}]}")
        let (ending, output, errors) = try user(["list"] + place)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(
            errors == """
                gatehouse: users.json: users[0].id: not a whole number from 1 to 9007199254740991
                gatehouse: users.json: users[0].name: a number is not a string

                """)
        let content = try folder.content("users.json")
        #expect(try user(["remove", "--id", "1"] + place).ending == .exited(65))
        #expect(try folder.content("users.json") == content)
    }

    @Test func `a users file that others can read causes a warning`() throws {
        try folder.file("users.json", "{\"users\":[]}", mode: 0o644)
        let (ending, _, errors) = try user(["list"] + place)
        #expect(ending == .exited(0))
        #expect(
            errors
                == "gatehouse: warning: users.json: the users file can be read by others; chmod "
                + "600 it\n"
        )
    }

    @Test func `a users file is not created in a missing folder`() throws {
        try folder.file("file", "")
        for path in ["missing/users.json", "file/users.json"] {
            let (ending, _, errors) = try user(
                ["add", "--username", "a", "--name", "A", "--users-file", path],
                typing: "correct horse\n")
            #expect([.exited(73), .exited(66)].contains(ending))
            #expect(errors.hasPrefix("gatehouse: \(path): "))
        }
    }

    @Test func `commands that run at the same time lose no change`() throws {
        let input = try folder.file("input", "correct horse\n")
        let processes = try (1...3).map { number in
            try ServerProcess.start(
                in: folder, fewIterations,
                ["user", "add", "--username", "u\(number)", "--name", "U"] + place, input: input)
        }
        for process in processes { #expect(try process.wait() == .exited(0)) }
        let users = try users()
        #expect(Set(users.map(\.username)) == Set((1...3).map { "u\($0)" }))
        #expect(users.map(\.id.rawValue).sorted() == Array(1...3))
    }

    @Test func `a running server applies a new password and a disabled user at once`() throws {
        let secret = String(repeating: "0123456789abcdef", count: 2)
        try folder.file(
            "config.json",
            """
            { "server": { "port": 0 }, "admin": { "socket": "s" },
              "token": { "keys": [{ "id": "a", "secret": "\(secret)" }] },
              "log": { "file": { "path": "app.log" } } }
            """)
        let place = ["--config", "config.json"]
        let add = ["add", "--username", "alice", "--name", "Alice"] + place
        var (ending, output, _) = try user(add, typing: "correct horse\n")
        #expect(ending == .exited(0))
        #expect(output == "alice (id 1) was added; no server is running\n")

        let process = try ServerProcess.start(in: folder, fewIterations, ["serve"] + place)
        let line = try process.errorLine(containing: "gatehouse: listening on http://")
        let port = try #require(UInt16(line.split(separator: ":").last ?? ""))
        let content = #"{"username":"alice","password":"battery staple"}"#
        let login =
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            + "\(content.utf8.count)\r\n\r\n"
            + content
        func status() throws -> Int {
            let client = try Client(port: port)
            try client.send(login)
            return try client.response().status
        }
        #expect(try status() == 401)
        (ending, output, _) = try user(
            ["set-password", "--id", "1"] + place, typing: "battery staple\n")
        #expect(ending == .exited(0))
        #expect(
            output == """
                alice (id 1) has a new password; the running server has applied it
                all current sessions of user 1 have ended

                """)
        #expect(try status() == 200)
        (ending, output, _) = try user(["disable", "--id", "1"] + place)
        #expect(
            output == """
                alice (id 1) is disabled; the running server has applied it
                all current sessions of user 1 have ended

                """)
        #expect(try status() == 401)
        // One file under two paths.
        (_, output, _) = try user(
            ["enable", "--id", "1", "--users-file", "./users.json"] + place)
        #expect(output == "alice (id 1) is enabled; the running server has applied it\n")

        // The server does not use this other file.
        (_, output, _) = try user(
            ["add", "--username", "x", "--name", "X", "--users-file", "others.json"] + place,
            typing: "correct horse\n")
        #expect(output == "x (id 1) was added; a running server applies it at SIGHUP\n")
        process.stop()
    }

    @Test(arguments: ["set-password", "disable", "remove"], [true, false])
    func `a command that removes access ends the user's sessions`(verb: String, isRunning: Bool)
        throws
    {
        let fixture = try PasswordServerFixture()
        var server = try fixture.startServer()
        let (alice, bob) = (try server.login("alice").token, try server.login("bob").token)
        if !isRunning { try server.stop() }
        let (ending, output, errors) = try fixture.run(
            ["user", verb, "--username", "alice"], typing: "battery staple\n")
        #expect(ending == .exited(0))
        #expect(
            output.hasSuffix(
                (isRunning ? "; the running server has applied it" : "; no server is running")
                    + "\nall current sessions of user 1 have ended\n"))
        #expect(errors.contains("written to revocations.journal") == !isRunning)
        if verb == "disable" {
            #expect(
                try fixture.run(["user", "enable", "--username", "alice"]).ending == .exited(0))
        }
        if !isRunning { server = try fixture.startServer() }
        let verdict = verb == "remove" ? "404 User not found" : "401 Token revoked"
        #expect(try server.ask(.resource(alice)).verdict == verdict)
        #expect(try server.ask(.resource(bob)).status == 200)
        let again = try server.login(
            "alice", verb == "disable" ? PasswordServerFixture.password : "battery staple")
        #expect(again.status == (verb == "remove" ? 401 : 200))
        if verb != "remove" { #expect(try server.ask(.resource(again.token)).status == 200) }
    }

    @Test func `a command that cannot end sessions says how to end them`() throws {
        var options = PasswordServerFixture.Options()
        options.sections = #""admin":{}"#
        let fixture = try PasswordServerFixture(options)
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        let (ending, output, errors) = try fixture.run(["user", "disable", "--id", "1"])
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(
            output == """
                alice (id 1) is disabled; a running server applies it at SIGHUP
                existing sessions continue; next: `gatehouse revoke --user 1`

                """)
        #expect(try server.ask(.resource(token)).status == 200)
        try server.stop()
        // No process holds the journal now, so no server is running.
        let stopped = try fixture.run(
            ["user", "set-password", "--id", "1"], typing: "battery staple\n")
        #expect(stopped.ending == .exited(0))
        #expect(
            stopped.output.hasPrefix("alice (id 1) has a new password; no server is running\nall "))
    }

    // MARK: Terminal

    @Test func `at a terminal the password is asked twice and not echoed`() throws {
        let terminal = try Terminal()
        let process = try start(at: terminal, "correct horse", again: "correct horse")
        #expect(try process.wait() == .exited(0))
        #expect(terminal.hasEcho)
        #expect(!terminal.shown.contains("horse"))
        #expect(try users().map(\.username) == ["alice"])
        #expect(try users()[0].password?.matches(Password("correct horse")!) == true)
    }

    @Test func `two different passwords at a terminal change nothing`() throws {
        let terminal = try Terminal()
        let process = try start(at: terminal, "correct horse", again: "correct hores")
        #expect(try process.wait() == .exited(65))
        #expect(process.standardError.hasSuffix("the same; nothing was changed\n"))
        #expect(terminal.hasEcho)
        #expect(folder.names == [])
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `an interrupted password prompt restores the terminal`(signal: CInt) throws {
        let terminal = try Terminal()
        let process = try start(at: terminal, "correct", again: nil)
        #expect(!terminal.hasEcho)
        process.kill(signal)
        #expect(try process.wait() == .killed(by: signal))
        #expect(terminal.hasEcho)
        #expect(folder.names == [])
    }

    private func start(
        at terminal: Terminal, _ first: String, again: String?
    ) throws -> ChildProcess {
        let process = try ServerProcess.start(
            in: folder, fewIterations,
            ["user", "add", "--username", "alice", "--name", "Alice"] + place,
            input: terminal.path)
        #expect(eventually { process.standardError.contains("New password for alice: ") })
        #expect(!terminal.hasEcho)
        if let again {
            terminal.type(first + "\n")
            #expect(eventually { process.standardError.contains("Again: ") })
            terminal.type(again + "\n")
        } else {
            terminal.type(first)
        }
        return process
    }
}

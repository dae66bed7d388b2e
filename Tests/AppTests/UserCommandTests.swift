import Auth
import Foundation
import Glibc
import JWT
import POSIX
import TestSupport
import Testing

@Suite("A command about users", .blocking, .serialized)
struct UserCommandTests {
    private let folder = try! TemporaryFolder()

    /// As few as there may be, so that a hash costs little.
    private let cheap = ["LOGIN_ITERATIONS": "1000"]

    /// Runs `gatehouse user …` with this on standard input.
    private func user(
        _ arguments: [String], typing input: String? = nil, _ settings: [String: String]? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try folder.file("input", $0) }
        defer { if let file { unlink(file) } }
        let process = try ServerProcess.start(
            in: folder, settings ?? cheap, ["user"] + arguments, input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    private let place = ["--users-file", "users.json"]

    private func users() throws -> [User] { try UsersFile(folder.path("users.json")).read() }

    /// Users with these names, ids from 1 on, and a hash that costs little.
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

    @Test(
        "that makes no sense is told what would, and not what it said",
        arguments: [
            ([], "user what? write user add, set-password, remove, disable, enable or list"),
            (["x"], "user x: write user add, set-password, remove, disable, enable or list"),
            (["add"], "user add needs --username and --name, and takes --id"),
            (
                ["add", "--username", "alice"],
                "user add needs --username and --name, and takes --id"
            ),
            (["add", "--username"], "--username needs a value"),
            (["add", "--nope"], "unknown argument: --nope"),
            (["add", "--username=alice"], "user add needs --username and --name, and takes --id"),
            (["list", "--id", "1"], "user list takes --config or --users-file alone"),
            (["remove"], "user remove needs either --username or --id"),
            (
                ["disable", "--username", "a", "--id", "1"],
                "user disable needs either --username or --id"
            ),
            (
                ["set-password", "--username", "alice", "hunter2hunter2"],
                "user set-password: a word that belongs to no option; write --username NAME; "
                    + "a password is never an argument"
            ),
            (["enable", "--id", "0"], "--id: not a whole number from 1 to 9007199254740991"),
            (["enable", "--id", "+1"], "--id: not a whole number from 1 to 9007199254740991"),
            (["enable", "--id", "1", "--id", "2"], "--id is there twice"),
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
    func usage(arguments: [String], sentence: String) throws {
        let (ending, output, errors) = try user(arguments)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: \(sentence)\nusage: gatehouse "))
    }

    @Test(
        "with a password as an argument is refused, and told why",
        arguments: [["--password", "hunter2hunter2"], ["--password=hunter2hunter2"]])
    func arguments(password: [String]) throws {
        let arguments = ["add", "--username", "alice", "--name", "Alice"] + password + place
        let (ending, output, errors) = try user(arguments)
        #expect(ending == .exited(64))
        #expect(errors.contains("everybody on this machine can read arguments"))
        #expect(!(output + errors).contains("hunter2"))
        #expect(folder.allNames == [])
    }

    @Test("without a users file is told how to name one")
    func noFile() throws {
        let (ending, _, errors) = try user(["list"])
        #expect(ending == .exited(64))
        #expect(errors.contains("--users-file FILE"))
    }

    @Test("for help gets it on one screen")
    func help() throws {
        for arguments in [["--help"], ["add", "-h"]] {
            let (ending, output, errors) = try user(arguments)
            #expect(ending == .exited(0))
            #expect(errors == "")
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            #expect(lines.count <= 24)
            for line in lines { #expect(line.count <= 100, "\(line)") }
            for verb in ["add", "set-password", "remove", "disable", "enable", "list"] {
                #expect(lines.contains { $0.hasPrefix("  user \(verb)") }, "\(verb)")
            }
        }
    }

    @Test("adds a user, with the password from standard input, and the next id")
    func adding() throws {
        let (ending, output, errors) = try user(
            ["add", "--username", "zoe\u{308}", "--name", "Zo\u{EB}"] + place,
            typing: "correct horse\r\nand what follows\n", [:])
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(output == "zo\\u{eb} (id 1) was added; a running server takes it at SIGHUP\n")
        let users = try users()
        #expect(users.map(\.id.rawValue) == [1])
        #expect(users.map(\.username) == ["zo\u{EB}"])
        #expect(users.map(\.name) == ["Zo\u{EB}"])
        let hash = try #require(users[0].password)
        #expect(hash.matches(try #require(Password("correct horse"))))
        #expect(hash.iterations == 600_000)
        #expect(try FileStatus(path: folder.path("users.json")).mode & 0o777 == 0o600)
    }

    @Test(
        "refuses a password that will not do, and says why without it",
        arguments: [
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
                "the password is too long; at most 1,024 bytes are taken"
            ),
            (
                String(repeating: "hunter2", count: 5000),
                "the password is too long; at most 1,024 bytes are taken"
            ),
            (
                "hunter2\u{1}hunter2\n",
                "the password has control characters; remove them"
            ),
            ("", "no password came; type it at the prompt, or give one line on standard input"),
            ("\n", "no password came; type it at the prompt, or give one line on standard input"),
        ])
    func passwords(input: String, sentence: String) throws {
        let (ending, output, errors) = try user(
            ["add", "--username", "alice smith", "--name", "Alice"] + place, typing: input)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(errors == "gatehouse: \(sentence)\n")
        #expect(folder.names == [])
    }

    @Test("refuses a user who is there, before it asks for a password")
    func clashes() throws {
        try make("alice")
        for (arguments, sentence) in [
            (["--username", "alice"], "the user name is taken"),
            (["--username", "bob", "--id", "1"], "the id is taken"),
        ] {
            let (ending, _, errors) = try user(["add", "--name", "N"] + arguments + place)
            #expect(ending == .exited(65))
            #expect(errors.hasPrefix("gatehouse: users.json: \(sentence); "))
        }
        #expect(try users().count == 1)
    }

    @Test("gives a new user the id above the highest, or the one that is asked for")
    func ids() throws {
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
        #expect(errors.contains("give one with --id"))
        #expect(try users().map(\.id.rawValue) == [2, 3, UserID.maximum])
    }

    @Test("gives nobody the id of somebody who is gone, unless the file knows nothing of that")
    func usedIDs() throws {
        try make("alice", "bob", "carol")
        try UsersFile(folder.path("users.json")).update { users in users.removeFirst(2) }
        let add = ["add", "--username", "mallory", "--name", "M", "--id", "2"] + place
        // Before a password is asked for.
        var (ending, output, errors) = try user(add)
        #expect(ending == .exited(65))
        #expect(output == "")
        #expect(
            errors
                == "gatehouse: users.json: the id may have been that of somebody who is gone, whose "
                + "tokens would be the new user's; leave --id out for the next free one\n")
        let content = try folder.content("users.json")
        try folder.file("users.json", content.replacing("\"next_id\":4,", with: ""))
        (ending, output, errors) = try user(add, typing: "correct horse\n")
        #expect(ending == .exited(0))
        #expect(output.hasPrefix("mallory (id 2) was added"))
    }

    @Test("shows no name that could be taken for another, or for a command to the terminal")
    func names() throws {
        try UsersFile(folder.path("users.json")).update(making: true) { users in
            users = [User(id: UserID(1)!, username: "a\u{202E}b", name: "N\u{200B}")]
        }
        let (_, output, _) = try user(["list"] + place)
        #expect(output.contains("1   a\\u{202e}b  N\\u{200b}  "))
        let (_, changed, _) = try user(["disable", "--id", "1"] + place)
        #expect(changed.hasPrefix("a\\u{202e}b (id 1) is disabled"))
    }

    @Test("changes one user, by name or id, and leaves the others as they are")
    func changes() throws {
        try make("alice", "bob", "carol")
        let before = try users()

        var (ending, output, _) = try user(
            ["set-password", "--id", "2"] + place, typing: "battery staple\n")
        #expect(ending == .exited(0))
        #expect(
            output == """
                bob (id 2) has a new password; a running server takes it at SIGHUP
                sessions that have begun go on; next: `gatehouse revoke --user 2`

                """)
        #expect(try users()[1].password?.matches(Password("battery staple")!) == true)

        (ending, output, _) = try user(["disable", "--username", "carol"] + place)
        #expect(ending == .exited(0))
        #expect(
            output == """
                carol (id 3) is disabled; a running server takes it at SIGHUP
                sessions that have begun go on; next: `gatehouse revoke --user 3`

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
        #expect(output == "carol (id 3) is enabled; a running server takes it at SIGHUP\n")
        (ending, output, _) = try user(["remove", "--username", "bob"] + place)
        #expect(ending == .exited(0))
        #expect(
            output == """
                bob (id 2) was removed; a running server takes it at SIGHUP
                sessions that have begun go on; next: `gatehouse revoke --user 2`

                """)
        #expect(try users() == [before[0], before[2]])
    }

    @Test(
        "about somebody who is not there says so",
        arguments: ["set-password", "remove", "disable", "enable"])
    func nobody(verb: String) throws {
        let missing = try user([verb, "--id", "1"] + place)
        #expect(missing.ending == .exited(66))
        #expect(
            missing.errors
                == "gatehouse: users.json: there is no such file; `gatehouse user add` makes it\n")
        try folder.file("users.json", "{\"users\":[]}")
        let unknown = try user([verb, "--username", "alice"] + place)
        #expect(unknown.ending == .exited(67))
        #expect(
            unknown.errors
                == "gatehouse: users.json: no such user; `gatehouse user list` shows who there is\n"
        )
    }

    @Test("on a broken file tells what is wrong with it, and leaves it as it is")
    func broken() throws {
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

    @Test("warns of a file that others can read")
    func permissions() throws {
        try folder.file("users.json", "{\"users\":[]}", mode: 0o644)
        let (ending, _, errors) = try user(["list"] + place)
        #expect(ending == .exited(0))
        #expect(
            errors
                == "gatehouse: warning: users.json: the users file can be read by others; chmod 600 it\n"
        )
    }

    @Test("in a folder that is not there, or is none, cannot make the file")
    func folders() throws {
        try folder.file("file", "")
        for path in ["missing/users.json", "file/users.json"] {
            let (ending, _, errors) = try user(
                ["add", "--username", "a", "--name", "A", "--users-file", path],
                typing: "correct horse\n")
            #expect([.exited(73), .exited(66)].contains(ending))
            #expect(errors.hasPrefix("gatehouse: \(path): "))
        }
    }

    @Test("of which several run at once loses no change")
    func atOnce() throws {
        let input = try folder.file("input", "correct horse\n")
        let processes = try (1...3).map { number in
            try ServerProcess.start(
                in: folder, cheap,
                ["user", "add", "--username", "u\(number)", "--name", "U"] + place, input: input)
        }
        for process in processes { #expect(try process.wait() == .exited(0)) }
        let users = try users()
        #expect(Set(users.map(\.username)) == Set((1...3).map { "u\($0)" }))
        #expect(users.map(\.id.rawValue).sorted() == Array(1...3))
    }

    @Test("tells a running server, which then takes another password or lets nobody in")
    func running() throws {
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

        let process = try ServerProcess.start(in: folder, cheap, ["serve"] + place)
        let line = try process.errorLine(containing: "gatehouse: listening on http://")
        let port = try #require(UInt16(line.split(separator: ":").last ?? ""))
        let content = #"{"username":"alice","password":"battery staple"}"#
        let login =
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(content.utf8.count)\r\n\r\n"
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
                alice (id 1) has a new password; the running server has taken it
                all sessions of user 1 that have begun until now have ended

                """)
        #expect(try status() == 200)
        (ending, output, _) = try user(["disable", "--id", "1"] + place)
        #expect(
            output == """
                alice (id 1) is disabled; the running server has taken it
                all sessions of user 1 that have begun until now have ended

                """)
        #expect(try status() == 401)
        // One file, however it is written.
        (_, output, _) = try user(
            ["enable", "--id", "1", "--users-file", "./users.json"] + place)
        #expect(output == "alice (id 1) is enabled; the running server has taken it\n")

        // Another file is none of its affair.
        (_, output, _) = try user(
            ["add", "--username", "x", "--name", "X", "--users-file", "others.json"] + place,
            typing: "correct horse\n")
        #expect(output == "x (id 1) was added; a running server takes it at SIGHUP\n")
        process.end()
    }

    @Test(
        "that takes access away ends sessions, which begin anew afterwards or not at all",
        arguments: ["set-password", "disable", "remove"], [true, false])
    func sessions(verb: String, isRunning: Bool) throws {
        let estate = try PasswordServerFixture()
        var house = try estate.house()
        let (alice, bob) = (try house.login("alice").token, try house.login("bob").token)
        if !isRunning { try house.stop() }
        let (ending, output, errors) = try estate.run(
            ["user", verb, "--username", "alice"], typing: "battery staple\n")
        #expect(ending == .exited(0))
        #expect(
            output.hasSuffix(
                (isRunning ? "; the running server has taken it" : "; no server is running")
                    + "\nall sessions of user 1 that have begun until now have ended\n"))
        #expect(errors.contains("it was written to revocations.journal") == !isRunning)
        if verb == "disable" {
            #expect(try estate.run(["user", "enable", "--username", "alice"]).ending == .exited(0))
        }
        if !isRunning { house = try estate.house() }
        let verdict = verb == "remove" ? "404 User not found" : "401 Token revoked"
        #expect(try house.ask(.resource(alice)).verdict == verdict)
        #expect(try house.ask(.resource(bob)).status == 200)
        let again = try house.login(
            "alice", verb == "disable" ? PasswordServerFixture.password : "battery staple")
        #expect(again.status == (verb == "remove" ? 401 : 200))
        if verb != "remove" { #expect(try house.ask(.resource(again.token)).status == 200) }
    }

    @Test("that cannot end sessions says what does")
    func unreachable() throws {
        var plan = PasswordServerFixture.Options()
        plan.more = #""admin":{}"#
        let estate = try PasswordServerFixture(plan)
        let house = try estate.house()
        let token = try house.login("alice").token
        let (ending, output, errors) = try estate.run(["user", "disable", "--id", "1"])
        #expect(ending == .exited(0))
        #expect(errors == "")
        #expect(
            output == """
                alice (id 1) is disabled; a running server takes it at SIGHUP
                sessions that have begun go on; next: `gatehouse revoke --user 1`

                """)
        #expect(try house.ask(.resource(token)).status == 200)
        try house.stop()
        // Nobody has the journal now, so that nobody runs.
        let stopped = try estate.run(
            ["user", "set-password", "--id", "1"], typing: "battery staple\n")
        #expect(stopped.ending == .exited(0))
        #expect(
            stopped.output.hasPrefix("alice (id 1) has a new password; no server is running\nall "))
    }

    // MARK: At a terminal

    @Test("at a terminal asks twice, and shows nothing of what is typed")
    func terminal() throws {
        let terminal = try Terminal()
        let process = try start(at: terminal, "correct horse", again: "correct horse")
        #expect(try process.wait() == .exited(0))
        #expect(terminal.hasEcho)
        #expect(!terminal.shown.contains("horse"))
        #expect(try users().map(\.username) == ["alice"])
        #expect(try users()[0].password?.matches(Password("correct horse")!) == true)
    }

    @Test("at a terminal takes nothing where the two passwords differ")
    func typo() throws {
        let terminal = try Terminal()
        let process = try start(at: terminal, "correct horse", again: "correct hores")
        #expect(try process.wait() == .exited(65))
        #expect(process.standardError.hasSuffix("the same; nothing was changed\n"))
        #expect(terminal.hasEcho)
        #expect(folder.names == [])
    }

    @Test(
        "that is interrupted leaves the terminal as it was", arguments: [SIGINT, SIGTERM, SIGHUP])
    func interruption(signal: CInt) throws {
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
            in: folder, cheap, ["user", "add", "--username", "alice", "--name", "Alice"] + place,
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

import App
import Foundation
import Glibc
import JWT
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct CommandTests {
    private let folder = try! TemporaryFolder()

    @Test(arguments: [
        (["start"], "unknown argument: start"), (["--port", "80"], "unknown argument: --port"),
        (["--config"], "option --config needs a value; write --config FILE"),
        (["check", "secret"], "unexpected command: secret; give one at a time"),
        (["serve", "serve"], "unexpected command: serve; give one at a time"),
        ([""], "unknown argument: "),
        (
            ["check", "--config", "--help"],
            "option --config needs a value; write --config FILE"
        ),
        (
            ["--config", "--config", "log", "head"],
            "option --config needs a value; write --config FILE"
        ),
        (
            ["secret", "--add", "--config", "config.json"],
            "option --add needs a value; write --add FILE"
        ),
        (
            ["log", "tail", "--lines", "--no-follow"],
            "option --lines needs a value; write --lines VALUE"
        ),
        (
            ["user", "add", "--username", "--password=hunter2hunter2"],
            "option --username needs a value; write --username VALUE"
        ),
        (["revoke", "--session", "--yes"], "option --session needs a value; write --session SID"),
        (["--config", "c.json", "reload", "now"], "unknown argument: now"),
    ])
    func `a command line that is wrong is refused with the reason and the usage`(
        arguments: [String], sentence: String
    ) throws {
        let (ending, output, errors) = try ServerProcess.run(arguments, in: folder)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(
            errors == """
                gatehouse: \(sentence)
                usage: gatehouse [COMMAND] [OPTIONS] [--config FILE]; see gatehouse --help

                """)
        #expect(throws: GatehouseCommand.UsageError.self) {
            try GatehouseCommand(arguments, environment: [:])
        }
    }

    @Test(arguments: ["--help", "-h"])
    func `help fits one screen and names every command`(argument: String) throws {
        for arguments in [[argument], ["serve", argument], [argument, "check"]] {
            let (ending, output, errors) = try ServerProcess.run(arguments, in: folder)
            #expect(ending == .exited(0))
            #expect(errors == "")
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            #expect(lines.count <= 24)
            for line in lines { #expect(line.count <= 80, "\(line)") }
            let words = [
                "serve", "check", "secret", "user", "token", "revoke", "level", "log verify",
                "--config", "--help", "--version",
            ]
            for word in words {
                #expect(lines.contains { $0.hasPrefix("  \(word) ") }, "\(word)")
            }
        }
    }

    @Test(arguments: [
        (["token", "--help"], ["token issue", "token explain"]),
        (["token", "explain", "-h"], ["token issue", "token explain"]),
        (
            ["revoke", "--help"],
            ["revoke --user", "revoke --all", "level", "reload", "sessions", "locks", "unlock"]
        ),
        (
            ["sessions", "-h"],
            ["revoke --user", "revoke --all", "level", "reload", "sessions", "locks", "unlock"]
        ),
        (["secret", "--help"], ["secret"]),
    ])
    func `help about a group of commands fits one screen and names them`(
        arguments: [String], words: [String]
    ) throws {
        let (ending, output, errors) = try ServerProcess.run(arguments, in: folder)
        #expect(ending == .exited(0))
        #expect(errors == "")
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.count <= 24)
        for line in lines { #expect(line.count <= 80, "\(line)") }
        for word in words {
            #expect(lines.contains { $0.hasPrefix("  \(word) ") }, "\(word)")
        }
    }

    @Test func `--config may come before the command or after it`() throws {
        let content = #"{"login":{"mode":"demo"},"log":{"file":{"path":"app.log"}}}"#
        try folder.file("c.json", content)
        // NSString's path functions trap for some names of one character, so test the shortest one.
        try folder.file("c", content)
        #expect(try ServerProcess.run(["check", "--config", "c"], in: folder).ending == .exited(0))
        for (words, code) in [
            (["check"], 0 as CInt), (["reload"], 78), (["user", "list"], 64),
            (["log", "head"], 66),
            (["revoke", "--user", "1"], 78), (["secret"], 0), (["log", "verify", "--x"], 2),
        ] {
            let before = try ServerProcess.run(["--config", "c.json"] + words, in: folder)
            let after = try ServerProcess.run(words + ["--config", "c.json"], in: folder)
            #expect(before.ending == .exited(code), "\(words): \(before.errors)")
            #expect(before.ending == after.ending)
            #expect(before.errors == after.errors)
        }
    }

    @Test func `--version prints one line`() throws {
        let (ending, output, errors) = try ServerProcess.run(["--version"], in: folder)
        #expect(ending == .exited(0))
        #expect(output == "gatehouse \(Application.version)\n")
        #expect(errors == "")
    }

    @Test func `secret prints a new value each time that can be used as a key`() throws {
        let secrets = try (0..<3).map { _ in
            let (ending, output, _) = try ServerProcess.run(["secret"], in: folder)
            #expect(ending == .exited(0))
            #expect(output.wholeMatch(of: #/[A-Za-z0-9_-]{43}\n/#) != nil)
            return String(output.dropLast())
        }
        #expect(Set(secrets).count == 3)
        let keys = secrets.enumerated().map { "{\"id\":\"\($0)\",\"secret\":\"\($1)\"}" }
        let configuration = try Configuration.load(
            file: nil, environment: ["GATEHOUSE_TOKEN_KEYS": "[\(keys.joined(separator: ","))]"])
        #expect(configuration.keys.entries.map(\.id) == ["0", "1", "2"])
    }

    @Test func `check reports a valid configuration and its warnings`() throws {
        try folder.file(
            "good.json", "{\"login\":{\"mode\":\"demo\"},\"log\":{\"level\":\"WARNING\"}}")
        let (ending, output, errors) = try ServerProcess.run(
            ["check", "--config", "good.json"], in: folder)
        #expect(ending == .exited(0))
        #expect(output == "the configuration is valid\n")
        #expect(
            errors == """
                gatehouse: warning: token.keys: none configured: this run uses a random key, \
                and a restart invalidates its tokens
                gatehouse: warning: login.mode: demo: anyone who can connect can log in as anyone

                """)
        // It creates nothing.
        #expect(folder.names == ["good.json"])
    }

    @Test(arguments: ["check", "serve"])
    func `check reports everything that is wrong with a configuration`(verb: String) throws {
        try folder.file("wrong.json", "{\"log\":{\"level\":\"LOUD\"},\"prot\":80}")
        let arguments = [verb, "--config", "wrong.json"]
        let (ending, output, errors) = try ServerProcess.run(arguments, in: folder)
        #expect(ending == .exited(78))
        #expect(output == "")
        #expect(
            errors == """
                gatehouse: log.level: "LOUD" is not a level; write DEBUG, INFO, \
                WARNING, ERROR or CRITICAL
                gatehouse: prot: unknown key

                """
                + (verb == "check"
                    // The check continues with the files.
                    ? "gatehouse: login.users_file: users.json: the users cannot be read: "
                        + "No such file or directory\n"
                    : ""))
    }

    @Test func `check reports that the log cannot be written`() throws {
        try folder.file("file", "")
        for (path, sentence) in [
            ("file/app.log", "file/app.log cannot be opened: Not a directory"),
            ("/proc/nowhere/app.log", "/proc cannot be written: Operation not permitted"),
            (".", "names a folder; write the path of a file"),
            ("logs/", "names a folder; write the path of a file"),
        ] {
            let (ending, _, errors) = try ServerProcess.run(
                ["check"], in: folder, ["LOG_FILE_PATH": path])
            #expect(ending == .exited(78))
            #expect(errors.contains("gatehouse: log.file.path: \(sentence)\n"))
        }
    }

    @Test func `check reports a users file that is not a regular file`() throws {
        #expect(mkfifo(folder.path("pipe"), 0o644) == 0)
        #expect(mkdir(folder.path("folder"), 0o755) == 0)
        for name in ["pipe", "folder", "/dev/null"] {
            let settings = ["LOGIN_MODE": "password", "LOGIN_USERS_FILE": name]
            let sentence =
                "\(name): is not a regular file; write a file, not a folder, a pipe or a device\n"
            let check = try ServerProcess.run(["check"], in: folder, settings)
            #expect(check.ending == .exited(78))
            #expect(
                check.errors == """
                    gatehouse: warning: token.keys: none configured: this run uses a random key, \
                    and a restart invalidates its tokens
                    gatehouse: login.users_file: \(sentence)
                    """)
            let list = try ServerProcess.run(["user", "list"], in: folder, settings)
            #expect(list.ending == .exited(66))
            #expect(list.errors == "gatehouse: \(sentence)")
        }
    }

    @Test func `check accepts missing folders of the log, and a start creates them`() throws {
        let settings = ["LOG_FILE_PATH": "a/b/app.log"]
        #expect(try ServerProcess.run(["check"], in: folder, settings).ending == .exited(0))
        #expect(folder.names == [])
        #expect(try ServerProcess(in: folder, settings).stop() == .exited(0))
    }

    @Test(arguments: [
        ("ln -s x audit", "audit is a symbolic link"),
        ("mkdir .audit.lock", ".audit.lock is a folder; the lock must be a regular file"),
        ("ln -s x .audit.lock", ".audit.lock is a symbolic link"),
        ("ln -s x .audit.state", ".audit.state is a symbolic link"),
        ("mkfifo .audit.state", ".audit.state is a pipe"),
        ("mkfifo audit", "audit is a pipe; the log must be a regular file"),
        ("mknod audit c 1 3", "audit is a device"),
        ("ln -s /dev/null audit", "audit is a symbolic link"),
        ("echo precious >audit", "audit is not a log"),
    ])
    func `check and a start refuse a path that cannot be a log`(command: String, sentence: String)
        throws
    {
        let shell = try ChildProcess(
            "/bin/sh", ["-c", command], environment: ["PATH": "/usr/bin:/bin"], folder: folder.path)
        #expect(try shell.wait() == .exited(0))
        let names = folder.allNames
        let settings = ["LOG_FILE_PATH": "audit", "SERVER_PORT": "0"]
        let checked = try ServerProcess.run(["check"], in: folder, settings)
        #expect(checked.ending == .exited(78))
        #expect(checked.errors.contains("gatehouse: log.file.path: "))
        #expect(checked.errors.contains(sentence), "\(checked.errors)")
        #expect(folder.allNames == names)
        #expect(try ServerProcess.run([], in: folder, settings).ending == .exited(73))
    }

    @Test func `check and a start refuse addresses that they cannot listen on`() throws {
        try folder.file("users.json", "{\"users\":[]}", mode: 0o600)
        let port = try ServerProcess(in: folder).port
        for (server, sentence) in [
            ("\"host\":\"192.0.2.1\",\"port\":0", "server.host: cannot listen on this address: "),
            ("\"port\":\(port)", "admin.metrics: port \(port) is also server.port"),
        ] {
            try folder.file(
                "c.json",
                """
                {"server":{\(server)},"admin":{"metrics":"127.0.0.1:\(port)"},
                 "token":{"keys":[{"id":"a","secret":"a secret of thirty-two bytes and more"}]},
                 "log":{"file":{"path":"app.log"}}}
                """)
            let checked = try ServerProcess.run(["check", "--config", "c.json"], in: folder)
            #expect(checked.ending == .exited(78))
            #expect(checked.errors.contains("gatehouse: \(sentence)"), "\(checked.errors)")
            let served = try ServerProcess.run(["--config", "c.json"], in: folder)
            #expect(served.ending == .exited(69), "\(served.errors)")
        }
    }

    @Test func `check and a start warn about a log that others can change or read`() throws {
        for (mode, word) in [(0o666, "changed"), (0o602, "changed"), (0o644, "read")] {
            try folder.file("app.log", "", mode: mode)
            let checked = try ServerProcess.run(["check"], in: folder, ["LOG_FILE_PATH": "app.log"])
            #expect(
                checked.errors.contains(
                    "warning: log.file.path: the log app.log can be \(word) by others; chmod 640 "
                        + "it\n"
                ))
            #expect(checked.ending == .exited(0))
            let server = try ServerProcess(in: folder)
            try server.stop()
            #expect(
                try folder.content("app.log").contains(
                    "config_warning key=log.file.path "
                        + "reason=\"the log app.log can be \(word) by others; chmod 640 it\""))
        }
    }

    @Test
    func `check examines the journal, the socket and the users as a start does`() throws {
        try folder.file("users.json", "{\"users\":[]}", mode: 0o644)
        try folder.file("file", "no journal and no socket")
        func check(_ admin: String, _ journal: String, _ verb: String = "check") throws -> (
            ending: ChildProcess.Ending, output: String, errors: String
        ) {
            let secret = "a secret of thirty-two bytes and more"
            try folder.file(
                "c.json",
                """
                {"server":{"port":0},"admin":{"socket":"\(admin)"},
                 "token":{"keys":[{"id":"a","secret":"\(secret)"}]},
                 "log":{"file":{"path":"logs/app.log"}},"state":{"revocations":"\(journal)"}}
                """)
            return try ServerProcess.run([verb, "--config", "c.json"], in: folder)
        }
        let good = try check("logs/s", "state/deep/journal")
        #expect(good.ending == .exited(0))
        #expect(good.output == "the configuration is valid; 0 users\n")
        #expect(
            good.errors.contains(
                "warning: users.json: the users file can be read by others; chmod 600 it\n"))
        // It creates nothing.
        #expect(folder.names == ["c.json", "file", "users.json"])

        let long = String(repeating: "x", count: 108)
        for (admin, journal, sentence) in [
            (long, "j", "admin.socket: the path has 108 bytes, and a socket's path at most 107"),
            ("missing/s", "j", "admin.socket: missing is not a writable folder"),
            ("file/s", "j", "admin.socket: file is not a writable folder"),
            ("file", "j", "admin.socket: file exists and is not a socket"),
            ("s", "file", "state.revocations: the journal file is not a revocation journal"),
            ("s", ".", "state.revocations: names a folder; write the path of a file"),
            ("s", "file/j", "state.revocations: "),
        ] {
            let (ending, _, errors) = try check(admin, journal)
            #expect(ending == .exited(78))
            #expect(errors.contains("gatehouse: \(sentence)"), "\(errors)")
            let served = try check(admin, journal, "serve")
            #expect(
                [.exited(69), .exited(73), .exited(78)].contains(served.ending),
                "\(admin) \(journal)")
        }
    }

    @Test(arguments: ["config", "key", "users"])
    func `a pipe in place of a file is refused without waiting for a writer`(what: String) throws {
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        try folder.file(
            "c.json",
            """
            {"token":{"keys":[{"id":"a","secret_file":"\(what == "key" ? "pipe" : "key")"}]},
             "login":{"users_file":"pipe"}}
            """)
        try folder.file("key", "a secret of thirty-two bytes and more")
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", what == "config" ? "pipe" : "c.json"], in: folder)
        #expect(ending == .exited(78))
        #expect(errors.contains("is not a regular file"))
    }

    @Test func `serve on an address in use exits with 69`() throws {
        let server = try ServerProcess(in: folder)
        let (ending, _, errors) = try ServerProcess.run(
            [], in: folder, ["SERVER_PORT": "\(server.port)", "LOG_STDERR_LEVEL": "CRITICAL"])
        #expect(ending == .exited(69))
        #expect(
            errors
                == "gatehouse: cannot listen on 127.0.0.1:\(server.port): Address already in use\n")
        #expect(try server.ask(.get("/health/live")).status == 200)
    }

    @Test func `serve with a log that cannot be opened exits with 73`() throws {
        try folder.file("file", "")
        let settings = ["SERVER_PORT": "0", "LOG_FILE_PATH": "file/app.log"]
        let (ending, _, errors) = try ServerProcess.run(["serve"], in: folder, settings)
        #expect(ending == .exited(73))
        #expect(errors == "gatehouse: cannot open the log file/app.log: Not a directory\n")
    }
}

import Auth
import Foundation
import Glibc
import TestSupport
import Testing

@testable import App

@Suite(.blocking, .serialized, .tags(.timing))
struct SessionCommandTests {
    private func run(
        _ fixture: PasswordServerFixture, _ arguments: [String],
        _ environment: [String: String] = [:],
        typing input: String? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try fixture.folder.file("input", $0) }
        // The environment of the command, including variables without the prefix GATEHOUSE_.
        let words = environment.map { "\($0.key)=\($0.value)" }.sorted()
        let process = try ChildProcess(
            "/usr/bin/env",
            words + ["GATEHOUSE_LOG_FILE_PATH=app.log", ServerProcess.program] + arguments,
            environment: [:], folder: fixture.folder.path, input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    @Test func `an unknown target is revoked all the same and reported as unknown`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        let (sid, jti) = try #require(
            TokenParts(token).flatMap { parts in
                parts.text("sid").flatMap { sid in parts.text("jti").map { (sid, $0) } }
            })
        for (option, word) in [("--session", "session"), ("--token", "token")] {
            let (ending, output, errors) = try fixture.run(["revoke", option, "nosuch"])
            #expect(ending == .exited(0))
            #expect(output == "unknown \(word); recorded anyway\n")
            #expect(errors == "")
            // It is known from now on.
            #expect(try fixture.run(["revoke", option, "nosuch"]).output.contains(" nosuch "))
        }
        let unknown = try fixture.run(["revoke", "--user", "99"])
        #expect(unknown.ending == .exited(67))
        #expect(unknown.output == "")
        #expect(unknown.errors == "gatehouse: no such user: 99; recorded anyway\n")
        #expect(try server.ask(.resource(token)).status == 200)

        #expect(
            try fixture.run(["revoke", "--token", jti]).output.hasPrefix(
                "token \(jti) is revoked\n")
        )
        #expect(
            try fixture.run(["revoke", "--session", sid]).output == "session \(sid) has ended\n")
        #expect(try fixture.run(["revoke", "--user", "1"]).ending == .exited(0))
        #expect(try fixture.events("authn_token_revoked").count == 8)
    }

    @Test func `without a server, revoke knows the users of the file and no sessions`() throws {
        let fixture = try PasswordServerFixture()
        var (ending, output, errors) = try fixture.run(["revoke", "--user", "99"])
        #expect(ending == .exited(67))
        #expect(errors.hasSuffix("gatehouse: no such user: 99; recorded anyway\n"))
        (ending, output, errors) = try fixture.run(["revoke", "--username", "bob"])
        #expect(ending == .exited(0))
        #expect(output == "all current sessions of user 2 have ended\n")
        (ending, output, _) = try fixture.run(["revoke", "--session", "nosuch"])
        #expect(ending == .exited(0))
        #expect(output == "unknown session; recorded anyway\n")
    }

    @Test(arguments: ["{", nil])
    func `without a readable users file, revoke still accepts a user number`(
        users: String?
    ) throws {
        let fixture = try PasswordServerFixture()
        var server = try fixture.startServer()
        let token = try server.login("alice").token
        try server.stop()
        let good = try fixture.folder.content("users.json")
        if let users {
            try fixture.folder.file("users.json", users)
        } else {
            unlink(fixture.folder.path("users.json"))
        }
        let named = try fixture.run(["revoke", "--username", "alice"])
        #expect(named.ending == .exited(78))
        #expect(named.output == "")
        #expect(named.errors.hasPrefix("gatehouse: login.users_file: "))

        let (ending, output, errors) = try fixture.run(["revoke", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(output == "all current sessions of user 1 have ended\n")
        #expect(errors.contains("gatehouse: login.users_file: "))
        #expect(!errors.contains("no such user"))
        // Other targets do not need the users.
        let session = try fixture.run(["revoke", "--session", "nosuch"])
        #expect(session.ending == .exited(0))
        #expect(!session.errors.contains("users_file"))

        try fixture.folder.file("users.json", good)
        server = try fixture.startServer()
        #expect(try server.ask(.resource(token)).status == 401)
    }

    @Test(arguments: [
        "abc", "a.b.c", "a.b", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9.e30.x==",
    ])
    func `a text without the form of a token is refused`(text: String) throws {
        let fixture = try PasswordServerFixture()
        let (ending, output, errors) = try fixture.run(["revoke", "--token"], typing: text)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: standard input: not a token"))
        #expect(!errors.contains(text))
    }

    @Test func `a command accepts a user name instead of a number`() throws {
        let fixture = try PasswordServerFixture(users: ["alice", "günther"])
        let server = try fixture.startServer()
        let mine = try server.login("günther").token
        // In any composition.
        for name in ["günther", "gu\u{308}nther"] {
            let rows = try fixture.run(["sessions", "--username", name]).output.split(
                separator: "\n")
            #expect(rows.count == 2)
        }
        let issued = try fixture.run(["token", "issue", "--username", "günther"])
        #expect(issued.ending == .exited(0))
        let token = issued.output.trimmingCharacters(in: .newlines)
        #expect(TokenParts(token)?.number("user_id") == 2)
        #expect(try fixture.run(["revoke", "--username=günther"]).ending == .exited(0))
        let tail = try fixture.run(["log", "tail", "--no-follow", "--username", "günther"])
        #expect(tail.output.contains("authn_login_success user=2 "))
        #expect(!tail.output.contains("sys_startup"))
        for token in [mine, token] { #expect(try server.ask(.resource(token)).status == 401) }

        for arguments in [
            ["revoke", "--username", "nobody"], ["sessions", "--username", "nobody"],
            ["token", "issue", "--username", "nobody"],
            ["log", "tail", "--no-follow", "--username", "nobody"],
        ] {
            let (ending, output, errors) = try fixture.run(arguments)
            #expect(ending == .exited(67))
            #expect(output == "")
            #expect(errors.hasPrefix("gatehouse: no such user: nobody; "))
            let usage = try fixture.run(arguments.dropLast() + [" x"])
            #expect(usage.ending == .exited(64))
        }
    }

    @Test func `tables can be printed as JSON`() throws {
        let fixture = try PasswordServerFixture(users: ["alice", "günther"])
        let server = try fixture.startServer()
        let sid = TokenParts(try server.login("alice").token)?.text("sid") ?? ""
        struct Sessions: Decodable {
            struct Session: Decodable {
                let session: String
                let began: Int
                let ends: Int
                let seen: Int
                let ip: String
            }
            let user: Int
            let sessions: [Session]
        }
        func sessions(_ user: String) throws -> Sessions {
            let (ending, output, _) = try fixture.run(["sessions", "--user", user, "--json"])
            #expect(ending == .exited(0))
            return try JSONDecoder().decode(Sessions.self, from: Data(output.utf8))
        }
        let found = try sessions("1")
        #expect(found.user == 1)
        #expect(found.sessions.map(\.session) == [sid])
        #expect(found.sessions.allSatisfy { $0.began <= $0.seen && $0.seen < $0.ends })
        #expect(try sessions("2").sessions.isEmpty)
        let (ending, output, _) = try fixture.run(["user", "list", "--json"])
        #expect(ending == .exited(0))
        #expect(
            output
                == #"{"users":[{"id":1,"username":"alice","name":"Alice","state":"active","#
                + #""iterations":1000},{"id":2,"username":"günther","name":"Günther","#
                + #""state":"active","iterations":1000}]}"# + "\n")
    }

    @Test func `an option accepts its value after an equals sign`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        for arguments in [
            ["check", "--config=gatehouse.json"], ["--config=gatehouse.json", "check"],
            ["sessions", "--user=1", "--config=gatehouse.json"],
            ["token", "issue", "--user=1", "--ttl=10m", "--config=gatehouse.json"],
            ["revoke", "--session=--odd", "--config=gatehouse.json"],
            ["user", "list", "--users-file=users.json"],
            ["user", "disable", "--username=bob", "--config=gatehouse.json"],
            ["log", "tail", "--lines=1", "--no-follow", "--config=gatehouse.json"],
            ["log", "stats", "--since=1h", "--config=gatehouse.json"],
            ["level", "all", "INFO", "--config=gatehouse.json"],
            ["reload", "--config=gatehouse.json"],
        ] {
            let (ending, _, errors) = try run(
                fixture, arguments, ["GATEHOUSE_LOG_SEAL": "true", "GATEHOUSE_SERVER_PORT": "0"])
            #expect(ending == .exited(0), "\(arguments): \(errors)")
        }
        for arguments in [
            ["revoke", "--all=yes"], ["revoke", "--user="], ["sessions", "--user=x"],
            ["user", "add", "--username=x", "--name=X", "--password=correct horse"],
            ["check", "--Config=gatehouse.json"], ["reload", "--=x"],
        ] {
            let (ending, _, errors) = try run(fixture, arguments)
            #expect(ending == .exited(64), "\(arguments)")
            #expect(!errors.contains("horse"))
        }
        withExtendedLifetime(server) {}
    }

    @Test(
        arguments: [
            ([:], false), (["LANG": "C"], false), (["LANG": "C.UTF-8"], true),
            (["LANG": "de_DE.utf8"], true), (["LANG": "de_DE.UTF-8@euro"], true),
            (["LC_CTYPE": "en_GB.UTF-8", "LANG": "C"], true),
            (["LC_ALL": "C", "LC_CTYPE": "en_GB.UTF-8", "LANG": "en_GB.UTF-8"], false),
            (["LC_ALL": "", "LANG": "en_GB.UTF-8"], true), (["LANG": "de_DE.ISO-8859-1"], false),
            (["LANG": "utf-8"], false),
        ] as [([String: String], Bool)])
    func `names are printed unescaped if the locale is UTF-8`(
        environment: [String: String], isShown: Bool
    ) throws {
        let fixture = try PasswordServerFixture(users: ["günther"])
        let list = try run(
            fixture, ["user", "list", "--users-file", "users.json"], environment)
        #expect(
            list.output.contains(isShown ? "günther   Günther" : #"g\u{fc}nther  G\u{fc}nther"#))
        let change = try run(
            fixture, ["user", "disable", "--username=günther", "--users-file", "users.json"],
            environment)
        #expect(change.output.hasPrefix(isShown ? "günther (id 1)" : #"g\u{fc}nther (id 1)"#))
    }

    @Test func `a command reads the configuration that GATEHOUSE_CONFIG names`() throws {
        let fixture = try PasswordServerFixture()
        let variable = ["GATEHOUSE_CONFIG": "gatehouse.json"]
        var (ending, output, errors) = try run(fixture, ["user", "list"], variable)
        #expect(ending == .exited(0), "\(errors)")
        #expect(output.contains("alice"))
        (ending, output, errors) = try run(fixture, ["check"], variable)
        #expect(ending == .exited(0))
        #expect(output.contains("2 users"))
        // The option overrides the variable, and an empty variable counts as unset.
        #expect(
            try run(fixture, ["check"], ["GATEHOUSE_CONFIG": "missing.json"]).ending == .exited(78))
        #expect(
            try run(
                fixture, ["check", "--config", "gatehouse.json"],
                ["GATEHOUSE_CONFIG": "missing.json"]
            ).ending == .exited(0))
        #expect(try run(fixture, ["check"], ["GATEHOUSE_CONFIG": ""]).ending == .exited(0))
    }
}

struct VisibleTextTests {
    private let plain = VisibleText(showsUTF8: false)
    private let names = VisibleText(showsUTF8: true)

    @Test(arguments: [
        "Günther", "Ελένη", "Жанна", "山田太郎", "نور", "דוד", "Zoë-Ann O’Neil", "Nguyễn", "🙂",
        "e\u{301}", "한국어", "ไทย",
    ])
    func `a printable text is shown unchanged if the terminal shows UTF-8`(text: String) {
        #expect(names.of(text) == text)
        #expect(plain.of(text).utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }

    @Test(arguments: [
        "\u{202E}", "\u{2066}", "\u{200F}", "\u{61C}", "\u{200B}", "\u{200D}", "\u{FEFF}", "\u{AD}",
        "\u{34F}", "\u{3164}", "\u{115F}", "\u{FFA0}", "\u{E0041}", "\u{FE0F}", "\u{180E}",
        "\u{A0}", "\u{3000}", "\u{2028}", "\u{2800}", "\u{85}", "\u{9B}", "\u{1B}", "\u{7F}", "\n",
        "\u{E000}", "\u{FFFF}", "\u{378}", "\u{1D173}",
    ])
    func `an invisible or unassigned character is escaped`(text: String) {
        let code = String(text.unicodeScalars.first!.value, radix: 16)
        for visible in [names, plain] {
            #expect(visible.of("a\(text)b") == "a\\u{\(code)}b")
        }
    }

    @Test func `a combining mark needs a letter, and a letter has at most four`() {
        #expect(names.of("\u{301}a") == #"\u{301}a"#)
        #expect(names.of("\n\u{301}") == #"\u{a}\u{301}"#)
        let stacked = "a" + String(repeating: "\u{301}", count: 6)
        #expect(
            names.of(stacked).unicodeScalars.count { $0.value == 0x301 } == 4)
    }

    @Test func `a backslash is escaped, and a long text is cut`() {
        #expect(names.of(#"\u{fc}ü"#) == #"\\u{fc}ü"#)
        #expect(names.of("üüüü", limit: 3) == "üüü…")
    }

    @Test func `columns are aligned by display width`() {
        let rows = TextTable.lines([["山田", "x"], ["abcde", "x"], ["e\u{301}", "x"]])
        #expect(rows == ["山田   x", "abcde  x", "e\u{301}      x"])
    }
}

@Suite(.blocking, .serialized)
struct CutJournalTests {
    @Test func `a truncated journal prevents a start until the operator accepts it`() throws {
        let fixture = try PasswordServerFixture()
        let journal = fixture.folder.path("revocations.journal")
        var server = try fixture.startServer()
        let kept = try server.login("alice").token
        let ended = try server.login("alice").token
        #expect(try server.ask(.logout(ended)).status == 204)
        server.process.kill(SIGKILL)
        _ = try server.process.wait()
        let complete = try Data(contentsOf: URL(filePath: journal))
        try complete.dropLast(44).write(to: URL(filePath: journal))

        let process = try ServerProcess.start(
            in: fixture.folder, ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"],
            PasswordServerFixture.arguments)
        #expect(try process.wait() == .exited(78))
        let sentence = "revocations.journal ends after 1 of 2 records, "
        #expect(process.standardError.contains(sentence))
        #expect(process.standardError.contains("revoke --all --accept-short-journal"))
        let lost = try #require(try fixture.events("revocations_lost").last)
        #expect(lost.level == "CRITICAL")
        #expect(lost["reason"] == "cut" && lost["records"] == "1" && lost["expected"] == "2")
        let check = try fixture.run(["check"])
        #expect(check.ending == .exited(78))
        #expect(check.errors.contains("state.revocations: the journal "))
        #expect(check.errors.contains(sentence))
        for arguments in [["--user", "1"], ["--session", "s"], ["--all", "--yes"]] {
            #expect(try fixture.run(["revoke"] + arguments).ending == .exited(78))
        }
        #expect(
            try fixture.run(["revoke", "--user", "1", "--accept-short-journal"]).ending
                == .exited(64))
        let accepted = try fixture.run(["revoke", "--all", "--yes", "--accept-short-journal"])
        #expect(accepted.ending == .exited(0), "\(accepted.errors)")

        server = try fixture.startServer()
        for token in [kept, ended] { #expect(try server.ask(.resource(token)).status == 401) }
        #expect(try server.ask(.resource(server.login("alice").token)).status == 200)
    }

    @Test func `a journal without its state is refused, and a start without both is not`() throws {
        let fixture = try PasswordServerFixture()
        var server = try fixture.startServer()
        try server.stop()
        // The state is missing, but the journal refers to it.
        unlink(fixture.folder.path(".revocations.journal.state"))
        #expect(try fixture.run(["check"]).ending == .exited(78))
        unlink(fixture.folder.path("revocations.journal"))
        server = try fixture.startServer()
        #expect(try fixture.events("revocations_unproven").isEmpty)
        try server.stop()
    }

    @Test func `a state signed with replaced keys ends every session at the next start`()
        throws
    {
        let fixture = try PasswordServerFixture()
        var server = try fixture.startServer()
        try server.stop()
        var options = PasswordServerFixture.Options()
        options.keys = ["k2"]
        try fixture.configure(options)
        let check = try fixture.run(["check"])
        #expect(check.ending == .exited(0))
        #expect(check.errors.contains("warning: state.revocations: the state of the journal"))
        #expect(check.errors.contains("a start ends all sessions"), "\(check.errors)")
        server = try fixture.startServer()
        let event = try #require(try fixture.events("revocations_unproven").last)
        #expect(event["reason"] == "foreign_keys" && event["all_ended"] == "true")
        #expect(try server.ask(.resource(server.login("alice").token)).status == 200)
        try server.stop()
        #expect(!(try fixture.run(["check"]).errors.contains("state.revocations")))
        server = try fixture.startServer()
        #expect(try fixture.events("revocations_unproven").count == 1)
    }

    @Test func `the state is signed with the new key after a reload`() throws {
        let fixture = try PasswordServerFixture()
        var server = try fixture.startServer()
        var options = PasswordServerFixture.Options()
        options.keys = ["k2", "k1"]
        try fixture.configure(options)
        #expect(try fixture.run(["reload"]).ending == .exited(0))
        try server.stop()
        options.keys = ["k2"]
        try fixture.configure(options)
        server = try fixture.startServer()
        #expect(try fixture.events("revocations_unproven").isEmpty)
    }
}

import Auth
import Foundation
import Glibc
import TestSupport
import Testing

@testable import App

@Suite("A command about users and their sessions", .blocking, .serialized)
struct SessionCommandTests {
    private func run(
        _ estate: PasswordServerFixture, _ arguments: [String],
        _ environment: [String: String] = [:],
        typing input: String? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try estate.folder.file("input", $0) }
        // The environment of the commands, which need not begin with GATEHOUSE_.
        let words = environment.map { "\($0.key)=\($0.value)" }.sorted()
        let process = try ChildProcess(
            "/usr/bin/env",
            words + ["GATEHOUSE_LOG_FILE_PATH=app.log", ServerProcess.program] + arguments,
            environment: [:], folder: estate.folder.path, input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    @Test func `revokes what is not known all the same, and says that it is not`() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
        let token = try house.login("alice").token
        let (sid, jti) = try #require(
            TokenParts(token).flatMap { parts in
                parts.text("sid").flatMap { sid in parts.text("jti").map { (sid, $0) } }
            })
        for (option, word) in [("--session", "session"), ("--token", "token")] {
            let (ending, output, errors) = try estate.run(["revoke", option, "nosuch"])
            #expect(ending == .exited(0))
            #expect(output == "unknown \(word); recorded anyway\n")
            #expect(errors == "")
            // It is known from then on.
            #expect(try estate.run(["revoke", option, "nosuch"]).output.contains(" nosuch "))
        }
        let unknown = try estate.run(["revoke", "--user", "99"])
        #expect(unknown.ending == .exited(67))
        #expect(unknown.output == "")
        #expect(unknown.errors == "gatehouse: no such user: 99; recorded anyway\n")
        #expect(try house.ask(.resource(token)).status == 200)

        #expect(
            try estate.run(["revoke", "--token", jti]).output.hasPrefix("token \(jti) is revoked\n")
        )
        #expect(
            try estate.run(["revoke", "--session", sid]).output == "session \(sid) has ended\n")
        #expect(try estate.run(["revoke", "--user", "1"]).ending == .exited(0))
        #expect(try estate.events("authn_token_revoked").count == 8)
    }

    @Test func `without a server knows the users of the file, and no sessions`() throws {
        let estate = try PasswordServerFixture()
        var (ending, output, errors) = try estate.run(["revoke", "--user", "99"])
        #expect(ending == .exited(67))
        #expect(errors.hasSuffix("gatehouse: no such user: 99; recorded anyway\n"))
        (ending, output, errors) = try estate.run(["revoke", "--username", "bob"])
        #expect(ending == .exited(0))
        #expect(output == "all current sessions of user 2 have ended\n")
        (ending, output, _) = try estate.run(["revoke", "--session", "nosuch"])
        #expect(ending == .exited(0))
        #expect(output == "unknown session; recorded anyway\n")
    }

    @Test(arguments: ["{", nil])
    func `without users that can be read records the end of a number's sessions`(
        users: String?
    ) throws {
        let estate = try PasswordServerFixture()
        var house = try estate.house()
        let token = try house.login("alice").token
        try house.stop()
        let good = try estate.folder.content("users.json")
        if let users {
            try estate.folder.file("users.json", users)
        } else {
            unlink(estate.folder.path("users.json"))
        }
        let named = try estate.run(["revoke", "--username", "alice"])
        #expect(named.ending == .exited(78))
        #expect(named.output == "")
        #expect(named.errors.hasPrefix("gatehouse: login.users_file: "))

        let (ending, output, errors) = try estate.run(["revoke", "--user", "1"])
        #expect(ending == .exited(0))
        #expect(output == "all current sessions of user 1 have ended\n")
        #expect(errors.contains("gatehouse: login.users_file: "))
        #expect(!errors.contains("no such user"))
        // Nothing else needs the users.
        let session = try estate.run(["revoke", "--session", "nosuch"])
        #expect(session.ending == .exited(0))
        #expect(!session.errors.contains("users_file"))

        try estate.folder.file("users.json", good)
        house = try estate.house()
        #expect(try house.ask(.resource(token)).status == 401)
    }

    @Test(arguments: [
        "abc", "a.b.c", "a.b", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9.e30.x==",
    ])
    func `takes no text for a token that has not the form of one`(text: String) throws {
        let estate = try PasswordServerFixture()
        let (ending, output, errors) = try estate.run(["revoke", "--token"], typing: text)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: standard input: not a token"))
        #expect(!errors.contains(text))
    }

    @Test func `takes a user name wherever it takes a number`() throws {
        let estate = try PasswordServerFixture(users: ["alice", "günther"])
        let house = try estate.house()
        let mine = try house.login("günther").token
        // However its letters are composed.
        for name in ["günther", "gu\u{308}nther"] {
            let rows = try estate.run(["sessions", "--username", name]).output.split(
                separator: "\n")
            #expect(rows.count == 2)
        }
        let issued = try estate.run(["token", "issue", "--username", "günther"])
        #expect(issued.ending == .exited(0))
        let token = issued.output.trimmingCharacters(in: .newlines)
        #expect(TokenParts(token)?.number("user_id") == 2)
        #expect(try estate.run(["revoke", "--username=günther"]).ending == .exited(0))
        let tail = try estate.run(["log", "tail", "--no-follow", "--username", "günther"])
        #expect(tail.output.contains("authn_login_success user=2 "))
        #expect(!tail.output.contains("sys_startup"))
        for token in [mine, token] { #expect(try house.ask(.resource(token)).status == 401) }

        for arguments in [
            ["revoke", "--username", "nobody"], ["sessions", "--username", "nobody"],
            ["token", "issue", "--username", "nobody"],
            ["log", "tail", "--no-follow", "--username", "nobody"],
        ] {
            let (ending, output, errors) = try estate.run(arguments)
            #expect(ending == .exited(67))
            #expect(output == "")
            #expect(errors.hasPrefix("gatehouse: no such user: nobody; "))
            let usage = try estate.run(arguments.dropLast() + [" x"])
            #expect(usage.ending == .exited(64))
        }
    }

    @Test func `prints a table as JSON for programs`() throws {
        let estate = try PasswordServerFixture(users: ["alice", "günther"])
        let house = try estate.house()
        let sid = TokenParts(try house.login("alice").token)?.text("sid") ?? ""
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
            let (ending, output, _) = try estate.run(["sessions", "--user", user, "--json"])
            #expect(ending == .exited(0))
            return try JSONDecoder().decode(Sessions.self, from: Data(output.utf8))
        }
        let found = try sessions("1")
        #expect(found.user == 1)
        #expect(found.sessions.map(\.session) == [sid])
        #expect(found.sessions.allSatisfy { $0.began <= $0.seen && $0.seen < $0.ends })
        #expect(try sessions("2").sessions.isEmpty)
        let (ending, output, _) = try estate.run(["user", "list", "--json"])
        #expect(ending == .exited(0))
        #expect(
            output
                == #"{"users":[{"id":1,"username":"alice","name":"Alice","state":"active","#
                + #""iterations":1000},{"id":2,"username":"günther","name":"Günther","#
                + #""state":"active","iterations":1000}]}"# + "\n")
    }

    @Test func `takes a value behind a sign of equality`() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
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
                estate, arguments, ["GATEHOUSE_LOG_SEAL": "true", "GATEHOUSE_SERVER_PORT": "0"])
            #expect(ending == .exited(0), "\(arguments): \(errors)")
        }
        for arguments in [
            ["revoke", "--all=yes"], ["revoke", "--user="], ["sessions", "--user=x"],
            ["user", "add", "--username=x", "--name=X", "--password=correct horse"],
            ["check", "--Config=gatehouse.json"], ["reload", "--=x"],
        ] {
            let (ending, _, errors) = try run(estate, arguments)
            #expect(ending == .exited(64), "\(arguments)")
            #expect(!errors.contains("horse"))
        }
        withExtendedLifetime(house) {}
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
    func `shows names as they are where the locale is UTF-8`(
        environment: [String: String], isShown: Bool
    ) throws {
        let estate = try PasswordServerFixture(users: ["günther"])
        let list = try run(
            estate, ["user", "list", "--users-file", "users.json"], environment)
        #expect(
            list.output.contains(isShown ? "günther   Günther" : #"g\u{fc}nther  G\u{fc}nther"#))
        let change = try run(
            estate, ["user", "disable", "--username=günther", "--users-file", "users.json"],
            environment)
        #expect(change.output.hasPrefix(isShown ? "günther (id 1)" : #"g\u{fc}nther (id 1)"#))
    }

    @Test func `reads the configuration that GATEHOUSE_CONFIG names`() throws {
        let estate = try PasswordServerFixture()
        let variable = ["GATEHOUSE_CONFIG": "gatehouse.json"]
        var (ending, output, errors) = try run(estate, ["user", "list"], variable)
        #expect(ending == .exited(0), "\(errors)")
        #expect(output.contains("alice"))
        (ending, output, errors) = try run(estate, ["check"], variable)
        #expect(ending == .exited(0))
        #expect(output.contains("2 users"))
        // What is written stands above it, and nothing names nothing.
        #expect(
            try run(estate, ["check"], ["GATEHOUSE_CONFIG": "missing.json"]).ending == .exited(78))
        #expect(
            try run(
                estate, ["check", "--config", "gatehouse.json"],
                ["GATEHOUSE_CONFIG": "missing.json"]
            ).ending == .exited(0))
        #expect(try run(estate, ["check"], ["GATEHOUSE_CONFIG": ""]).ending == .exited(0))
    }
}

@Suite("Text for a terminal")
struct VisibleTextTests {
    private let plain = VisibleText(showsUTF8: false)
    private let names = VisibleText(showsUTF8: true)

    @Test(arguments: [
        "Günther", "Ελένη", "Жанна", "山田太郎", "نور", "דוד", "Zoë-Ann O’Neil", "Nguyễn", "🙂",
        "e\u{301}", "한국어", "ไทย",
    ])
    func `is shown as it is where it can be seen`(text: String) {
        #expect(names.of(text) == text)
        #expect(plain.of(text).utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }

    @Test(arguments: [
        "\u{202E}", "\u{2066}", "\u{200F}", "\u{61C}", "\u{200B}", "\u{200D}", "\u{FEFF}", "\u{AD}",
        "\u{34F}", "\u{3164}", "\u{115F}", "\u{FFA0}", "\u{E0041}", "\u{FE0F}", "\u{180E}",
        "\u{A0}", "\u{3000}", "\u{2028}", "\u{2800}", "\u{85}", "\u{9B}", "\u{1B}", "\u{7F}", "\n",
        "\u{E000}", "\u{FFFF}", "\u{378}", "\u{1D173}",
    ])
    func `is escaped where it cannot`(text: String) {
        let code = String(text.unicodeScalars.first!.value, radix: 16)
        for visible in [names, plain] {
            #expect(visible.of("a\(text)b") == "a\\u{\(code)}b")
        }
    }

    @Test func `has no mark without a letter, and few on one`() {
        #expect(names.of("\u{301}a") == #"\u{301}a"#)
        #expect(names.of("\n\u{301}") == #"\u{a}\u{301}"#)
        let piled = "a" + String(repeating: "\u{301}", count: 6)
        #expect(
            names.of(piled).unicodeScalars.count { $0.value == 0x301 } == 4)
    }

    @Test func `cannot pretend to be an escape, and is cut`() {
        #expect(names.of(#"\u{fc}ü"#) == #"\\u{fc}ü"#)
        #expect(names.of("üüüü", limit: 3) == "üüü…")
    }

    @Test func `stands in columns whatever its width`() {
        let rows = TextTable.lines([["山田", "x"], ["abcde", "x"], ["e\u{301}", "x"]])
        #expect(rows == ["山田   x", "abcde  x", "e\u{301}      x"])
    }
}

@Suite("A journal that was cut", .blocking, .serialized)
struct CutJournalTests {
    @Test func `keeps the server from starting until the operator accepts it`() throws {
        let estate = try PasswordServerFixture()
        let journal = estate.folder.path("revocations.journal")
        var house = try estate.house()
        let kept = try house.login("alice").token
        let ended = try house.login("alice").token
        #expect(try house.ask(.logout(ended)).status == 204)
        house.process.kill(SIGKILL)
        _ = try house.process.wait()
        let whole = try Data(contentsOf: URL(filePath: journal))
        try whole.dropLast(44).write(to: URL(filePath: journal))

        let process = try ServerProcess.start(
            in: estate.folder, ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"],
            PasswordServerFixture.arguments)
        #expect(try process.wait() == .exited(78))
        let sentence = "revocations.journal ends after 1 records of 2, "
        #expect(process.standardError.contains(sentence))
        #expect(process.standardError.contains("revoke --all --accept-short-journal"))
        let lost = try #require(try estate.events("revocations_lost").last)
        #expect(lost.level == "CRITICAL")
        #expect(lost["reason"] == "cut" && lost["records"] == "1" && lost["expected"] == "2")
        let check = try estate.run(["check"])
        #expect(check.ending == .exited(78))
        #expect(check.errors.contains("state.revocations: the journal "))
        #expect(check.errors.contains(sentence))
        for arguments in [["--user", "1"], ["--session", "s"], ["--all", "--yes"]] {
            #expect(try estate.run(["revoke"] + arguments).ending == .exited(78))
        }
        #expect(
            try estate.run(["revoke", "--user", "1", "--accept-short-journal"]).ending
                == .exited(64))
        let accepted = try estate.run(["revoke", "--all", "--yes", "--accept-short-journal"])
        #expect(accepted.ending == .exited(0), "\(accepted.errors)")

        house = try estate.house()
        for token in [kept, ended] { #expect(try house.ask(.resource(token)).status == 401) }
        #expect(try house.ask(.resource(house.login("alice").token)).status == 200)
    }

    @Test func `of a version without a state is accepted with a warning`() throws {
        let estate = try PasswordServerFixture()
        var house = try estate.house()
        try house.stop()
        // As an earlier version leaves it: without a state, and without the mark that says so.
        unlink(estate.folder.path(".revocations.journal.state"))
        #expect(try estate.run(["check"]).ending == .exited(78))
        unlink(estate.folder.path("revocations.journal"))
        house = try estate.house()
        #expect(try estate.events("revocations_unproven").isEmpty)
        try house.stop()
    }

    @Test func `is told from one under keys that were all exchanged, which ends every session`()
        throws
    {
        let estate = try PasswordServerFixture()
        var house = try estate.house()
        try house.stop()
        var plan = PasswordServerFixture.Options()
        plan.keys = ["k2"]
        try estate.configure(plan)
        let check = try estate.run(["check"])
        #expect(check.ending == .exited(0))
        #expect(check.errors.contains("warning: state.revocations: the state of the journal"))
        #expect(check.errors.contains("a start ends all sessions"), "\(check.errors)")
        house = try estate.house()
        let event = try #require(try estate.events("revocations_unproven").last)
        #expect(event["reason"] == "foreign_keys" && event["all_ended"] == "true")
        #expect(try house.ask(.resource(house.login("alice").token)).status == 200)
        try house.stop()
        #expect(!(try estate.run(["check"]).errors.contains("state.revocations")))
        house = try estate.house()
        #expect(try estate.events("revocations_unproven").count == 1)
    }

    @Test func `follows the key that signs through a reload`() throws {
        let estate = try PasswordServerFixture()
        var house = try estate.house()
        var plan = PasswordServerFixture.Options()
        plan.keys = ["k2", "k1"]
        try estate.configure(plan)
        #expect(try estate.run(["reload"]).ending == .exited(0))
        try house.stop()
        plan.keys = ["k2"]
        try estate.configure(plan)
        house = try estate.house()
        #expect(try estate.events("revocations_unproven").isEmpty)
    }
}

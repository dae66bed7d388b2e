import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct LogCommandTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL"]
    private let settings = ["LOG_FILE_PATH": "app.log"]

    private func log(_ arguments: String...) throws -> String {
        let (ending, output, errors) = try ServerProcess.run(
            ["log"] + arguments, in: folder, settings)
        #expect(ending == .exited(0), "\(arguments): \(errors)")
        #expect(errors == "")
        return output
    }

    @Test(arguments: [
        ([], 64, "log: missing subcommand; write log verify, head, stats or tail"),
        (["x"], 64, "log: unknown subcommand x; write log verify, head, stats or tail"),
        (["verify", "--nope"], 2, "unknown argument: --nope"),
        (["verify", "--anchor"], 2, "option --anchor needs a value; write --anchor VALUE"),
        (
            ["verify", "--anchor", "7"], 2,
            "\"7\" is not an anchor; write SEQ.MAC as printed by log head"
        ),
        (["head", "app.log"], 64, "unknown argument: app.log"),
        (
            ["stats", "--since", "yesterday"], 64,
            "\"yesterday\" is not a time; write 30m, 7d or 2026-11-21T07:00:00Z"
        ),
        (
            ["tail", "--level", "x"], 64,
            "--level: unknown level x; write DEBUG, INFO, WARNING, ERROR or CRITICAL"
        ),
        (
            ["tail", "--area", "x"], 64,
            "--area: unknown area x; write app, http, security, log or config"
        ),
        (["tail", "--lines", "-1"], 64, "--lines: -1 is not a number from 0 to 1000000"),
        (["tail", "--user"], 64, "option --user needs a value; write --user VALUE"),
        (["tail", "--follow", "yes"], 64, "unknown argument: --follow"),
    ])
    func `a log command that is wrong is refused with the reason and the usage`(
        arguments: [String], code: Int, sentence: String
    ) throws {
        let (ending, output, errors) = try ServerProcess.run(["log"] + arguments, in: folder)
        #expect(ending == .exited(CInt(code)))
        #expect(output == "")
        #expect(
            errors == """
                gatehouse: \(sentence)
                usage: gatehouse [COMMAND] [OPTIONS] [--config FILE]; see gatehouse --help

                """)
    }

    @Test(arguments: [
        (["verify"], 2), (["verify", "app.log"], 2), (["head"], 66), (["stats"], 66),
        (["stats", "app.log"], 66), (["tail", "--no-follow"], 66),
    ])
    func `a missing log is reported`(arguments: [String], code: Int) throws {
        let (ending, output, errors) = try ServerProcess.run(
            ["log"] + arguments, in: folder, settings)
        #expect(ending == .exited(CInt(code)))
        #expect(!(output + errors).isEmpty)
        #expect(folder.allNames == [])
    }

    @Test func `log head prints the newest seal, which is valid as an anchor`() throws {
        let server = try ServerProcess(in: folder, quiet)
        _ = try server.ask(.login(1))
        try server.stop()
        let last = try #require(try folder.log().split(separator: "\n").last)
        let sequence = try #require(last.firstMatch(of: #/log_seal sequence=(\d+) /#)).1
        let code = try #require(last.firstMatch(of: #/ mac=(\S+)$/#)).1
        // The head of the audit log follows.
        #expect(try log("head").hasPrefix("\(sequence).\(code)"))
        #expect(
            try ServerProcess.verify(["--anchor", "\(sequence).\(code)"], in: folder).ending
                == .exited(0))
    }

    /// Sends requests with known counts: 40 logins, 60 accepted tokens, 200 rejected ones.
    private func sendRequests(_ server: ServerProcess) throws {
        let client = try server.client()
        for number in 1...40 { try client.send(.login(number % 2 + 1)) }
        var token = ""
        for _ in 1...40 { token = try client.response().token }
        for _ in 1...60 { try client.send(.resource(token)) }
        for _ in 1...60 { #expect(try client.response().status == 200) }
        for _ in 1...200 { try client.send(.resource("x.y.z")) }
        for _ in 1...200 { #expect(try client.response().status == 401) }
    }

    @Test func `log stats counts the requests that were made`() throws {
        let server = try ServerProcess(
            in: folder, quiet.merging(["LOG_FILE_MAX_SIZE": "8KiB"]) { $1 })
        try sendRequests(server)
        try server.stop()
        #expect(folder.logFiles.count > 2)

        struct Statistics: Decodable {
            struct Counts: Decodable {
                struct Entry: Decodable {
                    let value: String
                    let count: Int
                }
                let top: [Entry]
                let others: Int
                subscript(value: String) -> Int? { top.first { $0.value == value }?.count }
            }
            let lines, unreadable, events, suppressed: Int
            let byLevel: [String: Int]
            let byEvent, byReason, byUser, byAddress: Counts
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let statistics = try decoder.decode(
            Statistics.self, from: Data(log("stats", "--json").utf8))
        #expect(statistics.byEvent["authn_login_success"] == 40)
        #expect(statistics.byEvent["authn_token_created"] == 40)
        #expect(statistics.byEvent["authn_token_verified"] == 60)
        #expect(statistics.byEvent["authn_token_rejected"] == 200)
        #expect(statistics.byEvent["log_rotate"] == folder.logFiles.count - 1)
        #expect(statistics.byReason.top.first?.count == 200)
        #expect(statistics.byUser["1"]! + statistics.byUser["2"]! == 140)
        // A summary line has no address.
        #expect(statistics.byAddress["127.0.0.1"] == 340 - statistics.suppressed)
        #expect(statistics.byLevel["CRITICAL"] == 0)
        #expect(statistics.unreadable == 0)
        #expect(statistics.suppressed > 100)
        let lines = try folder.log().split(separator: "\n").count
        #expect(statistics.lines == lines)

        let text = try log("stats")
        #expect(text.contains("lines       \(lines)\n"))
        #expect(
            text.contains(
                "events      \(statistics.events), \(statistics.suppressed) of them suppressed")
        )
        #expect(text.contains(#/\n +200 +\d+\.\d% +authn_token_rejected\n/#))
        #expect(try log("stats", "--since", "1h") == text)
        #expect(try log("stats", "app.log.000001", "app.log").contains("by event"))
        // There are no events after the year 2100.
        #expect(try log("stats", "--since", "2100-01-01T00:00:00Z").contains("events      0\n"))
    }

    @Test func `log tail prints the last lines that match the filter, across files`() throws {
        let server = try ServerProcess(
            in: folder, quiet.merging(["LOG_FILE_MAX_SIZE": "8KiB"]) { $1 })
        try sendRequests(server)
        try server.stop()
        let lines = try folder.log().split(separator: "\n").map(String.init)
        func tail(_ arguments: String...) throws -> [String] {
            let (ending, output, _) = try ServerProcess.run(
                ["log", "tail", "--no-follow"] + arguments, in: folder, settings)
            #expect(ending == .exited(0))
            return output.split(separator: "\n").map(String.init)
        }
        #expect(try tail() == lines.suffix(10))
        #expect(try tail("--lines", "0") == [])
        #expect(try tail("--lines", "150") == lines.suffix(150))
        #expect(try tail("--lines", "100000") == lines)
        func expect(_ arguments: String..., line: Int = #line, _ wanted: (LogEntry) -> Bool) throws
        {
            let (_, output, _) = try ServerProcess.run(
                ["log", "tail", "--no-follow", "--lines", "30"] + arguments, in: folder, settings)
            let expected = lines.filter { LogEntry($0).map(wanted) ?? false }.suffix(30)
            #expect(!expected.isEmpty)
            #expect(output == expected.map { $0 + "\n" }.joined(), "\(arguments)")
        }
        try expect("--level", "WARNING") { $0.level == "WARNING" }
        try expect("--area", "log") { $0.area == "log" }
        try expect("--area", "log", "--area", "app") { ["log", "app"].contains($0.area) }
        try expect("--event", "authn_login_success") { $0.event == "authn_login_success" }
        try expect("--user", "2") { $0["user"] == "2" }
        try expect("--user", "2", "--event", "authn_token_created") {
            $0["user"] == "2" && $0.event == "authn_token_created"
        }
    }

    @Test func `log tail that follows prints every line once over many rotations`() throws {
        let server = try ServerProcess(
            in: folder,
            quiet.merging(["LOG_FILE_MAX_SIZE": "8KiB", "LOG_FILE_KEEP": "100000"]) { $1 })
        let tail = try ServerProcess.start(
            in: folder, settings, ["log", "tail", "--lines", "100000"])
        try tail.waitForOutput(" | sys_startup ")
        let load = Load(server, clients: 2, name: "f")
        #expect(eventually { folder.logFiles.count > 50 })
        _ = load.end()
        try server.stop()
        let text = try folder.log()
        try tail.waitForOutput(String(try #require(text.split(separator: "\n").last)))
        tail.kill(SIGTERM)
        #expect(try tail.wait() == .killed(by: SIGTERM))
        #expect(tail.standardOutput == text)
        #expect(tail.standardError == "")
    }

    @Test func `tail -F of the system prints every line over rotations`() throws {
        let server = try ServerProcess(
            in: folder,
            quiet.merging(["LOG_FILE_MAX_SIZE": "8KiB", "LOG_FILE_KEEP": "100000"]) { $1 })
        let tail = try ChildProcess(
            "/usr/bin/tail", ["-n", "+1", "-F", "app.log"], environment: [:], folder: folder.path)
        try tail.waitForOutput(" | sys_startup ")
        let client = try server.client()
        let rotations = TestScale.rounds(10, long: 50)
        var number = 0
        while folder.logFiles.count <= rotations {
            let count = folder.logFiles.count
            while folder.logFiles.count == count {
                try client.send(.login(1, "request-\(number)"))
                _ = try client.response()
                number += 1
            }
            // It watches a name, and misses a file that appears and disappears between two checks.
            try tail.waitForOutput("rid=request-\(number - 1)\n")
        }
        try server.stop()
        let text = try folder.log()
        try tail.waitForOutput(String(try #require(text.split(separator: "\n").last)))
        tail.kill(SIGTERM)
        try tail.wait()
        #expect(tail.standardOutput == text)
    }
}

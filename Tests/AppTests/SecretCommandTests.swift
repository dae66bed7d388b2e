import Foundation
import Glibc
import JWT
import POSIX
import TestSupport
import Testing
import Time

@testable import App

@Suite(.blocking)
struct SecretCommandTests {
    private let folder = try! TemporaryFolder()
    /// 2026-11-21T07:00:00Z
    private let now = Timestamp(seconds: 1_795_244_400)

    private func add(
        _ id: String? = nil, _ environment: [String: String] = [:]
    ) throws(KeyInsertion.Failure) -> KeyInsertion.Result {
        try KeyInsertion(
            to: folder.path("config.json"), id: id, environment: environment, at: now
        ).run()
    }

    private func ids() throws -> [String] {
        try Configuration.load(file: folder.path("config.json"), environment: [:]).keys.entries
            .map(\.id)
    }

    private static let other = String(repeating: "0123456789abcdef", count: 2)

    @Test(arguments: [
        (
            "{\"token\":{\"keys\":[]}}",
            "{\"token\":{\"keys\":[{\"id\":\"n\",\"secret_file\":\"token-n.key\"}]}}"
        ),
        (
            "{ \"token\": { \"keys\": [ ] } }\n",
            "{ \"token\": { \"keys\": [{ \"id\": \"n\", \"secret_file\": \"token-n.key\" } ] } }\n"
        ),
        (
            "{\"token\":{\"keys\":[{\"id\":\"a\",\"secret\":\"\(other)\"}]},\"log\":{}}",
            "{\"token\":{\"keys\":[{\"id\":\"n\",\"secret_file\":\"token-n.key\"},"
                + "{\"id\":\"a\",\"secret\":\"\(other)\"}]},\"log\":{}}"
        ),
        (
            "{\"token\": {\"ttl\": \"5m\", \"keys\": [{ \"id\": \"a\", \"secret\": \"\(other)\" "
                + "}]}}",
            "{\"token\": {\"ttl\": \"5m\", \"keys\": [{ \"id\": \"n\", \"secret_file\": "
                + "\"token-n.key\" }, { \"id\": \"a\", \"secret\": \"\(other)\" }]}}"
        ),
        (
            "{\n  \"token\": {\n    \"keys\": [\n\t{\"id\": \"a\", \"secret\": \"\(other)\"}\n    "
                + "]\n  }\n}",
            "{\n  \"token\": {\n    \"keys\": [\n\t{ \"id\": \"n\", \"secret_file\": "
                + "\"token-n.key\" },\n\t{\"id\": \"a\", \"secret\": \"\(other)\"}\n    ]\n  }\n}"
        ),
        (
            "{\"login\":{\"mode\":\"demo\"}}",
            "{\"token\":{\"keys\":[{\"id\":\"n\",\"secret_file\":\"token-n.key\"}]},"
                + "\"login\":{\"mode\":\"demo\"}}"
        ),
        (
            "{ \"token\": {\n    \"ttl\": \"5m\" } }",
            "{ \"token\": {\n    \"keys\": [{ \"id\": \"n\", \"secret_file\": \"token-n.key\" }],"
                + "\n    \"ttl\": \"5m\" } }"
        ),
        ("{}", "{\"token\":{\"keys\":[{\"id\":\"n\",\"secret_file\":\"token-n.key\"}]}}"),
        (
            "{\"\\u0074oken\":{\"key\\u0073\":[]}}",
            "{\"\\u0074oken\":{\"key\\u0073\":[{\"id\":\"n\",\"secret_file\":\"token-n.key\"}]}}"
        ),
    ])
    func `a key is inserted before the others and nothing else in the file changes`(
        before: String, after: String
    ) throws {
        try folder.file("config.json", before)
        let added = try add("n")
        #expect(added.id == "n")
        #expect(try folder.content("config.json") == after)
        #expect(try ids().first == "n")
        let secret = try folder.content("token-n.key")
        #expect(secret.wholeMatch(of: #/[A-Za-z0-9_-]{43}\n/#) != nil)
        #expect(try FileStatus(path: folder.path("token-n.key")).mode & 0o7777 == 0o600)
        #expect(folder.allNames == ["config.json", "token-n.key"])
    }

    @Test
    func `a key without an ID is named after the day, with a number if that is taken`() throws {
        try folder.file("config.json", "{}", mode: 0o640)
        #expect(try add().id == "2026-11-21")
        #expect(try add().id == "2026-11-21-2")
        try folder.file("token-2026-11-21-3.key", "existing")
        #expect(try add().id == "2026-11-21-4")
        #expect(try ids() == ["2026-11-21-4", "2026-11-21-2", "2026-11-21"])
        #expect(try folder.content("token-2026-11-21-3.key") == "existing")
        #expect(try FileStatus(path: folder.path("config.json")).mode & 0o7777 == 0o640)
    }

    @Test func `a key is added to the target of a symbolic link`() throws {
        try folder.file("real.json", "{}")
        symlink("real.json", folder.path("config.json"))
        _ = try add("n")
        #expect(try folder.content("real.json").contains("token-n.key"))
        #expect(folder.names == ["config.json", "real.json", "token-n.key"])
        let target = try FileManager.default.destinationOfSymbolicLink(
            atPath: folder.path("config.json"))
        #expect(target == "real.json")
        #expect(try ids() == ["n"])
    }

    @Test(arguments: [
        "", "{", "[]", "{\"token\":5}", "{\"token\":{\"keys\":5}}",
        "{\"token\":{\"keys\":null}}",
        "{\"prot\":1}", "{\"token\":{\"keys\":[{\"id\":\"a\",\"secret\":\"short\"}]}}",
        "{\"token\":{\"keys\":[{\"id\":\"a\",\"secret_file\":\"missing.key\"}]}}",
        "{\"token\":{},\"token\":{}}", "{\"token\":{\"keys\":[5]}}",
    ])
    func `a key is not added to a configuration that would be wrong`(content: String) throws {
        try folder.file("config.json", content)
        do {
            _ = try add("n")
            Issue.record("was added")
        } catch {
            #expect(error.exitCode == .configuration)
            #expect(error.sentences.last == "nothing was changed")
        }
        #expect(try folder.content("config.json") == content)
        #expect(folder.allNames == ["config.json"])
    }

    @Test func `a key whose ID or file exists is refused`() throws {
        let content = "{\"token\":{\"keys\":[{\"id\":\"a\",\"secret\":\"\(Self.other)\"}]}}"
        try folder.file("config.json", content)
        try folder.file("token-b.key", "existing")
        for (id, code) in [("a", GatehouseCommand.ExitCode.data), ("b", .cannotCreate)] {
            do {
                _ = try add(id)
                Issue.record("was added")
            } catch { #expect(error.exitCode == code) }
        }
        #expect(try folder.content("config.json") == content)
        #expect(folder.allNames == ["config.json", "token-b.key"])
    }

    @Test func `a seventeenth key is refused`() throws {
        try folder.file("config.json", "{}")
        for number in 1...16 { _ = try add("k\(number)") }
        #expect(throws: KeyInsertion.Failure.self) { try add("k17") }
        #expect(try ids().count == 16)
        #expect(!folder.names.contains("token-k17.key"))
    }

    @Test
    func `a key is refused if the environment overrides keys or another process adds one`() throws {
        try folder.file("config.json", "{}")
        #expect(throws: KeyInsertion.Failure.self) {
            try add("n", ["GATEHOUSE_TOKEN_KEYS": "[]"])
        }
        try folder.file(".config.json.new", "other")
        do {
            _ = try add("n")
            Issue.record("was added")
        } catch { #expect(error.exitCode == .unavailable) }
        #expect(folder.allNames == [".config.json.new", "config.json"])
        #expect(try folder.content("config.json") == "{}")
    }

    @Test func `the output names the next steps and no secret`() throws {
        try folder.file("config.json", "{\"token\":{\"session\":\"2h\",\"ttl\":\"1h\"}}")
        let first = try ServerProcess.run(["secret", "--add", "config.json"], in: folder)
        #expect(first.ending == .exited(0))
        #expect(first.output.contains("gatehouse reload --config config.json"))
        #expect(!first.output.contains("old key"))
        let second = try ServerProcess.run(
            ["secret", "--add", "config.json", "--id", "b"], in: folder)
        #expect(second.output.contains("2 hours"))
        let secrets = try folder.names.filter { $0.hasSuffix(".key") }.map { name in
            try folder.content(name).trimmingCharacters(in: .newlines)
        }
        #expect(secrets.count == 2)
        for secret in secrets {
            #expect(!(first.output + second.output + first.errors + second.errors).contains(secret))
        }
    }

    @Test(arguments: [
        (["--add"], "option --add needs a value; write --add FILE"),
        (["--id", "x"], "--id: allowed only with --add FILE"),
        (["--add", "x", "--id", "a b"], "--id: not a key ID; write 1 to 64 of A-Z a-z 0-9 . _ -"),
        (["--add", "x", "--id", ""], "--id: not a key ID; write 1 to 64 of A-Z a-z 0-9 . _ -"),
        (["--json"], "unknown argument: --json"), (["check"], "unknown argument: check"),
    ])
    func `a secret command that is wrong is refused with the reason`(
        arguments: [String], sentence: String
    ) throws {
        let (ending, output, errors) = try ServerProcess.run(["secret"] + arguments, in: folder)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(errors.hasPrefix("gatehouse: \(sentence)\nusage: "))
    }
}

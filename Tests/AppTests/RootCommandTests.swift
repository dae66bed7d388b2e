import Foundation
import Glibc
import POSIX
import TestSupport
import Testing

/// An account that owns nothing else.
private let nobody: uid_t = 65_534

@Suite(.blocking, .enabled(if: geteuid() == 0 && TemporaryFolder.areOpenToOthers))
struct RootCommandTests {
    private let folder = try! TemporaryFolder()

    init() throws {
        for name in ["etc", "data"] { #expect(mkdir(folder.path(name), 0o755) == 0) }
        let secret = "a secret of thirty-two bytes and more"
        try folder.file("etc/token.key", secret)
        try folder.file(
            "etc/config.json",
            """
            {"server":{"port":0},"admin":{"socket":"../data/admin.sock"},
             "token":{"keys":[{"id":"a","secret_file":"token.key"}]},
             "login":{"users_file":"../data/users.json","iterations":1000},
             "log":{"file":{"path":"../data/app.log"}},
             "state":{"revocations":"../data/journal"}}
            """)
    }

    private var config: [String] { ["--config", folder.path("etc/config.json")] }

    private func give(_ names: String..., to account: uid_t = nobody) {
        for name in names { #expect(lchown(folder.path(name), account, account) == 0) }
    }

    private func run(
        _ arguments: String..., typing input: String = "correct horse battery\n"
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let process = try ServerProcess.start(
            in: folder, [:], arguments + config, input: try folder.file("input", input))
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    private func status(_ name: String) throws -> FileStatus {
        try SystemFileSystem().status(of: folder.path(name))
    }

    @Test func `root creates a users file that the owner of the folder can read`() throws {
        give("data")
        let (ending, _, errors) = try run("user", "add", "--username", "alice", "--name", "A")
        #expect(ending == .exited(0), "\(errors)")
        for name in ["data/users.json", "data/.users.json.lock"] {
            #expect(try status(name).owner == nobody)
            #expect(try status(name).mode & 0o777 == 0o600)
        }
        // Without a server, the journal is written, by the same account.
        #expect(try run("user", "disable", "--username", "alice").ending == .exited(0))
        #expect(try status("data/journal").owner == nobody)
    }

    @Test func `root acts as the owner although only root can reach the folder`()
        throws
    {
        give("data")
        #expect(chmod(folder.path, 0o700) == 0)
        #expect(chmod(folder.path("etc"), 0o700) == 0)
        #expect(
            try run("user", "add", "--username", "alice", "--name", "A").ending == .exited(0))
        let list = try run("user", "list")
        #expect(list.output.contains("alice"), "\(list.errors)")
        let check = try run("check")
        #expect(check.ending == .exited(0), "\(check.errors)")
        #expect(check.errors.contains("checked as nobody (uid 65534)"))
        #expect(try run("revoke", "--user", "1").ending == .exited(0))
        #expect(try status("data/journal").owner == nobody)
    }

    @Test(arguments: ["data", "etc", "data/app.log", "etc/token.key"])
    func `root refuses to serve with another account's files and names the right command`(
        name: String
    ) throws {
        try folder.file("data/app.log", "")
        try folder.file("data/users.json", "{\"users\":[]}")
        give(name)
        let (ending, _, errors) = try run("serve")
        #expect(ending == .exited(77))
        #expect(errors.contains("belongs to nobody (uid 65534)"))
        let path = folder.path("etc/config.json")
        #expect(errors.contains("`runuser -u nobody -- gatehouse serve --config \(path)`"))
        #expect(try folder.content("data/app.log") == "")
    }

    @Test func `root refuses files that belong to several accounts`() throws {
        give("data", to: 12_345)
        give("etc")
        #expect(
            try run("user", "add", "--username", "a", "--name", "A", "--users-file", "data/u")
                .ending == .exited(77))
        #expect(!folder.names.contains("u"))
    }

    @Test func `root neither reads nor writes the target of another account's link`() throws {
        let victim = try folder.file("victim", "{\"users\":[]}")
        #expect(symlink(victim, folder.path("data/users.json")) == 0)
        give("data", "data/users.json")
        let (ending, _, errors) = try run("user", "add", "--username", "a", "--name", "A")
        #expect(ending != .exited(0), "\(errors)")
        #expect(try folder.content("victim") == "{\"users\":[]}")
        #expect(try status("victim").owner == 0)
    }

    @Test func `root does not change the owner of a file in place of the lock`() throws {
        let victim = try folder.file("data/victim", "root's")
        try folder.file("data/users.json", "{\"users\":[]}")
        give("data", "data/users.json")
        #expect(rename(victim, folder.path("data/.users.json.lock")) == 0)
        #expect(
            try run("user", "add", "--username", "a", "--name", "A").ending != .exited(0))
        #expect(try status("data/.users.json.lock").owner == 0)
        #expect(try folder.content("data/.users.json.lock") == "root's")
    }

    @Test(arguments: ["data", "etc"])
    func `root reads no secret for a configuration that another account owns`(
        folderOfOther: String
    ) throws {
        try folder.file("etc/users.json", "{\"users\":[]}")
        try folder.file("data/users.json", "{\"users\":[]}")
        #expect(chmod(folder.path("etc/token.key"), 0o600) == 0)
        give("etc/config.json", folderOfOther)
        for arguments in [["user", "list"], ["revoke", "--all", "--yes"], ["check"]] {
            let process = try ServerProcess.start(in: folder, [:], arguments + config)
            #expect(try process.wait() == .exited(78), "\(arguments)")
            let errors = process.standardError
            #expect(
                errors.contains("token.keys[0].secret_file: cannot be read: Permission denied"),
                "\(errors)")
        }
        // Otherwise the journal's state, which is keyed by the secret, would let that account test
        // guesses.
        #expect(!FileManager.default.fileExists(atPath: folder.path("data/journal")))
    }

    @Test func `root acts as the owner of a configuration in root's folder`() throws {
        give("etc/config.json", "etc/token.key", "data")
        #expect(chmod(folder.path("etc/token.key"), 0o600) == 0)
        let added = try run("user", "add", "--username", "alice", "--name", "A")
        #expect(added.ending == .exited(0), "\(added.errors)")
        #expect(try run("revoke", "--user", "1").ending == .exited(0))
        for name in ["data/users.json", "data/journal"] {
            #expect(try status(name).owner == nobody)
        }
    }

    @Test func `root does not take over another account's configuration`() throws {
        give("etc/config.json")
        let path = folder.path("etc/config.json")
        let text = try folder.content("etc/config.json")
        let done = try ServerProcess.run(["secret", "--add", path, "--id", "new"], in: folder)
        #expect(done.ending == .exited(77), "\(done.errors)")
        #expect(try status("etc/config.json").owner == nobody)
        #expect(try folder.content("etc/config.json") == text)
    }

    @Test func `root adds a key as the owner of the configuration's folder`() throws {
        give("etc", "etc/config.json", "etc/token.key")
        let path = folder.path("etc/config.json")
        let done = try ServerProcess.run(["secret", "--add", path, "--id", "new"], in: folder)
        #expect(done.ending == .exited(0), "\(done.errors)")
        for name in ["etc/config.json", "etc/token-new.key"] {
            #expect(try status(name).owner == nobody)
        }
    }
}

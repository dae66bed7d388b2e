import Auth
import Foundation
import JWT
import TestSupport
import Testing

/// Redirections to an output that cannot be written, with the error.
private let failures = [
    (">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"),
]

@Suite(.blocking, .serialized)
struct StandardDescriptorTests {
    private let folder = try! TemporaryFolder()
    private let settings = ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"]

    @Test(arguments: ["2>&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-", "<&-", ">&-"])
    func `the log file never gets the number of a closed standard descriptor`(redirection: String)
        throws
    {
        let process = try ServerProcess.start(in: folder, settings, [], redirection: redirection)
        #expect(try eventually { try folder.log().contains("sys_startup") })
        // Once it handles the signal, it has printed all messages of the start.
        #expect(try eventually { try Self.takes(SIGTERM, process.processID) })
        process.kill(SIGTERM)
        let ending = try process.wait()
        #expect(ending == .exited(0) || ending == .killed(by: SIGTERM))
        let text = try folder.log()
        #expect(text.contains("sys_startup"))
        #expect(!text.contains("gatehouse:"))
        #expect(text.ranges(of: "key=login.mode").count == 1)
        let (verdict, report) = try ServerProcess.verify(in: folder)
        #expect(verdict.isIntact, "\(report)")
    }

    @Test(arguments: failures)
    func `a command fails if its output cannot be written`(redirection: String, reason: String)
        throws
    {
        let server = try ServerProcess(in: folder)
        try server.stop()
        try folder.file(
            "users.json", #"{"users":[{"id":1,"username":"alice","name":"Alice"}]}"#)
        for arguments in [
            ["--help"], ["--version"], ["secret"], ["check"], ["token", "--help"], ["log", "head"],
            ["log", "verify"], ["log", "verify", "--json"], ["log", "stats"],
            ["log", "tail", "--no-follow"], ["user", "list", "--users-file", "users.json"],
        ] {
            let (ending, _, errors) = try ServerProcess.run(
                arguments, in: folder, settings, redirection: redirection)
            #expect(ending == .exited(74), "\(arguments)")
            #expect(errors.hasSuffix("gatehouse: cannot write: \(reason)\n"), "\(arguments)")
        }
    }

    @Test func `a command succeeds silently if the reader of its output has gone`() throws {
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        for arguments in [["--help"], ["secret"], ["user", "--help"]] {
            let (ending, _, errors) = try ServerProcess.run(
                arguments, in: folder, redirection: "5<>pipe 6>pipe 5<&- >&6 6>&-")
            #expect(ending == .exited(0), "\(arguments)")
            #expect(errors == "")
        }
    }

    @Test(arguments: failures)
    func `a command completes its work even if its output cannot be written`(
        redirection: String, reason: String
    ) throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        let token = try server.login("alice").token
        #expect(try server.ask(.resource(token)).status == 200)
        func run(_ arguments: String...) throws -> ChildProcess.Ending {
            let (ending, _, errors) = try ServerProcess.run(
                arguments + ["--config", "gatehouse.json"], in: fixture.folder,
                redirection: redirection)
            #expect(errors.hasSuffix("gatehouse: cannot write: \(reason)\n"), "\(arguments)")
            return ending
        }
        #expect(try run("sessions", "--user", "1") == .exited(74))
        #expect(try run("level", "http", "DEBUG") == .exited(74))
        #expect(try run("user", "disable", "--username", "alice") == .exited(74))
        #expect(try server.ask(.resource(token)).status != 200)
        #expect(try run("user", "enable", "--username", "alice") == .exited(74))
        // The user is enabled again, and the session has ended: 401, not 404.
        #expect(try server.ask(.resource(token)).status == 401)
        #expect(try run("token", "issue", "--user", "1") == .exited(74))
    }

    @Test func `an unwritable output does not replace the exit code of another failure`() throws {
        let key = #"{"login":{"mode":"demo"},"token":{"keys":[{"id":"a","secret":"\#(secret)"}]}}"#
        try folder.file("config.json", key)
        try folder.file("token", "a.b.c\n")
        let (ending, _, errors) = try ServerProcess.run(
            ["token", "explain", "--config", "config.json"], in: folder,
            redirection: "<token >/dev/full")
        #expect(ending == .exited(1))
        #expect(errors == "gatehouse: cannot write: No space left on device\n")
    }
}

extension StandardDescriptorTests {
    /// Whether a process catches, ignores or blocks a signal.
    fileprivate static func takes(_ signal: CInt, _ process: pid_t) throws -> Bool {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let masks = status.matches(of: /Sig(?:Blk|Ign|Cgt):\s*([0-9a-f]+)/).compactMap {
            UInt64($0.1, radix: 16)
        }
        return masks.contains { $0 & 1 << UInt64(signal - 1) != 0 }
    }
}

private let secret = "0123456789abcdef0123456789ABCDEF"

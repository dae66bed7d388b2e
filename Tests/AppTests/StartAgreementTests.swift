import Foundation
import Glibc
import POSIX
import TestSupport
import Testing

@testable import App

/// A configuration and the content of its folder.
private struct Installation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Texts that the problems must contain; empty for a valid configuration.
    let expected: [String]
    var server = #""port":0"#
    var admin = #""socket":"logs/admin.sock""#
    var keys = #"[{"id":"k","secret_file":"token.key"}]"#
    var token = ""
    var login = #""users_file":"users.json""#
    var file = #""path":"logs/app.log""#
    var log = ""
    var state = #""revocations":"logs/revocations.journal""#
    /// The complete text in place of the sections above.
    var text: String?
    /// A shell command that changes the folder.
    var command: String?

    init(
        _ name: String, _ expected: String..., text: String? = nil, command: String? = nil,
        _ change: (inout Installation) -> Void = { _ in }
    ) {
        testDescription = name
        self.expected = expected
        self.text = text
        self.command = command
        change(&self)
    }

    var document: String {
        text
            ?? """
            {"server":{\(server)},"admin":{\(admin)},
             "token":{"keys":\(keys)\(token.isEmpty ? "" : ",\(token)")},
             "login":{"iterations":1000,\(login)},
             "log":{"file":{\(file)},"stderr":{"level":"CRITICAL"}\(log.isEmpty ? "" : ",\(log)")},
             "state":{\(state)}}
            """
    }

    static let secret = "a secret of thirty-two bytes and more"

    func make(in folder: TemporaryFolder) throws {
        try folder.file("token.key", Self.secret + "\n")
        try folder.file("users.json", #"{"users":[{"id":1,"username":"alice","name":"A"}]}"#)
        try folder.file("config.json", document)
        guard let command else { return }
        let shell = try ChildProcess(
            "/bin/sh", ["-e", "-c", command],
            environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SECRET": Self.secret],
            folder: folder.path)
        #expect(try shell.wait() == .exited(0), "\(command): \(shell.standardError)")
    }
}

@Suite(.blocking, .serialized, .tags(.timing))
struct StartAgreementTests {
    private let folder = try! TemporaryFolder()

    private static let invalid: [Installation] = [
        // The text.
        .init("an empty file", "config.json", text: ""),
        .init("invalid JSON", "config.json:2: ", text: "{\n\"server\":}"),
        .init("not an object", "the file must contain one JSON object", text: "[]"),
        .init("a duplicate key", "config.json:1: ", text: #"{"log":{},"log":{}}"#),
        .init("a byte order mark", "begins with a UTF-8 byte order mark", text: "\u{FEFF}{}"),
        .init(
            "UTF-16", "config.json: is UTF-16",
            command: "printf '\\377\\376{\\0}\\0' >config.json"),
        .init(
            "UTF-16 without a byte order mark", "config.json: is UTF-16",
            command: "printf '{\\0}\\0' >config.json"),
        .init(
            "an unknown section", "servers: unknown key; did you mean server?",
            text: #"{"servers":{}}"#),
        .init("an unknown key", "server.prot: unknown key") { $0.server += #","prot":1"# },
        // The configuration's file and folder.
        .init(
            "a configuration writable for everyone", "config.json: the file",
            command: "chmod 666 config.json"),
        .init(
            "a configuration writable for a group", "chmod go-w", command: "chmod 620 config.json"),
        .init("a folder writable for everyone", "config.json: the folder", command: "chmod 777 ."),
        .init("a folder writable for a group", "mode 0775", command: "chmod 775 ."),
        .init(
            "a configuration that is a pipe", "is not a regular file",
            command: "rm config.json; mkfifo config.json"),
        .init(
            "a configuration that is a folder", "config.json",
            command: "rm config.json; mkdir config.json"),
        .init("a missing configuration", "No such file", command: "rm config.json"),
        .init(
            "a link into a folder writable for everyone", "other can be changed by others",
            command: "mkdir other; mv config.json other; chmod 777 other; "
                + "ln -s other/config.json config.json"),
        // Keys.
        .init(
            "a missing key file", "token.keys[0].secret_file: cannot be read",
            command: "rm token.key"),
        .init(
            "missing key and users files", "token.keys[0].secret_file: ",
            "users.json: the users cannot be read", command: "rm token.key users.json"),
        .init(
            "a key file writable for everyone", "token.keys[0].secret_file: the file",
            command: "chmod 602 token.key"),
        .init(
            "a key in a folder writable for everyone", "token.keys[0].secret_file: the folder",
            command: "mkdir k; mv token.key k; chmod 777 k"
        ) {
            $0.keys = #"[{"id":"k","secret_file":"k/token.key"}]"#
        },
        .init("a key file that is a device", "token.keys[0].secret_file: is not a regular file") {
            $0.keys = #"[{"id":"k","secret_file":"/dev/zero"}]"#
        },
        .init("a key file that is a folder", "token.keys[0].secret_file: ") {
            $0.keys = #"[{"id":"k","secret_file":"."}]"#
        },
        .init(
            "a short key", "token.keys[0]: the secret has 5 bytes",
            command: "printf short >token.key"),
        .init("an empty key", "token.keys[0]: ", command: ": >token.key"),
        .init(
            "a key with a byte order mark", "token.keys[0].secret_file: begins with a UTF-8",
            command: "printf '\\357\\273\\277%s' \"$SECRET\" >token.key"),
        .init(
            "a key in UTF-16", "token.keys[0].secret_file: is UTF-16",
            command: "printf '\\377\\376%s%s' \"$SECRET\" \"$SECRET\" >token.key"),
        .init(
            "a key of one repeated byte", "token.keys[0]: ",
            command: "printf '%040d' 0 >token.key"),
        .init("a duplicate id", #"token.keys[1].id: "k" is also the id of token.keys[0]"#) {
            $0.keys =
                #"[{"id":"k","secret_file":"token.key"},{"id":"k","secret_file":"token.key"}]"#
        },
        .init("no keys", "token.keys: has 0 keys") { $0.keys = "[]" },
        .init("an id with a space", "token.keys[0].id: ") {
            $0.keys = #"[{"id":"a b","secret_file":"token.key"}]"#
        },
        .init("no id", "token.keys[0].id: is missing") {
            $0.keys = #"[{"secret_file":"token.key"}]"#
        },
        .init("neither secret nor file", "token.keys[0]: needs either") {
            $0.keys = #"[{"id":"k"}]"#
        },
        // Values.
        .init("a port out of range", "server.port: 80800 is out of range") {
            $0.server = #""port":80800"#
        },
        .init("a host that is a name", "server.host: ") {
            $0.server += #","host":"gatehouse.example""#
        },
        .init("an address of another machine", "server.host: cannot listen on") {
            $0.server += #","host":"192.0.2.1""#
        },
        .init("an invalid size", #"log.file.max_size: "10 apples""#) {
            $0.file += #","max_size":"10 apples""#
        },
        .init("an invalid level", "log.level: ") { $0.log = #""level":"LOUD""# },
        .init("tokens longer than sessions", "token.session: ") {
            $0.token = #""ttl":"2h","session":"1h""#
        },
        .init("an invalid duration", "token.ttl: ") { $0.token = #""ttl":"soon""# },
        .init("an invalid mode", "login.mode: ") { $0.login += #","mode":"open""# },
        .init("metrics on all interfaces", "admin.metrics: ") {
            $0.admin += #","metrics":"0.0.0.0:0""#
        },
        .init("one port for metrics and server", "admin.metrics: port 49151") {
            $0.server = #""port":49151"#
            $0.admin += #","metrics":"127.0.0.1:49151""#
        },
        .init(
            "one file for log and journal", "state.revocations: is the same file as log.file.path"
        ) {
            $0.state = #""revocations":"logs/app.log""#
        },
        .init("one file for users and configuration", "login.users_file: is the same file") {
            $0.login = #""users_file":"config.json""#
        },
        .init("a name reserved for the log", "state.revocations: is ") {
            $0.state = #""revocations":"logs/app.log.000001""#
        },
        // The log.
        .init("a log path that ends in a slash", "log.file.path: names a folder") {
            $0.file = #""path":"logs/""#
        },
        .init("a log without a name", "log.file.path: cannot be empty") {
            $0.file = #""path":"""#
        },
        .init("a zero byte", "log.file.path: contains a zero byte") {
            $0.file = #""path":"logs/app\u0000.log""#
        },
        .init("a log under /proc", "log.file.path: /proc cannot be written") {
            $0.file = #""path":"/proc/gatehouse/app.log""#
        },
        .init("a log under /sys", "log.file.path: /sys cannot be written") {
            $0.file = #""path":"/sys/app.log""#
        },
        .init("a log that is a device", "log.file.path: /dev/null is a device") {
            $0.file = #""path":"/dev/null""#
        },
        .init(
            "a log that is a pipe", "log.file.path: ", command: "mkdir logs; mkfifo logs/app.log"),
        .init(
            "a log that is a folder", "is a folder", command: "mkdir -p logs/app.log"),
        .init(
            "a log that is a link", "is a symbolic link",
            command: "mkdir logs; ln -s ../elsewhere logs/app.log"),
        .init(
            "a log path of another kind of file", "notes is not a log",
            command: "mkdir logs; echo notes >logs/notes"
        ) { $0.file = #""path":"logs/notes""# },
        .init("a log below a file", "log.file.path: ", command: "echo >logs"),
        .init(
            "a lock that is a folder", ".app.log.lock is a folder",
            command: "mkdir -p logs/.app.log.lock"),
        .init(
            "a state that is a link", ".app.log.state is a symbolic link",
            command: "mkdir logs; ln -s x logs/.app.log.state"),
        .init(
            "a hard link in a folder writable for everyone", "another name (a hard link)",
            command: "mkdir logs; : >app; ln app logs/app.log; chmod 1777 logs"),
        // The journal.
        .init(
            "a journal path of another kind of file", "state.revocations: the journal",
            command: "mkdir logs; echo notes >logs/revocations.journal"),
        .init(
            "a journal that is empty", "state.revocations: the journal",
            command: "mkdir logs; : >logs/revocations.journal"),
        .init(
            "a journal that is a device", "state.revocations: /dev/null is a device"
        ) { $0.state = #""revocations":"/dev/null""# },
        .init(
            "a journal that is a link", "state.revocations: ",
            command: "mkdir logs; ln -s ../x logs/revocations.journal"),
        .init(
            "a journal's lock that is a pipe", ".revocations.journal.lock is a pipe",
            command: "mkdir logs; mkfifo logs/.revocations.journal.lock"),
        .init("a journal under /proc", "state.revocations: /proc cannot be written") {
            $0.state = #""revocations":"/proc/journal""#
        },
        // The users.
        .init(
            "a missing users file", "users.json: the users cannot be read", command: "rm users.json"
        ) {
            $0.login = #""users_file":"users.json""#
        },
        .init("users in invalid JSON", "login.users_file: ", command: "echo x >users.json"),
        .init(
            "users with a byte order mark", "begins with a UTF-8 byte order mark",
            command: "printf '\\357\\273\\277{\"users\":[]}' >users.json"),
        .init(
            "a duplicate user id", "users[1].id",
            command:
                "echo '{\"users\":[{\"id\":1,\"username\":\"a\",\"name\":\"A\"},"
                + "{\"id\":1,\"username\":\"b\",\"name\":\"B\"}]}' >users.json"),
        .init(
            "a users file writable for everyone", "login.users_file: ",
            command: "chmod 666 users.json"),
        .init(
            "users in a folder writable for a group", "chmod go-w",
            command: "mkdir u; mv users.json u; chmod 770 u"
        ) { $0.login = #""users_file":"u/users.json""# },
        .init(
            "a users file that is a folder", "login.users_file: ",
            command: "rm users.json; mkdir users.json"),
        .init("a users file that is a device", "login.users_file: ") {
            $0.login = #""users_file":"/dev/null""#
        },
        // The socket.
        .init(
            "a socket path of a file", "exists and is not a socket",
            command: "mkdir logs; echo >logs/admin.sock"),
        .init(
            "a socket path of a link", "exists and is not a socket",
            command: "mkdir logs; ln -s x logs/admin.sock"),
        .init("a socket in a missing folder", "admin.socket: ") {
            $0.admin = #""socket":"none/s""#
        },
        .init("a socket under /proc", "admin.socket: /proc") { $0.admin = #""socket":"/proc/s""# },
        .init("a socket path that is too long", "admin.socket: the path has ") {
            $0.admin = #""socket":"\#(String(repeating: "s", count: 120))""#
        },
        // Several at once.
        .init(
            "several problems at once", "server.port: ", "token.keys[0].secret_file: ",
            "log.file.path: ",
            "state.revocations: ", "login.users_file: ", "admin.socket: ",
            command: "rm token.key users.json; mkdir logs; echo >logs/admin.sock; "
                + "echo >logs/revocations.journal; mkdir logs/app.log"
        ) { $0.server = #""port":-1"# },
    ]

    private static let valid: [Installation] = [
        .init("unchanged"),
        .init("with an existing log", command: "mkdir logs; : >logs/app.log"),
        .init("a log in missing folders") { $0.file = #""path":"a/b/c/app.log""# },
        .init(
            "keys linked like in a container volume",
            command:
                "mkdir ..1; mv token.key ..1; ln -s ..1 ..data; ln -s ..data/token.key token.key"),
        .init(
            "a linked configuration",
            command:
                "mkdir real; mv config.json token.key users.json real; ln -s real/config.json ."
        ) {
            $0.keys = #"[{"id":"k","secret_file":"real/token.key"}]"#
            $0.login = #""users_file":"real/users.json""#
        },
        .init("a linked users file", command: "mkdir u; mv users.json u; ln -s u/users.json ."),
        .init(
            "a binary key that ends in a line feed",
            command:
                "printf '\\001\\002\\003\\004\\005\\006\\007\\010\\011%022d\\n' 1 >token.key"),
        .init("no socket and no seals") {
            $0.admin = #""socket":null"#
            $0.log = #""seal":false"#
        },
        .init("no audit log") { $0.log = #""audit":null"# },
        .init("a log folder writable for everyone", command: "mkdir logs; chmod 777 logs"),
        .init("a sticky folder", command: "chmod 1777 ."),
        .init("files readable for everyone", command: "chmod 644 *.json token.key"),
        .init(
            "the socket of a killed server",
            command:
                "mkdir logs; python3 -c 'import socket as s; "
                + "s.socket(s.AF_UNIX).bind(\"logs/admin.sock\")'"),
        .init("a temporary file of a killed user command", command: "echo x >.users.json.new"),
    ]

    /// The problems that `check` finds, and the files in the folder afterwards.
    private func check() -> (problems: [ConfigurationProblem], places: [String]) {
        let draft = Configuration.Draft(file: folder.path("config.json"), environment: [:])
        var problems = draft.problems
        if let configuration = draft.configuration {
            problems += Preflight(configuration, known: draft.problems).problems
        }
        return (problems, folder.allNames)
    }

    /// The messages of a refused start; nil if it serves.
    private func start() -> [String]? {
        do {
            let configuration = try Configuration.load(
                file: folder.path("config.json"), environment: [:])
            let application = try Application(configuration)
            application.start()
            _ = application.stop()
            return nil
        } catch let error as Configuration.Invalid {
            return error.problems.map(\.description)
        } catch let error as Application.StartError {
            return error.messages
        } catch {
            return ["\(error)"]
        }
    }

    @Test(arguments: invalid)
    private func `check and a start both refuse an invalid configuration`(
        installation: Installation
    ) throws {
        try installation.make(in: folder)
        let names = folder.allNames
        let (problems, after) = check()
        #expect(after == names)
        let text = problems.map(\.description).joined(separator: "\n")
        for expected in installation.expected { #expect(text.contains(expected), "\(text)") }
        #expect(!problems.isEmpty)
        let refusal = start()
        #expect(refusal?.isEmpty == false, "it starts, and check reports \(text)")
    }

    @Test(arguments: valid)
    private func `check and a start both accept a valid configuration`(installation: Installation)
        throws
    {
        try installation.make(in: folder)
        let names = folder.allNames
        let (problems, after) = check()
        #expect(after == names)
        #expect(problems.map(\.description) == [])
        #expect(start() == nil)
    }

    @Test func `the table has at least sixty invalid and ten valid configurations`() {
        #expect(Self.invalid.count >= 60)
        #expect(Self.valid.count >= 10)
    }

    /// systemd may hold a port or a socket, and pass it to the server.
    private static var isUnderSystemd: Bool {
        FileManager.default.fileExists(atPath: "/run/systemd/system")
    }

    @Test func `a start refuses a port in use, and check reports it`() throws {
        let server = try ServerProcess(in: folder)
        defer { withExtendedLifetime(server) {} }
        try Installation("in use") { $0.server = #""port":\#(server.port)"# }.make(in: folder)
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(Self.isUnderSystemd ? 0 : 78))
        #expect(errors.contains("server.port: "))
        #expect(start() != nil)
    }

    @Test func `a start refuses the socket of another server, and check reports it`() throws {
        try Installation("in use") { $0.admin = #""socket":"admin.sock""# }.make(in: folder)
        let listener = try ChildProcess(
            "/usr/bin/env",
            [
                "python3", "-c",
                "import socket as s, sys, time; a = s.socket(s.AF_UNIX); a.bind('admin.sock'); "
                    + "a.listen(); print('listening', file=sys.stderr, flush=True); "
                    + "time.sleep(600)",
            ],
            environment: ["PATH": "/usr/bin:/bin"], folder: folder.path)
        defer { listener.stop() }
        _ = try listener.errorLine(containing: "listening")
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(Self.isUnderSystemd ? 0 : 78))
        #expect(errors.contains("admin.socket: "), "\(errors)")
        #expect(start()?.isEmpty == false)
    }

    @Test func `check accepts the socket of its own running server`() throws {
        try Installation("own").make(in: folder)
        let server = try ServerProcess(only: [:], in: folder, ["--config", "config.json"])
        defer { withExtendedLifetime(server) {} }
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(0), "\(errors)")
    }

    /// The first port that every account may listen on.
    private static var firstUnprivilegedPort: Int {
        let text = try? String(
            contentsOfFile: "/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding: .utf8)
        return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? 1024
    }

    @Test(
        .enabled(if: Self.firstUnprivilegedPort > 80),
        .enabled(
            if: TemporaryFolder.areOpenToOthers
                && TemporaryFolder.isOpenToOthers(ServerProcess.program)),
        arguments: ["server.port", "admin.metrics"])
    func `a port that only root may use is refused for other accounts`(setting: String) throws {
        try Installation("port 80") {
            if setting == "server.port" {
                $0.server = #""port":80"#
            } else {
                $0.admin += #","metrics":"127.0.0.1:80""#
            }
        }.make(in: folder)
        // As root, `check` changes to the owner of the folder by itself. A start must run as it.
        var account: UInt32?
        if geteuid() == 0 {
            for name in [""] + folder.allNames {
                #expect(lchown(folder.path(name), 65_534, 65_534) == 0)
            }
            account = 65_534
        }
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(Self.isUnderSystemd ? 0 : 78))
        #expect(errors.contains("\(setting): only root may listen on port 80"), "\(errors)")
        let process = try ServerProcess.start(
            in: folder, [:], ["serve", "--config", "config.json"], account: account)
        #expect(try process.wait() == .exited(69))
    }

    @Test func `check and a start both refuse an unsafe folder above a relative path`() throws {
        let inner = folder.path("outer/inner")
        try FileManager.default.createDirectory(
            atPath: inner, withIntermediateDirectories: true)
        try Installation("inner").make(in: folder)
        for name in ["token.key", "users.json", "config.json"] {
            #expect(rename(folder.path(name), "\(inner)/\(name)") == 0)
        }
        func run(_ verb: String) throws -> (ending: ChildProcess.Ending, errors: String) {
            let process = try ChildProcess(
                ServerProcess.program, [verb, "--config", "config.json"], environment: [:],
                folder: inner)
            return (try process.wait(), process.standardError)
        }
        #expect(try run("check").ending == .exited(0))
        #expect(chmod(folder.path("outer"), 0o777) == 0)
        for verb in ["check", "serve"] {
            let (ending, errors) = try run(verb)
            #expect(ending == .exited(78))
            #expect(errors.contains("chmod go-w \(folder.path("outer"))"), "\(errors)")
        }
    }
}

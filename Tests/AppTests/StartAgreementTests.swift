import Foundation
import Glibc
import POSIX
import TestSupport
import Testing

@testable import App

/// A configuration and what is in its folder.
private struct Installation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What is said of it, each with its place; empty for a good one.
    let expected: [String]
    var server = #""port":0"#
    var admin = #""socket":"logs/admin.sock""#
    var keys = #"[{"id":"k","secret_file":"token.key"}]"#
    var token = ""
    var login = #""users_file":"users.json""#
    var file = #""path":"logs/app.log""#
    var log = ""
    var state = #""revocations":"logs/revocations.journal""#
    /// The whole text, in place of all these.
    var text: String?
    /// A shell's command that changes the folder.
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

@Suite("check and a start", .blocking, .serialized)
struct StartAgreementTests {
    private let folder = try! TemporaryFolder()

    private static let bad: [Installation] = [
        // The text.
        .init("no text", "config.json", text: ""),
        .init("no JSON", "config.json:2: ", text: "{\n\"server\":}"),
        .init("no object", "the file must contain one JSON object", text: "[]"),
        .init("a key twice", "config.json:1: ", text: #"{"log":{},"log":{}}"#),
        .init("a mark", "begins with a UTF-8 byte order mark", text: "\u{FEFF}{}"),
        .init(
            "UTF-16", "config.json: is UTF-16",
            command: "printf '\\377\\376{\\0}\\0' >config.json"),
        .init(
            "UTF-16 without a mark", "config.json: is UTF-16",
            command: "printf '{\\0}\\0' >config.json"),
        .init("an unknown section", "servers: unknown key; did you mean server?", text: #"{"servers":{}}"#),
        .init("an unknown key", "server.prot: unknown key") { $0.server += #","prot":1"# },
        // The configuration's file and folder.
        .init(
            "it can be changed by all", "config.json: the file", command: "chmod 666 config.json"),
        .init(
            "it can be changed by a group", "chmod go-w", command: "chmod 620 config.json"),
        .init("its folder by all", "config.json: the folder", command: "chmod 777 ."),
        .init("its folder by a group", "mode 0775", command: "chmod 775 ."),
        .init(
            "it is a pipe", "is not a regular file",
            command: "rm config.json; mkfifo config.json"),
        .init("it is a folder", "config.json", command: "rm config.json; mkdir config.json"),
        .init("it is not there", "No such file", command: "rm config.json"),
        .init(
            "a link to one that others can change", "other can be changed by others",
            command: "mkdir other; mv config.json other; chmod 777 other; "
                + "ln -s other/config.json config.json"),
        // Keys.
        .init(
            "no key's file", "token.keys[0].secret_file: cannot be read", command: "rm token.key"),
        .init(
            "keys and users are missing", "token.keys[0].secret_file: ",
            "users.json: the users cannot be read", command: "rm token.key users.json"),
        .init(
            "a key that all can change", "token.keys[0].secret_file: the file",
            command: "chmod 602 token.key"),
        .init(
            "a key in a folder that all can change", "token.keys[0].secret_file: the folder",
            command: "mkdir k; mv token.key k; chmod 777 k"
        ) {
            $0.keys = #"[{"id":"k","secret_file":"k/token.key"}]"#
        },
        .init("a key that is a device", "token.keys[0].secret_file: is not a regular file") {
            $0.keys = #"[{"id":"k","secret_file":"/dev/zero"}]"#
        },
        .init("a key that is a folder", "token.keys[0].secret_file: ") {
            $0.keys = #"[{"id":"k","secret_file":"."}]"#
        },
        .init(
            "a short key", "token.keys[0]: the secret has 5 bytes",
            command: "printf short >token.key"),
        .init("an empty key", "token.keys[0]: ", command: ": >token.key"),
        .init(
            "a key with a mark", "token.keys[0].secret_file: begins with a UTF-8",
            command: "printf '\\357\\273\\277%s' \"$SECRET\" >token.key"),
        .init(
            "a key in UTF-16", "token.keys[0].secret_file: is UTF-16",
            command: "printf '\\377\\376%s%s' \"$SECRET\" \"$SECRET\" >token.key"),
        .init("a key of one byte", "token.keys[0]: ", command: "printf '%040d' 0 >token.key"),
        .init("ids twice", #"token.keys[1].id: "k" is also the id of token.keys[0]"#) {
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
        .init("a port out of range", "server.port: 80800 is out of range") { $0.server = #""port":80800"# },
        .init("a host that is a name", "server.host: ") {
            $0.server += #","host":"gatehouse.example""#
        },
        .init("an address that is not ours", "server.host: cannot listen on") {
            $0.server += #","host":"192.0.2.1""#
        },
        .init("no such size", #"log.file.max_size: "10 apples""#) {
            $0.file += #","max_size":"10 apples""#
        },
        .init("no such level", "log.level: ") { $0.log = #""level":"LOUD""# },
        .init("tokens longer than sessions", "token.session: ") {
            $0.token = #""ttl":"2h","session":"1h""#
        },
        .init("no duration", "token.ttl: ") { $0.token = #""ttl":"soon""# },
        .init("no such mode", "login.mode: ") { $0.login += #","mode":"open""# },
        .init("metrics for all", "admin.metrics: ") { $0.admin += #","metrics":"0.0.0.0:0""# },
        .init("the metrics' port is the server's", "admin.metrics: port 49151") {
            $0.server = #""port":49151"#
            $0.admin += #","metrics":"127.0.0.1:49151""#
        },
        .init("two files that are one", "state.revocations: is the same file as log.file.path") {
            $0.state = #""revocations":"logs/app.log""#
        },
        .init("the users are the configuration", "login.users_file: is the same file") {
            $0.login = #""users_file":"config.json""#
        },
        .init("a name that the log needs", "state.revocations: is ") {
            $0.state = #""revocations":"logs/app.log.000001""#
        },
        // The log.
        .init("a folder's name", "log.file.path: names a folder") { $0.file = #""path":"logs/""# },
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
            "a log that is no log", "notes is not a log",
            command: "mkdir logs; echo notes >logs/notes"
        ) { $0.file = #""path":"logs/notes""# },
        .init("a log in what is no folder", "log.file.path: ", command: "echo >logs"),
        .init(
            "a lock that is a folder", ".app.log.lock is a folder",
            command: "mkdir -p logs/.app.log.lock"),
        .init(
            "a state that is a link", ".app.log.state is a symbolic link",
            command: "mkdir logs; ln -s x logs/.app.log.state"),
        .init(
            "a second name in an open folder", "another name (a hard link)",
            command: "mkdir logs; : >app; ln app logs/app.log; chmod 1777 logs"),
        // The journal.
        .init(
            "a journal that is none", "state.revocations: the journal",
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
        .init("no users", "users.json: the users cannot be read", command: "rm users.json") {
            $0.login = #""users_file":"users.json""#
        },
        .init("users that are no JSON", "login.users_file: ", command: "echo x >users.json"),
        .init(
            "users with a mark", "begins with a UTF-8 byte order mark",
            command: "printf '\\357\\273\\277{\"users\":[]}' >users.json"),
        .init(
            "users twice", "users[1].id",
            command:
                "echo '{\"users\":[{\"id\":1,\"username\":\"a\",\"name\":\"A\"},"
                + "{\"id\":1,\"username\":\"b\",\"name\":\"B\"}]}' >users.json"),
        .init(
            "users that all can change", "login.users_file: ", command: "chmod 666 users.json"),
        .init(
            "users in a folder that a group can change", "chmod go-w",
            command: "mkdir u; mv users.json u; chmod 770 u"
        ) { $0.login = #""users_file":"u/users.json""# },
        .init(
            "users that are a folder", "login.users_file: ",
            command: "rm users.json; mkdir users.json"),
        .init("users that are a device", "login.users_file: ") {
            $0.login = #""users_file":"/dev/null""#
        },
        // The socket.
        .init(
            "a socket that is a file", "exists and is not a socket",
            command: "mkdir logs; echo >logs/admin.sock"),
        .init(
            "a socket that is a link", "exists and is not a socket",
            command: "mkdir logs; ln -s x logs/admin.sock"),
        .init("a socket in no folder", "admin.socket: ") { $0.admin = #""socket":"none/s""# },
        .init("a socket under /proc", "admin.socket: /proc") { $0.admin = #""socket":"/proc/s""# },
        .init("a socket's name that is long", "admin.socket: the path has ") {
            $0.admin = #""socket":"\#(String(repeating: "s", count: 120))""#
        },
        // Several at once.
        .init(
            "everything", "server.port: ", "token.keys[0].secret_file: ", "log.file.path: ",
            "state.revocations: ", "login.users_file: ", "admin.socket: ",
            command: "rm token.key users.json; mkdir logs; echo >logs/admin.sock; "
                + "echo >logs/revocations.journal; mkdir logs/app.log"
        ) { $0.server = #""port":-1"# },
    ]

    private static let good: [Installation] = [
        .init("as it is"),
        .init("with a log", command: "mkdir logs; : >logs/app.log"),
        .init("a deep log") { $0.file = #""path":"a/b/c/app.log""# },
        .init(
            "keys by a container's links",
            command:
                "mkdir ..1; mv token.key ..1; ln -s ..1 ..data; ln -s ..data/token.key token.key"),
        .init(
            "the configuration by a link",
            command:
                "mkdir real; mv config.json token.key users.json real; ln -s real/config.json ."
        ) {
            $0.keys = #"[{"id":"k","secret_file":"real/token.key"}]"#
            $0.login = #""users_file":"real/users.json""#
        },
        .init("users by a link", command: "mkdir u; mv users.json u; ln -s u/users.json ."),
        .init(
            "a key that ends in a line feed and is no text",
            command:
                "printf '\\001\\002\\003\\004\\005\\006\\007\\010\\011%022d\\n' 1 >token.key"),
        .init("no socket, and no seals") {
            $0.admin = #""socket":null"#
            $0.log = #""seal":false"#
        },
        .init("no audit log") { $0.log = #""audit":null"# },
        .init("a folder for logs that all can use", command: "mkdir logs; chmod 777 logs"),
        .init("a sticky folder", command: "chmod 1777 ."),
        .init("files that others can read", command: "chmod 644 *.json token.key"),
        .init(
            "a socket of a server that is dead",
            command:
                "mkdir logs; python3 -c 'import socket as s; "
                + "s.socket(s.AF_UNIX).bind(\"logs/admin.sock\")'"),
        .init("what a killed user add has left", command: "echo x >.users.json.new"),
    ]

    /// What check says, as a process would.
    private func check() -> (problems: [ConfigurationProblem], places: [String]) {
        let draft = Configuration.Draft(file: folder.path("config.json"), environment: [:])
        var problems = draft.problems
        if let configuration = draft.configuration {
            problems += Preflight(configuration, known: draft.problems).problems
        }
        return (problems, folder.allNames)
    }

    /// What a start says; nil if it serves.
    private func start() -> [String]? {
        do {
            let configuration = try Configuration.load(
                file: folder.path("config.json"), environment: [:])
            let gatehouse = try Application(configuration)
            gatehouse.start()
            _ = gatehouse.stop()
            return nil
        } catch let error as Configuration.Invalid {
            return error.problems.map(\.description)
        } catch let error as Application.StartError {
            return error.sentences
        } catch {
            return ["\(error)"]
        }
    }

    @Test(arguments: bad)
    private func `agree that a configuration is bad`(installation: Installation) throws {
        try installation.make(in: folder)
        let names = folder.allNames
        let (problems, after) = check()
        #expect(after == names)
        let said = problems.map(\.description).joined(separator: "\n")
        for expected in installation.expected { #expect(said.contains(expected), "\(said)") }
        #expect(!problems.isEmpty)
        let refusal = start()
        #expect(refusal?.isEmpty == false, "it starts, and check says \(said)")
    }

    @Test(arguments: good)
    private func `agree that a configuration is good`(installation: Installation) throws {
        try installation.make(in: folder)
        let names = folder.allNames
        let (problems, after) = check()
        #expect(after == names)
        #expect(problems.map(\.description) == [])
        #expect(start() == nil)
    }

    @Test
    func `have a table of sixty and more`() {
        #expect(Self.bad.count >= 60)
        #expect(Self.good.count >= 10)
    }

    /// It may hold a port or a socket then, and hand it over.
    private static var isUnderSystemd: Bool {
        FileManager.default.fileExists(atPath: "/run/systemd/system")
    }

    @Test
    func `agree about a port that another process has`() throws {
        let house = try ServerProcess(in: folder)
        defer { withExtendedLifetime(house) {} }
        try Installation("in use") { $0.server = #""port":\#(house.port)"# }.make(in: folder)
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(Self.isUnderSystemd ? 0 : 78))
        #expect(errors.contains("server.port: "))
        #expect(start() != nil)
    }

    @Test
    func `agree about a socket that another server listens at`() throws {
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
        defer { listener.end() }
        _ = try listener.errorLine(containing: "listening")
        let (ending, _, errors) = try ServerProcess.run(
            ["check", "--config", "config.json"], in: folder)
        #expect(ending == .exited(Self.isUnderSystemd ? 0 : 78))
        #expect(errors.contains("admin.socket: "), "\(errors)")
        #expect(start()?.isEmpty == false)
    }

    @Test
    func `agree about a socket that their own server listens at`() throws {
        try Installation("own").make(in: folder)
        let house = try ServerProcess(only: [:], in: folder, ["--config", "config.json"])
        defer { withExtendedLifetime(house) {} }
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
    func `agree about a port that only root may listen on`(setting: String) throws {
        try Installation("port 80") {
            if setting == "server.port" {
                $0.server = #""port":80"#
            } else {
                $0.admin += #","metrics":"127.0.0.1:80""#
            }
        }.make(in: folder)
        // Root becomes the owner of the folder for check; for a start it has to be told.
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

    @Test
    func `agree about folders above a relative path`() throws {
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

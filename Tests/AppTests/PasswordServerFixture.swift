import Auth
import Foundation
import JWT
import TestSupport

/// A directory for a server with passwords: keys, users, and a configuration that refers to them.
final class PasswordServerFixture: Sendable {
    let folder: TemporaryFolder

    static let arguments = ["--config", "gatehouse.json"]
    /// The password of all users.
    static let password = "correct horse battery"
    /// Few enough that tests do not wait for hashing.
    static let iterations = 1000

    /// Overrides of the configuration, as JSON members of its sections.
    struct Options: Sendable {
        /// Key ids; the first one signs.
        var keys = ["k1"]
        var server = #""workers":2"#
        var token = #""ttl":"30m""#
        var login = #""mode":"password","users_file":"users.json""#
        var log = #""seal_interval":"100ms""#
        /// Additional complete sections.
        var sections = #""admin":{"socket":"admin.sock"}"#
    }

    init(_ options: Options = Options(), users: [String] = ["alice", "bob"]) throws {
        folder = try TemporaryFolder()
        try configure(options)
        let password = PasswordHash(of: Password(Self.password)!, iterations: Self.iterations)
        try changeUsers(making: true) { list in
            list = users.enumerated().map { index, username in
                User(
                    id: UserID(Int64(index) + 1)!, username: username,
                    name: username.capitalized, password: password)
            }
        }
    }

    /// Writes the configuration, and the keys that do not exist yet.
    func configure(_ options: Options) throws {
        for key in options.keys where folder.size("\(key).key") == nil {
            try folder.file("\(key).key", Self.secret(of: key) + "\n")
        }
        let keys = options.keys.map { #"{"id":"\#($0)","secret_file":"\#($0).key"}"# }
        try folder.file(
            "gatehouse.json",
            """
            {"server":{\(options.server)},
             "token":{"keys":[\(keys.joined(separator: ","))],\(options.token)},
             "login":{\(options.login)},
             "log":{\(options.log)},
             \(options.sections)}
            """)
    }

    static func secret(of key: String) -> String { "a secret of \(key), of 32 bytes and more" }

    func changeUsers(making: Bool = false, _ change: (inout [User]) -> Void) throws {
        try UsersFile(folder.path("users.json")).update(making: making) { change(&$0) }
    }

    /// Starts a server with few iterations and a quiet standard error, unless `settings` override
    /// them.
    func startServer(_ settings: [String: String] = [:], port: String? = "0") throws
        -> ServerProcess
    {
        var all = ["LOGIN_ITERATIONS": "\(Self.iterations)", "LOG_STDERR_LEVEL": "CRITICAL"]
        all["SERVER_PORT"] = port
        all["LOG_FILE_PATH"] = "app.log"
        all.merge(settings) { _, new in new }
        return try ServerProcess(only: all, in: folder, Self.arguments)
    }

    /// Runs a command with this configuration until it exits.
    func run(
        _ arguments: [String], typing input: String? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let file = try input.map { try folder.file("input", $0) }
        defer { if let file { unlink(file) } }
        let process = try ServerProcess.start(
            in: folder,
            ["LOGIN_ITERATIONS": "\(Self.iterations)", "LOG_FILE_PATH": "app.log"],
            arguments + Self.arguments, input: file ?? "/dev/null")
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    /// Sends one request to the admin socket.
    func administer(_ request: String) throws -> ServerResponse {
        let client = try Client(socket: folder.path("admin.sock"))
        try client.send(request)
        return try client.response()
    }

    /// The lines of the log, in order.
    /// - Throws: `UnreadableLine` if a line cannot be parsed.
    func entries() throws -> [LogEntry] {
        try LogEntry.all(in: folder.log()).map { entry in
            guard let entry else { throw UnreadableLine() }
            return entry
        }
    }

    /// A line of the log cannot be parsed.
    struct UnreadableLine: Error {}

    /// Waits until the log has `count` lines of this event that satisfy `fits`; false on a timeout.
    func waitForEvent(
        _ name: String, count: Int = 1, _ fits: (LogEntry) -> Bool = { _ in true }
    ) throws -> Bool {
        try eventually { try events(name).count(where: fits) >= count }
    }

    /// The lines of one event. Parses only those, because under load the log has many others.
    func events(_ name: String) throws -> [LogEntry] {
        let pattern = Data(" | \(name) ".utf8)
        let lineEnd = Data("\n".utf8)
        var entries: [LogEntry] = []
        for file in folder.logFiles {
            let log = try Data(contentsOf: URL(filePath: folder.path(file)))
            var rest = log.startIndex..<log.endIndex
            while let found = log.range(of: pattern, in: rest) {
                let start = log.range(of: lineEnd, options: .backwards, in: 0..<found.lowerBound)
                // The last line may be incomplete.
                guard let end = log.range(of: lineEnd, in: found.upperBound..<log.endIndex) else {
                    break
                }
                let line = log[(start?.upperBound ?? 0)..<end.lowerBound]
                if let entry = LogEntry(String(decoding: line, as: UTF8.self)) {
                    entries.append(entry)
                }
                rest = end.upperBound..<log.endIndex
            }
        }
        return entries
    }
}

extension ServerProcess {
    func login(
        _ username: String, _ password: String = PasswordServerFixture.password, _ id: String = "id"
    ) throws -> ServerResponse {
        try ask(.login(named: username, password, id))
    }
}

extension String {
    static func post(
        _ path: String, _ content: String = "", _ id: String = "id", _ fields: String = "",
        method: String = "POST"
    ) -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: \(id)\r\n\(fields)"
            + "Content-Length: \(content.utf8.count)\r\n\r\n\(content)"
    }

    static func login(
        named name: String, _ password: String = PasswordServerFixture.password,
        _ id: String = "id",
        _ fields: String = ""
    ) -> String {
        post("/login", #"{"username":"\#(name)","password":"\#(password)"}"#, id, fields)
    }

    static func login(
        withID user: Int, _ password: String = PasswordServerFixture.password, _ id: String = "id"
    ) -> String {
        post("/login", #"{"user_id":\#(user),"password":"\#(password)"}"#, id)
    }

    static func refresh(_ token: String, _ id: String = "id") -> String {
        post("/refresh", "", id, "Authorization: Bearer \(token)\r\n")
    }

    static func logout(_ token: String, _ id: String = "id", all: Bool = false) -> String {
        post(all ? "/logout/all" : "/logout", "", id, "Authorization: Bearer \(token)\r\n")
    }

    static func verify(_ token: String, _ id: String = "id") -> String {
        get("/verify", id, "Authorization: Bearer \(token)\r\n")
    }
}

extension ServerResponse {
    /// The message in `{"error":"…"}`.
    var errorMessage: String? {
        struct Content: Decodable { let error: String }
        return try? JSONDecoder().decode(Content.self, from: Data(content.utf8)).error
    }

    /// Status and message, as in `401 Token revoked`.
    var verdict: String { errorMessage.map { "\(status) \($0)" } ?? "\(status)" }
}

/// Header and claims of a token; the signature is not verified.
struct TokenParts {
    let header: [String: Any]
    let claims: [String: Any]

    init?(_ token: String) {
        let parts = token.split(separator: ".").map { part -> [String: Any]? in
            var text = String(part).replacing("-", with: "+").replacing("_", with: "/")
            text += String(repeating: "=", count: (4 - text.count % 4) % 4)
            let data = Data(base64Encoded: text) ?? Data()
            return try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        }
        guard parts.count == 3, let header = parts[0], let claims = parts[1] else { return nil }
        self.header = header
        self.claims = claims
    }

    var keyID: String? { header["kid"] as? String }
    func text(_ claim: String) -> String? { claims[claim] as? String }
    func number(_ claim: String) -> Int? { claims[claim] as? Int }
}

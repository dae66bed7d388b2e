import Foundation
import TestSupport

/// The built program, running in a directory of its own on a port chosen by the system.
final class ServerProcess: Sendable {
    let process: ChildProcess
    let port: UInt16

    /// - Parameters:
    ///   - folder: the working directory; the log is `app.log` there unless `settings` override it.
    ///   - settings: environment variables without the prefix `GATEHOUSE_`.
    convenience init(
        in folder: TemporaryFolder, _ settings: [String: String] = [:], _ arguments: [String] = [],
        descriptorLimit: Int? = nil
    ) throws {
        let all = ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"]
        try self.init(
            only: all.merging(settings) { _, new in new }, in: folder, arguments,
            descriptorLimit: descriptorLimit)
    }

    /// - Parameter settings: all settings other than those in the configuration file.
    init(
        only settings: [String: String], in folder: TemporaryFolder, _ arguments: [String],
        descriptorLimit: Int? = nil
    ) throws {
        process = try ServerProcess.start(in: folder, settings, arguments)
        let line = try process.errorLine(containing: "gatehouse: listening on http://")
        // Lowered after the start, because the program refuses to start with such a low limit.
        if let descriptorLimit { try process.limitDescriptors(to: descriptorLimit) }
        port = UInt16(line.split(separator: ":").last ?? "") ?? 0
    }

    deinit { process.stop() }

    func client() throws -> Client { try Client(port: port) }

    /// Sends one request on a new connection.
    func ask(_ request: String) throws -> ServerResponse {
        let client = try client()
        try client.send(request)
        return try client.response(toHead: request.hasPrefix("HEAD"))
    }

    /// Stops the server with a signal and waits until it exits.
    @discardableResult
    func stop(_ signal: CInt = SIGTERM) throws -> ChildProcess.Ending {
        process.kill(signal)
        return try process.wait()
    }

    /// The program is in the same build directory as the tests.
    static let program: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        return ((tests ?? "") as NSString).deletingLastPathComponent + "/gatehouse"
    }()

    /// - Parameters:
    ///   - redirection: a redirection in shell syntax, such as `>/dev/full 2>&-`.
    ///   - account: the user and group id that root switches to before it starts the program.
    static func start(
        in folder: TemporaryFolder, _ settings: [String: String], _ arguments: [String],
        input: String = "/dev/null", redirection: String? = nil, account: UInt32? = nil
    ) throws(ChildProcess.Failure) -> ChildProcess {
        // Pass on the options of the sanitizers and of the crash reporter.
        var environment = ProcessInfo.processInfo.environment.filter { name, _ in
            name.hasSuffix("SAN_OPTIONS") || name.hasPrefix("SWIFT_")
        }
        for (name, value) in settings { environment["GATEHOUSE_\(name)"] = value }
        var words = [program]
        if let redirection {
            words = ["/bin/sh", "-c", "exec \"$0\" \"$@\" \(redirection)"] + words
        }
        if let account {
            words =
                ["/usr/bin/setpriv", "--reuid=\(account)", "--regid=\(account)", "--clear-groups"]
                + words
        }
        return try ChildProcess(
            words[0], words.dropFirst() + arguments, environment: environment, folder: folder.path,
            input: input)
    }

    /// Runs the program until it exits.
    static func run(
        _ arguments: [String], in folder: TemporaryFolder, _ settings: [String: String] = [:],
        redirection: String? = nil
    ) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
        let process = try start(in: folder, settings, arguments, redirection: redirection)
        let ending = try process.wait()
        return (ending, process.standardOutput, process.standardError)
    }

    /// Runs `gatehouse log verify` for `app.log`, or for the given files.
    static func verify(
        _ arguments: [String] = [], in folder: TemporaryFolder
    ) throws -> (ending: ChildProcess.Ending, report: String) {
        let (ending, output, errors) = try run(
            ["log", "verify"] + arguments, in: folder, ["LOG_FILE_PATH": "app.log"])
        return (ending, output + errors)
    }
}

extension ChildProcess.Ending {
    /// Whether `log verify` found no fault: everything is sealed, or everything except the end.
    var isIntact: Bool { self == .exited(0) || self == .exited(3) }
}

extension String {
    static func get(_ path: String, _ id: String = "id", _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: \(id)\r\n\(fields)\r\n"
    }

    static func login(_ user: Int, _ id: String = "id") -> String {
        let content = "{\"user_id\":\(user)}"
        return "POST /login HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: \(id)\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(content.utf8.count)\r\n\r\n"
            + content
    }

    static func resource(_ token: String, _ id: String = "id") -> String {
        get("/resource", id, "Authorization: Bearer \(token)\r\n")
    }
}

extension ServerResponse {
    /// The token in a login response.
    var token: String {
        get throws {
            struct Content: Decodable { let token: String }
            return try JSONDecoder().decode(Content.self, from: Data(content.utf8)).token
        }
    }
}

import Foundation
import TestSupport

/// A log of several files with several seals each, written once by the program itself, for tests
/// that change it. Its server has stopped.
struct SealedLog: Sendable {
    static let made = Result { try SealedLog() }

    /// The output of `gatehouse log head`.
    let head: String
    /// All files in its folder.
    private let files: [String: Data]

    static let configuration = ["--config", "gatehouse.json"]
    static let settings = ["LOG_FILE_PATH": "app.log"]

    private init() throws {
        let folder = try TemporaryFolder()
        try Self.configure(folder)
        let server = try ServerProcess(in: folder, [:], Self.configuration)
        let client = try server.client()
        try client.send(.login(1, "first"))
        let token = try client.response().token
        var round = 0
        // Six files, with several seals in the last one, too.
        var lastRounds = 3
        while lastRounds > 0 {
            if folder.logFiles.count == 6 { lastRounds -= 1 }
            for request in [String.login(2, "l\(round)"), .resource(token, "r\(round)")] {
                try client.send(request + request + request)
                for _ in 0..<3 { _ = try client.response() }
            }
            // No data arrives; the interval between two seals passes.
            _ = client.hasReceived(within: 110)
            round += 1
        }
        try server.stop()
        let (_, output, _) = try ServerProcess.run(
            ["log", "head"] + Self.configuration, in: folder, Self.settings)
        // The head of the audit log follows on a line of its own.
        head = String(output.prefix { !$0.isWhitespace })
        files = Dictionary(
            uniqueKeysWithValues: try folder.allNames.map {
                ($0, try Data(contentsOf: URL(filePath: folder.path($0))))
            })
    }

    /// Creates the files that a server in this folder needs.
    static func configure(_ folder: TemporaryFolder) throws {
        try folder.file("token.key", "a token key of thirty-two bytes!\n")
        try folder.file("seal.key", "a seal key, and of 32 bytes, too\n")
        try folder.file(
            "gatehouse.json",
            """
            {"server":{"port":0,"workers":1},
             "login":{"mode":"demo"},
             "token":{"keys":[{"id":"k","secret_file":"token.key"}]},
             "log":{"file":{"path":"app.log","max_size":"12KiB","keep":1000},
                    "stderr":{"level":"CRITICAL"},
                    "seal_interval":"100ms","seal_secret_file":"seal.key"}}
            """)
    }

    /// A new folder with a copy of the log.
    func copy() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (name, content) in files {
            try content.write(to: URL(filePath: folder.path(name)))
            chmod(folder.path(name), 0o600)
        }
        return folder
    }
}

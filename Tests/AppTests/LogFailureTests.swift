import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct LogFailureTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    // MARK: A full disk

    @Test(.tags(.timing), .enabled(if: SmallDisk.isAvailable))
    func `on a full disk the server keeps serving, and later logs the number of lost lines`() throws
    {
        try SmallDisk.mounted(at: folder.path, size: "24m") {
            let server = try ServerProcess(
                in: folder,
                quiet.merging([
                    "LOG_AREAS_HTTP": "DEBUG", "LOG_FILE_LEVEL": "DEBUG",
                    "LOG_FILE_MAX_SIZE": "256KiB", "LOG_FILE_KEEP": "100000",
                ]) { $1 })
            let load = Load(server, clients: 2, name: "s")
            load.wait(for: 50)
            try SmallDisk.fill(folder.path("ballast"))
            // More than the buffer's 4 MiB: each request has a line with its long path.
            let long = String(repeating: "x", count: 7000)
            let client = try server.client()
            let floods = TestScale.rounds(900, long: 5000)
            for number in 0..<floods {
                try client.send(.get("/\(long)", "flood-\(number)"))
                #expect(try client.response().status == 404)
            }
            load.waitForMore(50)
            #expect(try server.ask(.get("/health/ready")).status == 503)
            #expect(!folder.logFiles.map { folder.size($0) }.contains(0))
            let (seconds, checks) = try free(server)
            // The server tries again after a second, and then writes and seals 4 MiB. A debug build
            // needs some seconds for that.
            #expect(TestScale.isSanitized || seconds < 5)
            load.waitForMore(50)
            let answers = load.end()
            #expect(try server.stop() == .exited(0))

            #expect(answers.statuses == [200])
            let entries = try LogEntry.all(in: folder.log())
            let torn = entries.count { $0 == nil }
            #expect(torn == entries.count { $0?["reason"] == "torn_line" })
            let found = entries.count { $0?["rid"] != nil }
            let dropped = entries.reduce(0) { sum, entry in
                switch entry?.event {
                case "log_recovered": sum + (entry?["dropped"].flatMap { Int($0) } ?? 0)
                case "log_dropped": sum + (entry?["n"].flatMap { Int($0) } ?? 0)
                default: sum
                }
            }
            // Each request also has its `http_request`.
            let emitted = answers.reduce(floods + 1 + checks) { $0 + $1.lineCount + 1 }
            #expect(dropped > 0)
            #expect(found + dropped == emitted)
            try verify()
        }
    }

    @Test(.tags(.timing), .enabled(if: SmallDisk.isAvailable))
    func `on a full disk refuse answers 503 to logged requests until there is space`() throws {
        try SmallDisk.mounted(at: folder.path, size: "1m") {
            let server = try ServerProcess(
                in: folder,
                quiet.merging([
                    "LOG_ON_FAILURE": "refuse", "LOG_FILE_MAX_SIZE": "64KiB",
                    "LOG_FILE_KEEP": "100000",
                ]) { $1 })
            let token = try server.ask(.login(1, "first")).token
            let load = Load(server, clients: 2, name: "s")
            load.wait(for: 50)
            try SmallDisk.fill(folder.path("ballast"))
            #expect(try eventually { try server.ask(.get("/health/ready")).status == 503 })
            for request in [String.login(1), .login(0), .get("/resource"), .resource(token)] {
                let response = try server.ask(request)
                #expect(response.status == 503)
                #expect(response.content == "{\"error\":\"Log unavailable\"}")
            }
            let ready = try server.ask(.get("/health/ready"))
            #expect(ready.status == 503)
            #expect(
                ready.content.contains("the log cannot be written: No space left on device"))
            #expect(try server.ask(.get("/health/live")).status == 200)
            #expect(!folder.logFiles.map { folder.size($0) }.contains(0))
            let seconds = try free(server).seconds
            #expect(TestScale.isSanitized || seconds < 2)
            #expect(try server.ask(.resource(token, "last")).status == 200)
            load.waitForMore(50)
            let answers = load.end()
            #expect(try server.stop() == .exited(0))

            #expect(answers.statuses == [200, 503])
            let text = try folder.log()
            let expected = answers.ids.union(["first", "last"])
            #expect(expected.subtracting(recordedIDs(in: text)).isEmpty)
            let entries = LogEntry.all(in: text)
            #expect(
                entries.count { $0 == nil } == entries.count { $0?["reason"] == "torn_line" })
            try verify()
        }
    }

    /// Frees the disk, and waits until the server is ready.
    /// - Returns: how long that took, and how many requests asked for it.
    private func free(_ server: ServerProcess) throws -> (seconds: Double, checks: Int) {
        try folder.remove("ballast")
        let moment = Date()
        var checks = 0
        let isReady = try eventually {
            checks += 1
            return try server.ask(.get("/health/ready")).status == 200
        }
        #expect(isReady)
        return (Date().timeIntervalSince(moment), checks)
    }

    private func verify() throws {
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(0), "\(report)")
    }

    // MARK: Not a regular file

    @Test(arguments: ["/dev/null", "pipe", "folder"])
    func `a log path that is not a regular file is refused by check and by a start`(path: String)
        throws
    {
        if path == "pipe" { #expect(mkfifo(folder.path(path), 0o600) == 0) }
        if path == "folder" { #expect(mkdir(folder.path(path), 0o700) == 0) }
        let settings = ["LOG_FILE_PATH": path, "SERVER_PORT": "0"]
        let check = try ServerProcess.run(["check"], in: folder, settings)
        #expect(check.0 == .exited(78))
        #expect(check.2.contains("the log must be a regular file"))
        #expect(try ServerProcess.run([], in: folder, settings).0 == .exited(73))
        #expect(!FileManager.default.fileExists(atPath: "/dev/.null.lock"))
    }
}

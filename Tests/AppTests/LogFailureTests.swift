import Foundation
import TestSupport
import Testing

@Suite("A log that cannot be written", .blocking, .serialized)
struct LogFailureTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    // MARK: A full disk

    @Test(
        "for want of room keeps nobody out, and says later how many lines are lost",
        .enabled(if: SmallDisk.canBeMade))
    func serve() throws {
        try SmallDisk.mounted(at: folder.path, size: "24m") {
            let house = try ServerProcess(
                in: folder,
                quiet.merging([
                    "LOG_AREAS_HTTP": "DEBUG", "LOG_FILE_LEVEL": "DEBUG",
                    "LOG_FILE_MAX_SIZE": "256KiB", "LOG_FILE_KEEP": "100000",
                ]) { $1 })
            let load = Load(house, clients: 2, name: "s")
            load.wait(for: 50)
            try SmallDisk.fill(folder.path("ballast"))
            // More than the four MiB that wait in memory: each has a line with its long path.
            let long = String(repeating: "x", count: 7000)
            let client = try house.client()
            let floods = TestScale.rounds(900, long: 5000)
            for number in 0..<floods {
                try client.send(.get("/\(long)", "flood-\(number)"))
                #expect(try client.response().status == 404)
            }
            load.waitForMore(50)
            #expect(try house.ask(.get("/health/ready")).status == 503)
            #expect(!folder.logFiles.map { folder.size($0) }.contains(0))
            let (seconds, questions) = try free(house)
            // A second until it is tried again; then four MiB are written and sealed, here by a
            // program that was built to be debugged.
            #expect(TestScale.isSanitized || seconds < 5)
            load.waitForMore(50)
            let answers = load.end()
            #expect(try house.stop() == .exited(0))

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
            // Each request has its `http_request`, too.
            let emitted = answers.reduce(floods + 1 + questions) { $0 + $1.lineCount + 1 }
            #expect(dropped > 0)
            #expect(found + dropped == emitted)
            try verify()
        }
    }

    @Test(
        "for want of room refuses what has to be on record, until there is room",
        .enabled(if: SmallDisk.canBeMade))
    func refuse() throws {
        try SmallDisk.mounted(at: folder.path, size: "1m") {
            let house = try ServerProcess(
                in: folder,
                quiet.merging([
                    "LOG_ON_FAILURE": "refuse", "LOG_FILE_MAX_SIZE": "64KiB",
                    "LOG_FILE_KEEP": "100000",
                ]) { $1 })
            let token = try house.ask(.login(1, "first")).token
            let load = Load(house, clients: 2, name: "s")
            load.wait(for: 50)
            try SmallDisk.fill(folder.path("ballast"))
            #expect(try eventually { try house.ask(.get("/health/ready")).status == 503 })
            for request in [String.login(1), .login(0), .get("/resource"), .resource(token)] {
                let response = try house.ask(request)
                #expect(response.status == 503)
                #expect(response.content == "{\"error\":\"Log unavailable\"}")
            }
            let ready = try house.ask(.get("/health/ready"))
            #expect(ready.status == 503)
            #expect(
                ready.content.contains("the log cannot be written: No space left on device"))
            #expect(try house.ask(.get("/health/live")).status == 200)
            #expect(!folder.logFiles.map { folder.size($0) }.contains(0))
            let seconds = try free(house).seconds
            #expect(TestScale.isSanitized || seconds < 2)
            #expect(try house.ask(.resource(token, "last")).status == 200)
            load.waitForMore(50)
            let answers = load.end()
            #expect(try house.stop() == .exited(0))

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

    /// Gives the room back; how long the server took to notice, and how often it was asked.
    private func free(_ house: ServerProcess) throws -> (seconds: Double, questions: Int) {
        try folder.remove("ballast")
        let moment = Date()
        var questions = 0
        let isReady = try eventually {
            questions += 1
            return try house.ask(.get("/health/ready")).status == 200
        }
        #expect(isReady)
        return (Date().timeIntervalSince(moment), questions)
    }

    private func verify() throws {
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(0), "\(report)")
    }

    // MARK: No regular file

    @Test(arguments: ["/dev/null", "pipe", "folder"])
    func `a path that is no regular file is refused by check and by a start`(path: String) throws {
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

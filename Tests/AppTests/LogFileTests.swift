import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct LogFileTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    @Test(arguments: [SIGTERM, SIGINT])
    func `the log ends with the shutdown event, whichever signal stops the server`(signal: CInt)
        throws
    {
        // Directly after the ready line: a supervisor may be as fast.
        for _ in 0..<5 {
            let server = try ServerProcess(in: folder)
            #expect(try server.stop(signal) == .exited(0))
            let last = LogEntry.all(in: try folder.content("app.log")).last
            #expect(last??.event == "sys_shutdown")
        }
    }

    @Test func `SIGHUP reopens the log after a move without losing a line`() throws {
        let server = try ServerProcess(in: folder, quiet)
        let load = Load(server, clients: 3, name: "r")
        var moved: [String] = []
        for round in 1...3 {
            load.wait(for: round * 100)
            let name = "moved.\(round)"
            moved.append(name)
            try FileManager.default.moveItem(
                atPath: folder.path("app.log"), toPath: folder.path(name))
            server.process.kill(SIGHUP)
            // Requests until the file exists, but not forever.
            var requests = 0
            while requests < 100_000, access(folder.path("app.log"), F_OK) != 0 {
                _ = try server.ask(.get("/health/live"))
                requests += 1
            }
        }
        let answered = load.end().ids
        #expect(try server.stop() == .exited(0))

        let files = try (moved + ["app.log"]).map { try folder.content($0) }
        let entries = try LogEntry.all(in: files.joined()).map { try #require($0) }
        #expect(files.allSatisfy { $0.hasSuffix("\n") })
        #expect(answered.isSubset(of: entries.compactMap { $0["rid"] }))
        // There are more if the server noticed a move itself before the signal arrived.
        #expect(entries.count { $0.event == "log_reopen" } >= 3)
        // The first line of a new file can be later than lines that were recorded while it was
        // opened.
        let times = entries.filter { $0.event != "log_reopen" }.map(\.time)
        #expect(times == times.sorted())
        #expect(LogEntry.all(in: files[3]).last??.event == "sys_shutdown")
    }

    @Test
    func `the log has a line for every response that a client received before a kill`() throws {
        for round in 0..<12 {
            let server = try ServerProcess(in: folder, quiet)
            let load = Load(server, clients: 4, name: "k\(round)")
            load.wait(for: 20 + 37 * round)
            server.process.kill(SIGKILL)
            #expect(try server.process.wait() == .killed(by: SIGKILL))
            let answered = load.end().ids
            #expect(answered.count >= 20 + 37 * round)

            let text = try folder.content("app.log")
            let entries = LogEntry.all(in: text)
            // Only the last line can be incomplete.
            #expect(entries.dropLast().allSatisfy { $0 != nil })
            let written = Set(entries.compactMap { $0?["rid"] })
            #expect(answered.subtracting(written).isEmpty)
            try FileManager.default.removeItem(atPath: folder.path("app.log"))
        }
    }

    @Test func `a partial last line is terminated and reported at the next start`() throws {
        let first = try ServerProcess(in: folder, quiet)
        _ = try first.ask(.login(1, "before"))
        first.process.kill(SIGKILL)
        try first.process.wait()
        let complete = try folder.content("app.log")
        let torn = String(complete.dropLast(9))
        try folder.file("app.log", torn)

        let second = try ServerProcess(in: folder, quiet)
        _ = try second.ask(.login(1, "after"))
        try second.stop()
        let text = try folder.content("app.log")
        #expect(text.hasPrefix(torn + "\n"))
        let entries = try LogEntry.all(in: String(text.dropFirst(torn.count + 1))).map {
            try #require($0)
        }
        #expect(entries.prefix(2).map(\.event) == ["log_open", "log_recovered"])
        #expect(entries[1]["reason"] == "torn_line")
        #expect(entries.contains { $0["rid"] == "after" })
    }

    @Test(.enabled(if: SmallDisk.isAvailable))
    func `on a full disk the policy refuse answers 503 to requests that must be logged`() throws {
        try SmallDisk.mounted(at: folder.path, size: "64k") { try refuseOnFullDisk() }
    }

    private func refuseOnFullDisk() throws {
        try SmallDisk.fill(folder.path("ballast"))
        let server = try ServerProcess(in: folder, ["LOG_ON_FAILURE": "refuse"])
        for request in [String.login(1), .login(0), .get("/resource"), .resource("x.y.z")] {
            let response = try server.ask(request)
            #expect(response.status == 503)
            #expect(response.content == "{\"error\":\"Log unavailable\"}")
            #expect(response["Retry-After"] == "1")
        }
        #expect(try server.ask(.get("/nowhere")).status == 404)
        #expect(try server.ask(.get("/health/live")).status == 200)
        let ready = try server.ask(.get("/health/ready"))
        #expect(ready.status == 503)
        #expect(
            ready.content
                == #"{"status":"unavailable","checks":"#
                + #"{"log":"the log cannot be written: No space left on device"}}"#
        )
        #expect(
            server.process.standardError.contains("log_failed reason=\"No space left on device\""))
        #expect(try server.stop() == .exited(74))
    }

    @Test(.enabled(if: SmallDisk.isAvailable))
    func `on a full disk the policy serve answers requests as usual`() throws {
        try SmallDisk.mounted(at: folder.path, size: "64k") { try serveOnFullDisk() }
    }

    private func serveOnFullDisk() throws {
        try SmallDisk.fill(folder.path("ballast"))
        let server = try ServerProcess(in: folder)
        let login = try server.ask(.login(1))
        #expect(login.status == 200)
        #expect(try server.ask(.resource(login.token)).status == 200)
        #expect(try server.ask(.get("/health/ready")).status == 503)
        #expect(try server.ask(.get("/health/live")).status == 200)
        #expect(try server.stop() == .exited(74))
    }

    @Test func `a rotation under load loses no line`() throws {
        let server = try ServerProcess(
            in: folder,
            quiet.merging(["LOG_FILE_MAX_SIZE": "4KiB", "LOG_FILE_KEEP": "100000"]) { $1 })
        let load = Load(server, clients: 4, name: "o")
        load.wait(for: 600)
        let answered = load.end().ids
        #expect(try server.stop() == .exited(0))

        // Archives by number, then the current file.
        let names = folder.logFiles
        #expect(names.count > 10)
        let files = try names.map { try folder.content($0) }
        #expect(files.allSatisfy { $0.utf8.count <= 4096 && $0.hasSuffix("\n") })
        let entries = try LogEntry.all(in: files.joined()).map { try #require($0) }
        #expect(answered.isSubset(of: entries.compactMap { $0["rid"] }))
        let times = entries.filter { $0.event != "log_rotate" }.map(\.time)
        #expect(times == times.sorted())
        for (index, file) in files.enumerated().dropFirst() {
            let first = LogEntry.all(in: file).first
            #expect(first??.event == "log_rotate")
            #expect(first??["file"] == names[index - 1])
        }
    }

    @Test func `the log keeps as many archives as configured`() throws {
        let server = try ServerProcess(
            in: folder, quiet.merging(["LOG_FILE_MAX_SIZE": "4KiB", "LOG_FILE_KEEP": "3"]) { $1 })
        let load = Load(server, clients: 2, name: "k")
        load.wait(for: 300)
        _ = load.end()
        #expect(try server.stop() == .exited(0))
        #expect(folder.logFiles.count == 4)
    }
}

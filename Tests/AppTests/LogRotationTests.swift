import Foundation
import TestSupport
import Testing

/// logrotate(8), if it is installed.
private enum Logrotate {
    static let path = ["/usr/sbin/logrotate", "/usr/bin/logrotate"].first { path in
        FileManager.default.isExecutableFile(atPath: path)
    }

    /// Rotates the log with the rules of README, and returns when logrotate has ended.
    static func run(_ server: ServerProcess, in folder: TemporaryFolder) throws
        -> ChildProcess.Ending
    {
        let rules = try folder.file(
            "logrotate.conf",
            """
            \(folder.path("app.log")) {
                daily
                rotate 100
                create 0640
                postrotate
                    kill -HUP \(server.process.processID)
                endscript
            }

            """)
        let process = try ChildProcess(
            path ?? "logrotate", ["-f", "-s", folder.path("logrotate.state"), rules],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], folder: folder.path)
        return try process.wait()
    }
}

@Suite(.blocking, .serialized, .tags(.timing))
struct LogRotationTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    @Test(.enabled(if: Logrotate.path != nil))
    func `no line is lost when logrotate replaces the file and sends SIGHUP`() throws {
        let server = try ServerProcess(in: folder, quiet)
        let load = Load(server, clients: 3, name: "l")
        let rounds = TestScale.rounds(5, long: 20)
        for _ in 0..<rounds {
            load.waitForMore(100)
            #expect(try Logrotate.run(server, in: folder) == .exited(0))
            #expect(eventually { folder.size("app.log") ?? 0 > 0 })
        }
        load.waitForMore(100)
        #expect(try ServerProcess.verify(folder.logFiles, in: folder).ending.isIntact)
        let answers = load.end()
        #expect(try server.stop() == .exited(0))

        #expect(answers.statuses == [200])
        #expect(folder.logFiles.count == rounds + 1)
        #expect(answers.ids.subtracting(try recordedIDs(in: folder.log())).isEmpty)
        var dice = SeededGenerator(seed: 1)
        let names = folder.logFiles
        for order in [names, names.reversed(), names.shuffled(using: &dice)] {
            let (ending, report) = try ServerProcess.verify(order, in: folder)
            #expect(ending == .exited(0), "\(report)")
        }
    }

    @Test(arguments: [SIGHUP, SIGUSR1])
    func `a signal reopens a log that was not moved`(number: CInt) throws {
        let server = try ServerProcess(in: folder, quiet)
        server.process.kill(number)
        #expect(
            try eventually {
                try folder.content("app.log").contains(" | INFO | log | log_reopen reason=signal\n")
            })
        try #expect(server.ask(.login(1, "after")).status == 200)
        #expect(try server.stop() == .exited(0))
        #expect(try recordedIDs(in: folder.content("app.log")) == ["after", "after"])
        #expect(try ServerProcess.verify(in: folder).ending == .exited(0))
    }

    @Test(.tags(.timing))
    func `a removed log is created again within a second, and reports the removal`() throws {
        let server = try ServerProcess(in: folder, quiet)
        let before = Load(server, clients: 2, name: "before")
        before.wait(for: 50)
        let moment = Date()
        try folder.remove("app.log")
        #expect(eventually { folder.size("app.log") ?? 0 > 0 })
        let after = Load(server, clients: 2, name: "after")
        after.wait(for: 50)
        let answers = after.end()
        #expect(before.end().statuses == [200])
        #expect(answers.statuses == [200])
        #expect(try server.stop() == .exited(0))

        let text = try folder.content("app.log")
        let first = try #require(LogEntry.all(in: text).first!)
        #expect(
            "\(first.level) \(first.event) \(first["reason"] ?? "")" == "WARNING log_reopen removed"
        )
        let time = try Date(
            first.time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(time.timeIntervalSince(moment) < 1)
        #expect(answers.ids.subtracting(recordedIDs(in: text)).isEmpty)
        // The removed lines are lost, and the verification reports that.
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(1))
        #expect(report.contains("app.log: line 1: missing file: "))
    }
}

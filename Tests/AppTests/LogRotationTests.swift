import Foundation
import TestSupport
import Testing

/// logrotate(8), where it is installed.
private enum Logrotate {
    static let path = ["/usr/sbin/logrotate", "/usr/bin/logrotate"].first { path in
        FileManager.default.isExecutableFile(atPath: path)
    }

    /// Rotates the log now, as the README has it, and returns when it is done.
    static func run(_ house: ServerProcess, in folder: TemporaryFolder) throws
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
                    kill -HUP \(house.process.processID)
                endscript
            }

            """)
        let process = try ChildProcess(
            path ?? "logrotate", ["-f", "-s", folder.path("logrotate.state"), rules],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], folder: folder.path)
        return try process.wait()
    }
}

@Suite("A log file that others take away", .blocking, .serialized)
struct LogRotationTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    @Test(
        "loses no line to logrotate, which makes a new one and sends SIGHUP",
        .enabled(if: Logrotate.path != nil))
    func logrotate() throws {
        let house = try ServerProcess(in: folder, quiet)
        let load = Load(house, clients: 3, name: "l")
        let rounds = TestScale.rounds(5, long: 20)
        for _ in 0..<rounds {
            load.waitForMore(100)
            #expect(try Logrotate.run(house, in: folder) == .exited(0))
            #expect(eventually { folder.size("app.log") ?? 0 > 0 })
        }
        load.waitForMore(100)
        #expect(try ServerProcess.verify(folder.logFiles, in: folder).ending.isIntact)
        let answers = load.end()
        #expect(try house.stop() == .exited(0))

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

    @Test("is opened again at a signal though nobody moved it", arguments: [SIGHUP, SIGUSR1])
    func signal(number: CInt) throws {
        let house = try ServerProcess(in: folder, quiet)
        house.process.kill(number)
        #expect(
            try eventually {
                try folder.content("app.log").contains(" | INFO | log | log_reopen reason=signal\n")
            })
        try #expect(house.ask(.login(1, "after")).status == 200)
        #expect(try house.stop() == .exited(0))
        #expect(try recordedIDs(in: folder.content("app.log")) == ["after", "after"])
        #expect(try ServerProcess.verify(in: folder).ending == .exited(0))
    }

    @Test("is there again within a second, and says what happened")
    func removed() throws {
        let house = try ServerProcess(in: folder, quiet)
        let before = Load(house, clients: 2, name: "before")
        before.wait(for: 50)
        let moment = Date()
        try folder.remove("app.log")
        #expect(eventually { folder.size("app.log") ?? 0 > 0 })
        let after = Load(house, clients: 2, name: "after")
        after.wait(for: 50)
        let answers = after.end()
        #expect(before.end().statuses == [200])
        #expect(answers.statuses == [200])
        #expect(try house.stop() == .exited(0))

        let text = try folder.content("app.log")
        let first = try #require(LogEntry.all(in: text).first!)
        #expect(
            "\(first.level) \(first.event) \(first["reason"] ?? "")" == "WARNING log_reopen removed"
        )
        let time = try Date(
            first.time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(time.timeIntervalSince(moment) < 1)
        #expect(answers.ids.subtracting(recordedIDs(in: text)).isEmpty)
        // What was taken away with it cannot be had back, and is not passed over in silence.
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(1))
        #expect(report.contains("app.log: line 1: missing file: "))
    }
}

import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct LogCrashTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    @Test func `a log verifies after each kill, and has a line for every response`() throws {
        let settings = quiet.merging(
            ["LOG_FILE_MAX_SIZE": "32KiB", "LOG_FILE_KEEP": "100000"]) { $1 }
        let kills = TestScale.rounds(5, long: 50)
        var dice = SeededGenerator(seed: 9)
        var answered: Set<String> = []
        for round in 0..<kills {
            let server = try ServerProcess(in: folder, settings)
            let load = Load(server, clients: 3, name: "k\(round)")
            load.wait(for: Int.random(in: 0...400, using: &dice))
            server.process.kill(SIGKILL)
            #expect(try server.process.wait() == .killed(by: SIGKILL))
            answered.formUnion(load.end().ids)
            // The log as the kill left it, and after the next start.
            let (ending, report) = try ServerProcess.verify(in: folder)
            #expect(ending.isIntact, "\(report)")
            let next = try ServerProcess(in: folder, settings)
            let again = try ServerProcess.verify(in: folder)
            #expect(again.ending.isIntact, "\(again.report)")
            next.process.kill(SIGKILL)
            try next.process.wait()
        }
        let text = try folder.log()
        #expect(answered.subtracting(recordedIDs(in: text)).isEmpty)
        let entries = LogEntry.all(in: text)
        let torn = entries.count { $0 == nil }
        let declared = entries.count {
            $0?.event == "log_recovered" && $0?["reason"] == "torn_line"
        }
        #expect(torn <= declared)
        #expect(declared <= 2 * kills)
    }

    // The sanitizers handle these signals themselves.
    @Test(
        .tags(.timing), .disabled(if: TestScale.isSanitized),
        arguments: [SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGQUIT, SIGXCPU])
    func `a fatal signal is logged, and the log is complete`(signal: CInt) throws {
        let names = [
            SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGBUS: "SIGBUS",
            SIGQUIT: "SIGQUIT", SIGXCPU: "SIGXCPU",
        ]
        for clients in [0, 3] {
            let server = try ServerProcess(in: folder, quiet)
            let load = Load(server, clients: clients, name: "\(signal)-\(clients)")
            load.wait(for: 50)
            let moment = Date()
            server.process.kill(signal)
            #expect(try server.process.wait() == .killed(by: signal))
            #expect(Date().timeIntervalSince(moment) < 1)
            let answered = load.end().ids

            let text = try folder.content("app.log")
            #expect(text.hasSuffix("\n"))
            let last = try #require(LogEntry.all(in: text).last!)
            #expect("\(last.level) \(last.area) \(last.event)" == "CRITICAL app sys_crash")
            #expect(last["signal"] == names[signal])
            #expect(last["pid"] == "\(server.process.processID)")
            let recorded = recordedIDs(in: text)
            #expect(answered.subtracting(recorded).isEmpty)
            #expect(try ServerProcess.verify(in: folder).ending == .exited(3))
        }
        let next = try ServerProcess(in: folder, quiet)
        #expect(try next.stop() == .exited(0))
        let (ending, report) = try ServerProcess.verify(in: folder)
        #expect(ending == .exited(3), "\(report)")
        #expect(report.contains("not proven"))
    }

    @Test func `signals that the server does not use do not end it`() throws {
        let server = try ServerProcess(in: folder, quiet)
        for number in [
            SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGPIPE, SIGXFSZ, 34, 50, 64,
        ] {
            server.process.kill(number)
            #expect(try server.ask(.login(1)).status == 200, "\(number)")
        }
        #expect(try server.stop() == .exited(0))
        let text = try folder.log()
        #expect(text.contains("sys_shutdown clean=true"))
        #expect(!text.contains("sys_crash"))
    }

    @Test func `a log belongs to one server at a time, and to the next after its end`() throws {
        let first = try ServerProcess(in: folder, quiet)
        let settings = ["SERVER_PORT": "0", "LOG_FILE_PATH": "app.log"]
        let (ending, _, errors) = try ServerProcess.run([], in: folder, settings)
        #expect(ending == .exited(73))
        #expect(
            errors == "gatehouse: the log app.log is in use by another process "
                + "(\(first.process.processID))\n")
        #expect(try first.ask(.login(1, "first")).status == 200)
        first.process.kill(SIGKILL)
        try first.process.wait()

        let second = try ServerProcess(in: folder, quiet)
        #expect(try second.ask(.login(1, "second")).status == 200)
        #expect(try second.stop() == .exited(0))
        #expect(
            try recordedIDs(in: folder.content("app.log"))
                == ["first", "first", "second", "second"])
        #expect(try ServerProcess.verify(in: folder).ending.isIntact)
    }
}

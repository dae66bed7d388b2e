import Foundation
import TestSupport
import Testing

@Suite("The log of a server that dies", .blocking, .serialized)
struct LogCrashTests {
    private let folder = try! TemporaryFolder()
    private let quiet = ["LOG_STDERR_LEVEL": "CRITICAL", "SERVER_WORKERS": "2"]

    @Test("has every line that was answered, and can be believed, however often it was killed")
    func killed() throws {
        let settings = quiet.merging(
            ["LOG_FILE_MAX_SIZE": "32KiB", "LOG_FILE_KEEP": "100000"]) { $1 }
        let kills = TestScale.rounds(5, long: 50)
        var dice = SeededGenerator(seed: 9)
        var answered: Set<String> = []
        for round in 0..<kills {
            let house = try ServerProcess(in: folder, settings)
            let load = Load(house, clients: 3, name: "k\(round)")
            load.wait(for: Int.random(in: 0...400, using: &dice))
            house.process.kill(SIGKILL)
            #expect(try house.process.wait() == .killed(by: SIGKILL))
            answered.formUnion(load.end().ids)
            // As it was left, and as the next start goes on with it.
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

    // The sanitizers have plans of their own with these signals.
    @Test(
        "says so and is whole, whatever the fault", .disabled(if: TestScale.isSanitized),
        arguments: [SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGQUIT, SIGXCPU])
    func fault(signal: CInt) throws {
        let names = [
            SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGBUS: "SIGBUS",
            SIGQUIT: "SIGQUIT", SIGXCPU: "SIGXCPU",
        ]
        for clients in [0, 3] {
            let house = try ServerProcess(in: folder, quiet)
            let load = Load(house, clients: clients, name: "\(signal)-\(clients)")
            load.wait(for: 50)
            let moment = Date()
            house.process.kill(signal)
            #expect(try house.process.wait() == .killed(by: signal))
            #expect(Date().timeIntervalSince(moment) < 1)
            let answered = load.end().ids

            let text = try folder.content("app.log")
            #expect(text.hasSuffix("\n"))
            let last = try #require(LogEntry.all(in: text).last!)
            #expect("\(last.level) \(last.area) \(last.event)" == "CRITICAL app sys_crash")
            #expect(last["signal"] == names[signal])
            #expect(last["pid"] == "\(house.process.processID)")
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

    @Test("goes on when a signal comes that means nothing to a server")
    func strangers() throws {
        let house = try ServerProcess(in: folder, quiet)
        for number in [
            SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGPIPE, SIGXFSZ, 34, 50, 64,
        ] {
            house.process.kill(number)
            #expect(try house.ask(.login(1)).status == 200, "\(number)")
        }
        #expect(try house.stop() == .exited(0))
        let text = try folder.log()
        #expect(text.contains("sys_shutdown clean=true"))
        #expect(!text.contains("sys_crash"))
    }

    @Test("belongs to one server at a time, and to the next once that is gone")
    func twoServers() throws {
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

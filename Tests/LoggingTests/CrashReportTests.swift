import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// Signals of faults, by the names that the log has for them.
private let signals: [(number: CInt, name: String)] = [
    (SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"),
    (SIGFPE, "SIGFPE"), (SIGABRT, "SIGABRT"), (SIGSYS, "SIGSYS"),
    (SIGQUIT, "SIGQUIT"), (SIGXCPU, "SIGXCPU"), (SIGSTKFLT, "SIGSTKFLT"),
]

/// The log of a process that is about to die, with twenty lines that nobody has committed.
private func dyingLogger(
    _ path: String, _ format: String = "text", isSealed: Bool = false
) throws -> Logger {
    var options = LogOptions(path: path)
    options.format = LogFormat(rawValue: format)!
    if isSealed { options = options.sealed() }
    let logger = try Logger(options)
    logger.installCrashReport()
    logger.record(Note(0))
    _ = logger.commit()
    for number in 1...20 { logger.record(Note(number)) }
    return logger
}

// Sanitizers see to those signals themselves.
@Suite("A process that dies of a fault", .disabled(if: TestScale.isSanitized))
struct CrashReportTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("app.log") }

    init() throws { folder = try TemporaryFolder() }

    private func text(_ line: String, _ name: String, _ format: LogFormat) throws -> String {
        let parsed = try #require(ParsedLine(Array(line.utf8)[...], format))
        return String(decoding: parsed.text(name) ?? [], as: UTF8.self)
    }

    /// That the last line tells of it, and that the lines before are all there.
    private func expectReport(_ signal: String, _ format: LogFormat = .text) throws {
        let lines = try #require(wholeLines(folder.text("app.log")))
        let last = try #require(lines.last)
        #expect(try text(last, "event", format) == "sys_crash")
        #expect(try text(last, "level", format) == "CRITICAL")
        #expect(try text(last, "signal", format) == signal)
        #expect(last.contains(format == .json ? "\"pid\":" : " pid="))
        #expect(lines.count { $0.contains("sys_crash") } == 1)
        let notes = try lines.filter { try text($0, "event", format) == "note" }
        try #require(notes.count == 21)
        // Written when it happened, and with the stamp of its format.
        let moment = try text(last, "time", format)
        #expect(moment >= (try text(notes[20], "time", format)))
        #expect(moment.prefix(2) == "20" && moment.suffix(1) == "Z")
    }

    @Test(
        "has its lines in the log, and its signal behind them, in each format",
        arguments: signals.map(\.name), LogFormat.allCases)
    func eachSignal(name: String, format: LogFormat) async throws {
        let number = try #require(signals.first { $0.name == name }).number
        await #expect(processExitsWith: .signal(number)) {
            [path = path as String, format = format.rawValue as String, number = number as CInt] in
            let logger = try dyingLogger(path, format)
            // Dispatch's threads take no SIGABRT but from abort, which is how it comes.
            if number == SIGABRT { abort() }
            // Nor do they take those that come from outside.
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, number)
            pthread_sigmask(SIG_UNBLOCK, &set, nil)
            raise(number)
            withExtendedLifetime(logger) {}
        }
        try expectReport(name, format)
    }

    @Test("does so when it traps")
    func trap() async throws {
        await #expect(processExitsWith: .failure) { [path = path as String] in
            let logger = try dyingLogger(path)
            if logger.isHealthy { fatalError("as a test") }
        }
        let last = try #require(try folder.lines("app.log").last)
        try expectReport(try text(last, "signal", .text))
    }

    @Test("does so when it reads where nothing is")
    func access() async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) { [path = path as String] in
            let logger = try dyingLogger(path)
            let value = UnsafePointer<Int>(bitPattern: 16)!.pointee
            withExtendedLifetime((logger, value)) {}
        }
        try expectReport("SIGSEGV")
    }

    @Test("is found out by the next, which seals what it has left")
    func next() async throws {
        await #expect(processExitsWith: .signal(SIGABRT)) { [path = path as String] in
            let logger = try dyingLogger(path, isSealed: true)
            if logger.isHealthy { abort() }
        }
        try expectReportBeforeNext()
    }

    private func expectReportBeforeNext() throws {
        let logger = try Logger(
            LogOptions(path: path).sealed(), standardErrorDescriptor: nowhere.rawValue)
        #expect(logger.stop() == 0)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        let lines = try folder.lines("app.log")
        let crash = try #require(lines.firstIndex { $0.contains("sys_crash") })
        #expect(lines[crash + 1].contains(" log_seal "))
        #expect(lines[crash + 1].contains(" reason=found "))
        #expect(lines[crash + 2].contains(" log_open "))
    }

    @Test("dies all the same when nobody reads its standard error, of an alarm")
    func fullStandardError() async throws {
        await #expect(processExitsWith: .signal(SIGALRM)) { [path = path as String] in
            let logger = try dyingLogger(path)
            let pipe = try Pipe()
            let number = pipe.writingEnd.rawValue
            while write(number, "x", 1) == 1 {}
            _ = fcntl(number, F_SETFL, 0)
            dup2(number, 2)
            // As a server does.
            _ = signal(SIGALRM, SIG_IGN)
            raise(SIGSEGV)
            withExtendedLifetime((logger, pipe.readingEnd.rawValue)) {}
        }
        try expectReport("SIGSEGV")
    }

    @Test("leaves whole lines, each once, while many threads record and commit", arguments: 0..<4)
    func threads(round: Int) async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            [path = path as String, round = round as Int] in
            let logger = try dyingLogger(path, isSealed: round % 2 == 0)
            for thread in 1...8 {
                _ = Running {
                    for number in 0..<1_000_000 {
                        logger.record(Note(thread * 1_000_000 + number, padding: number % 100))
                        if number % 50 == 49 { _ = logger.commit() }
                        if number % 500 == 499 { logger.performMaintenance() }
                    }
                }
            }
            // Until all of them are well under way.
            while (try? FileStatus(path: path).size) ?? 0 < 500_000 { sched_yield() }
            raise(SIGSEGV)
        }
        let text = try folder.text("app.log")
        let lines = try #require(wholeLines(text))
        #expect(lines.last?.contains(" | CRITICAL | app | sys_crash signal=SIGSEGV pid=") == true)
        #expect(lines.count { $0.contains("sys_crash") } == 1)
        for line in lines where line.contains(" | note n=") {
            let number = try #require(numbers([line]).first)
            guard number >= 1_000_000 else { continue }
            let padding = String(repeating: "x", count: number % 1_000_000 % 100)
            if !line.hasSuffix(" n=\(number) text=\(padding.isEmpty ? "\"\"" : padding)") {
                Issue.record("torn: \(line)")
            }
        }
        #expect(lines.allSatisfy { ParsedLine(Array($0.utf8)[...], .text) != nil })
        let found = numbers(lines)
        #expect(Set(found).count == found.count)
        for thread in 1...8 {
            let own = found.filter { $0 / 1_000_000 == thread }
            #expect(own == Array(thread * 1_000_000..<thread * 1_000_000 + own.count))
        }
        if round % 2 == 0 { try expectReportBeforeNext() }
    }
}

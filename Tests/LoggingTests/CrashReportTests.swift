import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// The signals that the crash handler reports, and their names in the log.
private let signals: [(number: CInt, name: String)] = [
    (SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"),
    (SIGFPE, "SIGFPE"), (SIGABRT, "SIGABRT"), (SIGSYS, "SIGSYS"),
    (SIGQUIT, "SIGQUIT"), (SIGXCPU, "SIGXCPU"), (SIGSTKFLT, "SIGSTKFLT"),
]

/// The log of a process that is about to crash, with twenty uncommitted lines.
private func crashingLogger(
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

// Sanitizers handle these signals themselves. An alarm ends a crash that takes over 0.7 s.
@Suite(.tags(.timing), .disabled(if: TestScale.isSanitized))
struct CrashReportTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("app.log") }

    init() throws { folder = try TemporaryFolder() }

    private func text(_ line: String, _ name: String, _ format: LogFormat) throws -> String {
        let parsed = try #require(ParsedLine(Array(line.utf8)[...], format))
        return String(decoding: parsed.text(name) ?? [], as: UTF8.self)
    }

    /// Expects `sys_crash` in the last line, and all lines before it.
    private func expectReport(_ signal: String, _ format: LogFormat = .text) throws {
        let lines = try #require(completeLines(folder.text("app.log")))
        let last = try #require(lines.last)
        #expect(try text(last, "event", format) == "sys_crash")
        #expect(try text(last, "level", format) == "CRITICAL")
        #expect(try text(last, "signal", format) == signal)
        #expect(last.contains(format == .json ? "\"pid\":" : " pid="))
        #expect(lines.count { $0.contains("sys_crash") } == 1)
        let notes = try lines.filter { try text($0, "event", format) == "note" }
        try #require(notes.count == 21)
        // Written at the time of the crash, with the timestamp of its format.
        let moment = try text(last, "time", format)
        #expect(moment >= (try text(notes[20], "time", format)))
        #expect(moment.prefix(2) == "20" && moment.suffix(1) == "Z")
    }

    @Test(arguments: signals.map(\.name), LogFormat.allCases)
    func `a crash writes the buffered lines and then its signal, in each format`(
        name: String, format: LogFormat
    ) async throws {
        let number = try #require(signals.first { $0.name == name }).number
        await #expect(processExitsWith: .signal(number)) {
            [path = path as String, format = format.rawValue as String, number = number as CInt] in
            let logger = try crashingLogger(path, format)
            // Dispatch's threads receive SIGABRT only from abort(3), which is how it is raised in
            // practice.
            if number == SIGABRT { abort() }
            // They also block the signals that another process can send.
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, number)
            pthread_sigmask(SIG_UNBLOCK, &set, nil)
            raise(number)
            withExtendedLifetime(logger) {}
        }
        try expectReport(name, format)
    }

    @Test func `a trap is reported as a crash`() async throws {
        await #expect(processExitsWith: .failure) { [path = path as String] in
            let logger = try crashingLogger(path)
            if logger.isHealthy { fatalError("as a test") }
        }
        let last = try #require(try folder.lines("app.log").last)
        try expectReport(try text(last, "signal", .text))
    }

    @Test func `an invalid memory access is reported as a crash`() async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) { [path = path as String] in
            let logger = try crashingLogger(path)
            let value = UnsafePointer<Int>(bitPattern: 16)!.pointee
            withExtendedLifetime((logger, value)) {}
        }
        try expectReport("SIGSEGV")
    }

    @Test func `the next start seals what a crashed process has left`() async throws {
        await #expect(processExitsWith: .signal(SIGABRT)) { [path = path as String] in
            let logger = try crashingLogger(path, isSealed: true)
            if logger.isHealthy { abort() }
        }
        try expectReportBeforeNext()
    }

    private func expectReportBeforeNext() throws {
        let logger = try Logger(
            LogOptions(path: path).sealed(), standardErrorDescriptor: devNull.rawValue)
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

    @Test func `a crash whose standard error is blocked is ended by an alarm`() async throws {
        await #expect(processExitsWith: .signal(SIGALRM)) { [path = path as String] in
            let logger = try crashingLogger(path)
            let pipe = try Pipe()
            let number = pipe.writingEnd.rawValue
            while write(number, "x", 1) == 1 {}
            _ = fcntl(number, F_SETFL, 0)
            dup2(number, 2)
            // The server ignores SIGALRM, too.
            _ = signal(SIGALRM, SIG_IGN)
            raise(SIGSEGV)
            withExtendedLifetime((logger, pipe.readingEnd.rawValue)) {}
        }
        try expectReport("SIGSEGV")
    }

    @Test(arguments: 0..<4)
    func `a crash while threads record and commit leaves complete lines, each once`(round: Int)
        async throws
    {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            [path = path as String, round = round as Int] in
            let logger = try crashingLogger(path, isSealed: round % 2 == 0)
            for thread in 1...8 {
                _ = TestThread {
                    for number in 0..<1_000_000 {
                        logger.record(Note(thread * 1_000_000 + number, padding: number % 100))
                        if number % 50 == 49 { _ = logger.commit() }
                        if number % 500 == 499 { logger.performMaintenance() }
                    }
                }
            }
            // Wait until all threads have written.
            while (try? FileStatus(path: path).size) ?? 0 < 500_000 { sched_yield() }
            raise(SIGSEGV)
        }
        let text = try folder.text("app.log")
        let lines = try #require(completeLines(text))
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

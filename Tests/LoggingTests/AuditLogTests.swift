import Dispatch
import Foundation
import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// An event of an area and a level, with evidence other than the default if given.
private struct Event: LogEvent {
    var level: Level
    var area: Area
    var evidence: Evidence
    var name: StaticString { "event" }

    init(_ level: Level, _ area: Area, _ evidence: Evidence? = nil) {
        self.level = level
        self.area = area
        self.evidence = evidence ?? Note(level: level, area: area).evidence
    }

    func write(to line: inout LogLine) {}
}

/// The real file system, but writes to one file fail while `isFull`. Counts writes to it, and
/// syncs.
private final class DiskOfOneFile: FileSystem {
    private struct State {
        var isFull = false
        var whileWriting: (@Sendable () -> Void)?
        var writes = 0
        var syncs = 0
    }

    private let real = SystemFileSystem()
    private let path: String
    private let state = Monitor(State())

    init(_ path: String) { self.path = path }

    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }
    /// Calls `action` within the next write of the file, once.
    func duringNextWrite(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.whileWriting = action }
    }
    var writes: Int { state.withLock { $0.writes } }
    /// Syncs of any file.
    var syncs: Int { state.withLock { $0.syncs } }

    func write(_ bytes: Span<UInt8>, to file: borrowing FileDescriptor) throws(Errno) -> Int {
        if let ours = try? real.status(of: path), try file.status().isSameFile(as: ours) {
            if isFull { throw Errno(ENOSPC) }
            state.withLock { $0.whileWriting.take() }?()
            state.withLock { $0.writes += 1 }
        }
        return try real.write(bytes, to: file)
    }

    func synchronize(_ file: borrowing FileDescriptor) throws(Errno) {
        state.withLock { $0.syncs += 1 }
    }

    func entering(
        _ folder: String
    ) throws(Errno) -> (files: any FileSystem, folder: ServiceFolder) {
        try real.entering(folder)
    }
    func open(_ path: String, _ flags: CInt, mode: mode_t) throws(Errno) -> FileDescriptor {
        try real.open(path, flags, mode: mode)
    }
    func truncate(_ file: borrowing FileDescriptor, to size: Int) throws(Errno) {
        try real.truncate(file, to: size)
    }
    func rename(_ path: String, to newPath: String) throws(Errno) {
        try real.rename(path, to: newPath)
    }
    func remove(_ path: String) throws(Errno) { try real.remove(path) }
    func names(in folder: String) throws(Errno) -> [String] { try real.names(in: folder) }
    func createFolder(_ path: String, mode: mode_t) throws(Errno) {
        try real.createFolder(path, mode: mode)
    }
    func status(of path: String) throws(Errno) -> FileStatus { try real.status(of: path) }
}

final class AuditLogTests {
    let folder: TemporaryFolder
    let clock = TestClock(Timestamp(seconds: 1_795_244_400))

    init() throws { folder = try TemporaryFolder() }

    private func options(
        _ change: (inout LogOptions) -> Void = { _ in }
    ) -> LogOptions {
        var options = LogOptions.retryingAtOnce(path: folder.path("app.log"))
        options.audit = LogOptions.Audit(path: folder.path("audit.log"))
        change(&options)
        return options
    }

    private func logger(
        _ options: LogOptions, _ fileSystem: any FileSystem = SystemFileSystem()
    ) throws -> Logger {
        try Logger(
            options, clock: clock.clock, fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
    }

    private func lines(_ name: String, _ event: String = "| event") throws -> [String] {
        try folder.lines(name).filter { $0.contains(event) }
    }

    @Test func `the audit log has security and config events, and others from WARNING`() throws {
        let logger = try logger(options())
        for area in Area.allCases {
            for level in Level.allCases { logger.record(Event(level, area)) }
        }
        #expect(logger.commit() == .written)
        let all = try lines("app.log")
        #expect(all.count == 5 * 4)
        let expected = all.filter { line in
            !line.contains("| INFO |") || line.contains("| security |")
                || line.contains("| config |")
        }
        #expect(try lines("audit.log") == expected)
    }

    @Test func `an event that is not evidence is only in the main log`() throws {
        let logger = try logger(options())
        logger.record(Event(.info, .security, .no))
        #expect(logger.commit() == .written)
        #expect(try lines("app.log").count == 1)
        #expect(try lines("audit.log").isEmpty)
    }

    @Test func `the audit log has only the first event in an hour about one subject`() throws {
        let logger = try logger(options())
        for subject in ["a", "b", "a", "a"] {
            logger.record(Event(.info, .security, .onceAnHour(for: Array(subject.utf8).span)))
        }
        clock.advance(.seconds(3599))
        logger.record(Event(.info, .security, .onceAnHour(for: Array("a".utf8).span)))
        clock.advance(.seconds(1))
        logger.record(Event(.info, .security, .onceAnHour(for: Array("a".utf8).span)))
        #expect(logger.commit() == .written)
        #expect(try lines("app.log").count == 6)
        #expect(try lines("audit.log").count == 3)
    }

    @Test func `the levels of the main log do not change what the audit log has`() throws {
        let logger = try logger(
            options {
                $0.level = .critical
                $0.fileLevel = .critical
            })
        logger.record(Event(.info, .security))
        logger.record(Event(.warning, .http))
        logger.record(Event(.debug, .security))
        #expect(logger.commit() == .written)
        #expect(try lines("app.log").isEmpty)
        #expect(try lines("audit.log").count == 2)
    }

    @Test func `the audit level excludes all but security events at WARNING and above`() throws {
        let logger = try logger(options { $0.audit?.level = .critical })
        logger.record(Event(.info, .security))
        logger.record(Event(.error, .http))
        logger.record(Event(.warning, .security))
        logger.record(Event(.critical, .app))
        #expect(logger.commit() == .written)
        #expect(try lines("app.log").count == 4)
        #expect(try lines("audit.log").count == 2)
    }

    @Test func `each of the two log files has its own seals, sequence numbers and state`() throws {
        let logger = try logger(options { $0.seal = LogOptions.Seal(key: sealKey) })
        for number in 0..<5 {
            logger.record(Event(number % 2 == 0 ? .info : .warning, .app))
            clock.advance(.seconds(1))
            #expect(logger.commit() == .written)
        }
        #expect(logger.stop() == 0)
        #expect(try lines("app.log", "log_seal").count > 3)
        // One when the file was opened, none for ten seconds, one at the end.
        let seals = try lines("audit.log", "log_seal")
        #expect(seals.map { number("sequence", in: $0) } == [1, 2])
        #expect(seals.map { number("n", in: $0) } == [1, 2])
        #expect(FileManager.default.fileExists(atPath: folder.path(".audit.log.state")))
    }

    @Test func `the audit log is sealed at most every ten seconds`() throws {
        let logger = try logger(options { $0.seal = LogOptions.Seal(key: sealKey) })
        for _ in 0..<100 {
            logger.record(Event(.warning, .app))
            #expect(logger.commit() == .written)
            clock.advance(.seconds(1))
        }
        #expect(try (10...11).contains(lines("audit.log", "log_seal").count))
    }

    @Test func `a commit fails if either log file cannot be written`() throws {
        for failing in ["app.log", "audit.log"] {
            let disk = DiskOfOneFile(folder.path(failing))
            let logger = try logger(options(), disk)
            disk.isFull = true
            logger.record(Event(.warning, .security))
            #expect(logger.commit() == .failed(Errno(ENOSPC)))
            #expect(logger.failure == Errno(ENOSPC))
            // No line of this request waits, but the log is not healthy.
            #expect(logger.commit() == .failed(Errno(ENOSPC)))
            disk.isFull = false
            #expect(logger.commit() == .written)
            #expect(logger.failure == nil)
            #expect(try lines(failing).count == 1)
            #expect(try lines(failing, "log_recovered").count == 1)
            _ = logger.stop()
            for name in folder.names { try folder.remove(name) }
        }
    }

    @Test func `an event that is not evidence writes nothing to the audit log`() throws {
        let disk = DiskOfOneFile(folder.path("audit.log"))
        let logger = try logger(options(), disk)
        let writes = disk.writes
        for _ in 0..<10 {
            logger.record(Event(.info, .app))
            #expect(logger.commit() == .written)
        }
        #expect(disk.writes == writes)
        logger.record(Event(.warning, .app))
        #expect(logger.commit() == .written)
        #expect(disk.writes == writes + 1)
    }

    @Test func `a CRITICAL line is synced in both log files`() throws {
        let disk = DiskOfOneFile(folder.path("audit.log"))
        let logger = try logger(options { $0.durability = .synced }, disk)
        let syncs = disk.syncs
        logger.record(Event(.critical, .security))
        #expect(logger.commit() == .written)
        let isOnDisk = DispatchSemaphore(value: 0)
        logger.synchronize { _ in isOnDisk.signal() }
        isOnDisk.wait()
        #expect(disk.syncs >= syncs + 2)
    }

    @Test func `reopening the logs opens both files again`() throws {
        let logger = try logger(options())
        try folder.move("app.log", to: "app.old")
        try folder.move("audit.log", to: "audit.old")
        try logger.reopen()
        logger.record(Event(.warning, .app))
        #expect(logger.commit() == .written)
        #expect(try lines("app.log").count == 1)
        #expect(try lines("audit.log").count == 1)
    }

    @Test func `the removal of one log file is recorded in the other`() throws {
        let logger = try logger(options())
        try folder.remove("app.log")
        for _ in 0..<2 { logger.performMaintenance() }
        #expect(
            try lines("audit.log", "log_reopen").map { String($0.dropFirst(27)) }
                == ["WARNING | log | log_reopen reason=removed log=app.log"])
        try folder.remove("audit.log")
        for _ in 0..<2 { logger.performMaintenance() }
        #expect(
            try lines("app.log", "log=audit.log").map { String($0.dropFirst(27)) }
                == ["WARNING | log | log_reopen reason=removed log=audit.log"])
    }

    @Test func `a main log that cannot be written is recorded in the audit log`() throws {
        let disk = DiskOfOneFile(folder.path("app.log"))
        let logger = try logger(options(), disk)
        disk.isFull = true
        logger.record(Event(.info, .app))
        #expect(logger.commit() != .written)
        logger.performMaintenance()
        let reports = try lines("audit.log", "log_failed")
        #expect(reports.count == 1)
        #expect(reports.first?.hasSuffix("No space left on device\" log=app.log") == true)
        #expect(logger.failure != nil)
    }

    @Test func `dropped audit lines are reported once a minute, and every one is counted`() throws {
        let disk = DiskOfOneFile(folder.path("audit.log"))
        let logger = try logger(
            options {
                $0.maximumSize = 1 << 30
                $0.audit?.maximumSize = 1 << 30
            }, disk)
        let count = Monitor(0)
        let record: @Sendable (Int) -> Void = { lines in
            for _ in 0..<lines {
                var note = Note(bytes: [UInt8](repeating: UInt8(ascii: "x"), count: 3800))
                note.level = .warning
                logger.record(note)
                count.withLock { $0 += 1 }
            }
        }
        // The disk is full for some time, and lines are recorded during the next write.
        func fail() {
            disk.isFull = true
            record(1)
            #expect(logger.commit() != .written)
            record(1200)
            disk.isFull = false
            disk.duringNextWrite { record(10) }
            _ = logger.commit()
            #expect(logger.commit() == .written)
        }
        func dropped() throws -> [Int] {
            try lines("audit.log", "log_dropped").compactMap { number("n", in: $0) }
        }
        for _ in 0..<3 {
            fail()
            #expect(try dropped() == [10])
        }
        clock.advance(.seconds(60))
        logger.performMaintenance()
        #expect(try dropped() == [10, 10])
        fail()
        #expect(try dropped() == [10, 10])
        #expect(logger.stop() == 0)
        let reported =
            try dropped().reduce(0, +)
            + lines("audit.log", "log_recovered").compactMap { number("dropped", in: $0) }
            .reduce(0, +)
        #expect(try lines("audit.log", "| note ").count + reported == count.withLock { $0 })
        #expect(
            try lines("app.log", "log_dropped").compactMap { number("n", in: $0) }.reduce(0, +)
                == dropped().reduce(0, +))
    }

    @Test func `the limits of the audit log change while it is open`() throws {
        let logger = try logger(options())
        var new = options()
        new.audit?.maximumSize = 4096
        new.audit?.maximumFiles = 2
        new.audit?.level = .error
        #expect(logger.change(to: new) == nil)
        for _ in 0..<500 { logger.record(Event(.error, .app)) }
        logger.record(Event(.warning, .app))
        #expect(logger.commit() == .written)
        logger.performMaintenance()
        #expect(folder.names.count { $0.hasPrefix("audit.log.0") } == 2)
        #expect(folder.names.count { $0.hasPrefix("app.log.0") } == 0)
        #expect(try lines("audit.log").allSatisfy { !$0.contains("WARNING") })
        // Options without an audit log leave it unchanged.
        new.audit = nil
        #expect(logger.change(to: new) == nil)
        logger.record(Event(.error, .app))
        #expect(logger.commit() == .written)
        #expect(try lines("audit.log").last?.contains("| ERROR | app | event") == true)
    }

    @Test(arguments: [(3600, "WARNING"), (86_401, "INFO")] as [(Int64, String)])
    func `removing audit lines younger than a day is recorded at WARNING`(
        age: Int64, level: String
    ) throws {
        let log = try logger(
            options {
                $0.audit?.maximumSize = 4096
                $0.audit?.maximumFiles = 0
            })
        for _ in 0..<60 { log.record(Event(.warning, .app)) }
        #expect(log.commit() == .written)
        // Files have the system's time, and the log has the time of its clock.
        let now = Timestamp(milliseconds: WallClock.system.now().milliseconds + age * 1000)
        clock.advance(TimeAmount(milliseconds: now.milliseconds - clock.clock.now().milliseconds))
        for _ in 0..<60 { log.record(Event(.warning, .app)) }
        #expect(log.commit() == .written)
        let retentions = try folder.names.filter { $0.hasPrefix("audit.log") }
            .flatMap { try lines($0, "log_retention") }
        let last = try #require(retentions.last)
        #expect(last.contains("| \(level) | log | log_retention"))
        #expect(number("history", in: last).map { abs($0 - Int(age)) < 60 } == true)
        #expect(log.auditStatistics?.oldest != nil)
    }

    @Test func `a start that cannot open the audit log throws and writes nothing`() throws {
        let options = options { $0.audit?.path = self.folder.path("none/audit.log") }
        try Data().write(to: URL(filePath: folder.path("none")))
        #expect(throws: LogOpenError.audit(.failed(Errno(ENOTDIR)))) { try logger(options) }
        #expect(try folder.text("app.log").isEmpty)
        // The failed start has released what it had opened.
        _ = try logger(self.options())
    }

    @Test func `every line of the audit log is also in the main log, whatever the load`() throws {
        let logger = try logger(options())
        for number in 0..<3000 {
            logger.record(
                Refused(
                    number, from: [UInt128(number % 700)],
                    user: number % 3 == 0 ? Int64(number) : nil))
            if number % 100 == 0 { clock.advance(TimeAmount(milliseconds: 200)) }
        }
        #expect(logger.stop() == 0)
        let audit = try lines("audit.log", "| refused n=")
        let log = Set(try lines("app.log", "| refused n="))
        #expect(audit.count > 700)
        #expect(audit.allSatisfy(log.contains))
        for name in ["app.log", "audit.log"] {
            let lines = try lines(name, "| refused")
            let suppressed = lines.compactMap { number("suppressed", in: $0) }
            #expect(lines.count - suppressed.count + suppressed.reduce(0, +) == 3000)
        }
        #expect(logger.auditStatistics?.suppressed == UInt64(3000 - audit.count))
    }

    @Test(.tags(.timing), .disabled(if: TestScale.isSanitized))
    func `a crash is recorded in both log files`() async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) { [path = folder.path as String] in
            var options = LogOptions(path: path + "/app.log")
            options.audit = LogOptions.Audit(path: path + "/audit.log")
            let logger = try Logger(options)
            logger.installCrashReport()
            logger.record(Note(1, level: .warning))
            raise(SIGSEGV)
            withExtendedLifetime(logger) {}
        }
        for name in ["app.log", "audit.log"] {
            #expect(try lines(name, "| note n=1").count == 1)
            #expect(try lines(name, "| CRITICAL | app | sys_crash signal=SIGSEGV").count == 1)
        }
    }
}

import Dispatch
import Logging
import POSIX
import TestSupport
import Testing
import Time

/// `grant n=…`, an event that affects access.
private struct Grant: LogEvent {
    let number: Int
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "grant" }
    var affectsAccess: Bool { true }
    func write(to line: inout LogLine) { line.field("n", Int64(number)) }
}

final class DurabilityTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()
    private let failing = Monitor<Set<String>>([])
    private let journal: FileSystemJournal

    init() throws {
        folder = try TemporaryFolder()
        options = .retryingAtOnce(path: folder.path("app.log"))
        options.durability = .synced
        let failing = failing
        journal = FileSystemJournal { entry in
            failing.withLock { $0.contains(entry) } ? .ioError : nil
        }
    }

    /// A logger with an empty journal.
    private func logger() throws -> Logger {
        let logger = try Logger(
            options, clock: clock.clock, fileSystem: journal,
            standardErrorDescriptor: devNull.rawValue)
        _ = journal.take()
        return logger
    }

    private func fail(_ entries: String...) { failing.withLock { $0 = Set(entries) } }

    @Test(arguments: [true, false])
    func `a sync after a commit puts its lines on disk, once`(isSynced: Bool) throws {
        options.durability = isSynced ? .synced : .written
        let logger = try logger()
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        #expect(journal.take() == ["write app.log"])
        logger.record(Grant(number: 2))
        logger.record(Note(3))
        #expect(logger.commit() == .written)
        #expect(logger.synchronizeAndWait() == .written)
        #expect(journal.take() == ["write app.log", "synchronize app.log"])
        // Only once.
        #expect(logger.commit() == .written)
        #expect(logger.synchronizeAndWait() == .written)
        logger.record(Note(4))
        #expect(logger.commit() == .written)
        #expect(journal.take() == ["write app.log"])
    }

    @Test(arguments: LogOptions.Durability.allCases)
    func `a CRITICAL event is synced although no caller waits for it`(
        durability: LogOptions.Durability
    ) throws {
        options.durability = durability
        let logger = try logger()
        logger.record(Note(1, level: .critical))
        #expect(logger.commit() == .written)
        var entries: [String] = []
        #expect(
            eventually {
                entries += journal.take()
                return entries.contains("synchronize app.log")
            })
    }

    @Test func `a running sync delays no commit, and the next one serves all waiting callers`()
        throws
    {
        let (arrived, opened) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let isSlow = Monitor(false)
        let slow = FileSystemJournal { entry in
            if entry == "synchronize app.log", isSlow.withLock({ $0 }) {
                arrived.signal()
                opened.wait()
            }
            return nil
        }
        let logger = try Logger(
            options, clock: clock.clock, fileSystem: slow, standardErrorDescriptor: devNull.rawValue
        )
        _ = slow.take()
        isSlow.withLock { $0 = true }
        let done = Monitor(0)
        logger.record(Grant(number: 0))
        #expect(logger.commit() == .written)
        logger.synchronize { _ in done.withLock { $0 += 1 } }
        arrived.wait()
        for number in 1..<20 {
            logger.record(Grant(number: number))
            #expect(logger.commit() == .written)
            logger.synchronize { outcome in
                if outcome == .written { done.withLock { $0 += 1 } }
            }
        }
        #expect(done.withLock { $0 } == 0)
        isSlow.withLock { $0 = false }
        opened.signal()
        #expect(eventually { done.withLock { $0 } == 20 })
        #expect(slow.take().count { $0 == "synchronize app.log" } == 2)
    }

    @Test func `a failed sync is reported, and the next sync tries again`() throws {
        let logger = try logger()
        fail("synchronize app.log")
        logger.record(Grant(number: 1))
        #expect(logger.commit() == .written)
        #expect(logger.synchronizeAndWait() == .failed(.ioError))
        #expect(logger.failure == .ioError)
        logger.record(Note(2))
        for _ in 0..<3 { #expect(logger.commit() == .failed(.ioError)) }
        #expect(logger.synchronizeAndWait() == .failed(.ioError))
        fail()
        #expect(logger.synchronizeAndWait() == .written)
        #expect(logger.commit() == .written)
        #expect(logger.isHealthy)
        // Each line is there once, and one line reports the recovery.
        let lines = try folder.lines("app.log").map { $0.dropFirst(27) }
        #expect(
            lines == [
                "INFO | log | log_open file=app.log", "INFO | security | grant n=1",
                "INFO | app | note n=2",
                "INFO | log | log_recovered reason=synced error=\"Input/output error\"",
            ])
    }

    @Test func `maintenance that syncs successfully ends a sync failure`() throws {
        let logger = try logger()
        fail("synchronize app.log")
        logger.record(Grant(number: 1))
        #expect(logger.commit() == .written)
        #expect(logger.synchronizeAndWait() == .failed(.ioError))
        fail()
        logger.performMaintenance()
        #expect(logger.isHealthy)
        #expect(try folder.lines("app.log").last?.contains("reason=synced") == true)
    }

    @Test func `a sync of a batch over several files syncs every file`() throws {
        options.maximumSize = 1000
        let logger = try logger()
        fail("synchronize app.log.000001")
        logger.record(Grant(number: 0))
        for number in 1..<20 { logger.record(Note(number, padding: 50)) }
        #expect(logger.commit() == .written)
        for _ in 0..<2 { #expect(logger.synchronizeAndWait() == .failed(.ioError)) }
        _ = journal.take()
        fail()
        #expect(logger.synchronizeAndWait() == .written)
        let entries = journal.take()
        for name in folder.logFiles { #expect(entries.contains("synchronize \(name)")) }
        #expect(entries.contains { $0 == "synchronize " + folder.path.split(separator: "/").last! })
    }

    @Test
    func `maintenance syncs written lines without a waiting caller, once per change`() throws {
        options.durability = .written
        let logger = try logger()
        logger.performMaintenance()
        #expect(journal.take() == [])
        logger.record(Note(1))
        logger.performMaintenance()
        #expect(journal.take() == ["write app.log", "synchronize app.log"])
        for _ in 0..<3 { logger.performMaintenance() }
        #expect(journal.take() == [])
        logger.record(Note(2))
        #expect(logger.commit() == .written)
        logger.performMaintenance()
        #expect(journal.take() == ["write app.log", "synchronize app.log"])
    }

    @Test func `maintenance that fails to sync retries with all unsynced files`() throws {
        options.durability = .written
        options.maximumSize = 1000
        let logger = try logger()
        fail("synchronize app.log.000001")
        for number in 0..<15 { logger.record(Note(number, padding: 50)) }
        for _ in 0..<3 {
            logger.performMaintenance()
            #expect(logger.isHealthy)
            #expect(journal.take().contains("synchronize app.log.000001"))
        }
        fail()
        logger.performMaintenance()
        #expect(
            journal.take().filter { $0.hasPrefix("synchronize app") } == [
                "synchronize app.log.000001", "synchronize app.log",
            ])
        logger.performMaintenance()
        #expect(journal.take() == [])
    }

    @Test func `the state file never describes more than has been synced`() throws {
        options = options.sealed()
        let logger = try logger()
        let path = folder.path(".app.log.state")
        let first = try LogState.read(from: path, sealKey)
        #expect(first?.head.sequence == 1)
        fail("synchronize app.log")
        clock.advance(.seconds(1))
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        logger.performMaintenance()
        #expect(logger.head?.sequence == 2)
        #expect(try LogState.read(from: path, sealKey) == first)
        fail()
        logger.performMaintenance()
        let state = try #require(try LogState.read(from: path, sealKey))
        #expect(state.head == logger.head)
        #expect(state.size == (try folder.bytes("app.log").count))
        #expect(state.lastArchiveNumber == 0)
    }

    @Test func `the state file does not change while an archive cannot be synced`() throws {
        options = options.sealed()
        options.maximumSize = 2000
        let logger = try logger()
        let path = folder.path(".app.log.state")
        let first = try LogState.read(from: path, sealKey)
        fail("synchronize app.log.000001")
        for number in 0..<15 { logger.record(Note(number, padding: 100)) }
        for _ in 0..<3 {
            logger.performMaintenance()
            #expect(try LogState.read(from: path, sealKey) == first)
        }
        fail()
        logger.performMaintenance()
        let state = try #require(try LogState.read(from: path, sealKey))
        #expect(state.head == logger.head)
        #expect(state.lastArchiveNumber == folder.logFiles.count - 1)
    }

    @Test func `the state file never goes backwards with two concurrent syncs`() throws {
        options = options.sealed(every: TimeAmount(milliseconds: 0))
        let logger = try logger()
        let path = folder.path(".app.log.state")
        inThreads(4) { thread in
            var last: UInt64 = 0
            for number in 0..<100 {
                if thread == 0 {
                    logger.performMaintenance()
                } else {
                    logger.record(Grant(number: number))
                    if logger.commit() != .written || logger.synchronizeAndWait() != .written {
                        Issue.record("not written")
                    }
                }
                guard let state = try? LogState.read(from: path, sealKey) else { continue }
                if state.head.sequence < last { Issue.record("the state went backwards") }
                last = state.head.sequence
            }
        }
        #expect(logger.stop() == 0)
        #expect(try folder.sealedLog().faults == [])
    }
}

extension Logger {
    /// Syncs the log, and waits for the result.
    fileprivate func synchronizeAndWait() -> CommitResult {
        let outcome = Monitor<CommitResult?>(nil)
        synchronize { result in
            outcome.withLock { $0 = result }
            outcome.wakeAll()
        }
        return outcome.waitUntil({ $0 != nil }, then: { $0! })
    }
}

import Dispatch
import Logging
import POSIX
import TestSupport
import Testing
import Time

/// `grant n=…`, which is about who may come in from now on.
private struct Grant: LogEvent {
    let number: Int
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "grant" }
    var affectsAccess: Bool { true }
    func write(to line: inout LogLine) { line.field("n", Int64(number)) }
}

@Suite("A log on the disk")
final class DurabilityTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()
    private let failing = Monitor<Set<String>>([])
    private let journal: FileSystemJournal

    init() throws {
        folder = try TemporaryFolder()
        options = .impatient(path: folder.path("app.log"))
        options.durability = .synced
        let failing = failing
        journal = FileSystemJournal { entry in
            failing.withLock { $0.contains(entry) } ? .ioError : nil
        }
    }

    /// One that has put its first line on the disk.
    private func logger() throws -> Logger {
        let logger = try Logger(
            options, clock: clock.clock, fileSystem: journal,
            standardErrorDescriptor: nowhere.rawValue)
        _ = journal.take()
        return logger
    }

    private func fail(_ entries: String...) { failing.withLock { $0 = Set(entries) } }

    @Test(arguments: [true, false])
    func `is put there after the commit of a pivotal event`(isSynced: Bool) throws {
        options.durability = isSynced ? .synced : .written
        let logger = try logger()
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        #expect(journal.take() == ["write app.log"])
        logger.record(Grant(number: 2))
        logger.record(Note(3))
        #expect(logger.commit() == .written)
        #expect(logger.putOnDisk() == .written)
        #expect(journal.take() == ["write app.log", "synchronize app.log"])
        // Only once.
        #expect(logger.commit() == .written)
        #expect(logger.putOnDisk() == .written)
        logger.record(Note(4))
        #expect(logger.commit() == .written)
        #expect(journal.take() == ["write app.log"])
    }

    @Test(arguments: LogOptions.Durability.allCases)
    func `is put there for a CRITICAL event, though nothing waits for it`(
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

    @Test func `does not delay a commit while a sync is under way, and one sync serves many`()
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
            options, clock: clock.clock, fileSystem: slow, standardErrorDescriptor: nowhere.rawValue
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

    @Test func `is not there where the sync failed, and the next sync tries again`() throws {
        let logger = try logger()
        fail("synchronize app.log")
        logger.record(Grant(number: 1))
        #expect(logger.commit() == .written)
        #expect(logger.putOnDisk() == .failed(.ioError))
        #expect(logger.failure == .ioError)
        logger.record(Note(2))
        for _ in 0..<3 { #expect(logger.commit() == .failed(.ioError)) }
        #expect(logger.putOnDisk() == .failed(.ioError))
        fail()
        #expect(logger.putOnDisk() == .written)
        #expect(logger.commit() == .written)
        #expect(logger.isHealthy)
        // Once each, and it is said once that it is well again.
        let lines = try folder.lines("app.log").map { $0.dropFirst(27) }
        #expect(
            lines == [
                "INFO | log | log_open file=app.log", "INFO | security | grant n=1",
                "INFO | app | note n=2",
                "INFO | log | log_recovered reason=synced error=\"Input/output error\"",
            ])
    }

    @Test func `is well again once keepUp has put it on the disk`() throws {
        let logger = try logger()
        fail("synchronize app.log")
        logger.record(Grant(number: 1))
        #expect(logger.commit() == .written)
        #expect(logger.putOnDisk() == .failed(.ioError))
        fail()
        logger.performMaintenance()
        #expect(logger.isHealthy)
        #expect(try folder.lines("app.log").last?.contains("reason=synced") == true)
    }

    @Test("is there as a whole, though a batch went into several files")
    func severalFiles() throws {
        options.maximumSize = 1000
        let logger = try logger()
        fail("synchronize app.log.000001")
        logger.record(Grant(number: 0))
        for number in 1..<20 { logger.record(Note(number, padding: 50)) }
        #expect(logger.commit() == .written)
        for _ in 0..<2 { #expect(logger.putOnDisk() == .failed(.ioError)) }
        _ = journal.take()
        fail()
        #expect(logger.putOnDisk() == .written)
        let entries = journal.take()
        for name in folder.logFiles { #expect(entries.contains("synchronize \(name)")) }
        #expect(entries.contains { $0 == "synchronize " + folder.path.split(separator: "/").last! })
    }

    @Test("is there in the end, without anybody waiting; and once, where nothing has changed")
    func keepUp() throws {
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

    @Test("is tried again by each `keepUp` that fails, with all that was to be there")
    func keepUpFails() throws {
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

    @Test("is what the state speaks of, and no more")
    func state() throws {
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
        #expect(state.generation == 0)
    }

    @Test("is what the state speaks of when full files could not be put there, too")
    func stateOfFullFiles() throws {
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
        #expect(state.generation == folder.logFiles.count - 1)
    }

    @Test("never has a state that goes back while two put it there at once")
    func concurrent() throws {
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
                    if logger.commit() != .written || logger.putOnDisk() != .written {
                        Issue.record("not written")
                    }
                }
                guard let state = try? LogState.read(from: path, sealKey) else { continue }
                if state.head.sequence < last { Issue.record("the state has gone back") }
                last = state.head.sequence
            }
        }
        #expect(logger.stop() == 0)
        #expect(try folder.sealedLog().faults == [])
    }
}

extension Logger {
    /// Waits for a sync.
    fileprivate func putOnDisk() -> CommitResult {
        let outcome = Monitor<CommitResult?>(nil)
        synchronize { result in
            outcome.withLock { $0 = result }
            outcome.wakeAll()
        }
        return outcome.waitUntil({ $0 != nil }, then: { $0! })
    }
}

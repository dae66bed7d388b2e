import Logging
import POSIX
import TestSupport
import Testing
import Time

final class LogOptionsChangeTests: LogSuite {
    private static let newKey = SealKey(
        secret: Array("another key for the tests of seals".utf8).span)

    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.retryingAtOnce(path: folder.path("app.log")).sealed()
    }

    private func write(_ number: Int, _ logger: Logger, level: Level = .info, padding: Int = 0) {
        var note = Note(number, padding: padding)
        note.level = level
        logger.record(note)
        #expect(logger.commit() == .written)
    }

    @Test func `a change of options sets the new levels at once`() throws {
        options.fileLevel = .debug
        let logger = try logger()
        write(1, logger, level: .debug)
        options.level = .debug
        #expect(logger.change(to: options) == nil)
        write(2, logger, level: .debug)
        options.areas = [.app: .error]
        #expect(logger.change(to: options) == nil)
        write(3, logger, level: .warning)
        options.areas = [:]
        options.level = .warning
        #expect(logger.change(to: options) == nil)
        write(4, logger)
        write(5, logger, level: .warning)
        #expect(numbers(try folder.lines("app.log")) == [2, 5])
    }

    @Test func `a new maximum size applies at the next line, smaller or larger`() throws {
        options.maximumSize = 100_000
        let logger = try logger()
        for number in 0..<20 { write(number, logger, padding: 100) }
        #expect(folder.logFiles.count == 1)
        options.maximumSize = 2000
        #expect(logger.change(to: options) == nil)
        write(20, logger, padding: 100)
        #expect(folder.logFiles.count == 2)
        for number in 21..<40 { write(number, logger, padding: 100) }
        #expect(folder.logFiles.count > 3)
        let count = folder.logFiles.count
        options.maximumSize = 100_000
        #expect(logger.change(to: options) == nil)
        for number in 40..<80 { write(number, logger, padding: 100) }
        #expect(folder.logFiles.count == count)
        #expect(logger.stop() == 0)
        let lines = try folder.logFiles.flatMap { try folder.lines($0) }
        #expect(numbers(lines) == Array(0..<80))
        #expect(try folder.sealedLog().faults == [])
    }

    @Test func `a smaller number of archives applies from the next rotation on`() throws {
        options.maximumSize = 1500
        let logger = try logger()
        for number in 0..<40 { write(number, logger, padding: 100) }
        #expect(folder.logFiles.count > 5)
        options.maximumFiles = 2
        #expect(logger.change(to: options) == nil)
        for number in 40..<60 {
            write(number, logger, padding: 100)
            logger.performMaintenance()
        }
        #expect(folder.logFiles.count <= 4)
        #expect(try folder.sealedLog().faults == [])
    }

    @Test
    func `lines before a key change are sealed with the old key, later ones with the new`() throws {
        let logger = try logger()
        write(1, logger)
        write(2, logger)
        options.seal?.key = Self.newKey
        #expect(logger.change(to: options) == nil)
        write(3, logger)
        clock.advance(.seconds(1))
        write(4, logger)
        // Repeating the change has no effect.
        let before = try folder.content("app.log")
        #expect(logger.change(to: options) == nil)
        #expect(try folder.content("app.log") == before)
        #expect(logger.stop() == 0)
        for key in [sealKey, Self.newKey] {
            let log = try folder.sealedLog(key)
            #expect(log.faults == [])
            #expect(log.openCount == 0)
            #expect(log.sequences == Array(1...UInt64(log.seals.count)))
        }
        let seals = try folder.sealedLog().seals
        let keys = seals.map(\.keyID)
        let first = try #require(keys.firstIndex(of: Self.newKey.id))
        #expect(keys[..<first].allSatisfy { $0 == sealKey.id })
        #expect(keys[first...].allSatisfy { $0 == Self.newKey.id })
        #expect(seals[..<first].map(\.lineCount).reduce(0, +) == 3)
        #expect(seals[first...].map(\.lineCount).reduce(0, +) == 2)
    }

    @Test
    func `after a key change the state is under the new key, even without new lines`() throws {
        let head = try changeKeyWithoutLines()
        // The next process continues the chain.
        let next = try Logger(
            options, clock: clock.clock, standardErrorDescriptor: devNull.rawValue)
        #expect(next.commit() == .written)
        #expect(try #require(next.head).sequence >= head.sequence)
        #expect(next.stop() == 0)
        #expect(try !folder.content("app.log").contains("missing_"))
        #expect(try folder.sealedLog(Self.newKey).faults == [])
    }

    private func changeKeyWithoutLines() throws -> SealHead {
        let logger = try logger()
        write(1, logger)
        clock.advance(.seconds(1))
        logger.performMaintenance()
        let path = LogState.path(of: options.path)
        #expect(try LogState.read(from: path, sealKey)?.head == logger.head)
        #expect(try LogState.read(from: path, Self.newKey) == nil)
        options.seal?.key = Self.newKey
        #expect(logger.change(to: options) == nil)
        logger.performMaintenance()
        let state = try LogState.read(from: path, Self.newKey)
        #expect(state?.head == logger.head)
        #expect(logger.stop() == 0)
        return try #require(logger.head)
    }

    @Test func `a key change fails and keeps the old key if the log cannot be written`() throws {
        let disk = Disk()
        let logger = try Logger(
            options, clock: clock.clock, fileSystem: disk.fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        write(1, logger)
        write(2, logger)
        disk.fail(with: .noSpace)
        options.seal?.key = Self.newKey
        #expect(logger.change(to: options) == .noSpace)
        disk.fail(with: nil)
        write(3, logger)
        #expect(logger.stop() == 0)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.seals.allSatisfy { $0.keyID == sealKey.id })
        #expect(log.openCount == 0)
    }

    @Test func `path, format and presence of seals do not change while a log is open`() throws {
        let logger = try logger()
        write(1, logger)
        options.path = folder.path("other.log")
        options.format = .json
        options.seal = nil
        #expect(logger.change(to: options) == nil)
        write(2, logger)
        #expect(logger.stop() == 0)
        #expect(folder.logFiles == ["app.log"])
        #expect(numbers(try folder.lines("app.log")) == [1, 2])
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
    }
}

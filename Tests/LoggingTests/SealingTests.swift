import Foundation
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

@testable import Logging

final class SealingTests: LogSuite {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.retryingAtOnce(path: folder.path("app.log")).sealed()
        options.maximumFiles = 1_000_000
    }

    @Test(arguments: LogFormat.allCases)
    func `a log is sealed after its start and at its stop, and nothing follows`(format: LogFormat)
        throws
    {
        options.format = format
        let logger = try logger()
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        #expect(logger.stop() == 0)
        // A line recorded after the stop is not written, and its commit fails.
        logger.record(Note(2))
        #expect(logger.commit() != .written)
        #expect(logger.stop() == 1)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        #expect(log.seals.map(\.reason) == [.start, .stop])
        #expect(log.seals.map(\.lineCount) == [1, 1])
        #expect(log.seals.allSatisfy { $0.format == format })
        #expect(logger.head == log.seals.last?.head)
    }

    @Test func `a batch is sealed when the interval is over, and not before`() throws {
        let logger = try logger()
        func write(_ number: Int) throws -> [SealChain.Reason] {
            logger.record(Note(number))
            #expect(logger.commit() == .written)
            return try folder.sealedLog().seals.map(\.reason)
        }
        #expect(try write(1) == [.start])
        clock.advance(TimeAmount(milliseconds: 999))
        #expect(try write(2) == [.start])
        clock.advance(TimeAmount(milliseconds: 1))
        #expect(try write(3) == [.start, .interval])
        // A clock that is set back does not delay the seal.
        clock.advance(.seconds(-3600))
        #expect(try write(4) == [.start, .interval, .interval])
        #expect(try write(5) == [.start, .interval, .interval])
    }

    @Test func `maintenance seals the last lines, and then each minute without a line`() throws {
        let logger = try logger()
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        clock.advance(.seconds(1))
        for _ in 0..<10 { logger.performMaintenance() }
        #expect(try folder.sealedLog().seals.map(\.reason) == [.start, .interval])
        for _ in 0..<3 {
            clock.advance(.seconds(60))
            for _ in 0..<10 { logger.performMaintenance() }
        }
        let log = try folder.sealedLog()
        #expect(log.seals.map(\.reason) == [.start, .interval, .silence, .silence, .silence])
        #expect(log.seals.map(\.lineCount) == [1, 1, 0, 0, 0])
        #expect(log.faults == [])
    }

    @Test func `a log without new lines stays within its limits`() throws {
        options.maximumSize = 3000
        let logger = try logger()
        for _ in 0..<100 {
            clock.advance(.seconds(60))
            logger.performMaintenance()
        }
        #expect(logger.stop() == 0)
        for name in folder.logFiles { #expect(try folder.bytes(name).count <= 3000) }
        #expect(folder.logFiles.count > 5)
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `a sealed log is valid and within its limits for any sizes of lines and batches`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        options.maximumSize = Int.random(in: 1600...4000, using: &generator)
        options.format = LogFormat.allCases[Int(seed) % 3]
        options.rotatesDaily = seed % 2 == 0
        options.maximumFiles = Int.random(in: 0...20, using: &generator)
        let logger = try logger()
        for number in 0..<300 {
            logger.record(Note(number, padding: .random(in: 0...500, using: &generator)))
            if .random(in: 0..<4, using: &generator) == 0 { #expect(logger.commit() == .written) }
            if .random(in: 0..<9, using: &generator) == 0 { logger.performMaintenance() }
            clock.advance(TimeAmount(milliseconds: .random(in: 0...400, using: &generator)))
            if .random(in: 0..<99, using: &generator) == 0 { clock.advance(.seconds(86_400)) }
        }
        #expect(logger.stop() == 0)
        for name in folder.logFiles {
            #expect(try folder.bytes(name).count <= options.maximumSize)
        }
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        #expect(folder.logFiles.count - 1 <= options.maximumFiles)
    }

    /// More if GATEHOUSE_LONG_TESTS is set.
    private static let linesAThread =
        ProcessInfo.processInfo.environment["GATEHOUSE_LONG_TESTS"] == "1" ? 100_000 : 12_500

    @Test func `lines of eight threads are in order for each thread, under valid seals`() throws {
        let count = Self.linesAThread
        options = options.sealed(every: TimeAmount(milliseconds: 100))
        options.maximumSize = 64 * 1024
        let reads = Atomic<Int64>(0)
        let clock = WallClock {
            // Advances with each read: by about a hundred milliseconds in a thousand lines.
            someTime + TimeAmount(milliseconds: reads.add(1, ordering: .relaxed).newValue / 10)
        }
        let logger = try Logger(options, clock: clock, standardErrorDescriptor: devNull.rawValue)
        inThreads(8) { thread in
            for number in 0..<count {
                logger.record(Note(thread * count + number))
                if number % 16 == 15, logger.commit() != .written { Issue.record("not written") }
                if number % 1000 == 999 { logger.performMaintenance() }
            }
        }
        #expect(logger.stop() == 0)

        var next = (0..<8).map { $0 * count }
        for name in folder.logFiles {
            let lines = try folder.lines(name)
            #expect(try FileStatus(path: folder.path(name)).size <= options.maximumSize)
            #expect(lines.last?.contains(" | INFO | log | log_seal ") == true)
            for number in numbers(lines) {
                if number != next[number / count] { Issue.record("\(number) is out of order") }
                next[number / count] = number + 1
            }
        }
        #expect(next == (0..<8).map { ($0 + 1) * count })
        let log = try folder.sealedLog()
        #expect(log.faults == [])
        #expect(log.openCount == 0)
        #expect(log.sequences == Array(1...UInt64(log.seals.count)))
        #expect(log.seals.contains { $0.reason == .interval })
        #expect(log.seals.contains { $0.reason == .rotate })
    }
}

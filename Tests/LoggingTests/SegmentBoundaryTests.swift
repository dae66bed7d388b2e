import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// Where segments of seals end: at a stop, at another file, and at foreign bytes.
final class SegmentBoundaryTests: LogSuite {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.retryingAtOnce(path: folder.path("app.log")).sealed()
    }

    private func seals(_ name: String) throws -> [SealLine] {
        try folder.lines(name).compactMap { SealLine(Array($0.utf8).span) }
    }

    @Test func `a stop is sealed even if everything before it was sealed already`() throws {
        let logger = try logger()
        clock.advance(.seconds(30))
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        #expect(try seals("app.log").last?.reason == .interval)
        #expect(logger.stop() == 0)
        #expect(logger.stop() == 0)
        #expect(try seals("app.log").map(\.reason) == [.start, .interval, .stop])
        #expect(try seals("app.log").last?.lineCount == 0)
    }

    @Test func `a file planted at the log's path is moved aside and not sealed`() throws {
        let logger = try logger()
        try folder.move("app.log", to: "stolen")
        try folder.file("app.log", someStamp + "INFO | log | log_retention n=9 sequence=99\n")
        logger.performMaintenance()
        #expect(logger.stop() == 0)
        let lines = try folder.lines("app.log")
        #expect(lines[0].contains("log_reopen reason=replaced"))
        #expect(!lines.contains { $0.contains("log_retention") })
        #expect(try folder.text("app.log.foreign.1").contains("log_retention"))
    }

    @Test(arguments: [true, false])
    func `a segment does not continue in the next file if the old one cannot be sealed`(
        isMoved: Bool
    ) throws {
        let disk = Disk()
        let logger = try logger(disk.fileSystem)
        logger.record(Note(1))
        #expect(logger.commit() == .written)
        disk.fail(with: .noSpace)
        if isMoved { try folder.move("app.log", to: "moved") } else { try folder.remove("app.log") }
        logger.performMaintenance()
        disk.fail(with: nil)
        logger.performMaintenance()
        logger.record(Note(2))
        #expect(logger.commit() == .written)
        #expect(logger.stop() == 0)
        // The lines that the new file's first seal counts are in the new file.
        let lines = try folder.lines("app.log")
        let first = try #require(lines.firstIndex { SealLine(Array($0.utf8).span) != nil })
        #expect(try seals("app.log").first?.lineCount == UInt64(first))
        if isMoved { #expect(try seals("moved").last?.reason == .rotate) }
    }

    @Test func `a missing state file is reported at the next start`() throws {
        #expect(try logger().stop() == 0)
        try folder.remove(".app.log.state")
        #expect(try logger().stop() == 0)
        #expect(
            try folder.lines("app.log").contains { $0.contains("reason=missing_state sequence=2") })
    }

    @Test func `a huge sequence number in a foreign seal is not adopted`() throws {
        #expect(try logger().stop() == 0)
        let other = SealKey(secret: Array("somebody else's secret, long enough".utf8).span)
        let chain = SealChain(
            after: SealHead(sequence: 999_999_999_999_999_998, code: .none))
        let line = chain.seal(.stop, key: other, at: someTime, .text).line
        let text = try folder.text("app.log")
        try folder.file("app.log", text + String(decoding: line, as: UTF8.self))
        #expect(try logger().stop() == 0)
        #expect(try seals("app.log").last?.sequence == 4)
    }
}

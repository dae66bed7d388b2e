import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// Where one file, one process or one hand on the log ends and the next begins.
@Suite("A border in a sealed log")
final class BorderTests {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = LogOptions.impatient(path: folder.path("app.log")).sealed()
    }

    private func logger(_ fileSystem: any FileSystem = SystemFileSystem()) throws -> Logger {
        try Logger(
            options, clock: clock.clock, fileSystem: fileSystem,
            standardErrorDescriptor: nowhere.rawValue)
    }

    private func seals(_ name: String) throws -> [SealLine] {
        try folder.lines(name).compactMap { SealLine(Array($0.utf8).span) }
    }

    @Test("is at a stop, also when everything before it was sealed already")
    func stop() throws {
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

    @Test("is not behind what another process has put into the log's place")
    func planted() throws {
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

    @Test(
        "is not crossed by lines that the file before could not be sealed with",
        arguments: [true, false])
    func fullDisk(isMoved: Bool) throws {
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
        // What is counted in the new file's first seal stands in the new file.
        let lines = try folder.lines("app.log")
        let first = try #require(lines.firstIndex { SealLine(Array($0.utf8).span) != nil })
        #expect(try seals("app.log").first?.lineCount == UInt64(first))
        if isMoved { #expect(try seals("moved").last?.reason == .rotate) }
    }

    @Test("is told where nothing is left to tell how far the log had come")
    func missingState() throws {
        #expect(try logger().stop() == 0)
        try folder.remove(".app.log.state")
        #expect(try logger().stop() == 0)
        #expect(
            try folder.lines("app.log").contains { $0.contains("reason=missing_state sequence=2") })
    }

    @Test("is not given a number that leaves no room for those after it")
    func planetaryNumber() throws {
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

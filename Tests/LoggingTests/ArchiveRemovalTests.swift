import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

final class ArchiveRemovalTests: LogSuite {
    let folder: TemporaryFolder
    var options: LogOptions
    let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        options = .retryingAtOnce(path: folder.path("app.log")).sealed()
        options.maximumSize = 2000
        options.maximumFiles = 2
    }

    private func write(_ range: Range<Int>, to logger: Logger) {
        for number in range {
            logger.record(Note(number, padding: 100))
            #expect(logger.commit() == .written)
        }
    }

    /// Leaves archives of a sealed log, as after a run that removes none.
    private func makeArchives(_ count: Int) throws {
        let maximumFiles = options.maximumFiles
        options.maximumFiles = 1000
        let logger = try logger()
        var number = 0
        while folder.logFiles.count <= count {
            write(number..<number + 1, to: logger)
            number += 1
        }
        #expect(logger.stop() == 0)
        options.maximumFiles = maximumFiles
    }

    private func value(_ name: String, in line: String) -> String? {
        line.firstRange(of: " \(name)=").map { range in
            String(line[range.upperBound...].prefix { $0 != " " })
        }
    }

    private func lastSequence(_ name: String) throws -> UInt64? {
        try SealedLog([folder.bytes(name)]).seals.last?.sequence
    }

    @Test
    func `a removal is recorded, sealed and synced before the first archive is removed`() throws {
        try makeArchives(3)
        let journal = FileSystemJournal()
        let lastSequences = try (1...3).map { try lastSequence("app.log.00000\($0)") }
        let logger = try logger(journal)
        // The start finds too many archives.
        let entries = journal.take()
        #expect(folder.logFiles == ["app.log.000002", "app.log.000003", "app.log"])
        let lines = try folder.lines("app.log")
        let index = try #require(lines.firstIndex { $0.contains("log_retention") })
        #expect(
            lines[index].hasSuffix(
                "INFO | log | log_retention n=1 file=app.log.000001 "
                    + "sequence=\(try #require(lastSequences[0])) reason=count"))
        #expect(lines[index + 1].contains(" | log_seal "))
        #expect(value("reason", in: lines[index + 1]) == "rotate")
        let removal = try #require(entries.firstIndex { $0.hasPrefix("remove") })
        #expect(entries[removal] == "remove app.log.000001")
        let sync = try #require(entries[..<removal].lastIndex(of: "synchronize app.log"))
        let write = try #require(entries[..<removal].lastIndex(of: "write app.log"))
        #expect(write < sync)
        #expect(logger.stop() == 0)
        #expect(try folder.sealedLog().faults == [])
    }

    @Test(arguments: [0, 1, 3])
    func `rotations remove archives in order, each after a sync`(maximumFiles: Int) throws {
        options.maximumFiles = maximumFiles
        let journal = FileSystemJournal()
        let logger = try logger(journal)
        write(0..<100, to: logger)
        logger.performMaintenance()
        #expect(folder.logFiles.count <= maximumFiles + 1)
        let entries = journal.take()
        for (index, entry) in entries.enumerated() where entry.hasPrefix("remove") {
            // Everything that was written before is synced.
            let before = entries[..<index]
            let write = try #require(before.lastIndex { $0.hasPrefix("write") })
            let sync = try #require(before.lastIndex { $0.hasPrefix("synchronize app.log") })
            #expect(write < sync)
        }
        let removed = entries.filter { $0.hasPrefix("remove") }
        let rotations = entries.count { $0.hasPrefix("rename") }
        #expect(
            removed
                == (1...(rotations - maximumFiles)).map {
                    "remove " + LogFileNames.archivePath(of: "app.log", $0)
                })
        #expect(logger.stop() == 0)
        #expect(try folder.sealedLog().faults == [])
    }

    @Test(arguments: ["write", "synchronize"])
    func `archives are not removed if the removal cannot be recorded or synced`(operation: String)
        throws
    {
        try makeArchives(4)
        let isBroken = Monitor(true)
        let journal = FileSystemJournal { entry in
            entry == "\(operation) app.log" && isBroken.withLock { $0 } ? .ioError : nil
        }
        let logger = try logger(journal)
        for _ in 0..<5 { logger.performMaintenance() }
        #expect(folder.logFiles.count == 5)
        #expect(!journal.take().contains { $0.hasPrefix("remove") })
        isBroken.withLock { $0 = false }
        logger.performMaintenance()
        #expect(folder.logFiles == ["app.log.000003", "app.log.000004", "app.log"])
        let lines = try folder.lines("app.log").filter { $0.contains("log_retention") }
        #expect(lines.count == 1)
        #expect(value("n", in: lines[0]) == "2")
        #expect(value("file", in: lines[0]) == "app.log.000002")
        #expect(logger.stop() == 0)
        #expect(try folder.sealedLog().faults == [])
    }

    @Test func `an archive that cannot be removed is tried again and recorded again`() throws {
        try makeArchives(4)
        let isBroken = Monitor(true)
        let journal = FileSystemJournal { entry in
            entry == "remove app.log.000001" && isBroken.withLock { $0 } ? .permissionDenied : nil
        }
        let logger = try logger(journal)
        #expect(folder.logFiles.first == "app.log.000001")
        isBroken.withLock { $0 = false }
        clock.advance(.seconds(3600))
        logger.performMaintenance()
        #expect(folder.logFiles == ["app.log.000003", "app.log.000004", "app.log"])
        let retentions = try folder.lines("app.log").filter { $0.contains("log_retention") }
        #expect(retentions.map { value("n", in: $0) } == ["2", "1"])
    }

    @Test(arguments: ["age", "size", "count"])
    func `a start removes archives that are too old, too large or too many`(reason: String) throws {
        try makeArchives(4)
        options.maximumFiles = 100
        let old = (clock.clock.now() + .seconds(-100)).seconds
        for number in 1...4 {
            var times = [timespec(), timespec()]
            for index in 0...1 { times[index].tv_sec = Int(number <= 3 ? old : old + 90) }
            #expect(utimensat(AT_FDCWD, folder.path("app.log.00000\(number)"), &times, 0) == 0)
        }
        switch reason {
        case "age": options.maximumAge = .seconds(50)
        case "size": options.maximumTotalSize = options.maximumSize + 2000
        default: options.maximumFiles = 1
        }
        let logger = try logger()
        #expect(folder.logFiles == ["app.log.000004", "app.log"])
        let line = try #require(
            try folder.lines("app.log").first { $0.contains("log_retention") })
        #expect(value("n", in: line) == "3")
        #expect(value("reason", in: line) == reason)
        #expect(logger.stop() == 0)
    }

    @Test func `maintenance removes archives that have become too old, within the hour`() throws {
        options.maximumAge = .seconds(7200)
        let journal = FileSystemJournal()
        // Files have the system's time.
        let now = WallClock.system.now()
        clock.advance(TimeAmount(milliseconds: now.milliseconds - someTime.milliseconds))
        try makeArchives(2)
        let logger = try logger(journal)
        clock.advance(.seconds(3600))
        logger.performMaintenance()
        #expect(folder.logFiles.count == 3)
        clock.advance(.seconds(3660))
        logger.performMaintenance()
        #expect(folder.logFiles == ["app.log"])
        #expect(try folder.text("app.log").contains(" log_retention n=2 file=app.log.000002 "))
    }

    @Test
    func `log_retention names no seal if the last removed archive does not end with one`() throws {
        options.seal = nil
        try makeArchives(3)
        let logger = try logger()
        #expect(folder.logFiles.count == 3)
        let line = try #require(
            try folder.lines("app.log").first { $0.contains("log_retention") })
        #expect(line.hasSuffix(" log_retention n=1 file=app.log.000001 reason=count"))
        #expect(logger.stop() == 0)
    }

    @Test func `files of other programs are never removed`() throws {
        options.maximumFiles = 0
        let foreign = [
            "app.log.1", "app.log.000001.gz", "app.log.20261121000000", "app.log.bak", "other.log",
            "other.log.000001",
        ]
        for name in foreign { try folder.file(name, "theirs\n") }
        let journal = FileSystemJournal()
        let logger = try logger(journal)
        write(0..<60, to: logger)
        #expect(logger.stop() == 0)
        for name in foreign { #expect(try folder.text(name) == "theirs\n") }
        #expect(folder.logFiles.filter { !foreign.contains($0) } == ["app.log"])
        for entry in journal.take() where entry.hasPrefix("remove") {
            #expect(!foreign.contains(String(entry.dropFirst(7))))
        }
    }

    @Test func `a long line that cannot be written does not cause repeated rotations`() throws {
        try makeArchives(3)
        let isBroken = Monitor(false)
        let journal = FileSystemJournal { entry in
            entry.hasPrefix("write") && isBroken.withLock { $0 } ? .noSpace : nil
        }
        let logger = try logger(journal)
        write(0..<9, to: logger)
        // The first line of a new file and the line about the removal have been written.
        logger.record(Note(9, padding: 1900))
        #expect(logger.commit() == .written)
        let count = journal.take().count { $0.hasPrefix("rename") }
        isBroken.withLock { $0 = true }
        logger.record(Note(10, padding: 1900))
        for _ in 0..<5 { #expect(logger.commit() == .failed(.noSpace)) }
        #expect(journal.take().count { $0.hasPrefix("rename") } <= 1)
        #expect(count >= 1)
    }
}

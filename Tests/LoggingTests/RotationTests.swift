import Foundation
import Logging
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

final class RotationTests {
    let folder: TemporaryFolder
    var options: LogOptions

    init() throws {
        folder = try TemporaryFolder()
        options = .retryingAtOnce(path: folder.path("app.log"))
        options.maximumSize = 1000
        options.maximumFiles = 1000
    }

    /// Opens the log, writes a line of 100 bytes for each number, and commits after every `batch`
    /// lines.
    private func write(
        _ range: Range<Int>, batch: Int = 1, fileSystem: any FileSystem = SystemFileSystem()
    ) throws {
        let logger = try Logger(options, clock: .fixed(someTime), fileSystem: fileSystem)
        write(range, batch: batch, to: logger)
    }

    private func write(_ range: Range<Int>, batch: Int = 1, to logger: Logger) {
        for number in range {
            logger.record(Note(number, padding: 46 - String(number).count))
            if number % batch == batch - 1 { #expect(logger.commit() == .written) }
        }
        #expect(logger.commit() == .written)
    }

    private func size(_ name: String) throws -> Int {
        try FileStatus(path: folder.path(name)).size
    }

    @Test(arguments: [1, 7, 100])
    func `rotation loses and tears no line, and files stay within their limit`(batch: Int) throws {
        try write(0..<100, batch: batch)
        let lines = try #require(try folder.logLines())
        #expect(numbers(lines) == Array(0..<100))
        // 83 bytes of log_rotate and nine lines fill a file.
        #expect(folder.logFiles == (1...11).map { "app.log.\(padded($0))" } + ["app.log"])
        for name in folder.logFiles { #expect(try size(name) <= 1000) }
        for name in folder.logFiles.dropLast() { #expect(try size(name) > 900) }
    }

    private func padded(_ number: Int) -> String {
        String(repeating: "0", count: 6 - String(number).count) + String(number)
    }

    @Test func `each new file begins with a line that names the archive`() throws {
        try write(0..<25)
        #expect(folder.names == ["app.log", "app.log.000001", "app.log.000002"])
        let first = try folder.logFiles.map { try folder.text($0).split(separator: "\n")[0] }
        #expect(
            first
                == [
                    "log_open file=app.log", "log_rotate file=app.log.000001 reason=size",
                    "log_rotate file=app.log.000002 reason=size",
                ].map { "\(someStamp)INFO | log | \($0)" })
    }

    @Test func `log_rotate is written at any level`() throws {
        options.level = .critical
        options.fileLevel = .critical
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: devNull.rawValue)
        for number in 0..<30 {
            logger.record(Note(number, level: .critical))
            #expect(logger.commit() == .written)
        }
        #expect(folder.logFiles.count == 2)
        #expect(try folder.text("app.log").hasPrefix(someStamp + "INFO | log | log_rotate file="))
    }

    @Test func `a file is filled to the last byte before it is rotated`() throws {
        let opened = someStamp.utf8.count + "INFO | log | log_open file=app.log\n".utf8.count
        options.maximumSize = opened + 200
        try write(0..<2)
        #expect(folder.names == ["app.log"])
        #expect(try size("app.log") == options.maximumSize)
        try folder.remove("app.log")
        options.maximumSize -= 1
        try write(0..<2)
        #expect(folder.names == ["app.log", "app.log.000001"])
    }

    @Test func `a line longer than the limit gets a file of its own`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<3, to: logger)
        for number in 3..<5 {
            logger.record(Note(number, padding: 3000))
            #expect(logger.commit() == .written)
        }
        write(5..<7, to: logger)
        #expect(
            try folder.logFiles.map { numbers(try #require(completeLines(folder.text($0)))) }
                == [[0, 1, 2], [3], [4], [5, 6]])
    }

    @Test func `a long line that keeps failing does not cause a series of empty files`() throws {
        // The first line of a new file can be written, but not the long one.
        let writes = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .write else { return .done }
            let number = writes.wrappingAdd(1, ordering: .relaxed).newValue
            return number > 2 ? .failed(.noSpace) : .done
        }
        let logger = try Logger(
            options, clock: .fixed(someTime), fileSystem: fileSystem,
            standardErrorDescriptor: devNull.rawValue)
        write(0..<1, to: logger)
        logger.record(Note(1, padding: 3000))
        for _ in 0..<5 { #expect(logger.commit() == .failed(.noSpace)) }
        #expect(folder.names == ["app.log", "app.log.000001"])
    }

    // MARK: Numbers

    @Test func `archive numbers continue after a restart`() throws {
        try write(0..<30)
        let before = folder.logFiles.count
        try write(30..<60)
        #expect(folder.logFiles.count > before)
        let names = (1..<folder.logFiles.count).map { "app.log.\(padded($0))" }
        #expect(folder.logFiles == names + ["app.log"])
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<60))
    }

    @Test func `an archive number is not reused if archives are removed`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<30, to: logger)
        for name in folder.logFiles.dropLast() { try folder.remove(name) }
        write(30..<40, to: logger)
        #expect(folder.names == ["app.log", "app.log.000004"])
    }

    @Test func `an archive number is not reused after a restart without archives`() throws {
        try write(0..<30)
        #expect(folder.logFiles.count == 4)
        for name in folder.logFiles.dropLast() { try folder.remove(name) }
        try write(30..<40)
        #expect(folder.names == ["app.log", "app.log.000004"])
    }

    @Test(arguments: LogFormat.allCases, ["app.log", "the \"app\" é.log"])
    func `an archive number is not reused after a change of the format`(
        format: LogFormat, name: String
    ) throws {
        options = LogOptions(path: folder.path(name))
        options.maximumSize = 1000
        options.format = format
        try write(0..<30)
        let old = folder.names.filter { $0 != name }
        for name in old { try folder.remove(name) }
        options.format = format == .json ? .text : .json
        try write(30..<60)
        let new = folder.names.filter { $0 != name }
        #expect(try #require(new.min()) > #require(old.max()))
    }

    @Test(arguments: [
        "INFO | app | note text=\"INFO | log | log_rotate file=app.log.000041 reason=size\"",
        "INFO | log | log_rotate file=other.log.000041 reason=size",
        "INFO | log | log_rotate file=app.log.41 reason=size",
        "INFO | log | log_rotate file=app.log.000041x reason=size",
        "INFO | log | log_rotate file=app.log.000041", "", "\u{FF}",
    ])
    func `a first line of other origin gives no archive number`(line: String) throws {
        try folder.file("app.log", someStamp + line + "\n")
        try write(0..<20)
        #expect(folder.names.contains("app.log.000001"))
        #expect(!folder.names.contains("app.log.000042"))
    }

    @Test func `a file that another process puts in the folder is not overwritten`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<3, to: logger)
        try folder.file("app.log.000001", "precious\n")
        write(3..<12, to: logger)
        #expect(folder.names == ["app.log", "app.log.000001", "app.log.000002"])
        #expect(try folder.text("app.log.000001") == "precious\n")
    }

    @Test func `archive numbers can exceed a million`() throws {
        try folder.file("app.log.999999", "")
        try write(0..<25)
        #expect(
            folder.names == ["app.log", "app.log.1000000", "app.log.1000001", "app.log.999999"])
    }

    @Test(arguments: [0, 1, 3])
    func `rotation keeps the newest archives, at most the configured number`(count: Int) throws {
        options.maximumFiles = count
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<100, to: logger)
        #expect(logger.stop() == 0)
        // The lines about removals take space, too.
        let names = (1...(count == 1 ? 12 : 11)).suffix(count).map { "app.log.\(padded($0))" }
        #expect(folder.logFiles.dropLast() == names[...])
    }

    @Test func `files with similar names are left unchanged`() throws {
        let foreign = [
            "app.log.1", "app.log.00001", "app.log.0000001", "app.log.000001.gz", "app.log.00000a",
            "app.log.-00001", "app.log.+00001", "app.logs.000001", "napp.log.000001",
            "app.log.", "app.log..000001", "app.log-20261121", "app.log.٠٠٠٠٠١",
            "app.log.99999999999999999999", "app.log.9223372036854775807", "other",
        ]
        for name in foreign { try folder.file(name, "theirs\n") }
        options.maximumFiles = 1
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<100, to: logger)
        #expect(logger.stop() == 0)
        #expect(Set(folder.names).isSuperset(of: foreign))
        #expect(Set(folder.names).subtracting(foreign) == ["app.log", "app.log.000012"])
        for name in foreign { #expect(try folder.text(name) == "theirs\n") }
    }

    // MARK: The file

    @Test
    func `log files are writable by their owner, readable by the group, hidden from others`() throws
    {
        try write(0..<30)
        for name in folder.logFiles {
            let mode = try FileStatus(path: folder.path(name)).mode & 0o777
            #expect(mode | 0o040 == 0o640)
        }
    }

    @Test func `a missing folder of a log is created`() throws {
        options.path = folder.path("logs/deep/app.log")
        try write(0..<1)
        #expect(folder.names == ["logs"])
        #expect(try folder.text("logs/deep/app.log").contains("note n=0"))
        #expect(try FileStatus(path: folder.path("logs")).mode & 0o027 == 0)
    }

    @Test func `a log whose folder cannot be created is refused`() throws {
        try folder.file("file", "")
        options.path = folder.path("file/app.log")
        #expect(throws: LogOpenError.failed(Errno(ENOTDIR))) { try Logger(options) }
        options.path = folder.path
        #expect(throws: LogOpenError.failed(Errno(EISDIR))) { try Logger(options) }
    }

    @Test(arguments: [true, false])
    func `a symbolic link at the path of a log is not followed`(leadsSomewhere: Bool) throws {
        if leadsSomewhere { try folder.file("target", "") }
        try FileManager.default.createSymbolicLink(
            atPath: options.path, withDestinationPath: folder.path("target"))
        #expect(throws: LogOpenError.failed(Errno(ELOOP))) { try Logger(options) }
        #expect(folder.names == (leadsSomewhere ? ["app.log", "target"] : ["app.log"]))
    }

    @Test func `a path that is not a regular file is refused before it is opened`() throws {
        for (path, kind) in [("/dev/null", "a device"), ("/dev/full", "a device")] {
            options.path = path
            #expect(throws: LogOpenError.isNotRegular(kind)) { try Logger(options) }
        }
        options.path = folder.path("app.log")
        #expect(mkfifo(options.path, 0o600) == 0)
        #expect(throws: LogOpenError.isNotRegular("a pipe")) { try Logger(options) }
        #expect(folder.allNames == ["app.log"])
    }

    // MARK: Reopening

    @Test func `reopening starts a new file after the old one was moved or removed`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<2, to: logger)
        try folder.move("app.log", to: "app.log.1")
        write(2..<4, to: logger)
        try logger.reopen()
        write(4..<6, to: logger)
        #expect(numbers(try #require(completeLines(folder.text("app.log.1")))) == [0, 1, 2, 3])
        #expect(numbers(try #require(completeLines(folder.text("app.log")))) == [4, 5])
        try folder.remove("app.log")
        try logger.reopen()
        write(6..<8, to: logger)
        #expect(numbers(try #require(completeLines(folder.text("app.log")))) == [6, 7])
    }

    @Test func `reopening keeps the old file if the new one cannot be opened`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<1, to: logger)
        try folder.move("app.log", to: "moved")
        try FileManager.default.createSymbolicLink(
            atPath: options.path, withDestinationPath: "/dev/null")
        #expect(throws: Errno(ELOOP)) { try logger.reopen() }
        write(1..<3, to: logger)
        #expect(numbers(try #require(completeLines(folder.text("moved")))) == [0, 1, 2])
        try folder.remove("app.log")
        try logger.reopen()
        write(3..<4, to: logger)
        #expect(numbers(try #require(completeLines(folder.text("app.log")))) == [3])
    }

    @Test func `the next rotation returns to the path after the file was moved away`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<3, to: logger)
        try folder.move("app.log", to: "moved")
        write(3..<15, to: logger)
        let lines = try #require(completeLines(folder.text("moved") + folder.text("app.log")))
        #expect(numbers(lines) == Array(0..<15))
    }

    @Test func `reopening while others write loses no line`() throws {
        options.maximumSize = 1 << 20
        let logger = try Logger(options, clock: .fixed(someTime))
        let folder = folder
        inThreads(4) { thread in
            if thread == 3 {
                for number in 0..<20 {
                    do {
                        try folder.move("app.log", to: "old.\(number)")
                        try logger.reopen()
                    } catch { Issue.record(error) }
                }
                return
            }
            for number in 0..<500 {
                logger.record(Note(thread * 500 + number))
                if logger.commit() != .written { Issue.record("not written") }
            }
        }
        let files = (0..<20).map { "old.\($0)" } + ["app.log"]
        let lines = try files.flatMap { try #require(completeLines(folder.text($0))) }
        let found = numbers(lines)
        #expect(found.sorted() == Array(0..<1500))
        for thread in 0..<3 {
            let own = found.filter { $0 / 500 == thread }
            #expect(own == own.sorted())
        }
    }

    // MARK: A torn end

    @Test func `an incomplete line at the end of a log is ended and reported`() throws {
        try folder.file("app.log", someStamp + "whole\nto")
        try write(0..<1)
        let lines = try #require(completeLines(folder.text("app.log")))
        #expect(lines.prefix(2) == [someStamp + "whole", "to"])
        #expect(lines[2] == someStamp + "INFO | log | log_open file=app.log")
        #expect(lines[3] == someStamp + "INFO | log | log_recovered reason=torn_line")
        #expect(numbers(lines) == [0])
        #expect(lines.count == 5)
    }

    @Test func `an incomplete line is ended before a rotation`() throws {
        try folder.file("app.log", someStamp + String(repeating: "y", count: 2000))
        try write(0..<1)
        #expect(try folder.text("app.log.000001").hasSuffix("y\n"))
        #expect(numbers(try #require(completeLines(folder.text("app.log")))) == [0])
    }

    @Test(arguments: ["", "2\n", someStamp + "whole\n"])
    func `a complete end of a log is not reported`(before: String) throws {
        try folder.file("app.log", before)
        try write(0..<1)
        let text = try folder.text("app.log")
        #expect(text.hasPrefix(before + someStamp + "INFO | log | log_open"))
        #expect(!text.contains("log_recovered"))
    }

    @Test func `a foreign file with an incomplete line is moved aside by reopening`() throws {
        let logger = try Logger(options, clock: .fixed(someTime))
        write(0..<1, to: logger)
        try folder.file("new", "to")
        try folder.remove("app.log")
        try folder.move("new", to: "app.log")
        try logger.reopen()
        write(1..<2, to: logger)
        #expect(try folder.text("app.log").hasPrefix(someStamp))
        #expect(try folder.text("app.log.foreign.1") == "to")
    }
}

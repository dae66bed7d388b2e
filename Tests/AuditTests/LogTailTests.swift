import Audit
import Foundation
import Glibc
import Logging
import POSIX
import TestSupport
import Testing

/// A log that the test writes as the logger does: it appends to a file, and renames it when full.
private final class Log {
    let folder: TemporaryFolder
    let path: String
    private var file: FileDescriptor?
    private var lastNumber = 0

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("app.log")
    }

    func write(_ text: String) throws {
        if file == nil { try open() }
        let bytes = Array(text.utf8)
        #expect(try file!.write(bytes.span) == bytes.count)
    }

    func write(line number: Int) throws { try write("\(number)\n") }

    func open() throws {
        file = try FileDescriptor.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o600)
    }

    /// Closes the file; the next write creates a new one.
    func close() { file = nil }

    /// Renames the file. Further lines are written to it until the next `open` or `close`.
    func move(to name: String) throws { #expect(rename(path, folder.path(name)) == 0) }

    @discardableResult
    func rotate() throws -> String {
        lastNumber += 1
        let name = "app.log." + String(format: "%06d", lastNumber)
        try move(to: name)
        close()
        return name
    }

    func empty() { #expect(truncate(path, 0) == 0) }
    func remove(_ name: String) { #expect(unlink(folder.path(name)) == 0) }

    func options(lines: Int = 10) -> LogTail.Options {
        var options = LogTail.Options(path: path)
        options.lines = lines
        return options
    }
}

extension LogTail {
    /// Polls until there are no more lines.
    fileprivate mutating func read() throws -> [String] {
        var output: [UInt8] = []
        while try poll(into: &output) == .moreAvailable {}
        var lines = String(decoding: output, as: UTF8.self).components(separatedBy: "\n")
        #expect(lines.removeLast() == "")
        return lines
    }
}

private func names(_ range: Range<Int>) -> [String] { range.map { "\($0)" } }

struct LogTailTests {
    // MARK: Last lines

    @Test(arguments: [0, 1, 10, 99, 100, 101, 1000])
    func `the tail begins with the requested number of last lines`(count: Int) throws {
        let log = try Log()
        for number in 0..<100 { try log.write(line: number) }
        var tail = try LogTail(log.options(lines: count))
        #expect(try tail.read() == names(max(0, 100 - count)..<100))
        try log.write(line: 100)
        #expect(try tail.read() == ["100"])
    }

    @Test(arguments: [0, 1, 5, 6, 15, 16, 25, 26, 1000])
    func `the last lines may come from full files`(count: Int) throws {
        let log = try Log()
        for number in 0..<25 {
            if number == 10 || number == 20 { try log.rotate() }
            try log.write(line: number)
        }
        var tail = try LogTail(log.options(lines: count))
        #expect(try tail.read() == names(max(0, 25 - count)..<25))
        try log.rotate()
        try log.write(line: 25)
        #expect(try tail.read() == ["25"])
    }

    @Test(arguments: UInt64(0)..<4)
    func `the last lines of a long file are found for any line lengths`(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let log = try Log()
        let lines = (0..<400).map { number in
            let length = [0, 1, 100, 5000, 65_530].randomElement(using: &dice)!
            return "\(number) "
                + String(repeating: "x", count: Int.random(in: 0...length, using: &dice))
        }
        try log.write(lines.joined(separator: "\n") + "\n")
        for count in [1, 7, 100, 399, 400] {
            var tail = try LogTail(log.options(lines: count))
            #expect(try tail.read() == Array(lines.suffix(count)))
        }
    }

    @Test(arguments: [65_537, 131_071, 131_072, 131_073, 700_000])
    func `lines over the length limit are skipped`(length: Int) throws {
        let log = try Log()
        let long = String(repeating: "x", count: length)
        try log.write("0\n\(long)\n1\n\(long)\n")
        var tail = try LogTail(log.options(lines: 2))
        #expect(try tail.read() == ["0", "1"])
        try log.write(long)
        #expect(try tail.read() == [])
        try log.write("\(long)\n2\n")
        #expect(try tail.read() == ["2"])
    }

    // MARK: Rotation

    @Test(arguments: UInt64(0)..<20)
    func `every line is emitted once and in order over fifty rotations`(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let log = try Log()
        var tail = try LogTail(log.options())
        var seen: [String] = []
        var number = 0
        var rotations = 0
        while rotations < 50 {
            switch Int.random(in: 0..<10, using: &dice) {
            case 0..<3 where number > 0 && log.folder.names.contains("app.log"):
                try log.rotate()
                rotations += 1
            case 3..<9:
                for _ in 0..<Int.random(in: 1...30, using: &dice) {
                    try log.write(line: number)
                    number += 1
                }
            default: seen += try tail.read()
            }
        }
        seen += try tail.read()
        #expect(seen == names(0..<number))
    }

    // The writer does not wait for a reader that a sanitizer slows down.
    @Test(.disabled(if: TestScale.isSanitized))
    func `every line is emitted once and in order while another thread writes and rotates`() throws
    {
        let log = try Log()
        try log.write("")
        let (path, count) = (log.path, 20_000)
        let isDone = Monitor(false)
        // Start before there is anything to miss.
        var tail = try LogTail(log.options())
        let writer = TestThread {
            do {
                var number = 0
                for file in 1...51 {
                    let open = O_WRONLY | O_APPEND | O_CREAT
                    let descriptor = try FileDescriptor.open(path, open, mode: 0o600)
                    while number < count * file / 51 {
                        let line = Array("\(number)\n".utf8)
                        // In two writes, so that lines are torn for a moment.
                        _ = try descriptor.write(line.span.extracting(..<1))
                        _ = try descriptor.write(line.span.extracting(1...))
                        number += 1
                    }
                    if file < 51 { rename(path, path + "." + String(format: "%06d", file)) }
                }
            } catch { Issue.record(error) }
            isDone.withLock { $0 = true }
        }
        var seen: [String] = []
        while !isDone.withLock({ $0 }) { seen += try tail.read() }
        writer.join()
        seen += try tail.read()
        #expect(seen == names(0..<count))
    }

    @Test func `the tail continues after the full file that it read was removed`() throws {
        let log = try Log()
        for number in 0..<5 { try log.write(line: number) }
        var tail = try LogTail(log.options(lines: 1))
        #expect(try tail.read() == ["4"])
        try log.write(line: 5)
        let first = try log.rotate()
        try log.write(line: 6)
        try log.rotate()
        try log.write(line: 7)
        log.remove(first)
        #expect(try tail.read() == ["5", "6", "7"])
    }

    @Test func `the tail stays with a moved file until the new one has a line`() throws {
        let log = try Log()
        try log.write(line: 0)
        var tail = try LogTail(log.options())
        // As logrotate does: the logger writes to the old file until it gets a signal.
        try log.move(to: "app.log.1")
        try log.folder.file("app.log", "")
        try log.write(line: 1)
        #expect(try tail.read() == ["0", "1"])
        try log.write(line: 2)
        try log.open()
        try log.write(line: 3)
        #expect(try tail.read() == ["2", "3"])
    }

    @Test func `the tail stays with a file that is renamed back`() throws {
        let log = try Log()
        try log.write(line: 0)
        var tail = try LogTail(log.options())
        try log.move(to: "app.log.000001")
        #expect(try tail.read() == ["0"])
        #expect(rename(log.folder.path("app.log.000001"), log.path) == 0)
        try log.write(line: 1)
        #expect(try tail.read() == ["1"])
        try log.rotate()
        try log.write(line: 2)
        #expect(try tail.read() == ["2"])
    }

    @Test func `the tail continues with numbers of more than six digits`() throws {
        let log = try Log()
        try log.write(line: 0)
        var tail = try LogTail(log.options())
        try log.move(to: "app.log.999999")
        log.close()
        try log.write(line: 1)
        try log.move(to: "app.log.1000000")
        log.close()
        try log.write(line: 2)
        #expect(try tail.read() == ["0", "1", "2"])
    }

    // MARK: Other changes of files

    @Test func `the tail waits for a missing file and reads it from its beginning`() throws {
        let log = try Log()
        var tail = try LogTail(log.options(lines: 0))
        #expect(try tail.read() == [])
        try log.write(line: 0)
        #expect(try tail.read() == ["0"])
    }

    @Test func `the tail waits for a missing folder`() throws {
        let folder = try TemporaryFolder()
        var tail = try LogTail(LogTail.Options(path: folder.path("logs/app.log")))
        #expect(try tail.read() == [])
    }

    @Test func `a removed file is read to its end, and then the new file at its path`() throws {
        let log = try Log()
        try log.write(line: 0)
        var tail = try LogTail(log.options())
        log.remove("app.log")
        try log.write(line: 1)
        #expect(try tail.read() == ["0", "1"])
        try log.write(line: 2)
        log.close()
        try log.write(line: 3)
        #expect(try tail.read() == ["2", "3"])
    }

    @Test func `a file that replaces the first is read from its beginning`() throws {
        let log = try Log()
        try log.write(line: 0)
        var tail = try LogTail(log.options())
        let other = try log.folder.file("other", "1\n2\n")
        #expect(rename(other, log.path) == 0)
        #expect(try tail.read() == ["0", "1", "2"])
    }

    @Test func `a truncated file is read again from its beginning`() throws {
        let log = try Log()
        for number in 0..<5 { try log.write(line: number) }
        try log.write("torn")
        var tail = try LogTail(log.options())
        #expect(try tail.read() == names(0..<5))
        log.empty()
        try log.write(line: 5)
        #expect(try tail.read() == ["5"])
    }

    @Test func `a torn line is not emitted before its end is written`() throws {
        let log = try Log()
        try log.write("0\n1")
        var tail = try LogTail(log.options())
        #expect(try tail.read() == ["0"])
        try log.write("2")
        #expect(try tail.read() == [])
        try log.write("3\n4")
        #expect(try tail.read() == ["123"])
        // The file was rotated, so this line will not get an end.
        try log.rotate()
        try log.write(line: 5)
        #expect(try tail.read() == ["4", "5"])
    }

    @Test func `a partial line that the writer truncates is never emitted`() throws {
        let log = try Log()
        try log.write("0\ntorn")
        var tail = try LogTail(log.options())
        #expect(try tail.read() == ["0"])
        #expect(truncate(log.path, 2) == 0)
        #expect(try tail.read() == [])
        try log.write("to")
        #expect(try tail.read() == [])
        #expect(truncate(log.path, 2) == 0)
        try log.write("another line\n")
        #expect(try tail.read() == ["another line"])
    }

    // MARK: Filters and escapes

    private static let lines = [
        "2026-11-21T07:00:00.000Z | DEBUG | http | http_request user=1",
        "2026-11-21T07:00:01.000Z | INFO | security | authn_token_verified user=1",
        #"{"time":"2026-11-21T07:00:02Z","level":"WARNING","area":"security","#
            + #""event":"a","user":2}"#,
        #"time=2026-11-21T07:00:03Z level=ERROR area=log event=log_failed reason="no space""#,
        "no line of the log",
        "2026-11-21T07:00:05.000Z | CRITICAL | security | b user=12",
    ]

    private static let filters: [(@Sendable (inout LogFilter) -> Void, [Int])] = [
        ({ _ in }, [0, 1, 2, 3, 4, 5]),
        ({ $0.levels = [.warning] }, [2, 3, 5]),
        ({ $0.levels = [.critical, .error] }, [3, 5]),
        ({ $0.areas = [.http, .log] }, [0, 3]),
        ({ $0.events = ["a", "b", "c"] }, [2, 5]),
        ({ $0.users = ["1"] }, [0, 1]),
        ({ $0.users = ["1", "2"] }, [0, 1, 2]),
        (
            {
                $0.users = ["1", "2"]
                $0.areas = [.security]
                $0.levels = [.warning]
            }, [2]
        ),
        (
            {
                $0.users = ["1"]
                $0.events = ["b"]
            }, []
        ),
    ]

    @Test(arguments: filters.indices)
    func `the tail emits the lines that pass the filter`(index: Int) throws {
        let (set, expected) = Self.filters[index]
        let log = try Log()
        var options = log.options(lines: 1)
        set(&options.filter)
        try log.write(Self.lines.joined(separator: "\n") + "\n")
        var tail = try LogTail(options)
        // The last matching line, however far back it is, and then new lines.
        #expect(try tail.read() == expected.suffix(1).map { Self.lines[$0] })
        try log.write(Self.lines.joined(separator: "\n") + "\n")
        #expect(try tail.read() == expected.map { Self.lines[$0] })
    }

    @Test func `lines are colored by their level on request`() throws {
        let log = try Log()
        var options = log.options()
        options.isColored = true
        try log.write(Self.lines.joined(separator: "\n") + "\n")
        var tail = try LogTail(options)
        let before = ["\u{1B}[2m", "", "\u{1B}[33m", "\u{1B}[31m", "", "\u{1B}[1;31m"]
        #expect(
            try tail.read()
                == zip(before, Self.lines).map { $0 + $1 + ($0.isEmpty ? "" : "\u{1B}[0m") })
    }

    @Test(arguments: [
        ("name=ä \u{1F600}", "name=ä \u{1F600}"), ("\u{1B}[2J", #"\x1b[2J"#),
        ("a\rb", #"a\x0db"#),
        ("\u{202E}a\u{9B}", #"\u{202e}a\u{009b}"#), ("{\"a\":\"\u{9B}\"}", #"{"a":"\u009b"}"#),
        ("\u{7F}\0", #"\x7f\x00"#), ("", ""),
    ])
    func `characters that could control a terminal are escaped`(line: String, shown: String) throws
    {
        let log = try Log()
        try log.write(line + "\n")
        var tail = try LogTail(log.options())
        #expect(try tail.read() == [shown])
    }

    @Test func `bytes that are not UTF-8 are shown as escapes`() throws {
        let log = try Log()
        try Data([0x61, 0xFF, 0xC3, 0x0A, 0x7B, 0xFF, 0x0A]).write(to: URL(filePath: log.path))
        var tail = try LogTail(log.options())
        #expect(try tail.read() == [#"a\xff\xc3"#, #"{\ufffd"#])
    }

    // MARK: Running

    @Test func `the tail runs until the pause function returns false`() throws {
        let log = try Log()
        let output = try log.folder.file("output", "")
        let file = try FileDescriptor.open(output, O_WRONLY)
        try log.write(line: 0)
        var number = 0
        try LogTail.run(log.options(), to: file.rawValue) {
            number += 1
            do {
                if number == 2 { try log.rotate() }
                try log.write(line: number)
            } catch { Issue.record(error) }
            return number < 4
        }
        #expect(try log.folder.content("output") == "0\n1\n2\n3\n")
    }

    @Test func `the tail ends at the end of the log unless it follows`() throws {
        let log = try Log()
        let output = try log.folder.file("output", "")
        let file = try FileDescriptor.open(output, O_WRONLY)
        // More than one poll reads.
        let line = String(repeating: "x", count: 999) + "\n"
        try log.write(String(repeating: line, count: 5000) + "torn")
        var options = log.options(lines: 10_000)
        options.follow = false
        try LogTail.run(options, to: file.rawValue)
        #expect(try log.folder.content("output").utf8.count == 5_000_000)
    }

    @Test func `the tail ends when the reader of its output has gone`() throws {
        let log = try Log()
        try log.write(line: 0)
        let pipe = try POSIX.Pipe()
        let end = dup(pipe.writingEnd.rawValue)
        _ = consume pipe
        try LogTail.run(log.options(lines: 0), to: end)
        close(end)
    }

    @Test func `a missing file and a file that cannot be followed are errors`() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path("app.log")
        var options = LogTail.Options(path: missing)
        options.follow = false
        #expect(throws: ReadingError.file(path: missing, .noSuchFileOrDirectory)) {
            try LogTail.run(options, to: 1)
        }
        #expect(mkfifo(missing, 0o600) == 0)
        #expect(throws: ReadingError.notAFile(path: missing)) { try LogTail.run(options, to: 1) }
    }
}

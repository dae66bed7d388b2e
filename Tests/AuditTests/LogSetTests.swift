import Foundation
import Logging
import POSIX
import TestSupport
import Testing

@testable import Audit

/// A log without seals, with files that logrotate(8) has moved and packed.
struct LogSetTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("app.log") }

    init() throws {
        folder = try TemporaryFolder()
        try write("app.log.2", 11, 1...3)
        try pack("app.log.2")
        try write("app.log.1", 12, 4...6)
        try write("app.log", 13, 7...8)
        try folder.file("app.log.bak", "notes\n")
        try folder.file("app.log.foreign.1", line(10, 99))
    }

    private func line(_ day: Int, _ number: Int) -> String {
        "2026-11-\(day)T07:00:00.123Z | INFO | app | note n=\(number)\n"
    }

    private func write(_ name: String, _ day: Int, _ numbers: ClosedRange<Int>) throws {
        try folder.file(name, numbers.map { line(day, $0) }.joined())
    }

    private func pack(_ name: String) throws {
        let process = try Process.run(
            URL(filePath: "/usr/bin/env"), arguments: ["gzip", folder.path(name)])
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private func numbers(_ bytes: [UInt8]) -> [Int] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            line.firstRange(of: " n=").flatMap { Int(line[$0.upperBound...]) }
        }
    }

    @Test func `moved and packed files are part of the log, in the order of their lines`() {
        let set = LogSet(of: path, .configured, keyIDs: nil)
        #expect(
            set.files.map { LogFileNames.base(of: $0.path) } == [
                "app.log.2.gz", "app.log.1", "app.log",
            ])
        #expect(set.foreign.map(\.name) == ["app.log.foreign.1"])
        #expect(set.problems.isEmpty)
    }

    @Test func `symbolic links among the files of a configured log are not followed`() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("elsewhere"), withIntermediateDirectories: false)
        for name in ["app.log.1", "app.log"] {
            try FileManager.default.moveItem(
                atPath: folder.path(name), toPath: folder.path("elsewhere/\(name)"))
            try FileManager.default.createSymbolicLink(
                atPath: folder.path(name), withDestinationPath: "elsewhere/\(name)")
        }
        let set = LogSet(of: path, .configured, keyIDs: nil)
        #expect(set.files.map { LogFileNames.base(of: $0.path) } == ["app.log.2.gz"])
        #expect(set.problems.map(\.error) == [.link(path: path)])
        #expect(set.notes.first == "symbolic links are not followed: app.log.1")
        // For a path from the command line, links are followed.
        let named = LogSet(of: path, .named, keyIDs: nil)
        #expect(named.files.count == 3)
        #expect(named.problems.isEmpty)
    }

    @Test func `a log that becomes a symbolic link while it is followed ends the tail`() throws {
        var tail = try LogTail(LogTail.Options(path: path))
        var bytes: [UInt8] = []
        let progress = try tail.poll(into: &bytes)
        #expect(progress == .caughtUp)
        try FileManager.default.moveItem(atPath: path, toPath: folder.path("app.log.0"))
        try folder.file("secret", line(14, 100))
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "secret")
        do throws(ReadingError) {
            _ = try tail.poll(into: &bytes)
            Issue.record("the link is followed")
        } catch {
            #expect(error == .link(path: path))
        }
        #expect(numbers(bytes) == Array(1...8))
    }

    @Test func `statistics count the lines of moved and packed files`() throws {
        var statistics = LogStatistics()
        try statistics.readLog(path)
        #expect(statistics.lines == 8)
        #expect(statistics.unreadable == 0)
    }

    @Test(arguments: 0...9)
    func `the tail begins with the last lines of moved and packed files`(count: Int) throws {
        var options = LogTail.Options(path: path)
        options.lines = count
        var tail = try LogTail(options)
        var bytes: [UInt8] = []
        #expect(try tail.poll(into: &bytes) == .caughtUp)
        #expect(numbers(bytes) == Array((1...8).suffix(count)))
        bytes = []
        let file = try FileDescriptor.open(path, O_WRONLY | O_APPEND)
        _ = try file.write(Array(line(13, 9).utf8).span)
        #expect(try tail.poll(into: &bytes) == .caughtUp)
        #expect(numbers(bytes) == [9])
    }

    @Test func `a filtered tail counts matching lines in packed files`() throws {
        var options = LogTail.Options(path: path)
        options.lines = 5
        options.filter.events = ["note"]
        var tail = try LogTail(options)
        var bytes: [UInt8] = []
        _ = try tail.poll(into: &bytes)
        #expect(numbers(bytes) == Array(4...8))
    }
}

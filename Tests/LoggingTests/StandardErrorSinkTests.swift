import Dispatch
import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Logging

/// A pipe as a service manager connects it to standard error: both ends block.
private func blockingPipe() throws -> Pipe {
    let pipe = try Pipe()
    for end in [pipe.readingEnd.rawValue, pipe.writingEnd.rawValue] { _ = fcntl(end, F_SETFL, 0) }
    return pipe
}

/// Reads lines until `isEnough` returns true.
private func read(
    _ end: borrowing FileDescriptor, until isEnough: ([String]) -> Bool
) throws -> [String] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        var span = buffer.mutableSpan
        bytes += buffer[..<(try end.read(into: &span))]
        if let lines = completeLines(String(decoding: bytes, as: UTF8.self)), isEnough(lines) {
            return lines
        }
    }
}

/// The number of lines reported as dropped.
private func dropped(_ lines: [String]) -> Int {
    lines.reduce(0) { sum, line in
        guard line.hasPrefix("("), line.hasSuffix(" lines dropped here)") else { return sum }
        return sum + Int(line.dropFirst().prefix { $0.isNumber })!
    }
}

struct StandardErrorSinkTests {
    @Test func `lines reach standard error in order`() throws {
        let pipe = try blockingPipe()
        let sink = StandardErrorSink(descriptor: pipe.writingEnd.rawValue)
        for number in 0..<100 { sink.append(Array("\(number)\n".utf8).span) }
        let lines = try read(pipe.readingEnd) { $0.count == 100 }
        #expect(lines == (0..<100).map { "\($0)" })
    }

    @Test func `lines of many threads reach standard error complete`() throws {
        let folder = try TemporaryFolder()
        let file = try FileDescriptor.open(
            folder.path("stderr"), O_WRONLY | O_CREAT, mode: 0o600)
        let sink = StandardErrorSink(descriptor: file.rawValue)
        inThreads(8) { thread in
            for number in 0..<50 { sink.append(Array("\(thread * 50 + number)\n".utf8).span) }
        }
        sink.flush(within: 60)
        let lines = try #require(completeLines(folder.text("stderr"))).compactMap { Int($0) }
        #expect(lines.sorted() == Array(0..<400))
        for thread in 0..<8 {
            let own = lines.filter { $0 / 50 == thread }
            #expect(own == own.sorted())
        }
    }

    @Test(arguments: [true, false])
    func `an unread standard error blocks no commit, and the lost lines are counted`(blocks: Bool)
        throws
    {
        let pipe = try blocks ? blockingPipe() : Pipe()
        _ = fcntl(pipe.readingEnd.rawValue, F_SETFL, 0)
        let folder = try TemporaryFolder()
        let logger = try Logger(
            LogOptions(path: folder.path("app.log")), clock: .fixed(someTime),
            standardErrorDescriptor: pipe.writingEnd.rawValue)
        // 400 KB of lines; the pipe and the sink hold 64 KiB each.
        for number in 0..<4000 {
            logger.record(Note(number, level: .warning))
            logger.record(Note(number, padding: 40))
            if number % 100 == 0 { #expect(logger.commit() == .written) }
        }
        #expect(logger.commit() == .written)
        let inFile = numbers(try #require(completeLines(folder.text("app.log"))))
        #expect(inFile == (0..<4000).flatMap { [$0, $0] })

        let lines = try read(pipe.readingEnd) { numbers($0).count + dropped($0) >= 4000 }
        #expect(numbers(lines).count + dropped(lines) == 4000)
        #expect(dropped(lines) > 0)
        #expect(numbers(lines) == numbers(lines).sorted())
        #expect(numbers(lines).prefix(1000) == Array(0..<1000)[...])

        // Later lines arrive as usual.
        logger.record(Note(4000, level: .warning))
        #expect(
            try read(pipe.readingEnd) { !$0.isEmpty }
                == [someStamp + "WARNING | app | note n=4000"])
        #expect(logger.stop() == 0)
    }

    @Test func `an unread standard error does not prevent a stop`() throws {
        let pipe = try blockingPipe()
        let folder = try TemporaryFolder()
        let logger = try Logger(
            LogOptions(path: folder.path("app.log")), clock: .fixed(someTime),
            standardErrorDescriptor: pipe.writingEnd.rawValue)
        for number in 0..<2000 { logger.record(Note(number, level: .warning)) }
        #expect(logger.stop() == 0)
        let lines = try read(pipe.readingEnd) { numbers($0).count + dropped($0) >= 2000 }
        #expect(numbers(lines).count + dropped(lines) == 2000)
        #expect(logger.stop() == 0)
    }

    @Test
    func `a file that cannot be written is reported on standard error at once, once`() throws {
        let pipe = try blockingPipe()
        let folder = try TemporaryFolder()
        let disk = Disk()
        disk.fail(with: .noSpace)
        let logger = try Logger(
            LogOptions(path: folder.path("app.log")), clock: .fixed(someTime),
            fileSystem: disk.fileSystem, standardErrorDescriptor: pipe.writingEnd.rawValue)
        logger.record(Note(1, level: .critical))
        for _ in 0..<3 { #expect(logger.commit() == .failed(.noSpace)) }
        let lines = try read(pipe.readingEnd) { $0.count == 2 }
        #expect(
            lines == [
                someStamp + "ERROR | log | log_failed reason=\"No space left on device\"",
                someStamp + "CRITICAL | app | note n=1",
            ])
    }
}

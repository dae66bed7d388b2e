import Glibc
import Logging
import POSIX

/// The last lines of a log, and those that come: each line once and in order, however often the file
/// is rotated meanwhile.
///
/// Theory. One file is open, and `offset` is where its first line begins that was not given out. A
/// poll reads from there to the end; what stands behind the last line end is read again the next
/// time, because a line that is torn may be taken back by who wrote it. When the path is another file
/// than the open one, the next file is found: the full file with the lowest number that is not read
/// yet, or else the one at the path. It is taken only when it holds something, since until then the
/// open one may still be written to, as logrotate does it; then the open one is read to its end once
/// more, and let go.
///
/// The path is opened before the full files are listed. If it is rotated between the two, it is among
/// them under its number, and known by its inode.
package struct LogTail: ~Copyable {
    /// What an operator chooses.
    package struct Options: Sendable {
        /// The file that is being written.
        package var path: String
        /// How many of the lines that are there are given out first; of those that pass the filter.
        package var lines = 10
        /// Goes on with the lines that come, and waits for the file if it is not there.
        package var follow = true
        /// Colours lines by their level, with ANSI escapes.
        package var isColored = false
        package var filter = LogFilter()

        package init(path: String) { self.path = path }
    }

    package enum Progress: Sendable, Equatable {
        /// Everything that is there was given out.
        case caughtUp
        /// There may be more at once.
        case behind
    }

    /// Bytes that one poll reads, about: so that what it gives out has a bound, and a log that grows
    /// faster than it is read does not keep it for ever.
    private static let bytesInOnePoll = 1024 * 1024

    /// A class, because a value that cannot be copied cannot be looked at inside an optional.
    private final class OpenFile {
        let file: FileDescriptor
        let identity: FileIdentity
        /// When it was opened.
        let size: Int

        init(_ file: consuming FileDescriptor, _ status: FileStatus) {
            self.file = file
            identity = FileIdentity(status)
            size = status.size
        }
    }

    private let options: Options
    private var open: OpenFile?
    private var offset = 0
    /// Full files up to this number are read, or older than what was asked for.
    private var number = 0
    private var buffer = LineBuffer()

    /// Finds where the last lines begin.
    /// - Throws: also if there is no file, unless it is to be waited for.
    package init(_ options: Options) throws(ReadingError) {
        self.options = options
        let current = try Self.openFile(options.path)
        var full = try fullFiles()
        if let identity = current?.identity,
            let own = full.firstIndex(where: { $0.identity == identity })
        {
            // Rotated just now, and followed by those after it, which come later.
            full.removeSubrange(own...)
        }
        if current == nil, full.isEmpty, !options.follow {
            throw .file(path: options.path, .isNotThere)
        }
        number = full.last?.number ?? 0
        var missing = options.lines
        if let found = current {
            let end = try LastLines.find(
                missing, in: found.file, found.size, options.path, endsOpen: true, options.filter)
            missing -= end.count
            offset = end.offset
            open = found
        }
        for file in full.reversed() where missing > 0 {
            guard let found = try Self.openFile(file.path) else { break }
            let end = try LastLines.find(
                missing, in: found.file, found.size, file.path, endsOpen: false, options.filter)
            missing -= end.count
            guard end.count > 0 else { continue }
            offset = end.offset
            number = file.number
            open = found
        }
    }

    /// Follows the log until `pause`, which is called whenever there is nothing more, returns false,
    /// or until nobody reads the output any more.
    /// - Parameters:
    ///   - output: a descriptor that stays the caller's.
    ///   - pause: without one, 200 milliseconds.
    package static func run(
        _ options: Options, to output: CInt, pause: (() -> Bool)? = nil
    ) throws(ReadingError) {
        let output = Output(output)
        var tail = try LogTail(options)
        var bytes: [UInt8] = []
        while true {
            let progress = try tail.poll(into: &bytes)
            guard try output.write(bytes.span) else { return }
            bytes.removeAll(keepingCapacity: true)
            if progress == .behind { continue }
            guard options.follow, pause?() ?? output.waitWhileRead(200) else { return }
        }
    }

    /// Appends the lines that have come, each with its line end.
    package mutating func poll(into output: inout [UInt8]) throws(ReadingError) -> Progress {
        var budget = Self.bytesInOnePoll
        while true {
            guard try drain(&budget, into: &output) else { return .behind }
            guard let next = try findNext() else { return .caughtUp }
            // What was written before the next file had its first byte.
            guard try drain(&budget, into: &output) else { return .behind }
            if case .whole(let line)? = buffer.takeRest() {
                give(buffer.bytes(of: line), to: &output)
            }
            if let full = next.number { number = full }
            open = next.file
            offset = 0
            buffer.clear()
        }
    }

    // MARK: Reading

    /// Gives out the open file's lines up to its end. False if the budget was not enough.
    private mutating func drain(
        _ budget: inout Int, into output: inout [UInt8]
    ) throws(ReadingError) -> Bool {
        guard let open else { return true }
        buffer.dropRest()
        let size = try Self.reading(options.path) { () throws(Errno) in
            try open.file.status().size
        }
        if size < offset {
            // Somebody has emptied it.
            offset = 0
            buffer.clear()
        }
        var position = offset
        defer { offset = position - buffer.count }
        while budget > 0 {
            let start = position
            let count = try Self.reading(options.path) { () throws(Errno) in
                try buffer.fill { room throws(Errno) in
                    try readAt(start, of: open.file.number, into: &room)
                }
            }
            position += count
            budget -= count
            while let line = buffer.next() {
                if case .whole(let line) = line { give(buffer.bytes(of: line), to: &output) }
            }
            if count == 0 { return true }
        }
        return false
    }

    private func give(_ line: Span<UInt8>, to output: inout [UInt8]) {
        var color: StaticString?
        if !options.filter.isEmpty || options.isColored {
            if let entry = LogEntry(line) {
                guard options.filter.accepts(entry) else { return }
                color = options.isColored ? Self.color(entry.level) : nil
            } else if !options.filter.isEmpty {
                return
            }
        }
        if let color { output += Array("\(color)".utf8) }
        EscapedText.append(line: line, to: &output)
        if color != nil { output += Array("\u{1B}[0m".utf8) }
        output.append(UInt8(ascii: "\n"))
    }

    private static func color(_ level: Level) -> StaticString? {
        switch level {
        case .debug: "\u{1B}[2m"
        case .info: nil
        case .warning: "\u{1B}[33m"
        case .error: "\u{1B}[31m"
        case .critical: "\u{1B}[1;31m"
        }
    }

    // MARK: Files

    private struct Full {
        let number: Int
        let path: String
        let identity: FileIdentity
    }

    /// The file behind the open one; nil while that may still be written to.
    private mutating func findNext() throws(ReadingError) -> (file: OpenFile, number: Int?)? {
        let own = open?.identity
        if let own, try FileIdentity(path: options.path) == own { return nil }
        let current = try Self.openFile(options.path)
        let full = try fullFiles()
        // The open file has become a full one.
        if let own, let place = full.last(where: { $0.identity == own }) { number = place.number }
        if let next = full.first(where: { $0.number > number && $0.identity != own }) {
            // Not there if it has been removed since; then the next poll looks again.
            guard let file = try Self.openFile(next.path) else { return nil }
            return (file, next.number)
        }
        guard let file = current, file.identity != own, own == nil || file.size > 0 else {
            return nil
        }
        return (file, nil)
    }

    /// The full files that can be read from any place, from the oldest to the newest.
    private func fullFiles() throws(ReadingError) -> [Full] {
        var files: [Full] = []
        for file in try LogFiles.full(of: options.path) where !file.isCompressed {
            guard let identity = try FileIdentity(path: file.path) else { continue }
            files.append(Full(number: file.number, path: file.path, identity: identity))
        }
        return files
    }

    /// Nil if there is no such file.
    private static func openFile(_ path: String) throws(ReadingError) -> OpenFile? {
        do throws(Errno) {
            // Whatever it is, opening it must not wait.
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
            let status = try file.status()
            if status.isRegularFile { return OpenFile(file, status) }
        } catch {
            guard error == .isNotThere else { throw .file(path: path, error) }
            return nil
        }
        throw .notAFile(path: path)
    }

    private static func reading<Result>(
        _ path: String, _ body: () throws(Errno) -> Result
    ) throws(ReadingError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw .file(path: path, error)
        }
    }
}

/// Reads at a place of a file, without moving anything.
func readAt(
    _ offset: Int, of descriptor: CInt, into room: inout MutableSpan<UInt8>
) throws(Errno) -> Int {
    try unsafe room.withUnsafeMutableBytes { bytes throws(Errno) in
        try retryingOnInterrupt {
            unsafe pread(descriptor, bytes.baseAddress, bytes.count, offset)
        }
    }
}

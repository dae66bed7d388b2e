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
///
/// Where the file at the path has too few lines for the beginning, the others of the log are read
/// first, those that were moved or packed too (`LogSet`); they are all open from the start.
package struct LogTail: ~Copyable {
    /// What an operator chooses.
    package struct Options: Sendable {
        /// The file that is being written.
        package var path: String
        /// How its files are opened.
        package var access: LogAccess
        /// How many of the lines that are there are given out first; of those that pass the filter.
        package var lines = 10
        /// Goes on with the lines that come, and waits for the file if it is not there.
        package var follow = true
        /// Colours lines by their level, with ANSI escapes.
        package var isColored = false
        package var filter = LogFilter()
        /// Of the keys that the log is sealed with; nil to take any for one of them. They decide
        /// which of the files that were moved away are part of the log.
        package var keyIDs: [String]?

        package init(path: String, _ access: LogAccess = .configured) {
            self.path = path
            self.access = access
        }
    }

    package enum Progress: Sendable, Equatable {
        /// Everything that is there was given out.
        case caughtUp
        /// There may be more at once.
        case moreAvailable
    }

    /// Bytes that one poll reads, about: so that what it gives out has a bound, and a log that grows
    /// faster than it is read does not keep it for ever.
    private static let bytesInOnePoll = 1024 * 1024

    private let options: Options
    private var open: LogFile?
    private var offset = 0
    /// What stands at `offset` is a further piece of a line that is too long to be one.
    private var isInsideLine = false
    /// Full files up to this number are read, or older than what was asked for.
    private var number = 0
    /// What is read before the open file.
    private var earlier: [Earlier] = []
    /// Of the first of them.
    private var earlierLines: LineReader?

    private struct Earlier {
        let file: LogFile
        /// Where the first line begins that is given out; 0 for a packed file.
        var offset: Int
        /// Lines of a packed file that are passed over, of those that pass the filter.
        var skipped = 0
    }

    /// Finds where the last lines begin.
    /// - Throws: also if there is no file, unless it is to be waited for.
    package init(_ options: Options) throws(ReadingError) {
        self.options = options
        let set = LogSet(of: options.path, options.access, keyIDs: options.keyIDs)
        if let problem = set.problems.first { throw problem.error }
        if set.files.isEmpty, !options.follow {
            throw .file(path: options.path, .noSuchFileOrDirectory)
        }
        var files = set.files
        number = files.compactMap { LogFiles.name(of: $0.path).number }.max() ?? 0
        // A file that was moved away may still be written to, until the next one has a line.
        let isLastOpen = set.current == nil || set.current?.size == 0
        if set.current != nil, isLastOpen, files.count > 1 { files.removeLast() }
        var missing = options.lines
        if let last = files.last, !LogFiles.isPacked(last.path) {
            guard last.status.isRegularFile else { throw .notAFile(path: last.path) }
            files.removeLast()
            let end = try LastLines.find(missing, in: last, endsOpen: true, options.filter)
            missing -= end.count
            offset = end.offset
            open = last
            if isLastOpen, let full = LogFiles.name(of: last.path).number { number = full }
        }
        while missing > 0, let file = files.popLast() {
            let found = try lastLines(missing, in: file)
            guard found.count > 0 else { continue }
            missing -= found.count
            earlier.insert(found.earlier, at: 0)
        }
    }

    private func lastLines(
        _ count: Int, in file: LogFile
    ) throws(ReadingError) -> (earlier: Earlier, count: Int) {
        if !LogFiles.isPacked(file.path) {
            let end = try LastLines.find(count, in: file, endsOpen: false, options.filter)
            return (Earlier(file: file, offset: end.offset), end.count)
        }
        var lines = LineReader(file.bytes())
        var total = 0
        do throws(Errno) {
            while let line = try lines.next() {
                if accepts(line) { total += 1 }
            }
        } catch {
            throw ReadingError(file.path, error)
        }
        let skipped = max(0, total - count)
        return (Earlier(file: file, offset: 0, skipped: skipped), total - skipped)
    }

    /// Whether `give` shows the line.
    private func accepts(_ line: borrowing LineReader.Line) -> Bool {
        guard line.isShort else { return false }
        if options.filter.isEmpty { return true }
        guard let entry = LogEntry(line.bytes) else { return false }
        return options.filter.accepts(entry)
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
            if progress == .moreAvailable { continue }
            guard options.follow, pause?() ?? output.waitWhileRead(200) else { return }
        }
    }

    /// Appends the lines that have come, each with its line end.
    package mutating func poll(into output: inout [UInt8]) throws(ReadingError) -> Progress {
        var budget = Self.bytesInOnePoll
        while !earlier.isEmpty {
            guard try drainEarlier(&budget, into: &output) else { return .moreAvailable }
        }
        while true {
            guard try drain(&budget, into: &output) else { return .moreAvailable }
            guard let next = try findNext() else { return .caughtUp }
            // What was written before the next file had its first byte; nobody will end its last
            // line any more.
            guard try drain(&budget, into: &output, isEnd: true) else { return .moreAvailable }
            if let full = next.number { number = full }
            open = next.file
            offset = 0
            isInsideLine = false
        }
    }

    // MARK: Reading

    /// Gives out the lines of the first of the earlier files. False if the budget was not enough.
    private mutating func drainEarlier(
        _ budget: inout Int, into output: inout [UInt8]
    ) throws(ReadingError) -> Bool {
        let file = earlier[0].file
        var lines: LineReader
        if let begun = earlierLines.take() {
            lines = begun
        } else {
            let offset = earlier[0].offset
            lines = LineReader(offset > 0 ? FileBytes(file, from: offset) : file.bytes())
        }
        do throws(Errno) {
            while budget > 0 {
                guard let line = try lines.next() else {
                    earlier.removeFirst()
                    return true
                }
                budget -= line.raw.count
                guard accepts(line) else { continue }
                if earlier[0].skipped > 0 {
                    earlier[0].skipped -= 1
                } else {
                    give(line.bytes, to: &output)
                }
            }
        } catch {
            throw ReadingError(file.path, error)
        }
        earlierLines = consume lines
        return false
    }

    /// Gives out the open file's lines up to its end. False if the budget was not enough.
    /// - Parameter isEnd: also a last line without an end.
    private mutating func drain(
        _ budget: inout Int, into output: inout [UInt8], isEnd: Bool = false
    ) throws(ReadingError) -> Bool {
        guard let open else { return true }
        do throws(Errno) {
            let size = try open.descriptor.status().size
            if size < offset {
                // Somebody has emptied it.
                offset = 0
                isInsideLine = false
            }
            if size == offset { return true }
            var lines = LineReader(FileBytes(open, from: offset), isInsideLine: isInsideLine)
            while budget > 0 {
                guard let line = try lines.next() else { return true }
                if line.isWhole || isEnd && line.isShort { give(line.bytes, to: &output) }
                if line.ending == .endOfInput, !isEnd { return true }
                budget -= line.raw.count
                offset += line.raw.count
                isInsideLine = line.ending == .longer
            }
        } catch {
            throw ReadingError(options.path, error)
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
        let status: FileStatus
    }

    /// The file behind the open one; nil while that may still be written to.
    private mutating func findNext() throws(ReadingError) -> (file: LogFile, number: Int?)? {
        if let open, open.isAt(options.path, options.access) { return nil }
        let current = try openFile(options.path)
        let full = try fullFiles()
        func isOpen(_ status: FileStatus) -> Bool { open?.status.isSameFile(as: status) == true }
        // The open file has become a full one.
        if let place = full.last(where: { isOpen($0.status) }) { number = place.number }
        if let next = full.first(where: { $0.number > number && !isOpen($0.status) }) {
            // Not there if it has been removed since; then the next poll looks again.
            return try openFile(next.path).map { ($0, next.number) }
        }
        guard let current, !isOpen(current.status), open == nil || current.status.size > 0 else {
            return nil
        }
        return (current, nil)
    }

    /// The full files that can be read from any place, from the oldest to the newest.
    private func fullFiles() throws(ReadingError) -> [Full] {
        var files: [Full] = []
        for file in try LogFiles(of: options.path).full where !LogFiles.isPacked(file.path) {
            do throws(Errno) {
                let status = try options.access.status(of: file.path)
                files.append(Full(number: file.number, path: file.path, status: status))
            } catch {
                guard error == .noSuchFileOrDirectory else { throw ReadingError(file.path, error) }
            }
        }
        return files
    }

    /// Nil if there is no such file.
    private func openFile(_ path: String) throws(ReadingError) -> LogFile? {
        guard let file = try LogFile.ifThere(path, options.access) else { return nil }
        guard file.status.isRegularFile else { throw .notAFile(path: path) }
        return file
    }
}

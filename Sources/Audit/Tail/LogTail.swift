import Glibc
import Logging
import POSIX

/// The last lines of a log, and those that follow: each line once and in order, even if the file is
/// rotated in the meantime.
///
/// Theory. One file is open, and `offset` is the start of the first line that was not emitted. A
/// poll reads from there to the end of the file. Bytes after the last line end are read again at
/// the next poll, because the writer may take back a torn line. When the path leads to another file
/// than the open one, the next file is found: the full file with the lowest number that is not read
/// yet, or else the file at the path. The tail switches to it only when it is not empty, because
/// until then the open file may still be written to, as after a rotation by logrotate. Before it
/// switches, it reads the open file to its end once more.
///
/// The path is opened before the full files are listed. If it is rotated between the two, it is in
/// the list under its number, and recognized by its inode.
///
/// If the current file has too few lines for the beginning, the log's other files are read first,
/// including moved and packed ones (`LogSet`). All of these are opened at the start.
package struct LogTail: ~Copyable {
    /// The options of `log tail`.
    package struct Options: Sendable {
        /// The path of the current file.
        package var path: String
        /// How the files are opened.
        package var access: LogAccess
        /// The number of existing lines to emit first; only lines that pass the filter count.
        package var lines = 10
        /// Continue with new lines, and wait for the file if it does not exist.
        package var follow = true
        /// Color lines by their level, with ANSI escape sequences.
        package var isColored = false
        package var filter = LogFilter()
        /// IDs of the keys that seal the log; nil to accept any key. They decide which of the files
        /// that were moved away are part of the log.
        package var keyIDs: [String]?

        package init(path: String, _ access: LogAccess = .configured) {
            self.path = path
            self.access = access
        }
    }

    package enum Progress: Sendable, Equatable {
        /// Everything in the log was emitted.
        case caughtUp
        /// There may be more already.
        case moreAvailable
    }

    /// The approximate number of bytes that one poll reads. The limit bounds the output of a poll,
    /// and a poll returns even if the log grows faster than it is read.
    private static let bytesInOnePoll = 1024 * 1024

    private let options: Options
    private var open: LogFile?
    private var offset = 0
    /// The bytes at `offset` continue a line that exceeds the length limit.
    private var isInsideLine = false
    /// Full files up to this number are read, or older than the requested lines.
    private var number = 0
    /// The files to read before the open one.
    private var earlier: [Earlier] = []
    /// The reader of the first of these files.
    private var earlierLines: LineReader?

    private struct Earlier {
        let file: LogFile
        /// Start of the first line to emit; 0 for a packed file.
        var offset: Int
        /// The number of matching lines to skip in a packed file.
        var skipped = 0
    }

    /// Finds the start of the last lines.
    /// - Throws: `ReadingError`, also if the file does not exist and `options.follow` is false.
    package init(_ options: Options) throws(ReadingError) {
        self.options = options
        let set = LogSet(of: options.path, options.access, keyIDs: options.keyIDs)
        if let problem = set.problems.first { throw problem.error }
        if set.files.isEmpty, !options.follow {
            throw .file(path: options.path, .noSuchFileOrDirectory)
        }
        var files = set.files
        number = files.compactMap { LogFiles.name(of: $0.path).number }.max() ?? 0
        // A file that was moved away may still be written to until the next file has a line.
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

    /// Whether `emit` shows the line.
    private func accepts(_ line: borrowing LineReader.Line) -> Bool {
        guard line.isShort else { return false }
        if options.filter.isEmpty { return true }
        guard let entry = LogEntry(line.bytes) else { return false }
        return options.filter.accepts(entry)
    }

    /// Follows the log until `pause` returns false or the reader of the output has gone.
    /// - Parameters:
    ///   - output: a file descriptor; the caller remains its owner.
    ///   - pause: called when there is nothing more to emit. By default, it waits for 200
    ///     milliseconds.
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

    /// Appends the new lines, each with its line end.
    package mutating func poll(into output: inout [UInt8]) throws(ReadingError) -> Progress {
        var budget = Self.bytesInOnePoll
        while !earlier.isEmpty {
            guard try drainEarlier(&budget, into: &output) else { return .moreAvailable }
        }
        while true {
            guard try drain(&budget, into: &output) else { return .moreAvailable }
            guard let next = try findNext() else { return .caughtUp }
            // The next file has content, so this one is complete: also emit a last line without an
            // end.
            guard try drain(&budget, into: &output, isEnd: true) else { return .moreAvailable }
            if let full = next.number { number = full }
            open = next.file
            offset = 0
            isInsideLine = false
        }
    }

    // MARK: Reading

    /// Emits the lines of the first of the earlier files. Returns false if the budget was
    /// exhausted.
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
                    emit(line.bytes, to: &output)
                }
            }
        } catch {
            throw ReadingError(file.path, error)
        }
        earlierLines = consume lines
        return false
    }

    /// Emits the open file's lines up to its end. Returns false if the budget was exhausted.
    /// - Parameter isEnd: also emit a last line without a line end.
    private mutating func drain(
        _ budget: inout Int, into output: inout [UInt8], isEnd: Bool = false
    ) throws(ReadingError) -> Bool {
        guard let open else { return true }
        do throws(Errno) {
            let size = try open.descriptor.status().size
            if size < offset {
                // The file was truncated.
                offset = 0
                isInsideLine = false
            }
            if size == offset { return true }
            var lines = LineReader(FileBytes(open, from: offset), isInsideLine: isInsideLine)
            while budget > 0 {
                guard let line = try lines.next() else { return true }
                if line.isWhole || isEnd && line.isShort { emit(line.bytes, to: &output) }
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

    private func emit(_ line: Span<UInt8>, to output: inout [UInt8]) {
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

    /// The file after the open one; nil while the open one may still be written to.
    private mutating func findNext() throws(ReadingError) -> (file: LogFile, number: Int?)? {
        if let open, open.isAt(options.path, options.access) { return nil }
        let current = try openFile(options.path)
        let full = try fullFiles()
        func isOpen(_ status: FileStatus) -> Bool { open?.status.isSameFile(as: status) == true }
        // The open file has become a full one.
        if let place = full.last(where: { isOpen($0.status) }) { number = place.number }
        if let next = full.first(where: { $0.number > number && !isOpen($0.status) }) {
            // It may have been removed in the meantime; then the next poll looks again.
            return try openFile(next.path).map { ($0, next.number) }
        }
        guard let current, !isOpen(current.status), open == nil || current.status.size > 0 else {
            return nil
        }
        return (current, nil)
    }

    /// The full files that are not packed, from the oldest to the newest.
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

    /// Returns nil if the file does not exist.
    private func openFile(_ path: String) throws(ReadingError) -> LogFile? {
        guard let file = try LogFile.ifThere(path, options.access) else { return nil }
        guard file.status.isRegularFile else { throw .notAFile(path: path) }
        return file
    }
}

import POSIX

/// Finds the start of the last lines of a file by reading backwards from the end. The cost depends
/// on the lines that are examined, not on the length of the file.
struct LastLines: ~Copyable {
    /// Bytes for the longest line and the line end before it, with a margin.
    private static let window = 2 * LineReader.longestLine

    private let file: LogFile
    private var bytes = [UInt8](repeating: 0, count: LastLines.window)
    /// The range of the file that `bytes` holds.
    private var loaded = 0..<0

    private init(_ file: LogFile) { self.file = file }

    /// - Parameters:
    ///   - count: the number of lines that pass the filter.
    ///   - endsOpen: true if a last line without a line end does not count as a line.
    /// - Returns: the offset of the first of these lines, and their number.
    static func find(
        _ count: Int, in file: LogFile, endsOpen: Bool, _ filter: LogFilter
    ) throws(ReadingError) -> (offset: Int, count: Int) {
        var lines = LastLines(file)
        do throws(Errno) {
            return try lines.find(count, file.status.size, endsOpen, filter)
        } catch {
            throw ReadingError(file.path, error)
        }
    }

    private mutating func find(
        _ count: Int, _ size: Int, _ endsOpen: Bool, _ filter: LogFilter
    ) throws(Errno) -> (offset: Int, count: Int) {
        // Start of the line that was examined last.
        var offset = try start(ofLineAt: size)
        var found = 0
        var result = endsOpen ? offset : size
        if !endsOpen, offset < size, found < count, accepts(offset..<size, filter) {
            found += 1
            result = offset
        }
        while found < count, offset > 0 {
            let end = offset - 1
            offset = try start(ofLineAt: end)
            guard accepts(offset..<end, filter) else { continue }
            found += 1
            result = offset
        }
        return (result, found)
    }

    /// The offset after the last line end before `end`. Afterwards `bytes` holds everything in
    /// between, unless that is too long for a line.
    private mutating func start(ofLineAt end: Int) throws(Errno) -> Int {
        let wanted = max(0, end - LineReader.longestLine - 1)..<end
        if wanted.lowerBound < loaded.lowerBound || end > loaded.upperBound {
            try load(upTo: end)
        }
        var searchEnd = end
        while searchEnd <= loaded.upperBound {
            let start = loaded.lowerBound
            if let found = bytes.span.lastIndex(
                of: UInt8(ascii: "\n"), in: 0..<(searchEnd - start))
            {
                return start + found + 1
            }
            if start == 0 { return 0 }
            searchEnd = start
            try load(upTo: searchEnd)
        }
        // The file was truncated meanwhile: only its beginning is certain.
        return 0
    }

    private mutating func load(upTo end: Int) throws(Errno) {
        let start = max(0, end - Self.window)
        var count = 0
        while count < end - start {
            let have = count
            let file = file
            var all = bytes.mutableSpan
            var target = all._mutatingExtracting(have..<(end - start))
            let more = try file.descriptor.read(into: &target, at: start + have)
            if more == 0 { break }
            count += more
        }
        loaded = start..<(start + count)
    }

    private func accepts(_ line: Range<Int>, _ filter: LogFilter) -> Bool {
        guard line.count <= LineReader.longestLine, line.lowerBound >= loaded.lowerBound,
            line.upperBound <= loaded.upperBound
        else { return false }
        if filter.isEmpty { return true }
        let start = loaded.lowerBound
        guard
            let entry = LogEntry(
                bytes.span.extracting((line.lowerBound - start)..<(line.upperBound - start)))
        else { return false }
        return filter.accepts(entry)
    }
}

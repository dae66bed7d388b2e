import Logging

/// A line in one of the files; the files are numbered in the order of the log, from 0.
struct LinePosition: Sendable, Comparable {
    var file: Int
    /// Counts from 1; 0 if the position is the file as a whole.
    var line: Int

    static func < (a: LinePosition, b: LinePosition) -> Bool { (a.file, a.line) < (b.file, b.line) }
}

/// Lines between a server's shutdown seal and the first line of the next run.
struct LinesAfterShutdown: Sendable {
    let first: LinePosition
    var last: LinePosition
    var count = 1
}

/// Lines that were already in the file when a server started, and that the start sealed. A server
/// that was killed wrote them, or anyone with write access to the file.
struct FoundLines: Sendable {
    var first: LinePosition
    var last: LinePosition

    /// - Parameter end: the line after the last one. The initializer returns nil if that is `first`
    ///   or is in another file.
    init?(first: LinePosition, upTo end: LinePosition) {
        guard first.file == end.file, first.line < end.line else { return nil }
        self.first = first
        last = LinePosition(file: end.file, line: end.line - 1)
    }

    var count: Int { last.line - first.line + 1 }

    static func joining(_ a: FoundLines?, _ b: FoundLines?) -> FoundLines? {
        guard var joined = a, let b else { return a ?? b }
        joined.first = min(joined.first, b.first)
        joined.last = max(joined.last, b.last)
        return joined
    }
}

/// What the lines under one seal report.
struct SegmentSummary: Sendable {
    /// The kind of the file's first line, if the segment begins with that line.
    var opening: ControlLine?
    /// The number of server starts.
    var startCount = 0
    /// Lines that a start found and sealed. No evidence shows who wrote them.
    var found: FoundLines?
    /// Lines where a server reports that it found bytes that no server wrote, and the file that it
    /// moved them to.
    var foreign: [(position: LinePosition, file: String)] = []
    var repairedLineCount = 0
    /// The last sequence number that retention has removed, as the server reported it.
    var removedThrough: UInt64?
    /// The same, but reported by a line that a start found.
    var foundRemovedThrough: UInt64?
    var linesAfterShutdown: LinesAfterShutdown?

    /// - Parameters:
    ///   - position: the position of the notice.
    ///   - first: the first line of the segment.
    ///   - lineCount: the number of lines in the segment before this one.
    mutating func take(
        _ notice: ControlLine, at position: LinePosition, first: LinePosition,
        after lineCount: UInt64
    ) {
        switch notice {
        case .opened:
            startCount += 1
            // A start that has to rotate at once writes the first line of the new file before its
            // own.
            let isOwn = lineCount == 0 || lineCount == 1 && isFileWhole
            found = isOwn ? nil : FoundLines(first: first, upTo: position)
            disbelieveRemoval()
        case .foreign(let file): if foreign.count < 100 { foreign.append((position, file)) }
        case .repairedPartialLine: repairedLineCount += 1
        case .removed(let sequence): removedThrough = Self.further(removedThrough, sequence)
        case .seal, .reopened, .rotated, .recovered: break
        }
    }

    /// The writer seals its report of a removal at once, with the seal reason `rotate`, and only
    /// then removes files. Under any other seal the report is not trusted. A start that seals what
    /// it found before it writes its own line vouches for none of it.
    ///
    /// - Parameters:
    ///   - position: the position of the seal.
    ///   - first: the first line of the segment.
    mutating func close(with seal: SealLine, at position: LinePosition, first: LinePosition) {
        if seal.reason != .rotate { disbelieveRemoval() }
        if seal.reason == .found || seal.reason == .start && startCount == 0 {
            found = FoundLines(first: first, upTo: position)
        }
    }

    private mutating func disbelieveRemoval() {
        foundRemovedThrough = Self.further(foundRemovedThrough, removedThrough)
        removedThrough = nil
    }

    /// Whether the segment begins with a line that only begins files: then nothing is missing at
    /// the beginning of the file.
    var isFileWhole: Bool { opening?.beginsFile ?? false }

    mutating func addLineAfterShutdown(at position: LinePosition) {
        linesAfterShutdown =
            linesAfterShutdown ?? LinesAfterShutdown(first: position, last: position, count: 0)
        linesAfterShutdown?.last = position
        linesAfterShutdown?.count += 1
    }

    mutating func add(_ other: SegmentSummary) {
        startCount += other.startCount
        found = FoundLines.joining(found, other.found)
        foreign += other.foreign.prefix(100 - min(100, foreign.count))
        repairedLineCount += other.repairedLineCount
        removedThrough = Self.further(removedThrough, other.removedThrough)
        foundRemovedThrough = Self.further(foundRemovedThrough, other.foundRemovedThrough)
        linesAfterShutdown = linesAfterShutdown ?? other.linesAfterShutdown
    }

    static func further(_ a: UInt64?, _ b: UInt64?) -> UInt64? {
        guard let a, let b else { return a ?? b }
        return max(a, b)
    }
}

/// What was found at the end of a segment, or where the end should be.
enum SegmentResult: Sendable {
    case sealed(SealedSegment)
    case failed(FailedSegment)
    /// A line that was a seal and no longer is one.
    case damaged(from: LinePosition, to: LinePosition)
    /// A file other than the last ends in lines that no seal covers.
    case unsealed(UnsealedLines)
}

/// A segment whose seal has a correct code. Its place in the chain is not checked yet.
struct SealedSegment: Sendable {
    enum MatchMode: Sendable {
        /// Every line since the previous seal.
        case plain
        /// Every line, except those that look like seals: they were inserted.
        case withoutFailures
        /// Every line, and those that look like seals are ordinary lines.
        case withFailures
        /// Every line, and the previous seal too. The process that wrote that seal died before its
        /// line end, and the next process treated it as an ordinary line.
        case withSealBefore
    }

    let seal: SealLine
    let matchMode: MatchMode
    let first: LinePosition
    /// The position of the seal.
    let last: LinePosition
    let facts: SegmentSummary
}

/// A seal that does not match the lines before it.
struct FailedSegment: Sendable {
    let seal: SealLine
    let keyIsKnown: Bool
    /// The previous seal was torn before its line end and is one of these lines.
    let holdsSealBefore: Bool
    var first: LinePosition
    var last: LinePosition
    let lineCount: UInt64
    let sum: UInt64
    let opening: ControlLine?
    /// One of the lines looks like a damaged seal.
    let holdsDamagedSeal: Bool

    /// Whether the line count and the checksum match. Both can be computed without the key, so this
    /// proves nothing.
    var looksRight: Bool { lineCount == seal.lineCount && sum == seal.sum }
}

/// Seals that are no longer recognized because the line ends were changed to CR LF.
struct SealsWithCRLF: Sendable {
    let first: UInt64
    var last: UInt64
    let previous: SealMAC
    var code: SealMAC
}

struct UnsealedLines: Sendable {
    let first: LinePosition
    let last: LinePosition
    let isTorn: Bool
    let holdsDamagedSeal: Bool
    let strays: LinesAfterShutdown?
    var converted: SealsWithCRLF?
    var count: Int { last.line - first.line + 1 }
}

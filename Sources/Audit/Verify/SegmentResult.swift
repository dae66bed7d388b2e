import Logging

/// A line of one of the files, by the file's place in the order of the log.
struct LinePosition: Sendable, Comparable {
    var file: Int
    /// From 1; 0 where the file has none.
    var line: Int

    static func < (a: LinePosition, b: LinePosition) -> Bool { (a.file, a.line) < (b.file, b.line) }
}

/// Lines between the seal of a server's stop and the first line of the next.
struct LinesAfterShutdown: Sendable {
    let first: LinePosition
    var last: LinePosition
    var count = 1
}

/// Lines under the seal of a start that were there before it: a server that was killed wrote them,
/// or anyone who can write the file.
struct FoundLines: Sendable {
    var first: LinePosition
    var last: LinePosition

    /// - Parameter end: the line after the last; nil is returned if that is the first.
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

/// What stands under one seal, as its lines tell.
struct SegmentSummary: Sendable {
    /// The file's first line, if the segment begins with it.
    var opening: ControlLine?
    /// Starts of a server.
    var startCount = 0
    /// Lines that a start found and sealed: no process can tell who wrote them.
    var found: FoundLines?
    /// Where a server says that it found bytes that no server wrote, and the file where they are.
    var foreign: [(spot: LinePosition, file: String)] = []
    var mendedCount = 0
    /// How far retention has removed the log, by the server's own word.
    var removedThrough: UInt64?
    /// The same, by a line that a start found.
    var foundRemovedThrough: UInt64?
    var strays: LinesAfterShutdown?

    /// - Parameters:
    ///   - spot: the notice's line.
    ///   - first: the first line of the segment.
    ///   - lineCount: lines of the segment before this one.
    mutating func take(
        _ notice: ControlLine, at spot: LinePosition, first: LinePosition, after lineCount: UInt64
    ) {
        switch notice {
        case .opened:
            startCount += 1
            // A start that needs a new file at once begins that with its own line.
            let isOwn = lineCount == 0 || lineCount == 1 && isFileWhole
            found = isOwn ? nil : FoundLines(first: first, upTo: spot)
            disbelieveRemoval()
        case .foreign(let file): if foreign.count < 100 { foreign.append((spot, file)) }
        case .repairedPartialLine: mendedCount += 1
        case .removed(let sequence): removedThrough = Self.further(removedThrough, sequence)
        case .seal, .reopened, .rotated, .recovered: break
        }
    }

    /// The writer seals its word about a removal at once, with a seal of its own reason, and removes
    /// nothing before. And a start that has sealed what it found before its own line vouches for none
    /// of it.
    /// - Parameters:
    ///   - spot: the seal's line.
    ///   - first: the first line of the segment.
    mutating func close(with seal: SealLine, at spot: LinePosition, first: LinePosition) {
        if seal.reason != .rotate { disbelieveRemoval() }
        if seal.reason == .found || seal.reason == .start && startCount == 0 {
            found = FoundLines(first: first, upTo: spot)
        }
    }

    private mutating func disbelieveRemoval() {
        foundRemovedThrough = Self.further(foundRemovedThrough, removedThrough)
        removedThrough = nil
    }

    /// Begins with the line that a file begins with: nothing is missing there.
    var isFileWhole: Bool { opening?.beginsFile ?? false }

    mutating func addStray(at spot: LinePosition) {
        strays = strays ?? LinesAfterShutdown(first: spot, last: spot, count: 0)
        strays?.last = spot
        strays?.count += 1
    }

    mutating func add(_ other: SegmentSummary) {
        startCount += other.startCount
        found = FoundLines.joining(found, other.found)
        foreign += other.foreign.prefix(100 - min(100, foreign.count))
        mendedCount += other.mendedCount
        removedThrough = Self.further(removedThrough, other.removedThrough)
        foundRemovedThrough = Self.further(foundRemovedThrough, other.foundRemovedThrough)
        strays = strays ?? other.strays
    }

    static func further(_ a: UInt64?, _ b: UInt64?) -> UInt64? {
        guard let a, let b else { return a ?? b }
        return max(a, b)
    }
}

/// What was found where a segment ends, or should.
enum SegmentResult: Sendable {
    case sealed(SealedSegment)
    case failed(FailedSegment)
    /// A line that was a seal and is none any more.
    case damaged(from: LinePosition, to: LinePosition)
    /// A file that is not the last ends in lines that no seal covers.
    case unsealed(UnsealedLines)
}

/// A segment whose seal is right by itself.
struct SealedSegment: Sendable {
    enum MatchMode: Sendable {
        /// Every line since the seal before it.
        case plain
        /// Without the lines in between that look like seals: they were put in.
        case withoutFailures
        /// With the lines in between that look like seals: they were lines like any other.
        case withFailures
        /// With the seal before it: that was written by a process that died before its line's end,
        /// and the next took it for a line like any other.
        case withSealBefore
    }

    let seal: SealLine
    let way: MatchMode
    let first: LinePosition
    /// The seal's own line.
    let last: LinePosition
    let facts: SegmentSummary
}

/// A seal that does not fit the lines before it.
struct FailedSegment: Sendable {
    let seal: SealLine
    let keyIsKnown: Bool
    /// The seal before it was torn before its line's end, and is one of these lines.
    let holdsSealBefore: Bool
    var first: LinePosition
    var last: LinePosition
    let lineCount: UInt64
    let sum: UInt64
    let opening: ControlLine?
    /// Among the lines is one that looks like a seal with something wrong.
    let holdsDamagedSeal: Bool

    /// What anybody can tell without the key: as many lines, and the same. Proves nothing.
    var looksRight: Bool { lineCount == seal.lineCount && sum == seal.sum }
}

/// Seals that are none any more because somebody has changed how lines end.
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

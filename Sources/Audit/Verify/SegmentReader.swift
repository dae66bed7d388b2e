import Logging

/// Reads the lines of a log and divides them into segments: finds for each seal the lines that it
/// covers.
///
/// Theory. A seal is checked against the code of its predecessor, which the seal itself names, so
/// each segment can be checked alone. A running hash restarts after each line that has the form of
/// a seal, valid or not, as the writer's does when it looks for the end of the log. After a seal
/// that fails, up to three more hashes run until the next valid seal, to find out what happened:
///
/// - The lines after a line that looks like a damaged seal. If the next seal matches these, the
///   damage ends there.
/// - The lines since the last valid seal, without the failed seals. If the next seal matches
///   these, the failed seals were inserted.
/// - The lines since the last valid seal, with the failed seals as lines. If the next seal matches
///   these, the failed seals are ordinary lines.
///
/// A log without a fault is hashed once. Memory use does not grow with the log.
struct SegmentReader {
    /// Keys by their IDs.
    private let keys: [String: SealKey]

    private var file = -1
    private var line = 0
    private var isInsideLine = false
    private(set) var lineCount = 0
    private(set) var lineCountInFile = 0

    /// The hash of the lines since the last line with the form of a seal, or since the beginning of
    /// the file.
    private var chain = SealChain()
    private var first = LinePosition(file: 0, line: 1)
    private var facts = SegmentSummary()
    /// The last seal was a shutdown seal: until the next run begins, no server writes lines.
    private var isAfterShutdown = false
    /// The hash of the lines after the last line in the segment that looks like a damaged seal.
    private var afterDamage: (chain: SealChain, first: LinePosition, facts: SegmentSummary)?
    private var damages: [LinePosition] = []
    private var converted: SealsWithCRLF?
    /// The hashes of the lines since the last valid seal; not nil if a seal has failed since.
    private var withoutFailures: SealChain?
    private var withFailures: SealChain?
    private var failedFacts = SegmentSummary()
    private var failedFirst: LinePosition?
    /// The hash of the previous segment together with its seal, as if that seal were an ordinary
    /// line.
    private var withSealBefore: SealChain?
    private var sealBeforeIsALine = false
    /// That seal is of a key that is not known.
    private var sealBeforeIsForeign = false
    private var foreignIsBefore = false

    private(set) var ourSealCount = 0
    private(set) var foreignSealCount = 0

    init(keys: [SealKey]) {
        self.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Lines

    mutating func beginFile() {
        file += 1
        line = 0
        lineCountInFile = 0
        withSealBefore = nil
        begin(at: LinePosition(file: file, line: 1))
        forgetFailures()
    }

    /// Reads the next line, or a piece of a long one.
    ///
    /// - Parameter report: called for each result, in the order of the log.
    mutating func consume(
        _ next: borrowing LineReader.Line, _ report: (SegmentResult) -> Void
    ) {
        if next.isBeginning {
            line = next.number
            lineCount += 1
            lineCountInFile += 1
        }
        isInsideLine = next.ending != .lineEnd
        let notice = next.isBeginning ? ControlLine(next.bytes) : nil
        if next.isWhole, notice == .seal, let seal = SealLine(next.bytes) {
            check(seal, next.raw, report)
            return
        }
        checkSealBefore(notice)
        if let notice {
            if line == 1 { facts.opening = notice }
            let place = LinePosition(file: file, line: line)
            facts.take(notice, at: place, first: first, after: chain.lineCount)
            if let count = afterDamage?.chain.lineCount, let start = afterDamage?.first {
                afterDamage?.facts.take(notice, at: place, first: start, after: count)
            }
        }
        if isAfterShutdown, next.isBeginning { checkLineAfterShutdown(next.bytes, notice) }
        chain.update(next.raw)
        afterDamage?.chain.update(next.raw)
        withoutFailures?.update(next.raw)
        withFailures?.update(next.raw)
        if next.isWhole, notice == .seal, next.bytes[next.bytes.count - 1] == 0x0D,
            let seal = SealLine(next.bytes.extracting(first: next.bytes.count - 1))
        {
            converted =
                converted.map {
                    SealsWithCRLF(
                        first: $0.first, last: max($0.last, seal.sequence), previous: $0.previous,
                        code: seal.code)
                }
                ?? SealsWithCRLF(
                    first: seal.sequence, last: seal.sequence, previous: seal.previous,
                    code: seal.code)
        }
        if next.isWhole, notice == .seal || Self.endsLikeSeal(next.bytes) {
            let nextLine = LinePosition(file: file, line: line + 1)
            afterDamage = (SealChain(), nextLine, SegmentSummary())
            // With more than these, the faults can no longer be distinguished.
            if damages.count < 100 { damages.append(LinePosition(file: file, line: line)) }
        }
    }

    /// If this line shows that the previous process died while it wrote a seal, remembers that the
    /// previous line, which looks like a seal, may be an ordinary line of this segment. Such a
    /// process may have written all of the seal except the line end; the next process then reports
    /// a torn line in its first line.
    private mutating func checkSealBefore(_ notice: ControlLine?) {
        guard let chain = withSealBefore else { return }
        withSealBefore = nil
        guard notice == .opened || notice == .repairedPartialLine || notice == .recovered else {
            return
        }
        withFailures = chain
        sealBeforeIsALine = true
        sealBeforeIsForeign = foreignIsBefore
    }

    /// A start may write two things before its own first line: a torn copy of that line, and the
    /// first line of a new file if it has to rotate.
    private mutating func checkLineAfterShutdown(_ line: Span<UInt8>, _ notice: ControlLine?) {
        if notice == .opened {
            isAfterShutdown = false
        } else if !ControlLine.isBeginningOfOpening(line), self.line > 1 || !facts.isFileWhole {
            facts.addLineAfterShutdown(at: LinePosition(file: file, line: self.line))
        }
    }

    /// Whether the line ends in a code, in the place where a seal has it.
    private static func endsLikeSeal(_ line: Span<UInt8>) -> Bool {
        line.has(" mac=", at: line.count - SealMAC.textCount - 5)
            || line.has("\"mac\":\"", at: line.count - SealMAC.textCount - 9)
    }

    // MARK: Seals

    private mutating func check(
        _ seal: SealLine, _ line: Span<UInt8>, _ report: (SegmentResult) -> Void
    ) {
        let place = LinePosition(file: file, line: self.line)
        let coded = line.extracting(first: seal.codedCount)
        guard let key = keys[seal.keyID] else {
            foreignSealCount += 1
            checkForeign(seal, line, place, report)
            return
        }
        ourSealCount += 1
        func isRight(_ chain: SealChain) -> Bool {
            seal.code == chain.code(key, after: seal.previous, seal.sequence, closing: coded)
        }
        func accept(_ way: SealedSegment.MatchMode, _ first: LinePosition, _ facts: SegmentSummary)
        {
            var facts = facts
            facts.close(with: seal, at: place, first: first)
            report(
                .sealed(
                    SealedSegment(
                        seal: seal, matchMode: way, first: first, last: place, facts: facts)))
        }
        var all = failedFacts
        all.add(facts)
        let start = failedFirst ?? first
        if isRight(chain) {
            accept(.plain, first, facts)
        } else if let rest = afterDamage, isRight(rest.chain) {
            var from = first
            for damage in damages {
                // Two pieces of one line that was cut in two are one fault.
                let isLast = damage == damages.last
                guard isLast || !damages.contains(LinePosition(file: file, line: damage.line + 1))
                else {
                    continue
                }
                report(.damaged(from: from, to: damage))
                from = LinePosition(file: file, line: damage.line + 1)
            }
            accept(.plain, rest.first, rest.facts)
        } else if let chain = withoutFailures, isRight(chain) {
            accept(.withoutFailures, start, all)
        } else if let chain = withFailures, isRight(chain) {
            if sealBeforeIsForeign {
                // The lines before that are covered by seals that cannot be checked.
                accept(.withSealBefore, first, facts)
            } else {
                accept(sealBeforeIsALine ? .withSealBefore : .withFailures, start, all)
            }
        } else {
            fail(seal, keyIsKnown: true, line, place, report)
            return
        }
        var own = chain
        own.update(line)
        withSealBefore = own
        foreignIsBefore = false
        isAfterShutdown = seal.reason == .stop
        forgetFailures()
        begin(at: LinePosition(file: file, line: self.line + 1))
    }

    /// Without its key, a seal can be told from a torn one only by its line count and its checksum.
    private mutating func checkForeign(
        _ seal: SealLine, _ line: Span<UInt8>, _ place: LinePosition,
        _ report: (SegmentResult) -> Void
    ) {
        var own = chain
        own.update(line)
        if sealBeforeIsALine, let withFailures, withFailures.lineCount == seal.lineCount,
            withFailures.sum == seal.sum
        {
            chain = withFailures
            fail(seal, keyIsKnown: false, holdsSealBefore: true, line, place, report)
        } else {
            fail(seal, keyIsKnown: false, line, place, report)
        }
        withSealBefore = own
        foreignIsBefore = true
    }

    private mutating func fail(
        _ seal: SealLine, keyIsKnown: Bool, holdsSealBefore: Bool = false, _ line: Span<UInt8>,
        _ place: LinePosition, _ report: (SegmentResult) -> Void
    ) {
        report(
            .failed(
                FailedSegment(
                    seal: seal, keyIsKnown: keyIsKnown, holdsSealBefore: holdsSealBefore,
                    first: first, last: place, lineCount: chain.lineCount, sum: chain.sum,
                    opening: facts.opening, holdsDamagedSeal: afterDamage != nil)))
        if withFailures == nil { withFailures = chain }
        withFailures?.update(line)
        if withoutFailures == nil { withoutFailures = chain }
        failedFirst = failedFirst ?? first
        failedFacts.add(facts)
        withSealBefore = nil
        foreignIsBefore = false
        if sealBeforeIsForeign { (sealBeforeIsALine, sealBeforeIsForeign) = (false, false) }
        isAfterShutdown = false
        begin(at: LinePosition(file: file, line: self.line + 1))
    }

    private mutating func begin(at position: LinePosition) {
        chain = SealChain()
        first = position
        facts = SegmentSummary()
        afterDamage = nil
        damages = []
        converted = nil
        isInsideLine = false
    }

    private mutating func forgetFailures() {
        withoutFailures = nil
        withFailures = nil
        failedFacts = SegmentSummary()
        failedFirst = nil
        (sealBeforeIsALine, sealBeforeIsForeign) = (false, false)
    }

    // MARK: Ends

    /// The lines after the file's last seal; nil if the file ends in a seal.
    var unsealed: UnsealedLines? {
        guard line >= first.line, first.file == file else { return nil }
        return UnsealedLines(
            first: first, last: LinePosition(file: file, line: line), isTorn: isInsideLine,
            holdsDamagedSeal: afterDamage != nil, strays: facts.linesAfterShutdown,
            converted: converted)
    }
}

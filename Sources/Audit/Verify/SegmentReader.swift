import Logging

/// Takes the lines of a log, and finds its segments: which seal is right for what stands before it.
///
/// Theory. A seal is checked with the code that it names as the one before it, so each segment is
/// judged alone. One running hash begins behind each line that has the form of a seal, right or not,
/// just as the writer's does when it looks for the log's end. Where a seal fails, up to three more run
/// until the next that is right, to tell what happened:
///
/// - behind a line that looks like a damaged seal: if the next seal is right for what follows it, the
///   damage ends there;
/// - since the last right seal, leaving the failed ones out: if that is right, they were put in;
/// - since the last right seal, the failed ones taken as lines: if that is right, they were lines.
///
/// A log without a fault is hashed once. Memory does not grow with the log.
struct SegmentReader {
    /// By their ids.
    private let keys: [String: SealKey]

    private var file = -1
    private var line = 0
    private var isInsideLine = false
    private(set) var lineCount = 0
    private(set) var lineCountInFile = 0

    /// Since the last line with the form of a seal, or the file's beginning.
    private var chain = SealChain()
    private var first = LinePosition(file: 0, line: 1)
    private var facts = SegmentSummary()
    /// Behind a server's stop: whatever comes is nobody's until the next starts.
    private var hasStopped = false
    /// Behind the last line in there that looks like a damaged seal.
    private var behindDamage: (chain: SealChain, first: LinePosition, facts: SegmentSummary)?
    private var damages: [LinePosition] = []
    private var converted: SealsWithCRLF?
    /// Since the last right seal, once one has failed behind it.
    private var withoutFailures: SealChain?
    private var withFailures: SealChain?
    private var failedFacts = SegmentSummary()
    private var failedFirst: LinePosition?
    /// The right seal that was just read, taken for a line of what follows.
    private var withSealBefore: SealChain?
    private var sealBeforeIsALine = false
    /// It is of a key that is not known.
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

    /// Takes in the next line, or piece of one.
    mutating func take(
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
            take(seal, next.raw, report)
            return
        }
        considerSealBefore(notice)
        if let notice {
            if line == 1 { facts.opening = notice }
            let place = LinePosition(file: file, line: line)
            facts.take(notice, at: place, first: first, after: chain.lineCount)
            if let count = behindDamage?.chain.lineCount, let start = behindDamage?.first {
                behindDamage?.facts.take(notice, at: place, first: start, after: count)
            }
        }
        if hasStopped, next.isBeginning { considerStray(next.bytes, notice) }
        chain.update(next.raw)
        behindDamage?.chain.update(next.raw)
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
            let behind = LinePosition(file: file, line: line + 1)
            behindDamage = (SealChain(), behind, SegmentSummary())
            // More than a few: what each of them was is beyond telling.
            if damages.count < 100 { damages.append(LinePosition(file: file, line: line)) }
        }
    }

    /// A process that dies while it writes a seal may leave all of it but its line's end; the next
    /// takes what it finds for a torn line, and says so at once.
    private mutating func considerSealBefore(_ notice: ControlLine?) {
        guard let chain = withSealBefore else { return }
        withSealBefore = nil
        guard notice == .opened || notice == .repairedPartialLine || notice == .recovered else {
            return
        }
        withFailures = chain
        sealBeforeIsALine = true
        sealBeforeIsForeign = foreignIsBefore
    }

    /// What a start may write before its own first line: that line itself, torn, and where it needs a
    /// new file, that one's first line.
    private mutating func considerStray(_ line: Span<UInt8>, _ notice: ControlLine?) {
        if notice == .opened {
            hasStopped = false
        } else if !ControlLine.isBeginningOfOpening(line), self.line > 1 || !facts.isFileWhole {
            facts.addStray(at: LinePosition(file: file, line: self.line))
        }
    }

    /// Whether the line has a code at its end, where a seal has it.
    private static func endsLikeSeal(_ line: Span<UInt8>) -> Bool {
        line.has(" mac=", at: line.count - SealMAC.textCount - 5)
            || line.has("\"mac\":\"", at: line.count - SealMAC.textCount - 9)
    }

    // MARK: Seals

    private mutating func take(
        _ seal: SealLine, _ line: Span<UInt8>, _ report: (SegmentResult) -> Void
    ) {
        let place = LinePosition(file: file, line: self.line)
        let coded = line.extracting(first: seal.codedCount)
        guard let key = keys[seal.keyID] else {
            foreignSealCount += 1
            takeForeign(seal, line, place, report)
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
                    SealedSegment(seal: seal, way: way, first: first, last: place, facts: facts)))
        }
        var all = failedFacts
        all.add(facts)
        let start = failedFirst ?? first
        if isRight(chain) {
            accept(.plain, first, facts)
        } else if let behind = behindDamage, isRight(behind.chain) {
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
            accept(.plain, behind.first, behind.facts)
        } else if let chain = withoutFailures, isRight(chain) {
            accept(.withoutFailures, start, all)
        } else if let chain = withFailures, isRight(chain) {
            if sealBeforeIsForeign {
                // What stands before that is under seals that nobody has checked.
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
        hasStopped = seal.reason == .stop
        forgetFailures()
        begin(at: LinePosition(file: file, line: self.line + 1))
    }

    /// One of a key that is not known can be told from a torn one only by what it counts.
    private mutating func takeForeign(
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
                    opening: facts.opening, holdsDamagedSeal: behindDamage != nil)))
        if withFailures == nil { withFailures = chain }
        withFailures?.update(line)
        if withoutFailures == nil { withoutFailures = chain }
        failedFirst = failedFirst ?? first
        failedFacts.add(facts)
        withSealBefore = nil
        foreignIsBefore = false
        if sealBeforeIsForeign { (sealBeforeIsALine, sealBeforeIsForeign) = (false, false) }
        hasStopped = false
        begin(at: LinePosition(file: file, line: self.line + 1))
    }

    private mutating func begin(at spot: LinePosition) {
        chain = SealChain()
        first = spot
        facts = SegmentSummary()
        behindDamage = nil
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

    /// The lines behind the file's last seal; nil if it ends in one.
    var unsealed: UnsealedLines? {
        guard line >= first.line, first.file == file else { return nil }
        return UnsealedLines(
            first: first, last: LinePosition(file: file, line: line), isTorn: isInsideLine,
            holdsDamagedSeal: behindDamage != nil, strays: facts.strays, converted: converted)
    }
}

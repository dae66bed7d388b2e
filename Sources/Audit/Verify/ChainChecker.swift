import Logging
import Time

/// Evaluates the results of a `SegmentReader`: which seal follows which, what is missing, and what
/// happened to a segment whose seal fails. One change to the log is one fault, as far as possible.
///
/// Theory. Valid seals are ordered by their sequence numbers. The next number continues the chain.
/// A higher number leaves a gap. A lower number is a copy, unless it falls into a gap: then the
/// missing segment was only moved. Failed segments are held until the next valid seal, because a
/// seal names the code of its predecessor. If that is the code of a failed seal, the seal's own
/// line is genuine, and the lines before it are not.
///
/// Only what is under a valid seal is trusted. Counts and checksums in failed seals serve to
/// describe a fault, never to find one.
struct ChainChecker {
    /// What is known of a file before it is read.
    struct File: Sendable {
        let name: String
        /// The number in the name; nil if it is not the name of a full file.
        var number: Int?
        /// The name of the log: the file's name without the number.
        var logName: String
    }

    struct Fault: Sendable {
        var kind: VerificationReport.Fault.Kind
        var first: LinePosition
        var last: LinePosition
        var seals: ClosedRange<UInt64>?
        var sentence: String
    }

    enum Pending {
        case failed(FailedSegment)
        case foreign(ForeignSegments)
        case damaged(from: LinePosition, to: LinePosition)
        case unsealed(UnsealedLines)
    }

    /// Consecutive segments under seals of one key that is not known.
    struct ForeignSegments {
        let keyID: String
        let first: LinePosition
        var last: LinePosition
        var seals: ClosedRange<UInt64>
        let previous: SealMAC
        var code: SealMAC
        /// The state before the last seal was added; nil if there is only that one.
        var before: (last: LinePosition, code: SealMAC)?
        /// Whether the counts and checksums, which can be computed without the key, match.
        var looksRight: Bool

        init(_ segment: FailedSegment) {
            let seal = segment.seal
            keyID = seal.keyID
            (first, last) = (segment.first, segment.last)
            seals = seal.sequence...seal.sequence
            (previous, code) = (seal.previous, seal.code)
            looksRight = segment.looksRight
        }

        /// Returns false if the segment does not continue this chain.
        mutating func add(_ segment: FailedSegment) -> Bool {
            let seal = segment.seal
            guard seal.keyID == keyID, segment.looksRight, looksRight,
                seal.sequence == seals.upperBound + 1, seal.previous == code
            else { return false }
            before = (last, code)
            last = segment.last
            seals = seals.lowerBound...seal.sequence
            code = seal.code
            return true
        }

        /// The same without the last segment; nil if there is no other.
        func withoutLast() -> ForeignSegments? {
            guard let before else { return nil }
            var rest = self
            (rest.last, rest.code, rest.before) = (before.last, before.code, nil)
            rest.seals = seals.lowerBound...(seals.upperBound - 1)
            return rest
        }
    }

    /// Seals that are missing between two seals.
    struct Gap {
        var missing: [ClosedRange<UInt64>]
        /// The fault to report, unless the missing seals are found elsewhere.
        var fault: Fault
        /// Where missing seals were found.
        var found: (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>)?
    }

    /// What the state file says about the end of the log.
    struct State {
        let head: SealHead
        /// The ID of the key that authenticates the state file.
        let keyID: String
    }

    /// A seal that must be in the log, according to the state file or to an anchor from the
    /// operator.
    private struct Anchor {
        let head: SealHead
        let isState: Bool
        var isSeen = false
        var contradiction: LinePosition?
    }

    private(set) var files: [File] = []
    private(set) var faults: [Fault] = []
    private(set) var unlistedFaultCount = 0
    private(set) var notes: [String] = []

    /// The valid seal with the highest sequence number in the newest chain.
    private(set) var highestSeal: SealedSegment?
    /// The valid seal that was read last.
    private(set) var mostRecentlyRead: SealedSegment?
    private var secondHighestSeal: SealedSegment?
    /// The sequence number that the log begins with.
    private(set) var firstSequence: UInt64?
    /// The segment of the first valid seal.
    private var firstSegment: SealedSegment?
    var firstTime: String? { firstSegment?.seal.timeText }
    private(set) var sealCount = 0
    /// The sum of what all segments under valid seals report.
    private var facts = SegmentSummary()
    /// The highest sequence number of any seal, valid or not.
    private var reach: UInt64 = 0

    var pending: [Pending] = []
    private var unlistedPendingCount = 0
    private var gaps: [Gap] = []
    /// Gaps in chains that have ended.
    private var oldGaps: [Gap] = []
    /// The gap before the first seal.
    private var beginning: Gap?
    /// Index of the fault of the very first segment, if that failed and does not begin a file. What
    /// is missing before it then belongs to the same fault.
    private var openingFault: Int?
    private var copies: (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>)?
    private var anchors: [Anchor]
    private var silences: (count: Int, first: String)?
    private var found: [Fault] = []
    private var unlistedFoundCount = 0
    /// The state file or an anchor proves that nothing is missing after the last seal.
    private(set) var endIsProven = false

    /// Key IDs: those in use, the newest first, then the earlier ones.
    private let keyIDs: [String]
    /// The IDs of the earlier keys alone.
    private let earlierIDs: Set<String>
    /// The first key in use of which a seal was read.
    private var currentID: String?
    /// Seals of earlier keys after the first seal of a key in use.
    private var retired:
        (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>, keyID: String)?
    private let state: State?

    /// - Parameters:
    ///   - keyIDs: the keys in use, the newest first, then the earlier ones.
    ///   - currentCount: the number of keys in use; nil if all are.
    ///   - anchors: heads that the operator stored elsewhere.
    init(keyIDs: [String], currentCount: Int? = nil, anchors: [SealHead], state: State?) {
        self.keyIDs = keyIDs
        earlierIDs = Set(keyIDs.dropFirst(currentCount ?? keyIDs.count))
        self.state = state
        self.anchors = anchors.map { Anchor(head: $0, isState: false) }
        if let state { self.anchors.append(Anchor(head: state.head, isState: true)) }
    }

    /// The indices of the given anchors that were found.
    var seenAnchors: Set<Int> {
        Set(anchors.indices.filter { anchors[$0].isSeen && !anchors[$0].isState })
    }

    /// Removes the anchors with these indices, except those that were found in this log.
    mutating func excuseAnchors(_ places: Set<Int>) {
        anchors = anchors.enumerated().filter { !places.contains($0) || $1.isSeen }.map(\.element)
    }

    mutating func beginFile(_ file: File) { files.append(file) }

    mutating func note(_ sentence: String) {
        if notes.count < 100 { notes.append(sentence) }
    }

    mutating func add(_ fault: Fault) {
        guard faults.count < VerificationReport.mostFaults else {
            unlistedFaultCount += 1
            return
        }
        faults.append(fault)
    }

    // MARK: Held until the next valid seal

    mutating func process(_ finding: SegmentResult) {
        switch finding {
        case .sealed(let segment): take(segment)
        case .failed(let segment) where segment.keyIsKnown: wait(for: .failed(segment))
        case .failed(let segment): wait(forForeign: segment)
        case .damaged(let from, let to): wait(for: .damaged(from: from, to: to))
        case .unsealed(let lines): wait(for: .unsealed(lines))
        }
    }

    private mutating func wait(for item: Pending) {
        // The limit keeps memory bounded for a log without any valid seal.
        if pending.count < VerificationReport.mostFaults {
            pending.append(item)
        } else {
            unlistedPendingCount += 1
        }
    }

    /// A retired key leaves seals by the thousand; consecutive ones are one fault.
    private mutating func wait(forForeign segment: FailedSegment) {
        watchAnchors(segment)
        if case .foreign(var run)? = pending.last {
            if segment.holdsSealBefore { dropLast(forForeign: run) }
            if case .foreign(let rest)? = pending.last { run = rest }
            if run.add(segment) {
                pending[pending.count - 1] = .foreign(run)
                return
            }
        }
        wait(for: .foreign(ForeignSegments(segment)))
    }

    /// Removes the last segment of the run: its seal was an ordinary line.
    private mutating func dropLast(forForeign run: ForeignSegments) {
        pending.removeLast()
        if let rest = run.withoutLast() { pending.append(.foreign(rest)) }
    }

    // MARK: Valid seals

    private mutating func take(_ segment: SealedSegment) {
        sealCount += 1
        if firstSegment == nil { firstSegment = segment }
        watchAnchors(segment)
        switch segment.matchMode {
        case .plain: break
        case .withoutFailures: reportInserted()
        case .withFailures:
            pending = []
            note("\(place(segment.first)): lines that look like seals are ordinary lines")
        case .withSealBefore:
            if case .foreign(let run)? = pending.last {
                dropLast(forForeign: run)
            } else {
                pending = []
                highestSeal = secondHighestSeal
            }
            note(
                "\(place(segment.first)): a seal was torn before its line end and became an "
                    + "ordinary line"
            )
        }
        facts.add(segment.facts)
        addFound(segment)
        guard let highestSeal, segment.seal.sequence <= highestSeal.seal.sequence else {
            endCopies()
            checkBoundary(before: segment)
            settle(before: segment)
            checkKey(of: segment)
            noteSilence(before: segment)
            secondHighestSeal = highestSeal
            highestSeal = segment
            mostRecentlyRead = segment
            return
        }
        settle(before: nil)
        if segment.seal.sequence == 1, segment.seal.previous == .none,
            isNewer(segment.seal.keyID, than: highestSeal.seal.keyID)
        {
            beginChain(segment)
        } else if !fillGap(segment) {
            extendCopies(segment)
        }
        mostRecentlyRead = segment
    }

    /// The failed seals are inside a segment that is valid without them.
    private mutating func reportInserted() {
        let positions = pending.compactMap { item -> LinePosition? in
            switch item {
            case .failed(let failed): failed.last
            case .foreign(let run): run.last
            case .damaged, .unsealed: nil
            }
        }
        pending = []
        guard let first = positions.first, let last = positions.last else { return }
        let sentence =
            positions.count == 1
            ? "this line was inserted; the lines around it match their seal without it"
            : "\(positions.count) of these lines look like seals and were inserted; the lines "
                + "around them match their seal without them"
        add(Fault(kind: .inserted, first: first, last: last, seals: nil, sentence: sentence))
    }

    /// A server start continues from the last seal in the file, whatever its key: no server begins
    /// a chain at 1 after seals of another key.
    private mutating func beginChain(_ segment: SealedSegment) {
        endCopies()
        add(
            Fault(
                kind: .inserted, first: segment.first, last: segment.last, seals: 1...1,
                sentence:
                    "a new chain begins with key \(segment.seal.keyID) after seals of another key: "
                    + "one of the two parts is from another log"))
        oldGaps += gaps
        gaps = []
        secondHighestSeal = nil
        highestSeal = segment
        reach = 1
    }

    /// The holder of a retired key can still create seals with it. Genuine seals of that key come
    /// before the seals of its successor; any that come later are forged.
    private mutating func checkKey(of segment: SealedSegment) {
        let (id, sequence) = (segment.seal.keyID, segment.seal.sequence)
        guard earlierIDs.contains(id) else {
            endRetired()
            if currentID == nil {
                currentID = id
                if let highestSeal {
                    note(
                        "\(place(segment.last)): since \(segment.seal.timeText) the log is sealed "
                            + "with key \(id), before that with \(highestSeal.seal.keyID); a "
                            + "holder of the older key could have forged the lines before")
                }
            }
            return
        }
        guard currentID != nil else { return }
        retired =
            retired.map { ($0.first, segment.last, $0.seals.lowerBound...sequence, $0.keyID) }
            ?? (segment.first, segment.last, sequence...sequence, id)
    }

    private mutating func endRetired() {
        guard let retired, let currentID else { return }
        self.retired = nil
        add(
            Fault(
                kind: .inserted, first: retired.first, last: retired.last, seals: retired.seals,
                sentence: "sealed with key \(retired.keyID), which was no longer in use: seals of "
                    + "key \(currentID) come before it"))
    }

    /// Whether the last seal is of an earlier key: a holder of that key could have forged all of
    /// this.
    var isOfEarlierKeys: Bool { highestSeal.map { earlierIDs.contains($0.seal.keyID) } ?? false }

    private func isNewer(_ keyID: String, than other: String) -> Bool {
        guard let a = keyIDs.firstIndex(of: keyID), let b = keyIDs.firstIndex(of: other) else {
            return false
        }
        return a < b
    }

    /// Faults at the boundary between two valid seals.
    private mutating func checkBoundary(before segment: SealedSegment) {
        guard let highestSeal, pending.isEmpty,
            segment.seal.sequence == highestSeal.seal.sequence + 1
        else {
            return
        }
        if isNewer(highestSeal.seal.keyID, than: segment.seal.keyID) {
            note(
                "\(place(segment.last)): after this line the log is sealed with key "
                    + "\(segment.seal.keyID), which is older than the key before")
        }
        report(segment.facts.linesAfterShutdown, after: highestSeal)
    }

    /// After its shutdown seal a server writes nothing, and the next run starts with `log_open`.
    /// Lines in between are therefore reported: otherwise anyone with write access could append
    /// lines and have the next start seal them.
    private mutating func report(_ strays: LinesAfterShutdown?, after last: SealedSegment) {
        guard let strays, last.seal.reason == .stop else { return }
        add(
            Fault(
                kind: .inserted, first: strays.first, last: strays.last, seals: nil,
                sentence:
                    "\(counted(strays.count, "line")) between a server's shutdown and the next "
                    + "start; no server wrote them"))
    }

    private mutating func fillGap(_ segment: SealedSegment) -> Bool {
        let sequence = segment.seal.sequence
        if beginning?.fill(sequence, segment.first, segment.last) == true { return true }
        for index in gaps.indices
        where gaps[index].fill(sequence, segment.first, segment.last) {
            return true
        }
        return false
    }

    private mutating func extendCopies(_ segment: SealedSegment) {
        let sequence = segment.seal.sequence
        if let copies, copies.seals.upperBound < sequence, copies.last.file == segment.first.file,
            copies.last.line + 1 == segment.first.line || segment.first.line == 1
        {
            self.copies = (copies.first, segment.last, copies.seals.lowerBound...sequence)
            return
        }
        endCopies()
        copies = (segment.first, segment.last, sequence...sequence)
    }

    private mutating func endCopies() {
        guard let copies else { return }
        self.copies = nil
        add(
            Fault(
                kind: .inserted, first: copies.first, last: copies.last, seals: copies.seals,
                sentence: "a copy of lines that are elsewhere in the log, with their seals"))
    }

    /// A running server seals at least every minute, so a longer silence is worth a note.
    private mutating func noteSilence(before segment: SealedSegment) {
        guard let highestSeal, segment.facts.startCount == 0,
            segment.seal.sequence == highestSeal.seal.sequence + 1,
            let from = highestSeal.seal.moment, let to = segment.seal.moment,
            to.milliseconds - from.milliseconds > 120_000
        else { return }
        let text =
            "\(place(highestSeal.last)): from \(highestSeal.seal.timeText) to "
            + "\(segment.seal.timeText)"
        silences = silences.map { ($0.count + 1, $0.first) } ?? (1, text)
    }

    private mutating func watchAnchors(_ segment: SealedSegment) {
        let seal = segment.seal
        for index in anchors.indices {
            let head = anchors[index].head
            // The successor names the code of this seal, too.
            if seal.sequence > 0, head.sequence == seal.sequence - 1, head.code == seal.previous {
                anchors[index].isSeen = true
            }
            guard head.sequence == seal.sequence else { continue }
            if anchors[index].head.code == segment.seal.code {
                anchors[index].isSeen = true
            } else if anchors[index].contradiction == nil {
                anchors[index].contradiction = segment.last
            }
        }
    }

    /// An anchor is compared even if the seal's key is not known. The state file is not: it is
    /// trusted only when it was written with a known key.
    private mutating func watchAnchors(_ segment: FailedSegment) {
        for index in anchors.indices
        where !anchors[index].isState && anchors[index].head.sequence == segment.seal.sequence {
            if anchors[index].head.code == segment.seal.code {
                anchors[index].isSeen = true
            } else if anchors[index].contradiction == nil {
                anchors[index].contradiction = segment.last
            }
        }
    }

    /// Records the lines that a start found and sealed.
    private mutating func addFound(_ segment: SealedSegment) {
        guard let lines = segment.facts.found else { return }
        guard found.count < VerificationReport.mostFaults / 2 else {
            unlistedFoundCount += lines.count
            return
        }
        let sequence = segment.seal.sequence
        found.append(
            Fault(
                kind: .notProven, first: lines.first, last: lines.last, seals: sequence...sequence,
                sentence: "\(counted(lines.count, "line")) that a server found unsealed at its "
                    + "start: written by a server that was killed, or by others"))
    }

    /// Adds the lines that a start found unsealed. They are no proof of tampering, so they get only
    /// the places in the report that other faults leave free.
    private mutating func addFoundFaults() {
        let remaining = max(0, VerificationReport.mostFaults - faults.count)
        let tampered = faults.filter(\.kind.isTampering)
        // Lines that are part of a tampering fault are not reported twice.
        found.removeAll { lines in
            tampered.contains { $0.first <= lines.first && lines.last <= $0.last }
        }
        faults += found.prefix(remaining)
        let rest = found.dropFirst(remaining).count
        if rest > 0 || unlistedFoundCount > 0 {
            note("more lines that a server found unsealed at its start are not listed")
        }
    }

    // MARK: Sequence numbers

    /// Records missing seals.
    mutating func recordGap(_ missing: ClosedRange<UInt64>, _ fault: Fault) {
        if gaps.count < VerificationReport.mostFaults {
            gaps.append(Gap(missing: [missing], fault: fault))
        } else {
            add(fault)
        }
    }

    /// Records the sequence number that the log begins with.
    ///
    /// - Parameters:
    ///   - previous: the code that the first seal names as its predecessor, if that seal is valid.
    ///   - opening: the kind of the first line.
    mutating func begin(
        with sequence: UInt64, after previous: SealMAC?, _ opening: ControlLine?,
        openingFault index: Int?
    ) {
        firstSequence = sequence
        guard sequence > 1 else { return }
        // An anchor that is equal to the predecessor proves what was before.
        if let previous,
            anchors.contains(where: {
                $0.head.sequence == sequence - 1 && $0.head.code == previous && !$0.isState
            })
        {
            note("begins at seal \(sequence), directly after a given anchor")
            return
        }
        let first = LinePosition(file: 0, line: 1)
        openingFault = index
        beginning = Gap(
            missing: [1...(sequence - 1)],
            fault: Fault(
                kind: .missingFile, first: first, last: first, seals: 1...(sequence - 1),
                sentence: opening == .reopened
                    ? "the log was reopened here; the files that were moved away before it are not "
                        + "among these files"
                    : "the beginning of the log is missing, and no line of the log reports that "
                        + "retention removed it"))
    }

    /// The same if the first seal is of a key that is not known: then the line that reports a
    /// removal by retention cannot be verified either.
    mutating func beginForeign(with sequence: UInt64) {
        firstSequence = sequence
        guard sequence > 1 else { return }
        note(
            "begins at seal \(sequence), of a key that was not given: what was before cannot be "
                + "verified"
        )
    }

    mutating func reach(_ sequence: UInt64) { reach = sequence }

    // MARK: End of the log

    /// - Parameters:
    ///   - tail: the lines after the last seal.
    ///   - isComplete: whether the files should be the complete log.
    mutating func end(tail: UnsealedLines?, lineCount: Int, isComplete: Bool) {
        endCopies()
        settle(before: nil)
        endRetired()
        if let highestSeal { reach = max(reach, highestSeal.seal.sequence) }
        unlistedFaultCount += unlistedPendingCount
        for gap in oldGaps + gaps { report(gap) }
        endBeginning(isComplete)
        if let tail { endTail(tail) }
        endAnchors(
            tail, at: tail?.last ?? LinePosition(file: max(files.count - 1, 0), line: lineCount))
        addNotes()
        addFoundFaults()
        faults.sort { ($0.first, $0.last) < ($1.first, $1.last) }
    }

    private mutating func report(_ gap: Gap) {
        if let found = gap.found {
            add(
                Fault(
                    kind: .reordered, first: min(gap.fault.first, found.first),
                    last: max(gap.fault.first, found.last), seals: found.seals,
                    sentence: "complete segments are in another order than they were written"))
        }
        for missing in gap.missing {
            var fault = gap.fault
            fault.seals = missing
            add(fault)
        }
    }

    private mutating func endBeginning(_ isComplete: Bool) {
        guard let beginning, let missing = beginning.missing.last else {
            if let beginning { report(beginning) }
            return
        }
        if let removed = facts.removedThrough, removed >= missing.upperBound {
            note("begins at seal \(missing.upperBound + 1): retention removed the earlier part")
            var rest = beginning
            rest.missing = []
            report(rest)
        } else if !isComplete {
            note(
                "begins at seal \(missing.upperBound + 1): the earlier part is in none of these "
                    + "files"
            )
            var rest = beginning
            rest.missing = []
            report(rest)
        } else if let openingFault, beginning.found == nil {
            faults[openingFault].kind = .deleted
            faults[openingFault].seals =
                1...(faults[openingFault].seals?.upperBound ?? missing.upperBound + 1)
            faults[openingFault].sentence = "the first lines of the log and their seals are missing"
        } else {
            var gap = beginning
            if let found = facts.foundRemovedThrough, found >= missing.upperBound {
                gap.fault.sentence =
                    "the beginning of the log is missing; the line that reports its removal by "
                    + "retention was not sealed by the server that wrote it, and may be forged"
            }
            report(gap)
        }
    }

    private mutating func endTail(_ tail: UnsealedLines) {
        if files[tail.last.file].number != nil {
            add(
                Fault(
                    kind: .truncated, first: tail.first, last: tail.last, seals: nil,
                    sentence: "a full file must end in a seal, but this one ends in "
                        + "\(counted(tail.count, "line")) without a seal: its end was cut off, or "
                        + "these lines were inserted"))
            return
        }
        if let highestSeal, pending.isEmpty { report(tail.strays, after: highestSeal) }
        note(
            "\(counted(tail.count, "line")) after the last seal "
                + (tail.count == 1 ? "is not sealed" : "are not sealed")
                + ": \(place(tail.first))"
                + (tail.count == 1 ? "" : " to \(tail.last.line)"))
        if tail.isTorn {
            add(
                Fault(
                    kind: .tornLine, first: tail.last, last: tail.last, seals: nil,
                    sentence: "the last line of the log has no line end"))
        }
        if tail.holdsDamagedSeal {
            note("\(place(tail.first)): this line or a later one looks like a damaged seal")
        }
    }

    private mutating func endAnchors(_ tail: UnsealedLines?, at end: LinePosition) {
        setForeignStateAside()
        let faultCount = faults.count(where: \.kind.isTampering) + unlistedFaultCount
        let open = anchors.filter { !$0.isSeen }
        if let furthest = open.filter({ $0.head.sequence > reach }).max(by: {
            $0.head.sequence < $1.head.sequence
        }) {
            let target = furthest.head.sequence
            let source = furthest.isState ? "the state file" : "an anchor"
            if let tail, tail.holdsDamagedSeal, target == reach + 1 {
                add(
                    Fault(
                        kind: .edited, first: tail.first, last: tail.last, seals: target...target,
                        sentence: "the line of the last seal is damaged"))
            } else {
                add(
                    Fault(
                        kind: .missingTail, first: end, last: end, seals: (reach + 1)...target,
                        sentence: "the end of the log is missing: \(source) has seal \(target)"))
            }
        }
        for anchor in open where anchor.head.sequence <= reach {
            let sequence = anchor.head.sequence
            let source = anchor.isState ? "the state file" : "the anchor"
            if let position = anchor.contradiction {
                add(
                    Fault(
                        kind: .anchorMismatch, first: position, last: position,
                        seals: sequence...sequence,
                        sentence:
                            "\(source) has another code for this seal: this is not the log "
                            + "that it was taken from"))
            } else if let firstSequence, sequence < firstSequence {
                note("seal \(sequence) of \(source) is older than the first of these files")
            } else if faultCount == 0 {
                add(
                    Fault(
                        kind: .anchorMismatch, first: end, last: end, seals: sequence...sequence,
                        sentence: "the seal of \(source) is missing"))
            }
        }
        guard let highestSeal else { return }
        let stateCounts = state.map { !earlierIDs.contains($0.keyID) } ?? false
        endIsProven = anchors.contains {
            $0.isState && stateCounts || $0.head == highestSeal.seal.head && !$0.isState
        }
        if !endIsProven, isOfEarlierKeys {
            note(
                "every seal uses key \(highestSeal.seal.keyID), which is not a current key; a "
                    + "holder of that key could have forged this log")
        } else if !endIsProven {
            note(
                "no state file and no anchor shows whether lines are missing after seal "
                    + "\(highestSeal.seal.sequence)")
        }
    }

    /// A complete log may have been moved away, and the key changed at the same time. The next
    /// start then finds no log to continue and begins at 1, while the state file is still of the
    /// old key.
    private mutating func setForeignStateAside() {
        guard let state, let first = firstSegment, first.seal.sequence == 1, files.count == 1,
            isNewer(first.seal.keyID, than: state.keyID),
            first.facts.opening == .opened || first.facts.opening == .reopened,
            let index = anchors.firstIndex(where: { $0.isState && !$0.isSeen })
        else { return }
        anchors.remove(at: index)
        note(
            "a new chain begins with key \(first.seal.keyID), and the state file is still of key "
                + "\(state.keyID): the earlier part is in none of these files")
    }

    private mutating func addNotes() {
        if facts.startCount > 0 { note(counted(facts.startCount, "start") + " of a server") }
        for (position, file) in facts.foreign {
            note(
                "\(place(position)): a server found bytes here that no server wrote, and moved "
                    + "them to \(file)"
            )
        }
        if facts.repairedLineCount > 0 {
            note(counted(facts.repairedLineCount, "torn line") + " reported")
        }
        if let silences {
            note(
                "silence: \(silences.first)"
                    + (silences.count > 1 ? ", and \(silences.count - 1) more" : ""))
        }
    }

    func place(_ position: LinePosition) -> String {
        "\(files[position.file].name): line \(position.line)"
    }
}

extension ChainChecker.Gap {
    /// Returns true if the number was missing in this gap, and removes it from the missing ones.
    mutating func fill(_ sequence: UInt64, _ first: LinePosition, _ last: LinePosition) -> Bool {
        guard let index = missing.firstIndex(where: { $0.contains(sequence) }) else { return false }
        let range = missing.remove(at: index)
        if sequence < range.upperBound {
            missing.insert((sequence + 1)...range.upperBound, at: index)
        }
        if range.lowerBound < sequence {
            missing.insert(range.lowerBound...(sequence - 1), at: index)
        }
        found =
            found.map {
                (
                    min($0.first, first), max($0.last, last),
                    min($0.seals.lowerBound, sequence)...max($0.seals.upperBound, sequence)
                )
            } ?? (first, last, sequence...sequence)
        return true
    }
}

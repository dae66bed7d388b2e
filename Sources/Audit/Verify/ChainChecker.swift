import Logging
import Time

/// Judges what a reader finds: which seal follows which, what is missing, and what became of a segment
/// whose seal fails. One change to the log is one fault, as far as that can be told.
///
/// Theory. Right seals are linked by their numbers: one that goes on from the last is good, a higher
/// one leaves a gap, a lower one is a copy, unless it lies in a gap: then what was missing has only
/// been moved. What fails in between waits for the next right seal, because that names the code before
/// it: where a failed seal has that code its own line is genuine, and its lines are not.
///
/// Nothing counts that is not under a right seal. Counts and sums that failed seals tell serve to name
/// a fault, never to find one.
struct ChainChecker {
    /// What is known of a file before it is read.
    struct File: Sendable {
        let name: String
        /// Of a full file, if its name tells.
        var number: Int?
        /// The name without its number.
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

    /// Segments under seals of one key that is not known.
    struct ForeignSegments {
        let keyID: String
        let first: LinePosition
        var last: LinePosition
        var seals: ClosedRange<UInt64>
        let previous: SealMAC
        var code: SealMAC
        /// As it was before the last seal was added; nil if it has only that one.
        var before: (last: LinePosition, code: SealMAC)?
        /// What anybody can tell without the key.
        var looksRight: Bool

        init(_ segment: FailedSegment) {
            let seal = segment.seal
            keyID = seal.keyID
            (first, last) = (segment.first, segment.last)
            seals = seal.sequence...seal.sequence
            (previous, code) = (seal.previous, seal.code)
            looksRight = segment.looksRight
        }

        /// False if the segment does not go on from here.
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

        /// Nil if there was no other.
        func withoutLast() -> ForeignSegments? {
            guard let before else { return nil }
            var rest = self
            (rest.last, rest.code, rest.before) = (before.last, before.code, nil)
            rest.seals = seals.lowerBound...(seals.upperBound - 1)
            return rest
        }
    }

    /// Seals that were passed over.
    struct Gap {
        var missing: [ClosedRange<UInt64>]
        /// As it is reported unless the missing ones turn up.
        var fault: Fault
        /// Where they turned up.
        var found: (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>)?
    }

    /// What the file beside the log tells of its end.
    struct State {
        let head: SealHead
        /// The key that the state was written with.
        let keyID: String
    }

    /// A seal that should be there, by the word of the state file or of whoever kept it.
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

    /// The right seal with the highest number, of the newest chain.
    private(set) var highestSeal: SealedSegment?
    /// The right seal that was read last.
    private(set) var mostRecentlyRead: SealedSegment?
    private var secondHighestSeal: SealedSegment?
    /// The number that the log begins with.
    private(set) var firstSequence: UInt64?
    /// The first right seal.
    private var firstSegment: SealedSegment?
    var firstTime: String? { firstSegment?.seal.timeText }
    private(set) var sealCount = 0
    /// Under right seals.
    private var facts = SegmentSummary()
    /// How far seals go, right or not.
    private var reach: UInt64 = 0

    var pending: [Pending] = []
    private var unlistedPendingCount = 0
    private var gaps: [Gap] = []
    /// Those of chains that have ended.
    private var oldGaps: [Gap] = []
    /// What is missing before the first seal.
    private var beginning: Gap?
    /// The fault of the very first segment, where that fails and its file does not tell that it is
    /// whole: then what is missing before it is the same fault.
    private var openingFault: Int?
    private var copies: (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>)?
    private var anchors: [Anchor]
    private var silences: (count: Int, first: String)?
    private var found: [Fault] = []
    private var unlistedFoundCount = 0
    /// The state file or an anchor says that nothing is missing behind the last seal.
    private(set) var endIsProven = false

    /// The ids of the keys: those in use, the newest first, and those of before.
    private let keyIDs: [String]
    /// Those of before alone.
    private let earlierIDs: Set<String>
    /// The key in use whose seal was read first.
    private var currentID: String?
    /// Seals of earlier keys behind that.
    private var retired:
        (first: LinePosition, last: LinePosition, seals: ClosedRange<UInt64>, keyID: String)?
    private let state: State?

    /// - Parameters:
    ///   - keyIDs: those in use, the newest first, and those of before.
    ///   - currentCount: how many are in use; nil for all.
    ///   - anchors: heads that somebody kept.
    init(keyIDs: [String], currentCount: Int? = nil, anchors: [SealHead], state: State?) {
        self.keyIDs = keyIDs
        earlierIDs = Set(keyIDs.dropFirst(currentCount ?? keyIDs.count))
        self.state = state
        self.anchors = anchors.map { Anchor(head: $0, isState: false) }
        if let state { self.anchors.append(Anchor(head: state.head, isState: true)) }
    }

    /// The places of the anchors that were seen, among those that were given.
    var seenAnchors: Set<Int> {
        Set(anchors.indices.filter { anchors[$0].isSeen && !anchors[$0].isState })
    }

    /// Drops anchors by their places, but for those that are in this log.
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

    // MARK: What waits for the next right seal

    mutating func take(_ finding: SegmentResult) {
        switch finding {
        case .sealed(let segment): take(segment)
        case .failed(let segment) where segment.keyIsKnown: wait(for: .failed(segment))
        case .failed(let segment): wait(forForeign: segment)
        case .damaged(let from, let to): wait(for: .damaged(from: from, to: to))
        case .unsealed(let lines): wait(for: .unsealed(lines))
        }
    }

    private mutating func wait(for item: Pending) {
        // A log without one right seal must not be kept here as a whole.
        if pending.count < VerificationReport.mostFaults {
            pending.append(item)
        } else {
            unlistedPendingCount += 1
        }
    }

    /// Seals of another key come by the thousand where a key was taken out of use: they are one fault.
    private mutating func wait(forForeign segment: FailedSegment) {
        watchAnchors(segment)
        if case .foreign(var run)? = pending.last {
            if segment.holdsSealBefore { unwait(forForeign: run) }
            if case .foreign(let rest)? = pending.last { run = rest }
            if run.add(segment) {
                pending[pending.count - 1] = .foreign(run)
                return
            }
        }
        wait(for: .foreign(ForeignSegments(segment)))
    }

    /// Takes back the last of them: that was no seal, but a line.
    private mutating func unwait(forForeign run: ForeignSegments) {
        pending.removeLast()
        if let rest = run.withoutLast() { pending.append(.foreign(rest)) }
    }

    // MARK: Right seals

    private mutating func take(_ segment: SealedSegment) {
        sealCount += 1
        if firstSegment == nil { firstSegment = segment }
        watchAnchors(segment)
        switch segment.way {
        case .plain: break
        case .withoutFailures: reportInserted()
        case .withFailures:
            pending = []
            note("\(place(segment.first)): lines that look like seals are lines like any other")
        case .withSealBefore:
            if case .foreign(let run)? = pending.last {
                unwait(forForeign: run)
            } else {
                pending = []
                highestSeal = secondHighestSeal
            }
            note(
                "\(place(segment.first)): a seal was torn before its line's end, and taken for a line"
            )
        }
        facts.add(segment.facts)
        addFound(segment)
        guard let highestSeal, segment.seal.sequence <= highestSeal.seal.sequence else {
            endCopies()
            judgeBorder(before: segment)
            settle(before: segment)
            judgeKey(of: segment)
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

    /// The seals that failed stand in a segment that is whole without them.
    private mutating func reportInserted() {
        let spots = pending.compactMap { item -> LinePosition? in
            switch item {
            case .failed(let failed): failed.last
            case .foreign(let run): run.last
            case .damaged, .unsealed: nil
            }
        }
        pending = []
        guard let first = spots.first, let last = spots.last else { return }
        let sentence =
            spots.count == 1
            ? "this line was put in; without it everything around is as it was sealed"
            : "\(spots.count) lines among these that look like seals were put in; without them "
                + "everything around is as it was sealed"
        add(Fault(kind: .inserted, first: first, last: last, seals: nil, sentence: sentence))
    }

    /// A start goes on from the last seal that it finds, whatever its key: no server begins at 1
    /// behind another's seals.
    private mutating func beginChain(_ segment: SealedSegment) {
        endCopies()
        add(
            Fault(
                kind: .inserted, first: segment.first, last: segment.last, seals: 1...1,
                sentence:
                    "a new chain begins with key \(segment.seal.keyID) behind that of another: "
                    + "one of the two is from another log"))
        oldGaps += gaps
        gaps = []
        secondHighestSeal = nil
        highestSeal = segment
        reach = 1
    }

    /// Whoever has a key that is out of use can still seal with it: what it sealed once stands under the
    /// seals of the next, but behind those it has no say.
    private mutating func judgeKey(of segment: SealedSegment) {
        let (id, sequence) = (segment.seal.keyID, segment.seal.sequence)
        guard earlierIDs.contains(id) else {
            endRetired()
            if currentID == nil {
                currentID = id
                if let highestSeal {
                    note(
                        "\(place(segment.last)): from here on, since \(segment.seal.timeText), the log "
                            + "is sealed with key \(id), and before with \(highestSeal.seal.keyID): whoever "
                            + "had that key could have written what is before")
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
                sentence: "sealed with key \(retired.keyID), which was out of use: before it stand "
                    + "seals of key \(currentID)"))
    }

    /// The last seal is of a key of before: whoever has that could have written all of this.
    var isOfEarlierKeys: Bool { highestSeal.map { earlierIDs.contains($0.seal.keyID) } ?? false }

    private func isNewer(_ keyID: String, than other: String) -> Bool {
        guard let a = keyIDs.firstIndex(of: keyID), let b = keyIDs.firstIndex(of: other) else {
            return false
        }
        return a < b
    }

    /// What can be wrong although every seal is right.
    private mutating func judgeBorder(before segment: SealedSegment) {
        guard let highestSeal, pending.isEmpty,
            segment.seal.sequence == highestSeal.seal.sequence + 1
        else {
            return
        }
        if isNewer(highestSeal.seal.keyID, than: segment.seal.keyID) {
            note(
                "\(place(segment.last)): from here on the log is sealed with key "
                    + "\(segment.seal.keyID), which is older than the one before")
        }
        report(segment.facts.strays, behind: highestSeal)
    }

    /// A server that stops seals everything, and writes nothing behind that; the next begins with its
    /// own line. Without that rule whoever can write the file could have a start seal his lines.
    private mutating func report(_ strays: LinesAfterShutdown?, behind last: SealedSegment) {
        guard let strays, last.seal.reason == .stop else { return }
        add(
            Fault(
                kind: .inserted, first: strays.first, last: strays.last, seals: nil,
                sentence: "\(counted(strays.count, "line")) between a server's stop and the next "
                    + "start: no server wrote that"))
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
                sentence: "a copy of lines that stand elsewhere in the log, with their seals"))
    }

    /// Seals come each minute even where nothing else does.
    private mutating func noteSilence(before segment: SealedSegment) {
        guard let highestSeal, segment.facts.startCount == 0,
            segment.seal.sequence == highestSeal.seal.sequence + 1,
            let from = highestSeal.seal.moment, let to = segment.seal.moment,
            to.milliseconds - from.milliseconds > 120_000
        else { return }
        let words =
            "\(place(highestSeal.last)): from \(highestSeal.seal.timeText) to \(segment.seal.timeText)"
        silences = silences.map { ($0.count + 1, $0.first) } ?? (1, words)
    }

    private mutating func watchAnchors(_ segment: SealedSegment) {
        let seal = segment.seal
        for index in anchors.indices {
            let head = anchors[index].head
            // The seal behind it names it, too.
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

    /// A code that somebody kept is known whatever its key. Not that of the state file, which is of a key
    /// in use or of nobody's.
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

    /// Takes note of the lines that a start found and sealed.
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
                sentence: "\(counted(lines.count, "line")) that a server found unsealed when it "
                    + "started: a server that was killed wrote them, or others did"))
    }

    /// Adds the lines that a start found unsealed. They are not proof of tampering, so they only
    /// get the places in the report that other faults leave free.
    private mutating func addFoundFaults() {
        let room = max(0, VerificationReport.mostFaults - faults.count)
        let tampered = faults.filter(\.kind.isTampering)
        // Lines that no server can have written are one fault.
        found.removeAll { lines in
            tampered.contains { $0.first <= lines.first && lines.last <= $0.last }
        }
        faults += found.prefix(room)
        let rest = found.dropFirst(room).count
        if rest > 0 || unlistedFoundCount > 0 {
            note("and more lines that a server found unsealed when it started")
        }
    }

    // MARK: Numbers

    /// Takes note of seals that are not there.
    mutating func recordGap(_ missing: ClosedRange<UInt64>, _ fault: Fault) {
        if gaps.count < VerificationReport.mostFaults {
            gaps.append(Gap(missing: [missing], fault: fault))
        } else {
            add(fault)
        }
    }

    /// Takes note of the number that the log begins with.
    /// - Parameters:
    ///   - previous: the code that the first seal names, if that seal is right.
    ///   - opening: what the first line tells.
    mutating func begin(
        with sequence: UInt64, after previous: SealMAC?, _ opening: ControlLine?,
        openingFault index: Int?
    ) {
        firstSequence = sequence
        guard sequence > 1 else { return }
        // Whoever kept the head before it knows what was there.
        if let previous,
            anchors.contains(where: {
                $0.head.sequence == sequence - 1 && $0.head.code == previous && !$0.isState
            })
        {
            note("begins at seal \(sequence), behind an anchor that was given")
            return
        }
        let first = LinePosition(file: 0, line: 1)
        openingFault = index
        beginning = Gap(
            missing: [1...(sequence - 1)],
            fault: Fault(
                kind: .missingFile, first: first, last: first, seals: 1...(sequence - 1),
                sentence: opening == .reopened
                    ? "the log was opened again here: the files that were moved away before are not "
                        + "among these"
                    : "the beginning of the log is missing, and no line of the log says that "
                        + "retention removed it"))
    }

    /// The same where the first seal is of a key that is not known: retention's word about what was before
    /// cannot be judged either.
    mutating func beginForeign(with sequence: UInt64) {
        firstSequence = sequence
        guard sequence > 1 else { return }
        note(
            "begins at seal \(sequence), of a key that was not given: nobody can tell what was before"
        )
    }

    mutating func reach(_ sequence: UInt64) { reach = sequence }

    // MARK: The end

    /// - Parameters:
    ///   - tail: the lines behind the last seal.
    ///   - isComplete: whether the files should be the whole of the log.
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
                    sentence: "whole segments stand in another order than they were written in"))
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
            note("begins at seal \(missing.upperBound + 1): retention removed what was before")
            var rest = beginning
            rest.missing = []
            report(rest)
        } else if !isComplete {
            note(
                "begins at seal \(missing.upperBound + 1): what was before is in none of these files"
            )
            var rest = beginning
            rest.missing = []
            report(rest)
        } else if let openingFault, beginning.found == nil {
            faults[openingFault].kind = .deleted
            faults[openingFault].seals =
                1...(faults[openingFault].seals?.upperBound ?? missing.upperBound + 1)
            faults[openingFault].sentence = "the log's first lines and their seals are gone"
        } else {
            var gap = beginning
            if let found = facts.foundRemovedThrough, found >= missing.upperBound {
                gap.fault.sentence =
                    "the beginning of the log is missing; the line that says that retention removed "
                    + "it was not sealed by the server that wrote it, and anybody may have"
            }
            report(gap)
        }
    }

    private mutating func endTail(_ tail: UnsealedLines) {
        if files[tail.last.file].number != nil {
            add(
                Fault(
                    kind: .truncated, first: tail.first, last: tail.last, seals: nil,
                    sentence: "a full file ends in a seal, and this one in "
                        + "\(counted(tail.count, "line")) without: its end was cut off, or these "
                        + "were put in"))
            return
        }
        if let highestSeal, pending.isEmpty { report(tail.strays, behind: highestSeal) }
        note(
            "\(counted(tail.count, "line")) behind the last seal "
                + (tail.count == 1 ? "is not sealed" : "are not sealed")
                + ": \(place(tail.first))"
                + (tail.count == 1 ? "" : " to \(tail.last.line)"))
        if tail.isTorn {
            add(
                Fault(
                    kind: .tornLine, first: tail.last, last: tail.last, seals: nil,
                    sentence: "the log's last line has no end"))
        }
        if tail.holdsDamagedSeal {
            note("\(place(tail.first)): one of the lines from here looks like a damaged seal")
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
            let word = furthest.isState ? "the state file" : "an anchor"
            if let tail, tail.holdsDamagedSeal, target == reach + 1 {
                add(
                    Fault(
                        kind: .edited, first: tail.first, last: tail.last, seals: target...target,
                        sentence: "the line of the last seal is damaged"))
            } else {
                add(
                    Fault(
                        kind: .missingTail, first: end, last: end, seals: (reach + 1)...target,
                        sentence: "the end of the log is missing: \(word) has seal \(target)"))
            }
        }
        for anchor in open where anchor.head.sequence <= reach {
            let sequence = anchor.head.sequence
            let word = anchor.isState ? "the state file" : "the anchor"
            if let spot = anchor.contradiction {
                add(
                    Fault(
                        kind: .anchorMismatch, first: spot, last: spot, seals: sequence...sequence,
                        sentence:
                            "\(word) has another code for this seal: this is not the log that "
                            + "it was taken from"))
            } else if let firstSequence, sequence < firstSequence {
                note("seal \(sequence), which \(word) has, is from before the first of these files")
            } else if faultCount == 0 {
                add(
                    Fault(
                        kind: .anchorMismatch, first: end, last: end, seals: sequence...sequence,
                        sentence: "the seal that \(word) has is not there"))
            }
        }
        guard let highestSeal else { return }
        let stateCounts = state.map { !earlierIDs.contains($0.keyID) } ?? false
        endIsProven = anchors.contains {
            $0.isState && stateCounts || $0.head == highestSeal.seal.head && !$0.isState
        }
        if !endIsProven, isOfEarlierKeys {
            note(
                "no seal is of the key in use: until the server writes one, whoever has key "
                    + "\(highestSeal.seal.keyID) could have written all of this")
        } else if !endIsProven {
            note(
                "whether lines are missing behind seal \(highestSeal.seal.sequence) cannot be told without "
                    + "a state file or an anchor")
        }
    }

    /// Where a log with a state of another key has been moved away as a whole, and the key was changed
    /// then, a start finds nothing to go on from, and begins at 1.
    private mutating func setForeignStateAside() {
        guard let state, let first = firstSegment, first.seal.sequence == 1, files.count == 1,
            isNewer(first.seal.keyID, than: state.keyID),
            first.facts.opening == .opened || first.facts.opening == .reopened,
            let index = anchors.firstIndex(where: { $0.isState && !$0.isSeen })
        else { return }
        anchors.remove(at: index)
        note(
            "a new chain begins with key \(first.seal.keyID), and the state file is still of key "
                + "\(state.keyID): what was before is in none of these files")
    }

    private mutating func addNotes() {
        if facts.startCount > 0 { note(counted(facts.startCount, "start") + " of a server") }
        for (spot, file) in facts.foreign {
            note("\(place(spot)): bytes that no server wrote were found then, and are in \(file)")
        }
        if facts.mendedCount > 0 { note(counted(facts.mendedCount, "torn line") + " declared") }
        if let silences {
            note(
                "silence: \(silences.first)"
                    + (silences.count > 1 ? ", and \(silences.count - 1) more" : ""))
        }
    }

    func place(_ spot: LinePosition) -> String { "\(files[spot.file].name): line \(spot.line)" }
}

extension ChainChecker.Gap {
    /// True if it has missed this one; it does not any more.
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

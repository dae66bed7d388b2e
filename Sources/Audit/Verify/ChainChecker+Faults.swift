import Logging

/// What to call it.
extension ChainChecker {
    /// How far the walk along the seals has come.
    private struct ChainCursor {
        /// Nil where it is not known, or no longer.
        var code: SealMAC?
        var sequence: UInt64
        var time: String?
        /// Where the seal before stands, and why it was written.
        var spot: LinePosition?
        var reason: SealChain.Reason?
        /// Lines that end a file without a seal.
        var cut: UnsealedLines?
        /// Where a segment begins that a line like a seal has cut in two.
        var split: LinePosition?
    }

    /// What the seal after one says of it.
    private struct Follower {
        let sequence: UInt64
        let previous: SealMAC
    }

    /// Judges everything that waits.
    /// - Parameter next: the right seal that goes on from here; nil if none does.
    mutating func settle(before next: SealedSegment?) {
        let items = pending
        pending = []
        let isBeginning = firstSequence == nil
        if isBeginning {
            guard let sequence = Self.firstSequence(items, next) else {
                for item in items { judgeAlone(item) }
                return
            }
            if Self.beginsForeign(items) {
                beginForeign(with: sequence)
            } else {
                begin(
                    with: sequence, after: items.isEmpty ? next?.seal.previous : nil,
                    items.isEmpty ? next?.facts.opening : nil,
                    openingFault: openingFault(items, sequence))
            }
        }
        var walk = ChainCursor(
            code: highestSeal?.seal.code ?? (firstSequence == 1 ? SealMAC.none : nil),
            sequence: highestSeal?.seal.sequence ?? (firstSequence ?? 1) - 1,
            time: highestSeal?.seal.timeText, spot: mostRecentlyRead?.last,
            reason: mostRecentlyRead?.seal.reason)
        for (index, item) in items.enumerated() {
            classify(
                item, Self.follower(of: index, items, next), next, items.dropFirst(index + 1), &walk
            )
        }
        if let next {
            var isForeign = false
            if case .foreign? = items.last { isForeign = true }
            link(
                next, isLinked: items.isEmpty ? nil : Self.isLinked(items.last, next),
                isForeign: isForeign, &walk)
        } else if let cut = walk.cut {
            reportUncovered(cut)
        }
        reach(max(walk.sequence, next?.seal.sequence ?? 0))
    }

    private static func beginsForeign(_ items: [Pending]) -> Bool {
        if case .foreign? = items.first(where: \.isOfSeals) { return true }
        return false
    }

    /// The number of the first seal; nil if nothing tells.
    private static func firstSequence(_ items: [Pending], _ next: SealedSegment?) -> UInt64? {
        let seals = items.filter(\.isOfSeals)
        guard let first = seals.first else { return next?.seal.sequence }
        if case .unsealed(let lines) = first, let seals = lines.converted { return seals.first }
        if case .foreign(let run) = first { return run.seals.lowerBound }
        // A failed seal's number counts where the code of its line is confirmed, or nothing else does.
        if case .failed(let failed) = first, failed.seal.sequence > 0 {
            guard let follower = follower(of: 0, seals, next) else { return failed.seal.sequence }
            if follower.previous == failed.seal.code { return failed.seal.sequence }
        }
        guard let next else { return nil }
        let count = UInt64(seals.count)
        return next.seal.sequence > count ? next.seal.sequence - count : 1
    }

    private func openingFault(_ items: [Pending], _ sequence: UInt64) -> Int? {
        guard case .failed(let failed)? = items.first, !failed.isFileWhole else { return nil }
        return faults.count < VerificationReport.mostFaults ? faults.count : nil
    }

    private static func follower(
        of index: Int, _ items: [Pending], _ next: SealedSegment?
    ) -> Follower? {
        guard index + 1 < items.count else {
            return next.map { Follower(sequence: $0.seal.sequence, previous: $0.seal.previous) }
        }
        switch items[index + 1] {
        case .failed(let segment):
            return Follower(sequence: segment.seal.sequence, previous: segment.seal.previous)
        case .foreign(let run):
            return Follower(sequence: run.seals.lowerBound, previous: run.previous)
        case .unsealed(let lines):
            return lines.converted.map { Follower(sequence: $0.first, previous: $0.previous) }
                ?? follower(of: index + 1, items, next)
        case .damaged: return nil
        }
    }

    private static func isLinked(_ item: Pending?, _ next: SealedSegment) -> Bool {
        switch item {
        case .failed(let segment): segment.seal.code == next.seal.previous
        case .foreign(let run): run.code == next.seal.previous
        case .unsealed(let lines): lines.converted?.code == next.seal.previous
        case .damaged, nil: false
        }
    }

    private mutating func judgeAlone(_ item: Pending) {
        var walk = ChainCursor(code: nil, sequence: 0)
        classify(item, nil, nil, [], &walk)
        if let cut = walk.cut { reportUncovered(cut) }
    }

    private mutating func classify(
        _ item: Pending, _ follower: Follower?, _ next: SealedSegment?,
        _ rest: ArraySlice<Pending>, _ walk: inout ChainCursor
    ) {
        switch item {
        case .unsealed(let lines):
            if let cut = walk.cut { reportUncovered(cut) }
            walk.cut = nil
            guard let seals = lines.converted else {
                walk.cut = lines
                return
            }
            advance(to: seals.first, lines.first, nil, &walk)
            walk.sequence = max(walk.sequence, seals.last)
            walk.code = seals.code
            (walk.spot, walk.reason) = (lines.last, .rotate)
            add(
                Fault(
                    kind: .edited, first: lines.first, last: lines.last,
                    seals: seals.first...max(seals.first, seals.last),
                    sentence: "the ends of the lines were changed from LF to CR LF"))
        case .damaged(let from, let to):
            endCut(&walk)
            if let next, next.seal.sequence == walk.sequence + 1 {
                // No seal is missing that it could have been.
                add(
                    Fault(
                        kind: .inserted, first: from, last: to, seals: nil,
                        sentence: "lines that no seal covers, and one like a seal that is none"))
                return
            }
            walk.sequence += 1
            walk.code = nil
            (walk.spot, walk.reason) = (to, nil)
            add(
                Fault(
                    kind: .edited, first: from, last: to, seals: walk.sequence...walk.sequence,
                    sentence: "the line of a seal was changed so that it is none"))
        case .foreign(let run):
            let isNext = run.seals.lowerBound == walk.sequence + 1
            let follows =
                run.seals.lowerBound > walk.sequence
                && (!isNext || walk.code == nil || walk.code == run.previous)
            advance(to: run.seals.lowerBound, run.first, nil, &walk)
            walk.sequence = max(walk.sequence, run.seals.upperBound)
            walk.code = run.code
            (walk.spot, walk.reason) = (run.last, nil)
            let (kind, sentence) = judgement(run, follows: follows, next)
            add(
                Fault(
                    kind: kind, first: run.first, last: run.last, seals: run.seals,
                    sentence: sentence))
        case .failed(let segment): classify(segment, follower, next, rest, &walk)
        }
    }

    /// At the log's beginning or its end, such seals can be those of a key that was changed. Between seals
    /// of keys that are known they cannot: no key is taken out of use before the one that it replaced.
    private func judgement(
        _ run: ForeignSegments, follows: Bool, _ next: SealedSegment?
    ) -> (VerificationReport.Fault.Kind, String) {
        let key = "key \(run.keyID), which is none of those given"
        if !run.looksRight { return (.edited, "not what was sealed, whoever has \(key)") }
        if !follows { return (.inserted, "seals of \(key), that do not follow those before them") }
        if highestSeal != nil, next != nil {
            return (.edited, "sealed with \(key), between seals of keys that are")
        }
        return (
            .wrongKey,
            "sealed with \(key): nobody can judge these lines without it; name the file that has it "
                + "with --key-file"
        )
    }

    private mutating func classify(
        _ segment: FailedSegment, _ follower: Follower?, _ next: SealedSegment?,
        _ rest: ArraySlice<Pending>, _ walk: inout ChainCursor
    ) {
        let seal = segment.seal
        if isInserted(seal, walk, follower) {
            if case .failed? = rest.first {
                walk.split = walk.split ?? segment.first
                return
            }
            add(
                Fault(
                    kind: .inserted, first: walk.split ?? segment.first, last: segment.last,
                    seals: nil,
                    sentence: "a line that looks like a seal and does not belong here; what stands "
                        + "before it is under no seal"))
            walk.split = nil
            return
        }
        // Its number may be what was changed.
        let isPlausible =
            seal.sequence > walk.sequence && seal.sequence < next?.seal.sequence ?? .max
        var missingCount: UInt64 = 0
        // More lines than were sealed, or a damaged seal among them: what is missing was in here.
        let isMerged = segment.holdsDamagedSeal || segment.lineCount > seal.lineCount
        if isPlausible, !isMerged, walk.cut != nil || segment.isFileWhole {
            advance(to: seal.sequence, segment.first, segment.opening, &walk)
        } else if isPlausible {
            missingCount = seal.sequence - walk.sequence - 1
        }
        endCut(&walk)
        let sequence = isPlausible ? seal.sequence : walk.sequence + 1
        let (kind, sentence) = Self.judgement(segment, missingCount, walk, follower, next)
        add(
            Fault(
                kind: kind, first: walk.split ?? segment.first, last: segment.last,
                seals: (sequence - missingCount)...sequence, sentence: sentence))
        walk.split = nil
        walk.sequence = sequence
        walk.code = seal.code
        walk.time = nil
        (walk.spot, walk.reason) = (segment.last, seal.reason)
    }

    /// Whether the seals around this one are neighbours without it.
    private func isInserted(_ seal: SealLine, _ walk: ChainCursor, _ follower: Follower?) -> Bool {
        // A copy of the very seal before.
        if seal.code == walk.code { return true }
        guard let follower else {
            return seal.sequence <= walk.sequence && seal.previous != walk.code
        }
        if seal.code == follower.previous { return false }
        if let code = walk.code, code == follower.previous {
            return follower.sequence == walk.sequence + 1
        }
        return seal.sequence <= walk.sequence && seal.previous != walk.code
    }

    private static func judgement(
        _ segment: FailedSegment, _ missingCount: UInt64, _ walk: ChainCursor,
        _ follower: Follower?,
        _ next: SealedSegment?
    ) -> (VerificationReport.Fault.Kind, String) {
        let seal = segment.seal
        let (count, sealed) = (segment.lineCount, seal.lineCount)
        if walk.split != nil {
            return (
                .inserted, "a seal that does not belong here was put in, with what stands before it"
            )
        }
        if segment.sum == seal.sum {
            let sealIsGenuine = follower.map { $0.previous == seal.code } ?? true
            let followsBefore = walk.code.map { $0 == seal.previous } ?? true
            let isInTime =
                walk.time ?? "" <= seal.timeText && seal.timeText <= next?.seal.timeText ?? "a"
            guard count == sealed, sealed > 1, sealIsGenuine, followsBefore, isInTime,
                seal.sequence == walk.sequence + 1
            else { return (.edited, "the seal's own line was changed") }
            return (
                .reordered,
                "the lines that were sealed, but in another order (or the seal's own line was changed)"
            )
        }
        if missingCount > 0 {
            return segment.holdsDamagedSeal
                ? (.edited, "the line of a seal was changed so that it is none")
                : (.deleted, "\(counted(missingCount, "seal")) and lines around are gone")
        }
        if count < sealed {
            return (.deleted, "\(counted(sealed - count, "line")) of \(sealed) are gone")
        }
        if count > sealed {
            return (
                .inserted,
                "\(counted(count - sealed, "line")) more than the \(sealed) that were sealed"
            )
        }
        return (.edited, "the \(counted(count, "line")) are not what was sealed")
    }

    // MARK: Gaps

    /// - Parameter isForeign: whether nobody has found a fault in what stands before it.
    private mutating func link(
        _ next: SealedSegment, isLinked: Bool?, isForeign: Bool, _ walk: inout ChainCursor
    ) {
        if isLinked != true {
            advance(to: next.seal.sequence, next.first, next.facts.opening, &walk)
        }
        endCut(&walk)
        guard isLinked == nil || isForeign, isLinked != true,
            next.seal.sequence == walk.sequence + 1, let code = walk.code,
            code != next.seal.previous
        else { return }
        add(
            Fault(
                kind: .inserted, first: next.first, last: next.last,
                seals: next.seal.sequence...next.seal.sequence,
                sentence: "a right seal that does not follow the one before it: one of the two is "
                    + "from another log of the same key"))
    }

    /// Takes note of a gap, if there is one, before the seal with this number.
    private mutating func advance(
        to sequence: UInt64, _ spot: LinePosition, _ opening: ControlLine?,
        _ walk: inout ChainCursor
    ) {
        guard sequence > walk.sequence, sequence - walk.sequence > 1 else { return }
        let missing = (walk.sequence + 1)...(sequence - 1)
        recordGap(missing, gapFault(missing, spot, opening, walk))
        walk.sequence = sequence - 1
        walk.code = nil
        walk.cut = nil
    }

    private func gapFault(
        _ missing: ClosedRange<UInt64>, _ spot: LinePosition, _ opening: ControlLine?,
        _ walk: ChainCursor
    ) -> Fault {
        func fault(
            _ kind: VerificationReport.Fault.Kind, _ first: LinePosition, _ last: LinePosition,
            _ sentence: String
        ) -> Fault {
            Fault(kind: kind, first: first, last: last, seals: missing, sentence: sentence)
        }
        if let cut = walk.cut {
            return fault(
                .truncated, cut.first, cut.last,
                "the end of the file was cut off: its last \(counted(cut.count, "line")) have no seal"
            )
        }
        guard let before = walk.spot, before.file != spot.file else {
            return fault(
                .deleted, walk.spot ?? spot, spot,
                "\(counted(missing.count, "seal")) and all of their lines are gone")
        }
        if let names = missingFiles(between: before.file, spot.file, opening) {
            return fault(.missingFile, spot, spot, "\(names) before this one")
        }
        if walk.reason != .rotate {
            return fault(
                .truncated, before, before,
                "the file goes on behind this seal, and that was cut off")
        }
        if opening == .reopened {
            return fault(
                .missingFile, spot, spot,
                "the log was opened again here: a file that was moved away before is not among these"
            )
        }
        if opening == nil {
            return fault(.deleted, spot, spot, "the beginning of the file is gone")
        }
        return fault(.missingFile, spot, spot, "what comes before this file is in none of these")
    }

    /// Words about the files between two; nil if there is none, as far as names tell.
    private func missingFiles(
        between before: Int, _ after: Int, _ opening: ControlLine?
    ) -> String? {
        let log = files[after].logName
        var highest = files[after].number.map { $0 - 1 }
        if case .rotated(let name)? = opening {
            highest = LogFileNames.number(of: name, log, highest: .max) ?? highest
        }
        guard let lowest = files[before].number.map({ $0 + 1 }), files[before].logName == log else {
            guard case .rotated(let name)? = opening,
                let number = LogFileNames.number(of: name, log, highest: .max),
                LogFileNames.base(of: files[before].name) != name
            else { return nil }
            return "\(LogFileNames.path(of: log, number)) is missing"
        }
        guard let highest, lowest <= highest else { return nil }
        let first = LogFileNames.path(of: LogFileNames.base(of: log), lowest)
        if lowest == highest { return "\(first) is missing" }
        return
            "\(first) to \(LogFileNames.path(of: LogFileNames.base(of: log), highest)) are missing"
    }

    /// Lines at the end of a file, where no seal is missing.
    private mutating func endCut(_ walk: inout ChainCursor) {
        guard let cut = walk.cut else { return }
        walk.cut = nil
        reportUncovered(cut)
    }

    private mutating func reportUncovered(_ lines: UnsealedLines) {
        let sentence =
            lines.holdsDamagedSeal
            ? "the line of the file's last seal was changed so that it is none"
            : "\(counted(lines.count, "line")) behind the file's last seal, which no seal covers"
        add(
            Fault(
                kind: lines.holdsDamagedSeal ? .edited : .inserted, first: lines.first,
                last: lines.last, seals: nil, sentence: sentence))
    }
}

extension ChainChecker.Pending {
    /// Whether a seal stands in it, right or not.
    fileprivate var isOfSeals: Bool {
        if case .unsealed(let lines) = self { return lines.converted != nil }
        return true
    }
}

extension FailedSegment {
    fileprivate var isFileWhole: Bool { opening?.beginsFile ?? false }
}

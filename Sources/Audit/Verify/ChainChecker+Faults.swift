import Logging

/// Classification of faults.
extension ChainChecker {
    /// The position in the chain of seals.
    private struct ChainCursor {
        /// The code of the seal at this position; nil if it is not known.
        var code: SealMAC?
        var sequence: UInt64
        var time: String?
        /// The position of that seal's line, and the reason of the seal.
        var position: LinePosition?
        var reason: SealChain.Reason?
        /// Lines at the end of a file that no seal covers.
        var cut: UnsealedLines?
        /// The start of a segment that an inserted seal has split.
        var split: LinePosition?
    }

    /// What a seal says about its predecessor.
    private struct Follower {
        let sequence: UInt64
        let previous: SealMAC
    }

    /// Classifies everything that is pending.
    ///
    /// - Parameter next: the valid seal that continues the chain; nil if there is none.
    mutating func settle(before next: SealedSegment?) {
        let items = pending
        pending = []
        let isBeginning = firstSequence == nil
        if isBeginning {
            guard let sequence = Self.firstSequence(items, next) else {
                for item in items { classifyAlone(item) }
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
        var cursor = ChainCursor(
            code: highestSeal?.seal.code ?? (firstSequence == 1 ? SealMAC.none : nil),
            sequence: highestSeal?.seal.sequence ?? (firstSequence ?? 1) - 1,
            time: highestSeal?.seal.timeText, position: mostRecentlyRead?.last,
            reason: mostRecentlyRead?.seal.reason)
        for (index, item) in items.enumerated() {
            classify(
                item, Self.follower(of: index, items, next), next, items.dropFirst(index + 1),
                &cursor
            )
        }
        if let next {
            var isForeign = false
            if case .foreign? = items.last { isForeign = true }
            link(
                next, isLinked: items.isEmpty ? nil : Self.isLinked(items.last, next),
                isForeign: isForeign, &cursor)
        } else if let cut = cursor.cut {
            reportUncovered(cut)
        }
        reach(max(cursor.sequence, next?.seal.sequence ?? 0))
    }

    private static func beginsForeign(_ items: [Pending]) -> Bool {
        if case .foreign? = items.first(where: \.isOfSeals) { return true }
        return false
    }

    /// The sequence number of the first seal; nil if it cannot be determined.
    private static func firstSequence(_ items: [Pending], _ next: SealedSegment?) -> UInt64? {
        let seals = items.filter(\.isOfSeals)
        guard let first = seals.first else { return next?.seal.sequence }
        if case .unsealed(let lines) = first, let seals = lines.converted { return seals.first }
        if case .foreign(let run) = first { return run.seals.lowerBound }
        // The number of a failed seal is used only if its successor confirms the code of its line,
        // or if it has no successor.
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

    private mutating func classifyAlone(_ item: Pending) {
        var cursor = ChainCursor(code: nil, sequence: 0)
        classify(item, nil, nil, [], &cursor)
        if let cut = cursor.cut { reportUncovered(cut) }
    }

    private mutating func classify(
        _ item: Pending, _ follower: Follower?, _ next: SealedSegment?,
        _ rest: ArraySlice<Pending>, _ cursor: inout ChainCursor
    ) {
        switch item {
        case .unsealed(let lines):
            if let cut = cursor.cut { reportUncovered(cut) }
            cursor.cut = nil
            guard let seals = lines.converted else {
                cursor.cut = lines
                return
            }
            advance(to: seals.first, lines.first, nil, &cursor)
            cursor.sequence = max(cursor.sequence, seals.last)
            cursor.code = seals.code
            (cursor.position, cursor.reason) = (lines.last, .rotate)
            add(
                Fault(
                    kind: .edited, first: lines.first, last: lines.last,
                    seals: seals.first...max(seals.first, seals.last),
                    sentence: "the line ends were changed from LF to CR LF"))
        case .damaged(let from, let to):
            endCut(&cursor)
            if let next, next.seal.sequence == cursor.sequence + 1 {
                // No seal number is missing, so this was never a seal of the chain.
                add(
                    Fault(
                        kind: .inserted, first: from, last: to, seals: nil,
                        sentence: "lines that no seal covers, one of them similar to a seal"))
                return
            }
            cursor.sequence += 1
            cursor.code = nil
            (cursor.position, cursor.reason) = (to, nil)
            add(
                Fault(
                    kind: .edited, first: from, last: to, seals: cursor.sequence...cursor.sequence,
                    sentence: "the line of a seal was changed and is no longer a seal"))
        case .foreign(let run):
            let isNext = run.seals.lowerBound == cursor.sequence + 1
            let follows =
                run.seals.lowerBound > cursor.sequence
                && (!isNext || cursor.code == nil || cursor.code == run.previous)
            advance(to: run.seals.lowerBound, run.first, nil, &cursor)
            cursor.sequence = max(cursor.sequence, run.seals.upperBound)
            cursor.code = run.code
            (cursor.position, cursor.reason) = (run.last, nil)
            let (kind, sentence) = verdict(run, follows: follows, next)
            add(
                Fault(
                    kind: kind, first: run.first, last: run.last, seals: run.seals,
                    sentence: sentence))
        case .failed(let segment): classify(segment, follower, next, rest, &cursor)
        }
    }

    /// At the beginning or the end of the log, such seals may be of a key that was replaced.
    /// Between seals of known keys they cannot be: a key is never removed before the key that it
    /// replaced.
    private func verdict(
        _ run: ForeignSegments, follows: Bool, _ next: SealedSegment?
    ) -> (VerificationReport.Fault.Kind, String) {
        let key = "key \(run.keyID), which was not given"
        if !run.looksRight { return (.edited, "the lines do not match their seal of \(key)") }
        if !follows {
            return (.inserted, "seals of \(key); they do not follow the seals before them")
        }
        if highestSeal != nil, next != nil {
            return (.edited, "sealed with \(key), but between seals of given keys")
        }
        return (
            .wrongKey,
            "sealed with \(key): these lines cannot be verified without it; name its file "
                + "with --key-file"
        )
    }

    private mutating func classify(
        _ segment: FailedSegment, _ follower: Follower?, _ next: SealedSegment?,
        _ rest: ArraySlice<Pending>, _ cursor: inout ChainCursor
    ) {
        let seal = segment.seal
        if isInserted(seal, cursor, follower) {
            if case .failed? = rest.first {
                cursor.split = cursor.split ?? segment.first
                return
            }
            add(
                Fault(
                    kind: .inserted, first: cursor.split ?? segment.first, last: segment.last,
                    seals: nil,
                    sentence: "a line that looks like a seal but is not part of the chain; no seal "
                        + "covers the lines before it"))
            cursor.split = nil
            return
        }
        // The sequence number itself may have been changed.
        let isPlausible =
            seal.sequence > cursor.sequence && seal.sequence < next?.seal.sequence ?? .max
        var missingCount: UInt64 = 0
        // More lines than were sealed, or a damaged seal among them: the missing seals were in
        // here.
        let isMerged = segment.holdsDamagedSeal || segment.lineCount > seal.lineCount
        if isPlausible, !isMerged, cursor.cut != nil || segment.isFileWhole {
            advance(to: seal.sequence, segment.first, segment.opening, &cursor)
        } else if isPlausible {
            missingCount = seal.sequence - cursor.sequence - 1
        }
        endCut(&cursor)
        let sequence = isPlausible ? seal.sequence : cursor.sequence + 1
        let (kind, sentence) = Self.verdict(segment, missingCount, cursor, follower, next)
        add(
            Fault(
                kind: kind, first: cursor.split ?? segment.first, last: segment.last,
                seals: (sequence - missingCount)...sequence, sentence: sentence))
        cursor.split = nil
        cursor.sequence = sequence
        cursor.code = seal.code
        cursor.time = nil
        (cursor.position, cursor.reason) = (segment.last, seal.reason)
    }

    /// Whether the seals before and after this one are adjacent without it.
    private func isInserted(_ seal: SealLine, _ cursor: ChainCursor, _ follower: Follower?) -> Bool
    {
        // A copy of the preceding seal.
        if seal.code == cursor.code { return true }
        guard let follower else {
            return seal.sequence <= cursor.sequence && seal.previous != cursor.code
        }
        if seal.code == follower.previous { return false }
        if let code = cursor.code, code == follower.previous {
            return follower.sequence == cursor.sequence + 1
        }
        return seal.sequence <= cursor.sequence && seal.previous != cursor.code
    }

    private static func verdict(
        _ segment: FailedSegment, _ missingCount: UInt64, _ cursor: ChainCursor,
        _ follower: Follower?,
        _ next: SealedSegment?
    ) -> (VerificationReport.Fault.Kind, String) {
        let seal = segment.seal
        let (count, sealed) = (segment.lineCount, seal.lineCount)
        if cursor.split != nil {
            return (
                .inserted, "a seal that does not belong here was inserted, with the lines before it"
            )
        }
        if segment.sum == seal.sum {
            let sealIsGenuine = follower.map { $0.previous == seal.code } ?? true
            let followsBefore = cursor.code.map { $0 == seal.previous } ?? true
            let isInTime =
                cursor.time ?? "" <= seal.timeText && seal.timeText <= next?.seal.timeText ?? "a"
            guard count == sealed, sealed > 1, sealIsGenuine, followsBefore, isInTime,
                seal.sequence == cursor.sequence + 1
            else { return (.edited, "the seal's own line was changed") }
            return (
                .reordered,
                "the sealed lines, but in another order (or the seal's own line was changed)"
            )
        }
        if missingCount > 0 {
            return segment.holdsDamagedSeal
                ? (.edited, "the line of a seal was changed and is no longer a seal")
                : (.deleted, "\(counted(missingCount, "seal")) and lines around them are missing")
        }
        if count < sealed {
            return (.deleted, "\(counted(sealed - count, "line")) of \(sealed) are missing")
        }
        if count > sealed {
            return (
                .inserted,
                "\(counted(count - sealed, "line")) more than the \(sealed) that were sealed"
            )
        }
        return (.edited, "the \(counted(count, "line")) do not match their seal")
    }

    // MARK: Gaps

    /// - Parameter isForeign: the segments before `next` are under unknown keys and show no fault.
    private mutating func link(
        _ next: SealedSegment, isLinked: Bool?, isForeign: Bool, _ cursor: inout ChainCursor
    ) {
        if isLinked != true {
            advance(to: next.seal.sequence, next.first, next.facts.opening, &cursor)
        }
        endCut(&cursor)
        guard isLinked == nil || isForeign, isLinked != true,
            next.seal.sequence == cursor.sequence + 1, let code = cursor.code,
            code != next.seal.previous
        else { return }
        add(
            Fault(
                kind: .inserted, first: next.first, last: next.last,
                seals: next.seal.sequence...next.seal.sequence,
                sentence: "a valid seal that does not follow the one before it: one of the two is "
                    + "from another log of the same key"))
    }

    /// Records the gap, if any, before the seal with this number.
    private mutating func advance(
        to sequence: UInt64, _ position: LinePosition, _ opening: ControlLine?,
        _ cursor: inout ChainCursor
    ) {
        guard sequence > cursor.sequence, sequence - cursor.sequence > 1 else { return }
        let missing = (cursor.sequence + 1)...(sequence - 1)
        recordGap(missing, gapFault(missing, position, opening, cursor))
        cursor.sequence = sequence - 1
        cursor.code = nil
        cursor.cut = nil
    }

    private func gapFault(
        _ missing: ClosedRange<UInt64>, _ position: LinePosition, _ opening: ControlLine?,
        _ cursor: ChainCursor
    ) -> Fault {
        func fault(
            _ kind: VerificationReport.Fault.Kind, _ first: LinePosition, _ last: LinePosition,
            _ sentence: String
        ) -> Fault {
            Fault(kind: kind, first: first, last: last, seals: missing, sentence: sentence)
        }
        if let cut = cursor.cut {
            return fault(
                .truncated, cut.first, cut.last,
                "the end of the file was cut off: its last \(counted(cut.count, "line")) have no "
                    + "seal"
            )
        }
        guard let before = cursor.position, before.file != position.file else {
            return fault(
                .deleted, cursor.position ?? position, position,
                "\(counted(missing.count, "seal")) and all of their lines are missing")
        }
        if let names = missingFiles(between: before.file, position.file, opening) {
            return fault(.missingFile, position, position, "\(names) before this one")
        }
        if cursor.reason != .rotate {
            return fault(
                .truncated, before, before,
                "the file continued after this seal, and that part was cut off")
        }
        if opening == .reopened {
            return fault(
                .missingFile, position, position,
                "the log was reopened here; the file that was current before is missing"
            )
        }
        if opening == nil {
            return fault(.deleted, position, position, "the beginning of the file is missing")
        }
        return fault(
            .missingFile, position, position, "the part of the log before this file is missing")
    }

    /// Names the files that are missing between two files; nil if the names do not show any.
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
            return "\(LogFileNames.archivePath(of: log, number)) is missing"
        }
        guard let highest, lowest <= highest else { return nil }
        let first = LogFileNames.archivePath(of: LogFileNames.base(of: log), lowest)
        if lowest == highest { return "\(first) is missing" }
        let last = LogFileNames.archivePath(of: LogFileNames.base(of: log), highest)
        return "\(first) to \(last) are missing"
    }

    /// Reports pending lines at the end of a file where no seal is missing.
    private mutating func endCut(_ cursor: inout ChainCursor) {
        guard let cut = cursor.cut else { return }
        cursor.cut = nil
        reportUncovered(cut)
    }

    private mutating func reportUncovered(_ lines: UnsealedLines) {
        let sentence =
            lines.holdsDamagedSeal
            ? "the line of the file's last seal was changed and is no longer a seal"
            : "\(counted(lines.count, "line")) after the last seal of the file, which no seal "
                + "covers"
        add(
            Fault(
                kind: lines.holdsDamagedSeal ? .edited : .inserted, first: lines.first,
                last: lines.last, seals: nil, sentence: sentence))
    }
}

extension ChainChecker.Pending {
    /// Whether it contains a seal, valid or not.
    fileprivate var isOfSeals: Bool {
        if case .unsealed(let lines) = self { return lines.converted != nil }
        return true
    }
}

extension FailedSegment {
    fileprivate var isFileWhole: Bool { opening?.beginsFile ?? false }
}

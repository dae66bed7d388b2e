import Logging
import POSIX

/// Tells whether a log is what its server wrote: every line under a seal, every seal right and where
/// it belongs, nothing missing at either end.
///
/// Reads the files once, in bounded memory, whatever they hold; writes nothing, and may run beside the
/// server.
package struct LogVerifier: Sendable {
    /// Those in use, and then those of before.
    private let keys: [SealKey]
    /// How many of them are in use.
    private let currentCount: Int
    private let anchors: [SealHead]

    /// - Parameters:
    ///   - keys: those in use, the newest first.
    ///   - earlier: those that may have sealed before them, and no more since: a seal of theirs behind
    ///     one of `keys` is a fault, and their word about the log's end proves nothing.
    ///   - anchors: heads that were kept elsewhere; the log must still have them.
    package init(keys: [SealKey], earlier: [SealKey] = [], anchors: [SealHead] = []) {
        let ids = Set(keys.map(\.id))
        self.keys = keys + earlier.filter { !ids.contains($0.id) }
        currentCount = keys.count
        self.anchors = anchors
    }

    /// The log at this path with all of its full files: the whole of it should be there.
    package func verify(log path: String) -> VerificationReport {
        verify(LogFileSet(log: path, keys: keys))
    }

    /// Several logs, each as `verify(log:)` does it. An anchor need be in one of them.
    package func verify(logs paths: [String]) -> VerificationReports {
        let runs = paths.map { path in
            let files = LogFileSet(log: path, keys: keys)
            return (name: path, run: run(over: files), isComplete: files.isComplete)
        }
        return end(runs)
    }

    /// Several groups of files, each as `verify(files:)` does it. An anchor need be in one of them.
    package func verify(groups: [[String]]) -> VerificationReports {
        let runs = groups.map { paths in
            let files = LogFileSet(paths: paths, keys: keys)
            return (name: paths[0], run: run(over: files), isComplete: files.isComplete)
        }
        return end(runs)
    }

    private func end(
        _ runs: [(name: String, run: Run, isComplete: Bool)]
    ) -> VerificationReports {
        let seen = runs.map(\.run.seenAnchors)
        var reports = VerificationReports()
        for (index, (name, run, isComplete)) in runs.enumerated() {
            var excused: Set<Int> = []
            for other in seen.indices where other != index { excused.formUnion(seen[other]) }
            reports.add(name, run.end(isComplete: isComplete, excused: excused))
        }
        return reports
    }

    /// These files, `-` being standard input: they may be a part of a log.
    package func verify(files paths: [String]) -> VerificationReport {
        verify(LogFileSet(paths: paths, keys: keys))
    }

    /// Bytes that are here already, in their order.
    package func verify(
        _ files: [(name: String, bytes: [UInt8])], state: SealHead? = nil, isComplete: Bool = false
    ) -> VerificationReport {
        var run = Run(
            self, state.map { ChainChecker.State(head: $0, keyID: keys.first?.id ?? "") })
        let last = files.count - 1
        for (index, file) in files.enumerated() {
            // Small inputs in a small buffer: this door is for many of them.
            var lines = LineReader(
                MemoryBytes(file.bytes), bufferSize: min(file.bytes.count, 65_536) + 1)
            let (log, number) = LogFiles.name(of: file.name)
            run.read(
                ChainChecker.File(name: file.name, number: number, logName: log), &lines,
                isLast: index == last)
        }
        return run.end(isComplete: isComplete)
    }

    private func verify(_ files: LogFileSet) -> VerificationReport {
        run(over: files).end(isComplete: files.isComplete)
    }

    private func run(over files: LogFileSet) -> Run {
        var run = Run(self, files.state)
        run.report.problems = files.problems
        run.report.notes = files.notes
        let last = files.files.count - 1
        for (index, file) in files.files.enumerated() {
            var lines = LineReader(file.file.bytes())
            run.read(file.facts, &lines, isLast: index == last)
        }
        run.addForeign(files.foreign)
        return run
    }

    /// One verification.
    private struct Run {
        private let verifier: LogVerifier
        private let state: ChainChecker.State?
        private var reader: SegmentReader
        private var ledger: ChainChecker
        private var tail: UnsealedLines?
        private var foreign: [VerificationReport.Fault] = []
        var report = VerificationReport()

        init(_ verifier: LogVerifier, _ state: ChainChecker.State?) {
            self.verifier = verifier
            self.state = state
            reader = SegmentReader(keys: verifier.keys)
            ledger = ChainChecker(
                keyIDs: verifier.keys.map(\.id), currentCount: verifier.currentCount,
                anchors: verifier.anchors, state: state)
        }

        mutating func read(
            _ file: ChainChecker.File, _ lines: inout LineReader, isLast: Bool
        ) {
            reader.beginFile()
            ledger.beginFile(file)
            let sealCount = ledger.sealCount
            do throws(Errno) {
                while let line = try lines.next() {
                    reader.take(line) { ledger.take($0) }
                }
            } catch {
                report.problems.append(
                    "\(file.name): \(ReadingError(file.name, error).reason)")
            }
            report.files.append(
                VerificationReport.File(
                    name: file.name, lineCount: reader.lineCountInFile,
                    sealCount: ledger.sealCount - sealCount))
            guard let lines = reader.unsealed else { return }
            if isLast, lines.converted == nil {
                tail = lines
            } else {
                ledger.take(.unsealed(lines))
            }
        }

        /// Files that are beside the log and not part of it.
        mutating func addForeign(_ files: [(name: String, size: Int)]) {
            foreign = files.map { file in
                VerificationReport.Fault(
                    kind: .foreign, first: VerificationReport.Place(file: file.name, line: 0),
                    last: VerificationReport.Place(file: file.name, line: 0), seals: nil,
                    sentence: "no server wrote this (\(counted(file.size, "byte"))): it was in the "
                        + "log's place, and a server moved it aside; remove it once it is examined")
            }
        }

        /// The places of the anchors that are in this log, among those of the verifier.
        var seenAnchors: Set<Int> { ledger.seenAnchors }

        /// - Parameter excused: anchors that are in another log, by their places.
        func end(isComplete: Bool, excused: Set<Int> = []) -> VerificationReport {
            var run = self
            return run.finish(isComplete, excused)
        }

        private mutating func finish(
            _ isComplete: Bool, _ excused: Set<Int>
        ) -> VerificationReport {
            ledger.excuseAnchors(excused)
            ledger.end(tail: tail, lineCount: reader.lineCountInFile, isComplete: isComplete)
            report.lineCount = reader.lineCount
            report.sealCount = ledger.sealCount
            report.firstSequence = ledger.firstSequence
            report.head = ledger.highestSeal?.seal.head
            report.from = ledger.firstTime
            report.to = ledger.highestSeal?.seal.timeText
            report.notes += ledger.notes
            let names = report.files.map(\.name)
            func place(_ spot: LinePosition) -> VerificationReport.Place {
                let isThere = names.indices.contains(spot.file)
                return VerificationReport.Place(
                    file: isThere ? names[spot.file] : "the log", line: isThere ? spot.line : 0)
            }
            report.faults = ledger.faults.map {
                VerificationReport.Fault(
                    kind: $0.kind, first: place($0.first), last: place($0.last), seals: $0.seals,
                    sentence: $0.sentence)
            }
            let room = VerificationReport.mostFaults - report.faults.count
            report.faults += foreign.prefix(max(0, room))
            report.unlistedFaultCount = ledger.unlistedFaultCount + max(0, foreign.count - room)
            report.outcome = outcome(isComplete: isComplete)
            // Without the key, everything else would be guesses.
            if report.outcome == .wrongKey {
                report.faults.removeAll { $0.kind != .wrongKey }
                if state != nil {
                    report.notes.append(
                        "the state file is of a key that was given: this log has been sealed with it"
                    )
                }
            }
            return report
        }

        private func outcome(isComplete: Bool) -> VerificationReport.Outcome {
            // Seals of other keys alone say nothing about who is right.
            if reader.ourSealCount == 0, reader.foreignSealCount > 0 { return .wrongKey }
            if report.faults.contains(where: \.kind.isTampering) || report.unlistedFaultCount > 0 {
                return .tampered
            }
            if ledger.faults.contains(where: { $0.kind == .wrongKey }) { return .unknownKey }
            if !report.problems.isEmpty { return .unreadable }
            if ledger.sealCount == 0 { return .neverSealed }
            if ledger.faults.contains(where: { $0.kind == .notProven }) { return .notProven }
            // Whoever names files knows that they may be a part; but not that another could have made
            // all of them.
            if isComplete || ledger.isOfEarlierKeys, !ledger.endIsProven { return .endNotProven }
            return tail == nil ? .intact : .unsealed
        }
    }
}

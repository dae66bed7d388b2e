import Logging
import POSIX

/// Verifies that a log is what its servers wrote: a seal covers every line, every seal is valid and
/// in its place, and nothing is missing at either end.
///
/// Reads each file once, in bounded memory, whatever it contains. Writes nothing, and may run while
/// the server does.
package struct LogVerifier: Sendable {
    /// The keys in use first, then the earlier ones.
    private let keys: [SealKey]
    /// The number of keys in use.
    private let currentCount: Int
    private let anchors: [SealHead]

    /// - Parameters:
    ///   - keys: the keys in use, the newest first.
    ///   - earlier: keys that may have sealed before these, and no longer may. A seal of theirs
    ///     after a seal of one of `keys` is a fault, and they prove nothing about the end of the
    ///     log.
    ///   - anchors: heads that were stored elsewhere; the log must still contain them.
    package init(keys: [SealKey], earlier: [SealKey] = [], anchors: [SealHead] = []) {
        let ids = Set(keys.map(\.id))
        self.keys = keys + earlier.filter { !ids.contains($0.id) }
        currentCount = keys.count
        self.anchors = anchors
    }

    /// Verifies the log at this path with all of its full files. The log should be complete.
    package func verify(log path: String) -> VerificationReport {
        verify(LogFileSet(log: path, keys: keys))
    }

    /// Verifies several logs as `verify(log:)` does. An anchor must be in one of them.
    package func verify(logs paths: [String]) -> VerificationReports {
        let runs = paths.map { path in
            let files = LogFileSet(log: path, keys: keys)
            return (name: path, run: run(over: files), isComplete: files.isComplete)
        }
        return end(runs)
    }

    /// Verifies several groups of files as `verify(files:)` does. An anchor must be in one of them.
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
        let foundAnchors = runs.map(\.run.seenAnchors)
        var reports = VerificationReports()
        for (index, (name, run, isComplete)) in runs.enumerated() {
            var excused: Set<Int> = []
            for other in foundAnchors.indices where other != index {
                excused.formUnion(foundAnchors[other])
            }
            reports.add(name, run.end(isComplete: isComplete, excused: excused))
        }
        return reports
    }

    /// Verifies these files, which may be a part of a log. `-` is standard input.
    package func verify(files paths: [String]) -> VerificationReport {
        verify(LogFileSet(paths: paths, keys: keys))
    }

    /// Verifies bytes in memory, in the given order.
    package func verify(
        _ files: [(name: String, bytes: [UInt8])], state: SealHead? = nil, isComplete: Bool = false
    ) -> VerificationReport {
        var run = Run(
            self, state.map { ChainChecker.State(head: $0, keyID: keys.first?.id ?? "") })
        let last = files.count - 1
        for (index, file) in files.enumerated() {
            // Callers verify many small inputs this way, so the buffer is as small as the input
            // allows.
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

    /// The state of one verification.
    private struct Run {
        private let verifier: LogVerifier
        private let state: ChainChecker.State?
        private var reader: SegmentReader
        private var checker: ChainChecker
        private var tail: UnsealedLines?
        private var foreign: [VerificationReport.Fault] = []
        var report = VerificationReport()

        init(_ verifier: LogVerifier, _ state: ChainChecker.State?) {
            self.verifier = verifier
            self.state = state
            reader = SegmentReader(keys: verifier.keys)
            checker = ChainChecker(
                keyIDs: verifier.keys.map(\.id), currentCount: verifier.currentCount,
                anchors: verifier.anchors, state: state)
        }

        mutating func read(
            _ file: ChainChecker.File, _ lines: inout LineReader, isLast: Bool
        ) {
            reader.beginFile()
            checker.beginFile(file)
            let sealCount = checker.sealCount
            do throws(Errno) {
                while let line = try lines.next() {
                    reader.consume(line) { checker.process($0) }
                }
            } catch {
                report.problems.append(
                    "\(file.name): \(ReadingError(file.name, error).reason)")
            }
            report.files.append(
                VerificationReport.File(
                    name: file.name, lineCount: reader.lineCountInFile,
                    sealCount: checker.sealCount - sealCount))
            guard let lines = reader.unsealed else { return }
            if isLast, lines.converted == nil {
                tail = lines
            } else {
                checker.process(.unsealed(lines))
            }
        }

        /// Reports the files that were moved aside; they are not part of the log.
        mutating func addForeign(_ files: [(name: String, size: Int)]) {
            foreign = files.map { file in
                VerificationReport.Fault(
                    kind: .foreign, first: VerificationReport.Place(file: file.name, line: 0),
                    last: VerificationReport.Place(file: file.name, line: 0), seals: nil,
                    sentence:
                        "no server wrote this file (\(counted(file.size, "byte"))); it was in "
                        + "place "
                        + "of the log, and a server moved it aside; examine it, then remove it")
            }
        }

        /// The indices of the verifier's anchors that were found in this log.
        var seenAnchors: Set<Int> { checker.seenAnchors }

        /// - Parameter excused: the indices of the anchors that were found in another log.
        func end(isComplete: Bool, excused: Set<Int> = []) -> VerificationReport {
            var run = self
            return run.finish(isComplete, excused)
        }

        private mutating func finish(
            _ isComplete: Bool, _ excused: Set<Int>
        ) -> VerificationReport {
            checker.excuseAnchors(excused)
            checker.end(tail: tail, lineCount: reader.lineCountInFile, isComplete: isComplete)
            report.lineCount = reader.lineCount
            report.sealCount = checker.sealCount
            report.firstSequence = checker.firstSequence
            report.head = checker.highestSeal?.seal.head
            report.from = checker.firstTime
            report.to = checker.highestSeal?.seal.timeText
            report.notes += checker.notes
            let names = report.files.map(\.name)
            func place(_ position: LinePosition) -> VerificationReport.Place {
                let isInFile = names.indices.contains(position.file)
                return VerificationReport.Place(
                    file: isInFile ? names[position.file] : "the log",
                    line: isInFile ? position.line : 0)
            }
            report.faults = checker.faults.map {
                VerificationReport.Fault(
                    kind: $0.kind, first: place($0.first), last: place($0.last), seals: $0.seals,
                    sentence: $0.sentence)
            }
            let remaining = VerificationReport.mostFaults - report.faults.count
            report.faults += foreign.prefix(max(0, remaining))
            report.unlistedFaultCount =
                checker.unlistedFaultCount + max(0, foreign.count - remaining)
            report.outcome = outcome(isComplete: isComplete)
            // Without the key, all other faults are guesses.
            if report.outcome == .wrongKey {
                report.faults.removeAll { $0.kind != .wrongKey }
                if state != nil {
                    report.notes.append(
                        "the state file was written with a given key, so this log was sealed with "
                            + "it"
                    )
                }
            }
            return report
        }

        private func outcome(isComplete: Bool) -> VerificationReport.Outcome {
            // Seals of unknown keys alone neither confirm nor contradict anything.
            if reader.ourSealCount == 0, reader.foreignSealCount > 0 { return .wrongKey }
            if report.faults.contains(where: \.kind.isTampering) || report.unlistedFaultCount > 0 {
                return .tampered
            }
            if checker.faults.contains(where: { $0.kind == .wrongKey }) { return .unknownKey }
            if !report.problems.isEmpty { return .unreadable }
            if checker.sealCount == 0 { return .neverSealed }
            if checker.faults.contains(where: { $0.kind == .notProven }) { return .notProven }
            // An operator who names files knows that they may be a part of the log. But a holder of
            // an earlier key could have forged all of them.
            if isComplete || checker.isOfEarlierKeys, !checker.endIsProven { return .endNotProven }
            return tail == nil ? .intact : .unsealed
        }
    }
}

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
        verify(VerificationFiles(log: path, keys: keys))
    }

    /// These files, `-` being standard input: they may be a part of a log.
    package func verify(files paths: [String]) -> VerificationReport {
        verify(VerificationFiles(paths: paths, keys: keys))
    }

    /// Bytes that are here already, in their order.
    package func verify(
        _ files: [(name: String, bytes: [UInt8])], state: SealHead? = nil, isComplete: Bool = false
    ) -> VerificationReport {
        var run = Run(
            self, state.map { VerificationLedger.State(head: $0, keyID: keys.first?.id ?? "") })
        let last = files.count - 1
        for (index, file) in files.enumerated() {
            // Small inputs in a small buffer: this door is for many of them.
            var lines = LineReader(
                MemoryBytes(file.bytes), bufferSize: min(file.bytes.count, 65_536) + 1)
            let (log, number) = LogFiles.name(of: file.name)
            run.read(
                VerificationLedger.File(name: file.name, number: number, logName: log), &lines,
                isLast: index == last)
        }
        return run.end(isComplete: isComplete)
    }

    private func verify(_ files: VerificationFiles) -> VerificationReport {
        var run = Run(self, files.state)
        run.report.problems = files.problems
        run.report.notes = files.notes
        let last = files.files.count - 1
        for (index, file) in files.files.enumerated() {
            var lines = LineReader(file.file.bytes())
            run.read(file.facts, &lines, isLast: index == last)
        }
        return run.end(isComplete: files.isComplete)
    }

    /// One verification.
    private struct Run: ~Copyable {
        private let verifier: LogVerifier
        private let state: VerificationLedger.State?
        private var reader: VerificationReader
        private var ledger: VerificationLedger
        private var tail: UnsealedLines?
        var report = VerificationReport()

        init(_ verifier: LogVerifier, _ state: VerificationLedger.State?) {
            self.verifier = verifier
            self.state = state
            reader = VerificationReader(keys: verifier.keys)
            ledger = VerificationLedger(
                keyIDs: verifier.keys.map(\.id), currentCount: verifier.currentCount,
                anchors: verifier.anchors, state: state)
        }

        mutating func read(
            _ file: VerificationLedger.File, _ lines: inout LineReader, isLast: Bool
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

        consuming func end(isComplete: Bool) -> VerificationReport {
            ledger.end(tail: tail, lineCount: reader.lineCountInFile, isComplete: isComplete)
            report.lineCount = reader.lineCount
            report.sealCount = ledger.sealCount
            report.firstSequence = ledger.firstSequence
            report.head = ledger.last?.seal.head
            report.from = ledger.firstTime
            report.to = ledger.last?.seal.timeText
            report.notes += ledger.notes
            let names = report.files.map(\.name)
            func place(_ spot: Spot) -> VerificationReport.Place {
                let isThere = names.indices.contains(spot.file)
                return VerificationReport.Place(
                    file: isThere ? names[spot.file] : "the log", line: isThere ? spot.line : 0)
            }
            report.faults = ledger.faults.map {
                VerificationReport.Fault(
                    kind: $0.kind, first: place($0.first), last: place($0.last), seals: $0.seals,
                    sentence: $0.sentence)
            }
            report.unlistedFaultCount = ledger.unlistedFaultCount
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
            if ledger.faults.contains(where: \.kind.isTampering) || ledger.unlistedFaultCount > 0 {
                return .tampered
            }
            if ledger.faults.contains(where: { $0.kind == .wrongKey }) { return .unknownKey }
            if !report.problems.isEmpty { return .unreadable }
            if ledger.sealCount == 0 { return .neverSealed }
            // Whoever names files knows that they may be a part; but not that another could have made
            // all of them.
            if isComplete || ledger.isOfEarlierKeys, !ledger.endIsProven { return .endNotProven }
            return tail == nil ? .intact : .unsealed
        }
    }
}

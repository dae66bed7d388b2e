import Audit
import TestSupport
import Testing

@testable import Logging

/// Randomly changed logs: every change is found, and nothing traps.
struct VerificationChanceTests {
    private let verifier = LogVerifier(keys: [VerificationLog.key])
    private let log = VerificationLog.sample(LogFormat.allCases)

    private func verify(_ files: [VerificationLog.File], _ head: SealHead?) -> VerificationReport {
        verifier.verify(files.map { ($0.name, $0.bytes) }, state: head, isComplete: true)
    }

    /// Split into parts, so that they run in parallel.
    @Test(arguments: 0..<8)
    func `each of ten thousand changed bytes is found and reported as one fault`(part: Int) {
        var generator = SeededGenerator(seed: UInt64(part))
        let files = log.files.map { ($0.name, $0.bytes) }
        let total = files.map(\.1.count).reduce(0, +)
        for _ in 0..<1250 {
            var changed = files
            var offset = Int.random(in: 0..<total, using: &generator)
            var file = 0
            while offset >= changed[file].1.count {
                offset -= changed[file].1.count
                file += 1
            }
            changed[file].1[offset] ^= UInt8.random(in: 1...255, using: &generator)
            let report = verifier.verify(changed, state: log.head, isComplete: true)
            #expect(report.outcome == .tampered, "byte \(offset) of file \(file)")
            let faults = report.faults.filter { $0.kind != .tornLine }
            #expect(faults.count == 1, "byte \(offset) of file \(file): \(report.text)")
        }
    }

    private enum Change: CaseIterable { case remove, copy, swap, move }

    @Test(arguments: 0..<4)
    func `removed, copied, swapped and moved lines are found`(part: Int) {
        var generator = SeededGenerator(seed: 100 + UInt64(part))
        for _ in 0..<250 {
            var files = log.files
            let file = Int.random(in: 0..<3, using: &generator)
            let other = Int.random(in: 0..<3, using: &generator)
            let line = files[file].lines.indices.randomElement(using: &generator)!
            let count = min(.random(in: 1...8, using: &generator), files[file].lines.count - line)
            let range = line..<(line + count)
            let target = Int.random(in: 0...files[other].lines.count, using: &generator)
            switch Change.allCases.randomElement(using: &generator)! {
            case .remove: files[file].lines.removeSubrange(range)
            case .copy:
                files[other].lines.insert(contentsOf: files[file].lines[range], at: target)
            case .swap:
                let place = min(target, files[other].lines.count - 1)
                let line = files[file].lines[line]
                files[file].lines[range.lowerBound] = files[other].lines[place]
                files[other].lines[place] = line
            case .move:
                let moved = files[file].lines[range]
                files[file].lines.removeSubrange(range)
                let place = min(target, files[other].lines.count)
                files[other].lines.insert(contentsOf: moved, at: place)
            }
            let report = verify(files, log.head)
            // A segment from the end of a file to the beginning of the next keeps its place.
            let (bytes, sealed) = (files.flatMap(\.bytes), log.files.flatMap(\.bytes))
            let isTouched = bytes != sealed
            // Only a start may follow a shutdown seal, and its lines are not sealed at once.
            let more = bytes.starts(with: sealed) ? Array(bytes[sealed.count...]) : []
            let isStart = more.starts(with: log.files[0].lines[0])
            let expected: VerificationReport.Outcome =
                !isTouched
                ? .intact
                : isStart && more.count == log.files[0].lines[0].count ? .unsealed : .tampered
            #expect(report.outcome == expected, "\(report.text)")
        }
    }

    /// Histories consist of lines, seals, rotations, reopenings, removals, and kills at any byte
    /// since the last seal or inside it.
    @Test(arguments: 0..<8)
    func `no history of a server that may be killed is reported as tampering`(part: Int) {
        var generator = SeededGenerator(seed: 300 + UInt64(part))
        for _ in 0..<25 {
            let formats = VerificationLog.formatSets[part % 4]
            var log = VerificationLog(formats)
            log.start()
            /// Whether a server was killed, perhaps with lines that no seal covers.
            var wasKilled = false
            for step in 0..<Int.random(in: 1..<40, using: &generator) {
                switch Int.random(in: 0..<12, using: &generator) {
                case 0...3: log.write(.random(in: 1...4, using: &generator), "\(step)")
                case 4...5: log.seal()
                case 6: log.rotate()
                case 7 where log.files.count > 2:
                    log.remove(.random(in: 1...2, using: &generator))
                    // The report is on the disk before the files are removed.
                    log.seal()
                case 7: log.seal(.silence)
                case 8:
                    log.seal(.stop)
                    if Bool.random(using: &generator) {
                        let full = log.moveAway()
                        log.write(LogRotated(file: full, reason: "day"))
                    }
                    log.start()
                default:
                    let lines = log.files[log.files.count - 1].lines
                    let last = lines.lastIndex { SealLine(Array($0.dropLast()).span) != nil } ?? 0
                    let (start, end) = (lines[..<last].joined().count, lines.joined().count)
                    wasKilled = true
                    log = VerificationLog(
                        continuing: log.files, cutAt: .random(in: start...end, using: &generator),
                        formats)
                    log.start()
                }
            }
            log.seal(.stop)
            let report = verify(log.files, log.head)
            #expect(report.outcome == (report.faults.isEmpty ? .intact : .notProven))
            #expect(report.faults.allSatisfy { $0.kind == .notProven && wasKilled })
        }
    }

    @Test(arguments: 0..<4)
    func `any bytes are verified without a trap and are not intact`(part: Int) {
        var generator = SeededGenerator(seed: 200 + UInt64(part))
        let original = log.files.flatMap(\.bytes)
        let words = [
            "\n", "log_seal", " sequence=", "99999999999999999", " mac=", "{\"time\":\"", "time=",
            "|",
        ].map { Array($0.utf8) }
        for _ in 0..<150 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<12, using: &generator) {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    for _ in 0..<Int.random(in: 0..<200, using: &generator) {
                        bytes.append(.random(in: 0...255, using: &generator))
                    }
                case 1: bytes += words.randomElement(using: &generator)!
                case 2:
                    let start = original.indices.randomElement(using: &generator)!
                    bytes += original[start...].prefix(.random(in: 0..<2000, using: &generator))
                default:
                    bytes += log.files.randomElement(using: &generator)!.lines.randomElement(
                        using: &generator)!
                }
            }
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            let files = [("a.000001", Array(bytes[..<cut])), ("a", Array(bytes[cut...]))]
            let report = verifier.verify(files, state: log.head, isComplete: true)
            #expect(report.outcome != .intact)
            #expect(!report.text.isEmpty)
            #expect(!report.json.isEmpty)
        }
    }
}

import Audit
import Crypto
import Logging
import TestSupport
import Testing
import Time

/// Changes that an attacker may make to a log; each must be found at its place.
struct VerificationTests {
    private let verifier = LogVerifier(keys: [VerificationLog.key])

    private func verify(
        _ files: [VerificationLog.File], _ head: SealHead? = nil, isComplete: Bool = true
    ) -> VerificationReport {
        verifier.verify(
            files.map { ($0.name, $0.bytes) }, state: head, isComplete: isComplete)
    }

    /// `file: lines: kind (seals)`
    private func faults(_ report: VerificationReport) -> [String] {
        report.faults.map { fault in
            let text = fault.text
            let seals = text.range(of: " (seal").map { String(text[$0.lowerBound...]) } ?? ""
            let start = text.components(upTo: ": \(fault.kind.rawValue): ")
            return "\(start): \(fault.kind.rawValue)\(seals)"
        }
    }

    // MARK: Unchanged logs

    @Test(arguments: VerificationLog.formatSets)
    func `an unchanged log is intact`(formats: [LogFormat]) {
        let log = VerificationLog.sample(formats)
        let report = verify(log.files, log.head)
        #expect(report.faults == [])
        #expect(report.outcome == .intact)
        #expect(report.outcome.exitCode == 0)
        #expect(report.sealCount == 16)
        #expect(report.lineCount == 67)
        #expect(report.head == log.head)
        #expect(report.notes == ["1 start of a server"])
        #expect(report.files.map(\.name) == ["app.log.000001", "app.log.000002", "app.log"])
    }

    // MARK: Changed logs

    struct Change: Sendable, CustomTestStringConvertible {
        let name: String
        let faults: [String]
        let apply: @Sendable (inout [VerificationLog.File]) -> Void

        init(
            _ name: String, _ faults: [String],
            _ apply: @escaping @Sendable (inout [VerificationLog.File]) -> Void
        ) {
            self.name = name
            self.faults = faults
            self.apply = apply
        }

        var testDescription: String { name }
    }

    /// Files are 0 to 2. Line indices here count from 0, those in reports from 1.
    private static let changes = [
        Change("one byte of a line", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[7][60] ^= 1
        },
        Change("a line's end", ["app.log.000002: lines 7-10: deleted (seal 8)"]) {
            $0[1].lines[7][$0[1].lines[7].count - 1] = 0x20
        },
        Change("two lines of one segment", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[7][60] ^= 1
            $0[1].lines[8][60] ^= 1
        },
        Change(
            "lines of two segments",
            [
                "app.log.000002: lines 7-11: edited (seal 8)",
                "app.log.000002: lines 12-16: edited (seal 9)",
            ]
        ) {
            $0[1].lines[7][60] ^= 1
            $0[1].lines[12][60] ^= 1
        },
        Change(
            "lines of two files",
            [
                "app.log.000001: lines 18-22: edited (seal 5)",
                "app.log.000002: lines 1-6: edited (seal 7)",
            ]
        ) {
            $0[0].lines[18][60] ^= 1
            $0[1].lines[2][60] ^= 1
        },
        Change("a line of the first segment", ["app.log.000001: lines 1-2: edited (seal 1)"]) {
            $0[0].lines[0][60] ^= 1
        },
        Change("a line of the last segment", ["app.log: lines 17-21: edited (seal 15)"]) {
            $0[2].lines[16][60] ^= 1
        },
        Change("a seal's time", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].change("2026-11", to: "2096-11")
        },
        Change("a seal's number", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].change("sequence", from: "8", to: "3")
        },
        Change("a seal's number, increased", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].change("sequence", from: "8", to: "9")
        },
        Change("a seal's count", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].change("n", from: "4", to: "5")
        },
        Change("a seal's sum", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].changeDigit(of: "sum")
        },
        Change("the previous code in a seal", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].changeDigit(of: "previous")
        },
        Change("a seal's code", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].changeDigit(of: "mac")
        },
        Change("the last seal's code", ["app.log: line 22: edited (seal 16)"]) {
            $0[2].lines[21].changeDigit(of: "mac")
        },
        Change("the first seal's code", ["app.log.000001: lines 1-2: edited (seal 1)"]) {
            $0[0].lines[1].changeDigit(of: "mac")
        },
        Change("a seal's key", ["app.log.000002: lines 7-11: edited (seal 8)"]) {
            $0[1].lines[10].change("key", from: VerificationLog.key.id, to: "00000000")
        },
        Change(
            "a seal's code field, so that it is no seal",
            ["app.log.000002: lines 7-11: edited (seal 8)"]
        ) {
            $0[1].lines[10].change("mac", to: "mad")
        },
        Change(
            "a seal's event name, so that it is no seal",
            ["app.log.000002: lines 7-11: edited (seal 8)"]
        ) { $0[1].lines[10].change("log_seal", to: "log_sell") },
        Change("the line end before a seal", ["app.log.000002: lines 7-10: edited (seal 8)"]) {
            $0[1].lines[9][$0[1].lines[9].count - 1] = 0x20
        },
        Change("a seal's end", ["app.log.000002: lines 7-15: edited (seals 8 to 9)"]) {
            $0[1].lines[10][$0[1].lines[10].count - 1] = 0x20
        },
        Change("a seal cut in two", ["app.log.000002: lines 7-12: edited (seal 8)"]) {
            let line = $0[1].lines[10]
            $0[1].lines.replaceSubrange(
                10...10, with: [line[..<100] + [0x0A], Array(line[101...])])
        },
        Change("the last seal, so that it is no seal", ["app.log: line 22: edited (seal 16)"]) {
            $0[2].lines[21].change("mac", to: "mad")
        },
        Change(
            "the last seal of a full file, so that it is no seal",
            ["app.log.000001: line 23: truncated (seal 6)"]
        ) { $0[0].lines[22].change("mac", to: "mad") },
        Change(
            "the line ends of the first file", ["app.log.000001: lines 1-23: edited (seals 1 to 6)"]
        ) {
            $0[0].convertLineEnds()
        },
        Change(
            "the line ends of a file in the middle",
            ["app.log.000002: lines 1-22: edited (seals 7 to 11)"]
        ) { $0[1].convertLineEnds() },
        Change("the line ends of the last file", ["app.log: lines 1-22: edited (seals 12 to 16)"]) {
            $0[2].convertLineEnds()
        },
        Change("a removed line", ["app.log.000002: lines 7-10: deleted (seal 8)"]) {
            $0[1].lines.remove(at: 7)
        },
        Change("all lines of a segment", ["app.log.000002: line 7: deleted (seal 8)"]) {
            $0[1].lines.removeSubrange(6..<10)
        },
        Change("a removed seal", ["app.log.000002: lines 7-15: deleted (seals 8 to 9)"]) {
            $0[1].lines.remove(at: 10)
        },
        Change(
            "a removed first seal of a file", ["app.log.000002: lines 1-10: deleted (seals 7 to 8)"]
        ) {
            $0[1].lines.remove(at: 5)
        },
        Change(
            "the first seal of a file whose predecessor is missing",
            [
                "app.log: line 1: missing file (seals 7 to 11)",
                "app.log: lines 1-6: edited (seal 12)",
            ]
        ) {
            $0.remove(at: 1)
            $0[1].lines[2][60] ^= 1
        },
        Change("a segment with its seal", ["app.log.000002: lines 6-7: deleted (seal 8)"]) {
            $0[1].lines.removeSubrange(6..<11)
        },
        Change(
            "lines with the seal between them",
            ["app.log.000002: lines 7-11: deleted (seals 8 to 9)"]
        ) { $0[1].lines.removeSubrange(8..<13) },
        Change("the first line", ["app.log.000001: line 1: deleted (seal 1)"]) {
            $0[0].lines.remove(at: 0)
        },
        Change("the first segment", ["app.log.000001: line 1: missing file (seal 1)"]) {
            $0[0].lines.removeSubrange(0..<2)
        },
        Change("the first lines and seals", ["app.log.000001: lines 1-4: deleted (seals 1 to 2)"]) {
            $0[0].lines.removeSubrange(0..<3)
        },
        Change("an inserted line", ["app.log.000002: lines 7-12: inserted (seal 8)"]) {
            $0[1].lines.insert($0[1].lines[2], at: 8)
        },
        Change("a copied segment", ["app.log.000002: lines 17-22: inserted (seal 7)"]) {
            $0[1].lines.insert(contentsOf: $0[1].lines[0..<6], at: 16)
        },
        Change("a part of a segment copied", ["app.log.000002: lines 17-21: inserted"]) {
            $0[1].lines.insert(contentsOf: $0[1].lines[1..<6], at: 16)
        },
        Change(
            "a copied segment after itself", ["app.log.000002: lines 12-16: inserted (seal 8)"]
        ) {
            $0[1].lines.insert(contentsOf: $0[1].lines[6..<11], at: 11)
        },
        Change("two copied segments", ["app.log: lines 12-21: inserted (seals 8 to 9)"]) {
            $0[2].lines.insert(contentsOf: $0[1].lines[6..<16], at: 11)
        },
        Change(
            "a copied segment inside another", ["app.log.000002: lines 12-21: inserted (seal 9)"]
        ) { $0[1].lines.insert(contentsOf: $0[1].lines[6..<11], at: 13) },
        Change("a copied seal", ["app.log.000002: line 14: inserted"]) {
            $0[1].lines.insert($0[1].lines[5], at: 13)
        },
        Change("a forged seal", ["app.log.000002: line 8: inserted"]) {
            var line = $0[1].lines[10]
            line.changeDigit(of: "mac")
            $0[1].lines.insert(line, at: 7)
        },
        Change("two forged seals", ["app.log.000002: lines 8-10: inserted"]) {
            var line = $0[1].lines[10]
            line.changeDigit(of: "mac")
            $0[1].lines.insert(line, at: 7)
            $0[1].lines.insert(line, at: 9)
        },
        Change("a forged segment", ["app.log.000002: lines 7-9: inserted"]) {
            var line = $0[1].lines[10]
            line.changeDigit(of: "mac")
            $0[1].lines.insert(contentsOf: [$0[1].lines[2], $0[1].lines[3], line], at: 6)
        },
        Change("two lines of a segment", ["app.log.000002: lines 7-11: reordered (seal 8)"]) {
            $0[1].lines.swapAt(6, 9)
        },
        Change(
            "swapped lines of two segments",
            [
                "app.log.000002: lines 7-11: edited (seal 8)",
                "app.log.000002: lines 12-16: edited (seal 9)",
            ]
        ) { $0[1].lines.swapAt(7, 12) },
        Change("two segments", ["app.log.000002: lines 6-16: reordered (seal 8)"]) {
            let segment = $0[1].lines[6..<11]
            $0[1].lines.insert(contentsOf: segment, at: 16)
            $0[1].lines.removeSubrange(6..<11)
        },
        Change(
            "two files",
            ["app.log.000001: line 1 to app.log.000002: line 23: reordered (seals 1 to 6)"]
        ) { ($0[0].lines, $0[1].lines) = ($0[1].lines, $0[0].lines) },
        Change(
            "the last two files",
            ["app.log.000002: line 1 to app.log: line 22: reordered (seals 7 to 11)"]
        ) { ($0[1].lines, $0[2].lines) = ($0[2].lines, $0[1].lines) },
        Change("a removed file", ["app.log: line 1: missing file (seals 7 to 11)"]) {
            $0.remove(at: 1)
        },
        Change("the removed first file", ["app.log.000002: line 1: missing file (seals 1 to 6)"]) {
            $0.remove(at: 0)
        },
        Change(
            "the removed last file", ["app.log.000002: line 22: missing tail (seals 12 to 16)"]
        ) { $0.remove(at: 2) },
        Change("a truncated file", ["app.log: line 1: missing file (seals 7 to 11)"]) {
            $0[1].lines = []
        },
        Change("the end of a full file", ["app.log.000001: lines 18-20: truncated (seals 5 to 6)"])
        {
            $0[0].lines.removeSubrange(20...)
        },
        Change(
            "the end of a full file at a seal",
            ["app.log.000001: line 17: truncated (seals 5 to 6)"]
        ) { $0[0].lines.removeSubrange(17...) },
        Change(
            "the end of a full file in a line",
            ["app.log.000001: lines 18-20: truncated (seals 5 to 6)"]
        ) {
            $0[0].lines.removeSubrange(20...)
            $0[0].lines[19].removeLast(7)
        },
        Change("the beginning of a file", ["app.log.000002: line 1: deleted (seals 7 to 8)"]) {
            $0[1].lines.removeSubrange(0..<11)
        },
        Change("a line after the last seal of a full file", ["app.log.000001: line 24: inserted"]) {
            $0[0].lines.append($0[0].lines[3])
        },
        Change("the end of the log at a seal", ["app.log: line 16: missing tail (seals 15 to 16)"])
        {
            $0[2].lines.removeSubrange(16...)
        },
        Change("the end of the log", ["app.log: line 18: missing tail (seals 15 to 16)"]) {
            $0[2].lines.removeSubrange(18...)
        },
        Change("all that is sealed", ["app.log: line 3: missing tail (seals 1 to 16)"]) {
            $0 = [VerificationLog.File(name: "app.log", lines: Array($0[2].lines[0..<3]))]
        },
        Change("everything", ["app.log: missing tail (seals 1 to 16)"]) {
            $0 = [VerificationLog.File(name: "app.log", lines: [])]
        },
        Change(
            "an edit, a missing file and a missing tail",
            [
                "app.log.000001: lines 8-12: edited (seal 3)",
                "app.log: line 1: missing file (seals 7 to 11)",
                "app.log: line 11: missing tail (seals 14 to 16)",
            ]
        ) {
            $0[0].lines[8][60] ^= 1
            $0.remove(at: 1)
            $0[1].lines.removeSubrange(11...)
        },
    ]

    @Test(arguments: changes, VerificationLog.formatSets)
    func `a changed log has the faults of the change at their places`(
        change: Change, formats: [LogFormat]
    ) {
        let log = VerificationLog.sample(formats)
        var files = log.files
        change.apply(&files)
        #expect(files != log.files)
        let report = verify(files, log.head)
        #expect(faults(report) == change.faults)
        #expect(report.outcome == .tampered)
    }
}

extension [UInt8] {
    mutating func change(_ text: String, to other: String) {
        let range = firstRange(of: Array(text.utf8))!
        replaceSubrange(range, with: Array(other.utf8))
    }

    /// Changes the value of a field, in any format of the line.
    mutating func change(_ field: String, from value: String, to other: String) {
        let start = self.start(of: field)
        #expect(self[start...].starts(with: value.utf8))
        replaceSubrange(start..<(start + value.utf8.count), with: Array(other.utf8))
    }

    mutating func changeDigit(of field: String) {
        let index = start(of: field)
        self[index] = self[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
    }

    private func start(of field: String) -> Int {
        let names = [" \(field)=", "\"\(field)\":"].compactMap { firstRange(of: Array($0.utf8)) }
        let start = names[0].upperBound
        return self[start] == UInt8(ascii: "\"") ? start + 1 : start
    }
}

extension String {
    fileprivate func components(upTo text: String) -> String {
        firstRange(of: text).map { String(self[..<$0.lowerBound]) } ?? self
    }

    fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}

extension VerificationLog.File {
    /// As a program does that converts files for another system.
    fileprivate mutating func convertLineEnds() {
        for index in lines.indices { lines[index].insert(0x0D, at: lines[index].count - 1) }
    }
}

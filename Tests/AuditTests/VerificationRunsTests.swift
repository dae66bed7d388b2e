import Audit
import Testing
import Time

@testable import Logging

/// A log is never reported as tampered with because of what its server went through.
struct VerificationRunsTests {
    private static let spellings = VerificationLog.formatSets

    private func verify(
        _ log: VerificationLog, state: SealHead? = nil, keys: [SealKey] = [VerificationLog.key],
        anchors: [SealHead] = [], isComplete: Bool = true
    ) -> VerificationReport {
        LogVerifier(keys: keys, anchors: anchors).verify(
            log.files.map { ($0.name, $0.bytes) }, state: state ?? log.head, isComplete: isComplete)
    }

    @Test func `a log that is being written is intact, but not sealed to its end`() {
        var log = VerificationLog.sample()
        log.start()
        log.write(3, "more")
        let report = verify(log)
        #expect(report.outcome == .unsealed)
        #expect(report.outcome.exitCode == 3)
        #expect(report.faults == [])
        #expect(
            report.notes.contains {
                $0.hasPrefix("3 lines after the last seal are not sealed: app.log: line ")
            })
    }

    @Test func `a server that was killed leaves a torn line, which is not tampering`() {
        var log = VerificationLog.sample()
        log.start()
        log.write(2, "more")
        log.put(Array("2026-11-21T07:00:0".utf8))
        let report = verify(log)
        #expect(report.outcome == .unsealed)
        #expect(
            report.faults.map(\.text) == [
                "app.log: line 27: torn line: the last line of the log has no line end"
            ])
    }

    @Test func `the next start seals the unsealed lines and reports the torn line`() {
        var log = VerificationLog.sample()
        log.start()
        log.write(2, "more")
        log.put(Array("2026-11-21T07:00:0".utf8))
        log.start()
        log.write(2, "and more")
        log.seal(.stop)
        let report = verify(log)
        #expect(report.outcome == .notProven)
        #expect(report.outcome.exitCode == 3)
        #expect(report.faults.map(\.kind) == [.notProven])
        #expect(report.faults[0].sentence.hasPrefix("3 lines that a server found unsealed"))
        #expect(report.faults[0].last.line - report.faults[0].first.line == 2)
        #expect(report.notes.contains("3 starts of a server"))
        #expect(report.notes.contains("1 torn line reported"))
    }

    @Test(arguments: [false, true])
    func `lines between a shutdown and the next start are tampering`(isNextSealed: Bool) {
        var log = VerificationLog.sample()
        log.write(2, "strange")
        if isNextSealed {
            log.start()
            log.seal(.stop)
        }
        let report = verify(log)
        #expect(report.outcome == .tampered)
        #expect(
            report.faults.map(\.text) == [
                "app.log: lines 23-24: inserted: 2 lines between a server's shutdown and the next "
                    + "start; no server wrote them"
            ])
    }

    @Test func `lines after a shutdown are tampering even if the next start begins a new file`() {
        var log = VerificationLog.sample()
        log.write(2, "strange")
        log.seal(.start)
        log.moveAway()
        log.write(LogRotated(file: "app.log.000003", reason: "day"))
        log.start()
        log.seal(.stop)
        #expect(
            verify(log).faults.map { "\($0.first.file) \($0.first.line) \($0.last.line)" }
                == ["app.log.000003 23 24"])
    }

    @Test func `the first line of a run may begin a file and may be torn`() {
        var log = VerificationLog.sample()
        log.moveAway()
        log.write(LogRotated(file: "app.log.000003", reason: "day"))
        var next = log
        next.start()
        next.seal(.stop)
        #expect(verify(next).outcome == .intact)
        #expect(verify(next).notes == ["2 starts of a server"])
        // Three servers are killed in turn while they write their first line.
        log = VerificationLog.sample()
        for text in ["2026-11-21T0", "2026-11-21T07:00:00.123Z | INFO | log | log_ope"] {
            log.put(Array(text.utf8))
            #expect(verify(log).outcome == .unsealed)
            log.put([0x0A])
        }
        log.put(Array("2026-11-21T07:00:00.123Z | INFO | log | log_open f".utf8))
        #expect(verify(log).outcome == .unsealed)
        log.start()
        log.seal(.stop)
        #expect(verify(log).outcome == .notProven, "\(verify(log).text)")
        log.put(Array("2026-11-21T07:00:00.123Z | INFO | log | log_opf\n".utf8))
        #expect(verify(log).outcome == .tampered)
    }

    /// Kills the server at every byte of what a start writes after a shutdown.
    @Test(arguments: spellings)
    func `a kill at any byte of a server start is not tampering`(formats: [LogFormat]) {
        let log = VerificationLog.sample(formats)
        var started = log
        started.start()
        let end = log.files[2].bytes.count
        for cut in end..<started.files[2].bytes.count {
            var next = VerificationLog(continuing: started.files, cutAt: cut, formats)
            #expect(verify(next).faults.allSatisfy { $0.kind == .tornLine })
            next.start()
            next.seal(.stop)
            let report = verify(next)
            #expect([.intact, .notProven].contains(report.outcome), "\(cut): \(report.text)")
        }
    }

    /// Kills the server at every byte of a line, of a seal, and of what a start writes.
    @Test(arguments: 0..<4)
    func `a kill at any byte followed by a start is not tampering`(part: Int) {
        let log = VerificationLog.sample()
        let file = log.files[2].bytes
        let start = log.files[2].lines[..<16].joined().count
        for end in start..<file.count where end % 4 == part {
            // The next start reads the file up to the last valid seal, and continues.
            var next = VerificationLog(continuing: log.files, cutAt: end)
            next.start()
            next.write(2, "after")
            next.seal(.stop)
            let report = verify(next)
            #expect([.intact, .notProven].contains(report.outcome), "\(end): \(report.text)")
            #expect(report.faults.allSatisfy { $0.kind == .notProven }, "\(report.text)")
        }
    }

    @Test func `a kill at any step of a rotation is not tampering`() {
        var log = VerificationLog.sample()
        log.seal(.rotate)
        #expect(verify(log).outcome == .intact)
        log.moveAway()
        #expect(verify(log).outcome == .intact)
        var started = log
        started.start()
        #expect(verify(started).outcome == .intact)
        log.write(LogRotated(file: "app.log.000003", reason: "size"))
        #expect(verify(log).outcome == .unsealed)
        log.start()
        #expect(verify(log).outcome == .intact)
    }

    @Test func `a log that was moved away and reopened is intact with all of its files`() {
        var log = VerificationLog()
        log.start()
        log.write(3, "a")
        log.reopen()
        log.write(3, "b")
        log.reopen()
        log.write(3, "c")
        log.seal(.stop)
        #expect(verify(log).outcome == .intact)
        #expect(verify(log).faults == [])
        let without = LogVerifier(keys: [VerificationLog.key]).verify(
            [log.files[0], log.files[2]].map { ($0.name, $0.bytes) }, state: log.head,
            isComplete: true)
        #expect(without.faults.map(\.kind) == [.missingFile])
    }

    @Test func `files that retention removed and reported are not missing`() {
        var log = VerificationLog.sample()
        log.start()
        log.write(3, "a")
        log.remove(1)
        log.write(3, "b")
        log.seal(.stop)
        let report = verify(log)
        #expect(report.outcome == .intact)
        #expect(report.faults == [])
        #expect(report.notes.contains("begins at seal 7: retention removed the earlier part"))
        log.start()
        log.remove(1)
        log.seal(.stop)
        #expect(verify(log).outcome == .intact)
    }

    @Test func `files beyond those that retention reported are missing`() {
        var log = VerificationLog.sample()
        log.start()
        log.remove(1)
        log.seal(.stop)
        let files = log.files.dropFirst().map { ($0.name, $0.bytes) }
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            files, state: log.head, isComplete: true)
        #expect(report.outcome == .tampered)
        #expect(report.faults.map(\.kind) == [.missingFile])
    }

    @Test func `a report of retention that was found unsealed at a start is not trusted`() {
        var log = VerificationLog.sample()
        log.start()
        log.write(LogRetention(count: 1, file: "app.log.000001", sequence: 6, reason: "count"))
        // Not sealed yet, so it is ignored.
        let files = { (log: VerificationLog) in
            log.files.dropFirst().map { ($0.name, $0.bytes) }
        }
        let verifier = LogVerifier(keys: [VerificationLog.key])
        #expect(verifier.verify(files(log), state: log.head, isComplete: true).outcome == .tampered)
        log.start()
        log.seal(.stop)
        let report = verifier.verify(files(log), state: log.head, isComplete: true)
        #expect(report.outcome == .tampered)
        #expect(report.faults[0].sentence.contains("may be forged"))
        // It is not trusted either if a start has to rotate before it writes its own line.
        log.write(LogRetention(count: 1, file: "app.log.000001", sequence: 6, reason: "count"))
        log.seal(.start)
        log.moveAway()
        log.write(LogRotated(file: "app.log.000003", reason: "day"))
        log.start()
        log.seal(.stop)
        #expect(verifier.verify(files(log), state: log.head, isComplete: true).outcome == .tampered)
    }

    @Test func `a tail that was cut off before a start remains missing`() {
        let log = VerificationLog.sample()
        // The writer continues from its state file, which is newer than the log.
        var next = VerificationLog(after: log.head)
        next.start()
        next.seal(.stop)
        var file = log.files[2]
        file.lines.removeSubrange(11...)
        let files = [
            log.files[0], log.files[1],
            VerificationLog.File(name: "app.log", lines: file.lines + next.files[0].lines),
        ]
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            files.map { ($0.name, $0.bytes) }, state: next.head, isComplete: true)
        #expect(
            report.faults.map(\.text) == [
                "app.log: lines 11-12: deleted: 3 seals and all of their lines are missing "
                    + "(seals 14 to 16)"
            ])
    }

    @Test func `a forged seal that a start found is reported, and nothing after it`() {
        var log = VerificationLog.sample()
        log.write(2, "more")
        // A start restarts its hash after each line with the form of a seal.
        var fake = log.files[0].lines[1]
        fake.changeDigit(of: "mac")
        var next = VerificationLog(after: log.head)
        next.start()
        next.seal(.stop)
        var files = log.files
        files[2].lines += [fake] + next.files[0].lines
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            files.map { ($0.name, $0.bytes) }, state: next.head, isComplete: true)
        #expect(report.faults.map(\.kind) == [.inserted])
        #expect(report.faults[0].first.line == 23)
        #expect(report.faults[0].last.line == 25)
    }

    @Test func `a time without seals is noted as silence`() {
        var log = VerificationLog()
        log.start()
        log.pass(seconds: 60)
        log.seal(.silence)
        log.pass(seconds: 60)
        log.seal(.silence)
        #expect(!verify(log).notes.contains { $0.hasPrefix("silence") })
        log.pass(seconds: 600)
        log.seal(.silence)
        #expect(verify(log).outcome == .intact)
        #expect(
            verify(log).notes.contains(
                "silence: app.log: line 4: from 2026-11-21T07:02:00.123Z to "
                    + "2026-11-21T07:12:00.123Z"))
        var stopped = VerificationLog()
        stopped.start()
        stopped.seal(.stop)
        stopped.pass(seconds: 600)
        stopped.start()
        #expect(!verify(stopped).notes.contains { $0.hasPrefix("silence") })
    }

    @Test func `without a state file or an anchor the end of a log is not proven`() {
        let log = VerificationLog.sample()
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            log.files.map { ($0.name, $0.bytes) })
        #expect(report.outcome == .intact)
        #expect(
            report.notes.contains {
                $0.hasPrefix(
                    "no state file and no anchor shows whether lines are missing after seal 16")
            })
        let complete = { (anchors: [SealHead]) in
            LogVerifier(keys: [VerificationLog.key], anchors: anchors).verify(
                log.files.map { ($0.name, $0.bytes) }, isComplete: true)
        }
        #expect(complete([]).outcome == .endNotProven)
        #expect(complete([]).outcome.exitCode == 3)
        #expect(complete([]).verdict.hasPrefix("intact, but the end is not proven: "))
        #expect(complete([log.head]).outcome == .intact)
        let earlier = SealLine(Array(log.files[0].lines[22].dropLast()).span)!.head
        #expect(complete([earlier]).outcome == .endNotProven)
    }

    // MARK: Keys

    private let other = SealKey(secret: Array("another key than the log's own.".utf8).span)

    @Test func `with a wrong key alone nothing is reported as tampering`() {
        let report = verify(.sample(), keys: [other])
        #expect(report.outcome == .wrongKey)
        #expect(report.outcome.exitCode == 2)
        var log = VerificationLog.sample()
        log.write(2, "more")
        #expect(verify(log, keys: [other]).outcome == .wrongKey)
    }

    @Test func `a log without any seal is not intact`() {
        var log = VerificationLog()
        log.write(5, "a")
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            log.files.map { ($0.name, $0.bytes) })
        #expect(report.outcome == .neverSealed)
        #expect(report.outcome.exitCode == 2)
        #expect(LogVerifier(keys: [other]).verify([]).outcome == .neverSealed)
    }

    @Test func `a chain may continue under another key`() {
        var log = VerificationLog.sample()
        log.key = other
        log.start()
        log.write(3, "a")
        log.rotate()
        log.seal(.stop)
        #expect(verify(log, keys: [other, VerificationLog.key]).outcome == .intact)
        let report = verify(log, keys: [other])
        #expect(
            report.faults.map(\.text) == [
                "app.log.000001: line 1 to app.log.000003: line 22: wrong key: sealed with key "
                    + "\(VerificationLog.key.id), which was not given: these lines cannot be "
                    + "verified without it; name its file with --key-file (seals 1 to 16)"
            ])
        #expect(report.outcome == .unknownKey)
        #expect(report.outcome.exitCode == 2)
    }

    @Test func `a note says if the log continues under an older key`() {
        var log = VerificationLog.sample()
        log.key = other
        log.seal()
        let text = "after this line the log is sealed with key \(other.id), which is older"
        let isNoted = { (report: VerificationReport) in report.notes.contains { $0.contains(text) }
        }
        #expect(isNoted(verify(log, keys: [VerificationLog.key, other])))
        #expect(!isNoted(verify(log, keys: [other, VerificationLog.key])))
    }

    @Test func `a chain that begins again after another key's seals is found in either order`() {
        var second = VerificationLog()
        second.key = other
        second.start()
        second.seal(.stop)
        var files = VerificationLog.sample().files.map { ($0.name, $0.bytes) }
        files[2].1 += second.files[0].bytes
        for keys in [[other, VerificationLog.key], [VerificationLog.key, other]] {
            let report = LogVerifier(keys: keys).verify(files, state: second.head)
            #expect(report.faults.first?.kind == .inserted)
            #expect(report.faults.first?.first.line == 23)
            #expect(report.outcome == .tampered)
        }
    }

    @Test func `seals of another log under the same key are found`() {
        let log = VerificationLog.sample()
        var mixed = log.files
        var second = VerificationLog()
        second.start()
        for batch in 0..<15 {
            second.write(4, "x\(batch)")
            second.seal()
        }
        mixed[2].lines = Array(second.files[0].lines[(2 + 10 * 5)...])
        let report = LogVerifier(keys: [VerificationLog.key]).verify(
            mixed.map { ($0.name, $0.bytes) }, state: log.head, isComplete: true)
        #expect(report.faults.map(\.kind) == [.inserted, .anchorMismatch])
    }

    // MARK: Anchors

    @Test func `present and missing anchors are found`() {
        let log = VerificationLog.sample()
        let seals = log.files.flatMap(\.lines).compactMap {
            SealLine(Array($0.dropLast()).span)?.head
        }
        #expect(seals.count == 16)
        #expect(verify(log, anchors: seals).outcome == .intact)
        let wrong = SealHead(sequence: 7, code: seals[7].code)
        let report = verify(log, anchors: [seals[2], wrong])
        #expect(report.faults.map(\.kind) == [.anchorMismatch])
        #expect(report.faults[0].first.file == "app.log.000002")
        #expect(report.faults[0].first.line == 6)
        let further = SealHead(sequence: .max, code: seals[7].code)
        #expect(verify(log, anchors: [further]).faults.map(\.kind) == [.missingTail])
        var removed = log
        removed.start()
        removed.remove(1)
        let old = verify(removed, anchors: [seals[2]])
        #expect(old.outcome == .intact)
        #expect(old.notes.contains { $0.hasPrefix("seal 3 of the anchor is older") })
    }

    @Test func `an anchor proves what was before the first given file`() {
        let log = VerificationLog.sample()
        let head = SealLine(Array(log.files[0].lines[22].dropLast()).span)!.head
        let files = log.files.dropFirst().map { ($0.name, $0.bytes) }
        let key = VerificationLog.key
        let report = LogVerifier(keys: [key], anchors: [head]).verify(
            files, state: log.head, isComplete: true)
        #expect(report.outcome == .intact)
        #expect(report.notes.contains("begins at seal 7, directly after a given anchor"))
        let without = LogVerifier(keys: [key]).verify(files, state: log.head, isComplete: true)
        #expect(without.faults.map(\.kind) == [.missingFile])
    }

    // MARK: Reports

    @Test func `the report is escaped as text and complete as JSON`() {
        var files = VerificationLog.sample().files.map { ($0.name, $0.bytes) }
        files[1].0 = "\u{1B}[2Jq\u{202E}"
        files[1].1[300] ^= 1
        let report = LogVerifier(keys: [VerificationLog.key]).verify(files)
        #expect(report.text.hasPrefix(#"\x1b[2Jq\u{202e}: lines 1-6: edited: "#))
        #expect(!report.text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        let json = String(decoding: report.json, as: UTF8.self)
        #expect(
            json.hasPrefix(#"{"outcome":"tampered","exit":1,"faults":[{"kind":"edited","file":""#))
        #expect(json.contains(#""line":1,"last_file":"#))
        #expect(json.contains(#""first_seal":7,"last_seal":7,"sentence":""#))
        #expect(json.contains(#""unlisted_faults":0,"problems":[],"notes":["#))
        #expect(json.contains(#""lines":67,"seals":15,"first_sequence":1,"head":"16."#))
    }

    @Test func `a log of many faults is verified in bounded memory`() {
        let log = VerificationLog.sample()
        var seal = log.files[1].lines[5]
        seal.changeDigit(of: "mac")
        let bytes = Array(repeatElement(log.files[1].lines[1] + seal, count: 3000).joined())
        let report = LogVerifier(keys: [VerificationLog.key]).verify([("app.log", bytes)])
        #expect(report.outcome == .tampered)
        #expect(report.faults.count <= VerificationReport.mostFaults)
    }
}

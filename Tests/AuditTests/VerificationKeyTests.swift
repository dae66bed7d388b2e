import Crypto
import Testing

@testable import Audit
@testable import Logging

/// A log whose key was changed in its third file: 16 seals of the old key, then those of the new
/// one.
private let log: VerificationLog = {
    var log = VerificationLog.sample()
    log.key = newKey
    log.start()
    for batch in 1...3 {
        log.write(4, "n\(batch)")
        log.seal()
    }
    log.rotate()
    log.write(4, "n4")
    log.seal(.stop)
    return log
}()
private let oldKey = VerificationLog.key
private let newKey = SealKey(secret: Array("the key that came after it, yes.".utf8).span)
/// The number of the last seal of the old key, and the number of its line.
private let (oldEnd, oldLines) = (UInt64(16), 22)

struct VerificationKeyTests {
    private typealias Files = [VerificationLog.File]

    private func verify(
        _ files: [VerificationLog.File] = log.files, keys: [SealKey] = [newKey],
        earlier: [SealKey] = [oldKey], state: SealHead? = log.head, isComplete: Bool = true,
        anchors: [SealHead] = []
    ) -> VerificationReport {
        LogVerifier(keys: keys, earlier: earlier, anchors: anchors).verify(
            files.map { ($0.name, $0.bytes) }, state: state, isComplete: isComplete)
    }

    @Test func `a log with two known keys is intact, and a note shows where the key changed`() {
        let report = verify()
        #expect(report.faults == [])
        #expect(report.outcome == .intact)
        #expect(report.notes.contains { $0.contains("line 24: since 2026-11-21T") })
    }

    @Test func `without the old key, only the lines under it cannot be verified`() {
        let report = verify(earlier: [])
        #expect(report.faults.map(\.kind) == [.wrongKey])
        #expect(report.faults.first?.first == .init(file: "app.log.000001", line: 1))
        #expect(report.faults.first?.last == .init(file: "app.log.000003", line: oldLines))
        #expect(report.faults.first?.seals == 1...oldEnd)
        #expect(report.outcome == .unknownKey)
        #expect(report.outcome.exitCode == 2)
        #expect(report.text.hasSuffix("name the file of that key with --key-file\n"))
        // The same if retention has removed some of these lines.
        let rest = verify(Array(log.files[1...]), earlier: [])
        #expect(rest.outcome == .unknownKey)
        #expect(
            rest.notes.contains { $0.contains("begins at seal 7, of a key that was not given") })
    }

    @Test func `anchors are compared under an unknown key, and wrong ones are found`() throws {
        let seals = log.files.flatMap(\.lines).compactMap {
            SealLine(Array($0.dropLast()).span)?.head
        }
        #expect(seals.count == 22)
        #expect(verify(earlier: [], anchors: seals).outcome == .unknownKey)
        let wrong = SealHead(sequence: 7, code: seals[7].code)
        let report = verify(earlier: [], anchors: [seals[2], wrong])
        #expect(report.outcome == .tampered)
        #expect(report.faults.filter { $0.kind == .anchorMismatch }.map(\.seals) == [7...7])
    }

    @Test func `without the new key, the lines under it cannot be verified`() {
        #expect(verify(keys: [oldKey], earlier: [], state: nil).outcome == .unknownKey)
        // But the state file exposes an attacker who has no key.
        let head = VerificationLog.sample().head
        var files = VerificationLog.sample().files
        files[2].lines.removeLast(5)
        var forged = log.files[2]
        forged.lines = files[2].lines + forged.lines[22...]
        files[2] = forged
        #expect(
            verify(files, keys: [oldKey], earlier: [], state: head).outcome == .tampered)
    }

    @Test(
        arguments: [
            (file: 0, line: 3), (1, 7), (2, 20), (2, 21), (2, 22), (2, 23), (2, 24), (2, 27),
            (3, 1),
            (3, 4),
        ], [true, false])
    func `an edited line is found anywhere in the log, with and without the old key`(
        place: (file: Int, line: Int), oldKeyIsKnown: Bool
    ) {
        var files = log.files
        // Change the time, so that a seal remains a seal.
        files[place.file].lines[place.line - 1][21] ^= 1
        let report = verify(files, earlier: oldKeyIsKnown ? [oldKey] : [])
        let isOldSeal =
            SealLine(Array(files[place.file].lines[place.line - 1].dropLast()).span).map {
                $0.keyID == oldKey.id
            } ?? false
        // A change in a seal's own line cannot be found without its key.
        if isOldSeal, !oldKeyIsKnown {
            #expect(report.outcome == .unknownKey)
        } else {
            #expect(report.outcome == .tampered)
            #expect(report.faults.contains { $0.kind == .edited })
        }
    }

    @Test func `missing and moved lines are found anywhere, with and without the old key`() {
        let changes: [(String, (inout [VerificationLog.File]) -> Void)] = [
            ("a line", { $0[1].lines.remove(at: 7) }),
            ("a segment", { $0[1].lines.removeSubrange(6..<11) }),
            ("a file", { $0.remove(at: 1) }),
            ("the last lines of the old key", { $0[2].lines.removeSubrange(16..<22) }),
            ("the first lines of the new key", { $0[2].lines.removeSubrange(22..<24) }),
            ("a line that was put in", { $0[2].lines.insert($0[2].lines[2], at: 8) }),
            (
                "files in another order",
                { files in
                    let (a, b) = (files[0].lines, files[1].lines)
                    (files[0].lines, files[1].lines) = (b, a)
                }
            ),
            ("a seal's key", { $0[3].lines[$0[3].lines.count - 1].replace(newKey.id, "00000000") }),
        ]
        for (name, change) in changes {
            var files = log.files
            change(&files)
            for earlier in [[oldKey], []] {
                #expect(verify(files, earlier: earlier).outcome == .tampered, "\(name)")
            }
        }
    }

    @Test func `an end forged under an unknown key is tampering if there is a state file`() {
        let original = VerificationLog.sample()
        let end = original.files[2].lines[..<16].joined().count
        var forged = VerificationLog(continuing: original.files, cutAt: end)
        forged.key = newKey
        for _ in 0..<4 {
            forged.write(2, "forged")
            forged.seal()
        }
        #expect(
            verify(forged.files, keys: [oldKey], earlier: [], state: original.head).outcome
                == .tampered)
        // Without it the end could be missing as well; the outcome says that it is not verified.
        #expect(
            verify(forged.files, keys: [oldKey], earlier: [], state: nil).outcome == .unknownKey)
    }

    @Test func `seals of the old key after seals of the new one are tampering`() {
        var forged = log
        forged.key = oldKey
        forged.start()
        forged.write(3, "forged")
        forged.seal()
        forged.seal(.stop)
        for state in [forged.head, nil] {
            let report = verify(forged.files, state: state)
            #expect(report.outcome == .tampered)
            #expect(report.faults.first?.kind == .inserted)
            #expect(
                report.faults.first?.sentence.contains("\(oldKey.id), which was no longer in use")
                    == true
            )
            #expect(report.faults.count == 1)
        }
        // The same if the new key continues after that.
        forged.key = newKey
        forged.start()
        #expect(verify(forged.files, state: forged.head).outcome == .tampered)
        // An operator who changes between two token keys may change back.
        #expect(
            verify(forged.files, keys: [newKey, oldKey], earlier: [], state: forged.head).outcome
                == .intact)
    }

    @Test
    func `a log sealed only with the old key is not proven, whatever the state file contains`() {
        // A holder of the old key removes what the new key has sealed, and writes something else.
        var forged = VerificationLog.sample()
        forged.start()
        forged.write(3, "forged")
        forged.seal(.stop)
        for isComplete in [true, false] {
            let files = forged.files.map { ($0.name, $0.bytes) }
            // The state file is forged, too.
            let report = LogVerifier(keys: [newKey], earlier: [oldKey]).verify(
                files, state: nil, isComplete: isComplete)
            #expect(report.outcome == .endNotProven)
            #expect(report.notes.contains { $0.contains("which is not a current key") })
        }
        // With the state file that the new key wrote, it is found.
        #expect(verify(forged.files).outcome == .tampered)
        // The same with an anchor from after the change.
        #expect(verify(forged.files, state: nil, anchors: [log.head]).outcome == .tampered)
    }

    @Test func `a process killed in the last byte of a seal of an old key leaves an intact log`() {
        for change in [false, true] {
            var torn = VerificationLog.sample()
            let end = torn.files[2].bytes.count - 1
            torn = VerificationLog(continuing: torn.files, cutAt: end)
            // The chain continues from the seal before the torn one.
            if change { torn.key = newKey }
            torn.start()
            torn.write(2, "more")
            torn.seal()
            torn.key = newKey
            torn.start()
            torn.seal(.stop)
            #expect(verify(torn.files, state: torn.head).outcome == .intact, "\(change)")
            let report = verify(torn.files, earlier: [], state: torn.head)
            #expect(report.outcome == .unknownKey, "\(change) \(report.text)")
        }
    }
}

extension [UInt8] {
    fileprivate mutating func replace(_ text: String, _ other: String) {
        self = Array(String(decoding: self, as: UTF8.self).replacing(text, with: other).utf8)
    }
}

import Audit
import Foundation
import Glibc
import POSIX
import TestSupport
import Testing

@testable import Logging

/// Tests which files belong to a log, in which order, and changes of the files during a
/// verification.
struct VerificationFilesTests {
    private let folder: TemporaryFolder
    private let log = VerificationLog.sample()
    private let verifier = LogVerifier(keys: [VerificationLog.key])

    init() throws {
        folder = try TemporaryFolder()
        try write(log)
        try writeState(log.head)
    }

    private func write(_ log: VerificationLog) throws {
        for file in log.files {
            try Data(file.bytes).write(to: URL(filePath: folder.path(file.name)))
        }
    }

    private func writeState(_ head: SealHead) throws {
        var state = try LogStateFile(LogState.path(of: path), VerificationLog.key)
        try state.write(LogState(head: head, generation: 2, size: 0))
    }

    private var path: String { folder.path("app.log") }

    private func paths(_ names: String...) -> [String] { names.map { folder.path($0) } }

    private func run(_ program: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func `a log is verified with all of its full files in the order of their numbers`() {
        let report = verifier.verify(log: path)
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.files.map(\.name) == ["app.log.000001", "app.log.000002", "app.log"])
        #expect(report.problems == [])
    }

    @Test func `other files in the folder are not part of the log`() throws {
        for name in [
            "app.log.1", "app.log.00001", "app.log.old", "app.log.000003x", "xapp.log.000003",
            "app.log.0000001", "app.log.20261121",
        ] {
            try folder.file(name, "anything\n")
        }
        #expect(verifier.verify(log: path).outcome == .intact)
    }

    @Test func `the state file determines where the log must end`() throws {
        let lines = log.files[2].lines
        try Data(lines[..<16].joined()).write(to: URL(filePath: path))
        let report = verifier.verify(log: path)
        #expect(
            report.faults.map(\.text) == [
                "app.log: line 16: missing tail: the end of the log is missing: the state file has "
                    + "seal 16 (seals 15 to 16)"
            ])
        // A state file that was changed is ignored, and a note says so.
        try folder.file(".app.log.state", "gatehouse log state 1 turn=1 head=\n")
        let changed = verifier.verify(log: path)
        #expect(changed.outcome == .endNotProven)
        #expect(changed.notes[0].hasSuffix("it is ignored"))
        try writeState(log.head)
        // A state file of another key is ignored.
        let other = SealKey(secret: Array("another key".utf8).span)
        #expect(LogVerifier(keys: [other]).verify(log: path).outcome == .wrongKey)
        #expect(
            LogVerifier(keys: [other, VerificationLog.key]).verify(log: path).outcome == .tampered)
    }

    @Test func `a log that was removed is reported as missing if its state file remains`() throws {
        for name in ["app.log", "app.log.000001", "app.log.000002"] {
            try FileManager.default.removeItem(atPath: folder.path(name))
        }
        let report = verifier.verify(log: path)
        #expect(report.outcome == .tampered)
        #expect(
            report.faults.map(\.text) == [
                "the log: missing tail: the end of the log is missing: the state file has seal 16 "
                    + "(seals 1 to 16)"
            ])
        try FileManager.default.removeItem(atPath: folder.path(".app.log.state"))
        #expect(verifier.verify(log: path).outcome == .unreadable)
    }

    @Test func `named files are sorted by their numbers`() {
        let report = verifier.verify(files: paths("app.log", "app.log.000002", "app.log.000001"))
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.files.map(\.name) == paths("app.log.000001", "app.log.000002", "app.log"))
        let twice = verifier.verify(files: paths("app.log", "app.log") + [path])
        #expect(twice.files.count == 1)
    }

    @Test func `files with other names are sorted by their first seals`() throws {
        for (old, new) in [
            ("app.log.000001", "b-20261119"), ("app.log.000002", "a-20261120"), ("app.log", "c"),
        ] {
            try FileManager.default.moveItem(atPath: folder.path(old), toPath: folder.path(new))
        }
        let report = verifier.verify(files: paths("c", "a-20261120", "b-20261119"))
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.files.map(\.name) == paths("b-20261119", "a-20261120", "c"))
        // With one more file that has no seal.
        try folder.file("none", "a line\n")
        let more = verifier.verify(files: paths("none", "c", "a-20261120", "b-20261119"))
        #expect(more.files.map(\.name) == paths("b-20261119", "a-20261120", "c", "none"))
        #expect(more.faults.map(\.kind) == [.inserted])
    }

    // MARK: Files moved by other programs

    /// A log whose files logrotate(8) has moved: the oldest file has the highest number.
    private func writeMoved(_ names: [String], in folder: TemporaryFolder) throws {
        var log = VerificationLog()
        log.start()
        for name in names.indices {
            log.write(3, "\(name)")
            log.seal()
            log.write(3, "\(name)")
            log.reopen()
        }
        log.write(3, "last")
        log.seal(.stop)
        for (name, file) in zip(names + ["app.log"], log.files) {
            try Data(file.bytes).write(to: URL(filePath: folder.path(name)))
        }
        var state = try LogStateFile(
            LogState.path(of: folder.path("app.log")), VerificationLog.key)
        try state.write(LogState(head: log.head, generation: 0, size: 0))
    }

    @Test(arguments: [
        ["app.log.3", "app.log.2", "app.log.1"],
        ["app.log-20261119", "app.log-20261120", "app.log-20261121"],
        ["app.log.20261119", "app.log.20261120", "app.log.20261121"],
        ["app.log.old", "app.log-b", "app.log.c"],
    ])
    func `files that another program moved away are part of the log`(names: [String]) throws {
        let folder = try TemporaryFolder()
        try writeMoved(names, in: folder)
        try run("/usr/bin/gzip", folder.path(names[0]))
        let (path, first) = (folder.path("app.log"), names[0] + ".gz")
        let report = verifier.verify(log: path)
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.files.map(\.name) == [first, names[1], names[2], "app.log"])
        // Copies and files that are not the log's are ignored.
        for name in [names[1], "app.log"] {
            try FileManager.default.copyItem(
                atPath: folder.path(name), toPath: folder.path("app.log.copy.\(name)"))
        }
        try folder.file("app.log.9", "a line\n")
        #expect(mkfifo(folder.path("app.log.pipe"), 0o600) == 0)
        let more = verifier.verify(log: path)
        #expect(more.outcome == .intact, "\(more.text)")
        #expect(more.files.count == 4)
        #expect(more.notes.contains { $0.hasPrefix("ignored: ") })
    }

    @Test func `moved files under an unknown key are part of the log`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("app.log")
        var log = VerificationLog()
        log.start()
        for number in 1...3 {
            log.write(3, "\(number)")
            log.reopen()
            if number == 2 { log.key = SealKey(secret: Array("the next key".utf8).span) }
        }
        log.seal(.stop)
        for (name, file) in zip(["app.log.3", "app.log.2", "app.log.1", "app.log"], log.files) {
            try Data(file.bytes).write(to: URL(filePath: folder.path(name)))
        }
        let report = LogVerifier(keys: [log.key]).verify(log: path)
        #expect(report.outcome == .unknownKey, "\(report.text)")
        #expect(report.files.count == 4)
        #expect(report.faults.map(\.last.file) == ["app.log.2"])
        #expect(
            LogVerifier(keys: [log.key], earlier: [VerificationLog.key]).verify(log: path).faults
                == [])
        // But no file under an unknown key can follow the known ones.
        try FileManager.default.removeItem(atPath: folder.path("app.log.1"))
        try FileManager.default.removeItem(atPath: path)
        let rest = LogVerifier(keys: [log.key]).verify(log: path)
        #expect(rest.files.map(\.name) == [])
    }

    @Test func `a change in a moved file is found at its place`() throws {
        let folder = try TemporaryFolder()
        let names = ["app.log.3", "app.log.2", "app.log.1"]
        let path = folder.path("app.log")
        func faults(_ name: String, _ change: (inout Data) -> Void) throws -> [String] {
            try writeMoved(names, in: folder)
            let url = URL(filePath: folder.path(name))
            var bytes = try Data(contentsOf: url)
            change(&bytes)
            try bytes.write(to: url)
            return verifier.verify(log: path).faults.map { "\($0.first.file) \($0.kind.rawValue)" }
        }
        #expect(try faults("app.log.3") { $0[300] ^= 1 } == ["app.log.3 edited"])
        #expect(try faults("app.log.2") { $0.removeLast(200) } == ["app.log.2 truncated"])
        #expect(try faults("app.log.1") { $0.removeFirst(300) } == ["app.log.1 edited"])
        #expect(try faults("app.log.2") { $0.removeAll() } == ["app.log.1 missing file"])
        #expect(try faults("app.log.3") { $0.removeAll() } == ["app.log.2 missing file"])
    }

    // MARK: Files that a server moved aside

    @Test func `a file that a server moved aside is reported and not part of the log`() throws {
        try folder.file("app.log.foreign.2", "theirs\n")
        let report = verifier.verify(log: path)
        #expect(report.outcome == .tampered)
        #expect(report.faults.map(\.kind) == [.foreign])
        #expect(report.faults.map(\.first.file) == ["app.log.foreign.2"])
        #expect(report.files.map(\.name) == ["app.log.000001", "app.log.000002", "app.log"])
        try FileManager.default.removeItem(atPath: folder.path("app.log.foreign.2"))
        #expect(verifier.verify(log: path).outcome == .intact)
    }

    @Test func `an anchor of one log is not a fault of another`() throws {
        var audit = VerificationLog()
        audit.start()
        audit.write(2, "x")
        audit.seal(.stop)
        let auditPath = folder.path("audit.log")
        try Data(audit.files[0].bytes).write(to: URL(filePath: auditPath))
        var state = try LogStateFile(LogState.path(of: auditPath), VerificationLog.key)
        try state.write(LogState(head: audit.head, generation: 0, size: 0))
        let logs = [path, auditPath]
        for anchors in [[log.head], [audit.head], [audit.head, log.head]] {
            let verifier = LogVerifier(keys: [VerificationLog.key], anchors: anchors)
            let reports = verifier.verify(logs: logs)
            #expect(reports.exitCode == 0, "\(reports.text)")
            #expect(String(decoding: reports.json, as: UTF8.self).contains("\"logs\":[{"))
        }
        let wrong = SealHead(sequence: 1, code: SealMAC.none)
        #expect(
            LogVerifier(keys: [VerificationLog.key], anchors: [wrong]).verify(logs: logs).exitCode
                == 1)
        // The worse of the two outcomes decides.
        try folder.file("audit.log.foreign.1", "theirs\n")
        let reports = verifier.verify(logs: logs)
        #expect(reports.exitCode == 1)
        #expect(reports.all.map(\.report.outcome) == [.intact, .tampered])
    }

    @Test func `a state file of an earlier key is ignored if the log begins at seal 1`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("app.log")
        try writeMoved([], in: folder)
        // The state file is at seal 16 under the old key, and the log was moved elsewhere.
        var state = try LogStateFile(LogState.path(of: path), VerificationLog.key)
        try state.write(LogState(head: log.head, generation: 0, size: 0))
        var next = VerificationLog()
        next.key = SealKey(secret: Array("the next key".utf8).span)
        next.start()
        next.seal(.stop)
        try Data(next.files[0].bytes).write(to: URL(filePath: path))
        let verifier = LogVerifier(keys: [next.key, VerificationLog.key])
        let report = verifier.verify(log: path)
        #expect(report.faults == [])
        #expect(report.outcome == .endNotProven)
        #expect(report.notes.contains { $0.contains("a new chain begins with key \(next.key.id)") })
        // With an earlier file present, the server would have continued from it.
        try Data(log.files[0].bytes).write(to: URL(filePath: folder.path("app.log.000001")))
        #expect(verifier.verify(log: path).outcome == .tampered)
    }

    @Test func `a part of a log can be verified alone`() {
        let middle = verifier.verify(files: paths("app.log.000002"))
        #expect(middle.outcome == .intact)
        #expect(
            middle.notes.contains("begins at seal 7: the earlier part is in none of these files"))
        // The earlier files exist, and the operator left them out.
        #expect(verifier.verify(files: paths("app.log")).outcome == .intact)
        let ends = verifier.verify(files: paths("app.log.000001", "app.log"))
        #expect(
            ends.faults.map(\.text) == [
                "\(path): line 1: missing file: app.log.000002 is missing before this one "
                    + "(seals 7 to 11)"
            ])
    }

    @Test func `missing earlier files are a fault, even if only the last file is given`() throws {
        for name in ["app.log.000001", "app.log.000002"] {
            try FileManager.default.removeItem(atPath: folder.path(name))
        }
        #expect(verifier.verify(files: [path]).faults.map(\.kind) == [.missingFile])
        #expect(verifier.verify(log: path).faults.map(\.kind) == [.missingFile])
    }

    @Test func `full files may be packed with gzip`() throws {
        try run("/usr/bin/gzip", folder.path("app.log.000001"))
        try run("/usr/bin/gzip", "-k", folder.path("app.log.000002"))
        let report = verifier.verify(log: path)
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.files.map(\.name) == ["app.log.000001.gz", "app.log.000002", "app.log"])
        let given = verifier.verify(
            files: paths("app.log.000002.gz", "app.log", "app.log.000001.gz"))
        #expect(given.outcome == .intact, "\(given.text)")
        try FileManager.default.moveItem(
            atPath: folder.path("app.log.000001.gz"), toPath: folder.path("old.gz"))
        let other = verifier.verify(files: paths("app.log", "app.log.000002.gz", "old.gz"))
        #expect(other.outcome == .intact, "\(other.text)")
    }

    @Test func `a truncated gzip file is reported as incomplete`() throws {
        let packed = folder.path("app.log.000001.gz")
        try run("/usr/bin/gzip", folder.path("app.log.000001"))
        let bytes = try Data(contentsOf: URL(filePath: packed))
        try bytes.dropLast(20).write(to: URL(filePath: packed))
        let report = verifier.verify(log: path)
        #expect(report.problems == ["app.log.000001.gz: not a complete gzip file"])
        #expect(report.outcome.exitCode != 0)
    }

    @Test func `a pipe can be verified`() throws {
        let pipe = folder.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let bytes = Data(log.files.flatMap(\.bytes))
        let thread = Thread {
            guard let file = FileHandle(forWritingAtPath: pipe) else { return }
            try? file.write(contentsOf: bytes)
            try? file.close()
        }
        thread.start()
        let report = verifier.verify(files: [pipe])
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.sealCount == 16)
    }

    @Test func `missing and unreadable files are reported`() {
        let missing = folder.path("missing")
        #expect(
            verifier.verify(files: [missing]).problems == ["\(missing): No such file or directory"])
        #expect(verifier.verify(files: [missing]).outcome.exitCode == 2)
        #expect(verifier.verify(files: [folder.path]).outcome == .unreadable)
        #expect(verifier.verify(log: folder.path("no/log")).outcome == .unreadable)
        #expect(verifier.verify(files: [path, missing]).outcome == .unreadable)
    }

    @Test func `a line of any length is covered by its seal`() throws {
        var log = VerificationLog()
        log.start()
        log.put([UInt8](repeating: 0x78, count: 1_000_000) + [0x0A])
        log.seal(.stop)
        try Data(log.files[0].bytes).write(to: URL(filePath: folder.path("long")))
        let report = verifier.verify(files: paths("long"))
        #expect(report.outcome == .intact, "\(report.text)")
        #expect(report.lineCount == 4)
    }

    /// A thread acts as the server: it writes, seals, rotates and removes while the verifier runs.
    @Test func `rotation and retention during a verification cause no faults`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("app.log")
        let isDone = Monitor(false)
        let thread = Thread {
            defer { isDone.withLock { $0 = true } }
            try? Self.serve(path)
        }
        thread.start()
        while !FileManager.default.fileExists(atPath: path) { sched_yield() }
        var count = 0
        while !isDone.withLock({ $0 }) {
            let report = verifier.verify(log: path)
            let isFine = [.intact, .unsealed, .endNotProven, .neverSealed].contains(report.outcome)
            #expect(isFine, "\(report.text)")
            guard isFine else { return }
            count += 1
        }
        #expect(count > 0)
        #expect(verifier.verify(log: path).outcome == .intact)
    }

    private static func serve(_ path: String) throws {
        var log = VerificationLog()
        var state = try LogStateFile(LogState.path(of: path), VerificationLog.key)
        var file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        var written = 0
        // Appends the lines that the file does not have yet.
        func write() throws {
            let bytes = Array(log.files[log.files.count - 1].lines[written...].joined())
            written = log.files[log.files.count - 1].lines.count
            // In two writes, so that a reader sees parts of lines.
            _ = try file.write(bytes.span.extracting(..<(bytes.count / 2)))
            _ = try file.write(bytes.span.extracting((bytes.count / 2)...))
        }
        log.start()
        try write()
        for round in 1...300 {
            for _ in 0..<3 {
                log.write(4, "\(round)")
                try write()
                log.seal()
                try write()
                try state.write(LogState(head: log.head, generation: round - 1, size: 0))
            }
            log.seal(.rotate)
            try write()
            let full = log.moveAway()
            rename(path, LogFileNames.archivePath(of: path, round))
            file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            written = 0
            log.write(LogRotated(file: full, reason: "size"))
            try write()
            guard log.files.count > 4 else { continue }
            // The report of the removal is sealed before the file is removed.
            let oldest = log.files[0].name
            log.remove(1)
            try write()
            unlink("\(LogFileNames.folder(of: path))/\(oldest)")
        }
        log.seal(.stop)
        try write()
    }
}

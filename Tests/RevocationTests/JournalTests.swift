import Foundation
import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Revocation

struct JournalTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func bytes() throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: folder.journal)))
    }

    private func write(_ bytes: some Sequence<UInt8>, _ path: String? = nil) throws {
        let path = path ?? folder.journal
        // Overwriting an old file would wait for the disk on some file systems.
        unlink(path)
        try Data(bytes).write(to: URL(filePath: path))
    }

    @Test func `a restart restores every entry`() throws {
        var table: Revocations? = try folder.revocations()
        #expect(table?.start == Revocations.RecoverySummary())
        _ = try table?.spend("t", at: minutes(1))
        try table?.revoke(
            [.token("u"), .session("s"), .user(7), .everyone], at: minutes(2), until: midnight)
        try table?.revoke(.user(7), at: minutes(8))
        for _ in 0..<2 {
            table = nil
            table = try folder.revocations(at: minutes(9))
            #expect(table?.start == Revocations.RecoverySummary(entries: 5, tornBytes: 0))
            #expect(table?.finding(token: "t", began: minutes(9)) == .alreadyUsed(at: minutes(1)))
            #expect(table?.finding(token: "u", began: minutes(9)) == .revoked(at: minutes(2)))
            #expect(table?.finding(session: "s", began: minutes(9)) == .revoked(at: minutes(2)))
            #expect(table?.cutoff(user: 7) == minutes(8))
            #expect(table?.cutoff(user: 8) == minutes(2))
            #expect(try table?.spend("t", at: minutes(9)) == minutes(1))
        }
    }

    @Test func `a start drops expired entries and makes the journal smaller`() throws {
        var table: Revocations? = try folder.revocations()
        for index in 0..<50 { _ = try table?.spend("t\(index)", at: noon, expires: evening) }
        _ = try table?.spend("u", at: noon, expires: midnight)
        let size = try bytes().count
        #expect(size == table?.statistics.journalBytes)
        table = nil
        table = try folder.revocations(at: evening)
        #expect(table?.start.entries == 1)
        #expect(try bytes().count == Journal.size(ofRecords: 2))
        #expect(table?.finding(token: "u") == .alreadyUsed(at: noon))
    }

    @Test
    func `a journal is readable by its owner only, in folders that are created for it`() throws {
        let path = folder.path("a/b/revocations.journal")
        let table = try Revocations(path: path, at: noon)
        try table.revoke(.session("an identifier"), at: noon)
        let status = try FileStatus(path: path)
        #expect(status.mode & 0o777 == 0o600)
        #expect(status.size == table.statistics.journalBytes)
        // It does not contain identifiers.
        let content = try Data(contentsOf: URL(filePath: path))
        #expect(content.firstRange(of: Data("identifier".utf8)) == nil)
    }

    @Test func `a journal can be opened by one process at a time`() throws {
        var table: Revocations? = try folder.revocations()
        #expect(throws: RevocationsError.inUse(by: getpid())) { try folder.revocations() }
        try table?.revoke(.session("s"), at: noon)
        table = nil
        #expect(try folder.revocations().finding(session: "s") != nil)
    }

    @Test func `a journal that another program has locked is refused`() throws {
        let lock = folder.path(".revocations.journal.lock")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["flock", lock, "sh", "-c", "echo locked; read line"]
        let (input, output) = (Foundation.Pipe(), Foundation.Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        #expect(output.fileHandleForReading.availableData == Data("locked\n".utf8))
        #expect(throws: RevocationsError.inUse(by: nil)) { try folder.revocations() }
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(try folder.revocations().count == 0)
    }

    @Test func `a journal that is a symbolic link or another kind of file is refused`() throws {
        try folder.file("elsewhere", "")
        #expect(symlink(folder.path("elsewhere"), folder.journal) == 0)
        #expect(throws: RevocationsError.failed(Errno(ELOOP))) { try folder.revocations() }
        unlink(folder.journal)
        #expect(mkfifo(folder.journal, 0o600) == 0)
        #expect(throws: RevocationsError.notAJournal) { try folder.revocations() }
        unlink(folder.journal)
        try folder.file("revocations.journal", String(repeating: "A log, rather.\n", count: 99))
        #expect(throws: RevocationsError.notAJournal) { try folder.revocations() }
        #expect(try folder.content("revocations.journal").hasPrefix("A log, rather."))
        try folder.file("revocations.journal", "")
        #expect(throws: RevocationsError.damaged(atByte: 0)) { try folder.revocations() }
    }

    // What kill -9 during a write(2) can leave.
    @Test func `a journal cut at any byte has every acknowledged entry before the cut`() throws {
        var table: Revocations? = try folder.revocations()
        // The entries of a start come before a marker; later entries come one write at a time.
        try table?.revoke(.session("old"), at: noon)
        table = nil
        table = try folder.revocations()
        table = nil
        var acknowledged: [(size: Int, session: String)] = []
        table = try folder.revocations()
        for index in 0..<3 {
            try table?.revoke(
                [.session("a\(index)"), .session("b\(index)")], at: noon, until: midnight)
            let size = try #require(table?.statistics.journalBytes)
            acknowledged += [(size, "a\(index)"), (size, "b\(index)")]
        }
        table = nil
        let original = try bytes()
        let first = Journal.size(ofRecords: 2)
        #expect(original.count == Journal.size(ofRecords: 8))
        let copy = folder.path("copy")
        for length in 0...original.count {
            try write(original.prefix(length), copy)
            guard length >= first else {
                let offset = max(0, (length - 88) / 44 * 44 + 88)
                #expect(throws: RevocationsError.damaged(atByte: length < 88 ? 0 : offset)) {
                    try Revocations(path: copy, at: noon, fileSystem: unsynced)
                }
                continue
            }
            let table = try Revocations(path: copy, at: noon, fileSystem: unsynced)
            #expect(table.start.tornBytes == (length - first) % 44)
            #expect(table.finding(session: "old") != nil)
            for (size, session) in acknowledged where size <= length {
                #expect(table.finding(session: session) != nil)
            }
            // It can be written again.
            if length % 20 == 0 {
                try table.revoke(.session("new"), at: noon)
                #expect(table.failure == nil)
            }
        }
    }

    // What a power failure can leave: any part of the last write; the rest is zeros or garbage.
    @Test func `a changed byte is a torn write in the last write, and damage before it`() throws {
        var table: Revocations? = try folder.revocations()
        try table?.revoke(.session("0"), at: noon)
        try table?.revoke(.session("1"), at: noon)
        let lastWrite = try #require(table?.statistics.journalBytes)
        try table?.revoke([.session("2"), .session("3"), .session("4")], at: noon, until: midnight)
        table = nil
        let original = try bytes()
        let copy = folder.path("copy")
        for index in original.indices {
            var bytes = original
            bytes[index] ^= 0x10
            try write(bytes, copy)
            do throws(RevocationsError) {
                let table = try Revocations(path: copy, at: noon, fileSystem: unsynced)
                #expect(index >= lastWrite)
                #expect(table.start.tornBytes == (original.count - index + 43) / 44 * 44)
                #expect(table.finding(session: "0") != nil)
                #expect(table.finding(session: "1") != nil)
            } catch {
                #expect(index < lastWrite)
                let offset = (index - 88) / 44 * 44 + 88
                #expect(
                    error == (index < 24 ? .notAJournal : .damaged(atByte: index < 88 ? 0 : offset))
                )
                // A refused start leaves the file unchanged.
                #expect(try [UInt8](Data(contentsOf: URL(filePath: copy))) == bytes)
            }
        }
    }

    @Test func `a record with the number or nonce of another position or file is invalid`() throws {
        let (file, other) = (JournalHeader(.random()), JournalHeader(.random()))
        let entry = RevocationEntry(
            EntryKey(name: SipHash13.Value(low: 1, high: 2), kind: .session), time: 3, until: 4)
        var bytes: [UInt8] = []
        JournalRecord.append(entry, number: 5, writeBegan: 4, file, to: &bytes)
        func parse(_ number: Int, _ file: JournalHeader) -> JournalRecord.Content? {
            JournalRecord.parse(bytes.span, number: number, file)?.content
        }
        #expect(parse(5, file) == .entry(entry))
        #expect(parse(6, file) == nil)
        #expect(parse(5, other) == nil)
        #expect(JournalHeader(file.bytes.span) == file)
        #expect(file.bytes.count == JournalHeader.size)
        #expect(bytes.count == JournalRecord.size)
    }

    @Test func `random bytes and valid records with extreme values do not trap`() throws {
        var generator = SeededGenerator(seed: 4)
        var table: Revocations? = try folder.revocations()
        for index in 0..<12 {
            try table?.revoke(
                [.token("t\(index)"), .user(Int64(index))], at: noon, until: midnight)
        }
        table = nil
        let original = try bytes()
        let copy = folder.path("copy")
        for _ in 0..<TestScale.rounds(300, long: 50_000) {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let offset = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(offset + Int.random(in: 1...90, using: &generator), bytes.count)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[offset] = .random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(offset..<end)
                case 2: bytes.insert(contentsOf: bytes[offset..<end], at: offset)
                case 3: for index in offset..<end { bytes[index] = 0 }
                default: bytes += (0..<50).map { _ in .random(in: 0...255, using: &generator) }
                }
                if bytes.isEmpty { bytes = [0] }
            }
            try write(bytes, copy)
            var entries = 0
            let found = try? JournalReader.read(copy, SystemFileSystem()) { _ in entries += 1 }
            #expect(entries <= 24)
            if let found {
                #expect(found.count <= 25)
                #expect(found.tornBytes >= 0)
            }
        }
        for _ in 0..<TestScale.rounds(60, long: 5000) {
            let header = JournalHeader(.random())
            var bytes = header.bytes
            let edges: [Int64] = [
                .min, -1, 0, 1, .max, .random(in: .min ... .max, using: &generator),
            ]
            for number in 0..<8 {
                let last = UInt64.random(in: 0...UInt64.max, using: &generator) & ~0xff
                let entry = RevocationEntry(
                    name: SipHash13.Value(low: .random(in: 0...2, using: &generator), high: 0),
                    time: edges.randomElement(using: &generator)!,
                    forgetAfterAndKind: last | .random(in: 1...5, using: &generator))
                if number == 3 { JournalRecord.appendMark(number: 3, header, to: &bytes) }
                if number != 3, let entry {
                    JournalRecord.append(
                        entry, number: number,
                        writeBegan: .random(in: -9...9, using: &generator), header, to: &bytes)
                }
            }
            try write(bytes, copy)
            _ = try? Revocations(
                path: copy, at: Timestamp(milliseconds: edges[5]), fileSystem: unsynced)
        }
    }

    @Test func `a record kind of a later version is refused`() throws {
        let header = JournalHeader(.random())
        var bytes = header.bytes
        JournalRecord.appendMark(number: 0, header, to: &bytes)
        for kind: UInt64 in [9, 255] {
            var record: [UInt8] = []
            JournalRecord.append(
                name: SipHash13.Value(low: 1, high: 1), time: 0, last: kind, number: 1,
                writeBegan: 1, header, to: &record)
            try write(bytes + record)
            #expect(throws: RevocationsError.notAJournal) { try folder.revocations() }
        }
    }

    @Test func `a journal with many obsolete records is compacted`() throws {
        var table: Revocations? = try folder.revocations()
        try table?.revoke(.session("stays"), at: noon)
        try table?.revoke(
            (0..<900).map { .session("s\($0)") }, at: noon, until: evening)
        let size = try bytes().count
        table?.removeExpired(at: noon)
        #expect(try bytes().count == size)
        table?.removeExpired(at: evening)
        // 900 obsolete records are not worth it.
        #expect(try bytes().count == size)
        try table?.revoke(
            (0..<900).map { .session("t\($0)") }, at: noon, until: evening)
        table?.removeExpired(at: evening)
        #expect(try bytes().count == Journal.size(ofRecords: 2))
        #expect(table?.statistics.journalBytes == Journal.size(ofRecords: 2))
        try table?.revoke(.session("new"), at: noon)
        table = nil
        table = try folder.revocations()
        #expect(table?.finding(session: "stays") != nil)
        #expect(table?.finding(session: "new") != nil)
        #expect(table?.finding(session: "s1") == nil)
        #expect(folder.allNames == [".revocations.journal.lock", "revocations.journal"])
    }

    @Test func `a journal that is removed while in use is written again completely`() throws {
        var table: Revocations? = try folder.revocations()
        try table?.revoke(.session("before"), at: noon)
        unlink(folder.journal)
        unlink(folder.path(".revocations.journal.lock"))
        _ = try table?.spend("after", at: noon)
        #expect(throws: RevocationsError.inUse(by: getpid())) { try folder.revocations() }
        unlink(folder.journal)
        table?.removeExpired(at: noon)
        table = nil
        table = try folder.revocations()
        #expect(table?.finding(session: "before") != nil)
        #expect(table?.finding(token: "after") != nil)
    }
}

import Foundation
import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Revocation

@Suite("A journal of revocations")
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
        // Over an old file, some file systems would wait for the disk.
        unlink(path)
        try Data(bytes).write(to: URL(filePath: path))
    }

    @Test("brings everything back after a restart")
    func restart() throws {
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

    @Test("forgets at the start what can matter no more, and becomes smaller")
    func forgetting() throws {
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

    @Test("is readable by its owner only, in folders that are made for it")
    func permissions() throws {
        let path = folder.path("a/b/revocations.journal")
        let table = try Revocations(path: path, at: noon)
        try table.revoke(.session("an identifier"), at: noon)
        let status = try FileStatus(path: path)
        #expect(status.mode & 0o777 == 0o600)
        #expect(status.size == table.statistics.journalBytes)
        // Identifiers do not stand in it.
        let content = try Data(contentsOf: URL(filePath: path))
        #expect(content.firstRange(of: Data("identifier".utf8)) == nil)
    }

    @Test("belongs to one process at a time")
    func lock() throws {
        var table: Revocations? = try folder.revocations()
        #expect(throws: RevocationsError.inUse(by: getpid())) { try folder.revocations() }
        try table?.revoke(.session("s"), at: noon)
        table = nil
        #expect(try folder.revocations().finding(session: "s") != nil)
    }

    @Test("is not taken away from another program that has locked it")
    func otherProcess() throws {
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

    @Test("is not followed through a symbolic link, and no other kind of file is taken for one")
    func kinds() throws {
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

    // What kill -9 in the middle of a write(2) can leave.
    @Test("cut at any byte, it has every acknowledged entry whose bytes are there")
    func cutAnywhere() throws {
        var table: Revocations? = try folder.revocations()
        // What stood there at a start is behind a mark, and the rest came one write at a time.
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
        let whole = try bytes()
        let first = Journal.size(ofRecords: 2)
        #expect(whole.count == Journal.size(ofRecords: 8))
        let copy = folder.path("copy")
        for length in 0...whole.count {
            try write(whole.prefix(length), copy)
            guard length >= first else {
                let place = max(0, (length - 88) / 44 * 44 + 88)
                #expect(throws: RevocationsError.damaged(atByte: length < 88 ? 0 : place)) {
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
            // And it can be written again.
            if length % 20 == 0 {
                try table.revoke(.session("new"), at: noon)
                #expect(table.failure == nil)
            }
        }
    }

    // What a power failure can leave: any part of the last write, the rest zeros or worse.
    @Test("one wrong byte in the last write is torn, one before it is damage")
    func damage() throws {
        var table: Revocations? = try folder.revocations()
        try table?.revoke(.session("0"), at: noon)
        try table?.revoke(.session("1"), at: noon)
        let lastWrite = try #require(table?.statistics.journalBytes)
        try table?.revoke([.session("2"), .session("3"), .session("4")], at: noon, until: midnight)
        table = nil
        let whole = try bytes()
        let copy = folder.path("copy")
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x10
            try write(bytes, copy)
            do throws(RevocationsError) {
                let table = try Revocations(path: copy, at: noon, fileSystem: unsynced)
                #expect(index >= lastWrite)
                #expect(table.start.tornBytes == (whole.count - index + 43) / 44 * 44)
                #expect(table.finding(session: "0") != nil)
                #expect(table.finding(session: "1") != nil)
            } catch {
                #expect(index < lastWrite)
                let place = (index - 88) / 44 * 44 + 88
                #expect(
                    error == (index < 24 ? .notAJournal : .damaged(atByte: index < 88 ? 0 : place)))
                // Whoever refuses leaves it as it is.
                #expect(try [UInt8](Data(contentsOf: URL(filePath: copy))) == bytes)
            }
        }
    }

    @Test("a record of another place or another file is none")
    func moved() throws {
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

    @Test("neither bytes at random nor sound records with absurd content make it trap")
    func mutations() throws {
        var dice = SeededGenerator(seed: 4)
        var table: Revocations? = try folder.revocations()
        for index in 0..<12 {
            try table?.revoke(
                [.token("t\(index)"), .user(Int64(index))], at: noon, until: midnight)
        }
        table = nil
        let whole = try bytes()
        let copy = folder.path("copy")
        for _ in 0..<TestScale.rounds(300, long: 50_000) {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let place = Int.random(in: 0..<bytes.count, using: &dice)
                let end = min(place + Int.random(in: 1...90, using: &dice), bytes.count)
                switch Int.random(in: 0..<5, using: &dice) {
                case 0: bytes[place] = .random(in: 0...255, using: &dice)
                case 1: bytes.removeSubrange(place..<end)
                case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
                case 3: for index in place..<end { bytes[index] = 0 }
                default: bytes += (0..<50).map { _ in .random(in: 0...255, using: &dice) }
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
            let edges: [Int64] = [.min, -1, 0, 1, .max, .random(in: .min ... .max, using: &dice)]
            for number in 0..<8 {
                let last = UInt64.random(in: 0...UInt64.max, using: &dice) & ~0xff
                let entry = RevocationEntry(
                    name: SipHash13.Value(low: .random(in: 0...2, using: &dice), high: 0),
                    time: edges.randomElement(using: &dice)!,
                    untilAndKind: last | .random(in: 1...5, using: &dice))
                if number == 3 { JournalRecord.appendMark(number: 3, header, to: &bytes) }
                if number != 3, let entry {
                    JournalRecord.append(
                        entry, number: number,
                        writeBegan: .random(in: -9...9, using: &dice), header, to: &bytes)
                }
            }
            try write(bytes, copy)
            _ = try? Revocations(
                path: copy, at: Timestamp(milliseconds: edges[5]), fileSystem: unsynced)
        }
    }

    @Test("a record of a later version is not overlooked")
    func unknownKind() throws {
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

    @Test("is compacted when most of it means nothing any more")
    func compacting() throws {
        var table: Revocations? = try folder.revocations()
        try table?.revoke(.session("stays"), at: noon)
        try table?.revoke(
            (0..<900).map { .session("s\($0)") }, at: noon, until: evening)
        let size = try bytes().count
        table?.removeExpired(at: noon)
        #expect(try bytes().count == size)
        table?.removeExpired(at: evening)
        // 900 are too few to be worth it.
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

    @Test("that is taken away while it is in use is written anew, with everything")
    func takenAway() throws {
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

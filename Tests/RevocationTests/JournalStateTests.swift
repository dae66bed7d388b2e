import Crypto
import Foundation
import Glibc
import POSIX
import TestSupport
import Testing
import Time

@testable import Revocation

private let firstKey = HMACSHA256.Key(Array("the key of the first test".utf8).span)
private let secondKey = HMACSHA256.Key(Array("the key of the second test".utf8).span)

extension TemporaryFolder {
    var state: String { path(".revocations.journal.state") }

    func guardedTable(
        at now: Timestamp = noon, keys: [HMACSHA256.Key] = [firstKey], accepting: Bool = false,
        leeway: TimeAmount = TimeAmount(milliseconds: 0), fileSystem: any FileSystem = unsynced
    ) throws(RevocationsError) -> Revocations {
        try Revocations(
            path: journal, at: now,
            guarded: .init(keys: keys, acceptsAnyJournal: accepting, leeway: leeway),
            fileSystem: fileSystem)
    }

    fileprivate func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    fileprivate func write(_ bytes: some Sequence<UInt8>, _ path: String) throws {
        unlink(path)
        try Data(bytes).write(to: URL(filePath: path))
    }

    /// A journal with a marker and six records in three writes, left by a killed process.
    fileprivate func writeKilledJournal() throws {
        let table = try guardedTable()
        for index in 0..<3 {
            try table.revoke(
                [.session("a\(index)"), .session("b\(index)")], at: noon, until: midnight)
        }
    }
}

struct JournalStateTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `a journal of this version is proven at the next start`() throws {
        try folder.writeKilledJournal()
        for _ in 0..<3 {
            let table = try folder.guardedTable()
            #expect(table.start == .init(entries: 6, proof: .proven))
        }
        #expect(
            folder.allNames == [
                ".revocations.journal.lock", ".revocations.journal.state", "revocations.journal",
            ])
        #expect(try FileStatus(path: folder.state).mode & 0o777 == 0o600)
    }

    @Test func `a journal that was cut within its acknowledged bytes is refused`() throws {
        try folder.writeKilledJournal()
        let original = try folder.bytes(folder.journal)
        let state = try folder.bytes(folder.state)
        #expect(original.count == Journal.size(ofRecords: 7))
        for length in stride(from: 88 + 44, to: original.count, by: 11) {
            try folder.write(original.prefix(length), folder.journal)
            try folder.write(state, folder.state)
            let records = (length - 88) / 44
            #expect(throws: RevocationsError.cut(records: records, of: 7)) {
                try folder.guardedTable()
            }
            #expect(throws: RevocationsError.cut(records: records, of: 7)) {
                try Revocations(
                    reading: folder.journal, at: noon, guarded: .init(keys: [firstKey]))
            }
            // A refused start changes nothing.
            #expect(try folder.bytes(folder.journal) == Array(original.prefix(length)))
        }
        try folder.write(original, folder.journal)
        #expect(try folder.guardedTable().start.proof == .proven)
    }

    @Test func `a journal that is missing, replaced, or older than its state is refused`() throws {
        try folder.writeKilledJournal()
        let old = try folder.bytes(folder.journal)
        // The next start writes another file.
        try folder.guardedTable().revoke(.session("c"), at: noon)
        let new = try folder.bytes(folder.journal)
        let state = try folder.bytes(folder.state)
        func outcome(_ journal: [UInt8]?) throws -> RevocationsError? {
            try folder.write(state, folder.state)
            if let journal {
                try folder.write(journal, folder.journal)
            } else {
                unlink(folder.journal)
            }
            do throws(RevocationsError) {
                _ = try folder.guardedTable()
                return nil
            } catch { return error }
        }
        #expect(try outcome(nil) == .gone(records: 8))
        #expect(try outcome(old) == .exchanged)
        let header = JournalHeader(.random())
        var empty = header.bytes
        JournalRecord.appendMark(number: 0, header, to: &empty)
        #expect(try outcome(empty) == .exchanged)
        JournalRecord.appendMark(number: 1, header, isGuarded: true, to: &empty)
        #expect(try outcome(empty) == .exchanged)
        #expect(try outcome(new) == nil)
    }

    @Test func `a record that was replaced by another valid one is detected`() throws {
        try folder.writeKilledJournal()
        let bytes = try folder.bytes(folder.journal)
        let state = try folder.bytes(folder.state)
        let found = JournalHeader(bytes.span.extracting(0..<JournalHeader.size))
        let header = try #require(found)
        let entry = RevocationEntry(
            EntryKey(name: SipHash13.Value(low: 1, high: 2), kind: .token), time: 3,
            until: midnight.milliseconds)
        for number in 1..<7 {
            var record: [UInt8] = []
            JournalRecord.append(
                entry, number: number, writeBegan: number - (number - 1) % 2, header, to: &record)
            var forged = bytes
            forged.replaceSubrange(
                Journal.size(ofRecords: number)..<Journal.size(ofRecords: number + 1), with: record)
            try folder.write(forged, folder.journal)
            try folder.write(state, folder.state)
            #expect(throws: RevocationsError.exchanged) { try folder.guardedTable() }
        }
    }

    @Test func `a lost or invalid state is refused if the journal says that it has one`() throws {
        try folder.writeKilledJournal()
        let state = try folder.bytes(folder.state)
        unlink(folder.state)
        #expect(throws: RevocationsError.stateMissing) { try folder.guardedTable() }
        for broken in [[], [UInt8](repeating: 0, count: 1024), Array("text".utf8)] {
            try folder.write(broken, folder.state)
            #expect(throws: RevocationsError.stateMissing) { try folder.guardedTable() }
        }
        // A changed byte invalidates its slot; the other slot is older, but also correct.
        for index in 0..<1024 where state[index] != UInt8(ascii: " ") {
            var changed = state
            changed[index] ^= 1
            try folder.write(changed, folder.state)
            let found = try JournalState.read(folder.state, [firstKey], SystemFileSystem())
            if case .known(let known) = found {
                #expect(known.extents.allSatisfy { $0.count <= 7 })
            }
        }
        try folder.write(state, folder.state)
        #expect(try folder.guardedTable().start.proof == .proven)
    }

    @Test func `a journal of a version without a state is accepted once`() throws {
        do {
            try folder.revocations(fileSystem: unsynced).revoke(.session("s"), at: noon)
        }
        do {
            let table = try folder.guardedTable()
            #expect(table.start.proof == .unproven)
            #expect(table.finding(session: "s") != nil)
        }
        #expect(try folder.guardedTable().start.proof == .proven)
        unlink(folder.state)
        #expect(throws: RevocationsError.stateMissing) { try folder.guardedTable() }
    }

    @Test func `an accepted journal ends every session, and is proven from then on`() throws {
        try folder.writeKilledJournal()
        let bytes = try folder.bytes(folder.journal)
        try folder.write(bytes.prefix(Journal.size(ofRecords: 3)), folder.journal)
        do {
            let table = try folder.guardedTable(
                at: minutes(1), accepting: true, leeway: .seconds(5))
            #expect(table.start.proof == .accepted)
            let cutoff = minutes(1) + .seconds(5)
            #expect(table.finding(session: "b1", began: noon) == .revoked(at: cutoff))
            #expect(table.finding(session: "b1", began: cutoff) == .revoked(at: cutoff))
        }
        let next = try folder.guardedTable(at: midnight)
        #expect(next.start.proof == .proven)
        #expect(next.finding(session: "b1", began: noon) != nil)
    }

    @Test func `a state under a key that is no longer configured ends every session`() throws {
        try folder.writeKilledJournal()
        do {
            // The first key still verifies.
            let table = try folder.guardedTable(keys: [secondKey, firstKey])
            #expect(table.start.proof == .proven)
            #expect(table.finding(session: "x", began: noon) == nil)
        }
        do {
            let table = try folder.guardedTable(keys: [secondKey])
            #expect(table.start.proof == .proven)
        }
        do {
            let table = try folder.guardedTable(at: minutes(1), keys: [firstKey])
            #expect(table.start.proof == .foreignKeys)
            #expect(table.finding(session: "x", began: noon) == .revoked(at: minutes(1)))
        }
        #expect(try folder.guardedTable(keys: [firstKey]).start.proof == .proven)
    }

    @Test func `a new signing key signs the state at once`() throws {
        do {
            let table = try folder.guardedTable()
            try table.revoke(.session("s"), at: noon)
            table.setStateKey(secondKey)
            let (path, keys) = (folder.state, [secondKey])
            #expect(
                try eventually {
                    if case .known = try JournalState.read(path, keys, SystemFileSystem()) {
                        return true
                    }
                    return false
                })
        }
        #expect(
            try eventually {
                do throws(RevocationsError) {
                    return try folder.guardedTable(keys: [secondKey]).start.proof == .proven
                } catch {
                    guard case .inUse = error else { throw error }
                    return false
                }
            })
    }

    @Test func `a state that is removed while the server runs is written again`() throws {
        do {
            let table = try folder.guardedTable()
            unlink(folder.state)
            try table.revoke(.session("s"), at: noon)
        }
        #expect(try folder.guardedTable().start.proof == .proven)
        do {
            let table = try folder.guardedTable()
            unlink(folder.state)
            table.removeExpired(at: noon)
        }
        #expect(try folder.guardedTable().start.proof == .proven)
    }

    @Test func `a state with a turn above the limit is unreadable and does not overflow`() throws {
        try folder.writeKilledJournal()
        for turn in [UInt64.max, UInt64(1) << 62] {
            let extent = JournalExtent(JournalHeader(.random()), count: 1, SHA256())
            let slot = JournalState(extents: [extent], turn: turn).slot(secondKey)
            try folder.write(slot, folder.state)
            #expect(throws: RevocationsError.stateMissing) { try folder.guardedTable() }
        }
    }

    @Test func `a revocation costs one sync, with or without a state`() throws {
        let plain = FileSystemDouble()
        let guarded = FileSystemDouble()
        let other = try TemporaryFolder()
        let tables = [
            try folder.revocations(fileSystem: plain),
            try other.guardedTable(fileSystem: guarded),
        ]
        for (table, fileSystem) in zip(tables, [plain, guarded]) {
            let before = fileSystem.count(of: .synchronize)
            for index in 0..<5 { try table.revoke(.session("\(index)"), at: noon) }
            #expect(fileSystem.count(of: .synchronize) == before + 5)
        }
    }
}

struct JournalStateCrashTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Fails every operation from the n-th on: the disk then has what a killed process leaves.
    /// - Returns: the acknowledged sessions, and the number of operations.
    private func run(failingFrom first: Int, half: Bool) throws -> (Set<String>, count: Int) {
        let fileSystem = FileSystemDouble { operation, number in
            if number < first { return operation == .synchronize ? .skipped : .done }
            return number == first && half && operation == .write
                ? .short : .failed(.ioError)
        }
        var acknowledged: Set<String> = []
        guard let table = try? folder.guardedTable(fileSystem: fileSystem) else {
            return ([], fileSystem.total)
        }
        for index in 0..<4 {
            if (try? table.revoke(.session("s\(index)"), at: noon)) != nil {
                acknowledged.insert("s\(index)")
            }
        }
        try? table.revoke((0..<1100).map { .session("t\($0)") }, at: noon, until: evening)
        // Compacts the journal while its entries are in force.
        table.removeExpired(at: evening)
        if (try? table.revoke(.session("u"), at: noon)) != nil { acknowledged.insert("u") }
        table.setStateKey(firstKey)
        return (acknowledged, fileSystem.total)
    }

    @Test func `a journal is proven and complete after a crash at any operation`() throws {
        try folder.guardedTable().revoke(.session("before"), at: noon)
        let start = (
            try folder.bytes(folder.journal), try folder.bytes(folder.state)
        )
        let (all, total) = try run(failingFrom: .max, half: false)
        // Wait until the files are released.
        _ = try open()
        #expect(all.count == 5)
        #expect(total > 60)
        for first in 1...total {
            for half in [false, true] {
                try folder.write(start.0, folder.journal)
                try folder.write(start.1, folder.state)
                let (acknowledged, _) = try run(failingFrom: first, half: half)
                let next = try open()
                #expect(next.start.proof == .proven)
                #expect(next.finding(session: "before") != nil)
                for session in acknowledged { #expect(next.finding(session: session) != nil) }
            }
        }
    }

    @Test func `a crash at any operation of an upgrade loses no acknowledged revocation`() throws {
        try folder.revocations(fileSystem: unsynced).revoke(.session("before"), at: noon)
        let start = try folder.bytes(folder.journal)
        for first in 1...40 {
            try folder.write(start, folder.journal)
            unlink(folder.state)
            let (acknowledged, _) = try run(failingFrom: first, half: true)
            let next = try open()
            #expect(next.finding(session: "before") != nil)
            for session in acknowledged { #expect(next.finding(session: session) != nil) }
        }
    }

    @Test func `a crash at any operation of an acceptance never skips the new cutoff`() throws {
        try folder.writeKilledJournal()
        let bytes = try folder.bytes(folder.journal).prefix(Journal.size(ofRecords: 3))
        let state = try folder.bytes(folder.state)
        for first in 1...30 {
            try folder.write(bytes, folder.journal)
            try folder.write(state, folder.state)
            let fileSystem = FileSystemDouble { operation, number in
                if number < first { return operation == .synchronize ? .skipped : .done }
                return .failed(.ioError)
            }
            _ = try? folder.guardedTable(accepting: true, fileSystem: fileSystem)
            do throws(RevocationsError) {
                let next = try folder.guardedTable()
                #expect(next.finding(session: "b2", began: noon) == .revoked(at: noon))
            } catch {
                #expect(error.isLoss)
            }
        }
    }

    /// Opens the journal as soon as the thread that wrote the state has released the lock.
    private func open() throws -> Revocations {
        var table: Revocations?
        #expect(
            try eventually {
                do throws(RevocationsError) { table = try folder.guardedTable() } catch {
                    guard case .inUse = error else { throw error }
                }
                return table != nil
            })
        return try #require(table)
    }
}

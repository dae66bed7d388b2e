import Glibc
import POSIX
import Revocation
import Synchronization
import TestSupport
import Testing
import Time

/// An injected failure that begins at one operation.
enum Fault: CaseIterable, Sendable {
    /// Only that operation fails.
    case once
    /// A write is short, and the two operations after it fail.
    case tornWrite
    /// That operation and the seven after it fail.
    case forAWhile

    func verdict(
        _ operation: FileSystemDouble.Operation, after count: Int
    ) -> FileSystemDouble.Outcome {
        switch (self, count) {
        case (.once, 0): .failed(.ioError)
        case (.tornWrite, 0): operation == .write ? .short : .failed(.noSpace)
        case (.tornWrite, 1...2): .failed(.noSpace)
        case (.forAWhile, 0..<8): .failed(.noSpace)
        default: .done
        }
    }
}

struct JournalFailureTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A sequence of changes to a table, and their results.
    private struct Scenario {
        var spent: [String: Timestamp] = [:]
        var unspent: Set<String> = []
        var revoked: Set<String> = []

        mutating func run(_ table: Revocations) {
            for index in 0..<16 {
                let moment = minutes(Int64(index))
                let token = "t\(index % 7)"
                do throws(Errno) {
                    let time = try table.spend(token, at: moment)
                    #expect(time == spent[token] ?? moment)
                    spent[token] = time
                    unspent.remove(token)
                } catch {
                    // Not marked as used: a second attempt must not look like a replay.
                    #expect(table.finding(token: token) == nil)
                    unspent.insert(token)
                }
                // In force whether it was written or not.
                let session = "s\(index)"
                try? table.revoke(
                    [.session(session), .token("r\(index)")], at: moment, until: midnight)
                revoked.insert(session)
                #expect(table.finding(token: "r\(index)") == .revoked(at: moment))
                if index == 4 {
                    try? table.revoke(
                        (0..<1100).map { .session("short \($0)") }, at: noon, until: evening)
                }
                if index == 5 { table.removeExpired(at: evening) }
                if index == 8 { table.removeExpired(at: evening) }
            }
        }

        /// Whether the results hold for a table: the same one, or one after a restart.
        func holds(in table: Revocations) -> Bool {
            spent.allSatisfy { table.finding(token: $0.key) == .alreadyUsed(at: $0.value) }
                && unspent.allSatisfy { table.finding(token: $0) == nil }
                && revoked.allSatisfy {
                    table.finding(session: $0) != nil
                        && table.finding(token: "r\($0.dropFirst())") != nil
                }
        }
    }

    @Test(
        arguments: 1...90, Fault.allCases)
    func `a failing journal keeps what it acknowledged and no token it failed to spend`(
        failing first: Int, fault: Fault
    ) throws {
        do {
            let table = try folder.revocations(fileSystem: unsynced)
            try table.revoke(.session("before"), at: noon)
            try table.revoke(.session("short"), at: noon, until: evening)
        }
        let fileSystem = FileSystemDouble { operation, number in
            let verdict = fault.verdict(operation, after: number - first)
            if operation == .synchronize, case .done = verdict { return .skipped }
            return verdict
        }
        var scenario = Scenario()
        do throws(RevocationsError) {
            let table = try folder.revocations(at: evening, fileSystem: fileSystem)
            scenario.run(table)
            #expect(scenario.holds(in: table))
            // A failure that lasts for some operations may not be over.
            for _ in 0..<10 { table.removeExpired(at: evening) }
            #expect(table.failure == nil)
            #expect(table.statistics.unwritten == 0)
        } catch {
            // The start is refused, and the journal keeps its entries.
            #expect(first <= 16)
            let table = try folder.revocations(fileSystem: unsynced)
            #expect(table.finding(session: "before") != nil)
            return
        }
        let table = try folder.revocations(at: evening, fileSystem: unsynced)
        #expect(table.start.tornBytes == 0)
        #expect(scenario.holds(in: table))
        #expect(table.finding(session: "before") != nil)
    }

    @Test
    func `a run without failures takes at least as many operations as are failed`() throws {
        let operations = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { _, number in
            operations.store(number, ordering: .relaxed)
            return .done
        }
        var scenario = Scenario()
        scenario.run(try folder.revocations(at: noon, fileSystem: fileSystem))
        #expect(operations.load(ordering: .relaxed) >= 90)
        #expect(scenario.unspent.isEmpty)
    }

    // The process dies right after the failure, so that no later write repairs anything.
    @Test(arguments: 10...60)
    func `a journal keeps what it acknowledged if the process dies after a failed write`(
        failing first: Int
    ) throws {
        let fileSystem = FileSystemDouble { operation, number in
            if number < first { return operation == .synchronize ? .skipped : .done }
            return number == first && operation == .write ? .short : .failed(.ioError)
        }
        var spent: [String] = []
        do {
            let table = try folder.revocations(fileSystem: fileSystem)
            for index in 0..<20 {
                let token = "t\(index)"
                if (try? table.spend(token, at: noon)) != nil { spent.append(token) }
            }
            #expect(spent.count < 20)
            #expect(table.failure != nil)
            #expect(table.statistics.failures > 0)
        }
        let table = try folder.revocations()
        for token in spent { #expect(table.finding(token: token) == .alreadyUsed(at: noon)) }
        #expect(table.count <= spent.count + 1)
    }

    @Test
    func `revokeSoon is in force at once and reports a failed write`() throws {
        let isFull = Monitor(false)
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .write && isFull.withLock { $0 } ? .failed(.noSpace) : .done
        }
        let failures = Monitor<[Errno]>([])
        do {
            let table = try folder.revocations(fileSystem: fileSystem)
            try table.revokeSoon([.session("a")], at: noon, until: midnight) { error in
                failures.withLock { $0.append(error) }
            }
            #expect(table.finding(session: "a") == .revoked(at: noon))
            #expect(eventually { table.statistics.unwritten == 0 })
            isFull.withLock { $0 = true }
            try table.revokeSoon([.session("b")], at: noon, until: midnight) { error in
                failures.withLock { $0.append(error) }
            }
            #expect(table.finding(session: "b") == .revoked(at: noon))
            #expect(eventually { failures.withLock { $0 } == [.noSpace] })
            isFull.withLock { $0 = false }
            table.removeExpired(at: noon)
            #expect(table.statistics.unwritten == 0)
        }
        let next = try folder.reopened()
        #expect(next.finding(session: "a") == .revoked(at: noon))
        #expect(next.finding(session: "b") == .revoked(at: noon))
    }

    @Test func `a journal reports its failure until a write succeeds`() throws {
        let disk = Disk()
        let table = try folder.revocations(fileSystem: disk.fileSystem)
        disk.fail(with: .noSpace)
        #expect(throws: Errno.noSpace) { try table.revoke(.session("s"), at: noon) }
        #expect(throws: Errno.noSpace) { try table.spend("t", at: noon) }
        #expect(table.failure == .noSpace)
        #expect(table.statistics.failures == 2)
        #expect(table.statistics.unwritten == 1)
        #expect(table.finding(session: "s") == .revoked(at: noon))
        disk.fail(with: nil)
        #expect(try table.spend("t", at: minutes(1)) == minutes(1))
        #expect(table.failure == nil)
        #expect(table.statistics.unwritten == 0)
    }

    // The new file is in place with the entry, but its folder is not synced, and later syncs fail.
    @Test
    func `a token that was refused is not spent in a file that replaced the journal`() throws {
        let syncs = Monitor<Int?>(nil)
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .synchronize else { return .done }
            let count = syncs.withLock { count -> Int in
                count = count.map { $0 + 1 }
                return count ?? 0
            }
            return count > 1 ? .failed(.ioError) : .done
        }
        do {
            let table = try folder.revocations(fileSystem: fileSystem)
            unlink(folder.journal)
            syncs.withLock { $0 = 0 }
            #expect(throws: Errno.ioError) { try table.spend("t", at: minutes(1)) }
            #expect(syncs.withLock { $0 } == 3)
            syncs.withLock { $0 = nil }
            #expect(try table.spend("t", at: minutes(2)) == minutes(2))
        }
        let table = try folder.revocations()
        #expect(table.finding(token: "t") == .alreadyUsed(at: minutes(2)))
    }

    @Test(.enabled(if: SmallDisk.isAvailable))
    func `a journal on a full disk continues after space was freed`() throws {
        try SmallDisk.mounted(at: folder.path, size: "128k") {
            try folder.file("ballast", String(repeating: "y", count: 64 * 1024))
            var table: Revocations? = try folder.revocations()
            var sessions: [RevocationSubject] = []
            var failure: Errno?
            while failure == nil {
                let added = (0..<100).map { RevocationSubject.session("\(sessions.count + $0)") }
                sessions += added
                do throws(Errno) {
                    try table?.revoke(added, at: noon, until: midnight)
                } catch {
                    failure = error
                }
            }
            #expect(failure == .noSpace)
            #expect(throws: Errno.noSpace) { try table?.spend("t", at: noon) }
            unlink(folder.path("ballast"))
            #expect(try table?.spend("t", at: minutes(1)) == minutes(1))
            table = nil
            table = try folder.revocations()
            #expect(table?.count == sessions.count + 1)
            table = nil
        }
    }
}

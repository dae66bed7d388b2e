import Glibc
import POSIX
import Revocation
import Synchronization
import TestSupport
import Testing
import Time

/// What goes wrong, from one operation on.
enum Trouble: CaseIterable, Sendable {
    /// That operation fails.
    case once
    /// A write takes half, and what follows it fails.
    case tornWrite
    /// That operation and the seven after it fail.
    case forAWhile

    func verdict(
        _ operation: FileSystemDouble.Operation, after count: Int
    ) -> FileSystemDouble.Verdict {
        switch (self, count) {
        case (.once, 0): .failed(.ioError)
        case (.tornWrite, 0): operation == .write ? .short : .failed(.noSpace)
        case (.tornWrite, 1...2): .failed(.noSpace)
        case (.forAWhile, 0..<8): .failed(.noSpace)
        default: .done
        }
    }
}

@Suite("A journal whose disk fails")
struct JournalFailureTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// What happens to a table from its start on, and what it has said.
    private struct Course {
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
                    // As if it had not been asked for; a second caller is not taken for a thief.
                    #expect(table.finding(token: token) == nil)
                    unspent.insert(token)
                }
                // In force whether it could be written or not.
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

        /// Holds for a table, the same one or one after a restart.
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
        "has what it acknowledged, what was revoked meanwhile, and not what it refused to spend",
        arguments: 1...90, Trouble.allCases)
    func scenario(failing first: Int, trouble: Trouble) throws {
        do {
            let table = try folder.revocations(fileSystem: unsynced)
            try table.revoke(.session("before"), at: noon)
            try table.revoke(.session("short"), at: noon, until: evening)
        }
        let fileSystem = FileSystemDouble { operation, number in
            let verdict = trouble.verdict(operation, after: number - first)
            if operation == .synchronize, case .done = verdict { return .pretended }
            return verdict
        }
        var course = Course()
        do throws(RevocationsError) {
            let table = try folder.revocations(at: evening, fileSystem: fileSystem)
            course.run(table)
            #expect(course.holds(in: table))
            // What fails for a while may still do so.
            for _ in 0..<10 { table.removeExpired(at: evening) }
            #expect(table.failure == nil)
            #expect(table.statistics.unwritten == 0)
        } catch {
            // It says that it cannot begin, and has forgotten nothing.
            #expect(first <= 16)
            let table = try folder.revocations(fileSystem: unsynced)
            #expect(table.finding(session: "before") != nil)
            return
        }
        let table = try folder.revocations(at: evening, fileSystem: unsynced)
        #expect(table.start.tornBytes == 0)
        #expect(course.holds(in: table))
        #expect(table.finding(session: "before") != nil)
    }

    @Test("is asked for more operations than that when nothing fails")
    func operations() throws {
        let operations = Atomic<Int>(0)
        let fileSystem = FileSystemDouble { _, number in
            operations.store(number, ordering: .relaxed)
            return .done
        }
        var course = Course()
        course.run(try folder.revocations(at: noon, fileSystem: fileSystem))
        #expect(operations.load(ordering: .relaxed) >= 90)
        #expect(course.unspent.isEmpty)
    }

    // A process that dies right after the failure: no later write repairs anything.
    @Test("dies with it, and has what it acknowledged", arguments: 10...60)
    func death(failing first: Int) throws {
        let fileSystem = FileSystemDouble { operation, number in
            if number < first { return operation == .synchronize ? .pretended : .done }
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

    @Test("that nobody waits for is in force at once, and on the disk soon, or says why not")
    func soon() throws {
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

    @Test("says so until it can be written again")
    func failure() throws {
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

    // The new file has the entry and its name, but the name is not on the disk, and then nothing is.
    @Test("does not keep a token spent that it refused to spend, whichever file that went to")
    func spoiled() throws {
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

    @Test("goes on when there is room again", .enabled(if: SmallDisk.canBeMade))
    func fullDisk() throws {
        try SmallDisk.mounted(at: folder.path, size: "128k") {
            try folder.file("ballast", String(repeating: "y", count: 64 * 1024))
            var table: Revocations? = try folder.revocations()
            var sessions: [RevocationSubject] = []
            var failure: Errno?
            while failure == nil {
                let some = (0..<100).map { RevocationSubject.session("\(sessions.count + $0)") }
                sessions += some
                do throws(Errno) {
                    try table?.revoke(some, at: noon, until: midnight)
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

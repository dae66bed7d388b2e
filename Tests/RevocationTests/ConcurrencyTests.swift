import Foundation
import POSIX
import Synchronization
import TestSupport
import Testing
import Time

@testable import Revocation

struct ConcurrencyTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test
    func `a hundred threads that spend one token get one time, also after a restart`() throws {
        var times: Set<Timestamp> = []
        try spend(&times)
        let table = try folder.reopened()
        for round in 0..<4 {
            let time = try table.spend("t\(round)", at: evening)
            #expect(times.contains(time))
        }
    }

    private func spend(_ times: inout Set<Timestamp>) throws {
        let table = try folder.revocations()
        for round in 0..<4 {
            let results = Monitor<[Timestamp]>([])
            inThreads(100) { thread in
                guard let time = try? table.spend("t\(round)", at: minutes(Int64(thread))) else {
                    return
                }
                results.withLock { $0.append(time) }
            }
            let all = results.withLock { $0 }
            #expect(all.count == 100)
            #expect(Set(all).count == 1)
            times.insert(all[0])
            #expect(table.finding(token: "t\(round)") == .alreadyUsed(at: all[0]))
        }
        #expect(table.statistics.spentTokens == 4)
    }

    @Test func `changes that arrive while the disk is busy share the next write and sync`() throws {
        let isHeld = Monitor(false)
        let fileSystem = FileSystemDouble { operation, _ in
            if operation == .synchronize { isHeld.waitUntil({ !$0 }, then: { _ in }) }
            return .done
        }
        let table = try folder.revocations(fileSystem: fileSystem)
        // After this call the first sync of the folder is done.
        try table.revoke(.session("first"), at: noon)
        let (writes, syncs) = (
            fileSystem.count(of: .write), fileSystem.count(of: .synchronize)
        )
        isHeld.withLock { $0 = true }
        let threads = (0..<21).map { index in
            TestThread { try? table.revoke(.session("s\(index)"), at: noon) }
        }
        #expect(eventually { table.statistics.unwritten == 21 })
        // A revocation is in force before it is synced.
        #expect(table.finding(session: "s20") != nil)
        isHeld.withLock { $0 = false }
        isHeld.wakeAll()
        for thread in threads { thread.join() }
        let newWrites = fileSystem.count(of: .write) - writes
        #expect(newWrites <= 3)
        #expect(fileSystem.count(of: .synchronize) - syncs == newWrites)
        #expect(table.statistics.unwritten == 0)
    }

    @Test
    func `every caller of a failed write gets the error, and the token stays unspent`() throws {
        let isHeld = Monitor(false)
        let fails = Monitor(false)
        let fileSystem = FileSystemDouble { operation, _ in
            guard operation == .synchronize else { return .done }
            isHeld.waitUntil({ !$0 }, then: { _ in })
            return fails.withLock { $0 } ? .failed(.ioError) : .done
        }
        let table = try folder.revocations(fileSystem: fileSystem)
        isHeld.withLock { $0 = true }
        fails.withLock { $0 = true }
        let failures = Monitor(0)
        let threads = (0..<20).map { index in
            TestThread {
                do throws(Errno) {
                    _ = try table.spend("t", at: minutes(Int64(index)))
                } catch {
                    failures.withLock { $0 += error == .ioError ? 1 : 0 }
                }
            }
        }
        #expect(eventually { table.statistics.unwritten == 1 })
        isHeld.withLock { $0 = false }
        isHeld.wakeAll()
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == 20)
        #expect(table.finding(token: "t") == nil)
        fails.withLock { $0 = false }
        #expect(try table.spend("t", at: evening) == evening)
    }

    @Test
    func `readers find each acknowledged revocation while the table grows and shrinks`() throws {
        let table = try Revocations(path: nil, at: noon)
        let count = TestScale.rounds(6000, long: 200_000)
        // The number of revoked identifiers; they stay until midnight.
        let revoked = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
        let misses = Atomic<Int>(0)
        let lookups = Atomic<Int>(0)
        let readers = (0..<3).map { reader in
            TestThread {
                var generator = SeededGenerator(seed: UInt64(reader))
                while !isDone.load(ordering: .acquiring) {
                    let known = revoked.load(ordering: .acquiring)
                    guard known > 0 else { continue }
                    let index = Int.random(in: 0..<known, using: &generator)
                    let hit = table.finding(
                        token: index % 2 == 0 ? "t\(index)" : "none",
                        session: index % 2 == 1 ? "s\(index)" : "none", user: -1)
                    // It must be the right entry, with its own time.
                    if hit != .revoked(at: minutes(Int64(index))) {
                        misses.add(1, ordering: .relaxed)
                    }
                    if table.finding(token: "never \(index)", session: "nor", user: -2) != nil {
                        misses.add(1, ordering: .relaxed)
                    }
                    lookups.add(1, ordering: .relaxed)
                }
            }
        }
        for index in 0..<count {
            // Other entries are added and removed, so that the table is replaced by larger and
            // smaller ones.
            let passing = (0..<6).map { RevocationSubject.session("passing \(index) \($0)") }
            try table.revoke(passing, at: noon, until: evening)
            try table.revoke(
                index % 2 == 0 ? .token("t\(index)") : .session("s\(index)"),
                at: minutes(Int64(index)), until: midnight)
            revoked.store(index + 1, ordering: .releasing)
            if index % 500 == 499 { table.removeExpired(at: evening) }
        }
        #expect(eventually { lookups.load(ordering: .relaxed) > 100 })
        isDone.store(true, ordering: .releasing)
        for reader in readers { reader.join() }
        #expect(misses.load(ordering: .relaxed) == 0)
    }

    @Test func `no entry is lost when the journal is compacted during writes`() throws {
        let acknowledged = Monitor<[String: Timestamp]>([:])
        do {
            let table = try folder.revocations()
            let isDone = Atomic<Bool>(false)
            let sweeper = TestThread {
                var round = 0
                while !isDone.load(ordering: .acquiring) || round < 4 {
                    // Enough obsolete records to trigger compaction.
                    let dead = (0..<1500).map { RevocationSubject.session("dead \(round) \($0)") }
                    try? table.revoke(dead, at: noon, until: evening)
                    table.removeExpired(at: evening)
                    round += 1
                }
            }
            inThreads(4) { thread in
                for index in 0..<40 {
                    let token = "t\(thread * 20 + index)"
                    let moment = minutes(Int64(thread * 100 + index))
                    guard let time = try? table.spend(token, at: moment) else { continue }
                    acknowledged.withLock { known in
                        if let first = known[token] { #expect(first == time) }
                        known[token] = time
                    }
                }
            }
            isDone.store(true, ordering: .releasing)
            sweeper.join()
            #expect(table.statistics.failures == 0)
        }
        let table = try folder.reopened(at: evening)
        let known = acknowledged.withLock { $0 }
        #expect(known.count == 100)
        for (token, time) in known {
            #expect(table.finding(token: token) == .alreadyUsed(at: time))
        }
        #expect(table.start == Revocations.RecoverySummary(entries: 100, tornBytes: 0))
    }
}

import POSIX
import TestSupport
import Testing

struct MonitorTests {
    @Test func `a monitor lets one thread at a time change its value`() {
        let counter = Monitor(0)
        inThreads(8) { _ in
            for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
        }
        #expect(counter.withLock { $0 } == 80_000)
    }

    @Test func `withLock returns the result of its body`() {
        let list = Monitor([1])
        #expect(list.withLock { $0.removeLast() } == 1)
        #expect(list.withLock { $0.isEmpty })
    }

    @Test func `wakeAll wakes each thread that waits for a value`() {
        let turns = Monitor<[Int]>([])
        inThreads(8) { thread in
            for round in 0..<100 {
                let turn = round * 8 + thread
                turns.waitUntil({ $0.count == turn }) { $0.append(turn) }
                turns.wakeAll()
            }
        }
        #expect(turns.withLock { $0 } == Array(0..<800))
    }

    @Test func `waitUntil does not wait if its condition holds`() {
        #expect(Monitor(3).waitUntil({ $0 == 3 }, then: { $0 * 2 }) == 6)
    }
}

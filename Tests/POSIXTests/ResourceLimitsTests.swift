import TestSupport
import Testing

@testable import POSIX

@Suite("The limits of a process")
struct ResourceLimitsTests {
    @Test(arguments: [
        ("max 100000\n", nil), ("100000 100000\n", 1), ("150000 100000\n", 2), ("1000 100000\n", 1),
        ("-1 100000", nil), ("400000 100000", 4), ("0 100000", nil), ("100000 0", nil), ("", nil),
        ("1", nil), ("a b", nil),
    ])
    func `a quota of processors is rounded up`(text: String, processors: Int?) {
        #expect(ResourceLimits.quota(cpuMax: text) == processors)
    }

    @Test func `a probe makes as many threads as it is asked for, and ends them`() {
        let probe = StartProbe(threads: 20, bytes: 1 << 20)
        #expect(probe == StartProbe(threads: 20, hasMemory: true))
    }

    @Test func `a probe finds out that memory lacks`() {
        // More than any address space has.
        #expect(!StartProbe.canReserve(1 << 60))
        #expect(!StartProbe(threads: 1, bytes: 1 << 60).hasMemory)
    }

    @Test func `a thread runs what it was made for`() throws {
        let hasRun = Monitor(false)
        try SystemThread.start { hasRun.withLock { $0 = true } }
        #expect(eventually { hasRun.withLock { $0 } })
    }
}

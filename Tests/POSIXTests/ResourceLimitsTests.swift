import TestSupport
import Testing

@testable import POSIX

struct ResourceLimitsTests {
    @Test(arguments: [
        ("max 100000\n", nil), ("100000 100000\n", 1), ("150000 100000\n", 2), ("1000 100000\n", 1),
        ("-1 100000", nil), ("400000 100000", 4), ("0 100000", nil), ("100000 0", nil), ("", nil),
        ("1", nil), ("a b", nil),
    ])
    func `a processor quota is rounded up`(text: String, processors: Int?) {
        #expect(ResourceLimits.quota(cpuMax: text) == processors)
    }

    @Test func `a probe creates the requested number of threads and ends them`() {
        let probe = ResourceProbe(threads: 20, bytes: 1 << 20)
        #expect(probe == ResourceProbe(threads: 20, hasMemory: true))
    }

    @Test func `a probe detects missing memory`() {
        // Larger than any address space.
        #expect(!ResourceProbe.canReserve(1 << 60))
        #expect(!ResourceProbe(threads: 1, bytes: 1 << 60).hasMemory)
    }

    @Test func `a thread runs its body`() throws {
        let hasRun = Monitor(false)
        try SystemThread.start { hasRun.withLock { $0 = true } }
        #expect(eventually { hasRun.withLock { $0 } })
    }
}

import Glibc

/// The threads and memory that are available to this process, measured by allocating and releasing
/// them. This respects every limit of the system (RLIMIT_NPROC, pids.max, RLIMIT_AS, threads-max).
package struct ResourceProbe: Sendable, Equatable {
    /// Threads that existed at the same time.
    package let threads: Int
    /// Whether the memory was available in addition to the threads.
    package let hasMemory: Bool

    package init(threads: Int, hasMemory: Bool) {
        self.threads = threads
        self.hasMemory = hasMemory
    }

    /// Creates threads and ends them.
    /// - Parameters:
    ///   - wanted: the maximum number of threads at the same time.
    ///   - bytes: the amount of memory, in one piece.
    package init(threads wanted: Int, bytes: Int) {
        let mayEnd = Monitor(false)
        var made: [pthread_t] = []
        made.reserveCapacity(wanted)
        do throws(Errno) {
            for _ in 0..<wanted {
                made.append(
                    // Each thread allocates its stack. If there is no address space for a heap of
                    // its own, glibc makes it share another thread's.
                    try SystemThread.make { mayEnd.waitUntil({ $0 }, then: { _ in }) })
            }
        } catch {
            // `made` has the threads that could be created.
        }
        hasMemory = Self.canReserve(bytes)
        mayEnd.withLock { $0 = true }
        mayEnd.wakeAll()
        for thread in made { SystemThread.join(thread) }
        threads = made.count
    }

    /// Whether this much memory is available in one piece. Allocates nothing else.
    package static func canReserve(_ bytes: Int) -> Bool {
        // Sound: a new mapping, which is removed before any pointer into it exists.
        let mapping = unsafe mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe mapping != MAP_FAILED else { return false }
        _ = unsafe munmap(mapping, bytes)
        return true
    }
}

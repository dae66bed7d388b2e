import Glibc

/// What this process can still have of threads and memory, measured by taking it and giving it
/// back. No limit that the system has goes unnoticed this way, whichever it is (RLIMIT_NPROC,
/// pids.max, RLIMIT_AS, threads-max).
package struct StartProbe: Sendable, Equatable {
    /// Threads that were there at once.
    package let threads: Int
    /// Whether the memory was there beside them.
    package let hasMemory: Bool

    package init(threads: Int, hasMemory: Bool) {
        self.threads = threads
        self.hasMemory = hasMemory
    }

    /// Makes and ends threads.
    /// - Parameters:
    ///   - threads: at once, at most.
    ///   - bytes: of memory, in one piece.
    package init(threads wanted: Int, bytes: Int) {
        let mayEnd = Monitor(false)
        var made: [pthread_t] = []
        made.reserveCapacity(wanted)
        do throws(Errno) {
            for _ in 0..<wanted {
                made.append(
                    // Each takes its stack. Where address space for a heap of its own lacks, glibc
                    // lets it use another thread's.
                    try SystemThread.make { mayEnd.waitUntil({ $0 }, then: { _ in }) })
            }
        } catch {
            // So many there are.
        }
        hasMemory = Self.canReserve(bytes)
        mayEnd.withLock { $0 = true }
        mayEnd.wakeAll()
        for thread in made { SystemThread.join(thread) }
        threads = made.count
    }

    /// Whether so much memory can be had in one piece. Allocates nothing else.
    package static func canReserve(_ bytes: Int) -> Bool {
        // Sound: a new mapping, which is taken away before anything points into it.
        let place = unsafe mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe place != MAP_FAILED else { return false }
        _ = unsafe munmap(place, bytes)
        return true
    }
}
